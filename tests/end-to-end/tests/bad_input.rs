//! Bad input, each case with the exact answer it gets (T1, A2, D4, D6): over a real socket, with
//! a real database behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_harness::{TestServer, WAREHOUSE_TABLES};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CONFIG: &str = r#"
name = "Stock"
[server]
listen = "127.0.0.1:0"
allowed_origins = ["https://app.example.com"]
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
parameters.sku = { type = "string", description = "Stock keeping unit, e.g. A-1", pattern = "^A-[0-9]+$" }
parameters.least = { type = "integer", description = "At least so many units", minimum = 0, required = false }
[sources.stock.tools.set_units]
description = "Sets the units of one article at one location."
sql = "UPDATE stock SET units = :units WHERE sku = :sku AND location = :location RETURNING units"
parameters.sku = { type = "string", description = "Stock keeping unit" }
parameters.location = { type = "string", description = "Where" }
parameters.units = { type = "integer", description = "Units on hand from now on" }
[sources.stock.tools.long_text]
description = "A long list, for trying limits."
sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) SELECT i, printf('%.*c', 1000, 'x') AS filler FROM n"
parameters.rows = { type = "integer", description = "How many rows of about 1,000 bytes" }
row_limit = 1000
"#;

async fn server() -> TestServer {
    // `least` is declared and used, so that the configuration holds.
    let config = CONFIG.replace("WHERE sku = :sku ORDER", "WHERE sku = :sku AND units >= coalesce(:least, 0) ORDER");
    TestServer::with(&config).file("stock.sql", WAREHOUSE_TABLES).start().await
}

/// What came back.
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.unwrap() }
}

fn call(tool: &str, arguments: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
        .to_string()
}

/// The one error object of a failed call, which stands in the text and in `_meta` alike.
fn tool_error(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let result = answer.json()["result"].clone();
    assert_eq!(result["isError"], true, "{result}");
    assert!(result.get("structuredContent").is_none(), "{result}");
    let in_text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(in_text, result["_meta"]["bridgehead/error"]);
    let members: Vec<_> = in_text.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["code", "message", "retryable", "retry_after_ms", "request_id", "details"]);
    assert_eq!(in_text["request_id"], answer.header("x-request-id"));
    in_text
}

#[tokio::test]
async fn what_is_no_message_gets_an_error_of_json_rpc() {
    let server = server().await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let cases: &[(&str, &str, u16, i64, &str)] = &[
        ("not JSON", "{\"jsonrpc\":", 400, -32700, "not JSON"),
        ("empty body", "", 400, -32700, "not JSON"),
        ("a number", "7", 400, -32600, "object"),
        ("no method", r#"{"jsonrpc":"2.0","id":1}"#, 400, -32600, ""),
        ("wrong JSON-RPC version", r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, 400, -32600, ""),
        ("unknown method", r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#, 200, -32601, "no/such"),
        ("unknown tool", &call("no_such", &json!({})), 200, -32602, "Unknown tool: no_such"),
        (
            "arguments are a list",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"find_stock","arguments":[]}}"#,
            200,
            -32602,
            "tools/call",
        ),
        (
            "tool name is a number",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#,
            200,
            -32602,
            "tools/call",
        ),
        (
            "unknown cursor",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"x"}}"#,
            200,
            -32602,
            "cursor",
        ),
    ];
    for (name, body, status, code, words) in cases {
        let answer = send(server.post().bearer_auth(&key).body((*body).to_owned())).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (*status, &json!(code)),
            "{name}: {}",
            answer.text
        );
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(words), "{name}: {}", answer.text);
        assert_eq!(answer.header("content-type"), "application/json", "{name}");
    }
    server.stop().await;
}

