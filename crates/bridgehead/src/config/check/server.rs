//! `[server]`.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use http::uri::Authority;
use ipnet::IpNet;
use url::{Host, Url};

use super::{Check, tls::AroundTls};
use crate::config::{
    fault::KeyPath,
    raw::{RawForwarded, RawServer},
    settings::{AuthSettings, ForwardingHeader, ModeSettings, PublicUrl, ServerSettings, parse_duration},
};

const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
const DEFAULT_PATH: &str = "/mcp";
const DEFAULT_DRAIN: Duration = Duration::from_secs(25);

/// What the server answers itself, whatever the endpoint's path.
const OWN_PATHS: [&str; 9] =
    ["/healthz", "/readyz", "/login", "/account", "/oauth", "/.well-known", "/metrics", "/admin", "/copy.js"];

impl Check<'_> {
    pub(super) fn server(&mut self, raw: RawServer) -> Option<ServerSettings> {
        let server = KeyPath::of(["server"]);
        let listen =
            self.address(&server.key("listen"), raw.listen.as_deref().unwrap_or(DEFAULT_LISTEN), DEFAULT_LISTEN);
        let admin_path = server.key("admin_listen");
        let admin_listen = raw.admin_listen.as_deref().map(|text| self.address(&admin_path, text, "127.0.0.1:9090"));
        if let (Some(listen), Some(Some(admin))) = (listen, admin_listen)
            && overlap(listen, admin)
        {
            self.findings.fault(
                &admin_path,
                format!("is the address that `server.listen` takes ({listen})"),
                "give it a port of its own, for example \"127.0.0.1:9090\"",
            );
        }
        let path = raw.path.as_deref().unwrap_or(DEFAULT_PATH);
        self.path(&server.key("path"), path);
        let tls = raw.tls.is_some();
        let public_url = self.public_url(&server.key("public_url"), raw.public_url.as_deref(), listen, path, tls);
        let allowed_hosts = self.each(&server.key("allowed_hosts"), raw.allowed_hosts, host);
        let allowed_origins = self.each(&server.key("allowed_origins"), raw.allowed_origins, origin);
        let forwarding = self.forwarding(raw.trusted_proxies, raw.forwarded, raw.proxy_protocol);
        let drain_path = server.key("drain_timeout");
        let drain_timeout = match raw.drain_timeout {
            Some(text) => self.unit(&drain_path, &text, parse_duration(&text)),
            None => Some(DEFAULT_DRAIN),
        };
        let around = AroundTls { listen, public_url: public_url.as_ref() };
        let tls = raw.tls.map(|tls| self.tls(tls, &around));
        let (trusted_proxies, forwarded, proxy_protocol) = forwarding;
        Some(ServerSettings {
            listen: listen?,
            public_url: public_url?,
            path: path.to_owned(),
            allowed_hosts,
            allowed_origins,
            trusted_proxies,
            forwarded,
            proxy_protocol,
            drain_timeout: drain_timeout?,
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
            admin_listen: match admin_listen {
                Some(address) => Some(address?),
                None => None,
            },
        })
    }

    /// RFC 6749 §3.1: where people type passwords and tokens travel, everything is TLS. On loopback
    /// nothing travels.
    pub(super) fn sign_in_is_private(&mut self, auth: &AuthSettings, server: &ServerSettings) {
        let oauth = auth.modes().iter().any(ModeSettings::is_oauth);
        if let PublicUrl::Given(url) = &server.public_url
            && oauth
            && url.scheme() == "http"
            && !is_loopback(url)
        {
            self.findings.fault(
                &KeyPath::of(["server", "public_url"]),
                "is not HTTPS, and with the mode `oauth` passwords and tokens would cross the network in the clear",
                "end TLS in front, or here with [server.tls], and write `https://` here",
            );
        }
    }

    /// Whom to believe about where a request comes from. A header is read only where a proxy is
    /// named; without one, the default header would be anybody's to write.
    fn forwarding(
        &mut self,
        proxies: Option<Vec<String>>,
        forwarded: Option<RawForwarded>,
        proxy_protocol: Option<bool>,
    ) -> (Vec<IpNet>, ForwardingHeader, bool) {
        let path = KeyPath::of(["server", "trusted_proxies"]);
        let proxies = self.each(&path, proxies, network);
        let proxies: Vec<IpNet> = proxies.iter().filter_map(|text| text.parse().ok()).collect();
        for (index, proxy) in proxies.iter().enumerate().filter(|(_, proxy)| proxy.prefix_len() == 0) {
            self.findings.warn(
                &path.index(index),
                format!("{proxy} is everybody: any client may then say where it comes from"),
                "name the addresses of the load balancer alone, for example \"10.0.0.0/8\"",
            );
        }
        let proxy_protocol = proxy_protocol.unwrap_or(false);
        let header = match forwarded {
            Some(RawForwarded::XForwarded) => ForwardingHeader::XForwarded,
            Some(RawForwarded::Rfc7239) => ForwardingHeader::Rfc7239,
            Some(RawForwarded::None) => ForwardingHeader::None,
            // The address in front of the connection is the client's already.
            None if proxies.is_empty() || proxy_protocol => ForwardingHeader::None,
            None => ForwardingHeader::XForwarded,
        };
        if proxies.is_empty() {
            if header != ForwardingHeader::None {
                self.findings.warn(
                    &KeyPath::of(["server", "forwarded"]),
                    "names a header, and `trusted_proxies` nobody whose header is believed",
                    "name the load balancer's addresses in `trusted_proxies`, or leave `forwarded` out",
                );
            }
            if proxy_protocol {
                self.findings.fault(
                    &KeyPath::of(["server", "proxy_protocol"]),
                    "is on, and `trusted_proxies` names nobody who begins a connection with that header",
                    "add `trusted_proxies = [\"10.0.0.0/8\"]` with the load balancer's addresses",
                );
            }
        }
        (proxies, header, proxy_protocol)
    }

    pub(super) fn address(&mut self, path: &KeyPath, text: &str, example: &str) -> Option<SocketAddr> {
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok());
        let mend = match (text.rsplit_once(':'), port) {
            _ if self.findings.places.is_private(path) => format!("set an IP address and a port, as in \"{example}\""),
            (Some(("localhost", _)), Some(port)) => format!("write \"127.0.0.1:{port}\""),
            (Some(("" | "*", _)), Some(port)) => format!("write \"0.0.0.0:{port}\" for all interfaces"),
            (None, Some(port)) => format!("write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for all interfaces"),
            _ if text.parse::<IpAddr>().is_ok() => format!("add the port, as in \"{example}\""),
            _ => format!("write an IP address and a port of at most 65535, as in \"{example}\""),
        };
        let shown = self.findings.places.quote(path, text);
        self.findings.fault(path, format!("{shown} is not an IP address with a port"), mend);
        None
    }

    fn path(&mut self, path: &KeyPath, text: &str) {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~');
        let own =
            OWN_PATHS.iter().find(|own| text == **own || text.strip_prefix(**own).is_some_and(|r| r.starts_with('/')));
        let shown = self.findings.places.quote(path, text);
        let example = |better: String| match self.findings.places.is_private(path) {
            true => "set a path such as \"/mcp\"".to_owned(),
            false => format!("write \"{better}\""),
        };
        let (message, mend) = if !text.starts_with('/') {
            (format!("{shown} does not start with `/`"), example(format!("/{text}")))
        } else if text == "/" {
            ("`/` is where the connect page is".to_owned(), "write \"/mcp\"".to_owned())
        } else if let Some(own) = own {
            (format!("{own} is a path of the server itself"), "write another one, for example \"/mcp\"".to_owned())
        } else if text.ends_with('/') {
            (
                format!("{shown} ends with `/`; it is answered with and without"),
                example(text.trim_end_matches('/').to_owned()),
            )
        } else if !text.bytes().all(legal) || text.contains("//") || text.split('/').any(|s| s == "." || s == "..") {
            (format!("{shown} is not a plain path"), "use only A-Z a-z 0-9 - _ . ~ between single `/`".to_owned())
        } else {
            return;
        };
        self.findings.fault(path, message, mend);
    }

    fn public_url(
        &mut self,
        path: &KeyPath,
        text: Option<&str>,
        listen: Option<SocketAddr>,
        endpoint: &str,
        tls: bool,
    ) -> Option<PublicUrl> {
        let Some(text) = text else { return self.url_of_listen(path, listen?, tls) };
        let shown = self.findings.places.quote(path, text);
        let private = self.findings.places.is_private(path);
        let example = |host: &str| match private {
            true => "set scheme, host and port, as in \"https://mcp.example.com\"".to_owned(),
            false => format!("write \"{host}\""),
        };
        let mut fault = |message: String, mend: String| {
            self.findings.fault(path, message, mend);
            None
        };
        let url = match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => url,
            Ok(url) if url.has_host() => {
                return fault("has another scheme than http and https".into(), "write `https://…`".into());
            }
            _ => {
                let host =
                    text.split('/').find(|part| !part.is_empty() && !part.ends_with(':')).unwrap_or("mcp.example.com");
                return fault(format!("{shown} is not a URL with its scheme"), example(&format!("https://{host}")));
            }
        };
        let bare = url.origin().ascii_serialization();
        if !url.username().is_empty() || url.password().is_some() {
            return fault("has a user name in it".into(), example(&bare));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            let reason = if url.path().trim_end_matches('/') == endpoint {
                "has the endpoint's path, which stands in `server.path`"
            } else {
                "has more than scheme, host and port"
            };
            return fault(reason.into(), example(&bare));
        }
        if url.scheme() == "http" && !is_loopback(&url) && !tls {
            self.findings.warn(
                path,
                "is not HTTPS: keys would cross the network in the clear, and agent platforms refuse it",
                "end TLS in a load balancer or proxy in front, and write `https://` here",
            );
        }
        Some(PublicUrl::Given(url))
    }

    fn url_of_listen(&mut self, path: &KeyPath, listen: SocketAddr, tls: bool) -> Option<PublicUrl> {
        if listen.ip().is_loopback() {
            let scheme = if tls { "https" } else { "http" };
            return Url::parse(&format!("{scheme}://{listen}")).ok().map(PublicUrl::SameAsListen);
        }
        self.findings.missing(
            path,
            format!("must be given, as the server listens on {listen}, which is not what teammates type"),
            "write what they type, less the path: public_url = \"https://mcp.example.com\" (or set BRIDGEHEAD_PUBLIC_URL)",
        );
        None
    }

    pub(super) fn each<F, M>(&mut self, path: &KeyPath, texts: Option<Vec<String>>, parse: F) -> Vec<String>
    where
        F: Fn(&str) -> Result<String, M>,
        M: Display,
    {
        let mut values = Vec::new();
        for (index, text) in texts.unwrap_or_default().iter().enumerate() {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(mend) => {
                    let path = path.index(index);
                    let shown = self.findings.places.quote(&path, text);
                    self.findings.fault(&path, format!("{shown} is not understood"), mend.to_string());
                }
            }
        }
        values
    }
}

