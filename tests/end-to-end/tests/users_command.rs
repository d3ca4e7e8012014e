//! A4: people are added, invited, shut out and given passwords by the command of the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_auth::{
    RootKeys, SecretText, Sessions, Users,
    text::SecretKind,
    users::{Credentials, SignInError, SignedIn},
};
use bridgehead_core::{OsRandomness, Secret, SystemClock};
use bridgehead_harness::process::{bridgehead, bridgehead_with_input};
use bridgehead_stores::{Store, StoreUrl};
use serde_json::Value;
use std::{path::Path, sync::Arc};
use tempfile::TempDir;

const ALICE: &str = "alice@example.com";
const PASSWORD: &str = "correct horse battery";

const CONFIG: &str = "server.public_url = \"https://mcp.example.com\"\nauth.mode = \"api_key\"\n[sources.stock]\n\
    type = \"sql\"\nurl = \"sqlite:stock.db\"\n\
    tools.count = { description = \"Counts the articles.\", sql = \"SELECT count(*) AS articles FROM article\" }\n";

fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("bridgehead.toml"), CONFIG).unwrap();
    place
}

async fn users(place: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    said(bridgehead(place, &[&["users"], arguments].concat()).await)
}

async fn passwd(place: &Path, address: &str, input: &str) -> (Option<i32>, String, String) {
    said(bridgehead_with_input(place, &["users", "passwd", address], input).await)
}

