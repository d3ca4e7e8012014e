//! The accept loop: takes connections, sets TCP_NODELAY, speaks HTTP/1.1 and HTTP/2, and at
//! shutdown lets what is running end within a limit.

use std::{io, net::SocketAddr, time::Duration};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::Layer;

use crate::App;

/// The largest head (request line and headers) a client may send over HTTP/1.1, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// How long to wait after the machine had no room for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The address of the peer that opened the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// A socket that is listening, before anything is served on it.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// Starts to listen.
///
/// # Errors
/// The address is taken or not this machine's.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// The address listened on, with the port that was taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `app` until `shutdown` fires, then lets running requests end, at most as long as
    /// the settings say.
    pub async fn serve(self, app: App, shutdown: CancellationToken) {
        let graceful = GracefulShutdown::new();
        accept(&self.listener, &app.router, &app, &graceful, &shutdown).await;
        drop(self.listener);
        tracing::info!("shutting down: running calls may end, new ones are refused");
        let drained = async {
            tokio::join!(graceful.shutdown(), app.endpoint.pipeline.drain());
        };
        tokio::select! {
            () = drained => tracing::info!("all calls have ended"),
            () = app.clock.sleep(app.drain_timeout) => {
                tracing::warn!(limit = ?app.drain_timeout, "some calls had not ended within the limit and were cut");
            }
        }
        app.stop.cancel();
    }

    /// Serves the admin routes (metrics) until `shutdown` fires.
    pub async fn serve_admin(self, app: App, shutdown: CancellationToken) {
        let graceful = GracefulShutdown::new();
        accept(&self.listener, &app.admin, &app, &graceful, &shutdown).await;
    }
}

async fn accept(
    listener: &TcpListener,
    router: &Router,
    app: &App,
    graceful: &GracefulShutdown,
    shutdown: &CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => connection(stream, peer, router.clone(), app, graceful),
            // Out of file descriptors, or a peer that hung up in the backlog: the next may work.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                app.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn connection(stream: TcpStream, peer: SocketAddr, router: Router, app: &App, graceful: &GracefulShutdown) {
    // Without this, Nagle's algorithm and delayed acknowledgements hold small answers back for 40 ms.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(app.receive_timeout).max_buf_size(MAX_HEAD_BYTES);
    builder.http2().timer(TokioTimer::new()).max_header_list_size(MAX_HEAD_BYTES as u32);
    let service = TowerToHyperService::new(Extension(Peer(peer)).layer(router));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, error, "connection ended");
        }
    });
}
