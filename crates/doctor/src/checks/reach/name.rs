//! The name, its addresses, and a connection to each of them.

use std::net::IpAddr;

use bridgehead_outbound::{
    is_public,
    look::{self, Unreachable},
};
use url::Url;

use super::PATIENCE;
use crate::{Area, Check, visit::Visit};

/// How many addresses are connected to: more than any name needs.
const TRIED: usize = 8;

/// The name is known.
pub(super) const DNS_FOUND: Check = Check {
    id: "dns-found",
    area: Area::Reach,
    title: "The name has an address",
    why: "Without an address nobody can connect. A name that only the company's own name servers know does not exist \
          for a platform.",
    standard: "RFC 1034 §3.6",
    mend: "Create an A record (or CNAME) for the name in the public zone, wait until it has spread, and look for a \
           typing error.",
};

/// From everywhere.
pub(super) const DNS_PUBLIC: Check = Check {
    id: "dns-public",
    area: Area::Reach,
    title: "Every address of the name is public",
    why: "A platform calls from the internet. Private and local addresses lead nowhere from there, and platforms \
          refuse them to protect their own network, mostly also where only one of several is private.",
    standard: "RFC 6890, RFC 1918",
    mend: "Give the server a public address, or put a public proxy or tunnel in front of it, and let the public zone \
           name that alone.",
};

/// Not IPv6 alone.
pub(super) const DNS_IPV4: Check = Check {
    id: "dns-ipv4",
    area: Area::Reach,
    title: "The name has an IPv4 address",
    why: "Many clouds call out by IPv4 alone. To them a server with nothing but IPv6 does not exist.",
    standard: "none: what clouds call out by",
    mend: "Add an A record: of the host, or of a proxy in front that takes IPv4.",
};

/// Somebody listens.
pub(super) const CONNECT: Check = Check {
    id: "connect",
    area: Area::Reach,
    title: "Every address takes connections",
    why: "Which address a client takes is left to chance: each one that does not answer is a call that fails, or waits \
          for many seconds.",
    standard: "RFC 9293 §3.5, RFC 8305 §5",
    mend: "Refused: nothing listens at this port; start the server, or look at which address it binds (0.0.0.0, not \
           127.0.0.1). Nothing comes back: open the port in firewall and security group. Remove stale records.",
};

/// The addresses of the host.
pub(super) async fn look_up(visit: &mut Visit<'_>, url: &Url) -> Option<Vec<IpAddr>> {
    let host = url.host_str().unwrap_or_default();
    let mut addresses = match look::addresses(&visit.surroundings().net, url).await {
        Ok(addresses) => addresses,
        Err(error) => {
            visit.failed(&DNS_FOUND, format!("The name {host} is not found ({error})."), []);
            return None;
        }
    };
    addresses.sort_unstable();
    addresses.dedup();
    if addresses.is_empty() {
        visit.failed(&DNS_FOUND, format!("The name {host} exists, and has no address."), []);
        return None;
    }
    visit.passed(&DNS_FOUND, listed(&addresses));
    examine_addresses(visit, &addresses);
    Some(addresses)
}

fn examine_addresses(visit: &mut Visit<'_>, addresses: &[IpAddr]) {
    let hidden: Vec<_> = addresses.iter().filter(|address| !is_public(**address)).collect();
    let said = hidden.iter().map(|address| format!("{address} is {}", kind(**address))).collect::<Vec<_>>().join(", ");
    if hidden.is_empty() {
        visit.passed(&DNS_PUBLIC, None);
    } else if visit.target().profile.from_the_internet() {
        let others = if hidden.len() < addresses.len() { ", beside public ones" } else { "" };
        visit.failed(&DNS_PUBLIC, format!("{said}{others}."), []);
    } else {
        visit.passed(&DNS_PUBLIC, format!("{said}: out of reach for platforms"));
    }
    if addresses.iter().any(IpAddr::is_ipv4) {
        visit.passed(&DNS_IPV4, None);
    } else {
        visit.warning(&DNS_IPV4, format!("There is nothing but IPv6: {}.", listed(addresses)), []);
    }
}

/// The network that an address which is not public belongs to.
fn kind(address: IpAddr) -> &'static str {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() => "this machine itself (loopback)",
        IpAddr::V4(v4) if v4.is_private() => "private",
        IpAddr::V4(v4) if v4.is_link_local() => "link-local",
        IpAddr::V4(v4) if matches!(v4.octets(), [100, 64..=127, ..]) => "shared behind a carrier's NAT",
        IpAddr::V6(v6) if v6.is_loopback() => "this machine itself (loopback)",
        IpAddr::V6(v6) if v6.is_unique_local() => "private (unique local)",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "link-local",
        _ => "not for the public internet",
    }
}

/// An address that takes connections.
pub(super) async fn connect(visit: &mut Visit<'_>, url: &Url, addresses: &[IpAddr]) -> Option<IpAddr> {
    let net = visit.surroundings().net.clone();
    let tried = addresses.get(..TRIED).unwrap_or(addresses);
    let knocking = tried.iter().map(|address| look::connection(&net, url, *address, PATIENCE));
    let answers: Vec<Result<(), Unreachable>> = futures_util::future::join_all(knocking).await;
    let port = url.port_or_known_default().unwrap_or_default();
    let mut open = None;
    let (mut closed, mut no_route) = (Vec::new(), Vec::new());
    for (address, answer) in tried.iter().zip(answers) {
        match answer {
            Ok(()) => open = open.or(Some(*address)),
            // Says something of this machine, and nothing of the server, where another address answers.
            Err(Unreachable::NoRoute) => no_route.push(format!("{address}: {}", Unreachable::NoRoute)),
            Err(why) => closed.push(format!("{address}, port {port}: {why}")),
        }
    }
    if open.is_none() {
        closed.append(&mut no_route);
    }
    let closed_ones = closed.join("; ");
    if closed.is_empty() {
        visit.passed(&CONNECT, format!("port {port}"));
    } else if open.is_none() {
        visit.failed(&CONNECT, format!("{closed_ones}."), []);
    } else {
        visit.warning(&CONNECT, format!("{closed_ones}; other addresses of the name take connections."), []);
    }
    open
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_an_address() {
        let rows = [
            ("127.0.0.1", "this machine itself (loopback)"),
            ("::1", "this machine itself (loopback)"),
            ("::ffff:10.1.2.3", "private"),
            ("192.168.1.1", "private"),
            ("169.254.169.254", "link-local"),
            ("fe80::1", "link-local"),
            ("100.64.0.1", "shared behind a carrier's NAT"),
            ("fd00::1", "private (unique local)"),
            ("203.0.113.1", "not for the public internet"),
        ];
        for (address, expected) in rows {
            assert_eq!(kind(address.parse().unwrap()), expected, "{address}");
        }
    }
}
