//! What every store has to keep. A store's own tests call [`key_store`], [`subject_store`],
//! [`people_stores`], [`identity_store`], [`trace_store`], [`issuer_store`], [`certificate_store`],
//! [`credential_store`] and [`effect_store`] with a way to make an empty one, whatever counts calls
//! [`counters()`], and whatever remembers answers [`cache_store`]; a broken promise is a failed assertion.

#![allow(clippy::expect_used, clippy::panic, reason = "a suite of assertions, which no shipped code calls")]

mod cache;
mod certificates;
mod counters;
mod credentials;
mod effects;
mod identities;
mod issuer;
mod people;
mod subjects;
mod trace;

use std::{future::Future, sync::Arc};

use bridgehead_auth::{
    Insertion, KeyHash, KeyId, KeyRecord, KeyStore, KeyVersion, Revocation, StoreError, keys::to_microsecond,
};
use bridgehead_core::{EndpointId, ScopeSet};
use jiff::Timestamp;

pub use cache::cache_store;
pub use certificates::certificate_store;
pub use counters::counters;
pub use credentials::credential_store;
pub use effects::effect_store;
pub use identities::identity_store;
pub use issuer::issuer_store;
pub use people::people_stores;
pub use subjects::subject_store;
pub use trace::trace_store;

/// How many tasks try the same thing at once.
const CROWD: usize = 8;

/// Holds a [`KeyStore`] to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn key_store<Make, Made>(make: Make) -> Result<(), StoreError>
where
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<dyn KeyStore>, StoreError>>,
{
    an_empty_store_knows_nothing(&*make().await?).await?;
    what_is_inserted_is_found_as_it_was(&*make().await?).await?;
    what_is_absent_stays_absent(&*make().await?).await?;
    a_taken_id_changes_nothing(&*make().await?).await?;
    times_are_kept_to_the_microsecond(&*make().await?).await?;
    the_list_is_oldest_first(&*make().await?).await?;
    a_key_is_revoked_once(&*make().await?).await?;
    a_use_never_moves_back(&*make().await?).await?;
    of_many_revocations_one_counts(make().await?).await?;
    of_many_inserts_one_counts(make().await?).await?;
    the_latest_of_many_uses_stands(make().await?).await
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("the suite's times are near")
}

/// A record with all that can be set, and text that breaks what is put together carelessly.
fn record(id: &str) -> KeyRecord {
    KeyRecord {
        id: KeyId::parse(id).expect("the suite's ids are well formed"),
        endpoint: EndpointId::main(),
        subject: "Žofie Ångström 张伟 👩‍🔧 <zofie@example.com>'; DROP TABLE api_key; --".into(),
        scopes: ScopeSet::parse("tools:read tools:write crm:admin").expect("the suite's scopes are well formed"),
        hash: KeyHash::new(std::array::from_fn(|index| if index == 0 { 0 } else { 0xff })),
        pepper_version: KeyVersion::parse("0123abcd").expect("the suite's versions are well formed"),
        created_at: at(1_750_000_000_123_456),
        expires_at: Some(at(253_402_207_199_999_999)),
        revoked_at: None,
        last_used_at: Some(at(1_750_000_001_000_001)),
        label: Some("laptop, \"the old one\"".into()),
        header: Some("x-api-key".into()),
    }
}

async fn an_empty_store_knows_nothing(store: &dyn KeyStore) -> Result<(), StoreError> {
    let id = record("nobody000000").id;
    assert_eq!(store.count().await?, 0);
    assert_eq!(store.list().await?, []);
    assert_eq!(store.find(&id).await?, None);
    assert_eq!(store.revoke(&id, at(1)).await?, Revocation::NotFound);
    store.touch(&id, at(1)).await?;
    assert_eq!(store.count().await?, 0, "looking for a key makes none");
    Ok(())
}

