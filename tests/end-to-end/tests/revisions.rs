//! T2: four revisions on one URL, no session affinity, streams only where something streams.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_core::{
    Call, CallError, Effect, LogLevel, Notification, Outcome, Source, ToolSpec, catalog::NamedSource,
};
use bridgehead_harness::{TestServer, WAREHOUSE_TABLES};
use serde_json::{Value, json};
use tokio::sync::Notify;

const REVISIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

const CONFIG: &str = r#"
name = "Stock"
[server]
listen = "127.0.0.1:0"
[auth]
mode = "api_key"
[store]
url = "sqlite:bridgehead.db"
[sources.stock]
type = "sql"
url = "sqlite:stock.db"
seed = "stock.sql"
[sources.stock.tools.find_stock]
description = "Units of one article on hand, per location."
sql = "SELECT location, units FROM stock WHERE sku = :sku ORDER BY location"
parameters.sku = { type = "string", description = "Stock keeping unit" }
[sources.stock.tools.set_units]
description = "Sets the units of one article at one location."
sql = "UPDATE stock SET units = :units WHERE sku = :sku AND location = 'NORTH'"
parameters.sku = { type = "string", description = "Stock keeping unit" }
parameters.units = { type = "integer", description = "Units on hand from now on" }
"#;

/// A source whose one tool ends when it is told to.
#[derive(Default)]
struct Slow {
    started: Notify,
    go_on: Notify,
}

#[async_trait]
impl Source for Slow {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        let mut write = ToolSpec::new("slow_write", "Ends when it is told to, and must not be stopped.");
        write.effect = Effect::Write;
        vec![ToolSpec::new("slow", "Ends when it is told to."), ToolSpec::new("talks", "Says how far it is."), write]
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        if tool == "talks" {
            for step in [1.0, 2.0] {
                let message = Some(format!("step {step}"));
                call.notify.notify(Notification::Progress { progress: step, total: Some(2.0), message }).await;
            }
            call.notify.notify(Notification::Log { level: LogLevel::Info, logger: None, data: "said".into() }).await;
            return Ok(Outcome::text("done"));
        }
        self.started.notify_one();
        self.go_on.notified().await;
        Ok(Outcome::text("at last"))
    }
}

async fn server_with(slow: Arc<Slow>) -> TestServer {
    let source = NamedSource { name: "test".into(), prefix: String::new(), source: slow };
    TestServer::with(CONFIG).file("stock.sql", WAREHOUSE_TABLES).source(source).start().await
}

