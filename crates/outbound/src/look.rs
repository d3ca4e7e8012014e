//! The way to a server, one step at a time, for whoever has to say which step fails: its addresses, a
//! connection, TLS. No request is ever sent on what is opened here, so a server may be looked at that nobody
//! trusts.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate, x509::X509Name};

use crate::Net;

/// How much is shown of what a certificate says.
const SHOWN_CHARACTERS: usize = 100;
const SHOWN_NAMES: usize = 10;

/// Whose authorities are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Those that browsers and platforms trust everywhere.
    Public,
    /// Those that this machine trusts: a company's own among them, where it is installed.
    System,
}

/// No connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// Nobody listens there.
    #[error("the connection is refused")]
    Refused,
    /// Nothing comes back.
    #[error("nothing comes back, as behind a firewall")]
    TimedOut,
    /// This machine itself has no way there: mostly no IPv6.
    #[error("this machine has no way there")]
    NoRoute,
    /// Something else, in the words of the system.
    #[error("{0}")]
    Other(String),
}

/// No TLS, whatever the certificate says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTls {
    /// Not even a connection.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// It is closed during the handshake.
    #[error("the connection is closed during the TLS handshake")]
    Closed,
    /// Nothing comes back during the handshake.
    #[error("the TLS handshake is never finished")]
    TimedOut,
    /// There is no version that both speak.
    #[error("neither TLS 1.2 nor TLS 1.3 is spoken")]
    Version,
    /// Something else, in the words of the TLS library.
    #[error("the TLS handshake fails: {0}")]
    Other(String),
}

/// A finished handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSeen {
    /// `TLS 1.3`.
    pub version: &'static str,
    /// How many certificates were sent.
    pub sent: usize,
    /// The server's own certificate, where it can be read.
    pub certificate: Option<CertificateSeen>,
    /// Why a client would end the connection here.
    pub problem: Option<CertificateProblem>,
}

/// A server's certificate. Names are shortened, and have no control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSeen {
    /// The names and addresses it is for, the first of them.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
}

/// Why a certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateProblem {
    /// It is over.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// It is for other names.
    Name,
    /// It was signed by itself.
    SelfSigned,
    /// No authority that is trusted is found at the end of the chain.
    UnknownAuthority,
    /// Something else, in the words of the TLS library.
    Other(String),
}

/// The addresses of the URL's host.
///
/// # Errors
/// The resolver's own: [`io::ErrorKind::NotFound`] and others.
pub async fn addresses(net: &Net, url: &Url) -> io::Result<Vec<IpAddr>> {
    match url.host() {
        Some(Host::Domain(name)) => net.resolver.resolve(name).await,
        Some(Host::Ipv4(address)) => Ok(vec![address.into()]),
        Some(Host::Ipv6(address)) => Ok(vec![address.into()]),
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Connects to the URL's port at this address, and leaves.
///
/// # Errors
/// No connection within this time.
pub async fn connection(net: &Net, url: &Url, address: IpAddr, within: Duration) -> Result<(), Unreachable> {
    tokio::select! {
        biased;
        connected = connect(net, url, address) => connected.map(drop),
        () = net.clock.sleep(within) => Err(Unreachable::TimedOut),
    }
}

/// Shakes hands with the URL's host at this address, and leaves. The certificate is judged and not acted upon.
///
/// # Errors
/// No handshake within this time.
pub async fn tls(net: &Net, url: &Url, address: IpAddr, trust: Trust, within: Duration) -> Result<TlsSeen, NoTls> {
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(other)?,
        Some(Host::Ipv4(address)) => ServerName::IpAddress(IpAddr::from(address).into()),
        Some(Host::Ipv6(address)) => ServerName::IpAddress(IpAddr::from(address).into()),
        None => return Err(NoTls::Other("the URL has no host".to_owned())),
    };
    let (config, seen) = recording(net, trust).map_err(other)?;
    let shaking = async {
        let stream = connect(net, url, address).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| why(&error))
    };
    let stream = tokio::select! {
        biased;
        shaken = shaking => shaken?,
        () = net.clock.sleep(within) => return Err(NoTls::TimedOut),
    };
    let version = match stream.get_ref().1.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    let shown = seen.shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Shown { sent, certificate, problem }) = shown else {
        return Err(NoTls::Other("no certificate is shown".to_owned()));
    };
    Ok(TlsSeen { version, sent, certificate, problem })
}

