//! Effects in SQLite. What a verb may change is one conditional statement.

use async_trait::async_trait;
use bridgehead_core::{
    EffectId, EffectStore, EffectStoreError,
    effects::{Change, ClaimOutcome, ClaimToken, EffectRecord, KeptAnswer, Lease},
};
use jiff::Timestamp;

use super::Sqlite;
use crate::{
    effect_row::{Contended, EffectRow, bind_effect, change, effect_columns},
    key_row::micros,
    sqlite::error::corrupt,
};

/// A record that is not kept any longer, or void, is as good as none.
const CLAIM: &str = concat!(
    "INSERT INTO effect AS kept (",
    effect_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO UPDATE SET \
     endpoint = excluded.endpoint, subject = excluded.subject, tool = excluded.tool, digest = excluded.digest, \
     token = excluded.token, state = excluded.state, lease_until = excluded.lease_until, answer = excluded.answer, \
     told = excluded.told, first_sent_at = excluded.first_sent_at, upstream_header = excluded.upstream_header, \
     keep_until = excluded.keep_until WHERE kept.keep_until <= $14 OR kept.state = 'void'"
);

const FIND: &str = concat!("SELECT ", effect_columns!(), " FROM effect WHERE id = $1 AND keep_until > $2");

const RENEW: &str =
    "UPDATE effect SET lease_until = $3, keep_until = $4 WHERE id = $1 AND token = $2 AND state = 'running'";

const SETTLE: &str = "UPDATE effect SET state = 'settled', lease_until = NULL, answer = $3, keep_until = $4 \
     WHERE id = $1 AND token = $2 AND state NOT IN ('settled', 'void')";

const DOUBT: &str = "UPDATE effect SET state = 'in_doubt', lease_until = NULL, keep_until = $3 \
     WHERE id = $1 AND token = $2 AND state = 'running'";

const RELEASE: &str = "DELETE FROM effect WHERE id = $1 AND token = $2 AND state NOT IN ('settled', 'void')";

const MAKE_VOID: &str = "UPDATE effect SET state = 'void', lease_until = NULL, told = $3, keep_until = $4 \
     WHERE id = $1 AND token = $2 AND state NOT IN ('settled', 'void')";

const TAKE_OVER: &str = "UPDATE effect SET token = $3, state = 'running', lease_until = $4, keep_until = $5 \
     WHERE id = $1 AND token = $2 AND keep_until > $6 \
     AND (state = 'in_doubt' OR (state = 'running' AND lease_until <= $6))";

const SWEEP: &str = "DELETE FROM effect WHERE keep_until <= $1";

/// How often a claim is tried. Between being in the way and being looked at, a record may be
/// released.
const CLAIM_ATTEMPTS: usize = 8;

#[async_trait]
impl EffectStore for Sqlite {
    async fn claim(&self, record: &EffectRecord, now: Timestamp) -> Result<ClaimOutcome, EffectStoreError> {
        for _ in 0..CLAIM_ATTEMPTS {
            let claim = bind_effect!(sqlx::query(CLAIM), record).bind(micros(now));
            let done = claim.execute(self.writer()?).await.map_err(|error| self.error(error))?;
            if done.rows_affected() > 0 {
                return Ok(ClaimOutcome::Claimed);
            }
            if let Some(found) = self.find_effect(&record.id, now).await?.filter(|found| !found.is_void()) {
                return Ok(ClaimOutcome::Found(found));
            }
        }
        Err(EffectStoreError::new(Contended))
    }

    async fn find_effect(&self, id: &EffectId, now: Timestamp) -> Result<Option<EffectRecord>, EffectStoreError> {
        let row: Option<EffectRow> = sqlx::query_as(FIND)
            .bind(id.as_str())
            .bind(micros(now))
            .fetch_optional(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        let record = row.map(EffectRow::into_record).transpose();
        Ok(record.map_err(|what| corrupt(&self.0.path, what, None::<sqlx::Error>))?)
    }

    async fn renew(&self, id: &EffectId, token: &ClaimToken, lease: Lease) -> Result<Change, EffectStoreError> {
        let renew = sqlx::query(RENEW).bind(id.as_str()).bind(token.as_str());
        let renew = renew.bind(micros(lease.until)).bind(micros(lease.keep_until));
        let done = renew.execute(self.writer()?).await.map_err(|error| self.error(error))?;
        Ok(change(done.rows_affected()))
    }

    async fn settle(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        let settle = sqlx::query(SETTLE).bind(id.as_str()).bind(token.as_str());
        let settle = settle.bind(answer.as_bytes()).bind(micros(keep_until));
        let done = settle.execute(self.writer()?).await.map_err(|error| self.error(error))?;
        Ok(change(done.rows_affected()))
    }

    async fn doubt(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        let doubt = sqlx::query(DOUBT).bind(id.as_str()).bind(token.as_str()).bind(micros(keep_until));
        let done = doubt.execute(self.writer()?).await.map_err(|error| self.error(error))?;
        Ok(change(done.rows_affected()))
    }

    async fn release(&self, id: &EffectId, token: &ClaimToken) -> Result<Change, EffectStoreError> {
        let release = sqlx::query(RELEASE).bind(id.as_str()).bind(token.as_str());
        let done = release.execute(self.writer()?).await.map_err(|error| self.error(error))?;
        Ok(change(done.rows_affected()))
    }

    async fn void(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        let void = sqlx::query(MAKE_VOID).bind(id.as_str()).bind(token.as_str());
        let void = void.bind(answer.as_bytes()).bind(micros(keep_until));
        let done = void.execute(self.writer()?).await.map_err(|error| self.error(error))?;
        Ok(change(done.rows_affected()))
    }

    async fn take_over(
        &self,
        id: &EffectId,
        from: &ClaimToken,
        to: &ClaimToken,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        let take_over = sqlx::query(TAKE_OVER).bind(id.as_str()).bind(from.as_str()).bind(to.as_str());
        let take_over = take_over.bind(micros(lease.until)).bind(micros(lease.keep_until)).bind(micros(now));
        let done = take_over.execute(self.writer()?).await.map_err(|error| self.error(error))?;
        Ok(change(done.rows_affected()))
    }

    async fn sweep_effects(&self, now: Timestamp) -> Result<u64, EffectStoreError> {
        let done =
            sqlx::query(SWEEP).bind(micros(now)).execute(self.writer()?).await.map_err(|error| self.error(error))?;
        Ok(done.rows_affected())
    }
}
