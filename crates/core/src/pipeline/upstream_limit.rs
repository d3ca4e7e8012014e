//! Step 8b. How often all callers together reach a system behind. A call waits for its turn in a bounded queue;
//! beyond that each is told a time of its own to come back, so that the system never sees more than
//! it bears, and nobody comes back for nothing.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;

use super::{
    limits::{Around, Limits},
    waiting::{Patience, Waiting},
};
use crate::{
    CallError, Clock, Entry, Refusal, ShieldEvent, UpstreamCode,
    counters::{Terms, Turn},
    policy::SharedRate,
};

/// How far ahead turns are promised to those who are refused.
const AHEAD: Duration = Duration::from_secs(60 * 60);
/// The longest pause that a system behind gets for one answer that asks for it.
const LONGEST_PAUSE: Duration = Duration::from_secs(60 * 60);

/// The queues of all limits, made when first asked for.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<Arc<str>, Arc<Queue>>>);

#[derive(Default)]
struct Queue {
    waiting: AtomicUsize,
    /// Until when the system behind asked for a pause, in microseconds since 1970.
    paused_until: std::sync::atomic::AtomicI64,
}

impl Queues {
    /// Waits for the call's turn.
    pub(super) async fn wait(
        &self,
        limits: &Limits,
        entry: &Entry,
        patience: Patience<'_>,
        around: Around<'_>,
    ) -> Result<(), Refusal> {
        let Some(limit) = &entry.tool.policy.upstream_rate else { return Ok(()) };
        let queue = self.queue(limit);
        let waiting = Waiting::new(&queue.waiting);
        let has_room = waiting.before() < limit.waiting;
        loop {
            let terms = Terms { wait: if has_room { patience.left() } else { Duration::ZERO }, ahead: AHEAD };
            match limits.take(&key(limit), &limit.rate, terms, around).await? {
                Turn::Refused { retry_after } => return Err(Refusal::Busy { retry_after }),
                Turn::Granted { wait } if wait.is_zero() => return Ok(()),
                Turn::Granted { wait } => patience.clock.sleep(wait).await,
            }
            // A pause that began meanwhile holds for those who were waiting as well.
            if queue.paused_until.load(Ordering::Relaxed) <= patience.clock.now().as_microsecond() {
                return Ok(());
            }
        }
    }

    /// Obeys a system behind that says when it wants to be called again.
    pub(super) async fn slow_down(
        &self,
        limits: &Limits,
        entry: &Entry,
        error: &CallError,
        clock: &dyn Clock,
        around: Around<'_>,
    ) {
        let (Some(limit), Some(pause)) = (&entry.tool.policy.upstream_rate, pause_asked_for(error)) else { return };
        let until = clock.now().checked_add(pause).unwrap_or(Timestamp::MAX).as_microsecond();
        self.queue(limit).paused_until.fetch_max(until, Ordering::Relaxed);
        around.events.happened(ShieldEvent::Paused { source: &entry.tool.address.source, pause });
        limits.pause(&key(limit), &limit.rate, pause, around).await;
    }

    fn queue(&self, limit: &SharedRate) -> Arc<Queue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry(limit.shared_by.clone()).or_default().clone()
    }
}

fn key(limit: &SharedRate) -> String {
    format!("upstream/{}", limit.shared_by)
}

fn pause_asked_for(error: &CallError) -> Option<Duration> {
    let CallError::Upstream(failure) = error else { return None };
    let wants_fewer = matches!(failure.code, UpstreamCode::RateLimited | UpstreamCode::Busy);
    failure.retry_after.filter(|after| wants_fewer && !after.is_zero()).map(|after| after.min(LONGEST_PAUSE))
}
