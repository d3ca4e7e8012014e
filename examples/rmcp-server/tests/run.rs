//! The wrapped server as a client meets it: started, connected to by its card, listed and called
//! over HTTP (S4, D1 to D4).
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
async fn recipe_box() -> (TempDir, Served) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_example-rmcp-server"));
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

#[tokio::test]
async fn the_tools_are_listed_as_the_server_describes_them() {
    let (_directory, served) = recipe_box().await;
    assert!(served.card.contains("4 from recipes (native)"), "{}", served.card);
    let (_, body) = post(&served, "tools/list", json!({})).await;
    let answer: Value = serde_json::from_str(&body).unwrap();
    let tools = answer["result"]["tools"].as_array().unwrap();
    let hints =
        |tool: &Value| (tool["annotations"]["readOnlyHint"] == true, tool["annotations"]["destructiveHint"] == true);
    let mut seen: Vec<_> = tools.iter().map(|tool| (tool["name"].as_str().unwrap(), hints(tool))).collect();
    seen.sort_unstable();
    let expected = [
        ("cook", (false, false)),
        ("forget_recipe", (false, true)),
        ("list_recipes", (true, false)),
        ("scale_recipe", (true, false)),
    ];
    assert_eq!(seen, expected);
    let scale = tools.iter().find(|tool| tool["name"] == "scale_recipe").unwrap();
    assert_eq!(scale["description"], "Gives one recipe with its ingredients for so many people.");
    assert_eq!(scale["inputSchema"]["properties"]["portions"]["description"], "For how many people, 1 to 100.");
    assert_eq!(scale["outputSchema"]["type"], "object");
    assert_eq!(served.terminate().await, Some(0));
}

#[tokio::test]
async fn calls_reach_the_server_and_its_state() {
    let (_directory, served) = recipe_box().await;
    let scaled = call(&served, "scale_recipe", json!({"name": "pancakes", "portions": 2})).await;
    let expected = json!({"name": "pancakes", "portions": 2, "ingredients": [
        {"name": "flour", "grams": 125.0}, {"name": "milk", "grams": 250.0}, {"name": "eggs", "grams": 75.0},
    ]});
    assert_eq!(scaled["structuredContent"], expected);
    let forgotten = call(&served, "forget_recipe", json!({"name": "pancakes"})).await;
    assert_eq!(forgotten["content"][0]["text"], "pancakes is forgotten.");
    assert_eq!(call(&served, "list_recipes", json!({})).await["content"][0]["text"], "lentil soup");
    served.terminate().await;
}

/// Arguments that the schema refuses never reach the server; what the server refuses, and what
/// fails in it, arrives as a result with a code.
#[tokio::test]
async fn failures_have_codes() {
    let (_directory, served) = recipe_box().await;
    for (tool, arguments, code, words) in [
        ("scale_recipe", json!({"name": "pancakes", "portions": "two"}), "invalid_arguments", "portions"),
        ("scale_recipe", json!({"name": "pancakes", "portions": 101}), "invalid_arguments", "must be 1 to 100"),
        ("forget_recipe", json!({"name": "gruel"}), "invalid_arguments", "no such recipe"),
        ("cook", json!({"name": "gruel"}), "upstream_failed", "The cook does not know this recipe."),
    ] {
        let result = call(&served, tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        let error = &result["_meta"]["bridgehead/error"];
        assert_eq!(error["code"], code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    served.terminate().await;
}

#[tokio::test]
async fn the_progress_of_the_server_reaches_the_client() {
    let (_directory, served) = recipe_box().await;
    let params = json!({"name": "cook", "arguments": {"name": "lentil soup"}, "_meta": {"progressToken": 7}});
    let (kind, body) = post(&served, "tools/call", params).await;
    assert!(kind.starts_with("text/event-stream"), "{kind}");
    let events: Vec<Value> = body
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect();
    let (answer, reports) = events.split_last().unwrap();
    let reports: Vec<_> = reports.iter().map(|report| &report["params"]).collect();
    assert_eq!(reports.len(), 3, "{body}");
    let expected = json!({"progressToken": 7, "progress": 3.0, "total": 3.0, "message": "onions in the pan"});
    assert_eq!(reports[2], &expected);
    assert_eq!(answer["result"]["content"][0]["text"], "Dinner is ready: lentil soup.");
    served.terminate().await;
}
