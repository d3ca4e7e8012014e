//! What replicas share to get a certificate, in PostgreSQL. Each verb is one statement, but for the
//! opening of a challenge, which forgets old ones first.

use async_trait::async_trait;
use bridgehead_auth::{
    Attempt, CertificateId, CertificateRecord, CertificateStore, ChallengeKind, ChallengeRecord, LeaseOutcome, Sealed,
    StoreError,
};
use jiff::Timestamp;

use super::{
    Postgres,
    error::{corrupt, store_error},
};
use crate::{
    certificate_row::{self, AttemptRow, CertificateRow},
    key_row::micros,
};

#[async_trait]
impl CertificateStore for Postgres {
    async fn acme_account(&self, name: &str) -> Result<Option<Sealed>, StoreError> {
        let credentials: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT credentials FROM bridgehead_acme_account WHERE name = $1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        Ok(credentials.map(Sealed::new))
    }

    async fn keep_acme_account(&self, name: &str, credentials: &Sealed) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO bridgehead_acme_account (name, credentials) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET credentials = excluded.credentials",
        )
        .bind(name)
        .bind(credentials.as_bytes())
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn certificate(&self, id: &CertificateId) -> Result<Option<CertificateRecord>, StoreError> {
        let row: Option<CertificateRow> = sqlx::query_as(
            "SELECT chain, sealed_key, not_before, not_after, obtained_at FROM bridgehead_acme_certificate WHERE id = $1",
        )
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        row.map(|row| certificate_row::certificate(id, row).map_err(damaged)).transpose()
    }

    async fn keep_certificate(&self, record: &CertificateRecord) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO bridgehead_acme_certificate AS kept (id, chain, sealed_key, not_before, not_after, obtained_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET chain = excluded.chain, \
             sealed_key = excluded.sealed_key, not_before = excluded.not_before, not_after = excluded.not_after, \
             obtained_at = excluded.obtained_at WHERE kept.obtained_at <= excluded.obtained_at",
        )
        .bind(record.id.as_str())
        .bind(&record.chain)
        .bind(record.key.as_bytes())
        .bind(micros(record.not_before))
        .bind(micros(record.not_after))
        .bind(micros(record.obtained_at))
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn open_challenge(&self, challenge: &ChallengeRecord, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM bridgehead_acme_challenge WHERE expires_at <= $1")
            .bind(micros(now))
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        sqlx::query(
            "INSERT INTO bridgehead_acme_challenge (kind, key, answer, expires_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (kind, key) DO UPDATE SET answer = excluded.answer, expires_at = excluded.expires_at",
        )
        .bind(challenge.kind.as_str())
        .bind(&challenge.key)
        .bind(&challenge.answer)
        .bind(micros(challenge.expires_at))
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn challenge_answer(
        &self,
        kind: ChallengeKind,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT answer FROM bridgehead_acme_challenge WHERE kind = $1 AND key = $2 AND expires_at > $3",
        )
        .bind(kind.as_str())
        .bind(key)
        .bind(micros(now))
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)
    }

    async fn close_challenge(&self, kind: ChallengeKind, key: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM bridgehead_acme_challenge WHERE kind = $1 AND key = $2")
            .bind(kind.as_str())
            .bind(key)
            .execute(&self.pool)
            .await
            .map(|_done| ())
            .map_err(store_error)
    }

    async fn take_lease(
        &self,
        id: &CertificateId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LeaseOutcome, StoreError> {
        let done = sqlx::query(
            "INSERT INTO bridgehead_acme_lease AS kept (id, owner, held_until) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, held_until = excluded.held_until \
             WHERE kept.owner IS NULL OR kept.owner = excluded.owner OR kept.held_until <= $4",
        )
        .bind(id.as_str())
        .bind(owner)
        .bind(micros(until))
        .bind(micros(now))
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { LeaseOutcome::Held } else { LeaseOutcome::Taken })
    }

    async fn give_lease_back(
        &self,
        id: &CertificateId,
        owner: &str,
        failed: Option<Attempt>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE bridgehead_acme_lease SET owner = NULL, held_until = NULL, failures = $1, failed_at = $2, retry_at = $3 \
             WHERE id = $4 AND owner = $5",
        )
        .bind(failed.map(|attempt| i64::from(attempt.failures)))
        .bind(failed.map(|attempt| micros(attempt.failed_at)))
        .bind(failed.map(|attempt| micros(attempt.retry_at)))
        .bind(id.as_str())
        .bind(owner)
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn failed_attempt(&self, id: &CertificateId) -> Result<Option<Attempt>, StoreError> {
        let row: Option<AttemptRow> = sqlx::query_as(
            "SELECT failures, failed_at, retry_at FROM bridgehead_acme_lease WHERE id = $1 AND failures IS NOT NULL",
        )
        .bind(id.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        row.map(|row| certificate_row::attempt(row).map_err(damaged)).transpose()
    }
}

fn damaged(what: String) -> StoreError {
    corrupt(what, None::<sqlx::Error>)
}
