//! Step 8. The way to the system behind, and back: circuit, turn, place, source, and all of it again
//! where a repeat is worth it.
//!
//! A [`CallError::Refused`] that comes out of here means that nothing was sent, ever: once a try reached
//! the source, a refusal of the next one is answered with what came of the first.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{
    cache::Caching,
    caller_limit,
    circuit::{Circuits, Passage},
    concurrency::{Place, Places},
    gate::Gate,
    invoke,
    limits::{Around, Limits},
    retry::Budgets,
    upstream_limit::Queues,
    waiting::Patience,
};
use crate::{
    Cache, Call, CallError, Clock, Counters, Entry, LocalCounters, OsRandomness, Outcome, Policy, Randomness, Refusal,
    ShieldEvents, Unwatched,
};

/// What stands between callers and the systems behind, beside the policies of the tools: where is
/// counted, who is told, and what chance there is.
pub struct Shield {
    counters: Option<Arc<dyn Counters>>,
    events: Arc<dyn ShieldEvents>,
    randomness: Arc<dyn Randomness>,
    cache: Option<Cache>,
}

impl Default for Shield {
    /// Counts in this process, and tells nobody.
    fn default() -> Self {
        Self { counters: None, events: Arc::new(Unwatched), randomness: Arc::new(OsRandomness), cache: None }
    }
}

impl Shield {
    /// Counts where other replicas count as well.
    #[must_use]
    pub fn with_counters(mut self, counters: Arc<dyn Counters>) -> Self {
        self.counters = Some(counters);
        self
    }

    /// Tells `events` what happens on the way to systems behind.
    #[must_use]
    pub fn with_events(mut self, events: Arc<dyn ShieldEvents>) -> Self {
        self.events = events;
        self
    }

    /// Draws the pauses between repeats from `randomness`.
    #[must_use]
    pub fn with_randomness(mut self, randomness: Arc<dyn Randomness>) -> Self {
        self.randomness = randomness;
        self
    }

    /// Remembers answers of tools whose policy says so. Without it, every call reaches its source.
    #[must_use]
    pub fn with_cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }
}

/// The way to the sources, shared by all calls.
pub(super) struct Dispatch {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) running: TaskTracker,
    pub(super) caching: Option<Arc<Caching>>,
    events: Arc<dyn ShieldEvents>,
    randomness: Arc<dyn Randomness>,
    limits: Limits,
    queues: Queues,
    circuits: Circuits,
    places: Places,
    budgets: Budgets,
}

/// What a call holds while its source runs, also when nobody waits for it any longer.
struct Held {
    place: Place,
    passage: Option<Passage>,
}

impl Dispatch {
    pub(super) fn new(clock: Arc<dyn Clock>, shield: Shield) -> Self {
        let Shield { counters, events, randomness, cache } = shield;
        Self {
            limits: Limits::new(counters, LocalCounters::new(clock.clone())),
            circuits: Circuits::new(clock.clone(), events.clone()),
            queues: Queues::default(),
            places: Places::new(clock.clone()),
            budgets: Budgets::default(),
            running: TaskTracker::new(),
            caching: cache.map(|cache| Arc::new(Caching::new(cache, clock.clone()))),
            randomness,
            events,
            clock,
        }
    }

    /// Step 4: whether it is the caller's turn.
    pub(super) async fn caller_may(&self, call: &Call, entry: &Entry) -> Result<(), Refusal> {
        caller_limit::check(&self.limits, call, entry, self.around(&entry.tool.policy)).await
    }

    /// Sends `call` to its source when it is its turn, and returns what came of it; with repeats where the
    /// policy allows them. The gate is passed directly before each sending.
    pub(super) async fn dispatch(&self, entry: &Arc<Entry>, call: &Call, gate: &Gate) -> Result<Outcome, CallError> {
        let mut retries = self.budgets.retries(entry, &*self.clock, &*self.randomness, &*self.events);
        let mut before = None;
        loop {
            let held = match (self.hold(entry, call).await, before) {
                (Ok(held), _) => held,
                (Err(_), Some(result)) => return result,
                (Err(refusal), None) => return Err(refusal.into()),
            };
            gate.pass(self.clock.now())?;
            let result = self.send(entry, call, held).await;
            if let Err(error) = &result {
                let around = self.around(&entry.tool.policy);
                self.queues.slow_down(&self.limits, entry, error, &*self.clock, around).await;
            }
            if !retries.again(call, &result).await {
                return result;
            }
            before = Some(result);
        }
    }

    /// Waits until the call may reach the source. Who had to wait for a place has let their turn pass
    /// meanwhile, and takes another one: or all who waited would go at once.
    async fn hold(&self, entry: &Entry, call: &Call) -> Result<Held, Refusal> {
        let around = self.around(&entry.tool.policy);
        let patience = Patience::of(call, &entry.tool.policy, &*self.clock);
        self.circuits.check(entry)?;
        self.queues.wait(&self.limits, entry, patience, around).await?;
        let place = self.places.take(entry, patience).await?;
        if place.waited {
            self.queues.wait(&self.limits, entry, patience, around).await?;
        }
        Ok(Held { place, passage: self.circuits.pass(entry, call)? })
    }

    async fn send(&self, entry: &Arc<Entry>, call: &Call, held: Held) -> Result<Outcome, CallError> {
        let Held { place, passage } = held;
        let heard = move |result: &Result<Outcome, CallError>| {
            if let Some(passage) = passage {
                passage.settle(result);
            }
            drop(place);
        };
        invoke::invoke(&self.running, entry.clone(), call.clone(), (self.caching.clone(), heard)).await
    }

    fn around<'a>(&'a self, policy: &'a Policy) -> Around<'a> {
        Around { policy, events: &*self.events }
    }
}
