//! What a tool's code sees of the call that it answers.

use std::{fmt, sync::Arc};

use bridgehead_core::{ArgumentFault, Call, Caller, LogLevel, Notification, Refusal, RequestId};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ToolError;

/// The call that a tool answers. Cheap to clone; a clone may outlive the call, and then tells
/// nobody anything.
#[derive(Clone)]
pub struct Context(Arc<Call>);

impl Context {
    pub(super) fn new(call: &Call) -> Self {
        Self(Arc::new(call.clone()))
    }

    pub(super) fn call(&self) -> &Call {
        &self.0
    }

    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Names the request in logs and errors.
    #[must_use]
    pub fn request_id(&self) -> &RequestId {
        &self.0.request_id
    }

    /// When the answer is no longer wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline
    }

    /// All arguments, as they came.
    #[must_use]
    pub fn arguments(&self) -> &Map<String, Value> {
        &self.0.arguments
    }

    /// One argument as a `T`. A missing one counts as null, so that `Option<T>` is `None`.
    ///
    /// # Errors
    /// [`Refusal::InvalidArguments`] with the argument's path, where a value satisfies the schema
    /// and still is no `T`.
    pub fn argument<T: DeserializeOwned>(&self, name: &str) -> Result<T, ToolError> {
        let value = self.0.arguments.get(name);
        T::deserialize(value.unwrap_or(&Value::Null)).map_err(|error| {
            let message = if value.is_some() { error.to_string() } else { "is required and missing".to_owned() };
            let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            Refusal::InvalidArguments(vec![ArgumentFault { path, message }]).into()
        })
    }

    /// One argument as a `T`, or `default` where it is missing.
    ///
    /// # Errors
    /// As [`Context::argument`].
    pub fn argument_or<T: DeserializeOwned>(&self, name: &str, default: impl FnOnce() -> T) -> Result<T, ToolError> {
        if self.0.arguments.contains_key(name) { self.argument(name) } else { Ok(default()) }
    }

    /// Tells the client how far the work is (MCP `notifications/progress`). `progress` grows with
    /// every call, in the tool's own unit; `total` is all there is to do, if known. Does nothing
    /// where the client did not ask for progress.
    pub async fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        let message = message.map(str::to_owned);
        self.0.notify.notify(Notification::Progress { progress, total, message }).await;
    }

    /// Sends the client a log line (MCP `notifications/message`) in the tool's name: `data` is
    /// text or any JSON. For people at the client; what the operator should see goes to
    /// `tracing`.
    pub async fn log(&self, level: LogLevel, data: impl Into<Value>) {
        let logger = Some(self.0.wire_name.clone());
        self.0.notify.notify(Notification::Log { level, logger, data: data.into() }).await;
    }

    /// Completes when the client cancelled the call or went away; never otherwise. A tool that
    /// reads is stopped without its doing; a tool with effects goes on unless it looks here.
    pub async fn cancelled(&self) {
        self.0.cancelled.cancelled().await;
    }

    /// Whether the client cancelled the call or went away.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.is_cancelled()
    }

    /// Whether the client declared a capability: a member of MCP `ClientCapabilities`, for
    /// example `sampling`.
    #[must_use]
    pub fn client_capability(&self, name: &str) -> bool {
        self.0.client_capabilities.get(name).is_some_and(|value| !value.is_null())
    }

    /// Goes on only where the client declared a capability.
    ///
    /// # Errors
    /// [`Refusal::ClientLacks`] otherwise.
    pub fn require_client_capability(&self, name: &str) -> Result<(), ToolError> {
        if self.client_capability(name) { Ok(()) } else { Err(ToolError::client_lacks(name)) }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Context").field(&self.0).finish()
    }
}
