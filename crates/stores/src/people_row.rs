//! Users, one-time links and sessions as tables hold them: the same columns in every SQL database.

use std::fmt::Display;

use bridgehead_auth::{
    KeyHash, KeyVersion,
    users::{LinkPurpose, LinkRecord, MailAddress, PasswordHash, SessionRecord, User, UserRecord},
};
use bridgehead_core::ScopeSet;
use jiff::Timestamp;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

/// The columns of a user, as every statement names them.
macro_rules! user_columns {
    () => {
        "address, name, admin, scopes, password, created_at, disabled_at, signed_in_at"
    };
}
pub(crate) use user_columns;

/// The columns of a link, as every statement names them.
macro_rules! link_columns {
    () => {
        "id, purpose, address, hash, pepper_version, created_at, expires_at, used_at"
    };
}
pub(crate) use link_columns;

/// The columns of a session, as every statement names them.
macro_rules! session_columns {
    () => {
        "id, address, hash, pepper_version, created_at, expires_at, last_used_at"
    };
}
pub(crate) use session_columns;

/// The columns of a session beside those of its user.
macro_rules! session_columns_renamed {
    () => {
        "id AS session_id, address AS session_address, hash AS session_hash, \
         pepper_version AS session_pepper_version, created_at AS session_created_at, \
         expires_at AS session_expires_at, last_used_at AS session_last_used_at"
    };
}
pub(crate) use session_columns_renamed;

/// One user. Times are microseconds since 1970, here and below.
pub(crate) struct UserRow {
    address: String,
    name: Option<String>,
    admin: bool,
    scopes: String,
    password: Option<String>,
    created_at: i64,
    disabled_at: Option<i64>,
    signed_in_at: Option<i64>,
}

impl<'r, R: Row> FromRow<'r, R> for UserRow
where
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    bool: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            address: row.try_get("address")?,
            name: row.try_get("name")?,
            admin: row.try_get("admin")?,
            scopes: row.try_get("scopes")?,
            password: row.try_get("password")?,
            created_at: row.try_get("created_at")?,
            disabled_at: row.try_get("disabled_at")?,
            signed_in_at: row.try_get("signed_in_at")?,
        })
    }
}

impl UserRow {
    /// The record.
    ///
    /// # Errors
    /// Which column was never written like this, in words; here and below.
    pub(crate) fn into_record(self) -> Result<UserRecord, String> {
        let user = User {
            address: address("user", &self.address)?,
            name: self.name,
            admin: self.admin,
            scopes: ScopeSet::parse(&self.scopes).map_err(|why| unreadable("scopes", "user", why))?,
            created_at: time("created_at", "user", self.created_at)?,
            disabled_at: optional_time("disabled_at", "user", self.disabled_at)?,
            signed_in_at: optional_time("signed_in_at", "user", self.signed_in_at)?,
            has_password: false,
        };
        Ok(UserRecord::new(user, self.password.as_deref().map(PasswordHash::new)))
    }
}

/// One one-time link.
pub(crate) struct LinkRow {
    id: String,
    purpose: String,
    address: Option<String>,
    hash: Vec<u8>,
    pepper_version: String,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
}

impl<'r, R: Row> FromRow<'r, R> for LinkRow
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
            purpose: row.try_get("purpose")?,
            address: row.try_get("address")?,
            hash: row.try_get("hash")?,
            pepper_version: row.try_get("pepper_version")?,
            created_at: row.try_get("created_at")?,
            expires_at: row.try_get("expires_at")?,
            used_at: row.try_get("used_at")?,
        })
    }
}

impl LinkRow {
    pub(crate) fn into_record(self) -> Result<LinkRecord, String> {
        let address = self.address.map(|text| address("link", &text)).transpose()?;
        Ok(LinkRecord {
            id: self.id.into(),
            purpose: LinkPurpose::parse(&self.purpose, address)
                .ok_or_else(|| unreadable("purpose", "link", "this version has no such purpose"))?,
            hash: hash("link", self.hash)?,
            pepper_version: version("link", &self.pepper_version)?,
            created_at: time("created_at", "link", self.created_at)?,
            expires_at: time("expires_at", "link", self.expires_at)?,
            used_at: optional_time("used_at", "link", self.used_at)?,
        })
    }
}

/// One session, of a statement that names its columns as [`session_columns_renamed`] does.
pub(crate) struct SessionRow {
    id: String,
    address: String,
    hash: Vec<u8>,
    pepper_version: String,
    created_at: i64,
    expires_at: i64,
    last_used_at: i64,
}

impl<'r, R: Row> FromRow<'r, R> for SessionRow
where
    &'static str: ColumnIndex<R>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("session_id")?,
            address: row.try_get("session_address")?,
            hash: row.try_get("session_hash")?,
            pepper_version: row.try_get("session_pepper_version")?,
            created_at: row.try_get("session_created_at")?,
            expires_at: row.try_get("session_expires_at")?,
            last_used_at: row.try_get("session_last_used_at")?,
        })
    }
}

impl SessionRow {
    pub(crate) fn into_record(self) -> Result<SessionRecord, String> {
        Ok(SessionRecord {
            id: self.id.into(),
            address: address("session", &self.address)?,
            hash: hash("session", self.hash)?,
            pepper_version: version("session", &self.pepper_version)?,
            created_at: time("created_at", "session", self.created_at)?,
            expires_at: time("expires_at", "session", self.expires_at)?,
            last_used_at: time("last_used_at", "session", self.last_used_at)?,
        })
    }
}

fn address(of: &str, text: &str) -> Result<MailAddress, String> {
    MailAddress::parse(text).map_err(|why| unreadable("address", of, why))
}

fn hash(of: &str, bytes: Vec<u8>) -> Result<KeyHash, String> {
    bytes.try_into().map(KeyHash::new).map_err(|_bytes| unreadable("hash", of, "it has not 32 bytes"))
}

fn version(of: &str, text: &str) -> Result<KeyVersion, String> {
    KeyVersion::parse(text).ok_or_else(|| unreadable("pepper_version", of, "it is not 8 hexadecimal digits"))
}

fn time(column: &str, of: &str, micros: i64) -> Result<Timestamp, String> {
    Timestamp::from_microsecond(micros).map_err(|why| unreadable(column, of, why))
}

fn optional_time(column: &str, of: &str, micros: Option<i64>) -> Result<Option<Timestamp>, String> {
    micros.map(|micros| time(column, of, micros)).transpose()
}

fn unreadable(column: &str, of: &str, why: impl Display) -> String {
    format!("the column `{column}` of a {of} cannot be read ({why}). Restore a backup")
}
