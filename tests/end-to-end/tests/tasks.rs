//! Calls that take long, as tasks (D5; MCP 2026-07-28, SEP-2663): from any replica, for their caller alone, and
//! with a real client that has them.
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
use bridgehead_core::{Call, CallError, Notification, Outcome, Source, ToolSpec, catalog::NamedSource};
use bridgehead_end_to_end::sdk::installed;
use bridgehead_harness::{Replica, TestServer, postgres::Database, process::Served, upstream::Upstream};
use serde_json::{Value, json};
use tokio::{process::Command, sync::Notify};

const REVISION: &str = "2026-07-28";

/// A read and a call with effects that wait until the system behind is told to go on.
fn tools(upstream: &Upstream) -> String {
    let url = format!("{}/slow", upstream.origin);
    format!(
        r#"
[sources.slow]
type = "http"
[sources.slow.tools.look]
description = "Answers when the system behind does."
request = {{ method = "GET", url = "{url}" }}
[sources.slow.tools.order]
description = "Orders when the system behind does."
request = {{ method = "POST", url = "{url}" }}
[policy.default]
timeout = "10m"
"#
    )
}

async fn task(replica: &Replica, key: &str, method: &str, id: &str) -> Value {
    replica.rpc_with_tasks(key, method, json!({"taskId": id})).await
}

/// A call that has reached the system behind, and is a task after half a second.
async fn begun(server: &TestServer, upstream: &Upstream, key: &str, tool: &str) -> String {
    let before = upstream.count();
    let time_goes_by = async {
        upstream.has_seen(before + 1).await;
        server.clock.advance(Duration::from_secs(1));
    };
    let called = server.rpc_with_tasks(key, "tools/call", json!({"name": tool, "arguments": {}}));
    let (answer, ()) = tokio::join!(called, time_goes_by);
    let created = &answer["result"];
    assert_eq!((&created["resultType"], &created["status"]), (&json!("task"), &json!("working")), "{answer}");
    assert_eq!(created["createdAt"], created["lastUpdatedAt"], "{answer}");
    // A day, and the half minute that a claim holds without being renewed.
    assert_eq!((&created["ttlMs"], &created["pollIntervalMs"]), (&json!(86_430_000), &json!(2000)), "{answer}");
    created["taskId"].as_str().unwrap().to_owned()
}

