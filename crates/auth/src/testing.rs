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
use bridgehead_core::{Clock, EndpointId, Randomness, ScopeSet, Secret};
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use crate::{Insertion, IssuedKeys, KeyId, KeyRecord, KeyStore, NewKey, Peppers, Revocation, RootKeys, StoreError};

pub(crate) struct MovedClock(Mutex<Timestamp>);

impl MovedClock {
    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        unreachable!("nothing in this crate waits")
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
        let clock = Arc::new(MovedClock(Mutex::new("2026-03-01T12:00:00.000000789Z".parse().unwrap())));
        let keys = issued(&store, &clock, &roots, 2);
        Self { store, clock, roots, keys }
    }

    /// The same store and time under other root keys.
    pub(crate) fn under(&self, roots: &RootKeys) -> Arc<IssuedKeys> {
        issued(&self.store, &self.clock, roots, 3)
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
