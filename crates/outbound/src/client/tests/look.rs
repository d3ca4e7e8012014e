//! [`crate::look`] against real sockets: which step fails, and that nothing but a handshake is ever sent.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};

use super::*;
use crate::{
    Trust,
    look::{self, CertificateProblem, NoTls, TlsSeen, Unreachable},
};

const WITHIN: Duration = Duration::from_secs(10);
const ANYWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

struct Made {
    leaf: CertificateDer<'static>,
    between: CertificateDer<'static>,
    root: CertificateDer<'static>,
    key: KeyPair,
}

/// A certificate for `mcp.example` that ends in this year, an authority that signed it, and one above.
fn made(until: i32) -> Made {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, KeyPair::generate().unwrap())
    };
    let ((top, top_key), (mut middle, middle_key)) = (authority(), authority());
    middle.distinguished_name.push(rcgen::DnType::CommonName, "In\u{7}between");
    let root = top.self_signed(&top_key).unwrap().der().clone();
    let between = middle.signed_by(&middle_key, &Issuer::new(top, top_key)).unwrap().der().clone();
    let mut params = CertificateParams::new(vec!["mcp.example".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "mcp.example");
    params.not_after = date_time_ymd(until, 12, 1);
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &Issuer::new(middle, middle_key)).unwrap().der().clone();
    Made { leaf, between, root, key }
}

/// Takes one connection; returns what is sent on it after the handshake.
async fn server(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taking = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(config)).accept(stream).await.unwrap();
        let mut sent = Vec::new();
        // A client that leaves without a farewell has sent nothing either.
        let _ = stream.read_to_end(&mut sent).await;
        sent
    });
    (address, taking)
}

async fn seen(made: &Made, chain: Vec<CertificateDer<'static>>, at: &str, trust: Trust) -> TlsSeen {
    let (address, taking) = server(chain, &made.key).await;
    let net = net(&[]).0.with_roots([made.root.to_vec()]).with_detour(move |_| Some(address));
    let seen = look::tls(&net, &url(at), ANYWHERE, trust, WITHIN).await.unwrap();
    assert!(taking.await.unwrap().is_empty(), "something was sent");
    seen
}

#[tokio::test]
async fn a_whole_chain_is_fine() {
    let made = made(2040);
    for trust in [Trust::Public, Trust::System] {
        let chain = vec![made.leaf.clone(), made.between.clone()];
        let seen = seen(&made, chain, "https://mcp.example/", trust).await;
        assert_eq!((seen.version, seen.sent, seen.problem), ("TLS 1.3", 2, None));
        let certificate = seen.certificate.unwrap();
        assert_eq!((certificate.names, certificate.issuer), (vec!["mcp.example".to_owned()], "Inbetween".to_owned()));
        assert_eq!(certificate.not_after.to_string(), "2040-12-01T00:00:00Z");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_told_apart() {
    let good = made(2040);
    let whole = vec![good.leaf.clone(), good.between.clone()];
    let alone = seen(&good, vec![good.leaf.clone()], "https://mcp.example/", Trust::Public).await;
    assert_eq!((alone.sent, alone.problem), (1, Some(CertificateProblem::UnknownAuthority)));
    let other_name = seen(&good, whole, "https://other.example/", Trust::Public).await;
    assert_eq!(other_name.problem, Some(CertificateProblem::Name));
    // By the clock of the test: 2026-11-20.
    let over = made(2025);
    let chain = vec![over.leaf.clone(), over.between.clone()];
    let over = seen(&over, chain, "https://mcp.example/", Trust::Public).await;
    assert_eq!(over.problem, Some(CertificateProblem::Expired));
    let itself = rcgen::generate_simple_self_signed(["mcp.example".to_owned()]).unwrap();
    let made = Made { leaf: itself.cert.der().clone(), key: itself.signing_key, ..made(2040) };
    let itself = seen(&made, vec![made.leaf.clone()], "https://mcp.example/", Trust::Public).await;
    assert_eq!(itself.problem, Some(CertificateProblem::SelfSigned));
}

/// What comes in the place of a handshake, and what is said of it.
#[tokio::test]
async fn no_handshake_is_told_apart() {
    let rows: [(&'static [u8], NoTls); 3] = [
        (b"", NoTls::Closed),
        (&[21, 3, 1, 0, 2, 2, 70], NoTls::Version),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", NoTls::Other("what comes back is not TLS".to_owned())),
    ];
    for (said, expected) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Whole, or the connection ends in a reset.
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).await.unwrap();
            let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
            stream.read_exact(&mut rest).await.unwrap();
            stream.write_all(said).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = stream.read_to_end(&mut rest).await;
        });
        let net = net(&[]).0.with_detour(move |_| Some(address));
        let none = look::tls(&net, &url("https://mcp.example/"), ANYWHERE, Trust::System, WITHIN).await;
        assert_eq!(none, Err(expected));
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = clock();
    let net = Net::system(clock.clone()).with_detour(move |_| Some(address));
    let hanging =
        tokio::spawn(
            async move { look::tls(&net, &url("https://mcp.example/"), ANYWHERE, Trust::Public, WITHIN).await },
        );
    let _held = listener.accept().await.unwrap();
    clock.advance(WITHIN);
    assert_eq!(hanging.await.unwrap(), Err(NoTls::TimedOut));
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    // Bound and not listening: the port is taken, and refuses.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let url = url(&format!("http://{}/", nobody.local_addr().unwrap()));
    let net = net(&[]).0;
    let addresses = look::addresses(&net, &url).await.unwrap();
    assert_eq!(look::connection(&net, &url, addresses[0], WITHIN).await, Err(Unreachable::Refused));
}
