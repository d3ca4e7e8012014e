//! When the process is told to stop.

use tokio_util::sync::CancellationToken;

/// A token that fires on SIGTERM or Ctrl-C.
#[must_use]
pub fn told_to_stop() -> CancellationToken {
    let shutdown = CancellationToken::new();
    let fires = shutdown.clone();
    tokio::spawn(async move {
        signal().await;
        fires.cancel();
    });
    shutdown
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be heard; stop with Ctrl-C");
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}
