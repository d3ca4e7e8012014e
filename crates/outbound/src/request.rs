//! What is sent: method, URL, headers and a body in memory. Adds nothing by itself but a
//! `user-agent`, and forwards nothing: a request has the headers that its maker put in.

use std::{fmt, time::Duration};

use bridgehead_core::Secret;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

/// One request. `Debug` shows neither the query nor the headers' values, which may be secret.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes: `http` or `https`.
    pub url: Url,
    /// Its headers; `host` and `content-length` are written by the client.
    pub headers: HeaderMap,
    /// Its body; empty for none.
    pub body: Bytes,
    /// How long everything together may take: connecting, sending, and reading the answer to its
    /// end. The client's [`Limits`](crate::Limits) where `None`.
    pub timeout: Option<Duration>,
    /// How many bytes of the answer's body are read, counted after decompression. The client's
    /// [`Limits`](crate::Limits) where `None`.
    pub max_body_bytes: Option<usize>,
}

/// A value that cannot stand in a header (RFC 9110 §5.5): a line break, another control character.
/// Does not hold the value, which may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("has a character that no header may have, such as a line break")]
pub struct IllegalHeaderValue;

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), timeout: None, max_body_bytes: None }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    /// Sets a header, in the place of all earlier ones of the same name. Characters beyond ASCII go
    /// out as UTF-8.
    ///
    /// # Errors
    /// The value has a control character.
    pub fn set_header(&mut self, name: HeaderName, value: &str) -> Result<(), IllegalHeaderValue> {
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| IllegalHeaderValue)?;
        self.headers.insert(name, value);
        Ok(())
    }

    /// Sets a header whose value is secret: never printed, and not kept in the compression table
    /// of HTTP/2 (RFC 7541 §7.1.3).
    ///
    /// # Errors
    /// The value has a control character.
    pub fn set_secret_header(&mut self, name: HeaderName, value: &Secret) -> Result<(), IllegalHeaderValue> {
        let mut value = HeaderValue::from_bytes(value.expose().as_bytes()).map_err(|_| IllegalHeaderValue)?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .field("path", &self.url.path())
            .field("headers", &self.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
