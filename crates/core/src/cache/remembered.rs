//! One answer as it is remembered, and its form in a store.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Freshness, Validators};
use crate::{Outcome, effects::handle::RUNNING, policy::CachePolicy};

/// How long an answer is kept beyond its time, where the system behind can say whether it is still good.
const KEPT_TO_ASK: Duration = Duration::from_secs(24 * 60 * 60);

/// An answer, shaped as it went out, and until when it is good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remembered {
    /// The answer.
    pub outcome: Outcome,
    /// When the system behind made it, as far as it says.
    pub made_at: Timestamp,
    /// When it came here. On a clock that was put back since, nobody knows how old it is.
    pub kept_at: Timestamp,
    /// Until when it may be given without asking.
    pub fresh_until: Timestamp,
    /// Until when it may be given where the system behind fails.
    pub stale_until: Timestamp,
    /// What the system behind said of its time, and how to ask whether it is still good.
    pub said: Freshness,
}

impl Remembered {
    /// What is to be remembered of an answer that came now, and for how long; `None`: nothing.
    pub(crate) fn of(
        outcome: &Outcome,
        freshness: &Freshness,
        policy: &CachePolicy,
        now: Timestamp,
    ) -> Option<(Self, Duration)> {
        if freshness.no_store || (freshness.private && policy.shared) || is_handle(outcome) {
            return None;
        }
        let fresh = freshness.lifetime(policy.ttl, policy.shared);
        let strict = freshness.must_revalidate(policy.shared);
        let stale = if strict { Duration::ZERO } else { policy.stale_if_error };
        let asked = if freshness.validators.is_some() { KEPT_TO_ASK } else { Duration::ZERO };
        let kept = fresh.saturating_add(stale.max(asked));
        if kept.is_zero() {
            return None;
        }
        let fresh_until = later(now, fresh);
        let remembered = Self {
            outcome: Outcome { freshness: Box::default(), ..outcome.clone() },
            made_at: now.checked_sub(freshness.age).unwrap_or(Timestamp::MIN),
            kept_at: now,
            fresh_until,
            stale_until: later(fresh_until, stale),
            said: freshness.clone(),
        };
        Some((remembered, kept))
    }

    /// Whether it may be given without asking.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        (self.kept_at..self.fresh_until).contains(&now)
    }

    /// Whether it may be given where the system behind fails.
    pub(crate) fn stands_in(&self, now: Timestamp) -> bool {
        (self.kept_at..self.stale_until).contains(&now)
    }

    /// How to ask whether it is still good.
    pub(crate) const fn validators(&self) -> Option<&Validators> {
        self.said.validators.as_ref()
    }

    /// The same answer, after the system behind said that it is still good.
    pub(crate) fn still_good(
        &self,
        freshness: &Freshness,
        policy: &CachePolicy,
        now: Timestamp,
    ) -> Option<(Self, Duration)> {
        Self::of(&self.outcome, &freshness.over(&self.said), policy, now)
    }

    /// The form in a store.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Everything in it is JSON already.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the form back; `None` for anything else, such as that of another version.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// It stands for an answer that is still to come: there is one for each call.
pub(crate) fn is_handle(outcome: &Outcome) -> bool {
    outcome.meta.contains_key(RUNNING)
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
