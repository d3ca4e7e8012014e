//! The outside as a test wants it: names that lead where it says, and a certificate authority that
//! only the server under test trusts.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
};

use bridgehead_outbound::{Net, Resolve};
use futures_util::future::BoxFuture;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

/// Names and where they lead; nothing else is found.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<String, IpAddr>);

impl Names {
    /// Names that all lead to this machine.
    #[must_use]
    pub fn here(names: &[&str]) -> Self {
        Self(names.iter().map(|name| ((*name).to_owned(), IpAddr::V4(Ipv4Addr::LOCALHOST))).collect())
    }

    /// And one that leads there.
    #[must_use]
    pub fn and(mut self, name: &str, address: IpAddr) -> Self {
        self.0.insert(name.to_owned(), address);
        self
    }
}

impl Resolve for Names {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.get(name).copied();
        Box::pin(async move { found.map(|address| vec![address]).ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

/// The certificate of an authority, in DER.
pub type Root = CertificateDer<'static>;

/// A certificate authority of the test's own.
pub struct Ca {
    certificate: Root,
    issuer: Issuer<'static, KeyPair>,
}

impl Default for Ca {
    fn default() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate").der().clone();
        Self { certificate, issuer: Issuer::new(params, key) }
    }
}

/// A certificate and its key as files hold them.
pub struct Issued {
    /// The certificate in PEM.
    pub certificate: String,
    /// The key in PEM (PKCS#8).
    pub key: String,
}

impl Ca {
    /// The authority's own certificate, for those who shall trust it.
    #[must_use]
    pub fn root(&self) -> Root {
        self.certificate.clone()
    }

    /// A certificate for these names, good until `year`.
    #[must_use]
    pub fn issue(&self, names: &[&str], year: i32) -> Issued {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Issued { certificate, key: key.serialize_pem() }
    }

    /// A way out on which `names` lead where they say and, if asked, this authority is trusted.
    #[must_use]
    pub fn net(&self, net: Net, names: Names, trusted: bool) -> Net {
        let net = net.with_resolver(Arc::new(names));
        if trusted { net.with_roots([self.certificate.to_vec()]) } else { net }
    }

    /// An HTTPS server for `name` on a port of its own that answers every request with this JSON;
    /// returns the port.
    pub async fn serve(&self, name: &str, json: &'static str) -> u16 {
        let length = json.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{json}"
        );
        self.serve_as_told(name, Arc::new(Mutex::new(answer))).await
    }

    /// An HTTPS server for `name` on a port of its own that answers every request with what stands
    /// there at that moment, head and body; returns the port.
    pub async fn serve_as_told(&self, name: &str, answer: Arc<Mutex<String>>) -> u16 {
        self.serve_with(name, move |_| answer.lock().expect("no panic while it is held").clone()).await
    }

    /// An HTTPS server for `name` on a port of its own that answers each request by its head, with head
    /// and body; returns the port.
    pub async fn serve_with(&self, name: &str, answer: impl Fn(&str) -> String + Send + Sync + 'static) -> u16 {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a certificate and its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answer) = (acceptor.clone(), answer.clone());
                // A browser opens connections that it may not use: none waits for another. A client
                // that left is no matter.
                tokio::spawn(async move { answer_once(&acceptor, stream, &*answer).await });
            }
        });
        port
    }
}

async fn answer_once(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    answer: &(dyn Fn(&str) -> String + Send + Sync),
) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut head = vec![0; 16 * 1024];
    // A request without a body arrives in one piece here.
    let read = stream.read(&mut head).await?;
    let head = String::from_utf8_lossy(head.get(..read).unwrap_or_default());
    if head.is_empty() {
        return Ok(());
    }
    stream.write_all(answer(&head).as_bytes()).await?;
    stream.shutdown().await
}
