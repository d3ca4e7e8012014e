//! The way down (H1): 500 calls are running when the real binary is told to stop. None is cut, and
//! who comes meanwhile is told to come again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_harness::{process::Served, upstream::Upstream};
use serde_json::{Value, json};

/// All at once.
const CALLS: usize = 500;

fn config(upstream: &Upstream, drain: &str) -> String {
    format!(
        r#"
name = "Slow"
auth.mode = "open"
server.drain_timeout = "{drain}"
[sources.slow]
type = "http"
[sources.slow.tools.wait]
description = "Answers when the system behind does."
request = {{ method = "GET", url = "{}/slow" }}
[policy.default]
timeout = "10m"
"#,
        upstream.origin
    )
}

async fn served(config: &str) -> (Served, tempfile::TempDir) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("bridgehead.toml");
    std::fs::write(&path, config).unwrap();
    (Served::start(&path).await, place)
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap()
}

fn call(client: &reqwest::Client, url: &str, id: usize) -> reqwest::RequestBuilder {
    let message =
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "wait", "arguments": {}}});
    client
        .post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(message.to_string())
}

/// The answer's message, from JSON or from the last event of a stream.
fn message(text: &str) -> Value {
    let data = text.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or(text);
    serde_json::from_str(data.trim()).unwrap_or_else(|_| panic!("{text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_running_calls_end_well_and_new_ones_are_refused_politely() {
    let upstream = Upstream::start().await;
    let (served, _place) = served(&config(&upstream, "5m")).await;
    let client = client();
    let mut calls = Vec::new();
    for id in 0..CALLS {
        let call = call(&client, &served.url, id);
        calls.push(tokio::spawn(async move {
            let answer = call.send().await.unwrap();
            let status = answer.status();
            (id, status, answer.text().await.unwrap())
        }));
    }
    upstream.has_seen(CALLS).await;
    // On its way: connected before the end begins, its request sent after.
    let address = served.url.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
    let mut early = tokio::net::TcpStream::connect(&address).await.unwrap();
    served.begin_to_terminate().await;
    served.logged(|line| line.contains("shutting down")).await;

    for _ in 0..3 {
        let refused = call(&client, &served.url, CALLS).send().await.unwrap();
        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "2");
        assert_eq!(refused.headers()["connection"], "close");
        let body: Value = refused.json().await.unwrap();
        assert_eq!(body["error"], "going_down", "{body}");
    }
    let origin = served.url.trim_end_matches("/mcp").to_owned();
    let ready = client.get(format!("{origin}/readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let body: Value = ready.json().await.unwrap();
    assert_eq!(body["checks"]["server"], "going down", "{body}");
    assert_eq!(client.get(format!("{origin}/healthz")).send().await.unwrap().status(), 200);
    {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let request = format!("POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-length: 2\r\n\r\n{{}}");
        early.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        early.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 2"), "{answer}");
    }
    assert_eq!(upstream.count(), CALLS, "what was refused reached nobody");

    upstream.release();
    let mut ended = 0;
    for call in calls {
        let (id, status, text) = call.await.unwrap();
        let message = message(&text);
        assert_eq!((status.as_u16(), &message["id"]), (200, &json!(id)), "{text}");
        assert_eq!(message["result"]["isError"], json!(false), "{text}");
        ended += 1;
    }
    assert_eq!(ended, CALLS);
    served.logged(|line| line.contains("all calls have ended")).await;
    assert_eq!(served.terminate().await, Some(0));
}

#[tokio::test]
async fn what_does_not_end_within_the_limit_is_cut_and_said() {
    let upstream = Upstream::start().await;
    let (served, _place) = served(&config(&upstream, "200ms")).await;
    let running = tokio::spawn(call(&client(), &served.url, 1).send());
    upstream.has_seen(1).await;
    served.begin_to_terminate().await;
    served.logged(|line| line.contains("some calls had not ended within the limit and were cut")).await;
    assert_eq!(served.terminate().await, Some(0));
    let answer = running.await.unwrap().unwrap();
    assert_eq!(answer.status(), 503);
    let message: Value = answer.json().await.unwrap();
    assert_eq!((&message["id"], &message["error"]["code"]), (&json!(1), &json!(-32603)), "{message}");
    assert!(message["error"]["message"].as_str().unwrap().contains("look before you send it again"), "{message}");
}
