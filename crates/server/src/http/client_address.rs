//! Where a request comes from: the peer of the connection, or, where that is a proxy that the
//! configuration names, whom it says it speaks for. Forwarding headers are taken off the request
//! here, read or not, so that nothing behind believes one by mistake. Scheme and host are never
//! taken from them: what is public stands in the configuration.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{Extensions, HeaderMap, HeaderName, header};
use ipnet::IpNet;
use rfc7239::NodeName;

use crate::listen::Peer;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// What proxies add about where a request came from, beside `Forwarded` (RFC 7239).
const OTHERS: [HeaderName; 5] = [
    X_FORWARDED_FOR,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-real-ip"),
];

/// The one forwarding header that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardingHeader {
    /// None: the peer is the client.
    #[default]
    None,
    /// `X-Forwarded-For`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Rfc7239,
}

/// Who sent a request, as far as it can be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// That of a request; the unspecified address where it did not come over a socket.
    pub(crate) fn of(extensions: &Extensions) -> IpAddr {
        extensions.get::<Self>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.0)
    }
}

/// Whose word counts about where a request comes from.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    trusted: Arc<[IpNet]>,
    header: ForwardingHeader,
}

impl Proxies {
    /// The networks of `trusted` speak for others, in `header`.
    #[must_use]
    pub fn new(trusted: &[IpNet], header: ForwardingHeader) -> Self {
        Self { trusted: trusted.into(), header }
    }

    /// Whether this address is a proxy's.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client: the rightmost address that is no proxy's. What stands left of it anybody may
    /// have written. Where an entry cannot be read, the proxy that wrote it is all that is known.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut named = match self.header {
            ForwardingHeader::None => return client,
            ForwardingHeader::XForwarded => entries(headers, &X_FORWARDED_FOR, x_forwarded_for),
            ForwardingHeader::Rfc7239 => entries(headers, &header::FORWARDED, forwarded),
        };
        while self.trusts(client) {
            let Some(Some(next)) = named.pop() else { break };
            client = next.to_canonical();
        }
        client
    }
}

/// All entries of a header in their order, over all its lines; `None` for one that is no address.
fn entries(headers: &HeaderMap, name: &HeaderName, read: impl Fn(&str) -> Vec<Option<IpAddr>>) -> Vec<Option<IpAddr>> {
    headers.get_all(name).iter().flat_map(|line| line.to_str().map_or_else(|_| vec![None], &read)).collect()
}

fn x_forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|entry| address(entry.trim())).collect()
}

/// RFC 7239 §4: each element may name one node in `for`.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    let node = |element: Result<rfc7239::Forwarded<'_>, _>| match element.ok()?.forwarded_for?.name {
        NodeName::Ip(address) => Some(address),
        _ => None,
    };
    rfc7239::parse(line).map(node).collect()
}

/// An address as proxies write it: alone, in brackets, with a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

pub(crate) async fn find(State(proxies): State<Proxies>, mut request: Request, next: Next) -> Response {
    if let Some(peer) = request.extensions().get::<Peer>().copied() {
        let client = ClientAddress(proxies.client(peer.0.ip(), request.headers()));
        request.extensions_mut().insert(client);
    }
    request.headers_mut().remove(header::FORWARDED);
    for name in OTHERS {
        request.headers_mut().remove(name);
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ForwardingHeader, peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        Proxies::new(&trusted, header).client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_no_proxys() {
        use ForwardingHeader::{None, Rfc7239, XForwarded};
        const X: &str = "x-forwarded-for";
        const F: &str = "forwarded";
        type Row = (ForwardingHeader, &'static str, &'static [(&'static str, &'static str)], &'static str);
        let rows: &[Row] = &[
            (XForwarded, "10.0.0.7", &[(X, "203.0.113.9")], "203.0.113.9"),
            (XForwarded, "::ffff:10.0.0.7", &[(X, "203.0.113.9")], "203.0.113.9"),
            // What a client made up stands left of what the proxy saw.
            (XForwarded, "10.0.0.7", &[(X, "1.1.1.1, 203.0.113.9")], "203.0.113.9"),
            (XForwarded, "10.0.0.7", &[(X, "1.1.1.1"), (X, "203.0.113.9, 10.1.1.1")], "203.0.113.9"),
            (XForwarded, "10.0.0.7", &[(X, "203.0.113.9:4711")], "203.0.113.9"),
            (XForwarded, "fd00::1", &[(X, "[2001:db8::5]:4711")], "2001:db8::5"),
            (XForwarded, "fd00::1", &[(X, "[2001:db8::5]")], "2001:db8::5"),
            // A peer that is no proxy speaks for itself alone.
            (XForwarded, "198.51.100.1", &[(X, "203.0.113.9")], "198.51.100.1"),
            // What cannot be read hides what stands left of it.
            (XForwarded, "10.0.0.7", &[(X, "203.0.113.9, unknown")], "10.0.0.7"),
            (XForwarded, "10.0.0.7", &[(X, "203.0.113.9, ")], "10.0.0.7"),
            (XForwarded, "10.0.0.7", &[], "10.0.0.7"),
            (XForwarded, "10.0.0.7", &[(X, "10.0.0.9")], "10.0.0.9"),
            // One header only; the other is anybody's.
            (XForwarded, "10.0.0.7", &[(F, "for=203.0.113.9")], "10.0.0.7"),
            (Rfc7239, "10.0.0.7", &[(X, "203.0.113.9")], "10.0.0.7"),
            (Rfc7239, "10.0.0.7", &[(F, "for=1.1.1.1, for=203.0.113.9;proto=https;by=10.0.0.7")], "203.0.113.9"),
            (Rfc7239, "10.0.0.7", &[(F, "For=\"[2001:db8::5]:4711\"")], "2001:db8::5"),
            (Rfc7239, "10.0.0.7", &[(F, "for=203.0.113.9, for=unknown")], "10.0.0.7"),
            (Rfc7239, "10.0.0.7", &[(F, "for=203.0.113.9, for=_hidden")], "10.0.0.7"),
            (Rfc7239, "10.0.0.7", &[(F, "for=\"203.0.113.9, for=1.1.1.1")], "1.1.1.1"),
            (None, "10.0.0.7", &[(X, "203.0.113.9"), (F, "for=203.0.113.9")], "10.0.0.7"),
        ];
        for (header, peer, lines, expected) in rows {
            assert_eq!(client(*header, peer, lines), *expected, "{header:?} {peer} {lines:?}");
        }
    }
}
