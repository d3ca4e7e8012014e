//! The cache of one process, in memory and in bounds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use moka::sync::Cache;

use super::{CacheKey, CacheLost, CacheStore, Found, Generation, Remembered};
use crate::Clock;

/// How much memory remembered answers take at most, unless said otherwise.
pub const LOCAL_BYTES: u64 = 64 * 1024 * 1024;

/// Remembers for this process alone. What does not fit any more is forgotten, the least used first.
pub struct LocalCache {
    clock: Arc<dyn Clock>,
    answers: Cache<CacheKey, Kept>,
    generations: Mutex<HashMap<Arc<str>, Generation>>,
}

#[derive(Clone)]
struct Kept {
    generation: Generation,
    answer: Arc<Remembered>,
    until: Timestamp,
    bytes: u32,
}

impl LocalCache {
    /// A cache with nothing in it, which takes so many bytes.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, bytes: u64) -> Self {
        // Times are ours, by the injected clock; only the bound is moka's.
        let answers = Cache::builder().max_capacity(bytes).weigher(|_, kept: &Kept| kept.bytes).build();
        Self { clock, answers, generations: Mutex::default() }
    }

    fn generation(&self, tool: &str) -> Generation {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.get(tool).copied().unwrap_or(Generation(0))
    }
}

#[async_trait]
impl CacheStore for LocalCache {
    async fn look(&self, tool: &str, key: &CacheKey) -> Result<Found, CacheLost> {
        let generation = self.generation(tool);
        let (kept, now) = (self.answers.get(key), self.clock.now());
        if kept.as_ref().is_some_and(|kept| kept.until <= now) {
            self.answers.invalidate(key);
        }
        let kept = kept.filter(|kept| kept.generation == generation && kept.until > now);
        Ok(Found { generation, answer: kept.map(|kept| kept.answer) })
    }

    async fn keep(
        &self,
        tool: &str,
        (key, generation): (&CacheKey, Generation),
        answer: Arc<Remembered>,
        time: Duration,
    ) -> Result<(), CacheLost> {
        // Between this and the insertion another one may begin; then it is never found.
        if self.generation(tool) != generation {
            return Ok(());
        }
        let until = self.clock.now().checked_add(time).unwrap_or(Timestamp::MAX);
        // About what it takes in memory: JSON values are larger than their text.
        let bytes = u32::try_from(answer.to_bytes().len()).unwrap_or(u32::MAX).saturating_mul(3).saturating_add(512);
        self.answers.insert(*key, Kept { generation, answer, until, bytes });
        Ok(())
    }

    async fn forget(&self, tools: &[Arc<str>]) -> Result<(), CacheLost> {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        for tool in tools {
            let generation = generations.entry(tool.clone()).or_insert(Generation(0));
            *generation = Generation(generation.0 + 1);
        }
        Ok(())
    }
}