async fn what_is_inserted_is_found_as_it_was(store: &dyn KeyStore) -> Result<(), StoreError> {
    let record = record("full00000000");
    assert_eq!(store.insert(record.clone()).await?, Insertion::Inserted);
    assert_eq!(store.find(&record.id).await?.as_ref(), Some(&record));
    assert_eq!(store.list().await?, std::slice::from_ref(&record));
    assert_eq!(store.count().await?, 1);
    // Ids differ by case.
    assert_eq!(store.find(&self::record("FULL00000000").id).await?, None);
    Ok(())
}

async fn what_is_absent_stays_absent(store: &dyn KeyStore) -> Result<(), StoreError> {
    let bare = KeyRecord {
        subject: "a".into(),
        scopes: ScopeSet::default(),
        hash: KeyHash::new([0; 32]),
        created_at: at(-1),
        expires_at: None,
        last_used_at: None,
        label: None,
        header: None,
        ..record("bare00000000")
    };
    assert_eq!(store.insert(bare.clone()).await?, Insertion::Inserted);
    assert_eq!(store.find(&bare.id).await?, Some(bare));
    Ok(())
}

async fn a_taken_id_changes_nothing(store: &dyn KeyStore) -> Result<(), StoreError> {
    let first = record("taken0000000");
    let second = KeyRecord { subject: "mallory@example.com".into(), ..first.clone() };
    assert_eq!(store.insert(first.clone()).await?, Insertion::Inserted);
    assert_eq!(store.insert(second).await?, Insertion::IdTaken);
    assert_eq!(store.list().await?, [first]);
    Ok(())
}

async fn times_are_kept_to_the_microsecond(store: &dyn KeyStore) -> Result<(), StoreError> {
    let finer = |at: Timestamp| Timestamp::from_nanosecond(at.as_nanosecond() + 999).unwrap_or(at);
    let exact = KeyRecord { revoked_at: Some(at(1_750_000_002_000_002)), ..record("times0000000") };
    let given = KeyRecord {
        created_at: finer(exact.created_at),
        revoked_at: exact.revoked_at.map(finer),
        last_used_at: exact.last_used_at.map(finer),
        ..exact.clone()
    };
    assert_eq!(store.insert(given).await?, Insertion::Inserted);
    assert_eq!(store.find(&exact.id).await?, Some(exact.clone()));
    let endless = KeyRecord { expires_at: Some(Timestamp::MAX), ..record("endless00000") };
    let _ = store.insert(endless.clone()).await?;
    let found = store.find(&endless.id).await?;
    assert_eq!(found, Some(KeyRecord { expires_at: Some(to_microsecond(Timestamp::MAX)), ..endless }));
    store.touch(&exact.id, finer(at(1_760_000_000_000_003))).await?;
    let touched = store.find(&exact.id).await?.and_then(|record| record.last_used_at);
    assert_eq!(touched, Some(at(1_760_000_000_000_003)));
    Ok(())
}

async fn the_list_is_oldest_first(store: &dyn KeyStore) -> Result<(), StoreError> {
    let rows =
        [("bbbbbbbbbbbb", 20), ("aaaaaaaaaaaa", 20), ("zzzzzzzzzzzz", -5), ("BBBBBBBBBBBB", 20), ("cccccccccccc", 19)];
    for (id, created) in rows {
        let _ = store.insert(KeyRecord { created_at: at(created), ..record(id) }).await?;
    }
    let listed: Vec<_> = store.list().await?.iter().map(|record| record.id.to_string()).collect();
    assert_eq!(listed, ["zzzzzzzzzzzz", "cccccccccccc", "BBBBBBBBBBBB", "aaaaaaaaaaaa", "bbbbbbbbbbbb"]);
    assert_eq!(store.count().await?, 5);
    Ok(())
}

async fn a_key_is_revoked_once(store: &dyn KeyStore) -> Result<(), StoreError> {
    let (one, other) = (record("one000000000"), record("other0000000"));
    let _ = store.insert(one.clone()).await?;
    let _ = store.insert(other.clone()).await?;
    assert_eq!(store.revoke(&one.id, at(100)).await?, Revocation::Revoked);
    assert_eq!(store.revoke(&one.id, at(200)).await?, Revocation::AlreadyRevoked);
    assert_eq!(store.find(&one.id).await?, Some(KeyRecord { revoked_at: Some(at(100)), ..one }));
    assert_eq!(store.find(&other.id).await?, Some(other), "the other key is as it was");
    assert_eq!(store.count().await?, 2, "revoked keys stay in the list");
    Ok(())
}

