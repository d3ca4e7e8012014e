//! Clients, codes, grants and access tokens as tables hold them: the same columns in every SQL
//! database.

use std::fmt::Display;

use bridgehead_auth::{
    KeyHash, KeyVersion,
    issuer::{
        AccessRecord, ClientId, ClientKind, ClientRecord, CodeRecord, DocumentCopy, GrantId, GrantRecord, RefreshState,
        Revoked, RevokedBecause, StoredHash,
    },
};
use bridgehead_core::{EndpointId, ScopeSet};
use jiff::Timestamp;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

/// The columns of a client, as every statement names them.
macro_rules! client_columns {
    () => {
        "id, kind, metadata, secret_hash, secret_pepper, registration_hash, registration_pepper, created_at, \
         last_seen_at, fetched_at, fresh_until, revoked_at"
    };
}

/// The columns of a code.
macro_rules! code_columns {
    () => {
        "id, hash, pepper_version, client, subject, endpoint, resource, scopes, redirect_uri, code_challenge, \
         created_at, expires_at, grant_id"
    };
}

/// The columns of a grant.
macro_rules! grant_columns {
    () => {
        "id, client, client_name, subject, endpoint, resource, scopes, created_at, refreshed_at, expires_at, ends_at, \
         generation, current_hash, current_pepper, issuer_key, previous_hash, previous_pepper, revoked_at, revoked_why"
    };
}

/// The columns of an access token.
macro_rules! access_columns {
    () => {
        "id, hash, pepper_version, grant_id, scopes, created_at, expires_at, revoked_at"
    };
}

/// The columns of a grant `g` and of its access token `a`, whose names begin with `access_`.
macro_rules! access_and_grant_columns {
    () => {
        "g.id, g.client, g.client_name, g.subject, g.endpoint, g.resource, g.scopes, g.created_at, g.refreshed_at, \
         g.expires_at, g.ends_at, g.generation, g.current_hash, g.current_pepper, g.issuer_key, g.previous_hash, \
         g.previous_pepper, g.revoked_at, g.revoked_why, a.id AS access_id, a.hash AS access_hash, \
         a.pepper_version AS access_pepper, a.scopes AS access_scopes, a.created_at AS access_created_at, \
         a.expires_at AS access_expires_at, a.revoked_at AS access_revoked_at"
    };
}

/// Binds a client, in the order of its columns.
macro_rules! bind_client {
    ($query:expr, $client:expr, $metadata:expr) => {{
        let client = $client;
        let [secret, registration] = [&client.secret, &client.registration_token].map(Option::as_ref);
        $query
            .bind(client.id.as_str())
            .bind(client.kind.as_str())
            .bind($metadata)
            .bind(secret.map(|stored| stored.hash.as_bytes().as_slice()))
            .bind(secret.map(|stored| stored.version.as_str()))
            .bind(registration.map(|stored| stored.hash.as_bytes().as_slice()))
            .bind(registration.map(|stored| stored.version.as_str()))
            .bind(micros(client.created_at))
            .bind(client.last_seen_at.map(micros))
            .bind(client.document.map(|copy| micros(copy.fetched_at)))
            .bind(client.document.map(|copy| micros(copy.fresh_until)))
            .bind(client.revoked_at.map(micros))
    }};
}

/// Binds a code, in the order of its columns.
macro_rules! bind_code {
    ($query:expr, $code:expr) => {{
        let code = $code;
        $query
            .bind(&*code.id)
            .bind(code.hash.hash.as_bytes().as_slice())
            .bind(code.hash.version.as_str())
            .bind(code.client.as_str())
            .bind(&*code.subject)
            .bind(code.endpoint.as_str())
            .bind(code.resource.as_str())
            .bind(code.scopes.to_string())
            .bind(code.redirect_uri.as_str())
            .bind(code.code_challenge.as_str())
            .bind(micros(code.created_at))
            .bind(micros(code.expires_at))
            .bind(code.redeemed_for.as_ref().map(GrantId::as_str))
    }};
}

