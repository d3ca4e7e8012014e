//! The URL, the name, its addresses, the connection, TLS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use crate::{Course, Fault, Handshake, NAME, SignedBy, Tampering};

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "url-fragment",
        wrong: "The URL was copied with a fragment",
        found_by: "url-form",
        commit: || Tampering::none().typed(|url| url.set_fragment(Some("tools"))),
        ..Fault::NONE
    },
    Fault {
        name: "url-password",
        wrong: "The URL has a user name and a password",
        found_by: "url-form",
        commit: || {
            Tampering::none().typed(|url| {
                url.set_username("doctor").expect("a host");
                url.set_password(Some("hunter2-hunter2")).expect("a host");
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "url-http",
        wrong: "The URL was typed without the s of https, and is answered",
        found_by: "url-https",
        commit: || {
            let tampering = Tampering::none().typed(|url| url.set_scheme("http").expect("http"));
            tampering.arriving(|_| Course::Forward)
        },
        ..Fault::NONE
    },
    Fault {
        name: "url-origin-alone",
        wrong: "The URL was typed without its path",
        found_by: "url-path",
        commit: || Tampering::none().typed(|url| url.set_path("/")),
        ..Fault::NONE
    },
    Fault {
        name: "url-sse",
        wrong: "The URL is that of the older transport",
        found_by: "url-path",
        commit: || Tampering::none().typed(|url| url.set_path("/sse")),
        ..Fault::NONE
    },
    Fault {
        name: "path-taken-away",
        wrong: "A proxy takes the path away that the server answers at",
        found_by: "url-path",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.path.ends_with("/mcp") {
                    asked.path = "/api".to_owned();
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "dns-unknown",
        wrong: "The name is not known",
        found_by: "dns-found",
        commit: || Tampering::none().network(|network| network.names.clear()),
        ..Fault::NONE
    },
    Fault {
        name: "dns-empty",
        wrong: "The name has no address",
        found_by: "dns-found",
        commit: || Tampering::none().network(|network| network.addresses([])),
        ..Fault::NONE
    },
    Fault { name: "dns-private", wrong: "The name leads to a private address", ..at(|| v4(10, 0, 3, 7)) },
    Fault {
        name: "dns-loopback",
        wrong: "The name leads to the own machine of whoever asks",
        ..at(|| v4(127, 0, 0, 1))
    },
    Fault { name: "dns-link-local", wrong: "The name leads to a link-local address", ..at(|| v4(169, 254, 3, 7)) },
    Fault {
        name: "dns-carrier",
        wrong: "The name leads to an address behind a carrier's NAT",
        ..at(|| v4(100, 64, 3, 7))
    },
    Fault {
        name: "dns-mixed",
        wrong: "One of the name's two addresses is private",
        ..at(|| Tampering::none().network(|network| network.addresses([PUBLIC, Ipv4Addr::new(192, 168, 0, 7).into()])))
    },
    Fault {
        name: "dns-ipv6-alone",
        wrong: "The name has an IPv6 address alone",
        found_by: "dns-ipv4",
        commit: || {
            let address = Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 7);
            Tampering::none().network(|network| network.addresses([address.into()]))
        },
        ..Fault::NONE
    },
    Fault {
        name: "connection-refused",
        wrong: "Nothing listens at the port",
        found_by: "connect",
        commit: || Tampering::none().network(|network| network.refused.push(PUBLIC)),
        ..Fault::NONE
    },
    Fault {
        name: "connection-refused-sometimes",
        wrong: "One of the name's two addresses is that of a machine long gone",
        found_by: "connect",
        commit: || {
            Tampering::none().network(|network| {
                let gone = Ipv4Addr::new(93, 184, 215, 15).into();
                network.addresses([PUBLIC, gone]);
                network.refused.push(gone);
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tls-closes",
        wrong: "The connection is closed during the handshake",
        found_by: "tls-handshake",
        commit: || shaking(Handshake::Closes),
        ..Fault::NONE
    },
    Fault {
        name: "tls-hangs",
        wrong: "The handshake is never answered",
        found_by: "tls-handshake",
        commit: || shaking(Handshake::Hangs),
        ..Fault::NONE
    },
    Fault {
        name: "tls-is-http",
        wrong: "Plain HTTP is spoken at the port of https",
        found_by: "tls-handshake",
        commit: || shaking(Handshake::Says(Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n\r\n"))),
        ..Fault::NONE
    },
    Fault {
        name: "tls-too-old",
        wrong: "Nothing newer than TLS 1.1 is spoken",
        found_by: "tls-version",
        // A fatal alert, protocol_version (RFC 5246 §7.2).
        commit: || shaking(Handshake::Says(Bytes::from_static(&[21, 3, 1, 0, 2, 2, 70]))),
        ..Fault::NONE
    },
    Fault {
        name: "tls-other-name",
        wrong: "The certificate is for another name",
        found_by: "tls-name",
        commit: || Tampering::none().network(|network| network.certificate.names = vec!["www.example.com".to_owned()]),
        ..Fault::NONE
    },
    Fault {
        name: "tls-wildcard-too-high",
        wrong: "The certificate's wildcard is a label too high",
        found_by: "tls-name",
        commit: || Tampering::none().network(|network| network.certificate.names = vec![format!("*.{NAME}")]),
        ..Fault::NONE
    },
    Fault {
        name: "tls-over",
        wrong: "The certificate has expired",
        found_by: "tls-validity",
        commit: || Tampering::none().network(|network| network.certificate.not_after = (2025, 12, 30)),
        ..Fault::NONE
    },
    Fault {
        name: "tls-not-begun",
        wrong: "The certificate is not valid yet",
        found_by: "tls-validity",
        commit: || Tampering::none().network(|network| network.certificate.not_before = (2026, 1, 3)),
        ..Fault::NONE
    },
    Fault {
        name: "tls-ends-soon",
        wrong: "The certificate ends in nine days",
        found_by: "tls-expires-soon",
        commit: || Tampering::none().network(|network| network.certificate.not_after = (2026, 1, 10)),
        ..Fault::NONE
    },
    Fault {
        name: "tls-alone",
        wrong: "The certificate is sent without the intermediate one",
        found_by: "tls-chain",
        commit: || Tampering::none().network(|network| network.certificate.with_intermediate = false),
        ..Fault::NONE
    },
    Fault {
        name: "tls-own-authority",
        wrong: "The certificate is signed by a company's own authority",
        found_by: "tls-trust",
        commit: || Tampering::none().network(|network| network.certificate.signed_by = SignedBy::Strangers),
        ..Fault::NONE
    },
    Fault {
        name: "tls-signed-itself",
        wrong: "The certificate is signed by itself",
        found_by: "tls-trust",
        commit: || Tampering::none().network(|network| network.certificate.signed_by = SignedBy::Itself),
        ..Fault::NONE
    },
];

/// A name with an address that is not public.
const fn at(commit: fn() -> Tampering) -> Fault {
    Fault { found_by: "dns-public", commit, ..Fault::NONE }
}

fn v4(a: u8, b: u8, c: u8, d: u8) -> Tampering {
    Tampering::none().network(|network| network.addresses([Ipv4Addr::new(a, b, c, d).into()]))
}

fn shaking(handshake: Handshake) -> Tampering {
    Tampering::none().network(|network| network.handshake = handshake)
}
