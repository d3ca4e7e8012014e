//! What can go wrong with a call, by whose fault it is.
//!
//! Each error has a public side (a stable code, a message that says how to mend it, whether a
//! retry makes sense) and may have an internal cause, which is logged and never sent. The codes
//! stand in [`code`], whole: no other word goes out.

pub mod code;
mod credential;

use std::{error::Error, fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use code::{Blame, OwnCode, UpstreamCode};
pub use credential::{CredentialLack, CredentialRequired};

use crate::{EffectId, Verdict};

type Cause = Arc<dyn Error + Send + Sync>;

/// One thing wrong with the arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArgumentFault {
    /// Which argument, as a JSON Pointer (RFC 6901); empty for the object as a whole.
    pub path: String,
    /// What is wrong with it and what would be right.
    pub message: String,
}

/// The caller's fault, or a limit of ours: nothing reached the system behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// The tool works with something of its caller that this sign-in does not say.
    #[error("{fault} Nothing was done, and another call will not help: tell the person who runs this server.")]
    LacksClaim {
        /// Which claim, with dots between the names on the way to it.
        claim: String,
        /// What is the matter with it.
        fault: String,
    },
    /// The call needs a credential of the caller's own, which they have to enter first.
    #[error(transparent)]
    CredentialRequired(Box<CredentialRequired>),
    /// The caller calls more often than the policy allows.
    #[error("You call more often than this server allows. Try again in {} s.", seconds(*.retry_after))]
    RateLimited {
        /// When it is their turn again.
        retry_after: Duration,
    },
    /// Too many calls are running, or on their way to the system behind.
    #[error("Too many calls are under way. Try again in {} s.", seconds(*.retry_after))]
    Busy {
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// The system behind failed again and again, and is left in peace.
    #[error("`{source_name}` failed several times in a row and is not called for the moment. Nothing was sent. Try again in {} s.", seconds(*.retry_after))]
    CircuitOpen {
        /// Name of the source.
        source_name: Arc<str>,
        /// When it is tried again.
        retry_after: Duration,
    },
    /// Nobody can say whether there is a turn, and the policy says to refuse then.
    #[error("This server cannot count calls for the moment, so none is let through. Try again in {} s.", seconds(*.retry_after))]
    LimitsLost {
        /// When a retry makes sense.
        retry_after: Duration,
    },
    /// The idempotency key was used before, with other arguments.
    #[error(
        "This idempotency key stands for an earlier call of `{tool}` with other arguments. Repeat that call with the \
         arguments that it had, or use a new key for a new effect."
    )]
    IdempotencyConflict {
        /// Wire name of the tool.
        tool: String,
    },
    /// The idempotency key could not be claimed.
    #[error("The idempotency key could not be written down, so nothing was sent. Try again with the same key.")]
    IdempotencyUnavailable,
    /// The server is shutting down.
    #[error("The server is restarting. Try again in a few seconds.")]
    ShuttingDown,
}

/// For a message: rounded up, since a call that comes too early comes for nothing.
const fn seconds(after: Duration) -> u128 {
    after.as_millis().div_ceil(1000)
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
    /// What it says of the effect that the call was to have; starts as the code says.
    pub verdict: Verdict,
    /// Whether it was answered to an earlier call with the same idempotency key.
    pub replayed: bool,
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
            verdict: code.verdict(),
            replayed: false,
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

    /// Says what is known of the effect, whatever the code says in general: a change that was rolled
    /// back is [`Verdict::Undone`] also where its time was up.
    #[must_use]
    pub const fn with_verdict(mut self, verdict: Verdict) -> Self {
        self.verdict = verdict;
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

/// A call with an idempotency key of which nobody knows whether it took effect.
#[derive(Debug, Clone)]
pub struct InDoubt {
    /// Names the effect.
    pub effect: EffectId,
    /// Wire name of the tool.
    pub tool: String,
    /// Whether the same call with the same key may bring certainty: the source can find out, or the
    /// system behind knows the key.
    pub can_be_resolved: bool,
    /// Whether it was asked for with a handle, so that it is not known whether the call had a key.
    pub by_handle: bool,
    /// How the call ended; `None` where it ended elsewhere, without a word.
    pub cause: Option<CallError>,
}

impl fmt::Display for InDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tool = &self.tool;
        match &self.cause {
            Some(CallError::Internal(_)) => write!(
                f,
                "It is not known whether `{tool}` took effect: something went wrong inside the server after the call was sent."
            )?,
            Some(cause) => write!(f, "It is not known whether `{tool}` took effect. {cause}")?,
            None => write!(
                f,
                "It is not known whether `{tool}` took effect: the call was sent, and the server that sent it was gone \
                 before an answer came."
            )?,
        }
        if self.by_handle {
            return f.write_str(
                " Look at what it should have changed before you call it again. If it had an idempotency key, call it with \
                 that one.",
            );
        }
        f.write_str(
            " Look at what it should have changed, and do not call it with a new idempotency key before you know.",
        )?;
        f.write_str(if self.can_be_resolved {
            " The same call with the same key is safe: it finds out, and never does it twice."
        } else {
            " The same call with the same key is safe: it is answered like this until an answer comes, and is not sent again."
        })
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
    /// Nobody knows whether the call took effect.
    #[error("{0}")]
    InDoubt(Box<InDoubt>),
    /// A call with this idempotency key or handle ended well, and its answer cannot be given again.
    #[error(
        "The call was made and ended well, but what it answered was too large to keep, or cannot be read any more. If it \
         changes something, look at what it has changed; if it reads, call it again and ask for less."
    )]
    AnswerNotKept,
    /// The client cancelled or went away.
    #[error("The call was cancelled.")]
    Cancelled,
    /// Our own fault.
    #[error(transparent)]
    Internal(#[from] Fault),
}

