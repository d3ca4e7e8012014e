//! A store that forgets everything when the process ends: for trying out and for tests.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bridgehead_auth::{Insertion, KeyId, KeyRecord, KeyStore, Revocation, StoreError, keys::to_microsecond};
use jiff::Timestamp;

/// Everything in maps behind one lock each.
#[derive(Debug, Default)]
pub struct Memory {
    keys: Mutex<BTreeMap<KeyId, KeyRecord>>,
}

impl Memory {
    fn keys(&self) -> MutexGuard<'_, BTreeMap<KeyId, KeyRecord>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeyStore for Memory {
    async fn insert(&self, mut record: KeyRecord) -> Result<Insertion, StoreError> {
        record.created_at = to_microsecond(record.created_at);
        for at in [&mut record.expires_at, &mut record.revoked_at, &mut record.last_used_at] {
            *at = at.map(to_microsecond);
        }
        let mut keys = self.keys();
        if keys.contains_key(&record.id) {
            return Ok(Insertion::IdTaken);
        }
        keys.insert(record.id.clone(), record);
        Ok(Insertion::Inserted)
    }

    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        Ok(self.keys().get(id).cloned())
    }

    async fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let mut records: Vec<_> = self.keys().values().cloned().collect();
        // The map is in the order of ids, and sorting keeps the order of equals.
        records.sort_by_key(|record| record.created_at);
        Ok(records)
    }

    async fn revoke(&self, id: &KeyId, at: Timestamp) -> Result<Revocation, StoreError> {
        Ok(match self.keys().get_mut(id) {
            None => Revocation::NotFound,
            Some(record) if record.revoked_at.is_some() => Revocation::AlreadyRevoked,
            Some(record) => {
                record.revoked_at = Some(to_microsecond(at));
                Revocation::Revoked
            }
        })
    }

    async fn touch(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        if let Some(record) = self.keys().get_mut(id) {
            record.last_used_at = record.last_used_at.max(Some(to_microsecond(at)));
        }
        Ok(())
    }

    async fn count(&self) -> Result<u64, StoreError> {
        Ok(u64::try_from(self.keys().len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, sync::Arc};

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_keeps_the_contract() {
        crate::contract::key_store(|| ready(Ok(Arc::new(Memory::default()) as Arc<dyn KeyStore>))).await.unwrap();
    }
}
