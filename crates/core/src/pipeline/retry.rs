//! When a call that failed is worth another try, and when not: only what changes nothing, only what may
//! pass by itself, only within the call's time, and never so often that an outage is multiplied.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{Call, CallError, Clock, Entry, Outcome, Randomness, ShieldEvent, ShieldEvents};

/// The pause before the first repeat is anything up to that; before each further one, up to twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// In tenths of a repeat: each call that may be repeated earns one tenth, …
const EARNED: u32 = 1;
/// … each repeat costs ten, …
const COST: u32 = 10;
/// … a source starts with some, since its first calls may well hit a server that is just starting, …
const AT_FIRST: u32 = 5 * COST;
/// … and saves up no more than that.
const AT_MOST: u32 = 10 * COST;

/// What each source may still repeat.
#[derive(Default)]
pub(super) struct Budgets(Mutex<HashMap<Arc<str>, u32>>);

/// The repeats of one call.
pub(super) struct Retries<'a> {
    budgets: &'a Budgets,
    clock: &'a dyn Clock,
    randomness: &'a dyn Randomness,
    events: &'a dyn ShieldEvents,
    entry: &'a Entry,
    done: u32,
}

impl Budgets {
    pub(super) fn retries<'a>(
        &'a self,
        entry: &'a Entry,
        clock: &'a dyn Clock,
        randomness: &'a dyn Randomness,
        events: &'a dyn ShieldEvents,
    ) -> Retries<'a> {
        if may_be_repeated(entry) {
            self.change(entry, |left| Some((left + EARNED).min(AT_MOST)));
        }
        Retries { budgets: self, clock, randomness, events, entry, done: 0 }
    }

    /// Whether `change` could be made.
    fn change(&self, entry: &Entry, change: impl FnOnce(u32) -> Option<u32>) -> bool {
        let mut budgets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = budgets.entry(entry.tool.address.source.clone()).or_insert(AT_FIRST);
        match change(*left) {
            Some(then) => {
                *left = then;
                true
            }
            None => false,
        }
    }
}

impl Retries<'_> {
    /// Waits for the moment of the next try; `false` where there is none.
    pub(super) async fn again(&mut self, call: &Call, result: &Result<Outcome, CallError>) -> bool {
        let Some(pause) = self.pause(result).filter(|pause| *pause < self.time_left(call)) else { return false };
        let source = &*self.entry.tool.address.source;
        if !self.budgets.change(self.entry, |left| left.checked_sub(COST)) {
            self.events.happened(ShieldEvent::RetryBudgetSpent { source });
            return false;
        }
        self.done += 1;
        self.events.happened(ShieldEvent::Retried { source });
        self.clock.sleep(pause).await;
        true
    }

    /// Full jitter: anything up to the bound, so that those who failed together do not come back
    /// together. What the system behind asked for comes on top.
    fn pause(&self, result: &Result<Outcome, CallError>) -> Option<Duration> {
        let Err(CallError::Upstream(failure)) = result else { return None };
        if !may_be_repeated(self.entry) || self.done >= self.entry.tool.policy.retries || !failure.retryable {
            return None;
        }
        let bound = FIRST_PAUSE.saturating_mul(1 << self.done.min(10)).min(LONGEST_PAUSE);
        let mut bytes = [0; 4];
        self.randomness.fill(&mut bytes);
        let jitter = bound.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX));
        Some(failure.retry_after.unwrap_or_default().saturating_add(jitter))
    }

    fn time_left(&self, call: &Call) -> Duration {
        let left = call.deadline.map(|deadline| deadline.duration_since(self.clock.now()));
        left.map_or(Duration::MAX, |left| Duration::try_from(left).unwrap_or_default())
    }
}

fn may_be_repeated(entry: &Entry) -> bool {
    entry.tool.effect.is_read() && entry.tool.policy.retries > 0
}
