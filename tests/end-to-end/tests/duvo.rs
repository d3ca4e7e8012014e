//! The stand-in for Duvo against a server with HTTPS of its own: each of the four kinds of authentication (A1 to A5), two
//! teammates under one client (P2), and two back ends of the platform that refresh at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::time::Duration;

use bridgehead_end_to_end::{
    browser::{ALICE, Answer, BOB, Browser, Person},
    duvo::{self, Auth, Connection, Credentials, Platform},
    teammates,
};
use bridgehead_harness::{Replica, TestServer, WAREHOUSE_TABLES, outside::Ca, process::bridgehead};
use serde_json::{Value, json};

const HOST: &str = "mcp.example.com";
const URL: &str = "https://mcp.example.com/mcp";
const ORIGIN: &str = "https://mcp.example.com";

/// A server at [`URL`] with this section `[auth]`.
async fn server(ca: &Ca, auth: &str) -> TestServer {
    let front = "name = \"Warehouse\"\n[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"https://mcp.example.com\"\n\
                 [server.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n[store]\nurl = \"sqlite:bridgehead.db\"\n";
    let issued = ca.issue(&[HOST], 2040);
    TestServer::with(&format!("{front}{auth}{}", teammates::TOOLS))
        .file("warehouse.sql", WAREHOUSE_TABLES)
        .file("cert.pem", &issued.certificate)
        .file("key.pem", &issued.key)
        .start()
        .await
}

/// As [`server`], for OAuth, with both teammates.
async fn server_with_teammates(ca: &Ca, registration: &str) -> TestServer {
    let server = server(ca, &format!("[auth]\nmode = \"oauth\"\noauth.registration = \"{registration}\"\n")).await;
    for person in [ALICE, BOB] {
        server.user(person.mail, person.password, "tools:read tools:write").await;
    }
    server
}

/// The platform, which finds these replicas in turn, and a browser, which finds the first one and the platform.
async fn around(ca: &Ca, replicas: &[&Replica]) -> (Platform, Browser) {
    let platform = Platform::start(ca, HOST, replicas.iter().map(|replica| replica.address).collect()).await;
    let browser = Browser::start(&[(HOST, replicas[0].address.port()), (duvo::HOST, platform.port)]).await;
    (platform, browser)
}

async fn connected(connection: &Connection<'_>, browser: &Browser, person: Person, answer: Answer) -> Credentials {
    let (_, tokens) = connection.sign_in(browser, person, answer).await;
    tokens.unwrap_or_else(|error| panic!("{}: {error}", person.mail))
}

async fn reads(connection: &Connection<'_>, credentials: &Credentials) -> u16 {
    let (status, result) = connection.call(credentials, "find_stock", json!({"sku": "A-1"})).await;
    assert!(status != 200 || result["structuredContent"]["row_count"] == 2, "{result}");
    status
}

async fn writes(connection: &Connection<'_>, credentials: &Credentials) -> u16 {
    let change = json!({"sku": "A-1", "location": "NORTH", "change": 1});
    let (status, result) = connection.call(credentials, "adjust_stock", change).await;
    assert!(status != 200 || result["structuredContent"]["affected"] == 1, "{result}");
    status
}

/// A1 to A3: without, with a key, with headers. Each teammate enters their own.
#[tokio::test]
async fn a_connection_without_oauth_is_added_and_used() {
    let ca = Ca::default();
    let key = async |server: &Replica| {
        let (_, key) = server.key(ALICE.mail, "tools:read tools:write", None).await;
        vec![("authorization", format!("Bearer {key}"))]
    };
    let headers = async |server: &Replica| {
        let mut values = Vec::new();
        for name in ["X-Api-Key", "X-Tenant"] {
            let (_, value) = server.key_in(Some(name), ALICE.mail, "tools:read tools:write", None).await;
            values.push((name, value));
        }
        values
    };
    let nothing = async |_: &Replica| Vec::new();
    let required = vec!["X-Api-Key", "X-Tenant"];

    let open = server(&ca, "[auth]\nmode = \"open\"\n").await;
    works(&ca, &open, &Auth::None, nothing(&open).await).await;
    open.stop().await;
    let keys = server(&ca, "[auth]\nmode = \"api_key\"\n").await;
    works(&ca, &keys, &Auth::Key, key(&keys).await).await;
    keys.stop().await;
    let section =
        "[auth]\nmode = \"headers\"\n[auth.headers]\nrequired = [\"X-Api-Key\", \"X-Tenant\"]\nverify = \"issued\"\n";
    let named = server(&ca, section).await;
    works(&ca, &named, &Auth::Headers(required), headers(&named).await).await;
    named.stop().await;
}

async fn works(ca: &Ca, server: &TestServer, auth: &Auth, entered: Vec<(&'static str, String)>) {
    let platform = Platform::start(ca, HOST, vec![server.address]).await;
    let connection = platform.add(URL, auth).await;
    let needs_something = !entered.is_empty();
    let credentials = Credentials::Headers(entered);
    assert_eq!(
        (reads(&connection, &credentials).await, writes(&connection, &credentials).await),
        (200, 200),
        "{auth:?}"
    );
    let without = reads(&connection, &Credentials::Nothing).await;
    assert_eq!(without, if needs_something { 401 } else { 200 }, "{auth:?}");
}

/// A4, P2: one client for all, a grant for each.
#[tokio::test]
async fn teammates_under_one_client_have_grants_of_their_own() {
    let ca = Ca::default();
    let server = server_with_teammates(&ca, "open").await;
    let (platform, browser) = around(&ca, &[&server]).await;
    let connection = platform.add(URL, &Auth::OAuth).await;

    let (visit, denied) = connection.sign_in(&browser, BOB, Answer::Deny).await;
    assert_eq!(denied.unwrap_err(), "access_denied");
    assert_eq!(visit["signed_in"], true, "{visit}");
    let said = visit["consent"]["text"].as_str().unwrap();
    assert!(said.contains("platform.duvo.ai") && said.contains("Unverified"), "{said}");

    let alice = connected(&connection, &browser, ALICE, Answer::Allow).await;
    let bob = connected(&connection, &browser, BOB, Answer::AllowReading).await;
    assert_eq!((reads(&connection, &alice).await, writes(&connection, &alice).await), (200, 200));
    assert_eq!((reads(&connection, &bob).await, writes(&connection, &bob).await), (200, 403));

    // Alice is cut off; Bob goes on, past the end of his access token.
    let said = browser.disconnect(ALICE, ORIGIN, "Duvo").await;
    assert!(said.contains("is cut off"), "{said}");
    assert_eq!((reads(&connection, &alice).await, reads(&connection, &bob).await), (401, 200));
    assert_eq!(connection.refresh(&alice).await.unwrap_err(), "invalid_grant");
    server.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(reads(&connection, &bob).await, 401);
    let bob = connection.refresh(&bob).await.unwrap();
    assert_eq!((reads(&connection, &bob).await, writes(&connection, &bob).await), (200, 403));

    // She connects once more, under the same client.
    let alice = connected(&connection, &browser, ALICE, Answer::Allow).await;
    assert_eq!(writes(&connection, &alice).await, 200);
    server.stop().await;
}

/// Runs a command beside the server, as its operator does, and reads what it prints.
async fn operator(server: &TestServer, arguments: &[&str]) -> String {
    let output = bridgehead(server.directory(), arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// A5: no registration; one command makes the id and the secret that are pasted, and another cuts a teammate off.
#[tokio::test]
async fn a_pasted_id_and_secret_connect() {
    let ca = Ca::default();
    let server = server_with_teammates(&ca, "closed").await;
    let (platform, browser) = around(&ca, &[&server]).await;
    let made: Value =
        serde_json::from_str(&operator(&server, &["clients", "add", "--preset", "duvo", "--json"]).await).unwrap();
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    let connection = platform.add(URL, &Auth::OAuthWith { id: text("client_id"), secret: text("client_secret") }).await;
    let (visit, alice) = connection.sign_in(&browser, ALICE, Answer::Allow).await;
    let alice = alice.unwrap();
    let said = visit["consent"]["text"].as_str().unwrap();
    assert!(said.contains("Known here") && said.contains("platform.duvo.ai"), "{said}");
    assert_eq!(writes(&connection, &alice).await, 200);
    let alice = connection.refresh(&alice).await.unwrap();
    let bob = connected(&connection, &browser, BOB, Answer::Allow).await;

    operator(&server, &["grants", "revoke", "--for", BOB.mail]).await;
    assert_eq!((writes(&connection, &alice).await, writes(&connection, &bob).await), (200, 401));
    assert_eq!(connection.refresh(&bob).await.unwrap_err(), "invalid_grant");
    connection.refresh(&alice).await.unwrap();
    server.stop().await;
}

/// Two back ends hold the same refresh token, and each finds another replica of the server.
#[tokio::test]
async fn two_back_ends_that_refresh_at_once_both_go_on() {
    let ca = Ca::default();
    let server = server_with_teammates(&ca, "open").await;
    let replica = server.replica().await;
    let (platform, browser) = around(&ca, &[&server, &replica]).await;
    let connection = platform.add(URL, &Auth::OAuth).await;
    let mut held = connected(&connection, &browser, ALICE, Answer::Allow).await;
    for round in 0..3 {
        server.clock.advance(Duration::from_secs(16 * 60));
        let (one, other) = tokio::join!(connection.refresh(&held), connection.refresh(&held));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!(refresh_token(&one), refresh_token(&other), "round {round}: the same successor");
        assert_ne!(refresh_token(&one), refresh_token(&held), "round {round}: another one");
        assert_eq!((reads(&connection, &one).await, reads(&connection, &other).await), (200, 200), "round {round}");
        // Each goes on in turn with what it has.
        held = if round % 2 == 0 { one } else { other };
    }
    server.stop().await;
    replica.stop().await;
}

fn refresh_token(credentials: &Credentials) -> &str {
    match credentials {
        Credentials::Tokens { refresh, .. } => refresh,
        other => panic!("no tokens: {other:?}"),
    }
}
