//! Whether the `Origin` of a browser is ours or one that the configuration names. A request
//! without one does not come from a page and passes.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, header};
use url::{Origin, Url};

use super::{RequestRefusal, refuse};

/// The origins we answer to (RFC 6454 §4: scheme, host, port).
#[derive(Debug, Clone)]
pub struct AllowedOrigins(Arc<Vec<Origin>>);

impl AllowedOrigins {
    /// The public URL's origin, those the configuration adds, and the loopback ones when
    /// listening on loopback.
    #[must_use]
    pub fn new(public_url: &Url, address: SocketAddr, added: &[String]) -> Self {
        let mut origins = vec![public_url.origin()];
        origins.extend(added.iter().filter_map(|origin| Url::parse(origin).ok()).map(|url| url.origin()));
        if address.ip().is_loopback() {
            let loopback = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{}", address.port()));
            origins.extend(loopback.iter().filter_map(|origin| Url::parse(origin).ok()).map(|url| url.origin()));
        }
        Self(Arc::new(origins))
    }

    /// Whether a page of this origin may call.
    #[must_use]
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        let Some(url) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else { return false };
        let origin = url.origin();
        origin.is_tuple() && self.0.contains(&origin)
    }
}

pub(crate) async fn check(State(allowed): State<AllowedOrigins>, request: Request, next: Next) -> Response {
    let refused = request.headers().get_all(header::ORIGIN).iter().find(|origin| !allowed.allows(origin));
    let Some(origin) = refused else { return next.run(request).await };
    tracing::warn!(?origin, "refused: the Origin is not allowed. If it should be, add it to server.allowed_origins");
    refuse(
        RequestRefusal::OriginNotAllowed,
        "Pages of this Origin may not call this server. Its operator can add the origin to server.allowed_origins.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_and_port_must_all_fit() {
        let added = vec!["https://app.example.com".to_owned()];
        let origins = AllowedOrigins::new(
            &Url::parse("http://127.0.0.1:8080").unwrap(),
            "127.0.0.1:8080".parse().unwrap(),
            &added,
        );
        for (origin, yes) in [
            ("http://127.0.0.1:8080", true),
            ("http://localhost:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:9090", false),
            ("https://localhost:8080", false),
            ("https://app.example.com", true),
            ("https://app.example.com:443", true),
            ("https://app.example.com:444", false),
            ("https://app.example.com.evil.example", false),
            ("null", false),
            ("file://", false),
        ] {
            assert_eq!(origins.allows(&HeaderValue::from_static(origin)), yes, "{origin}");
        }
    }
}
