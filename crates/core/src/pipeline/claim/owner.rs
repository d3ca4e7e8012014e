//! The owner of a claim: sends the call, renews the lease meanwhile, and writes down what came of it.

use std::{convert::Infallible, time::Duration};

use tokio::sync::oneshot;

use super::{Claim, Claims, Held, Keyed, Look, RENEW_EVERY, answered, cause, later};
use crate::{
    CallError, Outcome, Resolution,
    effects::{Answer, Change, EffectStoreError, KeptAnswer, Lease, Standing, Verdict, handle::HANDLE_KEPT},
    pipeline::audit,
};

/// When it is tried again to write down an end, after the store failed. Then the lease runs out, and
/// the effect is in doubt.
const TRY_AGAIN_AFTER: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Which sending of an effect it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sending {
    /// Nothing that was sent before can take effect.
    First,
    /// An earlier one may have taken effect; the system behind knows this one for a repeat.
    Repeat,
}

/// How a claim ends.
pub(super) enum End {
    Settled(KeptAnswer),
    Released,
    /// Released as well, and whoever has the handle is told why.
    Void(KeptAnswer),
    InDoubt,
}

impl Sending {
    /// What it means that nothing was sent this time.
    const fn unsent(self) -> Verdict {
        match self {
            Self::First => Verdict::Undone,
            Self::Repeat => Verdict::InDoubt,
        }
    }
}

impl Claims {
    /// Carries the call out and tells whoever asked, once its end is written down.
    pub(super) async fn own(&self, held: Held, say: oneshot::Sender<Look>) {
        held.keyed.gate.claim_holds(held.lease.until);
        let (end, result) = tokio::select! {
            biased;
            ended = self.carry_out(&held) => ended,
            () = held.keyed.gate.closed() => match held.sending.unsent() {
                Verdict::InDoubt => (End::InDoubt, Err(CallError::Cancelled)),
                Verdict::Definite | Verdict::Undone => (End::Released, Err(CallError::Cancelled)),
            },
            never = self.hold(&held.claim, |lease| held.keyed.gate.claim_holds(lease.until)) => match never {},
        };
        let written = self.write(&held.claim, &end).await;
        let result = match written {
            Ok(Change::TooLate) => self.as_settled(&held, result).await,
            Ok(Change::Made) | Err(_) => result,
        };
        // Whoever asked may have gone. Where the store failed they get the answer that there is: it is
        // true, whether or not it can be given again.
        if let Err(Look::Ended(Err(error))) = say.send(Look::Ended(result)) {
            let Keyed { entry, call, .. } = &held.keyed;
            audit::log(&call.request_id, &entry.tool.address, &error);
        }
        if let Err(error) = written {
            self.write_late(&held.claim, &end, error).await;
        }
        self.effects.ends.ended(&held.claim.id);
    }

    async fn carry_out(&self, held: &Held) -> (End, Result<Outcome, CallError>) {
        let Keyed { entry, call, gate, .. } = &held.keyed;
        let result = self.dispatch.dispatch(entry, call, gate).await;
        let verdict = match held.sending {
            sending if !gate.is_passed() => sending.unsent(),
            Sending::First => Verdict::of(&result),
            Sending::Repeat => Verdict::of_repeat(&result),
        };
        match (verdict, result) {
            (Verdict::Definite, Ok(outcome)) => Self::done(&held.keyed, outcome),
            (Verdict::Definite, Err(CallError::Upstream(failure))) => {
                (End::Settled(Answer::Failure((*failure).clone()).keep()), Err(CallError::Upstream(failure)))
            }
            (Verdict::Undone, Err(error)) => (self.came_to_nothing(&held.keyed, &error), Err(error)),
            // A success is definite.
            (Verdict::Undone, Ok(outcome)) => (End::Released, Ok(outcome)),
            (Verdict::Definite | Verdict::InDoubt, result) => self.doubted(&held.keyed, result.err()).await,
        }
    }

    fn done(keyed: &Keyed, outcome: Outcome) -> (End, Result<Outcome, CallError>) {
        let (answer, result) = answered(outcome, &keyed.entry);
        (End::Settled(answer.keep()), result)
    }

