//! What can go wrong with a call, by whose fault it is.
//!
//! Each error has a public side (a stable code, a message that says how to mend it, whether a
//! retry makes sense) and may have an internal cause, which is logged and never sent.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

type Cause = Arc<dyn Error + Send + Sync>;

/// One thing wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentFault {
    /// Which argument, as a JSON Pointer (RFC 6901); empty for the object as a whole.
    pub path: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

/// The caller's fault, or a limit of ours: nothing reached the system behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No tool has this name, or none that this caller may see.
    #[error("Unknown tool: {name}. Ask tools/list for the names that exist.")]
    UnknownTool {
        /// The name that was asked for.
        name: String,
    },
    /// The caller lacks the tool's scope.
    #[error(
        "`{tool}` needs the scope {needed}, which this sign-in does not have. Ask whoever issued it for one with {needed}."
    )]
    NotPermitted {
        /// Wire name of the tool.
        tool: String,
        /// The scope that is missing.
        needed: String,
    },
    /// The arguments do not satisfy the input schema, or the source's own checks.
    #[error("{}", summary(.0))]
    InvalidArguments(Vec<ArgumentFault>),
    /// The tool needs a client that can do more (MCP error -32021).
    #[error("This tool needs a client with the capability `{capability}`, which this client did not declare.")]
    ClientLacks {
        /// Name of the member of MCP `ClientCapabilities`.
        capability: String,
    },
    /// Too many calls are running.
    #[error("Too many calls are running. Try again in {} s.", .retry_after.as_secs().max(1))]
    Busy {
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// The server is shutting down.
    #[error("The server is restarting. Try again in a few seconds.")]
    ShuttingDown,
}

fn summary(faults: &[ArgumentFault]) -> String {
    let mut text = String::from("The arguments do not fit the tool's input schema:");
    for fault in faults {
        text.push_str("\n- ");
        if !fault.path.is_empty() {
            text.push_str(&fault.path);
            text.push_str(": ");
        }
        text.push_str(&fault.message);
    }
    text
}

/// Who has to mend a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The one who called: other arguments, other rights.
    Caller,
    /// Whoever runs Bridgehead: its configuration, its credentials.
    Operator,
    /// Whoever runs the system behind.
    Upstream,
}

impl Blame {
    /// The word used in the reference.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Operator => "operator",
            Self::Upstream => "upstream",
        }
    }
}

/// What kind of failure the system behind had. The list is closed: agents and dashboards may
/// rely on the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamCode {
    /// It could not be reached at all, so nothing was sent; or its file is gone.
    Unavailable,
    /// It is busy or locked, and will not be for long.
    Busy,
    /// It wants fewer calls (HTTP 429).
    RateLimited,
    /// It took longer than the tool's time-out.
    TimedOut,
    /// The connection broke after the call may have been sent.
    ConnectionLost,
    /// It understood the call and refused it: a constraint, a rule of the business (HTTP 400, 422).
    Rejected,
    /// It does not accept the credential (HTTP 401).
    Unauthorized,
    /// The credential is good and does not allow this (HTTP 403).
    Forbidden,
    /// It does not have what was asked for (HTTP 404, 410).
    NotFound,
    /// What is there is in the way (HTTP 409, 412).
    Conflict,
    /// It answered in a way its description does not know: HTML, broken JSON, a redirect elsewhere.
    InvalidResponse,
    /// Anything else that it reported (HTTP 5xx).
    Failed,
}

impl UpstreamCode {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 12] = [
        Self::Unavailable,
        Self::Busy,
        Self::RateLimited,
        Self::TimedOut,
        Self::ConnectionLost,
        Self::Rejected,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::InvalidResponse,
        Self::Failed,
    ];

    /// The stable word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "upstream_unavailable",
            Self::Busy => "upstream_busy",
            Self::RateLimited => "upstream_rate_limited",
            Self::TimedOut => "timed_out",
            Self::ConnectionLost => "upstream_connection_lost",
            Self::Rejected => "upstream_rejected",
            Self::Unauthorized => "upstream_unauthorized",
            Self::Forbidden => "upstream_forbidden",
            Self::NotFound => "upstream_not_found",
            Self::Conflict => "upstream_conflict",
            Self::InvalidResponse => "upstream_invalid_response",
            Self::Failed => "upstream_failed",
        }
    }

    /// Whether the same call may succeed later without a change, where nothing more is known. A
    /// call with effects that may have been sent is never retryable, whatever stands here.
    #[must_use]
    pub const fn retryable(self) -> bool {
        match self {
            Self::Unavailable | Self::Busy | Self::RateLimited | Self::TimedOut | Self::ConnectionLost => true,
            Self::Rejected
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::InvalidResponse
            | Self::Failed => false,
        }
    }

    /// Who has to mend it, as a rule.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::Rejected | Self::Forbidden | Self::NotFound | Self::Conflict => Blame::Caller,
            Self::Unauthorized => Blame::Operator,
            Self::Unavailable
            | Self::Busy
            | Self::RateLimited
            | Self::TimedOut
            | Self::ConnectionLost
            | Self::InvalidResponse
            | Self::Failed => Blame::Upstream,
        }
    }

    /// What it means, in one sentence, for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unavailable => "The system behind could not be reached; nothing was sent.",
            Self::Busy => "The system behind is busy or locked for the moment.",
            Self::RateLimited => "The system behind wants fewer calls.",
            Self::TimedOut => "The call took longer than the tool's time-out.",
            Self::ConnectionLost => "The connection broke after the call may have been sent.",
            Self::Rejected => "The system behind understood the call and refused it.",
            Self::Unauthorized => "The system behind does not accept the credential.",
            Self::Forbidden => "The credential is good, but does not allow this.",
            Self::NotFound => "The system behind does not have what was asked for.",
            Self::Conflict => "What the system behind has is in the way of the change.",
            Self::InvalidResponse => "The system behind answered in a form that its description does not know.",
            Self::Failed => "The system behind reported a failure of its own.",
        }
    }
}

