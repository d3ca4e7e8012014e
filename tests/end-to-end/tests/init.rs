//! S1, S2, P1: `bridgehead init` writes a configuration that holds, for a SQLite file, a PostgreSQL database and a
//! description of an API, and its tools can be called as they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::path::Path;

use bridgehead_harness::{
    postgres::{Database, PASSWORD},
    process::{bridgehead, repository},
};
use serde_json::Value;
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};

const SHOP: &str = "CREATE TABLE customer (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, password_hash TEXT);
    CREATE TABLE \"order\" (\"OrderId\" INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customer, \"due on\" DATE);
    CREATE VIEW late AS SELECT \"OrderId\" AS number FROM \"order\";
    INSERT INTO customer VALUES (1, 'Ada', 'x'), (2, 'Grace', 'y');
    INSERT INTO \"order\" VALUES (10, 1, '2026-01-01'), (11, 2, NULL)";

/// What a command said: its exit code, stdout and stderr.
async fn run(place: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = bridgehead(place, arguments).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn called(place: &Path, arguments: &[&str]) -> Value {
    let (code, out, said) = run(place, &[&["call"], arguments].concat()).await;
    assert_eq!(code, Some(0), "{out}{said}");
    serde_json::from_str(&out).unwrap()
}

async fn sqlite(place: &Path) {
    let options = SqliteConnectOptions::new().filename(place.join("Shop data.db")).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(SHOP).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn tools_for_a_sqlite_file_can_be_called_as_they_are() {
    let place = tempfile::tempdir().unwrap();
    sqlite(place.path()).await;
    let (code, _, said) = run(place.path(), &["init", "--sqlite", "Shop data.db"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("wrote bridgehead.toml: 5 tools"), "{said}");
    let (code, out, said) = run(place.path(), &["config", "check"]).await;
    assert_eq!(code, Some(0), "{out}{said}");
    assert!(said.is_empty(), "nothing is doubtful about it: {said}");

    let orders = called(place.path(), &["list_order", "--arg", "customer_id=2"]).await;
    assert_eq!(orders["rows"][0]["OrderId"], 11, "{orders}");
    let customer = called(place.path(), &["get_customer", "--arg", "customer_id=1"]).await;
    assert_eq!(customer["rows"][0]["name"], "Ada", "{customer}");
    assert!(customer["rows"][0].get("password_hash").is_none(), "what sounds like a secret is left out");
    assert_eq!(called(place.path(), &["list_late"]).await["rows"].as_array().unwrap().len(), 2);

    let before = std::fs::read_to_string(place.path().join("bridgehead.toml")).unwrap();
    let (code, _, said) = run(place.path(), &["init", "--sqlite", "Shop data.db", "--auth", "oauth"]).await;
    assert!(code == Some(2) && said.contains("--force"), "{said}");
    assert_eq!(std::fs::read_to_string(place.path().join("bridgehead.toml")).unwrap(), before, "nothing is lost");
    let (code, _, said) =
        run(place.path(), &["init", "--sqlite", "Shop data.db", "--auth", "oauth", "--force", "--tables", "late"])
            .await;
    assert!(code == Some(0) && said.contains("1 tool"), "{said}");
    let (code, _, said) = run(place.path(), &["init", "--sqlite", "Shop data.db", "--force", "--tables", "nope"]).await;
    assert!(code == Some(2) && said.contains("customer, late, order"), "{said}");
}

#[tokio::test]
async fn a_password_of_a_database_stands_in_a_file_of_its_own() {
    let database = Database::empty().await;
    let schema = "CREATE SCHEMA crm; CREATE TYPE mood AS ENUM ('good', 'bad');
        CREATE TABLE crm.account (account_id uuid PRIMARY KEY, opened_at timestamptz NOT NULL, mood mood, size numeric);
        COMMENT ON TABLE crm.account IS 'Companies that buy';
        COMMENT ON COLUMN crm.account.size IS 'Yearly turnover in euros.';
        CREATE TABLE contact (account_id uuid REFERENCES crm.account, position int, name text, PRIMARY KEY (account_id, position));
        INSERT INTO crm.account VALUES ('0b0f1d6a-5d7c-4c39-8f6f-0a8f7b8c9d10', now(), 'good', 12.5);
        INSERT INTO contact VALUES ('0b0f1d6a-5d7c-4c39-8f6f-0a8f7b8c9d10', 1, 'Ada')";
    database.run(schema).await;
    let place = tempfile::tempdir().unwrap();
    let (code, _, said) = run(place.path(), &["init", "--postgres", &database.url(), "--output", "crm.toml"]).await;
    assert_eq!(code, Some(0), "{said}");
    let toml = std::fs::read_to_string(place.path().join("crm.toml")).unwrap();
    assert!(!toml.contains(PASSWORD) && !said.contains(PASSWORD), "{toml}{said}");
    let secrets: Vec<_> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "url"))
        .collect();
    let [secret] = secrets.as_slice() else { panic!("{secrets:?}") };
    assert!(std::fs::read_to_string(secret).unwrap().contains(PASSWORD));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&secret.metadata().unwrap().permissions()) & 0o777, 0o600);

    let (code, out, said) = run(place.path(), &["config", "check", "crm.toml"]).await;
    assert_eq!(code, Some(0), "{out}{said}");
    assert!(toml.contains("Companies that buy") && toml.contains("Yearly turnover in euros."), "{toml}");
    let account = "account_id=0b0f1d6a-5d7c-4c39-8f6f-0a8f7b8c9d10";
    let found = called(place.path(), &["-c", "crm.toml", "get_crm_account", "--arg", account]).await;
    assert_eq!(found["rows"][0]["size"], "12.5", "{found}");
    let found = called(place.path(), &["-c", "crm.toml", "list_contact", "--arg", account]).await;
    assert_eq!(found["rows"][0]["name"], "Ada", "{found}");
    let found = called(place.path(), &["-c", "crm.toml", "get_contact", "--arg", account, "--arg", "position=1"]).await;
    assert_eq!(found["rows"][0]["name"], "Ada", "{found}");
}

