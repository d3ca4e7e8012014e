//! How a tool's code says that it failed.

use std::{any::Any, error::Error, fmt, time::Duration};

use bridgehead_core::{ArgumentFault, CallError, Fault, Refusal, UpstreamCode, UpstreamFailure, Verdict};
use serde_json::Value;

/// Why a tool failed: what the agent is told, and what is logged.
///
/// Every error converts into it by `?`. What such an error says stays in the log, since nobody
/// wrote it for an agent: the agent learns that the tool failed. [`ToolError::new`] and its like
/// take words for the agent. The errors of `bridgehead_core` keep their meaning.
///
/// Like `anyhow::Error`, it is not itself a [`std::error::Error`].
#[derive(Clone)]
pub struct ToolError(CallError);

impl ToolError {
    /// The tool failed; `message` tells the agent what happened and what to do about it.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self::failed(message)
    }

    /// As [`ToolError::new`]: the code is `upstream_failed`. It is the tool's answer: under the same
    /// idempotency key it is given again, and the tool is not called.
    #[must_use]
    pub fn failed(message: impl Into<String>) -> Self {
        Self(UpstreamFailure::new(UpstreamCode::Failed, message).with_verdict(Verdict::Definite).into())
    }

    /// The call was understood and refused, by a rule of the business: `upstream_rejected`.
    #[must_use]
    pub fn rejected(message: impl Into<String>) -> Self {
        Self::upstream(UpstreamCode::Rejected, message)
    }

    /// Something that the tool needs cannot be reached; a retry makes sense:
    /// `upstream_unavailable`.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::upstream(UpstreamCode::Unavailable, message)
    }

    /// Something that the tool needs is busy, and will not be for long: `upstream_busy`.
    #[must_use]
    pub fn busy(message: impl Into<String>, retry_after: Duration) -> Self {
        Self(UpstreamFailure::new(UpstreamCode::Busy, message).with_retry_after(retry_after).into())
    }

    /// An argument fits the schema and still is no good: `invalid_arguments`. `path` is the
    /// argument's name, or a JSON Pointer (RFC 6901) into it.
    #[must_use]
    pub fn invalid_argument(path: impl Into<String>, message: impl Into<String>) -> Self {
        let path = path.into();
        let path = if path.is_empty() || path.starts_with('/') { path } else { format!("/{path}") };
        Refusal::InvalidArguments(vec![ArgumentFault { path, message: message.into() }]).into()
    }

    /// The tool needs a client that declares this member of MCP `ClientCapabilities`:
    /// `client_lacks_capability`.
    #[must_use]
    pub fn client_lacks(capability: impl Into<String>) -> Self {
        Refusal::ClientLacks { capability: capability.into() }.into()
    }

    /// The tool failed for a reason that is the operator's business alone, and nobody knows whether it
    /// took effect. What `?` does with every error; for errors that do not implement [`std::error::Error`], such as
    /// `anyhow::Error`: `.map_err(ToolError::internal)?`.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "The tool failed for a reason that its operator can see in the log.";
        Self(UpstreamFailure::new(UpstreamCode::Failed, message).with_cause(Cause(cause.into())).into())
    }

    /// Keeps what lies behind, for the log alone.
    #[must_use]
    pub fn with_cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        match &mut self.0 {
            CallError::Upstream(failure) => **failure = failure.clone().with_cause(Cause(cause.into())),
            CallError::Internal(fault) => *fault = fault.clone().with_cause(Cause(cause.into())),
            CallError::Refused(_) | CallError::InDoubt(_) | CallError::AnswerNotKept | CallError::Cancelled => {}
        }
        self
    }

    /// Adds what more is known in structured form, for the agent. Only failures carry details,
    /// not refusals.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Value>) -> Self {
        if let CallError::Upstream(failure) = &mut self.0 {
            failure.details = Some(details.into());
        }
        self
    }

    /// The code an agent sees, for example `upstream_failed`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.0.code()
    }

    fn upstream(code: UpstreamCode, message: impl Into<String>) -> Self {
        Self(UpstreamFailure::new(code, message).into())
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for ToolError {
    fn from(error: E) -> Self {
        let mut error = Some(error);
        if let Some(error) = take::<E, CallError>(&mut error) {
            return Self(error);
        }
        if let Some(error) = take::<E, Refusal>(&mut error) {
            return Self(error.into());
        }
        if let Some(error) = take::<E, UpstreamFailure>(&mut error) {
            return Self(error.into());
        }
        if let Some(error) = take::<E, Fault>(&mut error) {
            return Self(error.into());
        }
        match error {
            Some(error) => Self::internal(error),
            None => Self(Fault::new("converting an error").into()),
        }
    }
}

/// The error as a `T`, if that is what it is.
fn take<E: 'static, T: 'static>(error: &mut Option<E>) -> Option<T> {
    (error as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take)
}

impl From<ToolError> for CallError {
    fn from(error: ToolError) -> Self {
        error.0
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A boxed error as an error again.
struct Cause(Box<dyn Error + Send + Sync>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing<E: Error + Send + Sync + 'static>(error: E) -> ToolError {
        let result: Result<(), ToolError> = (|| Err(error)?)();
        result.unwrap_err()
    }

    /// D4: what an arbitrary error says is for the log, and the log has it.
    #[test]
    fn an_arbitrary_error_stays_in_the_log() {
        let error = CallError::from(failing(std::io::Error::other("password=hunter2")));
        assert_eq!(error.code(), "upstream_failed");
        assert!(!serde_json::to_string(&error.to_object("r")).unwrap().contains("hunter2"));
        assert_eq!(error.source().unwrap().to_string(), "password=hunter2");
    }

    #[test]
    fn the_errors_of_core_keep_their_meaning() {
        assert_eq!(failing(Refusal::ShuttingDown).code(), "shutting_down");
        assert_eq!(failing(CallError::Cancelled).code(), "cancelled");
        assert_eq!(failing(UpstreamFailure::new(UpstreamCode::Busy, "later")).code(), "upstream_busy");
        assert_eq!(failing(Fault::new("testing")).code(), "internal");
    }

    #[test]
    fn words_for_the_agent_reach_the_agent() {
        let error = ToolError::busy("The press is running.", Duration::from_secs(3)).with_details(vec![1, 2]);
        let object = CallError::from(error).to_object("r");
        assert_eq!(object["message"], "The press is running.");
        assert_eq!(object["retry_after_ms"], 3000);
        assert_eq!(object["details"], serde_json::json!([1, 2]));
        let error = ToolError::invalid_argument("units", "must not be odd");
        assert_eq!(CallError::from(error).details().unwrap()["faults"][0]["path"], "/units");
    }
}
