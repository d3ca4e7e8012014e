//! The numbered steps that every call passes, the same for every source.
//!
//! | step | file | what it does |
//! |---|---|---|
//! | 1 | `audit` | writes down who called what and how it ended, whatever happens below |
//! | 2 | `find` | the tool of that name |
//! | 3 | `permit` | whether the caller has the tool's scope |
//! | 4 | `caller_limit` | whether it is the caller's turn |
//! | 5 | `arguments` | every argument against the compiled input schema |
//! | 6 | `deadline` | ends the waiting, not a write |
//! | 6a | `cache` | what is remembered of the tool, where it only reads; one question for all who ask the same |
//! | 7 | `shielded` | the way to the system behind, with repeats (`retry`) around: |
//! | 7a | `circuit` | whether the system behind is left in peace |
//! | 7b | `upstream_limit` | waits for the call's turn, in a bounded queue |
//! | 7c | `concurrency` | waits for a place, in a bounded queue |
//! | 7d | `invoke` | the source, in a task of its own |
//! | 8 | `shape` | the size limit, the output schema |
//!
//! The caller's limit comes before the arguments: checking them is work as well. Arguments come before
//! the turn and the place: a call that cannot succeed takes nobody's. The time in the queues counts
//! against the deadline. An answer that the cache has takes no turn and no place, and is shaped already. A
//! call that may have changed something tells the cache before it answers.

mod arguments;
mod audit;
mod cache;
mod caller_limit;
mod circuit;
mod concurrency;
mod deadline;
mod find;
mod flights;
mod invoke;
mod limits;
mod permit;
mod retry;
mod shape;
mod shielded;
mod upstream_limit;
mod waiting;
mod way;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::{
    AuditSink, Cache, Call, CallError, Catalog, Clock, Counters, Entry, Outcome, Randomness, Refusal, ShieldEvents,
};

/// Runs calls. One for each endpoint, shared by all requests.
pub struct Pipeline {
    clock: Arc<dyn Clock>,
    audit: Arc<dyn AuditSink>,
    shield: Arc<shielded::Shield>,
    running: TaskTracker,
    caching: Option<Arc<cache::Caching>>,
}

impl Pipeline {
    /// A pipeline that tells time by `clock` and writes down every call in `audit`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, audit: Arc<dyn AuditSink>) -> Self {
        let shield = Arc::new(shielded::Shield::new(clock.clone()));
        Self { clock, audit, shield, running: TaskTracker::new(), caching: None }
    }

    /// Counts limits where other replicas count as well. Without it, each process counts for itself.
    #[must_use]
    pub fn with_counters(self, counters: Arc<dyn Counters>) -> Self {
        self.with_shield(|shield| shield.share_counters(counters))
    }

    /// Tells `events` what happens on the way to systems behind.
    #[must_use]
    pub fn with_shield_events(self, events: Arc<dyn ShieldEvents>) -> Self {
        self.with_shield(|shield| shield.tell(events))
    }

    /// Draws the pauses between repeats from `randomness`, instead of the operating system's.
    #[must_use]
    pub fn with_randomness(self, randomness: Arc<dyn Randomness>) -> Self {
        self.with_shield(|shield| shield.draw_from(randomness))
    }

    /// Remembers answers of tools whose policy says so. Without it, every call reaches its source.
    #[must_use]
    pub fn with_cache(mut self, cache: Cache) -> Self {
        self.caching = Some(Arc::new(cache::Caching::new(cache, self.clock.clone())));
        self
    }

    fn with_shield(mut self, change: impl FnOnce(&mut shielded::Shield)) -> Self {
        // Nothing runs yet, so nobody else has it.
        if let Some(shield) = Arc::get_mut(&mut self.shield) {
            change(shield);
        }
        self
    }

    /// Runs one call against a catalog snapshot.
    ///
    /// Dropping the future ends the waiting. A read is then dropped as well; a call with effects
    /// goes on to its end in a task of its own, and [`Pipeline::drain`] waits for it.
    ///
    /// # Errors
    /// Why the call did not succeed, by blame.
    pub async fn run(&self, catalog: &Catalog, mut call: Call) -> Result<Outcome, CallError> {
        let mut record = audit::Open::new(&*self.audit, self.clock.clone(), &call);
        let result = async {
            let entry = find::find(catalog, &call)?;
            record.found(&entry.tool);
            permit::permit(&call, entry)?;
            self.shield.caller_may(&call, entry).await?;
            arguments::check(&mut call, entry)?;
            if self.running.is_closed() {
                return Err(Refusal::ShuttingDown.into());
            }
            call.max_result_bytes = entry.tool.policy.max_result_bytes;
            let deadline = deadline::Deadline::start(&*self.clock, &entry.tool.policy, &mut call);
            let fallback = cache::Fallback::default();
            let result = deadline.bound(entry, self.answer(entry, &call, (&record, &fallback))).await;
            if let Some(caching) = self.caching.as_ref().filter(|_| result.is_err()) {
                // Its time may be over while it goes on.
                caching.changed(entry, &result).await;
            }
            fallback.instead_of(result, self.clock.now(), &record)
        }
        .await;
        record.close(&result);
        result
    }

    async fn answer(
        &self,
        entry: &Arc<Entry>,
        call: &Call,
        (record, fallback): (&audit::Open<'_>, &cache::Fallback),
    ) -> Result<Outcome, CallError> {
        let way = way::Way {
            shield: self.shield.clone(),
            running: self.running.clone(),
            caching: self.caching.clone(),
            entry: entry.clone(),
        };
        match (&self.caching, cache::policy(entry)) {
            (Some(caching), Some(policy)) => caching.answer(&way, policy, call, (record, fallback)).await,
            _ => way.go(call, &|| record.reached()).await,
        }
    }

    /// Takes no more calls and waits until the running ones, those with effects that nobody
    /// waits for included, have ended.
    pub async fn drain(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

#[cfg(test)]
mod shield_tests;
#[cfg(test)]
mod tests;
