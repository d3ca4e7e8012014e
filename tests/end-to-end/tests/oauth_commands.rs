//! A5 and P2 by the operator's commands, with the real binary: `clients`, `grants`, and what the card
//! says, beside a server that runs on the same store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_end_to_end::oauth::{
    ALICE, Browser, CALLBACK, PASSWORD, Site, VERIFIER, configuration, parameter, query,
};
use bridgehead_harness::{
    WAREHOUSE_TABLES,
    process::{Served, bridgehead},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A configuration that is called by its own address.
fn place(auth: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let config = configuration("", auth).replace("public_url = \"https://mcp.example.com\"\n", "");
    std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
    std::fs::write(place.path().join("warehouse.sql"), WAREHOUSE_TABLES).unwrap();
    place
}

/// Exit code, stdout and stderr.
async fn run(place: &TempDir, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = bridgehead(place.path(), arguments).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn json_of(place: &TempDir, arguments: &[&str]) -> Value {
    let (code, out, error) = run(place, arguments).await;
    assert_eq!(code, Some(0), "{error}");
    serde_json::from_str(&out).unwrap()
}

#[tokio::test]
async fn a_client_is_made_connected_and_cut_off() {
    let place = place("mode = \"oauth\"");
    let served = Served::start(&place.path().join("bridgehead.toml")).await;
    let origin = served.url.strip_suffix("/mcp").unwrap().to_owned();
    assert!(served.card.contains("OAuth: enter nothing but the URL; each teammate signs in"), "{}", served.card);
    assert!(served.card.contains("authentication: OAuth, found automatically"), "{}", served.card);
    let link = served.card.split("/login/link?token=").nth(1).unwrap().split_whitespace().next().unwrap();
    let site = Site::at(&origin);
    let mut browser = Browser::at(&site, &origin);
    let chosen = [("token", link), ("mail", ALICE), ("password", PASSWORD), ("repeat", PASSWORD)];
    assert_eq!(browser.post("/login/link", &chosen).await.status, 303);

    let (code, out, note) = run(&place, &["clients", "add", "--preset", "duvo"]).await;
    assert!(code == Some(0) && note.contains("In Duvo") && note.contains("shown this once"), "{note}");
    let entry = |label: &str| out.lines().find_map(|line| line.strip_prefix(label)).unwrap().trim().to_owned();
    let (id, secret) = (entry("Client ID"), entry("Client secret"));
    let listed = json_of(&place, &["clients", "list", "--json"]).await;
    assert_eq!(listed[0]["client_id"], id.as_str());
    assert_eq!(listed[0]["redirect_uris"], json!([CALLBACK]));
    assert!(!listed.to_string().contains(&secret));

    let back = browser.allow(&query(&id, &[]), &["tools:write"]).await;
    let code = parameter(&back, "code").unwrap();
    let exchange = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = site.post("/oauth/token", &exchange).await.json();
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    assert!(site.reads(&access).await);

    let grants = json_of(&place, &["grants", "list", "--for", "Alice@Example.com", "--json"]).await;
    assert_eq!((&grants[0]["subject"], &grants[0]["client_name"]), (&json!(ALICE), &json!("Duvo")));
    let grant = grants[0]["id"].as_str().unwrap().to_owned();
    let (code, story, _) = run(&place, &["grants", "trace"]).await;
    assert!(code == Some(0) && story.contains(&format!("\"Duvo\" ({id}) for {ALICE}: connected")), "{story}");
    let (code, _, note) = run(&place, &["grants", "revoke", &grant]).await;
    assert!(code == Some(0) && note.contains("is cut off"), "{note}");
    assert!(!site.reads(&access).await, "at once");
    assert_eq!(json_of(&place, &["grants", "list", "--json"]).await, json!([]));
    assert_eq!(json_of(&place, &["grants", "list", "--all", "--json"]).await[0]["state"], "revoked: asked");
    let (code, _, note) = run(&place, &["grants", "revoke", "--for", ALICE]).await;
    assert!(code == Some(0) && note.contains("has nothing connected"), "{note}");

    let (code, _, note) = run(&place, &["clients", "revoke", &id]).await;
    assert!(code == Some(0) && note.contains("is revoked"), "{note}");
    assert_eq!(browser.consent(&query(&id, &[])).await.status, 400);

    let back = browser.allow(&query(&site.public_client(CALLBACK).await, &[]), &[]).await;
    assert!(parameter(&back, "code").is_some());
    let (code, _, note) = run(&place, &["users", "disable", ALICE]).await;
    assert!(code == Some(0) && note.contains("is disabled"), "{note}");
    assert_eq!(browser.get("/account").await.status, 303, "signed out at once");
    assert_eq!(served.terminate().await, Some(0));
}

/// Disabled, and what they had connected goes with them.
#[tokio::test]
async fn a_disabled_user_takes_their_connections_along() {
    let place = place("mode = \"oauth\"");
    let served = Served::start(&place.path().join("bridgehead.toml")).await;
    let origin = served.url.strip_suffix("/mcp").unwrap().to_owned();
    let link = served.card.split("/login/link?token=").nth(1).unwrap().split_whitespace().next().unwrap();
    let site = Site::at(&origin);
    let chosen = [("token", link), ("mail", ALICE), ("password", PASSWORD), ("repeat", PASSWORD)];
    assert_eq!(Browser::at(&site, &origin).post("/login/link", &chosen).await.status, 303);
    let tokens = site.connect_at(&origin, &site.public_client(CALLBACK).await).await;
    let access = tokens["access_token"].as_str().unwrap();
    assert!(site.reads(access).await);
    let (_, _, note) = run(&place, &["users", "disable", ALICE]).await;
    assert!(note.contains("What they had connected is cut off"), "{note}");
    assert!(!site.reads(access).await);
    assert_eq!(served.terminate().await, Some(0));
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let place = place("mode = \"oauth\"");
    for (arguments, exit, words) in [
        (&["clients", "add"][..], 2, "--redirect"),
        (&["clients", "add", "--preset", "chatgpt"], 2, "https://chatgpt.com/connector/oauth/"),
        (&["clients", "add", "--name", "x", "--redirect", "http://evil.example/"], 2, "plain http"),
        (&["clients", "revoke", "bhi_AAAAAAAAAAAA"], 1, "clients list --all"),
        (&["clients", "revoke", "x"], 2, "no client's id"),
        (&["grants", "revoke", "x"], 2, "no connection's id"),
        (&["grants", "revoke", "AAAAAAAAAAAA"], 1, "grants list --all"),
        (&["grants", "revoke"], 2, "<ID>"),
    ] {
        let (code, out, error) = run(&place, arguments).await;
        assert_eq!((code, out.as_str()), (Some(exit), ""), "{arguments:?} {error}");
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    let (code, _, note) = run(&place, &["clients", "list"]).await;
    assert!(code == Some(0) && note.contains("No clients were made here"), "{note}");
    let other = self::place("mode = \"api_key\"");
    for command in [["clients", "list"], ["grants", "list"], ["grants", "trace"]] {
        let (code, _, error) = run(&other, &command).await;
        assert!(code == Some(2) && error.contains("auth.mode does not name \"oauth\""), "{error}");
    }
}
