//! What is written down about each call, whoever asked and however it ended.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use crate::{CacheUse, Effect, RequestId};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The tool answered.
    Succeeded,
    /// The call was refused before the source saw it, with this code.
    Refused(&'static str),
    /// The source saw the call and it failed, with this code.
    Failed(&'static str),
    /// The call took long and was answered with a handle; it goes on.
    Continues,
    /// The client went away; a call with effects goes on without it.
    Abandoned,
}

impl Ending {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
            Self::Continues => "continues",
            Self::Abandoned => "abandoned",
        }
    }

    /// The error code, where there is one.
    #[must_use]
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused(code) | Self::Failed(code) => Some(code),
            Self::Succeeded | Self::Continues | Self::Abandoned => None,
        }
    }
}

/// One line of the audit: who called what, when, and what came of it. Never the arguments.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// When the call came in.
    pub at: Timestamp,
    /// Names the request.
    pub request_id: RequestId,
    /// Who called.
    pub subject: Arc<str>,
    /// How they signed in.
    pub mode: &'static str,
    /// The tool's address, or the unknown name as the client gave it.
    pub tool: String,
    /// The tool's effect; `None` for an unknown tool.
    pub effect: Option<Effect>,
    /// How it ended.
    pub ending: Ending,
    /// What the cache had to do with it; `None` where it had nothing.
    pub cache: Option<CacheUse>,
    /// How long it took on the injected clock.
    pub took: Duration,
}

/// Takes audit records away. Called on the path of every call: it must not block.
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one record.
    fn record(&self, record: AuditRecord);
}

/// Several sinks, one after the other.
impl AuditSink for Vec<Arc<dyn AuditSink>> {
    fn record(&self, record: AuditRecord) {
        for sink in self {
            sink.record(record.clone());
        }
    }
}
