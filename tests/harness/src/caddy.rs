//! A real Caddy in front of a server under test: it ends TLS with a certificate authority of its own
//! and hands requests on, as its documentation's first example does.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::https::{Connection, Speak};

/// A running Caddy; gone when dropped.
pub struct Caddy {
    /// Where it speaks HTTPS.
    pub address: SocketAddr,
    /// The root of its own authority.
    pub root: CertificateDer<'static>,
    _child: Child,
    _directory: TempDir,
}

impl Caddy {
    /// Starts it for `name`; `site` is what stands in the braces of its Caddyfile, beside TLS.
    pub async fn start(name: &str, site: &str) -> Self {
        for _ in 0..5 {
            if let Some(caddy) = Self::on_a_free_port(name, site).await {
                return caddy;
            }
        }
        panic!("Caddy starts on none of five free ports");
    }

    /// `None` where another program took the port meanwhile.
    async fn on_a_free_port(name: &str, site: &str) -> Option<Self> {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let directory = TempDir::with_prefix("bridgehead-caddy-").expect("a directory for Caddy");
        let place = directory.path().display();
        let port = address.port();
        let caddyfile = format!(
            "{{\n  debug\n  admin off\n  skip_install_trust\n  auto_https disable_redirects\n  storage file_system {place}/data\n}}\n\
             https://{name}:{port} {{\n  bind 127.0.0.1\n  tls internal\n{site}\n}}\n"
        );
        std::fs::write(directory.path().join("Caddyfile"), caddyfile).expect("a file for Caddy");
        let mut child = Command::new("caddy")
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(directory.path().join("Caddyfile"))
            .env("HOME", directory.path())
            .env("XDG_CONFIG_HOME", directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Caddy is installed: run `cargo xtask test`, or on Debian `apt-get install caddy`");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut said = String::new();
        let mut ready = (false, false);
        while ready != (true, true) {
            let Some(line) = log.next_line().await.expect("text") else {
                if said.contains("address already in use") {
                    return None;
                }
                panic!("Caddy does not start: {said}");
            };
            ready.0 |= line.contains("serving initial configuration");
            // Said at the level of `debug` alone. That it was obtained is said before it can be shown.
            ready.1 |= line.contains("added certificate to cache");
            said.push_str(&line);
            said.push('\n');
        }
        // What it logs must not fill the pipe and stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        let caddy = Self { address, root: root(directory.path()), _child: child, _directory: directory };
        caddy.shows_its_certificate(name).await;
        Some(caddy)
    }

    /// It logs that it has its certificate a moment before it shows it. Each look is a handshake of its own.
    async fn shows_its_certificate(&self, name: &str) {
        for _ in 0..1_000 {
            if Connection::open(self.address, name, self.root.clone(), Speak::Http1).await.is_ok() {
                return;
            }
        }
        panic!("Caddy does not show its certificate");
    }
}

fn root(directory: &Path) -> CertificateDer<'static> {
    let file = directory.join("data/pki/authorities/local/root.crt");
    CertificateDer::from_pem_file(file).expect("Caddy made its authority before its first certificate")
}