/// As the client does it: a detour holds for names without a port.
async fn connect(net: &Net, url: &Url, address: IpAddr) -> Result<TcpStream, Unreachable> {
    let detour = match (url.host(), url.port()) {
        (Some(Host::Domain(_)), None) => net.detour.as_ref().and_then(|detour| detour(address)),
        _ => None,
    };
    let port = url.port_or_known_default().unwrap_or_default();
    let at = detour.unwrap_or_else(|| SocketAddr::new(address, port));
    TcpStream::connect(at).await.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Unreachable::Refused,
        io::ErrorKind::TimedOut => Unreachable::TimedOut,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => Unreachable::NoRoute,
        _ => Unreachable::Other(error.to_string()),
    })
}

fn other(error: impl fmt::Display) -> NoTls {
    NoTls::Other(error.to_string())
}

fn why(error: &io::Error) -> NoTls {
    let of_tls = error.get_ref().and_then(|inner| (inner as &(dyn Error + 'static)).downcast_ref::<rustls::Error>());
    match of_tls {
        Some(rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) | rustls::Error::PeerIncompatible(_)) => {
            NoTls::Version
        }
        Some(rustls::Error::InvalidMessage(_)) => NoTls::Other("what comes back is not TLS".to_owned()),
        Some(error) => other(error),
        None if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => NoTls::Closed,
        None => other(error),
    }
}

fn recording(net: &Net, trust: Trust) -> Result<(ClientConfig, Arc<Recorder>), Box<dyn Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = Arc::new(net.roots(trust)?);
    let judge = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build()?;
    let recorder = Arc::new(Recorder { judge, shown: Mutex::default() });
    let mut config = ClientConfig::builder_with_details(provider, net.time())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(recorder.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((config, recorder))
}

#[derive(Debug)]
struct Shown {
    sent: usize,
    certificate: Option<CertificateSeen>,
    problem: Option<CertificateProblem>,
}

/// Lets every certificate through and writes down what is to be said of it: nothing is sent behind it.
#[derive(Debug)]
struct Recorder {
    judge: Arc<WebPkiServerVerifier>,
    shown: Mutex<Option<Shown>>,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let judged = self.judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let parsed = x509_parser::parse_x509_certificate(end_entity).ok().map(|(_, certificate)| certificate);
        let signed_itself = parsed.as_ref().is_some_and(|parsed| parsed.issuer().as_raw() == parsed.subject().as_raw());
        let shown = Shown {
            sent: intermediates.len() + 1,
            certificate: parsed.as_ref().and_then(certificate_of),
            problem: judged.err().map(|error| problem(&error, signed_itself)),
        };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

fn problem(error: &rustls::Error, signed_itself: bool) -> CertificateProblem {
    let rustls::Error::InvalidCertificate(error) = error else {
        return CertificateProblem::Other(error.to_string());
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => CertificateProblem::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => CertificateProblem::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => CertificateProblem::Name,
        _ if signed_itself => CertificateProblem::SelfSigned,
        CertificateError::UnknownIssuer => CertificateProblem::UnknownAuthority,
        error => CertificateProblem::Other(format!("{error:?}").chars().take(SHOWN_CHARACTERS).collect()),
    }
}

fn certificate_of(parsed: &X509Certificate<'_>) -> Option<CertificateSeen> {
    let time = |at: x509_parser::time::ASN1Time| Timestamp::from_second(at.timestamp()).ok();
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|alternative| &alternative.value.general_names).filter_map(name_of);
    Some(CertificateSeen {
        names: names.take(SHOWN_NAMES).collect(),
        issuer: issuer_of(parsed.issuer()),
        not_before: time(parsed.validity().not_before)?,
        not_after: time(parsed.validity().not_after)?,
    })
}

fn name_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from);
            v4.or(v6).map(|address| address.to_string())
        }
        _ => None,
    }
}

fn issuer_of(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|common| common.as_str().ok());
    common.map_or_else(|| shown(&name.to_string()), shown)
}

fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SHOWN_CHARACTERS).collect()
}
