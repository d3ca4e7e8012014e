//! Issued keys in SQLite. Each verb is one statement, or one that changes and one that only
//! looks, so that no verb is seen half done.

use std::fmt::Display;

use async_trait::async_trait;
use bridgehead_auth::{
    Insertion, KeyHash, KeyId, KeyRecord, KeyStore, KeyVersion, Revocation, StoreError, keys::to_microsecond,
};
use bridgehead_core::{EndpointId, ScopeSet};
use jiff::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::Sqlite;
use crate::sqlite::error::corrupt;

/// The columns of a record, as every statement names them.
macro_rules! columns {
    () => {
        "id, endpoint, subject, scopes, hash, pepper_version, created_at, expires_at, revoked_at, last_used_at, \
         label, header"
    };
}

#[async_trait]
impl KeyStore for Sqlite {
    async fn insert(&self, record: KeyRecord) -> Result<Insertion, StoreError> {
        let optional = |at: Option<Timestamp>| at.map(micros);
        let done = sqlx::query(concat!(
            "INSERT INTO api_key (",
            columns!(),
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
        let row = sqlx::query(concat!("SELECT ", columns!(), " FROM api_key WHERE id = ?"))
            .bind(id.as_str())
            .fetch_optional(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        row.map(|row| self.key_record(&row)).transpose()
    }

    async fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let rows = sqlx::query(concat!("SELECT ", columns!(), " FROM api_key ORDER BY created_at, id"))
            .fetch_all(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        rows.iter().map(|row| self.key_record(row)).collect()
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
    fn key_record(&self, row: &SqliteRow) -> Result<KeyRecord, StoreError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(|error| self.error(error));
        let optional_text = |column: &str| row.try_get::<Option<String>, _>(column).map_err(|error| self.error(error));
        let time = |column: &str| {
            let micros = row.try_get::<Option<i64>, _>(column).map_err(|error| self.error(error))?;
            micros.map(Timestamp::from_microsecond).transpose().map_err(|error| self.unreadable(column, error))
        };
        let hash = row.try_get::<Vec<u8>, _>("hash").map_err(|error| self.error(error))?;
        Ok(KeyRecord {
            id: KeyId::parse(&text("id")?).map_err(|error| self.unreadable("id", error))?,
            endpoint: EndpointId::parse(&text("endpoint")?)
                .ok_or_else(|| self.unreadable("endpoint", "this version has no such endpoint"))?,
            subject: text("subject")?.into(),
            scopes: ScopeSet::parse(&text("scopes")?).map_err(|error| self.unreadable("scopes", error))?,
            hash: KeyHash::new(hash.try_into().map_err(|_bytes| self.unreadable("hash", "it has not 32 bytes"))?),
            pepper_version: KeyVersion::parse(&text("pepper_version")?)
                .ok_or_else(|| self.unreadable("pepper_version", "it is not 8 hexadecimal digits"))?,
            created_at: time("created_at")?.ok_or_else(|| self.unreadable("created_at", "it is missing"))?,
            expires_at: time("expires_at")?,
            revoked_at: time("revoked_at")?,
            last_used_at: time("last_used_at")?,
            label: optional_text("label")?,
            header: optional_text("header")?,
        })
    }

    fn unreadable(&self, column: &str, why: impl Display) -> StoreError {
        let what = format!("the column `{column}` of a key cannot be read ({why}). Restore a backup");
        corrupt(&self.0.path, what, None::<sqlx::Error>)
    }
}

fn micros(at: Timestamp) -> i64 {
    to_microsecond(at).as_microsecond()
}
