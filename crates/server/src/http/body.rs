//! Reads the body of a request whole, within limits on size and time, and the forms that browsers and
//! clients post (`application/x-www-form-urlencoded`).

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bridgehead_core::Clock;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use url::form_urlencoded;

use super::RequestRefusal;

/// How bodies are read. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Bodies {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) max_bytes: usize,
    pub(crate) timeout: Duration,
}

/// Why a body was not read, in words for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyFault {
    #[error("The request body is larger than {max_bytes} bytes. Send less at once.")]
    TooLarge { max_bytes: usize },
    #[error("The request body did not arrive in time. Send it again.")]
    TooSlow,
    #[error("The request body ended early. Send it again.")]
    Unreadable,
}

impl BodyFault {
    /// The word and status for it.
    pub(crate) const fn refusal(&self) -> RequestRefusal {
        match self {
            Self::TooLarge { .. } => RequestRefusal::BodyTooLarge,
            Self::TooSlow => RequestRefusal::BodyTooSlow,
            Self::Unreadable => RequestRefusal::BodyUnreadable,
        }
    }
}

impl Bodies {
    /// With another limit on the size.
    pub(crate) fn at_most(&self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self.clone() }
    }

    /// Reads a body to its end.
    pub(crate) async fn receive(&self, body: Body) -> Result<Bytes, BodyFault> {
        let collected = tokio::select! {
            collected = Limited::new(body, self.max_bytes).collect() => collected,
            () = self.clock.sleep(self.timeout) => return Err(BodyFault::TooSlow),
        };
        collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                return BodyFault::TooLarge { max_bytes: self.max_bytes };
            }
            tracing::debug!(error, "a request body could not be read");
            BodyFault::Unreadable
        })
    }
}

/// The media type of a request's body, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Whether a form is said to follow.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers).as_deref() == Some("application/x-www-form-urlencoded")
}

/// The decoded pairs of a form or query, in their order, repeated ones as well.
pub(crate) fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}
