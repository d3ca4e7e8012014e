//! A call that was answered with a handle, as a task: what is known of it now, without waiting, and stopping
//! it. From any replica, for its caller alone.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Claims, LEASE, cause, later, outlast::handle_in};
use crate::{
    Call, CallError, Catalog, Entry, Refusal,
    effects::{
        Answer, EffectRecord, EffectState, Standing, Task, TaskState, TaskVerb,
        handle::{HANDLE_KEPT, of_answer},
    },
};

impl Claims {
    /// Does what is asked with the task that `call` names by its handle.
    pub(in crate::pipeline) async fn task(
        &self,
        catalog: &Catalog,
        call: &Call,
        verb: TaskVerb,
    ) -> Result<Task, CallError> {
        let id = handle_in(call)?;
        let now = self.dispatch.clock.now();
        let (mut record, entry) = self.own_record(catalog, &id, call, now).await?;
        let kept = kept(&record, entry);
        let is_read = entry.is_some_and(|entry| entry.tool.effect.is_read());
        if verb == TaskVerb::Stop && is_read && record.standing(now) == Standing::Running {
            self.stop(&record, later(now, kept)).await?;
            (record, _) = self.own_record(catalog, &id, call, now).await?;
        }
        let state = match record.standing(now) {
            Standing::Running => TaskState::Working,
            Standing::Settled(answer) | Standing::Void(answer) => match Answer::read(answer) {
                Answer::Stopped => TaskState::Stopped,
                answer => TaskState::Ended(self.told(entry, answer.replay()).await),
            },
            Standing::InDoubt => match self.gone(entry, &record, now).await {
                Ok(outcome) if of_answer(&outcome).is_some() => TaskState::Working,
                result => TaskState::Ended(self.told(entry, result).await),
            },
        };
        let created_at = record.first_sent_at;
        let changed_at = changed_at(&record, kept).clamp(created_at, now.max(created_at));
        Ok(Task { id, created_at, changed_at, keep_until: record.keep_until, can_stop: is_read, state })
    }

    /// Writes down that the read has ended. Who runs it hears so: in this process at once, in another one
    /// when it renews its claim.
    async fn stop(&self, record: &EffectRecord, keep_until: Timestamp) -> Result<(), CallError> {
        let (id, token) = (&record.id, &record.token);
        match self.effects.store.settle(id, token, &Answer::Stopped.keep(), keep_until).await {
            // Too late: it has ended otherwise meanwhile.
            Ok(_) => {
                self.effects.ends.ended(id);
                Ok(())
            }
            Err(error) => {
                tracing::error!(effect = %id, cause = cause(&error), "that a call was stopped could not be written down");
                Err(Refusal::IdempotencyUnavailable.into())
            }
        }
    }
}

/// For how long it is kept from its end on: with a key as long as the key. Of a tool that is gone by now,
/// nobody knows how long that is.
fn kept(record: &EffectRecord, entry: Option<&Arc<Entry>>) -> Duration {
    match entry.map(|entry| entry.tool.policy.idempotency_retention) {
        Some(retention) if record.has_key() && !record.is_void() => retention,
        Some(retention) => retention.min(HANDLE_KEPT),
        None => HANDLE_KEPT,
    }
}

/// When the record was last written, as far as it says: until when it is kept follows from that.
fn changed_at(record: &EffectRecord, kept: Duration) -> Timestamp {
    let (until, after) = match record.state {
        EffectState::Running { lease_until } => (lease_until, LEASE),
        EffectState::InDoubt | EffectState::Settled { .. } | EffectState::Void { .. } => (record.keep_until, kept),
    };
    until.checked_sub(after).unwrap_or(record.first_sent_at)
}
