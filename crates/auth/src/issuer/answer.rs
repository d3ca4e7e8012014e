//! What an error is on the wire: the same form at every endpoint that clients call themselves.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

/// An error of RFC 6749 §5.2, as the token endpoint answers it and the others do after it. Goes out
/// with `Cache-Control: no-store`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The status.
    pub status: StatusCode,
    /// `error`.
    pub error: &'static str,
    /// `error_description`: visible ASCII without quotes and backslashes.
    pub description: String,
    /// `WWW-Authenticate`, where one belongs there.
    pub www_authenticate: Option<String>,
    /// `Retry-After`, where waiting helps.
    pub retry_after: Option<Duration>,
}

impl ErrorAnswer {
    pub(crate) fn new(status: StatusCode, error: &'static str, description: &str) -> Self {
        Self { status, error, description: described(description), www_authenticate: None, retry_after: None }
    }

    pub(crate) fn with_challenge(mut self, challenge: Option<String>) -> Self {
        self.www_authenticate = challenge;
        self
    }

    pub(crate) const fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// 503 while the store, or something else that is needed, cannot be reached.
    pub(crate) fn unavailable() -> Self {
        let text = "The server cannot answer at the moment. Try again in a minute.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text).after(Duration::from_secs(5))
    }

    /// 429 with the time to wait.
    pub(crate) fn too_many(wait: Duration) -> Self {
        let text = "Too many requests of this kind. Try again later.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", text).after(wait)
    }

    /// The JSON body.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({"error": self.error, "error_description": self.description})
    }
}

/// The characters that RFC 6749 §5.2 allows; others become what looks most like them.
pub(crate) fn described(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '"' | '`' => '\'',
            '\\' => '/',
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}
