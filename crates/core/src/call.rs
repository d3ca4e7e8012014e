//! One `tools/call` on its way through the pipeline.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::{Caller, Randomness, Validators};
#[cfg(doc)]
use crate::{Freshness, Source};

/// Names one request in logs, errors and the `x-request-id` header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new id: 16 random bytes in lower-case hexadecimal.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0_u8; 16];
        randomness.fill(&mut bytes);
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A key for the system behind that no other request has, in the form of [`EffectId::upstream_key`].
    #[must_use]
    pub fn upstream_key(&self) -> String {
        uuid(&self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Severity of a log notification (MCP logging, after RFC 5424 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the standard's")]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

/// Names one intended effect: the same for a call and its repeats under the same idempotency key,
/// and for no other. Derived from endpoint, caller, tool and key, so it shows nothing of the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(Arc<str>);

impl EffectId {
    /// Takes an id: 64 lower-case hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(legal)).then(|| Self(Arc::from(text)))
    }

    /// The id that a SHA-256 digest makes.
    #[must_use]
    pub(crate) fn from_digest(digest: &[u8; 32]) -> Self {
        Self(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that the system behind is given: a UUID of version 4 (RFC 9562 §5.4) whose random bits are
    /// the first ones of the id. Many APIs take nothing else, and some no more than 40 characters.
    #[must_use]
    pub fn upstream_key(&self) -> String {
        uuid(&self.0)
    }
}

/// The first 32 hexadecimal digits in the form of a UUID of version 4.
fn uuid(digits: &str) -> String {
    let mut text = String::with_capacity(36);
    for (index, digit) in digits.chars().take(32).enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(match index {
            12 => '4',
            // The variant: the upper two of its four bits are 10.
            16 => char::from_digit(digit.to_digit(16).unwrap_or_default() & 0b0011 | 0b1000, 16).unwrap_or('8'),
            _ => digit,
        });
    }
    text
}

impl fmt::Display for EffectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The effect that a call is to have exactly once, as its source sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedEffect {
    /// Names it.
    pub id: EffectId,
    /// SHA-256 of the arguments as canonical JSON (RFC 8785), without the key.
    pub digest: [u8; 32],
    /// The header in which the system behind takes a key of its own; its value is
    /// [`EffectId::upstream_key`]. `None` where it takes none.
    pub upstream_header: Option<Arc<str>>,
    /// How long the effect is remembered here, from the end of its call.
    pub retention: Duration,
}

/// What a running call may tell its client before it ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Notification {
    /// How far the work is (MCP `notifications/progress`); `progress` grows with every one.
    Progress {
        /// Done so far, in the tool's own unit.
        progress: f64,
        /// All there is to do, if known.
        total: Option<f64>,
        /// What is being done, for a person.
        message: Option<String>,
    },
    /// A log line for the client (MCP `notifications/message`).
    Log {
        /// How serious it is.
        level: LogLevel,
        /// Who says it.
        logger: Option<String>,
        /// What is said.
        data: Value,
    },
}

/// Takes notifications to the client of a call. A client that cannot be told (no progress token,
/// no stream) is not an error: the notification is dropped.
#[async_trait]
pub trait Notify: Send + Sync + 'static {
    /// Delivers one notification, in order.
    async fn notify(&self, notification: Notification);
}

/// For calls that nobody listens to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unheard;

#[async_trait]
impl Notify for Unheard {
    async fn notify(&self, _: Notification) {}
}

/// One call of one tool.
#[derive(Clone)]
pub struct Call {
    /// Names the request that carries the call.
    pub request_id: RequestId,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// The tool's wire name, as the client gave it.
    pub wire_name: String,
    /// The arguments: one flat object. Checked against the input schema before a source sees them.
    pub arguments: Map<String, Value>,
    /// The idempotency key that came beside the arguments (`_meta`), as the client gave it. One within
    /// the arguments is the same; the pipeline takes it out of there before a source sees them.
    pub idempotency_key: Option<String>,
    /// When the answer is no longer wanted. Set by the pipeline from the tool's policy.
    pub deadline: Option<Timestamp>,
    /// How many bytes of JSON the answer may have. Set by the pipeline from the tool's policy.
    pub max_result_bytes: usize,
    /// The effect that the call is to have exactly once; `None` for a read, and for a call without an
    /// idempotency key. Set by the pipeline when the key is claimed.
    pub effect: Option<ClaimedEffect>,
    /// What names the answer that is remembered of this call, whose time is over. A source that can asks
    /// the system behind whether it is still good, and answers with [`Freshness::not_modified`] then.
    pub validators: Option<Validators>,
    /// What [`Source::shows`] said when that answer was looked for. Where the system behind is shown something else
    /// by now, the source does not ask: the answer may be that of another account.
    pub shown: Option<Arc<str>>,
    /// Fires when the client went away or cancelled (MCP `notifications/cancelled`).
    pub cancelled: CancellationToken,
    /// The way back to the client while the call runs.
    pub notify: Arc<dyn Notify>,
    /// What the client can do when asked (MCP `ClientCapabilities`); empty where it did not say.
    pub client_capabilities: Arc<Map<String, Value>>,
    /// Whether the client takes a task for an answer (the tasks extension of MCP): a call that may take
    /// long is then answered with a handle sooner.
    pub takes_tasks: bool,
}

impl Call {
    /// A call as it enters the pipeline: no deadline yet, and nobody listening.
    #[must_use]
    pub fn new(
        request_id: RequestId,
        caller: Arc<Caller>,
        wire_name: impl Into<String>,
        arguments: Map<String, Value>,
    ) -> Self {
        Self {
            request_id,
            caller,
            wire_name: wire_name.into(),
            arguments,
            idempotency_key: None,
            deadline: None,
            max_result_bytes: usize::MAX,
            effect: None,
            validators: None,
            shown: None,
            cancelled: CancellationToken::new(),
            notify: Arc::new(Unheard),
            client_capabilities: Arc::default(),
            takes_tasks: false,
        }
    }
}

impl fmt::Debug for Call {
    /// Leaves the arguments out: they may hold what is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("request_id", &self.request_id)
            .field("subject", &self.caller.subject)
            .field("tool", &self.wire_name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Validators of version 4 take it, and two ids of which one bit differs stay apart.
    #[test]
    fn the_key_for_the_system_behind_is_a_uuid() {
        let key = |digits: &str| EffectId::parse(&digits.repeat(16)).unwrap().upstream_key();
        assert_eq!(key("0123"), "01230123-0123-4123-8123-012301230123");
        assert_eq!(key("ffff"), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(key("c0de"), "c0dec0de-c0de-40de-80de-c0dec0dec0de");
    }
}
