//! Step 7. The way to the system behind, and back: circuit, place, turn, source, and all of it again where a
//! repeat is worth it.
//!
//! A [`CallError::Refused`] that comes out of here means that nothing was sent, ever: once a try reached
//! the source, a refusal of the next one is answered with what came of the first.

use std::sync::Arc;

use super::{
    caller_limit,
    circuit::Circuits,
    concurrency::Places,
    invoke::{Held, Invoke},
    limits::{Around, Limits},
    retry::Budgets,
    upstream_limit::Queues,
    waiting::Patience,
};
use crate::{
    Call, CallError, Clock, Counters, Entry, LocalCounters, OsRandomness, Outcome, Policy, Randomness, Refusal,
    ShieldEvents, Unwatched,
};

/// What stands between callers and the systems behind.
pub(super) struct Shield {
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    events: Arc<dyn ShieldEvents>,
    limits: Limits,
    queues: Queues,
    circuits: Circuits,
    places: Places,
    budgets: Budgets,
}

impl Shield {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let events: Arc<dyn ShieldEvents> = Arc::new(Unwatched);
        Self {
            limits: Limits::new(LocalCounters::new(clock.clone())),
            circuits: Circuits::new(clock.clone(), events.clone()),
            queues: Queues::default(),
            places: Places::default(),
            budgets: Budgets::default(),
            randomness: Arc::new(OsRandomness),
            clock,
            events,
        }
    }

    pub(super) fn share_counters(&mut self, counters: Arc<dyn Counters>) {
        self.limits.shared = Some(counters);
    }

    pub(super) fn tell(&mut self, events: Arc<dyn ShieldEvents>) {
        self.circuits = Circuits::new(self.clock.clone(), events.clone());
        self.events = events;
    }

    pub(super) fn draw_from(&mut self, randomness: Arc<dyn Randomness>) {
        self.randomness = randomness;
    }

    /// Whether it is the caller's turn.
    pub(super) async fn caller_may(&self, call: &Call, entry: &Entry) -> Result<(), Refusal> {
        caller_limit::check(&self.limits, call, entry, self.around(&entry.tool.policy)).await
    }

    /// Runs the call, with repeats where the policy allows them. `reached` is called before each try
    /// that the source sees.
    pub(super) async fn call(
        &self,
        invoke: &Invoke<'_>,
        entry: &Arc<Entry>,
        call: &Call,
        reached: &(dyn Fn() + Sync),
    ) -> Result<Outcome, CallError> {
        let mut retries = self.budgets.retries(entry, &*self.clock, &*self.randomness, &*self.events);
        let mut before = None;
        loop {
            let result = match (self.way(entry, call).await, before) {
                (Ok(held), _) => {
                    reached();
                    invoke.run(entry, call, held).await
                }
                (Err(_), Some(result)) => return result,
                (Err(refusal), None) => return Err(refusal.into()),
            };
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

    /// Waits until the call may reach the source. The turn comes last but for the place: who had to wait
    /// for that has let their turn pass, and takes another one, or all who waited would go at once.
    async fn way(&self, entry: &Entry, call: &Call) -> Result<Held, Refusal> {
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

    fn around<'a>(&'a self, policy: &'a Policy) -> Around<'a> {
        Around { policy, events: &*self.events }
    }
}
