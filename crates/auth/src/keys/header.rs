//! The header in which a key arrives.

use http::{HeaderName, header};

/// Where a key arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHeader(HeaderName);

/// A header that cannot carry a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyHeaderError {
    /// No header can be called that (RFC 9110 §5.1).
    #[error("`{0}` cannot be the name of a header: letters, digits and - are safe, for example X-Api-Key")]
    NotAName(String),
    /// HTTP, MCP or a proxy uses that header for something else.
    #[error(
        "the header `{0}` has a meaning of its own and cannot carry a key. Use Authorization, or one like X-Api-Key"
    )]
    Reserved(HeaderName),
}

impl KeyHeader {
    /// Reads the name of a header, in any case. `Authorization` means a bearer token (RFC 6750
    /// §2.1); the value of any other header is the key itself.
    ///
    /// # Errors
    /// [`KeyHeaderError`].
    pub fn parse(name: &str) -> Result<Self, KeyHeaderError> {
        let header = HeaderName::try_from(name.trim()).map_err(|_invalid| KeyHeaderError::NotAName(name.to_owned()))?;
        if is_reserved(header.as_str()) { Err(KeyHeaderError::Reserved(header)) } else { Ok(Self(header)) }
    }

    /// `Authorization: Bearer …`.
    #[must_use]
    pub const fn bearer() -> Self {
        Self(header::AUTHORIZATION)
    }

    /// The header's name, in lower case.
    #[must_use]
    pub const fn name(&self) -> &HeaderName {
        &self.0
    }

    /// Whether the key is a bearer token.
    #[must_use]
    pub fn is_bearer(&self) -> bool {
        self.0 == header::AUTHORIZATION
    }

    /// The name as people write it: `X-Api-Key`.
    #[must_use]
    pub fn title(&self) -> String {
        title(self.0.as_str())
    }
}

/// A header's name as people write it: each word with a capital.
pub(crate) fn title(name: &str) -> String {
    let mut start = true;
    name.chars()
        .map(|character| {
            let shown = if start { character.to_ascii_uppercase() } else { character };
            start = character == '-';
            shown
        })
        .collect()
}

fn is_reserved(name: &str) -> bool {
    const RESERVED: &[&str] = &[
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "idempotency-key",
        "keep-alive",
        "last-event-id",
        "origin",
        "proxy-authorization",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "x-request-id",
    ];
    RESERVED.contains(&name)
        || ["mcp-", "sec-", "x-forwarded-", "access-control-"].iter().any(|prefix| name.starts_with(prefix))
}
