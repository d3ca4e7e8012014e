//! One connection, from its first byte to its last: TCP_NODELAY, the PROXY protocol where a trusted
//! proxy speaks it, TLS, then HTTP/1.1 or HTTP/2. Each in a task of its own, so that a slow
//! handshake holds nobody else up.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{Router, body::Body};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tower::ServiceExt;

use super::{Peer, proxy_protocol};
use crate::{App, Tls, http::client_address::Proxies};

/// The largest head (request line and headers) a client may send over HTTP/1.1, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long a proxy's header and the handshake may take together.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// All connections of one listener. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connections {
    router: Router,
    tls: Option<Tls>,
    proxies: Proxies,
    proxy_protocol: bool,
    receive_timeout: Duration,
    shutdown: CancellationToken,
    /// Ends what has not ended by itself.
    cut: CancellationToken,
    /// Has a token for each connection that a request was served on.
    serving: TaskTracker,
}

impl Connections {
    pub(super) fn new(app: &App, router: Router, tls: Option<Tls>, shutdown: CancellationToken) -> Self {
        Self {
            router,
            tls,
            proxies: app.proxies.clone(),
            proxy_protocol: app.proxy_protocol,
            receive_timeout: app.receive_timeout,
            shutdown,
            cut: CancellationToken::new(),
            serving: TaskTracker::new(),
        }
    }

    /// Serves a connection in a task of its own.
    pub(super) fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let connections = self.clone();
        tokio::spawn(async move {
            let cut = connections.cut.clone();
            tokio::select! {
                () = connections.serve(stream, peer) => {}
                () = cut.cancelled() => tracing::debug!(%peer, "connection cut"),
            }
        });
    }

    /// Waits until every connection that was served on has ended, to its last byte.
    pub(super) async fn drained(&self) {
        self.serving.close();
        self.serving.wait().await;
    }

    /// Ends all connections, whatever they do.
    pub(super) fn cut(&self) {
        self.cut.cancel();
    }

    async fn serve(self, mut stream: TcpStream, peer: SocketAddr) {
        // Without this, Nagle's algorithm and delayed acknowledgements hold small answers back for 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let handshake = async {
            let mut client = peer;
            if self.proxy_protocol && self.proxies.trusts(peer.ip()) {
                client = proxy_protocol::read(&mut stream).await?.unwrap_or(peer);
            }
            Ok::<_, std::io::Error>((
                client,
                match &self.tls {
                    Some(tls) => tls.accept(stream).await?.map(|stream| Transport::Tls(Box::new(stream))),
                    None => Some(Transport::Plain(stream)),
                },
            ))
        };
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            () = too_slow() => Err(std::io::ErrorKind::TimedOut.into()),
        };
        match shaken {
            Ok((client, Some(Transport::Plain(stream)))) => self.http(stream, client).await,
            Ok((client, Some(Transport::Tls(stream)))) => self.http(stream, client).await,
            Ok((_, None)) => {}
            Err(error) => tracing::debug!(%peer, %error, "a connection ended before its first request"),
        }
    }

    async fn http(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: SocketAddr) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.receive_timeout).max_buf_size(MAX_HEAD_BYTES);
        builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEAD_BYTES as u32);
        // Taken by the first request that is served, given back with the connection's end.
        let token: Arc<OnceLock<TaskTrackerToken>> = Arc::default();
        let service = {
            let (token, shutdown, serving) = (token.clone(), self.shutdown.clone(), self.serving.clone());
            let router = self.router;
            service_fn(move |request: Request<Incoming>| {
                if !shutdown.is_cancelled() {
                    token.get_or_init(|| serving.token());
                }
                let mut request = request.map(Body::new);
                request.extensions_mut().insert(Peer(client));
                router.clone().oneshot(request)
            })
        };
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            () = self.shutdown.cancelled() => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                // One that nothing was served on stays open for its first request, which is told
                // that the server is going down; closing it could reset what is on its way here.
                if token.get().is_some() {
                    connection.as_mut().graceful_shutdown();
                }
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%client, error, "connection ended");
        }
    }
}

/// Real time, as hyper's for the head of a request: this is against clients that hold connections
/// open, and no logic hangs on it.
#[expect(clippy::disallowed_methods, reason = "a limit for the network, which no test clock moves")]
async fn too_slow() {
    tokio::time::sleep(HANDSHAKE).await;
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}