/// D4: a bad argument is named with its path, and the agent can read how to mend it.
#[tokio::test]
async fn a_bad_argument_is_named_with_its_path() {
    let server = server().await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let cases: &[(Value, &[(&str, &str)])] = &[
        (json!({"sku": 7}), &[("/sku", "string")]),
        (json!({}), &[("", "sku is required")]),
        (json!({"sku": "B-1"}), &[("/sku", "A-")]),
        (json!({"sku": "A-1", "colour": "red"}), &[("", "colour")]),
        (json!({"sku": "A-1", "least": -1}), &[("/least", "minimum")]),
        (json!({"sku": "A-1", "least": "many"}), &[("/least", "integer")]),
        (json!({"sku": "A-1'; DROP TABLE stock; --"}), &[("/sku", "A-")]),
        (json!({"sku": null, "least": 1.5}), &[("/sku", "string"), ("/least", "integer")]),
    ];
    for (arguments, expected) in cases {
        let answer = send(server.post().bearer_auth(&key).body(call("find_stock", arguments))).await;
        let error = tool_error(&answer);
        assert_eq!((&error["code"], &error["retryable"]), (&json!("invalid_arguments"), &json!(false)), "{arguments}");
        let faults = error["details"]["faults"].as_array().unwrap();
        for (path, words) in *expected {
            let named = faults.iter().any(|f| f["path"] == *path && f["message"].as_str().unwrap().contains(words));
            assert!(named, "{arguments}: {path} {words} not in {faults:?}");
        }
        assert_eq!(faults.len(), expected.len(), "{arguments}: {faults:?}");
    }
    server.stop().await;
}

/// A2: who is not let in learns why, in the words of a teammate, and nothing that helps to guess.
#[tokio::test]
async fn keys_that_are_not_good() {
    let server = server().await;
    let (_, good) = server.key("alice@example.com", "tools:write", None).await;
    let (_, expiring) = server.key("bob@example.com", "tools:write", Some(server.in_seconds(60))).await;
    let (record, revoked) = server.key("carol@example.com", "tools:write", None).await;
    let ok = send(server.post().bearer_auth(&expiring).body(call("find_stock", &json!({"sku": "A-1"})))).await;
    assert_eq!(ok.json()["result"]["structuredContent"]["rows"][0]["location"], "NORTH", "{}", ok.text);
    server.clock.advance(std::time::Duration::from_secs(61));
    server.revoke(&record).await;
    let mut other = good.clone();
    let last = if other.ends_with('a') { 'b' } else { 'a' };
    other.pop();
    other.push(last);

    let cases: Vec<(&str, Option<String>, u16, &str, &str)> = vec![
        ("no key", None, 401, "Bearer realm=\"Stock\"", "key"),
        ("a key of somebody else's system", Some("Bearer sk-123456".into()), 401, "error=\"invalid_token\"", "key"),
        ("a mistyped key", Some(format!("Bearer {other}")), 401, "error=\"invalid_token\"", "whole"),
        ("an expired key", Some(format!("Bearer {expiring}")), 401, "error=\"invalid_token\"", "expired"),
        ("a revoked key", Some(format!("Bearer {revoked}")), 401, "error=\"invalid_token\"", "revoked"),
        ("a key without its scheme", Some(good.clone()), 400, "error=\"invalid_request\"", "Bearer"),
        ("another scheme", Some("Basic YTpi".into()), 401, "Bearer realm=", "key"),
    ];
    for (name, authorization, status, challenge, words) in cases {
        let mut request = server.post().body(call("find_stock", &json!({"sku": "A-1"})));
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text);
        assert!(answer.header("www-authenticate").contains(challenge), "{name}: {}", answer.header("www-authenticate"));
        assert!(!answer.header("www-authenticate").contains("resource_metadata"), "{name}: no OAuth here");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.to_lowercase().contains(&words.to_lowercase()), "{name}: {message}");
    }
    let bare = send(server.post().body(call("find_stock", &json!({})))).await;
    assert!(!bare.header("www-authenticate").contains("error="), "nothing was presented, so nothing is wrong with it");
    let in_query = format!("{}?key={good}&access_token={good}", server.url);
    let answer = send(server.client().post(in_query).body(call("find_stock", &json!({"sku": "A-1"})))).await;
    assert_eq!(answer.status, 401, "a key in the query is not looked at");
    let twice = server.post().header("authorization", format!("Bearer {good}")).header("authorization", "Bearer x");
    assert_eq!(send(twice.body("{}")).await.status, 400);
    server.stop().await;
}

/// A tool that the key's scopes do not reach is not shown, and calling it is refused.
#[tokio::test]
async fn a_key_that_may_only_read() {
    let server = server().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let (_, listed) = server.rpc("2025-11-25", &key, "tools/list", json!({})).await;
    let names: Vec<_> = listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["find_stock", "long_text"]);
    let answer = send(
        server
            .post()
            .bearer_auth(&key)
            .body(call("set_units", &json!({"sku": "A-1", "location": "NORTH", "units": 0}))),
    )
    .await;
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert!(answer.header("www-authenticate").contains("error=\"insufficient_scope\""));
    assert!(answer.header("www-authenticate").contains("scope=\"tools:read tools:write\""));
    assert_eq!(answer.json()["error"]["data"]["code"], "not_permitted");
    assert_eq!(answer.json()["id"], 7);
    let (_, still) =
        server.rpc("2025-11-25", &key, "tools/call", json!({"name": "find_stock", "arguments": {"sku": "A-1"}})).await;
    assert_eq!(still["result"]["structuredContent"]["rows"][0]["units"], 20, "nothing was changed");
    server.stop().await;
}

