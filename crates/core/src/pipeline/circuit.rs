//! Step 8a. Leaves a system behind in peace for a while when it fails again and again. One circuit for each
//! source; each replica finds out for itself.
//!
//! Closed, calls pass. After so many failures in a row it opens, and calls are refused. When its time is
//! up, one call tries: if it succeeds the circuit closes, else it opens again.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::{
    Call, CallError, CircuitState, Clock, Entry, Outcome, Refusal, ShieldEvent, ShieldEvents, UpstreamCode,
    policy::CircuitPolicy,
};

/// When a call may come back that was refused while another one tries. A guess.
const WHILE_TRYING: Duration = Duration::from_secs(1);

/// The circuits of all sources, made when first asked for.
pub(super) struct Circuits {
    clock: Arc<dyn Clock>,
    events: Arc<dyn ShieldEvents>,
    by_source: Mutex<HashMap<Arc<str>, Arc<Circuit>>>,
}

#[derive(Default)]
struct Circuit(Mutex<State>);

enum State {
    Closed { failures: u32 },
    Open { until: Timestamp },
    Trying,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// What came of a call, for the circuit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    /// The system behind is well, whatever it thinks of the call.
    Well,
    Failing,
    /// Says nothing about the system behind.
    Unknown,
}

/// A call that the circuit let pass. Has to hear what came of it; dropped before that, it counts as
/// failed if its time was up, and not at all if nobody waited for it any longer.
pub(super) struct Passage {
    circuit: Arc<Circuit>,
    policy: CircuitPolicy,
    source: Arc<str>,
    clock: Arc<dyn Clock>,
    events: Arc<dyn ShieldEvents>,
    deadline: Option<Timestamp>,
    tries: bool,
    settled: bool,
}

impl Circuits {
    pub(super) fn new(clock: Arc<dyn Clock>, events: Arc<dyn ShieldEvents>) -> Self {
        Self { clock, events, by_source: Mutex::default() }
    }

    /// Refuses early: a call that would be refused anyhow uses up nobody's turn.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), Refusal> {
        match entry.tool.policy.circuit {
            Some(_) => self.circuit(entry).refuses(&entry.tool.address.source, self.clock.now()),
            None => Ok(()),
        }
    }

    /// Lets the call pass, or refuses it. The first one after the time is up is the one that tries.
    pub(super) fn pass(&self, entry: &Entry, call: &Call) -> Result<Option<Passage>, Refusal> {
        let Some(policy) = entry.tool.policy.circuit else { return Ok(None) };
        let circuit = self.circuit(entry);
        let source = &entry.tool.address.source;
        let mut state = circuit.state();
        circuit.refused(&state, source, self.clock.now())?;
        let tries = matches!(*state, State::Open { .. });
        if tries {
            *state = State::Trying;
            self.events.happened(ShieldEvent::Circuit { source, state: CircuitState::HalfOpen });
        }
        drop(state);
        Ok(Some(Passage {
            circuit,
            policy,
            source: source.clone(),
            clock: self.clock.clone(),
            events: self.events.clone(),
            deadline: call.deadline,
            tries,
            settled: false,
        }))
    }

    fn circuit(&self, entry: &Entry) -> Arc<Circuit> {
        let mut circuits = self.by_source.lock().unwrap_or_else(PoisonError::into_inner);
        circuits.entry(entry.tool.address.source.clone()).or_default().clone()
    }
}

impl Circuit {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuses(&self, source: &Arc<str>, now: Timestamp) -> Result<(), Refusal> {
        self.refused(&self.state(), source, now)
    }

    fn refused(&self, state: &State, source: &Arc<str>, now: Timestamp) -> Result<(), Refusal> {
        let retry_after = match state {
            State::Open { until } => Duration::try_from(until.duration_since(now)).unwrap_or_default(),
            State::Trying => WHILE_TRYING,
            State::Closed { .. } => Duration::ZERO,
        };
        if retry_after.is_zero() {
            return Ok(());
        }
        Err(Refusal::CircuitOpen { source_name: source.clone(), retry_after })
    }
}

impl Passage {
    /// Hears what came of the call.
    pub(super) fn settle(mut self, result: &Result<Outcome, CallError>) {
        self.note(health(result));
    }

    fn note(&mut self, health: Health) {
        self.settled = true;
        let mut state = self.circuit.state();
        let next = match (&*state, health) {
            (State::Closed { .. }, Health::Well) => State::Closed { failures: 0 },
            (State::Closed { failures }, Health::Failing) if failures + 1 < self.policy.failures.get() => {
                State::Closed { failures: failures + 1 }
            }
            (State::Closed { .. }, Health::Failing) => self.opened(),
            (State::Trying, Health::Well) if self.tries => State::Closed { failures: 0 },
            (State::Trying, Health::Failing) if self.tries => self.opened(),
            // Nobody knows yet, so the next one tries.
            (State::Trying, Health::Unknown) if self.tries => State::Open { until: self.clock.now() },
            // A call from before it opened: it says nothing of now.
            (State::Closed { .. }, Health::Unknown) | (State::Open { .. } | State::Trying, _) => return,
        };
        let (before, after) = (state.shown(), next.shown());
        *state = next;
        drop(state);
        if before != after {
            tracing::warn!(source = &*self.source, from = ?before, to = ?after, "circuit changed");
            self.events.happened(ShieldEvent::Circuit { source: &self.source, state: after });
        }
    }

    fn opened(&self) -> State {
        State::Open { until: self.clock.now().checked_add(self.policy.open_for).unwrap_or(Timestamp::MAX) }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        if !self.settled {
            let is_late = self.deadline.is_some_and(|deadline| self.clock.now() >= deadline);
            self.note(if is_late { Health::Failing } else { Health::Unknown });
        }
    }
}

impl State {
    const fn shown(&self) -> CircuitState {
        match self {
            Self::Closed { .. } => CircuitState::Closed,
            Self::Open { .. } => CircuitState::Open,
            Self::Trying => CircuitState::HalfOpen,
        }
    }
}

const fn health(result: &Result<Outcome, CallError>) -> Health {
    match result {
        Ok(_) => Health::Well,
        Err(CallError::Upstream(failure)) => match failure.code {
            UpstreamCode::Unavailable
            | UpstreamCode::Busy
            | UpstreamCode::TimedOut
            | UpstreamCode::ConnectionLost
            | UpstreamCode::Failed => Health::Failing,
            UpstreamCode::RateLimited
            | UpstreamCode::Rejected
            | UpstreamCode::Unauthorized
            | UpstreamCode::Forbidden
            | UpstreamCode::NotFound
            | UpstreamCode::Conflict
            | UpstreamCode::InvalidResponse => Health::Well,
        },
        Err(
            CallError::Refused(_)
            | CallError::InDoubt(_)
            | CallError::AnswerNotKept
            | CallError::Cancelled
            | CallError::Internal(_),
        ) => Health::Unknown,
    }
}
