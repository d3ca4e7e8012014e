//! What the steps that shield systems behind tell of themselves: for metrics. What callers are told
//! stands in [`crate::error`].

use std::time::Duration;

/// How a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// Calls pass.
    Closed,
    /// No call passes.
    Open,
    /// One call passes, to see whether the system behind is well again.
    HalfOpen,
}

/// Something that happened on the way to a system behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShieldEvent<'a> {
    /// A source's circuit changed.
    Circuit {
        /// The source.
        source: &'a str,
        /// How it stands now.
        state: CircuitState,
    },
    /// A call is repeated.
    Retried {
        /// The source.
        source: &'a str,
    },
    /// A call would have been repeated, but the source's budget for that is used up.
    RetryBudgetSpent {
        /// The source.
        source: &'a str,
    },
    /// The system behind asked for a pause, and the limit on it gives out no turns meanwhile.
    Paused {
        /// The source.
        source: &'a str,
        /// For how long.
        pause: Duration,
    },
    /// The counters that replicas share were lost, or are back.
    SharedCounters {
        /// Whether they can be reached.
        reached: bool,
    },
}

/// Takes events away. Called on the path of calls: it must not block.
pub trait ShieldEvents: Send + Sync + 'static {
    /// Takes one event.
    fn happened(&self, event: ShieldEvent<'_>);
}

/// For where nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl ShieldEvents for Unwatched {
    fn happened(&self, _: ShieldEvent<'_>) {}
}
