//! A store that forgets everything when the process ends: for trying out and for tests.

mod certificates;
mod credentials;
mod effects;
mod identities;
mod issuer;
mod people;
mod trace;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bridgehead_auth::{
    Denial, DeniedSubject, Insertion, KeyId, KeyRecord, KeyStore, Readmission, Revocation, StoreError, SubjectStore,
    TraceEvent, keys::to_microsecond,
};
use bridgehead_core::effects::EffectTable;
use jiff::Timestamp;

/// Everything in maps behind one lock each.
#[derive(Debug, Default)]
pub struct Memory {
    keys: Mutex<BTreeMap<KeyId, KeyRecord>>,
    denied: Mutex<BTreeMap<String, Timestamp>>,
    people: Mutex<people::People>,
    trace: Mutex<Vec<TraceEvent>>,
    issuer: Mutex<issuer::Tables>,
    acme: Mutex<certificates::Acme>,
    effects: Mutex<EffectTable>,
    credentials: Mutex<credentials::Credentials>,
}

impl Memory {
    fn keys(&self) -> MutexGuard<'_, BTreeMap<KeyId, KeyRecord>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn denied(&self) -> MutexGuard<'_, BTreeMap<String, Timestamp>> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> MutexGuard<'_, people::People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trace(&self) -> MutexGuard<'_, Vec<TraceEvent>> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
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

#[async_trait]
impl SubjectStore for Memory {
    async fn deny_subject(&self, subject: &str, at: Timestamp) -> Result<Denial, StoreError> {
        let mut denied = self.denied();
        if denied.contains_key(subject) {
            return Ok(Denial::AlreadyDenied);
        }
        denied.insert(subject.to_owned(), to_microsecond(at));
        Ok(Denial::Denied)
    }

    async fn allow_subject(&self, subject: &str) -> Result<Readmission, StoreError> {
        Ok(if self.denied().remove(subject).is_some() { Readmission::Allowed } else { Readmission::NotDenied })
    }

    async fn denied_subjects(&self) -> Result<Vec<DeniedSubject>, StoreError> {
        let subject =
            |(subject, at): (&String, &Timestamp)| DeniedSubject { subject: subject.as_str().into(), denied_at: *at };
        let mut denied: Vec<_> = self.denied().iter().map(subject).collect();
        // The map is in the order of names, and sorting keeps the order of equals.
        denied.sort_by_key(|one| one.denied_at);
        Ok(denied)
    }

    async fn denied_since(&self, subject: &str) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.denied().get(subject).copied())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, sync::Arc};

    use bridgehead_auth::{CertificateStore, CredentialStore, IssuerStore, TraceStore};
    use bridgehead_core::EffectStore;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn memory_keeps_the_contract() {
        crate::contract::key_store(|| ready(Ok(Arc::new(Memory::default()) as Arc<dyn KeyStore>))).await.unwrap();
        let make = || ready(Ok(Arc::new(Memory::default()) as Arc<dyn SubjectStore>));
        crate::contract::subject_store(make).await.unwrap();
        crate::contract::people_stores(|| ready(Ok(Arc::new(Memory::default())))).await.unwrap();
        crate::contract::identity_store(|| ready(Ok(Arc::new(Memory::default())))).await.unwrap();
        crate::contract::trace_store(|| ready(Ok(Arc::new(Memory::default()) as Arc<dyn TraceStore>))).await.unwrap();
        let make = || ready(Ok(Arc::new(Memory::default()) as Arc<dyn IssuerStore>));
        crate::contract::issuer_store(make).await.unwrap();
        let make = || ready(Ok(Arc::new(Memory::default()) as Arc<dyn CertificateStore>));
        crate::contract::certificate_store(make).await.unwrap();
        let make = || ready(Ok(Arc::new(Memory::default()) as Arc<dyn EffectStore>));
        crate::contract::effect_store(make).await.unwrap();
        let make = || ready(Ok(Arc::new(Memory::default()) as Arc<dyn CredentialStore>));
        crate::contract::credential_store(make).await.unwrap();
    }
}
