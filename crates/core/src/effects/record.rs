//! What is remembered of one effect, and everything that can become of it: the state machine, as
//! pure steps. A step that the present state does not allow changes nothing.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::{Change, EffectOrigin, KeptAnswer};
use crate::{EffectId, Randomness};

/// Names one claim of an effect: only who made it can renew it or say how it ended.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimToken(Arc<str>);

impl ClaimToken {
    /// A new token: 16 random bytes in lower-case hexadecimal.
    #[must_use]
    pub fn generate(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0_u8; 16];
        randomness.fill(&mut bytes);
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// Takes a token as a store gives it back.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The token as text, for a store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimToken(…)")
    }
}

/// Until when a claim holds without being renewed, and until when the record is kept if nobody
/// touches it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// From here on nobody knows what became of the call.
    pub until: Timestamp,
    /// From here on the key is forgotten; never before `until`.
    pub keep_until: Timestamp,
}

/// What is known of an effect, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EffectState {
    /// Its call is under way, as long as the lease holds.
    Running {
        /// Until when, unless it is renewed.
        lease_until: Timestamp,
    },
    /// Its call may have been sent, and no definite answer came.
    InDoubt,
    /// A definite answer came.
    Settled {
        /// What every repeat is answered.
        answer: KeptAnswer,
    },
    /// Nothing took effect, and nobody is at it: the key is fresh again.
    Void {
        /// What came of the call, for whoever has its handle alone.
        answer: KeptAnswer,
    },
}

/// What is known of an effect at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Somebody is at it.
    Running,
    /// Nobody knows.
    InDoubt,
    /// This came of it.
    Settled(&'a KeptAnswer),
    /// This came of a call that took no effect.
    Void(&'a KeptAnswer),
}

/// One effect, under its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectRecord {
    /// Names it.
    pub id: EffectId,
    /// Whose it is.
    pub origin: EffectOrigin,
    /// [`arguments_digest`](super::arguments_digest) of the call.
    pub digest: [u8; 32],
    /// The claim that counts: of all that were made, the last.
    pub token: ClaimToken,
    /// What is known of it.
    pub state: EffectState,
    /// Before this nothing was sent under this id. Stays when the effect is taken over.
    pub first_sent_at: Timestamp,
    /// The header in which the system behind was given the id from the first sending on.
    pub upstream_header: Option<Arc<str>>,
    /// From here on it is as if the record were not there.
    pub keep_until: Timestamp,
}

impl EffectRecord {
    /// What is known at `now`: a lease that ran out leaves the effect in doubt, whether or not
    /// anybody has written that down.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> Standing<'_> {
        match &self.state {
            EffectState::Running { lease_until } if *lease_until > now => Standing::Running,
            EffectState::Running { .. } | EffectState::InDoubt => Standing::InDoubt,
            EffectState::Settled { answer } => Standing::Settled(answer),
            EffectState::Void { answer } => Standing::Void(answer),
        }
    }

    /// Whether it is that of an idempotency key. Without one it is there for a handle alone, and the source was
    /// told nothing of it.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.origin.handle(&self.token) != self.id
    }

    /// Whether the record is still good at `now`.
    #[must_use]
    pub fn is_kept(&self, now: Timestamp) -> bool {
        self.keep_until > now
    }

    /// Whether it is as good as none for who has the key.
    #[must_use]
    pub const fn is_void(&self) -> bool {
        matches!(self.state, EffectState::Void { .. })
    }

    const fn is_over(&self) -> bool {
        matches!(self.state, EffectState::Settled { .. } | EffectState::Void { .. })
    }

    /// The owner is still at it. Also after the lease ran out, as long as nobody has taken the
    /// effect over.
    pub fn renew(&mut self, token: &ClaimToken, lease: Lease) -> Change {
        if self.token != *token || !matches!(self.state, EffectState::Running { .. }) {
            return Change::TooLate;
        }
        self.state = EffectState::Running { lease_until: lease.until };
        self.keep_until = lease.keep_until;
        Change::Made
    }

    /// A definite answer came, be it late. The first one stands.
    pub fn settle(&mut self, token: &ClaimToken, answer: KeptAnswer, keep_until: Timestamp) -> Change {
        if self.token != *token || self.is_over() {
            return Change::TooLate;
        }
        self.state = EffectState::Settled { answer };
        self.keep_until = keep_until;
        Change::Made
    }

    /// No definite answer will come.
    pub fn doubt(&mut self, token: &ClaimToken, keep_until: Timestamp) -> Change {
        if self.token != *token || !matches!(self.state, EffectState::Running { .. }) {
            return Change::TooLate;
        }
        self.state = EffectState::InDoubt;
        self.keep_until = keep_until;
        Change::Made
    }

    /// Whether the owner may forget the record, since nothing was sent or nothing took effect.
    pub fn release(&self, token: &ClaimToken) -> Change {
        if self.token == *token && !self.is_over() { Change::Made } else { Change::TooLate }
    }

    /// The same, and what came of the call is kept for whoever has its handle.
    pub fn void(&mut self, token: &ClaimToken, answer: KeptAnswer, keep_until: Timestamp) -> Change {
        let change = self.release(token);
        if change == Change::Made {
            self.state = EffectState::Void { answer };
            self.keep_until = keep_until;
        }
        change
    }

    /// Somebody else makes the call again: only out of doubt, and only who saw the last claim.
    pub fn take_over(&mut self, from: &ClaimToken, to: &ClaimToken, lease: Lease, now: Timestamp) -> Change {
        if self.token != *from || self.standing(now) != Standing::InDoubt {
            return Change::TooLate;
        }
        self.token = to.clone();
        self.state = EffectState::Running { lease_until: lease.until };
        self.keep_until = lease.keep_until;
        Change::Made
    }
}
