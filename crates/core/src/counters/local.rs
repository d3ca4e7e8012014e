//! Counters of one process, in memory and in bounds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use super::{Bucket, Counters, CountersLost, Pace, Terms, Turn, micros};
use crate::{Clock, policy::Rate};

/// How many keys are remembered. Names of callers may be made up by strangers where the system behind
/// judges them, so there has to be a bound.
const REMEMBERED: usize = 50_000;
/// What those beyond it share.
const ALL_OTHERS: &str = "";
/// How often at most is looked for keys that can be forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Counts for this process alone.
pub struct LocalCounters {
    clock: Arc<dyn Clock>,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    buckets: HashMap<Box<str>, Bucket>,
    next_sweep: i64,
}

impl LocalCounters {
    /// Counters with nothing counted yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, counted: Mutex::default() }
    }

    /// As [`Counters::take`], without a way to fail.
    pub fn take_now(&self, key: &str, rate: &Rate, terms: Terms) -> Turn {
        let now = self.clock.now().as_microsecond();
        self.counted().bucket(key, now).take(Pace::from(rate), terms, now)
    }

    /// As [`Counters::pause`], without a way to fail.
    pub fn pause_now(&self, key: &str, rate: &Rate, pause: Duration) {
        let now = self.clock.now().as_microsecond();
        self.counted().bucket(key, now).pause(Pace::from(rate), pause, now);
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn bucket(&mut self, key: &str, now: i64) -> &mut Bucket {
        let known = self.buckets.contains_key(key);
        if !known && self.buckets.len() >= REMEMBERED && now >= self.next_sweep {
            self.buckets.retain(|_, bucket| !bucket.is_idle(now));
            self.next_sweep = now.saturating_add(micros(SWEEP_EVERY));
        }
        let key = if known || self.buckets.len() < REMEMBERED { key } else { ALL_OTHERS };
        self.buckets.entry(key.into()).or_default()
    }
}

#[async_trait]
impl Counters for LocalCounters {
    async fn take(&self, key: &str, rate: &Rate, terms: Terms) -> Result<Turn, CountersLost> {
        Ok(self.take_now(key, rate, terms))
    }

    async fn pause(&self, key: &str, rate: &Rate, pause: Duration) -> Result<(), CountersLost> {
        self.pause_now(key, rate, pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::SystemClock;

    #[test]
    fn what_is_remembered_has_a_bound_and_strangers_beyond_it_share() {
        let counters = LocalCounters::new(Arc::new(SystemClock));
        let one = NonZeroU32::MIN;
        let rate = Rate { calls: one, per: Duration::from_secs(24 * 60 * 60), burst: one };
        let terms = Terms { wait: Duration::ZERO, ahead: Duration::ZERO };
        let granted = (0..REMEMBERED + 100)
            .filter(|number| matches!(counters.take_now(&number.to_string(), &rate, terms), Turn::Granted { .. }))
            .count();
        assert_eq!(granted, REMEMBERED + 1);
        assert_eq!(counters.counted().buckets.len(), REMEMBERED + 1);
    }
}
