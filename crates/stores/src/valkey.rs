//! What replicas share in passing: counters and remembered answers, on a Valkey or Redis server. Nothing here
//! is worth keeping: keys expire, and a server that lost them all only gives out some turns twice, and is
//! asked some questions again.
//!
//! A question is answered within a moment or not at all: a dead server must not hold up calls. Whoever
//! asks decides what holds meanwhile.

mod cache;
mod counters;
#[cfg(test)]
mod tests;
mod url;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bridgehead_core::Clock;
use jiff::Timestamp;
use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

pub use cache::ValkeyCache;
pub use url::{ValkeyUrl, ValkeyUrlError};

/// How long an answer may take. Counting takes a fraction of a millisecond; what takes longer than this
/// is of no use to a call.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long nobody asks a server that did not answer.
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// Why there is no answer, in words without the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValkeyError {
    /// It took too long.
    #[error("the server did not answer within {} ms", PATIENCE.as_millis())]
    TimedOut,
    /// It did not answer a moment ago, and is not asked again so soon.
    #[error("the server did not answer a moment ago")]
    LeftAlone,
    /// It cannot be reached, or answered that it cannot do this.
    #[error("{0}")]
    Failed(String),
}

/// A connection to a server, which comes back by itself when it was lost. Cheap to clone.
#[derive(Clone)]
pub struct Valkey {
    connection: ConnectionManager,
    clock: Arc<dyn Clock>,
    /// Stands before each key.
    prefix: Arc<str>,
    scripts: Arc<counters::Scripts>,
    /// Until when nobody asks, in microseconds since 1970.
    left_alone_until: Arc<AtomicI64>,
    time: Time,
}

/// Whose time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    /// The server's: that of replicas differs.
    Servers,
    /// The injected clock's, so that the contract can be tried on moved time.
    #[cfg(any(test, feature = "contract"))]
    Clocks,
}

impl Valkey {
    /// A connection to the server that `url` names, made when it is first needed. Every key begins with
    /// `prefix` and a colon. Has to be called on a Tokio runtime.
    ///
    /// # Errors
    /// The URL asks for something that cannot be had. That the server is not there is none: it may come.
    pub fn open(url: &ValkeyUrl, prefix: &str, clock: Arc<dyn Clock>) -> Result<Self, ValkeyError> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(PATIENCE * 4))
            .set_response_timeout(Some(PATIENCE));
        let connection = Client::open(url.expose())
            .and_then(|client| ConnectionManager::new_lazy_with_config(client, config))
            .map_err(|error| failed(&error))?;
        Ok(Self {
            connection,
            clock,
            prefix: prefix.into(),
            scripts: Arc::default(),
            left_alone_until: Arc::default(),
            time: Time::Servers,
        })
    }

    /// The same, with the injected clock's time instead of the server's.
    #[cfg(any(test, feature = "contract"))]
    #[must_use]
    pub fn on_the_clock(mut self) -> Self {
        self.time = Time::Clocks;
        self
    }

    /// Whether the server answers, for `/readyz`.
    ///
    /// # Errors
    /// [`ValkeyError`].
    pub async fn ready(&self) -> Result<(), ValkeyError> {
        self.ask(|mut connection| async move { redis::cmd("PING").query_async(&mut connection).await }).await
    }

    /// Asks, within [`PATIENCE`]. Asks a second time where the connection turns out to be lost, since the
    /// server may be well; so `question` has to be one that may be asked twice.
    async fn ask<T, Asked>(&self, question: impl Fn(ConnectionManager) -> Asked) -> Result<T, ValkeyError>
    where
        Asked: Future<Output = Result<T, RedisError>>,
    {
        if self.left_alone_until.load(Ordering::Relaxed) > self.clock.now().as_microsecond() {
            return Err(ValkeyError::LeftAlone);
        }
        let asked = async {
            match question(self.connection.clone()).await {
                Err(error) if error.is_io_error() && !error.is_timeout() => question(self.connection.clone()).await,
                answer => answer,
            }
        };
        let answer = tokio::select! {
            biased;
            answer = asked => answer.map_err(|error| failed(&error)),
            () = self.clock.sleep(PATIENCE) => Err(ValkeyError::TimedOut),
        };
        if answer.is_err() {
            let until = self.clock.now().checked_add(LEFT_ALONE).unwrap_or(Timestamp::MAX);
            self.left_alone_until.store(until.as_microsecond(), Ordering::Relaxed);
        }
        answer
    }
}

impl fmt::Debug for Valkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Valkey").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn failed(error: &RedisError) -> ValkeyError {
    if error.is_timeout() { ValkeyError::TimedOut } else { ValkeyError::Failed(error.to_string()) }
}
