//! What the server has to know of the configuration, checked.

use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::http::ForwardingHeader;

/// What the server is called from outside, whom it believes, and its limits.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// What teammates type, less the path: scheme, host and port.
    pub public_url: Url,
    /// The endpoint's path, for example `/mcp`.
    pub path: String,
    /// Hosts that are accepted beside the public URL's, as `HOST` or `HOST:PORT`.
    pub allowed_hosts: Vec<String>,
    /// Origins of browser clients that are accepted beside the own one.
    pub allowed_origins: Vec<String>,
    /// Proxies whose word counts about where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they say so.
    pub forwarded: ForwardingHeader,
    /// Whether their connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// How large a request body may be, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may take to send its headers, and then its body.
    pub receive_timeout: Duration,
    /// How long a call may run before its answer becomes an event stream.
    pub stream_after: Duration,
    /// How long running calls are waited for at shutdown.
    pub drain_timeout: Duration,
}

impl ServerSettings {
    /// Settings for `public_url`, with the path `/mcp`, the built-in limits, and nobody believed.
    #[must_use]
    pub fn new(public_url: Url) -> Self {
        Self {
            public_url,
            path: "/mcp".to_owned(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            forwarded: ForwardingHeader::None,
            proxy_protocol: false,
            max_body_bytes: 4 * 1024 * 1024,
            receive_timeout: Duration::from_secs(30),
            stream_after: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(25),
        }
    }
}