/// Binds a grant, in the order of its columns.
macro_rules! bind_grant {
    ($query:expr, $grant:expr) => {{
        let grant = $grant;
        let refresh = grant.refresh.as_ref();
        let previous = refresh.and_then(|state| state.previous.as_ref());
        $query
            .bind(grant.id.as_str())
            .bind(grant.client.as_str())
            .bind(grant.client_name.as_deref())
            .bind(&*grant.subject)
            .bind(grant.endpoint.as_str())
            .bind(grant.resource.as_str())
            .bind(grant.scopes.to_string())
            .bind(micros(grant.created_at))
            .bind(micros(grant.refreshed_at))
            .bind(micros(grant.expires_at))
            .bind(micros(grant.ends_at))
            .bind(refresh.map(|state| i64::from(state.generation)))
            .bind(refresh.map(|state| state.current.hash.as_bytes().as_slice()))
            .bind(refresh.map(|state| state.current.version.as_str()))
            .bind(refresh.map(|state| state.issuer_key.as_str()))
            .bind(previous.map(|stored| stored.hash.as_bytes().as_slice()))
            .bind(previous.map(|stored| stored.version.as_str()))
            .bind(grant.revoked.map(|revoked| micros(revoked.at)))
            .bind(grant.revoked.map(|revoked| revoked.why.as_str()))
    }};
}

/// Binds an access token, in the order of its columns.
macro_rules! bind_access {
    ($query:expr, $access:expr) => {{
        let access = $access;
        $query
            .bind(&*access.id)
            .bind(access.hash.hash.as_bytes().as_slice())
            .bind(access.hash.version.as_str())
            .bind(access.grant.as_str())
            .bind(access.scopes.to_string())
            .bind(micros(access.created_at))
            .bind(micros(access.expires_at))
            .bind(access.revoked_at.map(micros))
    }};
}

pub(crate) use {
    access_and_grant_columns, access_columns, bind_access, bind_client, bind_code, bind_grant, client_columns,
    code_columns, grant_columns,
};

/// The JSON of a client's metadata. Writing it cannot fail: it has no maps, and was JSON before.
pub(crate) fn metadata_json(client: &ClientRecord) -> String {
    serde_json::to_string(&client.metadata).unwrap_or_default()
}

/// What a column holds that was never written like this, in words.
fn unreadable(table: &str, column: &str, why: impl Display) -> String {
    format!("the column `{column}` of {table} cannot be read ({why}). Restore a backup")
}

/// Reads columns of one table.
struct Columns(&'static str);

impl Columns {
    fn time(&self, column: &str, micros: i64) -> Result<Timestamp, String> {
        Timestamp::from_microsecond(micros).map_err(|why| unreadable(self.0, column, why))
    }

    fn optional_time(&self, column: &str, micros: Option<i64>) -> Result<Option<Timestamp>, String> {
        micros.map(|micros| self.time(column, micros)).transpose()
    }

    fn hash(&self, column: &str, hash: Vec<u8>, version: &str) -> Result<StoredHash, String> {
        let bytes = hash.try_into().map_err(|_bytes| unreadable(self.0, column, "it has not 32 bytes"))?;
        let version = KeyVersion::parse(version)
            .ok_or_else(|| unreadable(self.0, column, "its pepper is not named by 8 hexadecimal digits"))?;
        Ok(StoredHash { version, hash: KeyHash::new(bytes) })
    }

    fn optional_hash(
        &self,
        column: &str,
        hash: Option<Vec<u8>>,
        version: Option<String>,
    ) -> Result<Option<StoredHash>, String> {
        match (hash, version) {
            (None, None) => Ok(None),
            (Some(hash), Some(version)) => self.hash(column, hash, &version).map(Some),
            (Some(_), None) | (None, Some(_)) => Err(unreadable(self.0, column, "hash or pepper is missing")),
        }
    }

    fn client(&self, column: &str, id: &str) -> Result<ClientId, String> {
        ClientId::parse(id).ok_or_else(|| unreadable(self.0, column, "no client can be called that"))
    }

    fn grant(&self, column: &str, id: &str) -> Result<GrantId, String> {
        GrantId::parse(id).ok_or_else(|| unreadable(self.0, column, "it is not 12 letters and digits"))
    }

    fn endpoint(&self, id: &str) -> Result<EndpointId, String> {
        EndpointId::parse(id).ok_or_else(|| unreadable(self.0, "endpoint", "this version has no such endpoint"))
    }

    fn scopes(&self, column: &str, scopes: &str) -> Result<ScopeSet, String> {
        ScopeSet::parse(scopes).map_err(|why| unreadable(self.0, column, why))
    }
}

/// Declares a row, and how it is read out of any database that has texts, bytes and numbers.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty = $column:literal),+ $(,)? }) => {
        $(#[$doc])*
        pub(crate) struct $name { $($field: $kind),+ }

        impl<'r, R: Row> FromRow<'r, R> for $name
        where
            &'static str: ColumnIndex<R>,
            String: Decode<'r, R::Database> + Type<R::Database>,
            Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
            i64: Decode<'r, R::Database> + Type<R::Database>,
            Option<String>: Decode<'r, R::Database> + Type<R::Database>,
            Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
            Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get($column)?),+ })
            }
        }
    };
}

