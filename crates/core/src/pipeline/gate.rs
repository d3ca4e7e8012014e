//! Between a call and the source: once it is passed, the call may have been sent. Who waits for the
//! call can close it, as long as nothing was sent.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering},
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{CallError, Refusal};

const OPEN: u8 = 0;
const PASSED: u8 = 1;
const CLOSED: u8 = 2;

/// One call's gate.
#[derive(Default)]
pub(super) struct Gate {
    state: AtomicU8,
    /// Microseconds since 1970 up to which the claim of the call holds; 0 where it has none.
    claim_holds_until: AtomicI64,
    /// A call with the same key is under way.
    waits: AtomicBool,
    /// The gate of a question that is asked for several calls, this one among them.
    question: Mutex<Option<Arc<Gate>>>,
    closed: CancellationToken,
}

impl Gate {
    /// Lets the call through to the source, as often as it is repeated there.
    ///
    /// # Errors
    /// Nobody waits for it any more, or its claim has run out: it is not sent then, since somebody
    /// else may have taken it over.
    pub(super) fn pass(&self, now: Timestamp) -> Result<(), CallError> {
        let holds_until = self.claim_holds_until.load(Ordering::Acquire);
        if holds_until != 0 && holds_until <= now.as_microsecond() && !self.is_passed() {
            return Err(Refusal::IdempotencyUnavailable.into());
        }
        match self.state.compare_exchange(OPEN, PASSED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(PASSED) => Ok(()),
            Err(_closed) => Err(CallError::Cancelled),
        }
    }

    /// Says until when the claim of the call holds.
    pub(super) fn claim_holds(&self, until: Timestamp) {
        self.claim_holds_until.store(until.as_microsecond(), Ordering::Release);
    }

    /// Whether the source may have seen the call.
    pub(super) fn is_passed(&self) -> bool {
        let question = || self.question.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.state.load(Ordering::Acquire) == PASSED || question().is_some_and(|question| question.is_passed())
    }

    /// Says that what is asked through another gate is asked for this call as well.
    pub(super) fn waits_for_question(&self, gate: Arc<Self>) {
        *self.question.lock().unwrap_or_else(PoisonError::into_inner) = Some(gate);
    }

    /// Says that another call with the same key was sent, and this one waits for its end.
    pub(super) fn waits_for_another(&self) {
        self.waits.store(true, Ordering::Release);
    }

    /// Whether the call has an idempotency key that was claimed for it or another.
    pub(super) fn has_claim(&self) -> bool {
        self.claim_holds_until.load(Ordering::Acquire) != 0 || self.waits.load(Ordering::Acquire)
    }

    /// Whether this call, or another in its place, may have been sent.
    pub(super) fn may_take_effect(&self) -> bool {
        self.is_passed() || self.waits.load(Ordering::Acquire)
    }

    /// Nobody waits any longer. Does nothing once the call has passed.
    pub(super) fn close(&self) {
        if self.state.compare_exchange(OPEN, CLOSED, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.closed.cancel();
        }
    }

    /// Returns when the gate is closed.
    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }
}

/// Closes the gate when nobody waits any longer.
#[derive(Default)]
pub(super) struct CloseOnDrop(pub(super) Arc<Gate>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
