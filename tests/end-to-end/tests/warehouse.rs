//! The example that a stranger runs first, with the real binary: every tool against the answers
//! that SQLite gives to the same statements (S2, D3, D4), and the card alone to connect with (P1).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::path::Path;

use bridgehead_harness::process::{Served, bridgehead, repository};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A copy of the example, without what an earlier run may have left.
fn example() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["bridgehead.toml", "warehouse.sql"] {
        std::fs::copy(repository().join("examples/warehouse").join(file), copy.path().join(file)).unwrap();
    }
    copy
}

async fn call(served: &Served, tool: &str, arguments: &Value) -> Value {
    let message =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request =
        client.post(&served.url).bearer_auth(served.key.as_ref().unwrap()).header("content-type", "application/json");
    request.body(message.to_string()).send().await.unwrap().json().await.unwrap()
}

fn cases() -> Vec<Value> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/warehouse-cases.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn the_reading_tools_answer_what_the_database_says() {
    let copy = example();
    let served = Served::start(&copy.path().join("bridgehead.toml")).await;
    let writes = ["adjust_stock", "create_purchase_order", "add_purchase_order_line", "receive_purchase_order_line"];
    let mut tried = 0;
    for case in
        cases().iter().filter(|case| case.get("rows").is_some() && !writes.contains(&case["tool"].as_str().unwrap()))
    {
        let answer = call(&served, case["tool"].as_str().unwrap(), &case["arguments"]).await;
        let structured = &answer["result"]["structuredContent"];
        assert_eq!(structured["rows"], case["rows"], "{}: {answer}", case["tool"]);
        if let Some(next) = case.get("next_page_rows") {
            let mut arguments = case["arguments"].clone();
            arguments["cursor"] = structured["next_cursor"].clone();
            let page = call(&served, case["tool"].as_str().unwrap(), &arguments).await;
            assert_eq!(&page["result"]["structuredContent"]["rows"], next, "{page}");
            assert_eq!(page["result"]["structuredContent"]["next_cursor"], Value::Null);
        }
        tried += 1;
    }
    assert!(tried >= 20, "only {tried} cases");
    assert_eq!(served.terminate().await, Some(0));
}

/// Writes in the order of the file on one database; then the refusals, which change nothing.
#[tokio::test]
async fn the_writing_tools_change_the_database_and_refusals_do_not() {
    let copy = example();
    let served = Served::start(&copy.path().join("bridgehead.toml")).await;
    let (mut wrote, mut refused) = (0, 0);
    let mut seen = Vec::new();
    for case in cases() {
        let tool = case["tool"].as_str().unwrap().to_owned();
        let answer = call(&served, &tool, &case["arguments"]).await;
        let result = &answer["result"];
        if case.get("bad_arguments").is_some() {
            assert_eq!(result["_meta"]["bridgehead/error"]["code"], "invalid_arguments", "{tool}: {answer}");
            refused += 1;
        } else if case.get("database_error").is_some() {
            assert_eq!(result["_meta"]["bridgehead/error"]["code"], "upstream_rejected", "{tool}: {answer}");
            refused += 1;
        } else if !seen.contains(&tool) && result["structuredContent"].get("affected").is_some() {
            assert_eq!(result["structuredContent"]["rows"], case["rows"], "{tool}: {answer}");
            wrote += 1;
        }
        seen.push(tool);
    }
    assert!(wrote == 4 && refused >= 20, "{wrote} {refused}");
    served.terminate().await;
}

#[tokio::test]
async fn the_card_is_enough_to_connect_and_a_second_start_shows_no_key() {
    let copy = example();
    let config = copy.path().join("bridgehead.toml");
    let served = Served::start(&config).await;
    assert!(
        served.card.contains("Warehouse") && served.card.contains("find_stock") && served.card.contains("In Duvo"),
        "{}",
        served.card
    );
    assert!(served.key.as_ref().unwrap().starts_with("bhk_"));
    let answer = call(&served, "find_stock", &json!({"sku": "A-1001"})).await;
    assert!(!answer["result"]["structuredContent"]["rows"].as_array().unwrap().is_empty());
    assert_eq!(served.terminate().await, Some(0));
    let again = Served::start(&config).await;
    assert!(again.key.is_none() && again.card.contains("keys create"), "{}", again.card);
    again.terminate().await;
}

/// A2: keys are made, listed and revoked by a second process while the server runs.
#[tokio::test]
async fn keys_are_managed_while_the_server_runs() {
    let copy = example();
    let mut served = Served::start(&copy.path().join("bridgehead.toml")).await;
    let made =
        bridgehead(copy.path(), &["keys", "create", "--for", "alice@example.com", "--expires", "90d", "--json"]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    served.key = made["key"].as_str().map(str::to_owned);
    let answer = call(&served, "find_stock", &json!({"sku": "A-1001"})).await;
    assert!(answer["result"]["structuredContent"].is_object(), "{answer}");

    let listed = bridgehead(copy.path(), &["keys", "list", "--json"]).await;
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 2, "the first run's and Alice's");
    assert_eq!(listed[1]["subject"], "alice@example.com");
    assert!(!listed.to_string().contains(served.key.as_ref().unwrap()), "no key is ever shown again");

    let id = made["id"].as_str().unwrap();
    assert!(bridgehead(copy.path(), &["keys", "revoke", id]).await.status.success());
    let refused = call(&served, "find_stock", &json!({"sku": "A-1001"})).await;
    assert!(refused["message"].as_str().unwrap().contains("revoked"), "{refused}");
    let store = std::fs::read(copy.path().join("bridgehead.db")).unwrap();
    let secret = served.key.as_ref().unwrap().rsplit('_').next().unwrap().as_bytes();
    assert!(!store.windows(secret.len()).any(|window| window == secret), "the store has no key in clear");
    served.terminate().await;
}

#[tokio::test]
async fn the_commands_answer() {
    let copy = example();
    let run = |arguments: &'static [&'static str]| bridgehead(copy.path(), arguments);
    let checked = run(&["config", "check"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(!copy.path().join("warehouse.db").exists(), "checking leaves nothing behind");

    let listed = run(&["tools", "--json"]).await;
    let tools: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(tools.as_array().unwrap().len(), 10);
    assert_eq!(tools[0]["tool"]["inputSchema"]["type"], "object");
    let shown = String::from_utf8(run(&["tools"]).await.stdout).unwrap();
    assert!(shown.contains("find_stock") && shown.contains("TOKENS"), "{shown}");
    let full = String::from_utf8(run(&["tools", "warehouse.find_stock"]).await.stdout).unwrap();
    assert!(full.contains("\"sku\"") && full.contains("needs tools:read"), "{full}");

    let called = run(&["call", "find_stock", "--arg", "sku=A-1010"]).await;
    let called: Value = serde_json::from_slice(&called.stdout).unwrap();
    assert_eq!(called["rows"].as_array().unwrap().len(), 5);
    let failed = run(&["call", "find_stock", "--arg", "sku=7;"]).await;
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(serde_json::from_slice::<Value>(&failed.stdout).unwrap()["code"], "invalid_arguments");
    let unknown = run(&["call", "find_stok"]).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("Did you mean `find_stock`?"));
    assert_eq!(run(&["serve", "nowhere.toml"]).await.status.code(), Some(2));
    let schema: Value = serde_json::from_slice(&run(&["config", "schema"]).await.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(String::from_utf8_lossy(&run(&["completions", "bash"]).await.stdout).contains("bridgehead"));
    assert!(run(&["--help"]).await.status.success());
    assert_eq!(run(&["no-such-command"]).await.status.code(), Some(2));
}