/// What is known of a task once it does not go on any more.
async fn ended(replica: &Replica, key: &str, id: &str) -> Value {
    loop {
        let answer = task(replica, key, "tasks/get", id).await;
        if answer["result"]["status"] != "working" {
            return answer["result"].clone();
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_is_known_to_every_replica_and_to_its_caller_alone() {
    let (upstream, database) = (Upstream::start().await, Database::empty().await);
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"api_key\"\n[store]\nurl = \"{}\"\n[secrets]\n\
         keys = [\"file:bridgehead.keys\"]\n{}",
        database.url(),
        tools(&upstream)
    );
    let here = TestServer::with(&config).start().await;
    let there = here.replica().await;
    let (_, alice) = here.key("alice@example.com", "tools:read tools:write", None).await;
    let (_, bob) = here.key("bob@example.com", "tools:read tools:write", None).await;

    let look = begun(&here, &upstream, &alice, "look").await;
    let order = begun(&here, &upstream, &alice, "order").await;
    for id in [&look, &order] {
        for replica in [&*here, &there] {
            let answer = task(replica, &alice, "tasks/get", id).await;
            assert_eq!(answer["result"]["status"], "working", "{answer}");
            assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        }
    }

    // Another's is as unknown as one that never was, whatever is asked of it.
    for method in ["tasks/get", "tasks/cancel"] {
        let strange = [task(&there, &bob, method, &look).await, task(&there, &alice, method, &"0".repeat(64)).await];
        assert_eq!(strange[0]["error"]["code"], -32602, "{strange:?}");
        assert_eq!(strange[0], strange[1]);
    }
    let updated = there.rpc_with_tasks(&alice, "tasks/update", json!({"taskId": look, "inputResponses": {}})).await;
    assert_eq!(updated["result"], json!({"resultType": "complete"}), "no task asks for anything");

    // A read stops; a call with effects was sent, and cannot be called back.
    for id in [&look, &order] {
        let stopped = task(&there, &alice, "tasks/cancel", id).await;
        assert_eq!(stopped["result"], json!({"resultType": "complete"}));
    }
    assert_eq!(ended(&here, &alice, &look).await["status"], "cancelled");
    let going_on = task(&there, &alice, "tasks/get", &order).await;
    assert_eq!(going_on["result"]["status"], "working", "{going_on}");
    assert!(going_on["result"]["statusMessage"].as_str().unwrap().contains("cannot be called back"), "{going_on}");
    upstream.release();
    let ordered = ended(&there, &alice, &order).await;
    assert_eq!((&ordered["status"], &ordered["result"]["isError"]), (&json!("completed"), &json!(false)), "{ordered}");
    assert_eq!(upstream.count(), 2, "nothing was sent twice");

    // The same call, fetched by its handle, as clients without tasks do.
    let fetch = json!({"name": "bridgehead_result", "arguments": {"handle": order}});
    let (_, fetched) = there.rpc(REVISION, &alice, "tools/call", fetch).await;
    assert_eq!(fetched["result"]["structuredContent"], ordered["result"]["structuredContent"], "{fetched}");
    there.stop().await;
    here.stop().await;
}

#[tokio::test]
async fn tasks_are_for_clients_that_have_them() {
    let upstream = Upstream::start().await;
    let front = "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"api_key\"\n[store]\nurl = \"memory:\"\n";
    let server = TestServer::with(&format!("{front}{}", tools(&upstream))).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;

    let (_, discovered) = server.rpc(REVISION, &key, "server/discover", json!({})).await;
    let extensions = &discovered["result"]["capabilities"]["extensions"];
    assert_eq!(*extensions, json!({"io.modelcontextprotocol/tasks": {}}), "{discovered}");
    let hello =
        json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let (_, initialized) = server.rpc("2025-11-25", &key, "initialize", hello).await;
    assert_eq!(initialized["result"]["capabilities"].get("extensions"), None, "{initialized}");
    assert!(initialized["result"]["capabilities"]["tools"].is_object(), "{initialized}");

    for method in ["tasks/get", "tasks/cancel"] {
        let (_, refused) = server.rpc(REVISION, &key, method, json!({"taskId": "0".repeat(64)})).await;
        assert_eq!(refused["error"]["code"], -32021, "its client has not said that it has tasks: {refused}");
    }

    // Without tasks: waited for, and then a handle.
    let patience = async {
        upstream.has_seen(1).await;
        server.clock.advance(Duration::from_secs(45));
    };
    let called = server.rpc(REVISION, &key, "tools/call", json!({"name": "look", "arguments": {}}));
    let ((_, answer), ()) = tokio::join!(called, patience);
    assert!(answer["result"]["structuredContent"]["_running"]["handle"].is_string(), "{answer}");
    upstream.release();
    server.stop().await;

    // Where no call takes long there are no tasks.
    let short = TestServer::with(&format!("{front}{}", tools(&upstream).replace("10m", "30s"))).start().await;
    let (_, key) = short.key("alice@example.com", "tools:read", None).await;
    let (_, discovered) = short.rpc(REVISION, &key, "server/discover", json!({})).await;
    assert_eq!(discovered["result"]["capabilities"].get("extensions"), None, "{discovered}");
    let refused = task(&short, &key, "tasks/get", &"0".repeat(64)).await;
    assert_eq!(refused["error"]["code"], -32601, "{refused}");
    short.stop().await;
}

/// Work that says how far it is to whoever called.
#[derive(Default)]
struct Telling {
    started: Notify,
    go_on: Notify,
}

#[async_trait]
impl Source for Telling {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        vec![ToolSpec::new("tell", "Says how far it is.")]
    }

    async fn call(&self, _: &str, call: &Call) -> Result<Outcome, CallError> {
        self.started.notify_one();
        self.go_on.notified().await;
        for step in 0..1000 {
            call.notify.notify(Notification::Progress { progress: f64::from(step), total: None, message: None }).await;
        }
        Ok(Outcome::text("done"))
    }
}

/// Tasks have no progress (SEP-2663), and work that tells of it is not held up when its client has the task already.
#[tokio::test]
async fn progress_of_a_task_is_for_nobody_and_holds_nothing_up() {
    let telling = Arc::new(Telling::default());
    let source = NamedSource { name: "own".into(), prefix: String::new(), source: telling.clone() };
    let config = "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"api_key\"\n[store]\nurl = \"memory:\"\n\
                  [policy.default]\ntimeout = \"10m\"\n";
    let server = TestServer::with(config).source(source).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let call = json!({"name": "tell", "arguments": {}, "_meta": {"progressToken": "p"}});
    let time_goes_by = async {
        telling.started.notified().await;
        server.clock.advance(Duration::from_secs(1));
    };
    let (created, ()) = tokio::join!(server.rpc_with_tasks(&key, "tools/call", call), time_goes_by);
    assert_eq!(created["result"]["resultType"], "task", "{created}");
    telling.go_on.notify_one();
    let ended = ended(&server, &key, created["result"]["taskId"].as_str().unwrap()).await;
    assert_eq!(ended["result"]["content"][0]["text"], "done", "{ended}");
    server.stop().await;
}

async fn typescript(served: &Served, key: &str, verb: &str, argument: &str) -> Value {
    let clients = installed("E2E_CLIENTS_DIR");
    let output = Command::new("node")
        .arg(clients.join("tasks_typescript.mjs"))
        .args([verb, argument])
        .env("BRIDGEHEAD_URL", &served.url)
        .env("BRIDGEHEAD_KEY", key)
        .output()
        .await
        .expect("the script runs");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{verb} {argument}\n{said}\n{complained}");
    serde_json::from_str(said.lines().last().unwrap()).unwrap()
}

/// The server that made a task is killed before its client has the result: another process on the same store has it.
#[tokio::test]
async fn a_real_client_gets_the_result_after_its_server_was_killed() {
    let (upstream, place) = (Upstream::start().await, tempfile::tempdir().unwrap());
    let path = place.path().join("bridgehead.toml");
    let front = "auth.mode = \"api_key\"\n[store]\nurl = \"sqlite:bridgehead.db\"\n";
    std::fs::write(&path, format!("{front}{}", tools(&upstream))).unwrap();
    let dying = Served::start(&path).await;
    let key = dying.key.clone().unwrap();
    let living = Served::start(&path).await;

    let stopped = typescript(&dying, &key, "begin", "look").await;
    let cancelled = typescript(&living, &key, "cancel", &stopped.to_string()).await;
    assert_eq!(cancelled["status"], "cancelled");

    let reference = typescript(&dying, &key, "begin", "order").await;
    assert_eq!(reference["generation"], "v2", "{reference}");
    upstream.release();
    let here = typescript(&dying, &key, "settle", &reference.to_string()).await;
    dying.kill().await;
    let there = typescript(&living, &key, "settle", &reference.to_string()).await;
    for outcome in [&here, &there] {
        assert_eq!(
            (&outcome["status"], &outcome["result"]["isError"]),
            (&json!("completed"), &json!(false)),
            "{outcome}"
        );
    }
    assert_eq!(here["result"]["structuredContent"], there["result"]["structuredContent"]);
    assert_eq!(upstream.count(), 2, "nothing was sent again");
    living.terminate().await;
}