row! {
    /// One client. Times are microseconds since 1970.
    ClientRow {
        id: String = "id",
        kind: String = "kind",
        metadata: String = "metadata",
        secret_hash: Option<Vec<u8>> = "secret_hash",
        secret_pepper: Option<String> = "secret_pepper",
        registration_hash: Option<Vec<u8>> = "registration_hash",
        registration_pepper: Option<String> = "registration_pepper",
        created_at: i64 = "created_at",
        last_seen_at: Option<i64> = "last_seen_at",
        fetched_at: Option<i64> = "fetched_at",
        fresh_until: Option<i64> = "fresh_until",
        revoked_at: Option<i64> = "revoked_at",
    }
}

impl ClientRow {
    /// The record.
    ///
    /// # Errors
    /// Which column was never written like this, in words.
    pub(crate) fn into_record(self) -> Result<ClientRecord, String> {
        let read = Columns("a client");
        let document = match (self.fetched_at, self.fresh_until) {
            (Some(fetched_at), Some(fresh_until)) => Some(DocumentCopy {
                fetched_at: read.time("fetched_at", fetched_at)?,
                fresh_until: read.time("fresh_until", fresh_until)?,
            }),
            _ => None,
        };
        Ok(ClientRecord {
            id: read.client("id", &self.id)?,
            kind: ClientKind::parse(&self.kind)
                .ok_or_else(|| unreadable("a client", "kind", "this version has no such kind"))?,
            metadata: serde_json::from_str(&self.metadata).map_err(|why| unreadable("a client", "metadata", why))?,
            secret: read.optional_hash("secret_hash", self.secret_hash, self.secret_pepper)?,
            registration_token: read.optional_hash(
                "registration_hash",
                self.registration_hash,
                self.registration_pepper,
            )?,
            created_at: read.time("created_at", self.created_at)?,
            last_seen_at: read.optional_time("last_seen_at", self.last_seen_at)?,
            document,
            revoked_at: read.optional_time("revoked_at", self.revoked_at)?,
        })
    }
}

row! {
    /// One code. Times are microseconds since 1970.
    CodeRow {
        id: String = "id",
        hash: Vec<u8> = "hash",
        pepper_version: String = "pepper_version",
        client: String = "client",
        subject: String = "subject",
        endpoint: String = "endpoint",
        resource: String = "resource",
        scopes: String = "scopes",
        redirect_uri: String = "redirect_uri",
        code_challenge: String = "code_challenge",
        created_at: i64 = "created_at",
        expires_at: i64 = "expires_at",
        grant_id: Option<String> = "grant_id",
    }
}

impl CodeRow {
    /// The record.
    ///
    /// # Errors
    /// Which column was never written like this, in words.
    pub(crate) fn into_record(self) -> Result<CodeRecord, String> {
        let read = Columns("an authorization code");
        Ok(CodeRecord {
            id: self.id.into(),
            hash: read.hash("hash", self.hash, &self.pepper_version)?,
            client: read.client("client", &self.client)?,
            subject: self.subject.into(),
            endpoint: read.endpoint(&self.endpoint)?,
            resource: self.resource,
            scopes: read.scopes("scopes", &self.scopes)?,
            redirect_uri: self.redirect_uri,
            code_challenge: self.code_challenge,
            created_at: read.time("created_at", self.created_at)?,
            expires_at: read.time("expires_at", self.expires_at)?,
            redeemed_for: self.grant_id.map(|id| read.grant("grant_id", &id)).transpose()?,
        })
    }
}

row! {
    /// One grant. Times are microseconds since 1970.
    GrantRow {
        id: String = "id",
        client: String = "client",
        client_name: Option<String> = "client_name",
        subject: String = "subject",
        endpoint: String = "endpoint",
        resource: String = "resource",
        scopes: String = "scopes",
        created_at: i64 = "created_at",
        refreshed_at: i64 = "refreshed_at",
        expires_at: i64 = "expires_at",
        ends_at: i64 = "ends_at",
        generation: Option<i64> = "generation",
        current_hash: Option<Vec<u8>> = "current_hash",
        current_pepper: Option<String> = "current_pepper",
        issuer_key: Option<String> = "issuer_key",
        previous_hash: Option<Vec<u8>> = "previous_hash",
        previous_pepper: Option<String> = "previous_pepper",
        revoked_at: Option<i64> = "revoked_at",
        revoked_why: Option<String> = "revoked_why",
    }
}

