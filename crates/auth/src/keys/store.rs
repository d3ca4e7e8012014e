//! What is remembered about an issued key, and the seam behind which it is kept.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::{EndpointId, ScopeSet};
use jiff::Timestamp;

use super::KeyId;
use crate::{KeyHash, KeyVersion, StoreError};

/// One issued key as it is stored: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The public part of the key: names it in listings, logs and `keys revoke`.
    pub id: KeyId,
    /// The endpoint it opens.
    pub endpoint: EndpointId,
    /// The teammate it was made for.
    pub subject: Arc<str>,
    /// What it lets them do.
    pub scopes: ScopeSet,
    /// Hash of the whole text of the key.
    pub hash: KeyHash,
    /// Which root key the pepper of `hash` comes from.
    pub pepper_version: KeyVersion,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good; `None` for a key without an end.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, give or take a minute.
    pub last_used_at: Option<Timestamp>,
    /// What the operator wrote down about it.
    pub label: Option<String>,
    /// The one header it may arrive in, in lower case; `None` for whichever the mode reads.
    pub header: Option<String>,
}

/// A time as every store keeps it: what is finer than a microsecond is cut off.
#[must_use]
pub fn to_microsecond(at: Timestamp) -> Timestamp {
    // In the very last second of the calendar jiff reads back whole seconds alone.
    let micros = Timestamp::from_microsecond(at.as_microsecond());
    micros.or_else(|_last| Timestamp::from_second(at.as_second())).unwrap_or(at)
}

/// What came of an insert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Insertion {
    /// The record is stored.
    Inserted,
    /// Another record has this id; nothing was changed.
    IdTaken,
}

/// What came of a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The key was good until now.
    Revoked,
    /// It had been revoked before; the first time stands.
    AlreadyRevoked,
    /// No key has this id.
    NotFound,
}

/// Keeps the records of issued keys.
///
/// Every verb is atomic and, once it has returned `Ok`, durable as far as the store is durable at
/// all. Times are kept as [`to_microsecond`] says. Records are never removed.
/// Each implementation passes `bridgehead_stores::contract`.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Stores a new record.
    ///
    /// # Errors
    /// As [`StoreError`] says; a taken id is no error but [`Insertion::IdTaken`].
    async fn insert(&self, record: KeyRecord) -> Result<Insertion, StoreError>;

    /// The record with this id, revoked and expired ones as well.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError>;

    /// All records, oldest first; of one age, by id.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn list(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// Marks a key as revoked at `at`, if it is not yet. Of several at once exactly one gets
    /// [`Revocation::Revoked`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn revoke(&self, id: &KeyId, at: Timestamp) -> Result<Revocation, StoreError>;

    /// Remembers that a key was used at `at`. Never moves the time back; an unknown id is ignored.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn touch(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError>;

    /// How many records there are, revoked and expired ones as well: zero means that no key was
    /// ever made here.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn count(&self) -> Result<u64, StoreError>;
}
