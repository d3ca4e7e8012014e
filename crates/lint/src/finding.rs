//! What a rule found: which rule, how bad it is, where, and how to mend it.

use std::fmt;

use serde::Serialize;

use crate::{Mend, Rule};

/// How bad a finding is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The tool works, and would work better.
    Note,
    /// An agent will choose or call it wrongly, now and then.
    Warning,
    /// A model API refuses it, or it is not safe to offer.
    Error,
}

impl Severity {
    /// The word in listings; also SARIF's `level` (§3.27.10).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong with a tool, or with the tools as a whole.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which rule says so.
    pub rule: &'static Rule,
    /// How bad it is: the rule's own severity, or less.
    pub severity: Severity,
    /// JSON Pointer (RFC 6901) into the tool as `tools/list` shows it; empty for the whole.
    pub at: String,
    /// The parameter it is about.
    pub parameter: Option<String>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// How to mend it.
    pub mend: Mend,
}
