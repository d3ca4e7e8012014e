//! Whether the server can be reached as a platform reaches it: name, addresses, TLS, and how HTTP is spoken.

mod address;
mod browser;
mod certificate;
mod http;
mod method;
mod name;

use std::time::Duration;

use ::http::HeaderName;
use bridgehead_core::Secret;
use url::Url;

use crate::{Check, visit::Visit};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[
    &address::URL_FORM,
    &address::URL_HTTPS,
    &address::URL_PATH,
    &name::DNS_FOUND,
    &name::DNS_PUBLIC,
    &name::DNS_IPV4,
    &name::CONNECT,
    &certificate::TLS_HANDSHAKE,
    &certificate::TLS_VERSION,
    &certificate::TLS_NAME,
    &certificate::TLS_VALIDITY,
    &certificate::TLS_CHAIN,
    &certificate::TLS_TRUST,
    &certificate::TLS_EXPIRES_SOON,
    &http::HTTP_ANSWERS,
    &http::HTTP_BODY,
    &http::HTTP_GATEWAY,
    &http::HTTP_PAGE,
    &http::HTTP_REDIRECT,
    &http::HTTP_TIME,
    &http::HTTP_CACHING,
    &method::HTTP_TRAILING_SLASH,
    &method::HTTP_PLAIN,
    &method::HTTP_GET,
    &method::HTTP_HEAD,
    &method::HTTP_LARGE_BODY,
    &browser::HTTP_PREFLIGHT,
    &browser::HTTP_ORIGIN,
    &browser::HTTP_HOST,
];

/// How long a platform waits for a connection, and for TLS.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the server was found.
#[derive(Debug, Clone)]
pub struct Reached {
    /// The endpoint, as it is to be used from here on.
    pub endpoint: Url,
}

/// Looks; `None` where the server cannot be reached, so that nothing else can be looked at.
pub async fn examine(visit: &mut Visit<'_>) -> Option<Reached> {
    let url = address::examine(visit)?;
    let addresses = name::look_up(visit, &url).await?;
    let address = name::connect(visit, &url, &addresses).await?;
    certificate::examine(visit, &url, address).await?;
    let found = http::examine(visit, &url).await?;
    method::examine(visit, &found).await;
    let is_public = addresses.iter().copied().all(bridgehead_outbound::is_public);
    browser::examine(visit, &found, is_public).await;
    Some(Reached { endpoint: found.endpoint })
}

/// Looks at what only somebody with a credential can see, once one was given by a sign-in.
pub async fn examine_signed_in(visit: &mut Visit<'_>, reached: &Reached, credential: &[(HeaderName, Secret)]) {
    method::examine_signed_in(visit, &reached.endpoint, credential).await;
}