/// Where the code of an error comes from.
enum Kind<'e> {
    Own(OwnCode),
    Upstream(&'e UpstreamFailure),
}

impl From<UpstreamFailure> for CallError {
    fn from(failure: UpstreamFailure) -> Self {
        Self::Upstream(Box::new(failure))
    }
}

impl CallError {
    const fn kind(&self) -> Kind<'_> {
        Kind::Own(match self {
            Self::Upstream(failure) => return Kind::Upstream(failure),
            Self::Refused(Refusal::UnknownTool { .. }) => OwnCode::UnknownTool,
            Self::Refused(Refusal::NotPermitted { .. }) => OwnCode::NotPermitted,
            Self::Refused(Refusal::InvalidArguments(_)) => OwnCode::InvalidArguments,
            Self::Refused(Refusal::ClientLacks { .. }) => OwnCode::ClientLacksCapability,
            Self::Refused(Refusal::RateLimited { .. }) => OwnCode::RateLimited,
            Self::Refused(Refusal::CredentialRequired(_)) => OwnCode::CredentialRequired,
            Self::Refused(Refusal::LacksClaim { .. }) => OwnCode::CallerLacksClaim,
            Self::Refused(Refusal::Busy { .. }) => OwnCode::Busy,
            Self::Refused(Refusal::CircuitOpen { .. }) => OwnCode::CircuitOpen,
            Self::Refused(Refusal::LimitsLost { .. }) => OwnCode::LimitsUnavailable,
            Self::Refused(Refusal::IdempotencyConflict { .. }) => OwnCode::IdempotencyConflict,
            Self::Refused(Refusal::IdempotencyUnavailable) => OwnCode::IdempotencyUnavailable,
            Self::Refused(Refusal::ShuttingDown) => OwnCode::ShuttingDown,
            Self::InDoubt(_) => OwnCode::EffectInDoubt,
            Self::AnswerNotKept => OwnCode::AnswerNotKept,
            Self::Cancelled => OwnCode::Cancelled,
            Self::Internal(_) => OwnCode::Internal,
        })
    }

    /// The stable code on the wire.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self.kind() {
            Kind::Own(code) => code.as_str(),
            Kind::Upstream(failure) => failure.code.as_str(),
        }
    }

    /// Whether the same call may succeed later without a change.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        match self.kind() {
            Kind::Own(OwnCode::EffectInDoubt) => matches!(self, Self::InDoubt(doubt) if doubt.can_be_resolved),
            Kind::Own(code) => code.retryable(),
            Kind::Upstream(failure) => failure.retryable,
        }
    }

    /// When a retry makes sense, if known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(
                Refusal::RateLimited { retry_after }
                | Refusal::Busy { retry_after }
                | Refusal::CircuitOpen { retry_after, .. }
                | Refusal::LimitsLost { retry_after },
            ) => Some(*retry_after),
            Self::Refused(Refusal::ShuttingDown | Refusal::IdempotencyUnavailable) => Some(Duration::from_secs(5)),
            Self::InDoubt(doubt) if doubt.can_be_resolved => Some(Duration::from_secs(5)),
            Self::Upstream(failure) => failure.retry_after,
            Self::Refused(_) | Self::InDoubt(_) | Self::AnswerNotKept | Self::Cancelled | Self::Internal(_) => None,
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
            Self::Refused(Refusal::CredentialRequired(required)) => Some(required.details()),
            Self::Refused(Refusal::LacksClaim { claim, .. }) => Some(json!({ "claim": claim })),
            Self::Upstream(failure) => failure.details.clone(),
            Self::InDoubt(doubt) => Some(json!({
                "effect_id": doubt.effect.as_str(),
                "cause": doubt.cause.as_ref().map(Self::code),
                "upstream": doubt.cause.as_ref().and_then(Self::details),
            })),
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
        // Rounded up, since a call that comes too early comes for nothing.
        let in_millis = |after: Duration| u64::try_from(after.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        let retry_after_ms = self.retry_after().map(in_millis);
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
