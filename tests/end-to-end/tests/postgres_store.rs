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
    CertificateStore, CredentialStore, Insertion, IssuerStore, KeyHash, KeyId, KeyRecord, KeyStore, KeyVersion,
    MailAddress, Revocation, RootKeys, Session, StoreError, SubjectStore, TraceStore, UpstreamCredentials, Vault,
    credentials::{
        CredentialParts, OAuthVault, TokenEndpoint, TokenEndpointAuth, TokenEndpointDown, TokenReply, TokenRequest,
        VaultDefinition, VaultField, VaultKind,
    },
    users::User,
};
use bridgehead_core::{EffectStore, EndpointId, Randomness, ScopeSet, Secret};
use bridgehead_end_to_end::{
    hunt::{Haystack, Hunted},
    oauth::{ALICE, parameter},
};
use bridgehead_harness::{
    MovableClock, SeededRandomness,
    postgres::{Database, PASSWORD},
};
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
    contract::identity_store(|| async { open(&Database::empty().await).await.map(Arc::new) }).await.unwrap();
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn TraceStore>) };
    contract::trace_store(make).await.unwrap();
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn IssuerStore>) };
    contract::issuer_store(make).await.unwrap();
    let make =
        || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn CertificateStore>) };
    contract::certificate_store(make).await.unwrap();
    let make = || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn EffectStore>) };
    contract::effect_store(make).await.unwrap();
    let make =
        || async { open(&Database::empty().await).await.map(|store| Arc::new(store) as Arc<dyn CredentialStore>) };
    contract::credential_store(make).await.unwrap();
}

const KEY: &str = "aliKey/7tB+kVq2~xS6Lg==";
const ACCESS: &str = "access/5wE+pZm8~jR3=Nh";
const REFRESH: &str = "refresh/1yI+fUc4~gA9=Qd";

/// Gives the same tokens to everybody.
struct Tokens;

#[async_trait::async_trait]
impl TokenEndpoint for Tokens {
    async fn ask(&self, _: TokenRequest) -> Result<TokenReply, TokenEndpointDown> {
        let body = serde_json::json!({"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 60});
        Ok(TokenReply { status: 200, body: body.to_string().into_bytes() })
    }
}

fn vaults() -> Vec<VaultDefinition> {
    let fields = vec![VaultField { name: "api_key".into(), label: "Your key".into() }];
    let oauth = OAuthVault {
        authorization_url: "https://crm.example/authorize".parse().unwrap(),
        token_url: "https://crm.example/token".parse().unwrap(),
        client_id: "bridgehead".into(),
        client_secret: None,
        token_endpoint_auth: TokenEndpointAuth::Basic,
        scopes: Vec::new(),
    };
    vec![
        VaultDefinition { name: "erp".into(), title: "the ERP".into(), kind: VaultKind::Fields(fields) },
        VaultDefinition { name: "crm".into(), title: "the CRM".into(), kind: VaultKind::OAuth(Box::new(oauth)) },
    ]
}

/// P2: what teammates enter and connect stands in no dump in clear.
#[tokio::test]
async fn a_dump_shows_no_credential() {
    let database = Database::empty().await;
    let store = Store::open(&database.url().parse().unwrap()).await.unwrap();
    let randomness: Arc<dyn Randomness> = Arc::new(SeededRandomness::new(1));
    let parts = CredentialParts {
        store: store.credentials.clone(),
        vault: Vault::derive(&RootKeys::generate(&*randomness)),
        tokens: Arc::new(Tokens),
        clock: Arc::new(MovableClock::default()),
        randomness,
    };
    let credentials = UpstreamCredentials::new(vaults(), "https://mcp.example.com", parts);
    let (erp, crm) = (credentials.vault("erp").unwrap(), credentials.vault("crm").unwrap());
    let at = Timestamp::UNIX_EPOCH;
    let user = User {
        address: MailAddress::parse(ALICE).unwrap(),
        name: None,
        admin: false,
        scopes: ScopeSet::read_and_write(),
        created_at: at,
        disabled_at: None,
        signed_in_at: None,
        has_password: true,
    };
    let session = Session { id: "s1".into(), user, created_at: at, expires_at: at };
    credentials.enter(erp, ALICE, |_| Secret::new(KEY.into())).await.unwrap();
    let url = credentials.begin(crm, &session, None).await.unwrap();
    let back = [("state", parameter(&url, "state").unwrap()), ("code", "c".to_owned())];
    credentials.finish(crm, &session, &back.map(|(name, value)| (name.to_owned(), value))).await.unwrap();
    let pending = credentials.begin(crm, &session, None).await.unwrap();

    let mut haystack = Haystack::default();
    haystack.add("dump", database.dump());
    let dump = haystack.text("dump");
    assert!(dump.contains(ALICE) && dump.contains("bridgehead_pending_connection"), "the hunt can find something");
    let state = parameter(&pending, "state").unwrap();
    let hunted = [("a key", KEY), ("a token", ACCESS), ("a refresh token", REFRESH), ("a state", &state)];
    let found = haystack.finds(&hunted.map(|(name, secret)| Hunted::new(name, secret)));
    assert!(found.is_empty(), "{}", found.join("\n"));
    store.close().await;
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
