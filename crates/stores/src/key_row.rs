//! A key as a table holds it: the same columns in every SQL database.

use std::fmt::Display;

use bridgehead_auth::{KeyHash, KeyId, KeyRecord, KeyVersion, keys::to_microsecond};
use bridgehead_core::{EndpointId, ScopeSet};
use jiff::Timestamp;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

/// The columns, as every statement names them.
macro_rules! key_columns {
    () => {
        "id, endpoint, subject, scopes, hash, pepper_version, created_at, expires_at, revoked_at, last_used_at, \
         label, header"
    };
}
pub(crate) use key_columns;

/// One row. Times are microseconds since 1970.
pub(crate) struct KeyRow {
    id: String,
    endpoint: String,
    subject: String,
    scopes: String,
    hash: Vec<u8>,
    pepper_version: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
    label: Option<String>,
    header: Option<String>,
}

impl<'r, R: Row> FromRow<'r, R> for KeyRow
where
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            endpoint: row.try_get("endpoint")?,
            subject: row.try_get("subject")?,
            scopes: row.try_get("scopes")?,
            hash: row.try_get("hash")?,
            pepper_version: row.try_get("pepper_version")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            last_used_at: row.try_get("last_used_at")?,
            label: row.try_get("label")?,
            header: row.try_get("header")?,
        })
    }
}

impl KeyRow {
    /// The record.
    ///
    /// # Errors
    /// Which column was never written like this, in words.
    pub(crate) fn into_record(self) -> Result<KeyRecord, String> {
        let time = |column, micros: i64| Timestamp::from_microsecond(micros).map_err(|why| unreadable(column, why));
        let optional_time = |column, micros: Option<i64>| micros.map(|micros| time(column, micros)).transpose();
        Ok(KeyRecord {
            id: KeyId::parse(&self.id).map_err(|why| unreadable("id", why))?,
            endpoint: EndpointId::parse(&self.endpoint)
                .ok_or_else(|| unreadable("endpoint", "this version has no such endpoint"))?,
            subject: self.subject.into(),
            scopes: ScopeSet::parse(&self.scopes).map_err(|why| unreadable("scopes", why))?,
            hash: KeyHash::new(self.hash.try_into().map_err(|_bytes| unreadable("hash", "it has not 32 bytes"))?),
            pepper_version: KeyVersion::parse(&self.pepper_version)
                .ok_or_else(|| unreadable("pepper_version", "it is not 8 hexadecimal digits"))?,
            created_at: time("created_at", self.created_at)?,
            expires_at: optional_time("expires_at", self.expires_at)?,
            revoked_at: optional_time("revoked_at", self.revoked_at)?,
            last_used_at: optional_time("last_used_at", self.last_used_at)?,
            label: self.label,
            header: self.header,
        })
    }
}

fn unreadable(column: &str, why: impl Display) -> String {
    format!("the column `{column}` of a key cannot be read ({why}). Restore a backup")
}

/// A time as it is kept.
pub(crate) fn micros(at: Timestamp) -> i64 {
    to_microsecond(at).as_microsecond()
}
