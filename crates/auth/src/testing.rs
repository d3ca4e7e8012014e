//! What the tests of this crate share: a clock that is moved by hand, randomness that repeats,
//! and a store that can fail. (The harness cannot be used here: it stands on this crate.)

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::{Clock, EndpointId, Presented, Randomness, ScopeSet, Secret};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    Denial, DeniedSubject, Fingerprints, HandedThrough, Insertion, IssuedKeys, KeyId, KeyRecord, KeyStore, NewKey,
    Peppers, Probe, ProbeAnswer, ProbeFailure, Readmission, Revocation, RootKeys, StoreError, SubjectBlocks,
    SubjectStore,
};

pub(crate) struct MovedClock(watch::Sender<Timestamp>);

impl MovedClock {
    /// On a day in 2026.
    pub(crate) fn at_noon() -> Self {
        Self(watch::Sender::new("2026-03-01T12:00:00.000000789Z".parse().unwrap()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let (mut time, until) = (self.0.subscribe(), self.now() + duration);
        Box::pin(async move { drop(time.wait_for(|now| *now >= until).await) })
    }
}

/// splitmix64: repeats from the same seed.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

#[derive(Default)]
pub(crate) struct FakeStore {
    pub(crate) records: Mutex<BTreeMap<KeyId, KeyRecord>>,
    pub(crate) denied: Mutex<BTreeMap<String, Timestamp>>,
    pub(crate) down: AtomicBool,
    pub(crate) finds: AtomicUsize,
    pub(crate) touches: Mutex<Vec<Timestamp>>,
}

impl FakeStore {
    fn up(&self) -> Result<(), StoreError> {
        if !self.down.load(Ordering::Relaxed) {
            return Ok(());
        }
        let cause: crate::error::Cause = Arc::new(std::io::Error::other("secret-path-in-cause"));
        Err(StoreError::Unavailable { store: "fake:".into(), what: "it is down".into(), cause: Some(cause) })
    }
}

#[async_trait]
impl KeyStore for FakeStore {
    async fn insert(&self, record: KeyRecord) -> Result<Insertion, StoreError> {
        self.up()?;
        let mut records = self.records.lock().unwrap();
        if records.contains_key(&record.id) {
            return Ok(Insertion::IdTaken);
        }
        records.insert(record.id.clone(), record);
        Ok(Insertion::Inserted)
    }

    async fn find(&self, id: &KeyId) -> Result<Option<KeyRecord>, StoreError> {
        self.finds.fetch_add(1, Ordering::Relaxed);
        self.up()?;
        Ok(self.records.lock().unwrap().get(id).cloned())
    }

    async fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.up()?;
        Ok(self.records.lock().unwrap().values().cloned().collect())
    }

    async fn revoke(&self, id: &KeyId, at: Timestamp) -> Result<Revocation, StoreError> {
        self.up()?;
        Ok(match self.records.lock().unwrap().get_mut(id) {
            None => Revocation::NotFound,
            Some(record) if record.revoked_at.is_some() => Revocation::AlreadyRevoked,
            Some(record) => {
                record.revoked_at = Some(at);
                Revocation::Revoked
            }
        })
    }

    async fn touch(&self, id: &KeyId, at: Timestamp) -> Result<(), StoreError> {
        self.touches.lock().unwrap().push(at);
        self.up()?;
        if let Some(record) = self.records.lock().unwrap().get_mut(id) {
            record.last_used_at = Some(at);
        }
        Ok(())
    }

    async fn count(&self) -> Result<u64, StoreError> {
        self.up()?;
        Ok(self.records.lock().unwrap().len() as u64)
    }
}

#[async_trait]
impl SubjectStore for FakeStore {
    async fn deny_subject(&self, subject: &str, at: Timestamp) -> Result<Denial, StoreError> {
        self.up()?;
        let mut denied = self.denied.lock().unwrap();
        if denied.contains_key(subject) {
            return Ok(Denial::AlreadyDenied);
        }
        denied.insert(subject.into(), at);
        Ok(Denial::Denied)
    }

