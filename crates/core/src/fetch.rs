//! Fetching what a stranger points at: a metadata document of a client, a key set. What may be
//! connected to is the implementation's to guard (`Strangers` in `bridgehead-outbound`); what the
//! document says is for the caller to judge.

use std::{error::Error, sync::Arc, time::Duration};

use async_trait::async_trait;

/// How long and how much one fetch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchBounds {
    /// For everything together: the name, the connection, and the body to its end.
    pub timeout: Duration,
    /// Bytes of the body. One byte more is [`FetchError::TooLarge`]: half a document is none.
    pub max_bytes: usize,
}

/// What came back. No redirect was followed: its status is answered as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The status code (RFC 9110 §15).
    pub status: u16,
    /// `Content-Type`, as it was sent.
    pub content_type: Option<String>,
    /// `Cache-Control`, as it was sent; several lines are joined by commas.
    pub cache_control: Option<String>,
    /// The body, decompressed.
    pub body: Vec<u8>,
}

/// Why there is nothing. Neither text nor cause repeats more of the URL than its host.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one that may be fetched: no `https`, or an address that is not public.
    #[error("it may not be fetched: {what}")]
    Forbidden {
        /// What is wrong with it.
        what: String,
    },
    /// Nobody answered, or not in time, or not to the end.
    #[error("it could not be fetched: {what}")]
    Failed {
        /// What happened.
        what: String,
        /// What lies behind, for the log.
        #[source]
        cause: Option<Arc<dyn Error + Send + Sync>>,
    },
    /// There is more of it than the bounds allow.
    #[error("it is larger than {max_bytes} bytes")]
    TooLarge {
        /// The bound.
        max_bytes: usize,
    },
}

/// Fetches by GET as for strangers: `https` alone, public addresses alone, the connection goes to
/// the address that was checked, no redirects, no credentials, nothing kept.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Fetches `url`, which the caller has checked as text, asking for JSON.
    ///
    /// # Errors
    /// [`FetchError`]; a status other than 200 is none.
    async fn get(&self, url: &str, bounds: FetchBounds) -> Result<Fetched, FetchError>;
}
