//! What is looked at: each check as a constant, with all that the reference and a report say of it.

use std::fmt;

use serde::Serialize;

/// A thing that is looked at. Each is a constant in the module of its area below [`crate::checks`].
#[derive(Debug)]
pub struct Check {
    /// Stable, in kebab case: `tls-chain`. Troubleshooting in the guide is keyed by it.
    pub id: &'static str,
    /// The area it belongs to.
    pub area: Area,
    /// What holds where it passes: "The certificate chain is complete".
    pub title: &'static str,
    /// What fails, and for whom, where it does not.
    pub why: &'static str,
    /// The section of the standard: "RFC 8446 §4.4.2".
    pub standard: &'static str,
    /// How to mend it, for a server of any make.
    pub mend: &'static str,
}

/// What belongs together, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Name, addresses, TLS, and how HTTP is spoken.
    Reach,
    /// Challenge, metadata, registration, sign-in, tokens.
    Access,
    /// Revisions of MCP, sessions, errors.
    Protocol,
    /// The tools: their list, their quality, one call.
    Tools,
}

impl Area {
    /// All areas, in order.
    pub const ALL: [Self; 4] = [Self::Reach, Self::Access, Self::Protocol, Self::Tools];

    /// The heading in reports.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Reach => "Reach",
            Self::Access => "Access",
            Self::Protocol => "Protocol",
            Self::Tools => "Tools",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Check {}
