//! `effects_table`: a table of the database itself, into which the transaction of a change also writes
//! whose effect it is and what it answers (D5). A repeat finds that row and changes nothing; and where
//! nobody heard the end of a change, the row says what it was, and so does its absence once the
//! transaction has certainly ended. How that is made certain is each driver's own matter.

use std::time::Duration;

use bridgehead_core::{CallError, ClaimedEffect, Outcome, Refusal, Resolution, UpstreamCode, UpstreamFailure, Verdict};
use jiff::Timestamp;

/// The table's name; it is made at the opening where it is not there.
pub(super) const TABLE: &str = "bridgehead_effects";

/// How much longer than the idempotency key a row is kept. The key counts from the end of its call,
/// which is later: a row that is gone while the key is still in doubt would say that nothing was done.
const LONGER: Duration = Duration::from_secs(24 * 60 * 60);

/// One change of so many also clears away rows that are not kept any longer.
pub(super) const SWEEP_EVERY: u32 = 64;

/// What the table has under the id of an effect.
pub(super) struct Kept {
    pub(super) digest: Vec<u8>,
    /// An [`Outcome`] as JSON.
    pub(super) outcome: String,
}

impl Kept {
    /// What a repeat of the call is answered.
    ///
    /// # Errors
    /// The effect was that of a call with other arguments.
    pub(super) fn answer(&self, effect: &ClaimedEffect, tool: &str) -> Result<Outcome, CallError> {
        match self.is_of(effect) {
            true => Ok(self.outcome()),
            false => Err(Refusal::IdempotencyConflict { tool: tool.to_owned() }.into()),
        }
    }

    /// What became of the effect.
    pub(super) fn resolution(&self, effect: &ClaimedEffect) -> Resolution {
        if self.is_of(effect) { Resolution::Done(self.outcome()) } else { Resolution::Unknown }
    }

    fn is_of(&self, effect: &ClaimedEffect) -> bool {
        self.digest == effect.digest
    }

    /// A text that somebody has changed beside us is an outcome without content: the change was made
    /// all the same.
    fn outcome(&self) -> Outcome {
        serde_json::from_str(&self.outcome).unwrap_or_default()
    }
}

/// The row of one effect, as it is written. Times are seconds since 1970.
pub(super) struct Row<'e> {
    pub(super) id: &'e str,
    pub(super) digest: &'e [u8],
    pub(super) outcome: String,
    pub(super) done_at: i64,
    pub(super) keep_until: i64,
}

impl<'e> Row<'e> {
    /// The row of an effect that was had at `now`.
    ///
    /// # Errors
    /// The outcome cannot be written as JSON.
    pub(super) fn new(effect: &'e ClaimedEffect, outcome: &Outcome, now: Timestamp) -> Result<Self, CallError> {
        let outcome = serde_json::to_string(outcome).map_err(|error| CallError::from(unkept(error)))?;
        let keep_until = now.checked_add(effect.retention.saturating_add(LONGER)).unwrap_or(Timestamp::MAX);
        Ok(Self {
            id: effect.id.as_str(),
            digest: &effect.digest,
            outcome,
            done_at: now.as_second(),
            keep_until: keep_until.as_second(),
        })
    }
}

/// The table could not be read or written, so the change was taken back with it.
pub(super) fn unkept(cause: impl std::error::Error + Send + Sync + 'static) -> UpstreamFailure {
    UpstreamFailure::new(
        UpstreamCode::Unavailable,
        "The change could not be written down under its idempotency key, and was taken back. Nothing was changed. Try \
         again with the same key.",
    )
    .with_verdict(Verdict::Undone)
    .with_cause(cause)
}
