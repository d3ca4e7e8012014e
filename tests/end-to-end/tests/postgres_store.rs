//! The store on a real PostgreSQL server: the contract, several replicas at once, and what makes a
//! database unfit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::sync::Arc;

use bridgehead_auth::{
    CertificateStore, Insertion, IssuerStore, KeyHash, KeyId, KeyRecord, KeyStore, KeyVersion, Revocation, StoreError,
    SubjectStore, TraceStore,
};
use bridgehead_core::{EffectStore, EndpointId, ScopeSet, Secret};
use bridgehead_harness::postgres::{Database, PASSWORD};
use bridgehead_stores::{Postgres, Store, StoreUrl, contract};
use futures_util::future::join_all;
use jiff::Timestamp;

async fn open(database: &Database) -> Result<Postgres, StoreError> {
    Postgres::open(&Secret::new(database.url())).await
}

fn record(id: &str) -> KeyRecord {
    KeyRecord {
        id: KeyId::parse(id).unwrap(),
        endpoint: EndpointId::main(),
        subject: "alice@example.com".into(),
        scopes: ScopeSet::read_and_write(),
        hash: KeyHash::new([7; 32]),
        pepper_version: KeyVersion::parse("0123abcd").unwrap(),
        created_at: Timestamp::UNIX_EPOCH,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        label: None,
        header: None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn KeyStore>) };
    contract::key_store(make).await.unwrap();
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn SubjectStore>) };
    contract::subject_store(make).await.unwrap();
    contract::people_stores(|| async { open(&Database::empty().await).await.map(Arc::new) }).await.unwrap();
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn TraceStore>) };
    contract::trace_store(make).await.unwrap();
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn IssuerStore>) };
    contract::issuer_store(make).await.unwrap();
    let make =
        || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn CertificateStore>) };
    contract::certificate_store(make).await.unwrap();
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn EffectStore>) };
    contract::effect_store(make).await.unwrap();
}

/// H1: two replicas of one release start at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_replicas_may_start_on_a_new_database_at_once() {
    for _ in 0..3 {
        let database = Database::empty().await;
        for opened in join_all((0..6).map(|_| open(&database))).await {
            opened.unwrap().ready().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_one_replica_does_another_sees_at_once() {
    let database = Database::empty().await;
    let url: StoreUrl = database.url().parse().unwrap();
    let (one, other) = (Store::open(&url).await.unwrap(), Store::open(&url).await.unwrap());
    assert_eq!(one.kind(), "postgres");
    let key = record("aaaaaaaaaaaa");
    assert_eq!(one.keys.insert(key.clone()).await.unwrap(), Insertion::Inserted);
    assert_eq!(other.keys.find(&key.id).await.unwrap(), Some(key.clone()));
    assert_eq!(other.keys.revoke(&key.id, Timestamp::UNIX_EPOCH).await.unwrap(), Revocation::Revoked);
    assert!(one.keys.find(&key.id).await.unwrap().unwrap().revoked_at.is_some());
    one.close().await;
    let error = one.keys.count().await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { what, .. } if what.contains("closed")), "{error}");
    assert_eq!(other.keys.count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused() {
    let database = Database::empty().await;
    open(&database).await.unwrap().close().await;
    database
        .run("INSERT INTO bridgehead_migration (version, description, success, checksum, execution_time) VALUES (999, 'later', true, '\\x00', 0)")
        .await;
    let error = open(&database).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsuitable { .. }), "{error:?}");
    assert!(error.to_string().contains("newer version") && error.to_string().contains("999"), "{error}");
}

#[tokio::test]
async fn a_step_that_was_changed_is_noticed() {
    let database = Database::empty().await;
    open(&database).await.unwrap().close().await;
    database.run("UPDATE bridgehead_migration SET checksum = '\\x00'").await;
    assert!(matches!(open(&database).await.unwrap_err(), StoreError::Corrupt { .. }));
}

#[tokio::test]
async fn tables_of_other_programs_are_left_alone() {
    let database = Database::with("CREATE TABLE stock (sku text); CREATE TABLE api_key (id int)").await;
    open(&database).await.unwrap().ready().await.unwrap();
    let database = Database::with("CREATE TABLE bridgehead_api_key (sku text)").await;
    let error = open(&database).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unsuitable { what, .. } if what.contains("another program")), "{error:?}");
    database.run("DROP TABLE bridgehead_api_key").await;
    open(&database).await.unwrap().ready().await.unwrap();
}

#[tokio::test]
async fn a_row_that_was_never_written_like_this_is_reported() {
    for damage in [
        "UPDATE bridgehead_api_key SET scopes = 'a\"b'",
        "UPDATE bridgehead_api_key SET endpoint = 'No Endpoint'",
        "UPDATE bridgehead_api_key SET pepper_version = 'v1'",
        "UPDATE bridgehead_api_key SET id = 'short'",
        "UPDATE bridgehead_api_key SET expires_at = 9223372036854775807",
        "ALTER TABLE bridgehead_api_key ALTER label TYPE int USING 1",
        "DROP TABLE bridgehead_api_key",
    ] {
        let database = Database::empty().await;
        let store = open(&database).await.unwrap();
        let _ = store.insert(record("aaaaaaaaaaaa")).await.unwrap();
        database.run(damage).await;
        let error = store.list().await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{damage}: {error:?}");
    }
}

/// The operator is told what to mend, and nobody the password.
#[tokio::test]
async fn what_keeps_the_store_from_opening_is_named_without_the_url() {
    let database = Database::empty().await;
    database.run("CREATE ROLE store_guest LOGIN PASSWORD 'guest'; REVOKE ALL ON SCHEMA public FROM public").await;
    let gone = database.url().replace(&database.name, "nowhere");
    for (url, words) in [
        (database.url_as("postgres", "hunter2-wrong"), "user and password"),
        (gone, "no database of this name"),
        (database.url_as("store_guest", "guest"), "lacks a right"),
        ("postgres://u:hunter2@127.0.0.1:1/b".to_owned(), "See that it runs"),
    ] {
        let error = Postgres::open(&Secret::new(url)).await.unwrap_err();
        assert!(matches!(&error, StoreError::Unavailable { what, .. } if what.contains(words)), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains(PASSWORD), "{shown}");
    }
}
