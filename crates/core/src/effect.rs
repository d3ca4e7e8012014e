//! What a tool does to the world behind it. The effect decides the scope a caller needs, the
//! hints an agent sees and, later, whether a repeat needs an idempotency key.

use serde::{Deserialize, Serialize};

/// The effect of a tool, from harmless to dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing: MCP `readOnlyHint: true`.
    Read,
    /// Adds something, and leaves what was there: MCP `destructiveHint: false`.
    Write,
    /// Changes or removes what was there: MCP `destructiveHint: true`.
    Destructive,
}

impl Effect {
    /// The scope a caller needs unless the tool names another one.
    #[must_use]
    pub const fn default_scope(self) -> &'static str {
        match self {
            Self::Read => "tools:read",
            Self::Write | Self::Destructive => "tools:write",
        }
    }

    /// Whether the tool leaves everything as it was.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Read)
    }

    /// The word used in configuration, listings and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
