//! Issued keys in SQLite. Each verb is one statement, or one that changes and one that only
//! looks, so that no verb is seen half done.

use async_trait::async_trait;
use bridgehead_auth::{Insertion, KeyId, KeyRecord, KeyStore, Revocation, StoreError};
use jiff::Timestamp;

use super::Sqlite;
use crate::{
    key_row::{KeyRow, key_columns, micros},
    sqlite::error::corrupt,
};

#[async_trait]
impl KeyStore for Sqlite {
    async fn insert(&self, record: KeyRecord) -> Result<Insertion, StoreError> {
        let optional = |at: Option<Timestamp>| at.map(micros);
        let done = sqlx::query(concat!(
            "INSERT INTO api_key (",
            key_columns!(),
            ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
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
        .execute(self.writer()?)
        .await
        .map_err(|error| self.error(error))?;
        Ok(if done.rows_affected() == 0 { Insertion::IdTaken } else { Insertion::Inserted })
    }

    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        let row: Option<KeyRow> = sqlx::query_as(concat!("SELECT ", key_columns!(), " FROM api_key WHERE id = ?"))
            .bind(id.as_str())
            .fetch_optional(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        row.map(|row| self.key_record(row)).transpose()
    }

    async fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows: Vec<KeyRow> =
            sqlx::query_as(concat!("SELECT ", key_columns!(), " FROM api_key ORDER BY created_at, id"))
                .fetch_all(self.readers()?)
                .await
                .map_err(|error| self.error(error))?;
        rows.into_iter().map(|row| self.key_record(row)).collect()
    }

    async fn revoke(&self, id: &KeyId, at: Timestamp) -> Result<Revocation, StoreError> {
        let done = sqlx::query("UPDATE api_key SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL")
            .bind(micros(at))
            .bind(id.as_str())
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        if done.rows_affected() > 0 {
            return Ok(Revocation::Revoked);
        }
        // Records are never removed and never revived: what this finds was so before as well.
        let known = sqlx::query("SELECT 1 FROM api_key WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(if known.is_some() { Revocation::AlreadyRevoked } else { Revocation::NotFound })
    }

    async fn touch(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE api_key SET last_used_at = ?1 WHERE id = ?2 AND (last_used_at IS NULL OR last_used_at < ?1)",
        )
        .bind(micros(at))
        .bind(id.as_str())
        .execute(self.writer()?)
        .await
        .map(|_done| ())
        .map_err(|error| self.error(error))
    }

    async fn count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM api_key")
            .fetch_one(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

impl Sqlite {
    fn key_record(&self, row: KeyRow) -> Result<KeyRecord, StoreError> {
        row.into_record().map_err(|what| corrupt(&self.0.path, what, None::<sqlx::Error>))
    }
}