/// The system behind failed.
#[derive(Debug, Clone)]
pub struct UpstreamFailure {
    /// What kind of failure.
    pub code: UpstreamCode,
    /// For the agent: what happened and what to do about it. Nothing secret.
    pub message: String,
    /// Whether the same call may succeed later; starts as the code says.
    pub retryable: bool,
    /// When a retry makes sense, if known.
    pub retry_after: Option<Duration>,
    /// What the system behind said, in structured form.
    pub details: Option<Value>,
    /// For the log alone.
    pub cause: Option<Cause>,
}

impl UpstreamFailure {
    /// A failure with the code's own view on retries.
    #[must_use]
    pub fn new(code: UpstreamCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            retryable: code.retryable(),
            retry_after: None,
            details: None,
            cause: None,
        }
    }

    /// Keeps what lies behind, for the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// Says when a retry makes sense, and thereby that it does.
    #[must_use]
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retryable = true;
        self.retry_after = Some(after);
        self
    }

    /// Says that a retry makes no sense, whatever the code says in general.
    #[must_use]
    pub const fn not_retryable(mut self) -> Self {
        self.retryable = false;
        self
    }

    /// Adds what the system behind said, in structured form.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}

impl fmt::Display for UpstreamFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for UpstreamFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Our own fault: a broken invariant, a panic. The caller learns the request id alone.
#[derive(Debug, Clone)]
pub struct Fault {
    /// For the log: what was being done.
    pub doing: String,
    /// For the log: what lies behind.
    pub cause: Option<Cause>,
}

impl Fault {
    /// A fault while doing something.
    #[must_use]
    pub fn new(doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), cause: None }
    }

    /// Keeps what lies behind.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "internal fault while {}", self.doing)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Why a call did not succeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// Refused before the system behind saw it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The system behind failed.
    #[error(transparent)]
    Upstream(Box<UpstreamFailure>),
    /// The client cancelled or went away.
    #[error("The call was cancelled.")]
    Cancelled,
    /// Our own fault.
    #[error(transparent)]
    Internal(#[from] Fault),
}

impl From<UpstreamFailure> for CallError {
    fn from(failure: UpstreamFailure) -> Self {
        Self::Upstream(Box::new(failure))
    }
}

impl CallError {
    /// The stable code on the wire.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(Refusal::UnknownTool { .. }) => "unknown_tool",
            Self::Refused(Refusal::NotPermitted { .. }) => "not_permitted",
            Self::Refused(Refusal::InvalidArguments(_)) => "invalid_arguments",
            Self::Refused(Refusal::ClientLacks { .. }) => "client_lacks_capability",
            Self::Refused(Refusal::Busy { .. }) => "busy",
            Self::Refused(Refusal::ShuttingDown) => "shutting_down",
            Self::Upstream(failure) => failure.code.as_str(),
            Self::Cancelled => "cancelled",
            Self::Internal(_) => "internal",
        }
    }

    /// Whether the same call may succeed later without a change.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self {
            Self::Refused(Refusal::Busy { .. } | Refusal::ShuttingDown) => true,
            Self::Refused(
                Refusal::UnknownTool { .. }
                | Refusal::NotPermitted { .. }
                | Refusal::InvalidArguments(_)
                | Refusal::ClientLacks { .. },
            ) => false,
            Self::Upstream(failure) => failure.retryable,
            Self::Cancelled | Self::Internal(_) => false,
        }
    }

    /// When a retry makes sense, if known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(Refusal::Busy { retry_after }) => Some(*retry_after),
            Self::Refused(Refusal::ShuttingDown) => Some(Duration::from_secs(5)),
            Self::Upstream(failure) => failure.retry_after,
            Self::Refused(_) | Self::Cancelled | Self::Internal(_) => None,
        }
    }

    /// What more is known, in structured form.
    #[must_use]
    pub fn details(&self) -> Option<Value> {
        match self {
            Self::Refused(Refusal::InvalidArguments(faults)) => Some(json!({
                "faults": faults.iter().map(|f| json!({"path": f.path, "message": f.message})).collect::<Vec<_>>(),
            })),
            Self::Refused(Refusal::NotPermitted { needed, .. }) => Some(json!({ "scope": needed })),
            Self::Upstream(failure) => failure.details.clone(),
            _ => None,
        }
    }

    /// The one object that goes out for every failed call, as JSON text and as
    /// `_meta["bridgehead/error"]`: `code`, `message`, `retryable`, `retry_after_ms`,
    /// `request_id`, `details`.
    #[must_use]
    pub fn to_object(&self, request_id: &str) -> Map<String, Value> {
        let message = match self {
            Self::Internal(_) => {
                format!("Something went wrong inside the server. Tell its operator the request id {request_id}.")
            }
            other => other.to_string(),
        };
        let retry_after_ms = self.retry_after().map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        let mut object = Map::new();
        object.insert("code".into(), self.code().into());
        object.insert("message".into(), message.into());
        object.insert("retryable".into(), self.retryable().into());
        object.insert("retry_after_ms".into(), retry_after_ms.into());
        object.insert("request_id".into(), request_id.into());
        object.insert("details".into(), self.details().unwrap_or(Value::Null));
        object
    }
}
