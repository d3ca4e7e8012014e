//! A request as it arrives at the garden.

use bytes::Bytes;
use http::{HeaderMap, Method, header};
use serde_json::Value;
use url::form_urlencoded;

/// A request, read to its end.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, without the query: `/mcp`.
    pub path: String,
    /// The query, where there is one.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Whether it came over TLS.
    pub encrypted: bool,
    /// The garden's origin: `https://mcp.example.com`.
    pub origin: String,
}

impl Asked {
    /// Whether it is for the endpoint.
    #[must_use]
    pub fn is_for_endpoint(&self) -> bool {
        self.path == "/mcp"
    }

    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it is a message to the endpoint with this method of MCP: `tools/list`.
    #[must_use]
    pub fn is_rpc(&self, method: &str) -> bool {
        self.method == Method::POST && self.is_for_endpoint() && self.json()["method"] == method
    }

    /// Whether it is a request to the token endpoint with this `grant_type`.
    #[must_use]
    pub fn is_grant(&self, grant_type: &str) -> bool {
        self.path == "/oauth/token" && self.field("grant_type").as_deref() == Some(grant_type)
    }

    /// A field of a form.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        parameter(&self.body, name)
    }

    /// A parameter of the query.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter(self.query.as_deref().unwrap_or_default().as_bytes(), name)
    }

    /// A header's value, where it is sent and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token or key in `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        self.header(header::AUTHORIZATION.as_str())?.strip_prefix("Bearer ")
    }
}

fn parameter(encoded: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(encoded).find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}
