//! URLs that a server gives away: whether whoever reads them can use them. Behind a proxy many a server names
//! the address that it has inside.

use std::net::IpAddr;

use bridgehead_outbound::is_public;
use url::{Host, Url};

use crate::{Area, Check, visit::Visit};

/// Nothing of the inside in what clients read.
pub(super) const METADATA_PUBLIC_URLS: Check = Check {
    id: "metadata-public-urls",
    area: Area::Access,
    title: "What the server says of itself has its public address",
    why: "A client goes where the metadata sends it. An address that only the server's own network knows, or plain \
          http, is a time-out or a refusal there.",
    standard: "RFC 9728 §2, RFC 8414 §2 (https)",
    mend: "Configure the public URL of the server instead of letting it guess, or let the proxy hand on \
           X-Forwarded-Host and X-Forwarded-Proto and the server believe them.",
};

/// Names that no public resolver knows.
const INSIDE: [&str; 8] =
    [".localhost", ".local", ".internal", ".lan", ".intranet", ".home.arpa", ".svc", ".localdomain"];

/// What was found of the inside, until all of it is told at once.
#[derive(Debug)]
pub(super) struct Addresses {
    endpoint: Url,
    found: Vec<(String, usize)>,
}

impl Addresses {
    pub(super) fn seen_from(endpoint: &Url) -> Self {
        Self { endpoint: endpoint.clone(), found: Vec::new() }
    }

    /// Whether this URL is one of the inside; it is remembered then, as the value of `of`.
    pub(super) fn is_inside(&mut self, of: &str, url: &str, exchange: usize) -> bool {
        let Some(why) = Url::parse(url).ok().and_then(|url| inside(&self.endpoint, &url)) else { return false };
        self.found.push((format!("{of} is {url}, {why}"), exchange));
        true
    }

    pub(super) fn judge(&self, visit: &mut Visit<'_>) {
        if self.found.is_empty() {
            visit.passed(&METADATA_PUBLIC_URLS, None);
            return;
        }
        let seen: Vec<_> = self.found.iter().map(|(seen, _)| seen.as_str()).collect();
        let mut exchanges: Vec<_> = self.found.iter().map(|(_, exchange)| *exchange).collect();
        exchanges.dedup();
        visit.failed(&METADATA_PUBLIC_URLS, format!("{}.", seen.join("; ")), exchanges);
    }
}

/// Why a URL is no use to whoever came by way of `endpoint`. On one's own machine everything is of use.
pub(super) fn inside(endpoint: &Url, url: &Url) -> Option<&'static str> {
    if is_local(endpoint) {
        return None;
    }
    if is_local(url) {
        return Some("which only the server's own network knows");
    }
    (endpoint.scheme() == "https" && url.scheme() == "http").then_some("and that is plain http")
}

/// Whether only machines nearby can mean anything by this host.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => !is_public(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => !is_public(IpAddr::V6(address)),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            !name.contains('.') || INSIDE.iter().any(|end| name.ends_with(end))
        }
        None => false,
    }
}

/// Whether it is this machine itself.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_inside() {
        let rows = [
            ("https://mcp.example.com/mcp", "https://mcp.example.com/oauth", false),
            ("https://mcp.example.com/mcp", "https://login.example.net:8443/x", false),
            ("https://mcp.example.com/mcp", "http://mcp.example.com/oauth", true),
            ("https://mcp.example.com/mcp", "https://10.0.0.7/oauth", true),
            ("https://mcp.example.com/mcp", "http://bridgehead:8080/", true),
            ("https://mcp.example.com/mcp", "https://mcp.prod.svc.cluster.local/", true),
            ("https://mcp.example.com/mcp", "https://localhost:3000/", true),
            ("https://mcp.example.com/mcp", "https://[::1]/", true),
            ("http://mcp.example.com/mcp", "http://mcp.example.com/oauth", false),
            ("http://localhost:3000/mcp", "http://localhost:3001/", false),
            ("http://127.0.0.1:3000/mcp", "http://localhost:3001/", false),
        ];
        for (endpoint, url, expected) in rows {
            let (endpoint, url) = (Url::parse(endpoint).unwrap(), Url::parse(url).unwrap());
            assert_eq!(inside(&endpoint, &url).is_some(), expected, "{endpoint} {url}");
        }
    }
}
