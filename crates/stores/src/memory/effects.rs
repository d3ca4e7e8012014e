//! Effects in memory: the reference of `bridgehead-core` behind a lock.

use std::sync::{MutexGuard, PoisonError};

use async_trait::async_trait;
use bridgehead_auth::keys::to_microsecond;
use bridgehead_core::{
    EffectId, EffectStore, EffectStoreError,
    effects::{Change, ClaimOutcome, ClaimToken, EffectRecord, EffectState, EffectTable, KeptAnswer, Lease},
};
use jiff::Timestamp;

use super::Memory;

impl Memory {
    fn effects(&self) -> MutexGuard<'_, EffectTable> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lease(lease: Lease) -> Lease {
    Lease { until: to_microsecond(lease.until), keep_until: to_microsecond(lease.keep_until) }
}

#[async_trait]
impl EffectStore for Memory {
    async fn claim(&self, record: &EffectRecord, now: Timestamp) -> Result<ClaimOutcome, EffectStoreError> {
        let mut record = record.clone();
        record.first_sent_at = to_microsecond(record.first_sent_at);
        record.keep_until = to_microsecond(record.keep_until);
        if let EffectState::Running { lease_until } = &mut record.state {
            *lease_until = to_microsecond(*lease_until);
        }
        Ok(self.effects().claim(&record, now))
    }

    async fn find_effect(&self, id: &EffectId, now: Timestamp) -> Result<Option<EffectRecord>, EffectStoreError> {
        Ok(self.effects().find(id, now))
    }

    async fn renew(&self, id: &EffectId, token: &ClaimToken, renewed: Lease) -> Result<Change, EffectStoreError> {
        Ok(self.effects().renew(id, token, lease(renewed)))
    }

    async fn settle(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        Ok(self.effects().settle(id, token, answer, to_microsecond(keep_until)))
    }

    async fn doubt(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        Ok(self.effects().doubt(id, token, to_microsecond(keep_until)))
    }

    async fn release(&self, id: &EffectId, token: &ClaimToken) -> Result<Change, EffectStoreError> {
        Ok(self.effects().release(id, token))
    }

    async fn void(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        Ok(self.effects().void(id, token, answer, to_microsecond(keep_until)))
    }

    async fn take_over(
        &self,
        id: &EffectId,
        from: &ClaimToken,
        to: &ClaimToken,
        taken: Lease,
        now: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        Ok(self.effects().take_over(id, from, to, lease(taken), now))
    }

    async fn sweep_effects(&self, now: Timestamp) -> Result<u64, EffectStoreError> {
        Ok(self.effects().sweep(now))
    }
}
