//! Around step 7 to 9. A call that outlasts the patience of platforms is answered with a handle and goes
//! on. What comes of it is a record of the same table and with the same states as that of a call with an
//! idempotency key; such a call has one already, for others it is made when it is needed.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::DropGuard;

use super::{Claim, Claims, End, FIRST_PAUSE, LONGEST_PAUSE, Look, cause};
use crate::{
    ArgumentFault, Call, CallError, Caller, Catalog, ClaimedEffect, EffectId, EffectStoreError, Entry, InDoubt,
    Outcome, Refusal, RequestId, Resolution, UpstreamCode, UpstreamFailure,
    effects::{
        Answer, ClaimOutcome, ClaimToken, EffectRecord, EffectState, Standing, Verdict,
        handle::{HANDLE, HANDLE_KEPT, PATIENCE, still_running},
    },
    permit,
    pipeline::{audit, gate::Gate},
};

/// How often it is looked whether a call was sent by now that had not been when its client's patience was over.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A call on its way to its end, which nobody need wait for.
pub(in crate::pipeline) type Work = BoxFuture<'static, Result<Outcome, CallError>>;

/// What has to be known of a call to answer it with a handle.
pub(in crate::pipeline) struct Long {
    pub(in crate::pipeline) entry: Arc<Entry>,
    pub(in crate::pipeline) gate: Arc<Gate>,
    pub(in crate::pipeline) deadline: Option<Timestamp>,
    /// How long it is waited for.
    pub(in crate::pipeline) patience: Duration,
    pub(in crate::pipeline) request_id: RequestId,
    pub(in crate::pipeline) caller: Arc<Caller>,
    pub(in crate::pipeline) digest: [u8; 32],
    /// The effect of its idempotency key, where it has one.
    pub(in crate::pipeline) effect: Option<EffectId>,
    /// Tells the source that its client went away, unless the call goes on without one.
    pub(in crate::pipeline) _stop: DropGuard,
}

impl Claims {
    /// Waits for `work` as long as its client does, and then answers a handle. What has not been sent by
    /// then is waited for on until it is: a handle of it would be one of nothing.
    pub(in crate::pipeline) async fn outlast(
        self: &Arc<Self>,
        long: Long,
        mut work: Work,
    ) -> Result<Outcome, CallError> {
        let mut pause = long.patience;
        loop {
            tokio::select! {
                biased;
                result = &mut work => return result,
                () = self.dispatch.clock.sleep(pause) => pause = pause.min(LOOK_AGAIN),
            }
            if long.gate.may_take_effect() {
                break;
            }
        }
        let name = long.entry.tool.wire_name.as_str();
        if let Some(effect) = &long.effect {
            return Ok(still_running(name, effect));
        }
        match self.keep(&long).await {
            Ok(claim) => {
                let outcome = still_running(name, &claim.id);
                let this = self.clone();
                // The guard goes with the call, and is dropped when that has ended.
                self.dispatch.running.spawn(async move { this.carry_on(claim, long, work).await });
                Ok(outcome)
            }
            Err(error) => {
                tracing::warn!(tool = %long.entry.tool.address, cause = cause(&error), "a long call could not be given a handle");
                work.await
            }
        }
    }

    /// Makes a record for a call that is under way.
    async fn keep(&self, long: &Long) -> Result<Claim, EffectStoreError> {
        let origin = self.origin(&long.entry, long.caller.subject.clone());
        let token = ClaimToken::generate(&*self.effects.randomness);
        let retention = long.entry.tool.policy.idempotency_retention.min(HANDLE_KEPT);
        let claim = Claim { id: origin.handle(&token), token, retention };
        let now = self.dispatch.clock.now();
        let lease = claim.lease(now);
        let record = EffectRecord {
            id: claim.id.clone(),
            origin,
            digest: long.digest,
            token: claim.token.clone(),
            state: EffectState::Running { lease_until: lease.until },
            first_sent_at: now,
            upstream_header: None,
            keep_until: lease.keep_until,
        };
        match self.effects.store.claim(&record, now).await? {
            ClaimOutcome::Claimed => Ok(claim),
            ClaimOutcome::Found(_) => Err(EffectStoreError::new(Taken)),
        }
    }

