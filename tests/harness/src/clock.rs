//! A clock that stands still until it is moved.

use std::time::Duration;

use bridgehead_core::Clock;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

/// Time for tests: starts at 2026-01-01T00:00:00Z and moves only by [`MovableClock::advance`].
#[derive(Debug, Clone)]
pub struct MovableClock(watch::Sender<Timestamp>);

impl Default for MovableClock {
    fn default() -> Self {
        let start = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        Self(watch::Sender::new(start))
    }
}

impl MovableClock {
    /// Moves the clock forward; everything that waits for a time up to then goes on.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = now.checked_add(by).expect("a time within jiff's range"));
    }

    /// Returns when somebody waits on this clock: a moment at which it makes sense to move it.
    pub async fn has_sleepers(&self, at_least: usize) {
        while self.0.receiver_count() < at_least {
            tokio::task::yield_now().await;
        }
    }

    /// How many wait on this clock.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.0.receiver_count()
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut time = self.0.subscribe();
        let until = self.now().checked_add(duration).expect("a time within jiff's range");
        Box::pin(async move {
            // The sender outlives every test that waits on it.
            let _ = time.wait_for(|now| *now >= until).await;
        })
    }
}
