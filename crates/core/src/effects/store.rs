//! Where effects are remembered. Implemented in `bridgehead-stores`.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{ClaimToken, EffectRecord, KeptAnswer, Lease};
use crate::EffectId;

/// The store did not do what it was asked, or it is not known whether it did.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store of effects failed")]
pub struct EffectStoreError(#[source] Arc<dyn std::error::Error + Send + Sync>);

impl EffectStoreError {
    /// What the store said.
    #[must_use]
    pub fn new(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(cause))
    }
}

/// Whether a step was allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// It was made.
    Made,
    /// The record is another claim's by now, has settled, or is gone. Nothing was changed.
    TooLate,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The effect is the claimer's: nobody had the key.
    Claimed,
    /// This is there already, as it was.
    Found(EffectRecord),
}

/// Remembers effects.
///
/// Every verb is atomic, seen by all replicas at once, and durable when it returns: what was claimed
/// is there after a power cut. What each verb may change is what [`EffectRecord`] allows. A record
/// whose `keep_until` has passed is as good as gone. Times are kept to the microsecond.
///
/// # Errors
/// All of them: what the store says. The change may have been made all the same.
#[async_trait]
pub trait EffectStore: Send + Sync + 'static {
    /// Puts a running record where none of that id is kept at `now`, or one that is void; else gives the one there is.
    async fn claim(&self, record: &EffectRecord, now: Timestamp) -> Result<ClaimOutcome, EffectStoreError>;

    /// The record, where one is kept at `now`.
    async fn find_effect(&self, id: &EffectId, now: Timestamp) -> Result<Option<EffectRecord>, EffectStoreError>;

    /// As [`EffectRecord::renew`].
    async fn renew(&self, id: &EffectId, token: &ClaimToken, lease: Lease) -> Result<Change, EffectStoreError>;

    /// As [`EffectRecord::settle`].
    async fn settle(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError>;

    /// As [`EffectRecord::doubt`].
    async fn doubt(&self, id: &EffectId, token: &ClaimToken, keep_until: Timestamp)
    -> Result<Change, EffectStoreError>;

    /// Forgets the record, where [`EffectRecord::release`] allows it.
    async fn release(&self, id: &EffectId, token: &ClaimToken) -> Result<Change, EffectStoreError>;

    /// As [`EffectRecord::void`].
    async fn void(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError>;

    /// As [`EffectRecord::take_over`].
    async fn take_over(
        &self,
        id: &EffectId,
        from: &ClaimToken,
        to: &ClaimToken,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Change, EffectStoreError>;

    /// Forgets what is not kept any longer at `now`; says how many records that were.
    async fn sweep_effects(&self, now: Timestamp) -> Result<u64, EffectStoreError>;
}