#[tokio::test]
async fn each_revision_initialises_lists_and_calls() {
    let server = server_with(Arc::default()).await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    for revision in REVISIONS {
        if revision == "2026-07-28" {
            let (status, discovered) = server.rpc(revision, &key, "server/discover", json!({})).await;
            assert_eq!(status, 200, "{discovered}");
            let supported = discovered["result"]["supportedVersions"].as_array().unwrap();
            REVISIONS.iter().for_each(|revision| assert!(supported.contains(&json!(revision)), "{supported:?}"));
        } else {
            let hello =
                json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
            let (status, hello) = server.rpc(revision, &key, "initialize", hello).await;
            assert_eq!((status, &hello["result"]["protocolVersion"]), (200, &json!(revision)), "{hello}");
            assert_eq!(hello["result"]["serverInfo"]["name"], "Stock");
        }
        let (status, listed) = server.rpc(revision, &key, "tools/list", json!({})).await;
        assert_eq!(
            (status, listed["result"]["tools"][0]["name"].as_str()),
            (200, Some("find_stock")),
            "{revision}: {listed}"
        );
        let cacheable = revision == "2026-07-28";
        assert_eq!(listed["result"].get("ttlMs").is_some(), cacheable, "{revision}");
        assert_eq!(listed["result"].get("cacheScope").is_some_and(|scope| scope == "private"), cacheable, "{revision}");
        let call = json!({"name": "find_stock", "arguments": {"sku": "A-1"}});
        let (_, called) = server.rpc(revision, &key, "tools/call", call).await;
        assert_eq!(
            called["result"]["structuredContent"]["rows"][1],
            json!({"location": "SOUTH", "units": 5}),
            "{revision}: {called}"
        );
        assert_eq!(called["result"].get("resultType").is_some(), cacheable, "{revision}: {called}");
    }
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_revision_is_answered_with_one_that_is_known() {
    let server = server_with(Arc::default()).await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let answer = server.post().bearer_auth(&key).body(hello.to_string()).send().await.unwrap();
    let session = answer.headers().get("mcp-session-id").cloned();
    let hello: Value = answer.json().await.unwrap();
    assert_eq!(hello["result"]["protocolVersion"], "2025-11-25", "{hello}");
    assert!(session.is_some_and(|id| id.as_bytes().iter().all(|b| (0x21..=0x7e).contains(b))));
    server.stop().await;
}

/// Two servers on the same store answer interleaved requests of one client, in each revision.
#[tokio::test]
async fn any_replica_answers_any_request() {
    let server = server_with(Arc::default()).await;
    let other = server.replica().await;
    let (record, key) = server.key("alice@example.com", "tools:write", None).await;
    for (round, revision) in REVISIONS.into_iter().enumerate() {
        if revision != "2026-07-28" {
            let hello =
                json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
            assert_eq!(server.rpc(revision, &key, "initialize", hello).await.0, 200);
            let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
            let answer = other
                .post()
                .bearer_auth(&key)
                .header("mcp-session-id", "made-elsewhere")
                .body(initialized)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status().as_u16(), 202);
        }
        for turn in 0..6 {
            let (writes, reads) = if turn % 2 == 0 { (&*server, &other) } else { (&other, &*server) };
            let units = round * 10 + turn;
            let write = json!({"name": "set_units", "arguments": {"sku": "A-1", "units": units}});
            let (_, written) = writes.rpc(revision, &key, "tools/call", write).await;
            assert_eq!(written["result"]["structuredContent"]["affected"], 1, "{written}");
            let (_, listed) = reads.rpc(revision, &key, "tools/list", json!({})).await;
            assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 5);
            let read = json!({"name": "find_stock", "arguments": {"sku": "A-1"}});
            let (_, read) = reads.rpc(revision, &key, "tools/call", read).await;
            assert_eq!(read["result"]["structuredContent"]["rows"][0]["units"], units, "{revision}: {read}");
        }
    }
    other.revoke(&record).await;
    assert_eq!(
        server.rpc("2025-11-25", &key, "ping", json!({})).await.0,
        401,
        "revoked on one replica, refused on the other"
    );
    other.stop().await;
    server.stop().await;
}

/// JSON where nothing streams; an event stream with progress where it was asked for.
#[tokio::test]
async fn progress_streams_and_everything_else_is_json() {
    let server = server_with(Arc::default()).await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let talk = |meta: Value| {
        let call =
            json!({"jsonrpc": "2.0", "id": "c-1", "method": "tools/call", "params": {"name": "talks", "_meta": meta}});
        server.post().bearer_auth(&key).header("mcp-protocol-version", "2025-11-25").body(call.to_string()).send()
    };
    let answer = talk(json!({"progressToken": "p-1"})).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let text = answer.text().await.unwrap();
    let messages: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect();
    let progress: Vec<_> =
        messages.iter().filter(|m| m["method"] == "notifications/progress").map(|m| m["params"].clone()).collect();
    assert_eq!(
        progress[1],
        json!({"progressToken": "p-1", "progress": 2.0, "total": 2.0, "message": "step 2"}),
        "{text}"
    );
    assert_eq!(messages.last().unwrap()["result"]["content"][0]["text"], "done");
    assert_eq!(messages.last().unwrap()["id"], "c-1");

    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"}).to_string();
    let answer = server.post().bearer_auth(&key).body(ping).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/json");
    server.stop().await;
}

