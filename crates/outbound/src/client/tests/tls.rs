//! TLS: who is trusted, and that a handshake which fails sent nothing.

use std::{net::SocketAddr, sync::Arc};

use tokio::{io::AsyncWriteExt, net::TcpListener};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::*;

/// An upstream with a certificate for `name` of its own making; returns it in DER.
async fn upstream(name: &str) -> (SocketAddr, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            harness::read_request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            let _ = stream.shutdown().await;
        }
    });
    (address, certificate.to_vec())
}

#[tokio::test]
async fn an_authority_of_the_operators_own_is_trusted_when_it_is_named() {
    let (address, certificate) = upstream("erp.internal").await;
    let net = net(&[("erp.internal", &[&["10.0.0.7"]])]).0.with_detour(move |_| Some(address));
    let get = || Request::get(url("https://erp.internal/"));
    let trusting = Client::configured(net.clone().with_roots([certificate.clone()]), Limits::CONFIGURED);
    let answer = trusting.send(get()).await.unwrap().read().await.unwrap();
    assert_eq!(answer.body, "ok");

    let strict = Client::configured(net, Limits::CONFIGURED);
    assert_eq!(not_sent(strict.send(get()).await.unwrap_err()), NotSentReason::Tls);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (address, certificate) = upstream("crm.internal").await;
    let net = net(&[("erp.internal", &[&["10.0.0.7"]])]).0.with_detour(move |_| Some(address));
    let client = Client::configured(net.with_roots([certificate]), Limits::CONFIGURED);
    let error = client.send(Request::get(url("https://erp.internal/"))).await.unwrap_err();
    assert_eq!(not_sent(error), NotSentReason::Tls);
}
