//! What the pipeline needs to keep one effect for each idempotency key, and its clearing up. Answers
//! are sealed before they get into the store: they are a teammate's business data, and whoever has the
//! store without the root keys has none of it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_auth::{Sealed, Vault};
use bridgehead_core::{
    Clock, EffectId, EffectStore, EffectStoreError, Effects, EndpointId, Randomness,
    effects::{Change, ClaimOutcome, ClaimToken, EffectRecord, EffectState, KeptAnswer, Lease},
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Ambient, Keyring};

/// How often what is not kept any longer is cleared away.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Effects of the endpoint's calls, in the store, with sealed answers.
#[must_use]
pub fn effects(keyring: &Keyring, ambient: &Ambient, endpoint: &EndpointId) -> Effects {
    let store = SealedAnswers {
        store: keyring.store.effects.clone(),
        vault: keyring.vault.clone(),
        randomness: ambient.randomness.clone(),
    };
    Effects::new(endpoint.clone(), Arc::new(store), ambient.randomness.clone())
}

/// Seals answers on their way into a store, and opens them on their way out.
struct SealedAnswers {
    store: Arc<dyn EffectStore>,
    vault: Vault,
    randomness: Arc<dyn Randomness>,
}

impl SealedAnswers {
    /// An answer that cannot be opened is handed on as it is: the effect has settled, and its answer
    /// reads as one that is not kept.
    fn open(&self, mut record: EffectRecord) -> EffectRecord {
        if let EffectState::Settled { answer } | EffectState::Void { answer } = &mut record.state {
            match self.vault.open(&sealed_as(&record.id), &Sealed::new(answer.as_bytes().to_vec())) {
                Ok(clear) => *answer = KeptAnswer::new(clear),
                Err(error) => tracing::warn!(effect = %record.id, %error, "the answer of an effect cannot be read"),
            }
        }
        record
    }
}

fn sealed_as(id: &EffectId) -> String {
    format!("effect answer/{id}")
}

#[async_trait]
impl EffectStore for SealedAnswers {
    async fn claim(&self, record: &EffectRecord, now: Timestamp) -> Result<ClaimOutcome, EffectStoreError> {
        Ok(match self.store.claim(record, now).await? {
            ClaimOutcome::Claimed => ClaimOutcome::Claimed,
            ClaimOutcome::Found(found) => ClaimOutcome::Found(self.open(found)),
        })
    }

    async fn find_effect(&self, id: &EffectId, now: Timestamp) -> Result<Option<EffectRecord>, EffectStoreError> {
        Ok(self.store.find_effect(id, now).await?.map(|record| self.open(record)))
    }

    async fn renew(&self, id: &EffectId, token: &ClaimToken, lease: Lease) -> Result<Change, EffectStoreError> {
        self.store.renew(id, token, lease).await
    }

    async fn settle(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        let sealed = self.vault.seal(&sealed_as(id), answer.as_bytes(), &*self.randomness);
        self.store.settle(id, token, &KeptAnswer::new(sealed.as_bytes().to_vec()), keep_until).await
    }

    async fn doubt(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.store.doubt(id, token, keep_until).await
    }

    async fn release(&self, id: &EffectId, token: &ClaimToken) -> Result<Change, EffectStoreError> {
        self.store.release(id, token).await
    }

    async fn void(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        let sealed = self.vault.seal(&sealed_as(id), answer.as_bytes(), &*self.randomness);
        self.store.void(id, token, &KeptAnswer::new(sealed.as_bytes().to_vec()), keep_until).await
    }

    async fn take_over(
        &self,
        id: &EffectId,
        from: &ClaimToken,
        to: &ClaimToken,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.store.take_over(id, from, to, lease, now).await
    }

    async fn sweep_effects(&self, now: Timestamp) -> Result<u64, EffectStoreError> {
        self.store.sweep_effects(now).await
    }
}

/// Clears away what is not kept any longer, at once and then every hour, until the server goes down.
pub(super) async fn sweep(store: &dyn EffectStore, clock: &dyn Clock, shutdown: &CancellationToken) {
    loop {
        match store.sweep_effects(clock.now()).await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(swept, "cleared away effects that are not kept any longer"),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(cause, "old effects could not be cleared away; it is tried again in an hour");
            }
        }
        tokio::select! {
            () = clock.sleep(SWEEP_EVERY) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use bridgehead_auth::RootKeys;
    use bridgehead_core::{
        IdempotencyKey, OsRandomness, Outcome,
        effects::{Answer, EffectOrigin},
    };
    use bridgehead_stores::Memory;

    use super::*;

    fn sealed_with(store: &Arc<Memory>, roots: &RootKeys) -> SealedAnswers {
        SealedAnswers { store: store.clone(), vault: Vault::derive(roots), randomness: Arc::new(OsRandomness) }
    }

    /// D5, P2: the store holds no answer that can be read without the root keys, and an answer that
    /// cannot be opened any more never lets a call be made again.
    #[tokio::test]
    async fn answers_are_sealed_in_the_store() {
        let store = Arc::new(Memory::default());
        let roots = RootKeys::generate(&OsRandomness);
        let origin = EffectOrigin { endpoint: EndpointId::main(), subject: "alice".into(), tool: "a.b".into() };
        let record = EffectRecord {
            id: origin.effect(&IdempotencyKey::parse("k").unwrap()),
            origin,
            digest: [0; 32],
            token: ClaimToken::generate(&OsRandomness),
            state: EffectState::Running { lease_until: Timestamp::MAX },
            first_sent_at: Timestamp::UNIX_EPOCH,
            upstream_header: None,
            keep_until: Timestamp::MAX,
        };
        let now = Timestamp::UNIX_EPOCH;
        let sealed = sealed_with(&store, &roots);
        assert_eq!(sealed.claim(&record, now).await.unwrap(), ClaimOutcome::Claimed);
        let answer = Answer::Outcome(Outcome::text("the secret of the house")).keep();
        assert_eq!(sealed.settle(&record.id, &record.token, &answer, Timestamp::MAX).await.unwrap(), Change::Made);

        let settled_as = |record: Option<EffectRecord>| match record.map(|record| record.state) {
            Some(EffectState::Settled { answer }) => answer,
            other => panic!("{other:?}"),
        };
        assert_eq!(settled_as(sealed.find_effect(&record.id, now).await.unwrap()), answer);
        let ClaimOutcome::Found(found) = sealed.claim(&record, now).await.unwrap() else { panic!("it is taken") };
        assert_eq!(settled_as(Some(found)), answer);
        let kept = settled_as(store.find_effect(&record.id, now).await.unwrap());
        assert!(!String::from_utf8_lossy(kept.as_bytes()).contains("secret"));

        let others = sealed_with(&store, &RootKeys::generate(&OsRandomness));
        let unreadable = settled_as(others.find_effect(&record.id, now).await.unwrap());
        assert_eq!(Answer::read(&unreadable).replay().unwrap_err().code(), "answer_not_kept");
    }
}
