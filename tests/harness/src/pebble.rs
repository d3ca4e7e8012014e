//! A real ACME authority: Pebble, with the DNS it asks and the doors it knocks at. It rejects
//! every third good nonce or so, as authorities may.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener as StdTcpListener},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command},
    sync::watch,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject};

use crate::https::{Connection, Speak};

/// For how long its certificates are good: 90 days, in seconds.
pub const VALIDITY_SECONDS: i64 = 90 * 24 * 60 * 60;
/// An external account, as Pebble's own example has it.
pub const EXTERNAL_ACCOUNT: (&str, &str) =
    ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");

/// A running Pebble; gone when dropped.
pub struct Pebble {
    /// Its directory's URL.
    pub directory: String,
    /// The certificate of its own HTTPS, in PEM: what `directory_root` names.
    pub https_root: String,
    /// Where it looks for `tls-alpn-01`.
    pub tls_door: Door,
    /// Where it looks for `http-01`.
    pub http_door: Door,
    /// What it asks for addresses.
    pub dns: Dns,
    management: SocketAddr,
    log: watch::Receiver<Vec<String>>,
    _child: Child,
    _directory: TempDir,
}

impl Pebble {
    /// One that takes any account.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// One that wants every account to be bound to [`EXTERNAL_ACCOUNT`].
    pub async fn with_external_accounts() -> Self {
        Self::start_with(true).await
    }

    async fn start_with(external: bool) -> Self {
        for _ in 0..5 {
            if let Some(pebble) = Self::on_free_ports(external).await {
                return pebble;
            }
        }
        panic!("Pebble starts on none of five pairs of free ports");
    }

    /// `None` where another program took a port meanwhile.
    async fn on_free_ports(external: bool) -> Option<Self> {
        let free = || StdTcpListener::bind("127.0.0.1:0").expect("a free port");
        let (acme, management) = (free(), free());
        let addresses = [&acme, &management].map(|listener| listener.local_addr().expect("an address"));
        drop((acme, management));
        let (tls_door, http_door, dns) = (Door::open().await, Door::open().await, Dns::start().await);
        let directory = TempDir::with_prefix("bridgehead-pebble-").expect("a directory for Pebble");
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).expect("a key");
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
            path
        };
        let config = serde_json::json!({"pebble": {
            "listenAddress": addresses[0].to_string(),
            "managementListenAddress": addresses[1].to_string(),
            "certificate": file("cert.pem", &cert.pem()),
            "privateKey": file("key.pem", &signing_key.serialize_pem()),
            "httpPort": http_door.address.port(),
            "tlsPort": tls_door.address.port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": external,
            "externalAccountMACKeys": {EXTERNAL_ACCOUNT.0: EXTERNAL_ACCOUNT.1},
            "certificateValidityPeriod": VALIDITY_SECONDS,
        }});
        let mut child = Command::new("pebble")
            .arg("-config")
            .arg(file("config.json", &config.to_string()))
            .args(["-strict", "-dnsserver", &dns.address.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_VA_ALWAYS_VALID", "0")
            .env("PEBBLE_WFE_NONCEREJECT", "30")
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Pebble is installed: run `cargo xtask test`, or on Debian `apt-get install pebble`");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, log) = watch::channel(Vec::new());
        while let Some(line) = lines.next_line().await.expect("text") {
            let ready = line.contains("ACME directory available");
            sender.send_modify(|lines| lines.push(line));
            if ready {
                tokio::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        sender.send_modify(|lines| lines.push(line));
                    }
                });
                // It says so before it listens.
                while TcpStream::connect(addresses[0]).await.is_err() {
                    if child.try_wait().expect("a process").is_some() {
                        return None;
                    }
                    tokio::task::yield_now().await;
                }
                return Some(Self {
                    directory: format!("https://localhost:{}/dir", addresses[0].port()),
                    https_root: cert.pem(),
                    tls_door,
                    http_door,
                    dns,
                    management: addresses[1],
                    log,
                    _child: child,
                    _directory: directory,
                });
            }
        }
        None
    }

    /// The root of the certificates that it issues.
    pub async fn root(&self) -> CertificateDer<'static> {
        let own = CertificateDer::from_pem_slice(self.https_root.as_bytes()).expect("a certificate");
        let mut connection =
            Connection::open(self.management, "localhost", own, Speak::Http1).await.expect("Pebble's own HTTPS");
        let answer = connection.send("/roots/0", &[], None).await.expect("an answer");
        CertificateDer::from_pem_slice(answer.body.as_bytes()).expect("a root certificate")
    }

    /// How many lines of its log have this in them.
    #[must_use]
    pub fn logged(&self, what: &str) -> usize {
        self.log.borrow().iter().filter(|line| line.contains(what)).count()
    }

    /// How many orders were made.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.logged("orders in the db")
    }

    /// How many accounts were made.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.logged("accounts in memory")
    }

    /// All of its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.borrow().join("\n")
    }
}

