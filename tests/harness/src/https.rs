//! A client that speaks HTTPS to a server under test as the test wants it: to this address, by this
//! name, with this version of TLS and of HTTP. One connection each, kept until it is dropped.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
        version,
    },
};

/// What to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speak {
    /// HTTP/1.1 over TLS 1.3.
    Http1,
    /// HTTP/2 over TLS 1.3.
    Http2,
    /// HTTP/1.1 over TLS 1.2.
    OldTls,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// One connection.
pub struct Connection {
    sender: Sender,
    name: String,
    /// The certificate that the server showed.
    pub shown: CertificateDer<'static>,
}

impl Connection {
    /// Shakes hands with the server at `address`, which has to show a certificate for `name` that
    /// `root` has signed.
    ///
    /// # Errors
    /// As the connection or TLS say.
    pub async fn open(
        address: SocketAddr,
        name: &str,
        root: CertificateDer<'static>,
        speak: Speak,
    ) -> std::io::Result<Self> {
        Self::open_from(Ipv4Addr::LOCALHOST, address, name, root, speak).await
    }

    /// As [`Connection::open`], from another address of this machine.
    ///
    /// # Errors
    /// As the connection or TLS say.
    pub async fn open_from(
        from: Ipv4Addr,
        address: SocketAddr,
        name: &str,
        root: CertificateDer<'static>,
        speak: Speak,
    ) -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let stream = handshake(socket.connect(address).await?, name, root, speak).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).expect("a certificate");
        let shown = shown.clone().into_owned();
        let io = TokioIo::new(stream);
        let sender = if speak == Speak::Http2 {
            let (sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(std::io::Error::other)?;
            tokio::spawn(connection);
            Sender::Http1(sender)
        };
        Ok(Self { sender, name: name.to_owned(), shown })
    }

    /// Sends a GET, or a POST with a body of JSON.
    ///
    /// # Errors
    /// As the connection says.
    pub async fn send(&mut self, path: &str, headers: &[(&str, &str)], json: Option<String>) -> hyper::Result<Answer> {
        let Some(json) = json else { return self.request("GET", path, headers, String::new()).await };
        let of_json = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        self.request("POST", path, &[headers, of_json.as_slice()].concat(), json).await
    }

    /// Sends a request with these headers and this body, and nothing else but the host.
    ///
    /// # Errors
    /// As the connection says.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> hyper::Result<Answer> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::from(body);
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request.uri(path).header("host", &self.name).body(body).expect("a request")).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                let uri = format!("https://{}{path}", self.name);
                sender.send_request(request.uri(uri).body(body).expect("a request")).await?
            }
        };
        Answer::read(answer).await
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// Status and headers.
    pub head: http::response::Parts,
    /// The body as text.
    pub body: String,
}

impl Answer {
    async fn read(answer: Response<Incoming>) -> hyper::Result<Self> {
        let (head, body) = answer.into_parts();
        let bytes = body.collect().await?.to_bytes();
        Ok(Self { head, body: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// The first value of a header; empty without one.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

async fn handshake(
    stream: TcpStream,
    name: &str,
    root: CertificateDer<'static>,
    speak: Speak,
) -> std::io::Result<TlsStream<TcpStream>> {
    const OLD: &[&SupportedProtocolVersion] = &[&version::TLS12];
    const NEW: &[&SupportedProtocolVersion] = &[&version::TLS13];
    let mut roots = RootCertStore::empty();
    roots.add(root).expect("a root certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(if speak == Speak::OldTls { OLD } else { NEW })
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![if speak == Speak::Http2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    let server = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(server, stream).await
}
