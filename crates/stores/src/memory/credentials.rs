//! Credentials of teammates, in memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bridgehead_auth::{
    CredentialStore, LeaseOutcome, StoreError,
    credentials::{CredentialRecord, CredentialVersion, PendingConnection, Removal, Replacement},
    keys::to_microsecond,
};
use jiff::Timestamp;

use super::Memory;

/// Vault and subject.
type Key = (Arc<str>, Arc<str>);

/// Everything of credentials.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    records: BTreeMap<Key, CredentialRecord>,
    renewers: HashMap<Key, (String, Timestamp)>,
    pending: HashMap<[u8; 32], PendingConnection>,
}

impl Memory {
    fn credential_tables(&self) -> MutexGuard<'_, Credentials> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(vault: &str, subject: &str) -> Key {
    (vault.into(), subject.into())
}

fn kept(record: &CredentialRecord) -> CredentialRecord {
    CredentialRecord {
        entered_at: to_microsecond(record.entered_at),
        renewed_at: to_microsecond(record.renewed_at),
        expires_at: record.expires_at.map(to_microsecond),
        refused_at: record.refused_at.map(to_microsecond),
        ..record.clone()
    }
}

#[async_trait]
impl CredentialStore for Memory {
    async fn credential(&self, vault: &str, subject: &str) -> Result<Option<CredentialRecord>, StoreError> {
        Ok(self.credential_tables().records.get(&key(vault, subject)).cloned())
    }

    async fn credentials(&self) -> Result<Vec<CredentialRecord>, StoreError> {
        Ok(self.credential_tables().records.values().cloned().collect())
    }

    async fn credentials_of(&self, subject: &str) -> Result<Vec<CredentialRecord>, StoreError> {
        let tables = self.credential_tables();
        Ok(tables.records.values().filter(|record| *record.subject == *subject).cloned().collect())
    }

    async fn keep_credential(&self, record: &CredentialRecord) -> Result<(), StoreError> {
        let key = (record.vault.clone(), record.subject.clone());
        let mut tables = self.credential_tables();
        tables.renewers.remove(&key);
        tables.records.insert(key, kept(record));
        Ok(())
    }

    async fn replace_credential(
        &self,
        record: &CredentialRecord,
        version: &CredentialVersion,
    ) -> Result<Replacement, StoreError> {
        let key = (record.vault.clone(), record.subject.clone());
        Ok(match self.credential_tables().records.get_mut(&key) {
            Some(there) if there.version == *version => {
                *there = kept(record);
                Replacement::Replaced
            }
            _ => Replacement::Changed,
        })
    }

    async fn remove_credential(&self, vault: &str, subject: &str) -> Result<Removal, StoreError> {
        let key = key(vault, subject);
        let mut tables = self.credential_tables();
        tables.renewers.remove(&key);
        Ok(if tables.records.remove(&key).is_some() { Removal::Removed } else { Removal::NotFound })
    }

    async fn take_renewal(
        &self,
        vault: &str,
        subject: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LeaseOutcome, StoreError> {
        let key = key(vault, subject);
        let mut tables = self.credential_tables();
        let is_held = tables.renewers.get(&key).is_some_and(|(holder, end)| holder != owner && *end > now);
        if is_held || !tables.records.contains_key(&key) {
            return Ok(LeaseOutcome::Held);
        }
        tables.renewers.insert(key, (owner.to_owned(), to_microsecond(until)));
        Ok(LeaseOutcome::Taken)
    }

    async fn end_renewal(&self, vault: &str, subject: &str, owner: &str) -> Result<(), StoreError> {
        let key = key(vault, subject);
        let mut tables = self.credential_tables();
        if tables.renewers.get(&key).is_some_and(|(holder, _)| holder == owner) {
            tables.renewers.remove(&key);
        }
        Ok(())
    }

    async fn begin_connection(&self, pending: &PendingConnection, now: Timestamp) -> Result<(), StoreError> {
        let pending = PendingConnection { expires_at: to_microsecond(pending.expires_at), ..pending.clone() };
        let mut tables = self.credential_tables();
        tables.pending.retain(|_, open| open.expires_at > now);
        tables.pending.insert(pending.state, pending);
        Ok(())
    }

    async fn take_connection(&self, state: &[u8; 32], now: Timestamp) -> Result<Option<PendingConnection>, StoreError> {
        Ok(self.credential_tables().pending.remove(state).filter(|pending| pending.expires_at > now))
    }
}
