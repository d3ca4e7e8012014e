//! What replicas share to get a certificate, in memory: of one process, that is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bridgehead_auth::{
    Attempt, CertificateId, CertificateRecord, CertificateStore, ChallengeKind, ChallengeRecord, LeaseOutcome, Sealed,
    StoreError, keys::to_microsecond,
};
use jiff::Timestamp;

use super::Memory;

/// Everything of certificates.
#[derive(Debug, Default)]
pub(super) struct Acme {
    accounts: HashMap<String, Sealed>,
    certificates: HashMap<CertificateId, CertificateRecord>,
    challenges: BTreeMap<(ChallengeKind, String), ChallengeRecord>,
    leases: HashMap<CertificateId, (String, Timestamp)>,
    attempts: HashMap<CertificateId, Attempt>,
}

impl Memory {
    fn acme(&self) -> MutexGuard<'_, Acme> {
        self.acme.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CertificateStore for Memory {
    async fn acme_account(&self, name: &str) -> Result<Option<Sealed>, StoreError> {
        Ok(self.acme().accounts.get(name).cloned())
    }

    async fn keep_acme_account(&self, name: &str, credentials: &Sealed) -> Result<(), StoreError> {
        self.acme().accounts.insert(name.to_owned(), credentials.clone());
        Ok(())
    }

    async fn certificate(&self, id: &CertificateId) -> Result<Option<CertificateRecord>, StoreError> {
        Ok(self.acme().certificates.get(id).cloned())
    }

    async fn keep_certificate(&self, record: &CertificateRecord) -> Result<(), StoreError> {
        let record = CertificateRecord {
            not_before: to_microsecond(record.not_before),
            not_after: to_microsecond(record.not_after),
            obtained_at: to_microsecond(record.obtained_at),
            ..record.clone()
        };
        let mut acme = self.acme();
        let newer = acme.certificates.get(&record.id).is_some_and(|kept| kept.obtained_at > record.obtained_at);
        if !newer {
            acme.certificates.insert(record.id.clone(), record);
        }
        Ok(())
    }

    async fn open_challenge(&self, challenge: &ChallengeRecord, now: Timestamp) -> Result<(), StoreError> {
        let challenge = ChallengeRecord { expires_at: to_microsecond(challenge.expires_at), ..challenge.clone() };
        let mut acme = self.acme();
        acme.challenges.retain(|_, open| open.expires_at > now);
        acme.challenges.insert((challenge.kind, challenge.key.clone()), challenge);
        Ok(())
    }

    async fn challenge_answer(
        &self,
        kind: ChallengeKind,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let acme = self.acme();
        let open = acme.challenges.get(&(kind, key.to_owned())).filter(|open| open.expires_at > now);
        Ok(open.map(|open| open.answer.clone()))
    }

    async fn close_challenge(&self, kind: ChallengeKind, key: &str) -> Result<(), StoreError> {
        self.acme().challenges.remove(&(kind, key.to_owned()));
        Ok(())
    }

    async fn take_lease(
        &self,
        id: &CertificateId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LeaseOutcome, StoreError> {
        let mut acme = self.acme();
        if acme.leases.get(id).is_some_and(|(holder, held_until)| holder != owner && *held_until > now) {
            return Ok(LeaseOutcome::Held);
        }
        acme.leases.insert(id.clone(), (owner.to_owned(), to_microsecond(until)));
        Ok(LeaseOutcome::Taken)
    }

    async fn give_lease_back(
        &self,
        id: &CertificateId,
        owner: &str,
        failed: Option<Attempt>,
    ) -> Result<(), StoreError> {
        let mut acme = self.acme();
        if acme.leases.get(id).is_none_or(|(holder, _)| holder != owner) {
            return Ok(());
        }
        acme.leases.remove(id);
        acme.attempts.remove(id);
        if let Some(failed) = failed {
            let (failed_at, retry_at) = (to_microsecond(failed.failed_at), to_microsecond(failed.retry_at));
            acme.attempts.insert(id.clone(), Attempt { failed_at, retry_at, ..failed });
        }
        Ok(())
    }

    async fn failed_attempt(&self, id: &CertificateId) -> Result<Option<Attempt>, StoreError> {
        Ok(self.acme().attempts.get(id).copied())
    }
}
