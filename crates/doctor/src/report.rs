//! What was found: one verdict for each check. How it is shown is the command's matter.

use jiff::Timestamp;

use crate::{Check, Exchange, Profile};

/// What was found at one server.
#[derive(Debug, Clone)]
pub struct Report {
    /// The address that was looked at, without a credential that may stand in it.
    pub url: String,
    /// As whom.
    pub profile: Profile,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// One for each check, in the order of [`crate::checks::all`].
    pub examined: Vec<Examined>,
    /// Everything that was sent, and what came back, in order and without secrets.
    pub exchanges: Vec<Exchange>,
    /// What was made at the server and could not be taken away again, in words: "the client `c-1`: the server
    /// offers no way to remove it".
    pub left_behind: Vec<String>,
}

/// A check and what came of it.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The check.
    pub check: &'static Check,
    /// What came of it.
    pub verdict: Verdict,
}

/// What came of a check.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It holds.
    Passed {
        /// What was seen, in a few words: "TLS 1.3, h2".
        seen: Option<String>,
    },
    /// It holds for this profile, and other clients or rarer cases will fail.
    Warning(Finding),
    /// The platform will fail here.
    Failed(Finding),
    /// It was not looked at.
    Skipped {
        /// Why: "the server asks for no sign-in".
        reason: String,
    },
}

/// What is wrong.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What was seen, and what was expected, in one or two sentences.
    pub seen: String,
    /// Which exchanges show it: indices into [`Report::exchanges`].
    pub exchanges: Vec<usize>,
}

impl Verdict {
    /// What is said of the server, to be changed.
    pub(crate) fn change_text(&mut self, change: impl FnOnce(&mut String)) {
        match self {
            Self::Passed { seen: None } => {}
            Self::Passed { seen: Some(text) }
            | Self::Warning(Finding { seen: text, .. })
            | Self::Failed(Finding { seen: text, .. })
            | Self::Skipped { reason: text } => change(text),
        }
    }
}

impl Report {
    /// The checks that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Examined> {
        self.examined.iter().filter(|examined| matches!(examined.verdict, Verdict::Failed(_)))
    }

    /// The checks that hold with a reservation.
    pub fn warned(&self) -> impl Iterator<Item = &Examined> {
        self.examined.iter().filter(|examined| matches!(examined.verdict, Verdict::Warning(_)))
    }
}