    async fn carry_on(&self, claim: Claim, long: Long, work: Work) {
        let listening = self.effects.ends.listen(&claim.id);
        let stopped = listening.end();
        let is_read = long.entry.tool.effect.is_read();
        let result = tokio::select! {
            biased;
            result = work => result,
            () = self.time_is_up(&long) => Err(too_long(&long.entry).into()),
            // Its end is written down already: its caller has asked that it stops, here or on another
            // replica. Dropping it tells the source.
            () = stopped, if is_read => return,
            () = self.renew(&claim, |_| {}), if is_read => return,
            never = self.hold(&claim, |_| {}), if !is_read => match never {},
        };
        // Whoever fetches it gets the error, and never what lies behind it.
        if let Err(error) = &result {
            audit::log(&long.request_id, &long.entry.tool.address, error);
        }
        let end = end_of(&long, result);
        if let Err(error) = self.write(&claim, &end).await {
            self.write_late(&claim, &end, error).await;
        }
        self.effects.ends.ended(&claim.id);
    }

    /// A read is stopped when its time is up, with or without somebody who waits.
    async fn time_is_up(&self, long: &Long) {
        match long.deadline {
            Some(deadline) if long.entry.tool.effect.is_read() => {
                let left = deadline.duration_since(self.dispatch.clock.now());
                self.dispatch.clock.sleep(left.try_into().unwrap_or_default()).await;
            }
            _ => std::future::pending().await,
        }
    }

    /// What came of the call that was answered with a handle: for its caller alone, from any replica.
    pub(in crate::pipeline) async fn result(&self, catalog: &Catalog, call: &Call) -> Result<Outcome, CallError> {
        let id = handle_in(call)?;
        let listening = self.effects.ends.listen(&id);
        let mut patience = self.dispatch.clock.sleep(PATIENCE);
        let mut pause = FIRST_PAUSE;
        loop {
            // Listened for before the look, so that an end in between is heard.
            let end = listening.end();
            let now = self.dispatch.clock.now();
            let (record, entry) = self.own_record(catalog, &id, call, now).await?;
            match record.standing(now) {
                Standing::Settled(answer) | Standing::Void(answer) => {
                    return self.told(entry, Answer::read(answer).replay()).await;
                }
                Standing::InDoubt => {
                    let result = self.gone(entry, &record, now).await;
                    return self.told(entry, result).await;
                }
                Standing::Running => {}
            }
            tokio::select! {
                () = end => {}
                () = self.dispatch.clock.sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = &mut patience => {
                    let name = entry.map_or(call.wire_name.as_str(), |entry| entry.tool.wire_name.as_str());
                    return Ok(still_running(name, &id));
                }
            }
        }
    }