/// T1: Host and Origin.
#[tokio::test]
async fn hosts_and_origins_that_are_not_ours() {
    let server = server().await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let port = server.origin.rsplit(':').next().unwrap().to_owned();
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let cases: &[(&str, &str, &str, u16, &str)] = &[
        ("foreign Host", "host", "evil.example.com", 403, "host_not_allowed"),
        ("Host with our name in it", "host", "127.0.0.1.evil.example.com", 403, "host_not_allowed"),
        ("loopback by name", "host", &format!("localhost:{port}"), 200, ""),
        ("foreign Origin", "origin", "https://evil.example.com", 403, "origin_not_allowed"),
        ("opaque Origin", "origin", "null", 403, "origin_not_allowed"),
        ("an Origin of this machine, other port", "origin", "http://localhost:1", 403, "origin_not_allowed"),
        ("an Origin that is no URL", "origin", "evil", 403, "origin_not_allowed"),
        ("own Origin", "origin", &server.origin, 200, ""),
        ("own Origin by name", "origin", &format!("http://localhost:{port}"), 200, ""),
        ("allowed Origin", "origin", "https://app.example.com", 200, ""),
    ];
    for (name, header, value, status, error) in cases {
        let answer = send(server.post().bearer_auth(&key).header(*header, *value).body(list.clone())).await;
        assert_eq!(answer.status, *status, "{name}: {}", answer.text);
        if *status == 403 {
            assert_eq!(answer.json()["error"], *error, "{name}");
            assert!(
                answer.json()["message"].as_str().unwrap().contains("server.allowed_"),
                "{name} says how to mend it"
            );
        }
    }
    let health = server.client().get(format!("{}/healthz", server.origin)).header("host", "10.0.0.7");
    assert_eq!(send(health).await.status, 200, "health is asked by address");
    server.stop().await;
}

#[tokio::test]
async fn a_preflight_is_answered_before_anybody_is_asked_who_they_are() {
    let server = server().await;
    let preflight = |origin: &str| {
        server
            .client()
            .request(reqwest::Method::OPTIONS, &server.url)
            .header("origin", origin.to_owned())
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,mcp-protocol-version")
    };
    let answer = send(preflight("https://app.example.com")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.com");
    assert!(answer.header("access-control-allow-headers").contains("authorization"));
    assert_eq!(send(preflight("https://evil.example.com")).await.status, 403);
    let refused = send(server.post().header("origin", "https://app.example.com").body("{}")).await;
    assert_eq!(refused.status, 401);
    assert!(refused.header("access-control-expose-headers").to_lowercase().contains("www-authenticate"));
    server.stop().await;
}

#[tokio::test]
async fn methods_paths_types_and_sizes() {
    let server = server().await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}).to_string();
    let at = |path: &str| format!("{}{path}", server.origin);

    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let answer = send(server.client().request(method, &server.url).bearer_auth(&key)).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST, OPTIONS"));
    }
    assert_eq!(send(server.client().get(&server.url)).await.status, 401, "who is not signed in learns that first");
    let slashed = server
        .client()
        .post(at("/mcp/"))
        .bearer_auth(&key)
        .header("content-type", "application/json")
        .body(ping.clone());
    assert_eq!(send(slashed).await.json()["result"], json!({}), "with a slash, and with no Accept, directly");
    for path in
        ["/.well-known/oauth-protected-resource", "/.well-known/openid-configuration", "/oauth/token", "/nothing"]
    {
        let answer = send(server.client().get(at(path))).await;
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"), "{path}");
    }
    let text =
        server.client().post(&server.url).bearer_auth(&key).header("content-type", "text/plain").body(ping.clone());
    let answer = send(text).await;
    assert_eq!((answer.status, answer.header("content-type")), (415, "application/json"));
    let html = server
        .client()
        .post(&server.url)
        .bearer_auth(&key)
        .header("content-type", "application/json")
        .header("accept", "text/html");
    assert_eq!(send(html.body(ping.clone())).await.status, 406);
    let version = server.post().bearer_auth(&key).header("mcp-protocol-version", "1999-01-01").body(ping.clone());
    assert_eq!(send(version).await.status, 400);

    let large = send(server.post().bearer_auth(&key).body("x".repeat(5 * 1024 * 1024))).await;
    assert_eq!((large.status, &large.json()["error"]), (413, &json!("body_too_large")));
    let large_unknown = send(server.post().body("x".repeat(5 * 1024 * 1024))).await;
    assert_eq!(large_unknown.status, 401, "a stranger's body is not even read");
    let long_header =
        send(server.post().bearer_auth(&key).header("x-long", "x".repeat(80 * 1024)).body(ping.clone())).await;
    assert_eq!(long_header.status, 431);
    assert_eq!(send(server.post().bearer_auth(&key).body(ping)).await.status, 200, "and the server is as before");
    server.stop().await;
}

