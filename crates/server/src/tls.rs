//! HTTPS that ends here: the certificate that is shown, how a new one takes its place without a
//! connection being dropped, and the handshake. TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2.
//!
//! Where certificates come from: [`files`], [`acme`], [`self_signed`]. No client certificates are asked for.

pub mod acme;
pub mod files;
pub mod self_signed;

use std::{io, sync::Arc};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use bridgehead_core::Clock;
use jiff::Timestamp;
pub use rustls::sign::CertifiedKey;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName},
    server::{Acceptor, ClientHello, ParsedCertificate, ResolvesServerCert},
};
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::Metrics;

/// What rustls says.
pub type TlsError = rustls::Error;

/// The protocol of `tls-alpn-01` challenges (RFC 8737 §6.2).
pub const ACME_TLS_ALPN: &[u8] = b"acme-tls/1";
/// How long before its end a certificate that nobody renews is warned of.
const WARN_BEFORE: jiff::SignedDuration = jiff::SignedDuration::from_hours(14 * 24);

/// The certificate that is shown now; swapped whole, so that a handshake sees the old one or the
/// new one, and what was shaken hands over stays as it is.
pub struct Certificates {
    shown: ArcSwapOption<CertifiedKey>,
    metrics: Metrics,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("has_one", &self.shown.load().is_some()).finish()
    }
}

impl Certificates {
    /// None is shown yet: handshakes fail until [`Certificates::show`].
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { shown: ArcSwapOption::empty(), metrics }
    }

    /// Shows this certificate from the next handshake on.
    pub fn show(&self, certificate: Arc<CertifiedKey>) {
        if let Some(end) = certificate.cert.first().and_then(not_after) {
            self.metrics.certificate_ends(end);
        }
        self.shown.store(Some(certificate));
    }

    /// The one that is shown now.
    #[must_use]
    pub fn shown(&self) -> Option<Arc<CertifiedKey>> {
        self.shown.load_full()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.shown()
    }
}

/// What a certificate authority may ask to see, to believe that a name is ours.
#[async_trait]
pub trait Challenges: Send + Sync + 'static {
    /// The certificate for a `tls-alpn-01` challenge of this name (RFC 8737 §3).
    async fn tls_alpn(&self, name: &str) -> Option<Arc<CertifiedKey>>;

    /// The key authorization for the token of an `http-01` challenge (RFC 8555 §8.3).
    async fn http(&self, token: &str) -> Option<String>;
}

/// What a listener needs to speak TLS. Cheap to clone.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    challenges: Option<Arc<dyn Challenges>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("challenges", &self.challenges.is_some()).finish_non_exhaustive()
    }
}

impl Tls {
    /// Shows `certificates`, and answers `challenges` where there are any.
    ///
    /// # Errors
    /// What rustls does not take of the versions named here: nothing.
    pub fn new(certificates: Arc<Certificates>, challenges: Option<Arc<dyn Challenges>>) -> Result<Self, TlsError> {
        let mut config = config(certificates)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), challenges })
    }

    /// Shakes hands. `None` where a certificate authority looked at a challenge: there is nothing
    /// to serve then.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let hello = start.client_hello();
        let is_challenge = hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == ACME_TLS_ALPN));
        let (Some(challenges), true) = (&self.challenges, is_challenge) else {
            return start.into_stream(self.config.clone()).await.map(Some);
        };
        let name = hello.server_name().map(str::to_owned).unwrap_or_default();
        let Some(answer) = challenges.tls_alpn(&name).await else {
            tracing::info!(name, "a certificate authority asked for a challenge that is not open");
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut config = config(Arc::new(OneCertificate(answer))).map_err(io::Error::other)?;
        config.alpn_protocols = vec![ACME_TLS_ALPN.to_vec()];
        start.into_stream(Arc::new(config)).await?;
        tracing::info!(name, "a certificate authority has looked at the challenge");
        Ok(None)
    }

    /// Where `http-01` challenges are answered.
    pub(crate) fn challenges(&self) -> Option<Arc<dyn Challenges>> {
        self.challenges.clone()
    }
}

#[derive(Debug)]
struct OneCertificate(Arc<CertifiedKey>);

impl ResolvesServerCert for OneCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

fn config(certificates: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, rustls::Error> {
    Ok(ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates))
}

/// The cryptography: the one that `bridgehead-outbound` uses, named where it is used.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The end of a certificate's validity (RFC 5280 §4.1.2.5); `None` where it cannot be read.
#[must_use]
pub fn not_after(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    validity(certificate).map(|(_, end)| end)
}

/// Beginning and end of a certificate's validity; `None` where they cannot be read.
pub(crate) fn validity(certificate: &CertificateDer<'_>) -> Option<(Timestamp, Timestamp)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let time = |at: x509_parser::time::ASN1Time| Timestamp::from_second(at.timestamp()).ok();
    Some((time(parsed.validity().not_before)?, time(parsed.validity().not_after)?))
}

/// What is doubtful about a certificate that is going to be shown, in words for the operator.
#[must_use]
pub fn doubts(certificate: &CertifiedKey, host: Option<&str>, clock: &dyn Clock) -> Vec<String> {
    let mut doubts = Vec::new();
    let Some(leaf) = certificate.cert.first() else { return doubts };
    match not_after(leaf) {
        Some(end) if end <= clock.now() => doubts.push(format!("it has expired on {end}: clients will refuse it")),
        Some(end) if end.duration_since(clock.now()) < WARN_BEFORE => {
            doubts.push(format!("it expires on {end}: put a new one in its place"));
        }
        _ => {}
    }
    let name = host.and_then(|host| ServerName::try_from(host.to_owned()).ok());
    if let (Some(host), Some(name), Ok(parsed)) = (host, name, ParsedCertificate::try_from(leaf))
        && rustls::client::verify_server_name(&parsed, &name).is_err()
    {
        doubts.push(format!("it is not for {host}, the host of server.public_url: clients will refuse it"));
    }
    doubts
}