    /// No definite answer came: the source is asked before the caller is told that nobody knows.
    async fn doubted(&self, keyed: &Keyed, error: Option<CallError>) -> (End, Result<Outcome, CallError>) {
        match keyed.entry.source.resolve(&keyed.entry.tool.address.tool, &keyed.effect).await {
            Resolution::Done(outcome) => Self::done(keyed, outcome),
            Resolution::NotDone => {
                let error = undone(keyed, error);
                (self.came_to_nothing(keyed, &error), Err(error))
            }
            Resolution::Unknown => (End::InDoubt, Err(keyed.in_doubt(error))),
        }
    }

    /// How a call ends that came to nothing. Where its caller may have no more than a handle by now, they are told
    /// by that.
    fn came_to_nothing(&self, keyed: &Keyed, error: &CallError) -> End {
        match self.gives_handles(&keyed.entry) {
            true => End::Void(Answer::of_error(error.clone(), &keyed.call.request_id).keep()),
            false => End::Released,
        }
    }

    /// Holds the claim for as long as it is awaited, and tells `renewed` of each new lease.
    pub(super) async fn hold(&self, claim: &Claim, renewed: impl Fn(Lease) + Send) -> Infallible {
        self.renew(claim, renewed).await;
        // The effect is somebody else's. What was sent cannot be called back; what was not is not sent
        // any more once the gate sees that the claim has run out.
        std::future::pending().await
    }

    /// Renews the claim until it is somebody else's, or has ended otherwise.
    pub(super) async fn renew(&self, claim: &Claim, renewed: impl Fn(Lease) + Send) {
        loop {
            self.dispatch.clock.sleep(RENEW_EVERY).await;
            let lease = claim.lease(self.dispatch.clock.now());
            match self.effects.store.renew(&claim.id, &claim.token, lease).await {
                Ok(Change::Made) => renewed(lease),
                Ok(Change::TooLate) => return,
                Err(error) => {
                    tracing::warn!(effect = %claim.id, cause = cause(&error), "the claim of an effect could not be renewed");
                }
            }
        }
    }

    pub(super) async fn write(&self, claim: &Claim, end: &End) -> Result<Change, EffectStoreError> {
        let Claim { id, token, retention } = claim;
        let keep_until = later(self.dispatch.clock.now(), *retention);
        match end {
            End::Settled(answer) => self.effects.store.settle(id, token, answer, keep_until).await,
            End::Released => self.effects.store.release(id, token).await,
            End::Void(answer) => {
                let keep_until = later(self.dispatch.clock.now(), (*retention).min(HANDLE_KEPT));
                self.effects.store.void(id, token, answer, keep_until).await
            }
            End::InDoubt => self.effects.store.doubt(id, token, keep_until).await,
        }
    }

    pub(super) async fn write_late(&self, claim: &Claim, end: &End, mut error: EffectStoreError) {
        let effect = &claim.id;
        for pause in TRY_AGAIN_AFTER {
            tracing::warn!(%effect, cause = cause(&error), "the end of an effect could not be written down; it is tried again");
            self.dispatch.clock.sleep(pause).await;
            match self.write(claim, end).await {
                Ok(_) => return,
                Err(again) => error = again,
            }
        }
        tracing::error!(%effect, cause = cause(&error), "the end of an effect could not be written down: it is in doubt from now on");
    }

    /// The answer that stands, where somebody else has settled the effect meanwhile.
    async fn as_settled(&self, held: &Held, result: Result<Outcome, CallError>) -> Result<Outcome, CallError> {
        let now = self.dispatch.clock.now();
        match self.effects.store.find_effect(&held.claim.id, now).await {
            Ok(Some(record)) => match record.standing(now) {
                Standing::Settled(answer) => Answer::read(answer).replay(),
                Standing::Running | Standing::InDoubt | Standing::Void(_) => result,
            },
            Ok(None) | Err(_) => result,
        }
    }
}

/// The call came to nothing, as the source says, however it ended here.
fn undone(keyed: &Keyed, error: Option<CallError>) -> CallError {
    let name = &keyed.entry.tool.wire_name;
    let message = format!("`{name}` did not take effect. Call it again with the same idempotency key.");
    match error {
        Some(CallError::Upstream(failure)) => {
            let mut failure = *failure;
            failure.message = message;
            failure.retryable = true;
            failure.verdict = Verdict::Undone;
            failure.into()
        }
        Some(other) => other,
        None => CallError::Cancelled,
    }
}
