//! Where turns come from: the counters that replicas share, where there are any, else this process.
//! What holds while the shared ones are lost is the policy's decision. Used by [`super::caller_limit`]
//! and [`super::upstream_limit`]; no step of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crate::{
    Counters, LocalCounters, Policy, Refusal, ShieldEvent, ShieldEvents,
    counters::{CountersLost, Terms, Turn},
    policy::{OnSharedLoss, Rate},
};

/// When a call may come back that was refused because nobody could count it. A guess: about as long as
/// it takes to start a Valkey server again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

pub(super) struct Limits {
    shared: Option<Arc<dyn Counters>>,
    local: LocalCounters,
    /// Whether the shared counters failed when they were last asked.
    lost: AtomicBool,
}

impl Limits {
    pub(super) const fn new(shared: Option<Arc<dyn Counters>>, local: LocalCounters) -> Self {
        Self { shared, local, lost: AtomicBool::new(false) }
    }

    /// Takes the next turn of `key`, if it comes in time.
    pub(super) async fn take(&self, key: &str, rate: &Rate, terms: Terms, around: Around<'_>) -> Result<Turn, Refusal> {
        let Some(shared) = &self.shared else { return Ok(self.local.take_now(key, rate, terms)) };
        match (self.noted(shared.take(key, rate, terms).await, around), around.policy.on_shared_loss) {
            (Some(turn), _) => Ok(turn),
            (None, OnSharedLoss::Open) => Ok(self.local.take_now(key, rate, terms)),
            (None, OnSharedLoss::Closed) => Err(Refusal::LimitsLost { retry_after: RETRY_AFTER }),
        }
    }

    /// Gives out no turn of `key` for a while.
    pub(super) async fn pause(&self, key: &str, rate: &Rate, pause: Duration, around: Around<'_>) {
        // Also here, for the time when the shared ones are lost.
        self.local.pause_now(key, rate, pause);
        if let Some(shared) = &self.shared {
            self.noted(shared.pause(key, rate, pause).await, around);
        }
    }

    /// Says once that the shared counters are lost, and once that they are back.
    fn noted<T>(&self, result: Result<T, CountersLost>, around: Around<'_>) -> Option<T> {
        let lost = result.is_err();
        if self.lost.swap(lost, Ordering::Relaxed) != lost {
            match &result {
                Err(error) => tracing::error!(%error, "limits are no longer shared; policies say what holds meanwhile"),
                Ok(_) => tracing::info!("limits are shared again"),
            }
            around.events.happened(ShieldEvent::SharedCounters { reached: !lost });
        }
        result.ok()
    }
}

/// What goes along with every question.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) policy: &'a Policy,
    pub(super) events: &'a dyn ShieldEvents,
}
