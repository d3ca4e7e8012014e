//! Whether the `Host` a client asked for is ours. A page that resolves its own name to this
//! machine (DNS rebinding) carries its own name here.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{header, uri::Authority};
use url::Url;

use super::{RequestRefusal, refuse};

/// The hosts we answer to.
#[derive(Debug, Clone)]
pub struct AllowedHosts(Arc<Vec<AllowedHost>>);

#[derive(Debug, PartialEq, Eq)]
struct AllowedHost {
    /// Lower case; an IPv6 address in brackets.
    host: String,
    /// Any port where `None`.
    port: Option<u16>,
}

impl AllowedHosts {
    /// The public URL's host, those the configuration adds, and loopback names when listening on
    /// loopback.
    #[must_use]
    pub fn new(public_url: &Url, address: SocketAddr, added: &[String]) -> Self {
        let mut hosts: Vec<_> = added.iter().filter_map(|host| parse(host)).collect();
        hosts.extend(public_url.host_str().map(|host| AllowedHost { host: host.to_ascii_lowercase(), port: None }));
        if address.ip().is_loopback() {
            hosts.extend(
                ["localhost", "127.0.0.1", "[::1]"].map(|host| AllowedHost { host: host.to_owned(), port: None }),
            );
        }
        Self(Arc::new(hosts))
    }

    fn allows(&self, asked: &str) -> bool {
        let Some(asked) = parse(asked) else { return false };
        self.0
            .iter()
            .any(|allowed| allowed.host == asked.host && (allowed.port.is_none() || allowed.port == asked.port))
    }
}

fn parse(text: &str) -> Option<AllowedHost> {
    let authority = Authority::try_from(text).ok()?;
    if text.contains('@') {
        return None;
    }
    Some(AllowedHost { host: authority.host().to_ascii_lowercase(), port: authority.port_u16() })
}

pub(crate) async fn check(State(allowed): State<AllowedHosts>, request: Request, next: Next) -> Response {
    // HTTP/2 has the host in the request's target (RFC 9113 §8.3.1), HTTP/1.1 in the header.
    let mut named = request.headers().get_all(header::HOST).iter();
    let host = match (named.next(), named.next(), request.uri().authority()) {
        (Some(host), None, _) => host.to_str().ok().map(str::to_owned),
        (None, _, Some(authority)) => Some(authority.to_string()),
        _ => None,
    };
    if host.as_deref().is_some_and(|host| allowed.allows(host)) {
        return next.run(request).await;
    }
    tracing::warn!(host, "refused: the Host is not one of ours. If it should be, add it to server.allowed_hosts");
    refuse(
        RequestRefusal::HostNotAllowed,
        "This server does not answer to that Host. Its operator can set server.public_url or add the host to server.allowed_hosts.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(public: &str, listen: &str, added: &[&str]) -> AllowedHosts {
        let added: Vec<_> = added.iter().map(|host| (*host).to_owned()).collect();
        AllowedHosts::new(&Url::parse(public).unwrap(), listen.parse().unwrap(), &added)
    }

    #[test]
    fn the_public_host_and_the_added_ones_alone() {
        let hosts = allowed("https://mcp.example.com", "0.0.0.0:8080", &["other.example:8443", "plain.example"]);
        for (host, yes) in [
            ("mcp.example.com", true),
            ("MCP.example.com:443", true),
            ("other.example:8443", true),
            ("other.example", false),
            ("plain.example:99", true),
            ("127.0.0.1:8080", false),
            ("localhost", false),
            ("evil.example", false),
            ("user@mcp.example.com", false),
            ("", false),
        ] {
            assert_eq!(hosts.allows(host), yes, "{host}");
        }
    }

    #[test]
    fn loopback_names_only_on_loopback() {
        let hosts = allowed("http://127.0.0.1:8080", "127.0.0.1:8080", &[]);
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "localhost"] {
            assert!(hosts.allows(host), "{host}");
        }
    }
}
