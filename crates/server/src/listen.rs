//! The accept loop: takes connections, and at shutdown lets what is running end within a limit.
//! What happens on one connection is in `connection.rs`.

mod connection;
mod proxy_protocol;

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{App, Tls};
use connection::Connections;

/// How long to wait after the machine had no room for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long calls that are cut may take to say so.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Who opened the connection: its other end, or whom a trusted proxy names there by the PROXY
/// protocol.
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

    /// Serves `app`, by HTTPS where there is `tls`, until `shutdown` fires. Then lets running
    /// requests end, at most as long as the settings say; new connections are taken meanwhile and
    /// told that the server is on its way down, so that nobody waits for nothing.
    pub async fn serve(self, app: App, tls: Option<Tls>, shutdown: CancellationToken) {
        tracing::info!(address = %self.address, https = tls.is_some(), "listening");
        let connections = Connections::new(&app, app.router.clone(), tls, shutdown.clone());
        let until_drained = CancellationToken::new();
        let accepting = accept(&self.listener, &connections, &app, &until_drained);
        let draining = async {
            shutdown.cancelled().await;
            app.going_down.cancel();
            tracing::info!("shutting down: running calls may end, new ones are refused");
            let drained = async {
                tokio::join!(connections.drained(), app.endpoint.pipeline.drain());
            };
            tokio::select! {
                () = drained => tracing::info!("all calls have ended"),
                () = app.clock.sleep(app.drain_timeout) => {
                    tracing::warn!(limit = ?app.drain_timeout, "some calls had not ended within the limit and were cut");
                }
            }
            until_drained.cancel();
        };
        tokio::join!(accepting, draining);
        // What still runs ends with an answer that says so, where it can be written.
        app.stop.cancel();
        tokio::select! {
            () = connections.drained() => {}
            () = app.clock.sleep(LAST_WORDS) => {}
        }
        connections.cut();
    }

    /// Serves another router of the app (metrics, redirects) until `shutdown` fires.
    pub async fn serve_beside(self, app: App, router: Router, shutdown: CancellationToken) {
        let connections = Connections::new(&app, router, None, shutdown.clone());
        accept(&self.listener, &connections, &app, &shutdown).await;
        connections.cut();
    }
}

async fn accept(listener: &TcpListener, connections: &Connections, app: &App, until: &CancellationToken) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = until.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => connections.take(stream, peer),
            // Out of file descriptors, or a peer that hung up in the backlog: the next may work.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                app.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