    async fn allow_subject(&self, subject: &str) -> Result<Readmission, StoreError> {
        self.up()?;
        let known = self.denied.lock().unwrap().remove(subject).is_some();
        Ok(if known { Readmission::Allowed } else { Readmission::NotDenied })
    }

    async fn denied_subjects(&self) -> Result<Vec<DeniedSubject>, StoreError> {
        self.up()?;
        let denied = self.denied.lock().unwrap();
        Ok(denied.iter().map(|(s, at)| DeniedSubject { subject: s.as_str().into(), denied_at: *at }).collect())
    }

    async fn denied_since(&self, subject: &str) -> Result<Option<Timestamp>, StoreError> {
        self.up()?;
        Ok(self.denied.lock().unwrap().get(subject).copied())
    }
}

/// A system behind that knows some values (of any header) and whose they are.
#[derive(Default)]
pub(crate) struct FakeProbe {
    pub(crate) known: Mutex<BTreeMap<String, Option<String>>>,
    pub(crate) down: AtomicBool,
    pub(crate) asked: Mutex<Vec<Presented>>,
    /// Whoever asks waits for a permit, where there is a gate.
    pub(crate) gate: Option<tokio::sync::Semaphore>,
}

impl FakeProbe {
    pub(crate) fn knows(values: &[(&str, &str)]) -> Arc<Self> {
        let known = values.iter().map(|(value, subject)| ((*value).into(), Some((*subject).into()))).collect();
        Arc::new(Self { known: Mutex::new(known), ..Self::default() })
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

#[async_trait]
impl Probe for FakeProbe {
    async fn probe(&self, presented: &Presented) -> Result<ProbeAnswer, ProbeFailure> {
        self.asked.lock().unwrap().push(presented.clone());
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        if self.down.load(Ordering::Relaxed) {
            let cause: crate::error::Cause = Arc::new(std::io::Error::other("connection refused"));
            return Err(ProbeFailure::Unavailable { what: "it is down".into(), cause: Some(cause) });
        }
        let known = self.known.lock().unwrap();
        match presented.iter().find_map(|(_, value)| known.get(value.expose())) {
            Some(Some(subject)) => ProbeAnswer::named(subject),
            Some(None) => Ok(ProbeAnswer::good()),
            None => Err(ProbeFailure::Refused),
        }
    }
}

/// Keys in a fake store, at noon on a day in 2026.
pub(crate) struct Desk {
    pub(crate) store: Arc<FakeStore>,
    pub(crate) clock: Arc<MovedClock>,
    pub(crate) roots: RootKeys,
    pub(crate) keys: Arc<IssuedKeys>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let roots = RootKeys::generate(&Seeded::new(1));
        let store = Arc::new(FakeStore::default());
        let clock = Arc::new(MovedClock::at_noon());
        let keys = issued(&store, &clock, &roots, 2);
        Self { store, clock, roots, keys }
    }

    /// The same store and time under other root keys.
    pub(crate) fn under(&self, roots: &RootKeys) -> Arc<IssuedKeys> {
        issued(&self.store, &self.clock, roots, 3)
    }

    pub(crate) fn blocks(&self) -> SubjectBlocks {
        SubjectBlocks::new(self.store.clone(), self.clock.clone())
    }

    /// Callers with credentials of the system behind.
    pub(crate) fn handed_through(&self, probe: Option<Arc<dyn Probe>>) -> HandedThrough {
        HandedThrough::new(Fingerprints::derive(&self.roots), self.blocks(), probe)
    }

    pub(crate) async fn create(&self, new: NewKey) -> (KeyRecord, Secret) {
        self.keys.create(new).await.unwrap()
    }
}

fn issued(store: &Arc<FakeStore>, clock: &Arc<MovedClock>, roots: &RootKeys, seed: u64) -> Arc<IssuedKeys> {
    let randomness = Arc::new(Seeded::new(seed));
    Arc::new(IssuedKeys::new(store.clone(), Peppers::derive(roots), clock.clone(), randomness))
}

pub(crate) fn for_alice() -> NewKey {
    NewKey {
        endpoint: EndpointId::main(),
        subject: "alice@example.com".into(),
        scopes: ScopeSet::read_and_write(),
        expires_at: None,
        label: None,
        header: None,
    }
}
