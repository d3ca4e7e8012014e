//! The example as a client meets it: started, connected to by its card, listed and called over
//! HTTP (S4, D1 to D4).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_harness::process::Served;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// The example in a directory of its own, where its keys are kept.
async fn library() -> (TempDir, Served) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-native"));
    command.arg("127.0.0.1:0").current_dir(directory.path());
    (directory, Served::from(command).await)
}

/// Sends one message with the key from the card; media type and body of the answer.
async fn post(served: &Served, method: &str, params: Value) -> (String, String) {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(&served.url).bearer_auth(served.key.as_ref().unwrap());
    let response = request.header("content-type", "application/json").body(message.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, response.text().await.unwrap())
}

async fn call(served: &Served, tool: &str, arguments: Value) -> Value {
    let (_, body) = post(served, "tools/call", json!({"name": tool, "arguments": arguments})).await;
    let mut answer: Value = serde_json::from_str(&body).unwrap();
    answer["result"].take()
}

/// The error object of a failed call.
fn error(result: &Value) -> &Value {
    assert_eq!(result["isError"], true, "{result}");
    &result["_meta"]["bridgehead/error"]
}

#[tokio::test]
async fn the_tools_are_listed_with_what_an_agent_needs() {
    let (_directory, served) = library().await;
    assert!(served.card.contains("Village library") && served.card.contains("take_inventory"), "{}", served.card);
    let (_, body) = post(&served, "tools/list", json!({})).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    let tools = answer["result"]["tools"].as_array().unwrap();
    let hints =
        |tool: &Value| (tool["annotations"]["readOnlyHint"] == true, tool["annotations"]["destructiveHint"] == true);
    let seen: Vec<_> = tools.iter().map(|tool| (tool["name"].as_str().unwrap(), hints(tool))).collect();
    let expected = [
        ("find_books", (true, false)),
        ("borrow_book", (false, false)),
        ("return_book", (false, true)),
        ("take_inventory", (true, false)),
    ];
    assert_eq!(seen, expected);
    for tool in tools {
        assert!(
            !tool["description"].as_str().unwrap().is_empty() && tool["outputSchema"]["type"] == "object",
            "{tool}"
        );
        for parameter in tool["inputSchema"]["properties"].as_object().unwrap().values() {
            assert!(!parameter["description"].as_str().unwrap().is_empty(), "{tool}");
        }
    }
    let borrow = &tools[1]["inputSchema"];
    assert_eq!(borrow["required"], json!(["number"]));
    assert_eq!(borrow["properties"]["days"]["default"], 21);
    assert_eq!(tools[0]["inputSchema"]["properties"]["shelf"]["enum"], json!(["novels", "nature", "crafts", null]));
    assert_eq!(served.terminate().await, Some(0));
}

#[tokio::test]
async fn a_book_is_found_borrowed_and_returned() {
    let (_directory, served) = library().await;
    let found = call(&served, "find_books", json!({"words": "LE GUIN", "limit": 1})).await;
    let found = &found["structuredContent"];
    assert_eq!((&found["books"][0]["number"], &found["left_out"]), (&json!(101), &json!(1)));
    assert_eq!(found["books"][0]["loan"], Value::Null);

    let lent = call(&served, "borrow_book", json!({"number": 101})).await;
    assert_eq!(lent["structuredContent"]["loan"], json!({"borrower": "you@localhost", "days": 21}));
    assert_eq!(
        serde_json::from_str::<Value>(lent["content"][0]["text"].as_str().unwrap()).unwrap(),
        lent["structuredContent"]
    );
    let available = call(&served, "find_books", json!({"shelf": "novels", "only_available": true})).await;
    assert_eq!(available["structuredContent"]["books"].as_array().unwrap().len(), 2);

    let again = call(&served, "borrow_book", json!({"number": 101})).await;
    let refusal = error(&again);
    assert_eq!((refusal["code"].as_str(), refusal["retryable"].as_bool()), (Some("upstream_rejected"), Some(false)));
    assert!(refusal["message"].as_str().unwrap().contains("lent to you@localhost"), "{refusal}");
    assert_eq!(refusal["details"]["loan"]["days"], 21);

    for _ in 0..2 {
        let returned = call(&served, "return_book", json!({"number": 101})).await;
        assert_eq!(returned["structuredContent"]["loan"], Value::Null);
    }
    assert_eq!(
        call(&served, "borrow_book", json!({"number": 101, "days": 7})).await["structuredContent"]["loan"]["days"],
        7
    );
    served.terminate().await;
}

#[tokio::test]
async fn bad_arguments_are_named() {
    let (_directory, served) = library().await;
    for (tool, arguments, path) in [
        ("borrow_book", json!({"number": "101"}), "/number"),
        ("borrow_book", json!({"number": 101, "days": 61}), "/days"),
        ("return_book", json!({"number": 999}), "/number"),
        ("find_books", json!({"shelf": "cellar"}), "/shelf"),
    ] {
        let result = call(&served, tool, arguments).await;
        let refusal = error(&result);
        assert_eq!(refusal["code"], "invalid_arguments", "{refusal}");
        assert_eq!(refusal["details"]["faults"][0]["path"], path, "{refusal}");
    }
    served.terminate().await;
}

#[tokio::test]
async fn the_inventory_reports_how_far_it_is() {
    let (_directory, served) = library().await;
    call(&served, "borrow_book", json!({"number": 302})).await;
    let params = json!({"name": "take_inventory", "arguments": {}, "_meta": {"progressToken": "count"}});
    let (kind, body) = post(&served, "tools/call", params).await;
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    let events: Vec<Value> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect();
    let (answer, reports) = events.split_last().unwrap();
    assert_eq!(reports.len(), 8, "{body}");
    let last = &reports[7]["params"];
    assert_eq!((&last["progressToken"], &last["progress"]), (&json!("count"), &json!(8.0)));
    assert_eq!((&last["total"], &last["message"]), (&json!(8.0), &json!("Bread")));
    assert_eq!(answer["result"]["structuredContent"], json!({"in_place": 7, "lent": [302]}));
    // Who asks for no progress gets plain JSON.
    let quiet = call(&served, "take_inventory", json!({})).await;
    assert_eq!(quiet["structuredContent"]["in_place"], 7);
    served.terminate().await;
}