/// A host with or without a port, in lower case; else how to mend it.
fn host(text: &str) -> Result<String, &'static str> {
    const MEND: &str = "write one host name, with a port if it is not the usual one: \"mcp.example.com\"";
    if text.contains(['/', '*', '@']) {
        return Err(MEND);
    }
    let authority: Authority = text.parse().map_err(|_| MEND)?;
    Host::parse(authority.host()).map_err(|_| MEND)?;
    Ok(authority.as_str().to_ascii_lowercase())
}

/// A network, or one address as a network of its own; else how to mend it.
fn network(text: &str) -> Result<String, &'static str> {
    const MEND: &str = "write an address or a network in CIDR form: \"10.0.0.7\", \"10.0.0.0/8\", \"fd00::/8\"";
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().map_err(|_| MEND)?,
    };
    Ok(network.trunc().to_string())
}

/// An origin as browsers send it (RFC 6454 §6.2); else how to mend it.
fn origin(text: &str) -> Result<String, &'static str> {
    const MEND: &str = "write scheme, host and, if it is not the usual one, port: \"https://app.example.com\"";
    let url = Url::parse(text).map_err(|_| MEND)?;
    let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !plain || !url.has_host() || !url.username().is_empty() || text.contains('*') {
        return Err(MEND);
    }
    Ok(match url.origin() {
        origin if origin.is_tuple() => origin.ascii_serialization(),
        // Such as `vscode-webview://…`: sent as it is.
        _ => text.trim_end_matches('/').to_owned(),
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

pub(super) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same
}
