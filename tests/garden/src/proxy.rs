//! The proxy itself: takes connections with and without TLS at one port, lets the fault have each request
//! and each answer, and passes on what is left of them.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bridgehead_harness::MovableClock;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{body::Incoming, client, server, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::{Answer, Asked, Course, Ending, Handshake, Tampering, Way};

type Body = BoxBody<Bytes, io::Error>;

/// Longer than any client waits.
const FOR_EVER: Duration = Duration::from_secs(120);
/// The first byte of a TLS connection (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;

/// What all connections share.
pub(crate) struct Proxy {
    pub(crate) tampering: Tampering,
    pub(crate) way: Way,
    pub(crate) origin: String,
    pub(crate) behind: SocketAddr,
    pub(crate) clock: MovableClock,
    pub(crate) tls: TlsAcceptor,
}

/// The connection ends without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

impl Proxy {
    /// Takes connections until it is aborted.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let proxy = self.clone();
            // A client that leaves in the middle is no matter.
            tokio::spawn(async move { proxy.connection(stream).await.ok() });
        }
    }

    async fn connection(self: Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Ok(());
        }
        if first != [TLS_HANDSHAKE] {
            return self.requests(stream, false).await;
        }
        match self.tampering.network.handshake.clone() {
            Handshake::Proper => {
                let stream = self.tls.accept(stream).await?;
                self.requests(stream, true).await
            }
            Handshake::Closes => Ok(()),
            Handshake::Hangs => {
                self.clock.advance(FOR_EVER);
                std::future::pending().await
            }
            Handshake::Says(bytes) => instead(&mut stream, &bytes).await,
            Handshake::SaysWithin(bytes) => {
                let mut stream = self.tls.accept(stream).await?;
                instead(&mut stream, &bytes).await
            }
        }
    }

    async fn requests<S>(self: Arc<Self>, stream: S, encrypted: bool) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(move |request| {
            let proxy = self.clone();
            async move { proxy.request(request, encrypted).await }
        });
        server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await
            .map_err(io::Error::other)
    }

    async fn request(&self, request: Request<Incoming>, encrypted: bool) -> Result<Response<Body>, Closed> {
        let mut asked = self.read(request, encrypted).await.map_err(|_| Closed)?;
        let course = self.tampering.arriving.as_ref().map_or(Course::Usual, |decide| decide(&mut asked));
        let turned_to_tls = self.way == Way::Internet && !encrypted;
        let mut answer = match course {
            Course::Answer(answer) => return Ok(self.response(answer)),
            Course::Close => return Err(Closed),
            Course::Hang => {
                self.clock.advance(FOR_EVER);
                std::future::pending().await
            }
            Course::Usual | Course::After(_) if turned_to_tls => {
                let query = asked.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
                Answer::redirect(308, &format!("{}{}{query}", self.origin, asked.path))
            }
            Course::After(time) => {
                self.clock.advance(time);
                self.forward(&asked).await.map_err(|_| Closed)?
            }
            Course::Usual | Course::Forward => self.forward(&asked).await.map_err(|_| Closed)?,
        };
        if let Some(change) = &self.tampering.leaving {
            change(&asked, &mut answer);
        }
        Ok(self.response(answer))
    }

    async fn read(&self, request: Request<Incoming>, encrypted: bool) -> hyper::Result<Asked> {
        let (head, body) = request.into_parts();
        Ok(Asked {
            method: head.method,
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
            encrypted,
            origin: self.origin.clone(),
        })
    }

    /// To the server and back, on a connection of its own.
    async fn forward(&self, asked: &Asked) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(self.behind).await?;
        let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let query = asked.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let mut request = Request::new(Full::new(asked.body.clone()));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = format!("{}{query}", asked.path).parse()?;
        *request.headers_mut() = asked.headers.clone();
        let headers = request.headers_mut();
        for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::ACCEPT_ENCODING] {
            headers.remove(name);
        }
        let scheme = if asked.encrypted { "https" } else { "http" };
        headers.insert(HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static(scheme));
        headers.insert(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static("198.51.100.7"));
        if let Some(host) = headers.get(header::HOST).cloned() {
            headers.insert(HeaderName::from_static("x-forwarded-host"), host);
        }
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        let mut headers = head.headers;
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONNECTION);
        // The length of what a HEAD or a 304 would have had stays.
        if !body.is_empty() {
            headers.remove(header::CONTENT_LENGTH);
        }
        Ok(Answer { status: head.status, headers, body, ending: Ending::Complete })
    }

    fn response(&self, answer: Answer) -> Response<Body> {
        let Answer { status, headers, body, ending } = answer;
        let clock = self.clock.clone();
        let body = match ending {
            Ending::Complete => Full::new(body).map_err(|never: Infallible| match never {}).boxed(),
            Ending::Broken => {
                let frames = stream::unfold(Some(body), |body| async {
                    match body {
                        Some(body) => Some((Ok(Frame::data(body)), None)),
                        None => {
                            // What came before is written while this waits.
                            tokio::task::yield_now().await;
                            Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
                        }
                    }
                });
                StreamBody::new(frames).boxed()
            }
            Ending::Hanging => {
                let frames = stream::unfold(Some(body), move |body| {
                    let clock = clock.clone();
                    async move {
                        match body {
                            Some(body) => Some((Ok(Frame::data(body)), None)),
                            None => {
                                clock.advance(FOR_EVER);
                                std::future::pending().await
                            }
                        }
                    }
                });
                StreamBody::new(frames).boxed()
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

/// Says these bytes to whatever comes, and closes.
async fn instead(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    // What was sent is read first: a socket that is closed with something unread resets the connection.
    let read = stream.read(&mut [0; 16 << 10]).await?;
    if read == 0 {
        return Ok(());
    }
    stream.write_all(bytes).await?;
    stream.shutdown().await
}
