//! Tokio's paused time as a clock, for tests: it moves when everybody waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::Clock;

/// Begins with a moment of its own, and can be put forward and back like any clock on a wall.
pub(super) struct PausedClock {
    start: Instant,
    put: AtomicI64,
}

#[expect(clippy::disallowed_methods, reason = "Tokio's time stands still, and moves for nobody who does not wait")]
impl PausedClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), put: AtomicI64::new(0) })
    }

    pub(super) fn since_start(&self) -> Duration {
        Instant::now().duration_since(self.start)
    }

    /// So many seconds forward, or back where they are negative. Nobody who waits notices.
    pub(super) fn put(&self, seconds: i64) {
        self.put.fetch_add(seconds, Ordering::SeqCst);
    }
}

#[expect(clippy::disallowed_methods, reason = "as above")]
impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + self.put.load(Ordering::SeqCst)).unwrap() + self.since_start()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
