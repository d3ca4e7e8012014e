//! Step 7. One effect for each idempotency key: the key is claimed before anything is sent, and what
//! came of the call is written down behind it. States and stores are in [`crate::effects`].
//!
//! A call with a key runs in a task of its own from the claim on, so that no disconnect falls between
//! the claim and its end: whoever waits can close the call's gate as long as nothing was sent, and
//! can do nothing afterwards.

mod ends;
mod outlast;
mod owner;
mod task;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

pub(super) use self::outlast::Long;
use self::{
    ends::Ends,
    owner::{End, Sending},
};
use super::{dispatch::Dispatch, gate::Gate, shape};
use crate::{
    Call, CallError, ClaimedEffect, EffectId, EffectStore, EndpointId, Entry, Fault, IdempotencyKey, InDoubt, Outcome,
    Randomness, Refusal, Resolution,
    effects::{
        Answer, Change, ClaimOutcome, ClaimToken, EffectOrigin, EffectRecord, EffectState, Lease, Standing,
        arguments_digest,
    },
};

/// How long a claim holds unless it is renewed: this long after its owner died, the effect is in
/// doubt.
const LEASE: Duration = Duration::from_secs(30);
/// How often it is renewed: a renewal may fail, and be late by half the lease.
const RENEW_EVERY: Duration = Duration::from_secs(7);

/// How long a repeat waits before it looks for the end of a call on another replica, at first.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// And at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a pipeline needs to keep effects apart.
pub struct Effects {
    endpoint: EndpointId,
    store: Arc<dyn EffectStore>,
    randomness: Arc<dyn Randomness>,
    ends: Ends,
    handles: bool,
}

impl Effects {
    /// Effects of this endpoint's calls, remembered in `store`.
    #[must_use]
    pub fn new(endpoint: EndpointId, store: Arc<dyn EffectStore>, randomness: Arc<dyn Randomness>) -> Self {
        Self { endpoint, store, randomness, ends: Ends::default(), handles: true }
    }

    /// Waits for every call to its end: for callers that have no platform in between.
    #[must_use]
    pub const fn without_handles(mut self) -> Self {
        self.handles = false;
        self
    }
}

/// Makes calls that have a key.
pub(super) struct Claims {
    effects: Effects,
    dispatch: Arc<Dispatch>,
}

/// One call with its key. The call's arguments are without it.
#[derive(Clone)]
struct Keyed {
    entry: Arc<Entry>,
    call: Call,
    origin: EffectOrigin,
    effect: ClaimedEffect,
    gate: Arc<Gate>,
}

impl Keyed {
    /// Whether a repeat is known for one by the system behind.
    fn is_known_upstream(&self) -> bool {
        self.effect.upstream_header.is_some()
    }

    fn in_doubt(&self, cause: Option<CallError>) -> CallError {
        let recovery = self.entry.source.recovery(&self.entry.tool.address.tool);
        CallError::InDoubt(Box::new(InDoubt {
            effect: self.effect.id.clone(),
            tool: self.entry.tool.wire_name.to_string(),
            can_be_resolved: recovery.resolves || self.is_known_upstream(),
            by_handle: false,
            cause,
        }))
    }
}

/// What looking at a key came to.
enum Look {
    /// The call has ended, now or earlier.
    Ended(Result<Outcome, CallError>),
    /// A call with this key is under way.
    Running,
}

/// A claim on a record: only who has it can say how it ends.
struct Claim {
    id: EffectId,
    token: ClaimToken,
    /// How long the record is kept, from the end of its call.
    retention: Duration,
}

impl Claim {
    fn lease(&self, now: Timestamp) -> Lease {
        let until = later(now, LEASE);
        Lease { until, keep_until: later(until, self.retention) }
    }
}

/// A call with its claim.
struct Held {
    keyed: Keyed,
    claim: Claim,
    lease: Lease,
    sending: Sending,
}

impl Claims {
    pub(super) fn new(effects: Effects, dispatch: Arc<Dispatch>) -> Self {
        Self { effects, dispatch }
    }

