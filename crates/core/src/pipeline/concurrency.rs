//! Step 7. A place among the running calls, where the policy limits them; the queue is bounded.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Entry, Refusal, policy::Concurrency};

/// When a caller that found the queue full may come back. A guess: how long the others take is
/// not known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places of all limits, made when first asked for.
#[derive(Default)]
pub(super) struct Places(Mutex<HashMap<Arc<str>, Arc<Limit>>>);

struct Limit {
    running: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Counts one waiting call, also when its client goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// Waits for a place; it is free again when what is returned is dropped.
    pub(super) async fn take(&self, entry: &Entry) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        let Some(concurrency) = &entry.tool.policy.concurrency else { return Ok(None) };
        let limit = self.limit(concurrency);
        if let Ok(place) = limit.running.clone().try_acquire_owned() {
            return Ok(Some(place));
        }
        let waiting = Waiting(&limit.waiting);
        if limit.waiting.fetch_add(1, Ordering::Relaxed) >= concurrency.waiting {
            return Err(Refusal::Busy { retry_after: RETRY_AFTER });
        }
        let place = limit.running.clone().acquire_owned().await;
        drop(waiting);
        place.map(Some).map_err(|_closed| Refusal::ShuttingDown)
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
