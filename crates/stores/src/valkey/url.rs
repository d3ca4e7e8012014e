//! Which server replicas share, as the configuration names it.

use bridgehead_core::Secret;
use redis::IntoConnectionInfo;

/// The URL of a Valkey or Redis server. May hold a password, and is never shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValkeyUrl(Secret);

/// Why a text does not name a server. Never shows the text, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValkeyUrlError {
    /// It is the URL of something else, or of nothing.
    #[error(
        "is not the URL of a Valkey or Redis server. Write redis://HOST:PORT, or rediss://HOST:PORT with TLS; user, password and the number of the database stand where URLs have them: redis://USER:PASSWORD@HOST:PORT/0"
    )]
    NotAServer,
    /// It asks for TLS without looking at the certificate.
    #[error("asks for TLS without a look at the certificate (`#insecure`), which anybody could sit in. Leave it out")]
    Insecure,
}

impl ValkeyUrl {
    /// Reads `redis://…` or `valkey://…`, with TLS `rediss://…` or `valkeys://…`.
    ///
    /// # Errors
    /// [`ValkeyUrlError`].
    pub fn parse(text: &str) -> Result<Self, ValkeyUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(ValkeyUrlError::NotAServer)?;
        if !["redis", "rediss", "valkey", "valkeys"].contains(&scheme) {
            return Err(ValkeyUrlError::NotAServer);
        }
        if rest.contains('#') {
            return Err(ValkeyUrlError::Insecure);
        }
        text.into_connection_info().map_err(|_| ValkeyUrlError::NotAServer)?;
        Ok(Self(Secret::new(text.to_owned())))
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}
