//! The trace of connection attempts: what a client and a teammate did, step by step, so that an
//! operator sees where it stopped (requirement A4). It is kept for a day and within bounds, holds
//! no secret, and never fails or delays the request that is traced.

mod attempts;
mod event;
mod render;

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bridgehead_core::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

pub use attempts::{Attempt, attempts};
pub use event::{Fact, Facts, Step, StepOutcome, TraceEvent};
pub use render::render;

use crate::{StoreError, keys::to_microsecond};

/// How long a trace is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How many steps are kept at most, the newest.
const KEPT_STEPS: u32 = 10_000;
/// How many steps wait to be stored; what comes then is dropped and counted.
const WAITING: usize = 1024;
/// How many are stored at once.
const BATCH: usize = 256;
/// So often within a minute the same is recorded of a step that any stranger can take. Whoever knocks
/// a thousand times without a credential must not push everybody else out.
const REPEATED_AT_MOST: u32 = 10;
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_mins(1);

/// What is kept of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Nothing from before then.
    pub since: Timestamp,
    /// And the newest of those, so many.
    pub at_most: u32,
}

/// Keeps the steps. Times are kept as [`to_microsecond`] says. Each implementation passes
/// `bridgehead_stores::contract`.
#[async_trait]
pub trait TraceStore: Send + Sync + 'static {
    /// Adds steps behind those that are there, and removes what is not to be kept.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn append_trace(&self, events: Vec<TraceEvent>, kept: Kept) -> Result<(), StoreError>;

    /// The steps from `since` on, oldest first; of one time, in the order in which they were added.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn trace_since(&self, since: Timestamp) -> Result<Vec<TraceEvent>, StoreError>;
}

/// Records steps and gives them back as attempts. Cloning it records into the same trace.
#[derive(Clone)]
pub struct Trace(Arc<Inner>);

struct Inner {
    store: Arc<dyn TraceStore>,
    clock: Arc<dyn Clock>,
    queue: Mutex<Queue>,
    dropped: AtomicU64,
    recording: TaskTracker,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<TraceEvent>,
    being_stored: bool,
    recent: HashMap<(Step, StepOutcome, String), (Timestamp, u32)>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl Trace {
    /// The trace in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn TraceStore>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Inner {
            store,
            clock,
            queue: Mutex::default(),
            dropped: AtomicU64::new(0),
            recording: TaskTracker::new(),
        }))
    }

    /// Records a step, now. Returns at once: it is stored by a task of its own, and dropped where
    /// too many wait. Has to be called on a Tokio runtime; elsewhere the step is dropped.
    pub fn record(&self, event: TraceEvent) {
        let now = to_microsecond(self.0.clock.now());
        let event = TraceEvent { at: now, ..event };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return self.0.drop_events(1) };
        let mut queue = self.0.queue();
        if queue.is_repeated(&event) {
            return;
        }
        if queue.events.len() >= WAITING {
            drop(queue);
            return self.0.drop_events(1);
        }
        queue.events.push_back(event);
        if !queue.being_stored {
            queue.being_stored = true;
            self.0.recording.spawn_on(store_all(self.0.clone()), &runtime);
        }
    }

    /// How many steps were dropped: too many waited, or the store did not take them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// The attempts of the last day, oldest first.
    ///
    /// # Errors
    /// As the store says.
    pub async fn attempts(&self) -> Result<Vec<Attempt>, StoreError> {
        Ok(attempts(self.0.store.trace_since(kept(self.0.clock.now()).since).await?))
    }

    /// Waits until what was recorded is stored: for an orderly end, before the store is closed.
    pub async fn settle(&self) {
        self.0.recording.close();
        self.0.recording.wait().await;
        self.0.recording.reopen();
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drop_events(&self, count: usize) {
        self.dropped.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The next steps to be stored; `None` where there are none, and whoever records the next one
    /// begins anew.
    fn next(&self) -> Option<Vec<TraceEvent>> {
        let mut queue = self.queue();
        let count = queue.events.len().min(BATCH);
        if count == 0 {
            queue.being_stored = false;
            return None;
        }
        Some(queue.events.drain(..count).collect())
    }
}

impl Queue {
    /// Whether the same was recorded often enough, of a step that any stranger can take.
    fn is_repeated(&mut self, event: &TraceEvent) -> bool {
        if !matches!(event.step, Step::Challenge | Step::Metadata) {
            return false;
        }
        if self.recent.len() >= WAITING {
            self.recent.clear();
        }
        let (since, count) =
            self.recent.entry((event.step, event.outcome, event.facts.to_text())).or_insert((event.at, 0));
        if event.at.duration_since(*since) >= REPEATED_WITHIN {
            (*since, *count) = (event.at, 0);
        }
        *count = count.saturating_add(1);
        *count > REPEATED_AT_MOST
    }
}

async fn store_all(trace: Arc<Inner>) {
    while let Some(events) = trace.next() {
        let count = events.len();
        if let Err(error) = trace.store.append_trace(events, kept(trace.clock.now())).await {
            trace.drop_events(count);
            tracing::debug!(steps = count, %error, "steps of connection attempts were not stored");
        }
    }
}

fn kept(now: Timestamp) -> Kept {
    Kept { since: now.checked_sub(KEPT_FOR).unwrap_or(Timestamp::MIN), at_most: KEPT_STEPS }
}