/// D6: 300 KB become valid JSON within the limit that says what was left out.
#[tokio::test]
async fn a_result_of_300_kb_is_cut_by_shape() {
    let server = server().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let answer = send(server.post().bearer_auth(&key).body(call("long_text", &json!({"rows": 300})))).await;
    let result = answer.json()["result"].clone();
    assert_ne!(result["isError"], true, "{result}");
    let structured = &result["structuredContent"];
    let size = structured.to_string().len();
    assert!((50_000..=64 * 1024).contains(&size), "{size}");
    let rows = structured["rows"].as_array().unwrap().len();
    assert!(rows > 40 && rows < 66, "{rows}");
    assert!(structured["_omitted"]["next"].as_str().unwrap().len() > 20, "{}", structured["_omitted"]);
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(&text, structured);
    server.stop().await;
}

/// D4: the database fails in ways that an agent can tell apart.
#[tokio::test]
async fn a_database_that_is_locked_or_gone() {
    use sqlx::{ConnectOptions, Executor};
    let server = server().await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    let database = server.directory().join("stock.db");
    let write = call("set_units", &json!({"sku": "A-1", "location": "NORTH", "units": 7}));

    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(&database).connect().await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let error = tool_error(&send(server.post().bearer_auth(&key).body(write.clone())).await);
    assert_eq!((&error["code"], &error["retryable"]), (&json!("upstream_busy"), &json!(true)), "{error}");
    assert!(error["retry_after_ms"].as_u64().unwrap() > 0);
    other.execute("ROLLBACK").await.unwrap();
    let answer = send(server.post().bearer_auth(&key).body(write.clone())).await;
    assert_eq!(answer.json()["result"]["structuredContent"]["rows"], json!([{"units": 7}]), "{}", answer.text);

    let refused = call("set_units", &json!({"sku": "A-1", "location": "NORTH", "units": -1}));
    let error = tool_error(&send(server.post().bearer_auth(&key).body(refused)).await);
    assert_eq!((&error["code"], &error["retryable"]), (&json!("upstream_rejected"), &json!(false)), "{error}");

    let ready = format!("{}/readyz", server.origin);
    assert_eq!(send(server.client().get(&ready)).await.status, 200);
    std::fs::remove_file(&database).unwrap();
    let error = tool_error(&send(server.post().bearer_auth(&key).body(write)).await);
    assert_eq!(error["code"], "upstream_unavailable", "{error}");
    assert!(!error.to_string().contains(database.to_str().unwrap()), "a path is nobody's business: {error}");
    assert!(!database.exists(), "an empty database must not take its place");
    assert_eq!(send(server.client().get(&ready)).await.status, 503);
    server.stop().await;
}

/// A4: who is told to sign in asks for the metadata on the same connection, also where head and body of
/// the first request were sent apart, as Python's clients do.
#[tokio::test]
async fn a_refused_client_can_go_on_with_its_connection() {
    let server = server().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         accept: application/json, text/event-stream\r\ncontent-length: 2\r\n\r\n",
        server.address
    );
    for round in 0..2 {
        stream.write_all(head.as_bytes()).await.unwrap();
        // On this one thread the server has done by then all that it can do without the body.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        stream.write_all(b"{}").await.unwrap();
        let mut answer = vec![0; 16 * 1024];
        let read = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]);
        assert!(answer.starts_with("HTTP/1.1 401 "), "request {round}: {answer:?}");
        assert!(!answer.to_lowercase().contains("connection: close"), "request {round}: {answer:?}");
    }
    server.stop().await;
}