fn said(output: std::process::Output) -> (Option<i32>, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What a server on the same store and root keys has.
async fn served(place: &Path) -> (Users, Sessions) {
    let store = Store::open(&StoreUrl::Sqlite(place.join("bridgehead.db"))).await.unwrap();
    let roots = RootKeys::load(&place.join("bridgehead.keys")).unwrap().keys;
    let (clock, randomness) = (Arc::new(SystemClock), Arc::new(OsRandomness));
    (
        Users::new(store.users, &roots, clock.clone(), randomness.clone()),
        Sessions::new(store.sessions, &roots, clock, randomness),
    )
}

async fn sign_in(users: &Users, password: &str) -> Result<SignedIn, SignInError> {
    let password = Secret::new(password.to_owned());
    users.sign_in(&Credentials { address: ALICE, password: &password, from: [192, 0, 2, 1].into() }).await
}

#[tokio::test]
async fn a_user_is_invited_signs_in_and_is_shut_out() {
    let place = place();
    let place = place.path();
    let (code, link, note) = users(place, &["add", "Alice@Example.com", "--admin", "--name", "Alice"]).await;
    assert_eq!(code, Some(0), "{note}");
    assert!(note.contains("alice@example.com chooses their password") && note.contains("no \"oauth\""), "{note}");
    let text =
        link.trim().strip_prefix("https://mcp.example.com/login/link?token=").expect("the public URL and the path");
    SecretText::parse(SecretKind::OneTimeLink, text).unwrap();
    let (_, listed, _) = users(place, &["list"]).await;
    assert!(listed.contains("no password yet") && listed.contains("admin"), "{listed}");

    let (people, sessions) = served(place).await;
    let signed_in = people.choose_password(text, &Secret::new(PASSWORD.to_owned())).await.unwrap();
    let (_, cookie) = sessions.begin(signed_in).await.unwrap();
    sign_in(&people, PASSWORD).await.unwrap();

    let (code, link, note) = users(place, &["invite", ALICE]).await;
    assert!(code == Some(0) && note.contains("chooses another password"), "{note}");
    let reset = link.trim().rsplit('=').next().unwrap();
    people.look_at_link(reset).await.unwrap();

    let (code, _, note) = users(place, &["disable", ALICE]).await;
    assert!(code == Some(0) && note.contains("alice@example.com is disabled"), "{note}");
    assert_eq!(sessions.find(cookie.expose()).await.unwrap(), None, "at once");
    assert_eq!(people.look_at_link(reset).await.unwrap_err().code(), "unknown");
    sign_in(&people, PASSWORD).await.unwrap_err();
    let (_, listed, _) = users(place, &["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&listed[0]["address"], &listed[0]["admin"]), (&ALICE.into(), &true.into()));
    assert!(listed[0]["disabled_at"].is_string() && listed[0]["signed_in_at"].is_string(), "{listed}");
    for (arguments, code, words) in [
        (&["disable", ALICE][..], 0, "was disabled already"),
        (&["invite", ALICE], 1, "users enable alice@example.com"),
        (&["enable", ALICE], 0, "may sign in again"),
        (&["enable", ALICE], 0, "was not disabled"),
    ] {
        let (is, _, note) = users(place, arguments).await;
        assert!(is == Some(code) && note.contains(words), "{arguments:?}: {is:?} {note}");
    }
    sign_in(&people, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_password_is_read_from_the_input_and_never_from_an_argument() {
    let place = place();
    let place = place.path();
    users(place, &["add", ALICE]).await;
    let (code, _, _) = users(place, &["passwd", ALICE, PASSWORD]).await;
    assert_eq!(code, Some(2));
    for (input, words) in [
        ("", "the input is empty"),
        ("\n", "the input is empty"),
        ("short\n", "at least 12 characters"),
        ("Alice@example.com\n", "first thing"),
        (&"ab".repeat(600), "at most 1024 bytes"),
    ] {
        let (code, _, note) = passwd(place, ALICE, input).await;
        assert!(code == Some(2) && note.contains(words), "{input}: {code:?} {note}");
    }
    let (code, out, note) = passwd(place, "Alice@EXAMPLE.com", &format!("{PASSWORD}\r\nmore\n")).await;
    assert!(code == Some(0) && note.contains("has a new password") && !note.contains(PASSWORD), "{note}");
    assert_eq!(out, "");
    let (people, sessions) = served(place).await;
    let (_, cookie) = sessions.begin(sign_in(&people, PASSWORD).await.unwrap()).await.unwrap();
    let (code, _, _) = passwd(place, ALICE, "another good one").await;
    assert_eq!(code, Some(0));
    assert_eq!(sessions.find(cookie.expose()).await.unwrap(), None, "whoever was signed in is not any more");
    sign_in(&people, PASSWORD).await.unwrap_err();
    sign_in(&people, "another good one").await.unwrap();
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let place = place();
    let path = place.path();
    let (code, out, note) = users(path, &["list"]).await;
    assert!(code == Some(0) && out.is_empty() && note.contains("users add --admin"), "{note}");
    let (code, made, _) = users(path, &["add", ALICE, "--scope", "tools:read", "--json"]).await;
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!((code, &made["scopes"]), (Some(0), &serde_json::json!(["tools:read"])));
    assert!(made["link"].as_str().unwrap().contains("/login/link?token=bhl_") && made["link_expires_at"].is_string());
    for (arguments, code, words) in [
        (&["add", ALICE][..], 1, "users invite alice@example.com"),
        (&["add", "alice"], 2, "not a mail address"),
        (&["add", "bob@example.com", "--name", "a\u{7}b"], 2, "printable"),
        (&["add", "bob@example.com", "--scope", "a\"b"], 2, "is not a scope"),
        (&["invite", "bob@example.com"], 1, "there is no user"),
        (&["disable", "bob@example.com"], 1, "there is no user"),
        (&["enable", "bob@example.com"], 1, "there is no user"),
        (&["passwd", "bob@example.com"], 1, "there is no user"),
        (&["disable", "bob"], 2, "bob: that is not a mail address"),
        (&["add"], 2, "required"),
    ] {
        let (is, _, note) = users(path, arguments).await;
        assert!(is == Some(code) && note.contains(words), "{arguments:?}: {is:?} {note}");
    }
    std::fs::write(path.join("bridgehead.toml"), format!("store.url = \"memory:\"\n{CONFIG}")).unwrap();
    let (code, _, note) = users(path, &["list"]).await;
    assert!(code == Some(2) && note.contains("memory:"), "{note}");
}