async fn a_use_never_moves_back(store: &dyn KeyStore) -> Result<(), StoreError> {
    let unused = KeyRecord { last_used_at: None, ..record("used00000000") };
    let _ = store.insert(unused.clone()).await?;
    for (used, expected) in [(50, 50), (70, 70), (60, 70), (70, 70), (-1, 70)] {
        store.touch(&unused.id, at(used)).await?;
        let found = store.find(&unused.id).await?;
        assert_eq!(found, Some(KeyRecord { last_used_at: Some(at(expected)), ..unused.clone() }));
    }
    Ok(())
}

/// Runs `attempt` in [`CROWD`] tasks at once and collects what came of it.
async fn crowd<S, T, E, Attempt, Tried>(store: &Arc<S>, attempt: Attempt) -> Result<Vec<T>, E>
where
    S: ?Sized,
    T: Send + 'static,
    E: Send + 'static,
    Attempt: Fn(Arc<S>, usize) -> Tried,
    Tried: Future<Output = Result<T, E>> + Send + 'static,
{
    let tasks: Vec<_> = (0..CROWD).map(|number| tokio::spawn(attempt(store.clone(), number))).collect();
    let mut results = Vec::new();
    for task in tasks {
        let result = task.await;
        assert!(result.is_ok(), "the store does not panic");
        results.extend(result.into_iter().collect::<Result<Vec<_>, _>>()?);
    }
    Ok(results)
}

async fn of_many_revocations_one_counts(store: Arc<dyn KeyStore>) -> Result<(), StoreError> {
    for round in 0..10 {
        let record = record(&format!("revoked{round:05}"));
        let id = record.id.clone();
        let _ = store.insert(record).await?;
        let results = crowd(&store, |store, number| {
            let (id, when) = (id.clone(), at(i64::try_from(number).unwrap_or_default()));
            async move { Ok((store.revoke(&id, when).await?, when)) }
        })
        .await?;
        let winners: Vec<_> = results.iter().filter(|(result, _)| *result == Revocation::Revoked).collect();
        let losers = results.iter().filter(|(result, _)| *result == Revocation::AlreadyRevoked).count();
        assert_eq!((winners.len(), losers), (1, CROWD - 1));
        let stored = store.find(&id).await?.and_then(|record| record.revoked_at);
        assert_eq!(stored, winners.first().map(|(_, when)| *when), "the time is the winner's");
    }
    Ok(())
}

async fn of_many_inserts_one_counts(store: Arc<dyn KeyStore>) -> Result<(), StoreError> {
    let results = crowd(&store, |store, number| async move {
        let record = KeyRecord { subject: number.to_string().into(), ..record("wanted000000") };
        store.insert(record.clone()).await.map(|insertion| (insertion, record))
    })
    .await?;
    let winners: Vec<_> = results
        .into_iter()
        .filter(|(insertion, _)| *insertion == Insertion::Inserted)
        .map(|(_, record)| record)
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(store.list().await?, winners);
    Ok(())
}

async fn the_latest_of_many_uses_stands(store: Arc<dyn KeyStore>) -> Result<(), StoreError> {
    let record = KeyRecord { last_used_at: None, ..record("busy00000000") };
    let id = record.id.clone();
    let _ = store.insert(record).await?;
    crowd(&store, |store, number| {
        let (id, when) = (id.clone(), at(i64::try_from(number).unwrap_or_default()));
        async move { store.touch(&id, when).await }
    })
    .await?;
    let stored = store.find(&id).await?.and_then(|record| record.last_used_at);
    assert_eq!(stored, i64::try_from(CROWD - 1).ok().map(at));
    Ok(())
}