impl GrantRow {
    /// The record.
    ///
    /// # Errors
    /// Which column was never written like this, in words.
    pub(crate) fn into_record(self) -> Result<GrantRecord, String> {
        const TABLE: &str = "a grant";
        let read = Columns(TABLE);
        let current = read.optional_hash("current_hash", self.current_hash, self.current_pepper)?;
        let previous = read.optional_hash("previous_hash", self.previous_hash, self.previous_pepper)?;
        let refresh = match (self.generation, current, self.issuer_key) {
            (None, None, None) => None,
            (Some(generation), Some(current), Some(issuer_key)) => Some(RefreshState {
                generation: u32::try_from(generation).map_err(|why| unreadable(TABLE, "generation", why))?,
                current,
                issuer_key: KeyVersion::parse(&issuer_key)
                    .ok_or_else(|| unreadable(TABLE, "issuer_key", "it is not 8 hexadecimal digits"))?,
                previous,
            }),
            _ => return Err(unreadable(TABLE, "generation", "only a part of a refresh token is there")),
        };
        let revoked = match (self.revoked_at, self.revoked_why) {
            (Some(at), Some(why)) => Some(Revoked {
                at: read.time("revoked_at", at)?,
                why: RevokedBecause::parse(&why)
                    .ok_or_else(|| unreadable(TABLE, "revoked_why", "this version has no such reason"))?,
            }),
            (None, None) => None,
            _ => return Err(unreadable(TABLE, "revoked_at", "time or reason is missing")),
        };
        Ok(GrantRecord {
            id: read.grant("id", &self.id)?,
            client: read.client("client", &self.client)?,
            client_name: self.client_name,
            subject: self.subject.into(),
            endpoint: read.endpoint(&self.endpoint)?,
            resource: self.resource,
            scopes: read.scopes("scopes", &self.scopes)?,
            created_at: read.time("created_at", self.created_at)?,
            refreshed_at: read.time("refreshed_at", self.refreshed_at)?,
            expires_at: read.time("expires_at", self.expires_at)?,
            ends_at: read.time("ends_at", self.ends_at)?,
            refresh,
            revoked,
        })
    }
}

row! {
    /// An access token, as it stands beside its grant. Times are microseconds since 1970.
    AccessRow {
        id: String = "access_id",
        hash: Vec<u8> = "access_hash",
        pepper_version: String = "access_pepper",
        grant: String = "id",
        scopes: String = "access_scopes",
        created_at: i64 = "access_created_at",
        expires_at: i64 = "access_expires_at",
        revoked_at: Option<i64> = "access_revoked_at",
    }
}

impl AccessRow {
    /// The record.
    ///
    /// # Errors
    /// Which column was never written like this, in words.
    pub(crate) fn into_record(self) -> Result<AccessRecord, String> {
        let read = Columns("an access token");
        Ok(AccessRecord {
            id: self.id.into(),
            hash: read.hash("hash", self.hash, &self.pepper_version)?,
            grant: read.grant("grant_id", &self.grant)?,
            scopes: read.scopes("scopes", &self.scopes)?,
            created_at: read.time("created_at", self.created_at)?,
            expires_at: read.time("expires_at", self.expires_at)?,
            revoked_at: read.optional_time("revoked_at", self.revoked_at)?,
        })
    }
}

/// An access token and its grant, out of one row.
pub(crate) struct AccessAndGrant(pub(crate) AccessRow, pub(crate) GrantRow);

impl<'r, R: Row> FromRow<'r, R> for AccessAndGrant
where
    AccessRow: FromRow<'r, R>,
    GrantRow: FromRow<'r, R>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self(AccessRow::from_row(row)?, GrantRow::from_row(row)?))
    }
}

impl AccessAndGrant {
    /// The records.
    ///
    /// # Errors
    /// Which column was never written like this, in words.
    pub(crate) fn into_records(self) -> Result<(AccessRecord, GrantRecord), String> {
        Ok((self.0.into_record()?, self.1.into_record()?))
    }
}
