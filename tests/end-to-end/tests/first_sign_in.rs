//! From an empty store to a tool call with the shipped binary, a real Chromium and a real client, no step by hand (P1, P2,
//! A4): the link on the card makes the first administrator, one command invites a teammate, another puts them out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::path::Path;

use bridgehead_end_to_end::{
    browser::{ALICE, BOB, Browser},
    signing_in::{Client, Script},
    teammates::TOOLS,
};
use bridgehead_harness::{
    WAREHOUSE_TABLES,
    process::{Served, bridgehead},
};
use serde_json::{Value, json};

/// Runs a command beside the server, as its operator does, and reads what it prints.
async fn operator(directory: &Path, arguments: &[&str]) -> Value {
    let output = bridgehead(directory, arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&said).unwrap_or_default()
}

#[tokio::test]
async fn from_the_card_to_a_tool_call() {
    let directory = tempfile::tempdir().unwrap();
    let config = format!("name = \"Warehouse\"\n[auth]\nmode = \"oauth\"\n{TOOLS}");
    std::fs::write(directory.path().join("bridgehead.toml"), config).unwrap();
    std::fs::write(directory.path().join("warehouse.sql"), WAREHOUSE_TABLES).unwrap();
    let served = Served::start(&directory.path().join("bridgehead.toml")).await;
    let origin = served.url.trim_end_matches("/mcp");
    let link = served.card.lines().find_map(|line| line.trim_start().strip_prefix("First ")).expect("a link");
    let browser = Browser::start(&[]).await;
    browser.choose_password(ALICE, link.trim()).await;
    let mut first = Client::start(Script::TypescriptV1, &served.url, &json!({}), &browser, ALICE);
    let find = || json!({"sku": "A-1"});
    let found = first.call("find_stock", find(), true).await;
    assert_eq!(found["result"]["row_count"], 2, "{found}");

    // The command knows the port of the configuration, and the server took another.
    let added = operator(directory.path(), &["users", "add", BOB.mail, "--json"]).await;
    let (_, path) = added["link"].as_str().unwrap_or_else(|| panic!("{added}")).split_once("/login/").unwrap();
    browser.choose_password(BOB, &format!("{origin}/login/{path}")).await;
    let mut second = Client::start(Script::Python, &served.url, &json!({}), &browser, BOB);
    let found = second.call("find_stock", find(), true).await;
    assert_eq!(found["result"]["row_count"], 2, "{found}");

    let connected = operator(directory.path(), &["grants", "list", "--json"]).await;
    let subjects: Vec<_> = connected.as_array().unwrap().iter().map(|grant| grant["subject"].clone()).collect();
    assert_eq!(subjects, [ALICE.mail, BOB.mail], "{connected}");
    operator(directory.path(), &["users", "disable", BOB.mail]).await;
    let found = second.call("find_stock", find(), false).await;
    assert!(found["refused"].is_string(), "{found}");
    let found = first.call("find_stock", find(), false).await;
    assert_eq!((&found["result"]["row_count"], &found["sign_ins"]), (&json!(2), &json!(1)), "{found}");
    served.terminate().await;
}
