//! What the SQLite store promises beyond the contract: the file, other processes, and faults.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::atomic::AtomicUsize};

use bridgehead_auth::{
    CertificateStore, CredentialStore, Denial, Insertion, IssuerStore, KeyHash, KeyId, KeyRecord, KeyStore, KeyVersion,
    MailAddress, Revocation, SessionStore, SubjectStore, TraceEvent, TraceStore, UserStore,
    trace::{Kept, Step},
};
use bridgehead_core::{EffectStore, EndpointId, ScopeSet};
use jiff::Timestamp;
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;

use super::*;
use crate::{Store, StoreUrl};

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("bridgehead.db")
    }

    async fn open(&self) -> Sqlite {
        Sqlite::open(&self.path()).await.unwrap()
    }

    /// Another program on the same file.
    async fn stranger(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).create_if_missing(true);
        SqliteConnection::connect_with(&options).await.unwrap()
    }
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

fn unavailable_because(error: &StoreError, words: &str) -> bool {
    matches!(error, StoreError::Unavailable { what, .. } if what.contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_contract() {
    let place = Place::new();
    let number = AtomicUsize::new(0);
    let open = || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = place.directory.path().join(format!("{number}.db"));
        async move { Sqlite::open(&path).await.map(Arc::new) }
    };
    crate::contract::key_store(|| async { Ok(open().await? as Arc<dyn KeyStore>) }).await.unwrap();
    crate::contract::subject_store(|| async { Ok(open().await? as Arc<dyn SubjectStore>) }).await.unwrap();
    crate::contract::people_stores(open).await.unwrap();
    crate::contract::identity_store(open).await.unwrap();
    crate::contract::trace_store(|| async { Ok(open().await? as Arc<dyn TraceStore>) }).await.unwrap();
    crate::contract::issuer_store(|| async { Ok(open().await? as Arc<dyn IssuerStore>) }).await.unwrap();
    crate::contract::certificate_store(|| async { Ok(open().await? as Arc<dyn CertificateStore>) }).await.unwrap();
    crate::contract::effect_store(|| async { Ok(open().await? as Arc<dyn EffectStore>) }).await.unwrap();
    crate::contract::credential_store(|| async { Ok(open().await? as Arc<dyn CredentialStore>) }).await.unwrap();
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let place = Place::new();
    let url = StoreUrl::Sqlite(place.path());
    let store = Store::open(&url).await.unwrap();
    assert_eq!(store.keys.insert(record("aaaaaaaaaaaa")).await.unwrap(), Insertion::Inserted);
    assert_eq!(store.keys.insert(record("bbbbbbbbbbbb")).await.unwrap(), Insertion::Inserted);
    let revoked = Timestamp::from_microsecond(5).unwrap();
    store.keys.revoke(&record("bbbbbbbbbbbb").id, revoked).await.unwrap();
    store.close().await;
    assert!(unavailable_because(&store.keys.count().await.unwrap_err(), "closed"));
    drop(store);

    let store = Store::open(&url).await.unwrap();
    store.ready().await.unwrap();
    let expected = [record("aaaaaaaaaaaa"), KeyRecord { revoked_at: Some(revoked), ..record("bbbbbbbbbbbb") }];
    assert_eq!(store.keys.list().await.unwrap(), expected);
    store.close().await;
    let left: Vec<_> = fs::read_dir(place.directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["bridgehead.db"], "an orderly end leaves one file, which can be copied");
}

#[tokio::test]
async fn the_files_are_their_owners_alone() {
    let place = Place::new();
    let store = place.open().await;
    let _ = store.insert(record("aaaaaaaaaaaa")).await.unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(place.directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name());
    }
    names.sort();
    assert_eq!(names, ["bridgehead.db", "bridgehead.db-shm", "bridgehead.db-wal"]);
}

#[tokio::test]
async fn the_connections_are_durable_and_readers_cannot_write() {
    let place = Place::new();
    let store = place.open().await;
    let text = |pragma: &'static str| sqlx::query_scalar::<_, String>(pragma).fetch_one(&store.0.writer);
    let number = |pragma: &'static str| sqlx::query_scalar::<_, i64>(pragma).fetch_one(&store.0.writer);
    assert_eq!(text("PRAGMA journal_mode").await.unwrap(), "wal");
    assert_eq!(number("PRAGMA synchronous").await.unwrap(), 2, "FULL");
    assert_eq!(number("PRAGMA foreign_keys").await.unwrap(), 1);
    assert_eq!(number("PRAGMA busy_timeout").await.unwrap(), 5_000);
    let refused = sqlx::query("DELETE FROM api_key").execute(&store.0.readers).await.unwrap_err();
    assert!(unavailable_because(&store.error(refused), "read-only"));
}