    /// Whether calls of this tool are answered with a handle when they take long.
    pub(super) fn gives_handles(&self, entry: &Entry) -> bool {
        self.effects.handles && entry.tool.outlasts
    }

    /// The effect that `key` names in this call.
    pub(super) fn effect(&self, entry: &Entry, call: &Call, key: &IdempotencyKey) -> EffectId {
        self.origin(entry, call.caller.subject.clone()).effect(key)
    }

    /// Makes the call, unless a call with this key was made before; then waits for that one's end.
    pub(super) async fn once(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        mut call: Call,
        key: &IdempotencyKey,
        gate: &Arc<Gate>,
    ) -> Result<Outcome, CallError> {
        let origin = self.origin(entry, call.caller.subject.clone());
        let effect = ClaimedEffect {
            id: origin.effect(key),
            digest: arguments_digest(&call.arguments),
            upstream_header: entry.tool.upstream_idempotency_header.clone(),
            retention: entry.tool.policy.idempotency_retention,
        };
        call.effect = Some(effect.clone());
        // A client that goes away ends its waiting, not what it has begun.
        call.cancelled = CancellationToken::new();
        let keyed = Keyed { entry: entry.clone(), call, origin, effect, gate: gate.clone() };
        if let Look::Ended(result) = self.look(&keyed).await {
            return self.told(Some(entry), result).await;
        }
        gate.waits_for_another();
        let listening = self.effects.ends.listen(&keyed.effect.id);
        let mut pause = FIRST_PAUSE;
        loop {
            // Listened for before the look, so that an end in between is heard.
            let end = listening.end();
            if let Look::Ended(result) = self.look(&keyed).await {
                return self.told(Some(entry), result).await;
            }
            tokio::select! {
                () = end => {}
                () = self.dispatch.clock.sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
    }

    /// How a call ended, which another replica may have made that shares no answers with this one, or did not
    /// live to end them: whoever hears of a write here gets none from before it here.
    async fn told(&self, entry: Option<&Arc<Entry>>, result: Result<Outcome, CallError>) -> Result<Outcome, CallError> {
        if let (Some(entry), Some(caching)) = (entry, &self.dispatch.caching) {
            caching.changed(entry, &result).await;
        }
        result
    }

    /// Looks at the key, and makes the call where it is free, in a task that ends by itself.
    async fn look(self: &Arc<Self>, keyed: &Keyed) -> Look {
        let (say, said) = oneshot::channel();
        let (this, keyed) = (self.clone(), keyed.clone());
        self.dispatch.running.spawn(async move { this.claim(keyed, say).await });
        // The task went without a word: it panicked.
        said.await.unwrap_or_else(|_| Look::Ended(Err(Fault::new("keeping one effect for one key").into())))
    }

    async fn claim(&self, keyed: Keyed, say: oneshot::Sender<Look>) {
        let now = self.dispatch.clock.now();
        let claim = self.new_claim(&keyed);
        let lease = claim.lease(now);
        let record = EffectRecord {
            id: claim.id.clone(),
            origin: keyed.origin.clone(),
            digest: keyed.effect.digest,
            token: claim.token.clone(),
            state: EffectState::Running { lease_until: lease.until },
            first_sent_at: now,
            upstream_header: keyed.effect.upstream_header.clone(),
            keep_until: lease.keep_until,
        };
        let look = match self.effects.store.claim(&record, now).await {
            Ok(ClaimOutcome::Claimed) => {
                return self.own(Held { keyed, claim, lease, sending: Sending::First }, say).await;
            }
            Ok(ClaimOutcome::Found(found)) if found.digest != keyed.effect.digest => {
                let tool = keyed.entry.tool.wire_name.to_string();
                Look::Ended(Err(Refusal::IdempotencyConflict { tool }.into()))
            }
            Ok(ClaimOutcome::Found(found)) => match found.standing(now) {
                Standing::Settled(answer) => Look::Ended(Answer::read(answer).replay()),
                // It was voided between being in the way and being looked at.
                Standing::Running | Standing::Void(_) => Look::Running,
                Standing::InDoubt => return self.recover(keyed, &found, say).await,
            },
            Err(error) => {
                tracing::error!(effect = %record.id, cause = cause(&error), "an idempotency key could not be claimed");
                // It may have been claimed all the same.
                let _ = self.effects.store.release(&claim.id, &claim.token).await;
                Look::Ended(Err(Refusal::IdempotencyUnavailable.into()))
            }
        };
        // Whoever asked may have gone.
        let _ = say.send(look);
    }

    /// An earlier call with this key ended without an answer: asks what became of it, and makes it
    /// again only where that cannot take effect twice.
    async fn recover(&self, keyed: Keyed, found: &EffectRecord, say: oneshot::Sender<Look>) {
        let tool = &keyed.entry.tool.address.tool;
        let resolution = keyed.entry.source.resolve(tool, &keyed.effect).await;
        let now = self.dispatch.clock.now();
        let sending = match resolution {
            Resolution::Done(outcome) => {
                let look = self.settle_found(&keyed.entry, found, outcome, now).await;
                let _ = say.send(look);
                return;
            }
            Resolution::NotDone => Sending::First,
            Resolution::Unknown if self.may_repeat(&keyed, found, now) => Sending::Repeat,
            Resolution::Unknown => {
                let _ = say.send(Look::Ended(Err(keyed.in_doubt(None))));
                return;
            }
        };
        let claim = self.new_claim(&keyed);
        let lease = claim.lease(now);
        match self.effects.store.take_over(&found.id, &found.token, &claim.token, lease, now).await {
            Ok(Change::Made) => self.own(Held { keyed, claim, lease, sending }, say).await,
            // Somebody else was quicker.
            Ok(Change::TooLate) => {
                let _ = say.send(Look::Running);
            }
            Err(error) => {
                tracing::error!(effect = %found.id, cause = cause(&error), "an effect in doubt could not be taken over");
                let _ = say.send(Look::Ended(Err(Refusal::IdempotencyUnavailable.into())));
            }
        }
    }

    async fn settle_found(&self, entry: &Entry, found: &EffectRecord, outcome: Outcome, now: Timestamp) -> Look {
        let (answer, _) = answered(outcome, entry);
        let keep_until = later(now, entry.tool.policy.idempotency_retention);
        match self.effects.store.settle(&found.id, &found.token, &answer.keep(), keep_until).await {
            Ok(Change::Made) => Look::Ended(answer.replay()),
            Ok(Change::TooLate) => Look::Running,
            Err(error) => {
                tracing::error!(effect = %found.id, cause = cause(&error), "what became of an effect could not be written down");
                Look::Ended(answer.replay())
            }
        }
    }

    /// Whether the system behind will know a repeat for one, as long as it may take: it was given the
    /// key from the first sending on, in the same header, and has not forgotten it.
    fn may_repeat(&self, keyed: &Keyed, found: &EffectRecord, now: Timestamp) -> bool {
        let policy = &keyed.entry.tool.policy;
        let arrives_by = keyed.call.deadline.unwrap_or_else(|| later(now, policy.timeout));
        keyed.is_known_upstream()
            && found.upstream_header == keyed.effect.upstream_header
            && arrives_by < later(found.first_sent_at, policy.upstream_key_ttl)
    }

    fn new_claim(&self, keyed: &Keyed) -> Claim {
        Claim {
            id: keyed.effect.id.clone(),
            token: ClaimToken::generate(&*self.effects.randomness),
            retention: keyed.entry.tool.policy.idempotency_retention,
        }
    }

    fn origin(&self, entry: &Entry, subject: Arc<str>) -> EffectOrigin {
        let tool = entry.tool.address.to_string().into();
        EffectOrigin { endpoint: self.effects.endpoint.clone(), subject, tool }
    }
}

/// What a success settles, and what its caller gets.
fn answered(outcome: Outcome, entry: &Entry) -> (Answer, Result<Outcome, CallError>) {
    match shape::shape(outcome, entry) {
        Ok(outcome) => (Answer::Outcome(outcome.clone()), Ok(outcome)),
        // It took effect, whatever is wrong with its answer.
        Err(error) => (Answer::NotKept, Err(error)),
    }
}

/// The end of time where the sum is beyond it.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}