/// A port that the authority knocks at, which leads where the test says: connections wait until
/// then.
pub struct Door {
    /// The port.
    pub address: SocketAddr,
    leads_to: watch::Sender<Option<SocketAddr>>,
    knocks: Arc<AtomicUsize>,
}

impl Door {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (leads_to, target) = watch::channel(None);
        let knocks = Arc::new(AtomicUsize::new(0));
        let counter = knocks.clone();
        tokio::spawn(async move {
            while let Ok((mut from, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let mut target = target.clone();
                tokio::spawn(async move {
                    let to = match target.wait_for(Option::is_some).await {
                        Ok(to) => *to,
                        Err(_) => return,
                    };
                    let Some(to) = to else { return };
                    if let Ok(mut to) = TcpStream::connect(to).await {
                        // Whoever left first has its reasons.
                        let _ = copy_bidirectional(&mut from, &mut to).await;
                    }
                });
            }
        });
        Self { address, leads_to, knocks }
    }

    /// Leads there from now on.
    pub fn lead_to(&self, address: SocketAddr) {
        self.leads_to.send_replace(Some(address));
    }

    /// Leads nowhere: who comes waits.
    pub fn hold(&self) {
        self.leads_to.send_replace(None);
    }

    /// How many came.
    #[must_use]
    pub fn knocks(&self) -> usize {
        self.knocks.load(Ordering::Relaxed)
    }
}

/// A name server by which every name leads to one address, or nowhere (RFC 1035 §4.1).
pub struct Dns {
    address: SocketAddr,
    leads_to: watch::Sender<Option<Ipv4Addr>>,
}

impl Dns {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("an address");
        let (leads_to, target) = watch::channel(Some(Ipv4Addr::LOCALHOST));
        tokio::spawn(async move {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                if let Some(answer) = answer(&query[..length], *target.borrow()) {
                    // Who does not get it asks again.
                    drop(socket.try_send_to(&answer, from));
                }
            }
        });
        Self { address, leads_to }
    }

    /// All names lead there from now on; `None` for names that do not exist.
    pub fn lead_to(&self, address: Option<Ipv4Addr>) {
        self.leads_to.send_replace(address);
    }
}

fn answer(query: &[u8], address: Option<Ipv4Addr>) -> Option<Vec<u8>> {
    const A: [u8; 2] = [0, 1];
    const NO_SUCH_NAME: u8 = 3;
    let end_of_name = 12 + query.get(12..)?.iter().position(|length| *length == 0)?;
    let question = query.get(12..end_of_name + 5)?;
    let is_address = question.get(question.len() - 4..question.len() - 2)? == A;
    let found = address.filter(|_| is_address);
    let code = if address.is_some() { 0 } else { NO_SUCH_NAME };
    let mut answer = vec![query[0], query[1], 0x85, 0x80 | code, 0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0];
    answer.extend_from_slice(question);
    if let Some(address) = found {
        // The name of the question, A, IN, no caching, four bytes.
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend_from_slice(&address.octets());
    }
    Some(answer)
}