/// `bridgehead keys revoke` beside a running server.
#[tokio::test]
async fn what_another_process_does_is_seen_at_once() {
    let place = Place::new();
    let (server, command) = (place.open().await, place.open().await);
    let key = record("aaaaaaaaaaaa");
    let _ = command.insert(key.clone()).await.unwrap();
    assert_eq!(server.find(&key.id).await.unwrap().unwrap().revoked_at, None);
    assert_eq!(command.revoke(&key.id, Timestamp::UNIX_EPOCH).await.unwrap(), Revocation::Revoked);
    assert!(server.find(&key.id).await.unwrap().unwrap().revoked_at.is_some());
    assert_eq!(server.revoke(&key.id, Timestamp::UNIX_EPOCH).await.unwrap(), Revocation::AlreadyRevoked);
    assert_eq!(command.deny_subject("key-1", Timestamp::UNIX_EPOCH).await.unwrap(), Denial::Denied);
    assert_eq!(server.denied_since("key-1").await.unwrap(), Some(Timestamp::UNIX_EPOCH));
}

/// A file as the first version left it.
#[tokio::test]
async fn an_older_file_is_brought_up_to_date_and_loses_nothing() {
    let place = Place::new();
    let store = place.open().await;
    let _ = store.insert(record("aaaaaaaaaaaa")).await.unwrap();
    store.close().await;
    let mut stranger = place.stranger().await;
    let later: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('api_key', '_sqlx_migrations', 'sqlite_sequence')",
    )
    .fetch_all(&mut stranger)
    .await
    .unwrap();
    let drops = later.iter().map(|table| format!("DROP TABLE \"{table}\";")).collect::<String>();
    let first = format!("PRAGMA foreign_keys = OFF; {drops} DELETE FROM _sqlx_migrations WHERE version > 1");
    sqlx::raw_sql(sqlx::AssertSqlSafe(first)).execute(&mut stranger).await.unwrap();
    stranger.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(store.list().await.unwrap(), [record("aaaaaaaaaaaa")]);
    assert_eq!(store.denied_subjects().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_may_start_on_a_new_file_at_once() {
    for _ in 0..5 {
        let place = Place::new();
        let tasks: Vec<_> = (0..6)
            .map(|_| {
                let path = place.path();
                tokio::spawn(async move { Sqlite::open(&path).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap().ready().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_write_waits_for_another_and_then_says_so() {
    let place = Place::new();
    let store = Sqlite::open_with(&place.path(), Duration::from_millis(50)).await.unwrap();
    let _ = store.insert(record("aaaaaaaaaaaa")).await.unwrap();
    let mut stranger = place.stranger().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();
    let error = store.revoke(&record("aaaaaaaaaaaa").id, Timestamp::UNIX_EPOCH).await.unwrap_err();
    assert!(unavailable_because(&error, "another process holds its lock"), "{error}");
    assert!(std::error::Error::source(&error).is_some(), "the cause is kept");
    // Sign-ins go on meanwhile.
    assert!(store.find(&record("aaaaaaaaaaaa").id).await.unwrap().is_some());
    sqlx::query("COMMIT").execute(&mut stranger).await.unwrap();
    let revoked = store.revoke(&record("aaaaaaaaaaaa").id, Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(revoked, Revocation::Revoked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_succeeds_when_the_other_ends_in_time() {
    let place = Place::new();
    let store = place.open().await;
    let mut stranger = place.stranger().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.insert(record("aaaaaaaaaaaa")).await }
    });
    assert_eq!(store.count().await.unwrap(), 0);
    sqlx::query("COMMIT").execute(&mut stranger).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap(), Insertion::Inserted);
}

#[tokio::test]
async fn a_deleted_file_is_reported_and_not_made_again() {
    let place = Place::new();
    let store = place.open().await;
    let _ = store.insert(record("aaaaaaaaaaaa")).await.unwrap();
    for entry in fs::read_dir(place.directory.path()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let id = record("aaaaaaaaaaaa").id;
    let errors = [
        store.ready().await.unwrap_err(),
        store.find(&id).await.unwrap_err(),
        store.insert(record("bbbbbbbbbbbb")).await.unwrap_err(),
        store.revoke(&id, Timestamp::UNIX_EPOCH).await.unwrap_err(),
    ];
    for error in errors {
        assert!(unavailable_because(&error, "deleted"), "{error}");
        assert!(error.to_string().contains(&*place.path().to_string_lossy()), "{error}");
    }
    assert!(!place.path().exists());

    fs::write(place.path(), "").unwrap();
    assert!(unavailable_because(&store.ready().await.unwrap_err(), "replaced"));
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let place = Place::new();
    place.open().await.close().await;
    let mut stranger = place.stranger().await;
    sqlx::query("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (999, 'later', 1, x'00', 0)")
        .execute(&mut stranger)
        .await
        .unwrap();
    stranger.close().await.unwrap();
    let before = fs::read(place.path()).unwrap();
    let error = Store::open(&StoreUrl::Sqlite(place.path())).await.unwrap_err();
    assert!(matches!(error, StoreError::Unsuitable { .. }), "{error:?}");
    assert!(error.to_string().contains("newer version") && error.to_string().contains("999"), "{error}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn a_step_that_was_changed_is_noticed() {
    let place = Place::new();
    place.open().await.close().await;
    let mut stranger = place.stranger().await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'").execute(&mut stranger).await.unwrap();
    let error = Sqlite::open(&place.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

/// `[store] url` with the database of a source in it.
#[tokio::test]
async fn another_programs_database_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let mut stranger = place.stranger().await;
    sqlx::query("CREATE TABLE stock (sku TEXT)").execute(&mut stranger).await.unwrap();
    stranger.close().await.unwrap();
    let before = fs::read(place.path()).unwrap();
    let error = Sqlite::open(&place.path()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unsuitable { what, .. } if what.contains("another program")), "{error:?}");
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let place = Place::new();
    fs::write(place.path(), "Dear diary, ".repeat(400)).unwrap();
    let error = Sqlite::open(&place.path()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { what, .. } if what.contains("no SQLite database")), "{error:?}");
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let place = Place::new();
    let path = place.directory.path().join("missing").join("bridgehead.db");
    let error = Sqlite::open(&path).await.unwrap_err();
    assert!(unavailable_because(&error, "directory"), "{error}");
}

#[tokio::test]
async fn a_row_that_was_never_written_like_this_is_reported() {
    for damage in [
        "UPDATE api_key SET scopes = 'a\"b'",
        "UPDATE api_key SET endpoint = 'No Endpoint'",
        "UPDATE api_key SET pepper_version = 'v1'",
        "UPDATE api_key SET id = 'short'",
        "UPDATE api_key SET expires_at = 9223372036854775807",
        "DROP TABLE api_key",
    ] {
        let place = Place::new();
        let store = place.open().await;
        let _ = store.insert(record("aaaaaaaaaaaa")).await.unwrap();
        let mut stranger = place.stranger().await;
        sqlx::query(damage).execute(&mut stranger).await.unwrap();
        let error = store.list().await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{damage}: {error:?}");
    }
    for damage in ["UPDATE denied_subject SET denied_at = 9223372036854775807", "DROP TABLE denied_subject"] {
        let place = Place::new();
        let store = place.open().await;
        store.deny_subject("key-1", Timestamp::UNIX_EPOCH).await.unwrap();
        let mut stranger = place.stranger().await;
        sqlx::query(damage).execute(&mut stranger).await.unwrap();
        for error in [store.denied_subjects().await.unwrap_err(), store.denied_since("key-1").await.unwrap_err()] {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{damage}: {error:?}");
        }
    }
}

/// Nobody signs in by a row that nobody wrote.
#[tokio::test]
async fn a_person_that_was_never_written_like_this_is_reported() {
    for damage in [
        "UPDATE user SET scopes = 'a\"b'",
        "UPDATE user SET created_at = 9223372036854775807",
        "UPDATE one_time_link SET purpose = 'first_administrator'; UPDATE session SET pepper_version = 'v1'",
        "UPDATE one_time_link SET used_at = 9223372036854775807; UPDATE session SET expires_at = 9223372036854775807",
        "DROP TABLE session; DROP TABLE one_time_link; DROP TABLE user",
    ] {
        let place = Place::new();
        let store = place.open().await;
        let mut stranger = place.stranger().await;
        let people = "INSERT INTO user VALUES ('alice@example.com', NULL, 0, '', NULL, 1, NULL, NULL); \
            INSERT INTO session VALUES ('s', 'alice@example.com', zeroblob(32), '0123abcd', 1, 2, 1); \
            INSERT INTO one_time_link VALUES ('l', 'invitation', 'alice@example.com', zeroblob(32), '0123abcd', 1, 2, NULL)";
        sqlx::raw_sql(people).execute(&mut stranger).await.unwrap();
        let alice = MailAddress::parse("alice@example.com").unwrap();
        assert!(store.find_user(&alice).await.unwrap().is_some() && store.find_link("l").await.unwrap().is_some());
        assert!(store.find_session("s").await.unwrap().is_some());
        let sql = format!("PRAGMA foreign_keys = OFF; {damage}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut stranger).await.unwrap();
        let found = [
            store.list_users().await.map(drop),
            store.find_link("l").await.map(drop),
            store.find_session("s").await.map(drop),
        ];
        let reported = found.iter().filter(|found| matches!(found, Err(StoreError::Corrupt { .. }))).count();
        let failed = found.iter().filter(|found| found.is_err()).count();
        assert!(reported > 0 && failed == reported, "{damage}: {found:?}");
    }
    for damage in
        ["UPDATE trace_event SET step = 'dance'", "UPDATE trace_event SET outcome = ''", "DROP TABLE trace_event"]
    {
        let place = Place::new();
        let store = place.open().await;
        let kept = Kept { since: Timestamp::MIN, at_most: 10 };
        store.append_trace(vec![TraceEvent::done(Step::Token)], kept).await.unwrap();
        sqlx::query(damage).execute(&mut place.stranger().await).await.unwrap();
        let error = store.trace_since(Timestamp::MIN).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{damage}: {error:?}");
    }
}
