//! Keys in PostgreSQL. Each verb is one statement, but for a revocation that changes nothing.

use async_trait::async_trait;
use bridgehead_auth::{Insertion, KeyId, KeyRecord, KeyStore, Revocation, StoreError};
use jiff::Timestamp;

use super::{
    Postgres,
    error::{corrupt, store_error},
};
use crate::key_row::{KeyRow, key_columns, micros};

#[async_trait]
impl KeyStore for Postgres {
    async fn insert(&self, record: KeyRecord) -> Result<Insertion, StoreError> {
        let optional = |at: Option<Timestamp>| at.map(micros);
        let done = sqlx::query(concat!(
            "INSERT INTO bridgehead_api_key (",
            key_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING"
        ))
        .bind(record.id.as_str())
        .bind(record.endpoint.as_str())
        .bind(&*record.subject)
        .bind(record.scopes.to_string())
        .bind(record.hash.as_bytes().as_slice())
        .bind(record.pepper_version.as_str())
        .bind(micros(record.created_at))
        .bind(optional(record.expires_at))
        .bind(optional(record.revoked_at))
        .bind(optional(record.last_used_at))
        .bind(record.label.as_deref())
        .bind(record.header.as_deref())
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Insertion::IdTaken } else { Insertion::Inserted })
    }

    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let row: Option<KeyRow> =
            sqlx::query_as(concat!("SELECT ", key_columns!(), " FROM bridgehead_api_key WHERE id = $1"))
                .bind(id.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        row.map(record).transpose()
    }

    async fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows: Vec<KeyRow> =
            sqlx::query_as(concat!("SELECT ", key_columns!(), " FROM bridgehead_api_key ORDER BY created_at, id"))
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        rows.into_iter().map(record).collect()
    }

    async fn revoke(&self, id: &KeyId, at: Timestamp) -> Result<Revocation, StoreError> {
        let done = sqlx::query("UPDATE bridgehead_api_key SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
            .bind(micros(at))
            .bind(id.as_str())
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        if done.rows_affected() > 0 {
            return Ok(Revocation::Revoked);
        }
        // Records are never removed and never revived: what this finds was so before as well.
        let known: Option<i32> = sqlx::query_scalar("SELECT 1 FROM bridgehead_api_key WHERE id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(if known.is_some() { Revocation::AlreadyRevoked } else { Revocation::NotFound })
    }

    async fn touch(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE bridgehead_api_key SET last_used_at = $1 \
             WHERE id = $2 AND (last_used_at IS NULL OR last_used_at < $1)",
        )
        .bind(micros(at))
        .bind(id.as_str())
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM bridgehead_api_key")
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

fn record(row: KeyRow) -> Result<KeyRecord, StoreError> {
    row.into_record().map_err(|what| corrupt(what, None::<sqlx::Error>))
}
