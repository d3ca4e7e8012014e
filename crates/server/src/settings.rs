//! What the server has to know of the configuration, checked.

use std::{net::SocketAddr, time::Duration};

use url::Url;

/// Where the server listens and what it is called from outside.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What teammates type, less the path: scheme, host and port. `None` only on loopback, where
    /// it is `http://<address listened on>`.
    pub public_url: Option<Url>,
    /// The endpoint's path, for example `/mcp`.
    pub path: String,
    /// Hosts that are accepted beside the public URL's, as `HOST` or `HOST:PORT`.
    pub allowed_hosts: Vec<String>,
    /// Origins of browser clients that are accepted beside the own one.
    pub allowed_origins: Vec<String>,
    /// Where `/metrics` is served; nowhere if `None`.
    pub admin_listen: Option<SocketAddr>,
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
    /// Settings for `listen`, with the path `/mcp` and the built-in limits.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            public_url: None,
            path: "/mcp".to_owned(),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            admin_listen: None,
            max_body_bytes: 4 * 1024 * 1024,
            receive_timeout: Duration::from_secs(30),
            stream_after: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(25),
        }
    }
}