    /// The record that a handle names, and its tool where that is still served: for its caller alone, and as
    /// long as they may call the tool.
    pub(super) async fn own_record<'c>(
        &self,
        catalog: &'c Catalog,
        id: &EffectId,
        call: &Call,
        now: Timestamp,
    ) -> Result<(EffectRecord, Option<&'c Arc<Entry>>), CallError> {
        let found = self.effects.store.find_effect(id, now).await.map_err(|error| {
            tracing::error!(effect = %id, cause = cause(&error), "what became of an effect could not be read");
            Refusal::IdempotencyUnavailable
        })?;
        let own = |record: &EffectRecord| {
            record.origin.endpoint == self.effects.endpoint && record.origin.subject == call.caller.subject
        };
        let record = found.filter(own).ok_or_else(no_such_handle)?;
        let entry = entry_of(catalog, &record);
        if let Some(entry) = entry {
            permit(&call.caller, &entry.tool)?;
        }
        Ok((record, entry))
    }

    /// The server that ran the call is gone, or heard no end of it.
    pub(super) async fn gone(
        &self,
        entry: Option<&Arc<Entry>>,
        record: &EffectRecord,
        now: Timestamp,
    ) -> Result<Outcome, CallError> {
        let Some(entry) = entry else { return Err(in_doubt(&record.origin.tool, record)) };
        let name = entry.tool.wire_name.as_str();
        if entry.tool.effect.is_read() {
            let message = format!("The server that ran `{name}` was gone before it had ended. Call `{name}` again.");
            return Err(UpstreamFailure::new(UpstreamCode::ConnectionLost, message).into());
        }
        // The source was told of no effect, so that it has none is no word of what was done.
        if !record.has_key() {
            return Err(in_doubt(name, record));
        }
        let effect = ClaimedEffect {
            id: record.id.clone(),
            digest: record.digest,
            upstream_header: record.upstream_header.clone(),
            retention: entry.tool.policy.idempotency_retention,
        };
        match entry.source.resolve(&entry.tool.address.tool, &effect).await {
            Resolution::Done(outcome) => match self.settle_found(entry, record, outcome, now).await {
                Look::Ended(result) => result,
                Look::Running => Ok(still_running(name, &record.id)),
            },
            Resolution::NotDone => {
                let message = format!("`{name}` did not take effect. Call it again with the same idempotency key.");
                let failure = UpstreamFailure::new(UpstreamCode::ConnectionLost, message);
                Err(failure.with_verdict(Verdict::Undone).into())
            }
            Resolution::Unknown => Err(in_doubt(name, record)),
        }
    }
}

/// How a call without a key ends. It is nobody's first or second: whatever came of it is what its handle
/// gives, unless it is a call with effects of which nobody knows.
fn end_of(long: &Long, result: Result<Outcome, CallError>) -> End {
    let is_read = long.entry.tool.effect.is_read();
    let answer = match (Verdict::of(&result), result) {
        (_, Ok(outcome)) => Answer::Outcome(outcome),
        (Verdict::InDoubt, Err(_)) if !is_read => return End::InDoubt,
        (_, Err(error)) => Answer::of_error(error, &long.request_id),
    };
    End::Settled(answer.keep())
}

/// The handle that was given, or that is none.
pub(super) fn handle_in(call: &Call) -> Result<EffectId, CallError> {
    let handle = call.arguments.get(HANDLE).and_then(|handle| EffectId::parse(handle.as_str()?.trim()));
    handle.ok_or_else(no_such_handle)
}

/// The tool that was called, where it is still served.
fn entry_of<'a>(catalog: &'a Catalog, record: &EffectRecord) -> Option<&'a Arc<Entry>> {
    catalog.entries().iter().find(|entry| *entry.tool.address.to_string() == *record.origin.tool)
}

fn too_long(entry: &Entry) -> UpstreamFailure {
    let (name, timeout) = (&entry.tool.wire_name, entry.tool.policy.timeout);
    let message = format!("`{name}` took longer than {timeout:?} and was stopped. Ask for less, or try again later.");
    UpstreamFailure::new(UpstreamCode::TimedOut, message)
}

fn in_doubt(tool: &str, record: &EffectRecord) -> CallError {
    CallError::InDoubt(Box::new(InDoubt {
        effect: record.id.clone(),
        tool: tool.to_owned(),
        can_be_resolved: false,
        by_handle: true,
        cause: None,
    }))
}

/// Somebody else's handle is as unknown as one that never was. So is that of a call whose key is fresh
/// again: nothing is known of it, and the same call is made anew.
fn no_such_handle() -> CallError {
    let message =
        "is no handle of a call of yours, or one that is too old, or of a call that came to nothing. Copy it as \
                   it was given; if the call had an idempotency key, make it again with the same key"
            .to_owned();
    Refusal::InvalidArguments(vec![ArgumentFault { path: format!("/{HANDLE}"), message }]).into()
}

/// Two random numbers of 128 bits were the same.
#[derive(Debug, thiserror::Error)]
#[error("the handle is taken")]
struct Taken;
