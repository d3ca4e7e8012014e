//! Step 8c. A place among the running calls, where the policy limits them; the queue is bounded. Each
//! replica counts for itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::waiting::{Patience, Waiting};
use crate::{Clock, Entry, Refusal, policy::Concurrency};

/// How long a call is taken to hold its place before any has given one back.
const AT_FIRST: SignedDuration = SignedDuration::from_secs(1);
/// How much of the mean the latest call makes: one in so many.
const WEIGHT: i32 = 8;
/// How far ahead those who are refused are told to come back.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// The places of all limits, made when first asked for.
pub(super) struct Places {
    clock: Arc<dyn Clock>,
    limits: Mutex<HashMap<Arc<str>, Arc<Limit>>>,
}

struct Limit {
    running: Arc<Semaphore>,
    places: usize,
    waiting: AtomicUsize,
    turnover: Mutex<Turnover>,
}

/// How soon places become free.
struct Turnover {
    /// How long a call holds its place, in the mean of the latest.
    held: SignedDuration,
    /// Up to when those who were refused were told to come back.
    promised: Timestamp,
}

/// A place among the running calls, free again when it is dropped.
#[derive(Default)]
pub(super) struct Place {
    held: Option<Held>,
    /// Whether the call had to wait for it.
    pub(super) waited: bool,
}

struct Held {
    _permit: OwnedSemaphorePermit,
    limit: Arc<Limit>,
    clock: Arc<dyn Clock>,
    since: Timestamp,
}

impl Places {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, limits: Mutex::default() }
    }

    /// Waits for a place.
    pub(super) async fn take(&self, entry: &Entry, patience: Patience<'_>) -> Result<Place, Refusal> {
        let Some(concurrency) = &entry.tool.policy.concurrency else { return Ok(Place::default()) };
        let limit = self.limit(concurrency);
        if let Ok(permit) = limit.running.clone().try_acquire_owned() {
            return Ok(self.place(permit, limit, false));
        }
        let waiting = Waiting::new(&limit.waiting);
        if waiting.before() >= concurrency.waiting {
            return Err(self.busy(&limit, waiting.before()));
        }
        tokio::select! {
            biased;
            permit = limit.running.clone().acquire_owned() => match permit {
                Ok(permit) => Ok(self.place(permit, limit.clone(), true)),
                Err(_closed) => Err(Refusal::ShuttingDown),
            },
            () = patience.clock.sleep(patience.left()) => Err(self.busy(&limit, waiting.before())),
        }
    }

    fn place(&self, permit: OwnedSemaphorePermit, limit: Arc<Limit>, waited: bool) -> Place {
        let (clock, since) = (self.clock.clone(), self.clock.now());
        Place { held: Some(Held { _permit: permit, limit, clock, since }), waited }
    }

    /// A guess at when it would be their turn, behind those who wait and those who were refused before: how
    /// long the others will take is not known.
    fn busy(&self, limit: &Limit, waiting: usize) -> Refusal {
        let now = self.clock.now();
        let mut turnover = limit.turnover.lock().unwrap_or_else(PoisonError::into_inner);
        let each = turnover.held / i32::try_from(limit.places).unwrap_or(i32::MAX);
        let behind = i32::try_from(waiting).unwrap_or(i32::MAX).saturating_add(1);
        let later = |from: Timestamp, by| from.checked_add(by).unwrap_or(Timestamp::MAX);
        let at = later(now, each.saturating_mul(behind)).max(turnover.promised).min(later(now, AHEAD));
        turnover.promised = later(at, each);
        Refusal::Busy { retry_after: Duration::try_from(at.duration_since(now)).unwrap_or_default() }
    }

    fn limit(&self, concurrency: &Concurrency) -> Arc<Limit> {
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits
            .entry(concurrency.shared_by.clone())
            .or_insert_with(|| {
                Arc::new(Limit {
                    running: Arc::new(Semaphore::new(concurrency.running.min(Semaphore::MAX_PERMITS))),
                    places: concurrency.running.max(1),
                    waiting: AtomicUsize::new(0),
                    turnover: Mutex::new(Turnover { held: AT_FIRST, promised: Timestamp::MIN }),
                })
            })
            .clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(Held { limit, clock, since, .. }) = &self.held {
            let held = clock.now().duration_since(*since);
            let mut turnover = limit.turnover.lock().unwrap_or_else(PoisonError::into_inner);
            turnover.held = turnover.held + (held - turnover.held) / WEIGHT;
        }
    }
}
