//! Step 7c. A place among the running calls, where the policy limits them; the queue is bounded. Each replica
//! counts for itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::waiting::{Patience, Waiting};
use crate::{Entry, Refusal, policy::Concurrency};

/// When a caller that found no place may come back. A guess: how long the others take is not known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places of all limits, made when first asked for.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<Arc<str>, Arc<Limit>>>);

struct Limit {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A place among the running calls, free again when it is dropped.
#[derive(Default)]
pub(super) struct Place {
    _held: Option<OwnedSemaphorePermit>,
    /// Whether the call had to wait for it.
    pub(super) waited: bool,
}

impl Places {
    /// Waits for a place.
    pub(super) async fn take(&self, entry: &Entry, patience: Patience<'_>) -> Result<Place, Refusal> {
        let Some(concurrency) = &entry.tool.policy.concurrency else { return Ok(Place::default()) };
        let limit = self.limit(concurrency);
        if let Ok(place) = limit.running.clone().try_acquire_owned() {
            return Ok(Place { _held: Some(place), waited: false });
        }
        let waiting = Waiting::new(&limit.waiting);
        if waiting.before() >= concurrency.waiting {
            return Err(Refusal::Busy { retry_after: RETRY_AFTER });
        }
        tokio::select! {
            biased;
            place = limit.running.clone().acquire_owned() => match place {
                Ok(place) => Ok(Place { _held: Some(place), waited: true }),
                Err(_closed) => Err(Refusal::ShuttingDown),
            },
            () = patience.clock.sleep(patience.left()) => Err(Refusal::Busy { retry_after: RETRY_AFTER }),
        }
    }

    fn limit(&self, concurrency: &Concurrency) -> Arc<Limit> {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits
            .entry(concurrency.shared_by.clone())
            .or_insert_with(|| {
                Arc::new(Limit { running: Arc::new(Semaphore::new(concurrency.running)), waiting: AtomicUsize::new(0) })
            })
            .clone()
    }
}
