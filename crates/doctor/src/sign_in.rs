//! Where a person comes in: somebody has to sign in and consent. Who that is, is the command's matter (a
//! browser) or a test's.

use async_trait::async_trait;
use url::Url;

/// Leads a person through sign-in and consent.
#[async_trait]
pub trait SignIn: Send + Sync {
    /// Where the answer is awaited: what is registered as the redirect URI (RFC 8252 §7.3: a loopback
    /// address).
    fn redirect_uri(&self) -> Url;

    /// Opens the authorization request and waits for the answer: the redirect URI with its query.
    ///
    /// # Errors
    /// Nobody came back.
    async fn authorize(&self, request: &Url) -> Result<Url, SignInError>;
}

/// No answer came back to the redirect URI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Nobody signed in in time.
    #[error("nobody signed in within {0} seconds")]
    TimedOut(u64),
    /// Whoever started the doctor stops it.
    #[error("the doctor was told to stop")]
    Stopped,
    /// It went wrong before: no browser, no port.
    #[error("{0}")]
    Impossible(String),
}