#[tokio::test]
async fn a_description_of_an_api_becomes_a_configuration() {
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("apis")).unwrap();
    std::fs::copy(repository().join("examples/openapi/parcels.yaml"), place.path().join("apis/parcels.yaml")).unwrap();
    let (code, _, said) = run(
        place.path(),
        &[
            "init",
            "--openapi",
            "apis/parcels.yaml",
            "--public-url",
            "https://mcp.example.com",
            "--name",
            "The \"parcels\"",
        ],
    )
    .await;
    assert_eq!(code, Some(0), "{said}");
    let (code, out, said) = run(place.path(), &["config", "check"]).await;
    assert_eq!(code, Some(0), "{out}{said}");
    let toml = std::fs::read_to_string(place.path().join("bridgehead.toml")).unwrap();
    assert!(toml.contains("spec = \"apis/parcels.yaml\"") && toml.contains("# credential = "), "{toml}");
    let (_, tools, _) = run(place.path(), &["tools"]).await;
    assert!(
        tools.contains("getParcel") && !tools.contains("cancelParcel"),
        "nothing is deleted until somebody says so: {tools}"
    );

    let (code, toml, said) = run(place.path(), &["init", "--openapi", "apis/parcels.yaml", "--output", "-"]).await;
    assert!(code == Some(0) && toml.contains("[sources."), "{said}");
}

#[tokio::test]
async fn what_cannot_be_written_says_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(
        place.path().join("nowhere.json"),
        r#"{"openapi": "3.0.0", "info": {"title": "x", "version": "1"},
        "paths": {"/a": {"get": {"responses": {"200": {"description": "ok"}}}}}}"#,
    )
    .unwrap();
    for (arguments, code, words) in [
        (vec![], 2, "--openapi FILE|URL, --sqlite FILE or --postgres URL"),
        (vec!["--mysql", "mysql://x"], 2, "does not serve it yet"),
        (vec!["--sqlite", "no.db"], 3, "There is no file no.db"),
        (vec!["--openapi", "no.yaml"], 3, "no.yaml cannot be read"),
        (vec!["--openapi", "nowhere.json"], 2, "--base-url URL"),
        (vec!["--postgres", "postgres://u:hunter2@127.0.0.1:1/x"], 3, "cannot be reached"),
        (vec!["--sqlite", "a.db", "--openapi", "b.yaml"], 2, "cannot be used with"),
    ] {
        let (found, out, said) = run(place.path(), &[&["init"], arguments.as_slice()].concat()).await;
        assert_eq!(found, Some(code), "{arguments:?}: {out}{said}");
        assert!(said.contains(words) && !said.contains("hunter2"), "{arguments:?}: {said}");
        assert!(!place.path().join("bridgehead.toml").exists(), "{arguments:?}");
    }
}