/// A call that runs beyond ten seconds becomes a stream, whose first bytes come at once.
#[tokio::test]
async fn a_long_call_becomes_a_stream() {
    let slow = Arc::new(Slow::default());
    let server = server_with(slow.clone()).await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let call = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "slow"}}).to_string();
    let sent = tokio::spawn(server.post().bearer_auth(&key).body(call).send());
    slow.started.notified().await;
    // Three wait: the call's deadline, the late stream, and the body's time limit is over by now.
    server.clock.has_sleepers(2).await;
    server.clock.advance(Duration::from_secs(11));
    let mut answer = sent.await.unwrap().unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b":"), "{first:?}");
    slow.go_on.notify_one();
    let mut rest = Vec::new();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        rest.extend_from_slice(&chunk);
    }
    let rest = String::from_utf8(rest).unwrap();
    let data = rest.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let message: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&message["id"], &message["result"]["content"][0]["text"]), (&json!(9), &json!("at last")));
    server.stop().await;
}

/// The tool's time-out ends the call with an error that says whether a retry makes sense.
#[tokio::test]
async fn a_call_that_takes_too_long_is_ended() {
    let slow = Arc::new(Slow::default());
    let server = server_with(slow.clone()).await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    for (tool, retryable) in [("slow", true), ("slow_write", false)] {
        let call = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": tool}}).to_string();
        let sent = tokio::spawn(server.post().bearer_auth(&key).body(call).send());
        slow.started.notified().await;
        server.clock.has_sleepers(2).await;
        server.clock.advance(Duration::from_secs(31));
        let text = sent.await.unwrap().unwrap().text().await.unwrap();
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&text);
        let message: Value = serde_json::from_str(data).unwrap();
        let error = &message["result"]["_meta"]["bridgehead/error"];
        assert_eq!(
            (&error["code"], &error["retryable"]),
            (&json!("timed_out"), &json!(retryable)),
            "{tool}: {message}"
        );
    }
    // The write goes on without its client; let it end, so that the server can.
    slow.go_on.notify_one();
    server.stop().await;
}

/// H1: at shutdown running calls end, and what comes after is refused.
#[tokio::test]
async fn a_running_call_is_not_cut_at_shutdown() {
    let slow = Arc::new(Slow::default());
    let server = server_with(slow.clone()).await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let call = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "slow"}}).to_string();
    let sent = tokio::spawn(server.post().bearer_auth(&key).body(call).send());
    slow.started.notified().await;
    server.begin_stop();
    // New connections are taken meanwhile, and told.
    while server.client().get(format!("{}/readyz", server.origin)).send().await.unwrap().status() != 503 {
        tokio::task::yield_now().await;
    }
    slow.go_on.notify_one();
    let answer: Value = sent.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["result"]["content"][0]["text"], "at last");
    server.stop().await;
}

/// Revision 2025-03-26 has batches, the later ones have not.
#[tokio::test]
async fn batches_where_the_revision_has_them() {
    let server = server_with(Arc::default()).await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let batch = json!([
        {"jsonrpc": "2.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "find_stock", "arguments": {"sku": "A-1"}}},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "no_such"}},
    ]);
    let send = |revision: &str, batch: &Value| {
        server
            .post()
            .bearer_auth(&key)
            .header("mcp-protocol-version", revision.to_owned())
            .body(batch.to_string())
            .send()
    };
    let answers: Value = send("2025-03-26", &batch).await.unwrap().json().await.unwrap();
    let ids: Vec<_> = answers.as_array().unwrap().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(ids, [1, 2, 3]);
    assert_eq!(answers[1]["result"]["structuredContent"]["rows"][0]["units"], 20);
    assert_eq!(answers[2]["error"]["code"], -32602);
    assert_eq!(send("2025-06-18", &batch).await.unwrap().status().as_u16(), 400);
    let write = json!([{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "set_units", "arguments": {"sku": "A-1", "units": 1}}}]);
    assert_eq!(send("2025-03-26", &write).await.unwrap().status().as_u16(), 403, "a batch is no way around the gate");
    server.stop().await;
}
