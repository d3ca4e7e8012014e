//! A3, P2: values per teammate are made, and callers cut off, by the command of the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_harness::{
    WAREHOUSE_TABLES,
    process::{Served, bridgehead},
};
use serde_json::Value;

const ALICE: &str = "alice@example.com";

/// A3 with the real binary: values per teammate by `keys create --header`, and who is cut off.
#[tokio::test]
async fn values_are_made_and_callers_cut_off_by_command() {
    let place = tempfile::tempdir().unwrap();
    let config = "auth.mode = \"headers\"\nauth.headers.required = [\"X-Api-Key\", \"X-Tenant\"]\n[sources.stock]\ntype = \"sql\"\nurl = \"sqlite:stock.db\"\nseed = \"stock.sql\"\n\
        tools.count = { description = \"Counts the articles.\", sql = \"SELECT count(*) AS articles FROM article\" }\n";
    std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
    std::fs::write(place.path().join("stock.sql"), WAREHOUSE_TABLES).unwrap();
    let keys = async |arguments: &[&str]| {
        let output = bridgehead(place.path(), &[&["keys"], arguments].concat()).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let served = Served::start(&place.path().join("bridgehead.toml")).await;
    for line in [
        "headers `X-Api-Key`, `X-Tenant`",
        "--header X-Api-Key",
        "--header X-Tenant",
        "authentication: Custom headers",
        "header:         X-Tenant",
    ] {
        assert!(served.card.contains(line), "{line}: {}", served.card);
    }
    assert_eq!(served.key, None, "a key alone would let nobody in");

    let (code, _, said) = keys(&["create", "--for", ALICE]).await;
    assert!(code == Some(0) && said.contains("opens nothing") && said.contains("--header X-Tenant"), "{said}");
    let mut made = Vec::new();
    for header in ["X-Api-Key", "X-Tenant"] {
        let (code, key, said) = keys(&["create", "--for", ALICE, "--header", header]).await;
        assert!(code == Some(0) && !said.contains("opens nothing"), "{said}");
        made.push(key.trim().to_owned());
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ping = || {
        let request = client.post(&served.url).header("accept", "application/json, text/event-stream");
        let request = request.header("content-type", "application/json").header("x-api-key", &made[0]);
        request.header("x-tenant", &made[1]).body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).send()
    };
    assert_eq!(ping().await.unwrap().status().as_u16(), 200);

    let hashed = "key-0123456789abcdef";
    for (arguments, code, words) in [
        (&["revoke", hashed][..], 0, "key-0123456789abcdef is cut off"),
        (&["revoke", hashed], 0, "was cut off already"),
        (&["revoke", "key-0123"], 2, "--subject NAME"),
        (&["revoke", "0123456789A"], 2, "--subject NAME"),
        (&["revoke", "0123456789AB"], 1, "there is no key"),
        (&["revoke", "0123456789AB", "--undo"], 2, "a key stays revoked"),
        (&["revoke"], 2, "required"),
        (&["revoke", "--subject", "mallory"], 0, "mallory is cut off"),
        (&["revoke", "--subject", "mallory", "--undo"], 0, "mallory is let in again"),
        (&["revoke", "--subject", "mallory", "--undo"], 1, "mallory is not cut off"),
    ] {
        let (is, _, said) = keys(arguments).await;
        assert!(is == Some(code) && said.contains(words), "{arguments:?}: {is:?} {said}");
    }
    let (_, listed, _) = keys(&["list"]).await;
    let last = listed.lines().last().unwrap();
    assert!(last.starts_with(hashed) && listed.contains("CUT OFF"), "{listed}");
    let (_, listed, _) = keys(&["list", "--json"]).await;
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 4);
    assert_eq!(listed[3]["blocked_subject"], hashed);

    let (_, _, said) = keys(&["revoke", ALICE]).await;
    assert!(said.contains("3 keys of theirs are revoked"), "{said}");
    assert_eq!(ping().await.unwrap().status().as_u16(), 401, "whichever way they sign in");
    assert_eq!(served.terminate().await, Some(0));
}

/// A2: a key that nobody can check any more is not called good.
#[tokio::test]
async fn a_key_without_its_root_key_is_listed_as_such() {
    let place = tempfile::tempdir().unwrap();
    let config = "auth.mode = \"api_key\"\n[sources.stock]\ntype = \"sql\"\nurl = \"sqlite:stock.db\"\nseed = \"stock.sql\"\n\
        tools.count = { description = \"Counts the articles.\", sql = \"SELECT count(*) AS articles FROM article\" }\n";
    std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
    std::fs::write(place.path().join("stock.sql"), WAREHOUSE_TABLES).unwrap();
    assert!(bridgehead(place.path(), &["keys", "create", "--for", ALICE]).await.status.success());
    let list = async || {
        let listed = bridgehead(place.path(), &["keys", "list", "--json"]).await;
        serde_json::from_slice::<Value>(&listed.stdout).unwrap()[0]["root_key_missing"].clone()
    };
    assert_eq!(list().await, false);
    std::fs::remove_file(place.path().join("bridgehead.keys")).unwrap();
    assert_eq!(list().await, true);
    let shown = bridgehead(place.path(), &["keys", "list"]).await;
    assert!(String::from_utf8_lossy(&shown.stdout).contains("root key missing"));
}
