//! As whom the server is looked at: what each platform is known to do (shared facts are second-hand and
//! change monthly; none of these was tried against a live platform).

use std::{fmt, str::FromStr, time::Duration};

/// A platform, or the least that every client does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// Duvo's custom MCP connection.
    #[default]
    Duvo,
    /// Claude on the web and on the desktop, which calls from its own servers.
    Claude,
    /// ChatGPT's connectors.
    ChatGpt,
    /// What the specification asks of every client, and no more.
    Generic,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Duvo, Self::Claude, Self::ChatGpt, Self::Generic];

    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duvo => "duvo",
            Self::Claude => "claude",
            Self::ChatGpt => "chatgpt",
            Self::Generic => "generic",
        }
    }

    /// Whether the platform calls from the internet, so that a server on a private address is out of its reach.
    #[must_use]
    pub const fn from_the_internet(self) -> bool {
        !matches!(self, Self::Generic)
    }

    /// The redirect URI that it registers, where it has one of its own.
    #[must_use]
    pub const fn redirect_uri(self) -> Option<&'static str> {
        match self {
            Self::Duvo => Some("https://platform.duvo.ai/v1/oauth/mcp/callback"),
            Self::Claude => Some("https://claude.ai/api/mcp/auth_callback"),
            // Each connector has one of its own below this.
            Self::ChatGpt => Some("https://chatgpt.com/connector/oauth/doctor"),
            Self::Generic => None,
        }
    }

    /// How long it waits for discovery, registration and tokens.
    #[must_use]
    pub const fn patience(self) -> Duration {
        match self {
            Self::Claude => Duration::from_secs(10),
            Self::Duvo | Self::ChatGpt | Self::Generic => Duration::from_secs(30),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Not the name of a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no profile. There are duvo, claude, chatgpt and generic.")]
pub struct UnknownProfile(String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text).ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}
