//! D4, S1: a system behind that is down, slow, resets, answers with web pages, broken JSON, 300 KB,
//! nothing, problems and redirects: the exact result of each, for reads and for calls with effects,
//! and that clients of other people take each without an exception.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::time::Duration;

use bridgehead_end_to_end::sdk::{Sdk, run_sdk};
use bridgehead_harness::{
    TestServer,
    process::Served,
    upstream::{LARGE, Upstream},
};
use serde_json::{Value, json};

/// What a call gets.
#[derive(Debug, Clone)]
enum Gets {
    /// A success; an object may have further members.
    Content(Value),
    /// The error object, but for its request id. `{s}` stands for the source's name.
    Error { code: &'static str, retryable: bool, retry_after_ms: Option<u64>, message: String, details: Value },
}

/// One path of the system behind, called by GET and by POST.
struct Row {
    path: &'static str,
    get: Gets,
    post: Gets,
    /// How many requests reach the system behind, by GET and by POST.
    reach: (usize, usize),
}

const LATER: &str = "Try again later.";
const OPERATOR: &str = "Tell the operator of this server.";
const LOOK: &str = "The call may have taken effect: look at what it should have changed before you call it again.";

fn error(code: &'static str, retryable: bool, message: String, details: Value) -> Gets {
    Gets::Error { code, retryable, retry_after_ms: None, message: format!("`{{s}}` {message}"), details }
}

fn row(path: &'static str, get: Gets, post: Gets) -> Row {
    Row { path, get, post, reach: (1, 1) }
}

/// The same by GET and by POST.
fn both(path: &'static str, gets: Gets) -> Row {
    row(path, gets.clone(), gets)
}

fn after(seconds: u64, gets: Gets) -> Gets {
    match gets {
        Gets::Error { code, message, details, .. } => {
            Gets::Error { code, retryable: true, retry_after_ms: Some(seconds * 1000), message, details }
        }
        content => content,
    }
}

fn rows() -> Vec<Row> {
    let mut rows = transport_rows();
    rows.extend(success_rows());
    rows.extend(status_rows());
    rows.extend(redirect_rows());
    rows
}

/// No answer, or half of one.
fn transport_rows() -> Vec<Row> {
    let lost = |what: &str| {
        let get = error("upstream_connection_lost", true, format!("{what}. {LATER}"), Value::Null);
        let post = error("upstream_connection_lost", false, format!("{what}. {LOOK}"), Value::Null);
        (get, post)
    };
    let (reset_get, reset_post) = lost("broke the connection off before it had answered");
    let (half_get, half_post) = lost("broke the connection off within its answer");
    let down = format!("could not be reached: nobody answers at its address. Nothing was sent. {LATER}");
    vec![
        Row { reach: (0, 0), ..both("down", error("upstream_unavailable", true, down, Value::Null)) },
        row("reset", reset_get, reset_post),
        row("half", half_get, half_post),
    ]
}

/// Answers of 2xx.
fn success_rows() -> Vec<Row> {
    let unreadable = |what: &str, details: Value| {
        let of = |advice: &str| error("upstream_invalid_response", false, format!("{what}. {advice}"), details.clone());
        (of(OPERATOR), of(LOOK))
    };
    let (html_get, html_post) = unreadable(
        "answered with a web page instead of data (HTTP 200): “Sign in”",
        json!({"status": 200, "content_type": "text/html", "text": "Sign in"}),
    );
    let (broken_get, broken_post) = unreadable(
        "answered with broken JSON (HTTP 200): “{\"id\": 7, \"name\":”",
        json!({"status": 200, "content_type": "application/json", "text": "{\"id\": 7, \"name\":"}),
    );
    vec![
        both("ok", Gets::Content(json!({"id": 7, "name": "Mug"}))),
        both("empty", Gets::Content(json!({"status": 204}))),
        both("large", Gets::Content(json!({"_omitted": {}}))),
        row("html", html_get, html_post),
        row("invalid-json", broken_get, broken_post),
    ]
}

/// Answers of 4xx and 5xx.
fn status_rows() -> Vec<Row> {
    let find = "Check the arguments that name it, or list what there is.";
    let not_found = |words: &str, details| {
        let message = format!("does not have what was asked for (HTTP 404 Not Found): “{words}”. {find}");
        error("upstream_not_found", false, message, details)
    };
    let problem = json!({"type": "https://erp.example/no-such-order", "title": "No such order", "status": 404,
        "detail": "There is no order 7.", "instance": "/orders/7"});
    let conflict = "refused, because what is there is in the way (HTTP 409 Conflict): “Out of stock: Only 3 are left”. \
        Read the present state before you decide whether to call again.";
    let conflict_problem = json!({"type": "https://erp.example/out-of-stock", "title": "Out of stock", "status": 409,
        "detail": "Only 3 are left.", "left": 3});
    let failed =
        "reported a failure of its own (HTTP 500 Internal Server Error): “NullPointerException at Order.java:7”.";
    let failed_details = json!({"status": 500, "text": "NullPointerException at Order.java:7"});
    let gateway = json!({"status": 502, "text": "502 Bad Gateway"});
    let gateway_words = "by the gateway in front of it (HTTP 502 Bad Gateway): “502 Bad Gateway”.";
    vec![
        both(
            "missing",
            not_found(
                "There is no order 7",
                json!({"status": 404, "problem": {"error": "no_such_order", "message": "There is no order 7."}}),
            ),
        ),
        both(
            "missing-9457",
            not_found(
                "No such order: There is no order 7",
                json!({"status": 404, "problem": problem, "upstream_request_id": "erp-1"}),
            ),
        ),
        both(
            "conflict",
            error("upstream_conflict", false, conflict.into(), json!({"status": 409, "problem": conflict_problem})),
        ),
        both(
            "too-many",
            after(
                7,
                error(
                    "upstream_rate_limited",
                    true,
                    "wants fewer calls (HTTP 429 Too Many Requests): “Slow down”. Try again in 7 s.".into(),
                    json!({"status": 429, "problem": {"message": "Slow down."}}),
                ),
            ),
        ),
        both(
            "busy",
            after(
                3,
                error(
                    "upstream_busy",
                    true,
                    "is not able to answer for the moment (HTTP 503 Service Unavailable): “maintenance”. Try again in 3 s."
                        .into(),
                    json!({"status": 503, "text": "maintenance"}),
                ),
            ),
        ),
        row(
            "failed",
            error("upstream_failed", true, format!("{failed} {LATER}"), failed_details.clone()),
            error("upstream_failed", false, format!("{failed} {LOOK}"), failed_details),
        ),
        row(
            "html-502",
            error("upstream_busy", true, format!("could not be reached {gateway_words} {LATER}"), gateway.clone()),
            error("upstream_connection_lost", false, format!("was lost {gateway_words} {LOOK}"), gateway),
        ),
        both(
            "unauthorized",
            error(
                "upstream_unauthorized",
                false,
                format!("does not accept the credential (HTTP 401 Unauthorized): “Bad credentials”. {OPERATOR}"),
                json!({"status": 401, "problem": {"message": "Bad credentials"}}),
            ),
        ),
        both(
            "forbidden",
            error(
                "upstream_forbidden",
                false,
                "does not allow this to the credential (HTTP 403 Forbidden): “Not for you”. Ask the operator of this \
                 server for the right to do this, or do something else."
                    .into(),
                json!({"status": 403, "problem": {"message": "Not for you"}}),
            ),
        ),
    ]
}

/// Redirects: another host never sees the call, the own one sees reads again.
fn redirect_rows() -> Vec<Row> {
    let redirected = |host: &str, status: u16, advice: &str| {
        error(
            "upstream_invalid_response",
            false,
            format!("redirects to {host}, which was not followed (HTTP {status}). {advice}"),
            json!({"status": status, "location_host": host}),
        )
    };
    let ok = Gets::Content(json!({"id": 7, "name": "Mug"}));
    vec![
        both("elsewhere", redirected("localhost", 302, OPERATOR)),
        Row { reach: (2, 1), ..row("moved", ok, redirected("127.0.0.1", 307, OPERATOR)) },
    ]
}

/// The paths called here, each with an origin.
fn paths(upstream: &Upstream) -> Vec<(&'static str, &str)> {
    let paths = rows().into_iter().map(|row| row.path).chain(["slow"]);
    paths.map(|path| (path, if path == "down" { upstream.down.as_str() } else { upstream.origin.as_str() })).collect()
}

/// An API in which every path can be read and written.
fn description(upstream: &Upstream) -> String {
    let order = json!({"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}});
    let operation = |method: &str, path: &str| {
        let schema = if path == "large" { json!({"type": "array", "items": order}) } else { order.clone() };
        let mut operation = json!({
            "operationId": format!("{method}_{path}"), "summary": format!("Orders, {path}"),
            "responses": {"200": {"description": "Orders", "content": {"application/json": {"schema": schema}}}},
        });
        if path == "empty" {
            operation["responses"] = json!({"204": {"description": "Done"}});
        }
        if method == "post" {
            let body = json!({"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}});
            operation["requestBody"] = json!({"required": true, "content": {"application/json": {"schema": body}}});
        }
        operation
    };
    let items = paths(upstream).into_iter().map(|(path, origin)| {
        let item = json!({
            "servers": [{"url": origin}], "get": operation("get", path), "post": operation("post", path),
        });
        (format!("/{path}"), item)
    });
    let paths: serde_json::Map<String, Value> = items.collect();
    json!({"openapi": "3.1.0", "info": {"title": "Orders", "version": "1"}, "paths": paths}).to_string()
}

/// Both sources, each with a tool for every path and method.
fn config(upstream: &Upstream) -> String {
    let credential = "credential = { header = \"Authorization\", value = \"Bearer erp-token\" }";
    let mut config = format!(
        "name = \"Orders\"\nserver.listen = \"127.0.0.1:0\"\nauth.mode = \"api_key\"\n\
         [sources.api]\ntype = \"openapi\"\nprefix = \"api\"\nspec = \"orders.json\"\n{credential}\n\
         [sources.web]\ntype = \"http\"\nprefix = \"web\"\n{credential}\n"
    );
    for (path, origin) in paths(upstream) {
        let url = format!("{origin}/{path}");
        config.push_str(&format!(
            "[sources.web.tools.get_{path}]\ndescription = \"Reads.\"\nrequest = {{ url = \"{url}\" }}\n\
             [sources.web.tools.post_{path}]\ndescription = \"Writes.\"\n\
             request = {{ method = \"POST\", url = \"{url}\", json = {{ id = \"{{id}}\" }} }}\n\
             parameters.id = {{ type = \"integer\", description = \"Which one.\" }}\n"
        ));
    }
    config
}

fn arguments(method: &str) -> Value {
    if method == "post" { json!({"id": 7}) } else { json!({}) }
}

async fn server(upstream: &Upstream) -> (TestServer, String) {
    let server = TestServer::with(&config(upstream)).file("orders.json", &description(upstream)).start().await;
    let (_, key) = server.key("alice@example.com", "tools:write", None).await;
    (server, key)
}

async fn call(server: &TestServer, key: &str, tool: &str, method: &str) -> Value {
    let params = json!({"name": tool, "arguments": arguments(method)});
    let (status, answer) = server.rpc("2025-11-25", key, "tools/call", params).await;
    assert_eq!(status, 200, "{tool}: {answer}");
    answer["result"].clone()
}

fn check(what: &str, source: &str, result: &Value, gets: &Gets) {
    match gets {
        Gets::Content(expected) => {
            assert_ne!(result["isError"], true, "{what}: {result}");
            let content = result["structuredContent"].as_object().unwrap_or_else(|| panic!("{what}: {result}"));
            for (member, value) in expected.as_object().unwrap() {
                let there = &content[member];
                assert!(there == value || (value == &json!({}) && there.is_object()), "{what}: {member} is {there}");
            }
        }
        Gets::Error { code, retryable, retry_after_ms, message, details } => {
            assert_eq!(result["isError"], true, "{what}: {result}");
            assert_eq!(result.get("structuredContent"), None, "{what}");
            let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
            assert_eq!(text, result["_meta"]["bridgehead/error"], "{what}");
            let expected = json!({
                "code": code, "message": message.replace("{s}", source), "retryable": retryable,
                "retry_after_ms": retry_after_ms, "request_id": text["request_id"], "details": details,
            });
            assert_eq!(text, expected, "{what}");
            assert!(text["request_id"].as_str().unwrap().len() > 10, "{what}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_one_exact_result() {
    let upstream = Upstream::start().await;
    let (server, key) = server(&upstream).await;
    for row in rows() {
        for source in ["api", "web"] {
            for (method, gets, reach) in [("get", &row.get, row.reach.0), ("post", &row.post, row.reach.1)] {
                let tool = format!("{source}_{method}_{}", row.path);
                let result = call(&server, &key, &tool, method).await;
                check(&tool, source, &result, gets);
                // Nothing is repeated by itself, and what is sent is what was described.
                let requests = upstream.take();
                assert_eq!(requests.len(), reach, "{tool}: {requests:?}");
                for request in &requests {
                    assert_eq!(request.method(), method.to_uppercase(), "{tool}");
                    assert_eq!(request.header("authorization"), Some("Bearer erp-token"), "{tool}");
                    assert_eq!(request.body, if method == "post" { "{\"id\":7}" } else { "" }, "{tool}");
                    assert!(!request.head.contains(&key), "{tool}: a key of ours has left");
                }
                if let Some(first) = requests.first() {
                    assert_eq!(first.path(), format!("/{}", row.path));
                }
            }
        }
    }
    server.stop().await;
}

/// D6: the list is cut by whole elements, and says so.
#[tokio::test]
async fn of_300_kb_arrives_what_fits() {
    let upstream = Upstream::start().await;
    let (server, key) = server(&upstream).await;
    for tool in ["api_get_large", "web_get_large"] {
        let result = call(&server, &key, tool, "get").await;
        let content = &result["structuredContent"];
        let size = content.to_string().len();
        assert!((50_000..=64 * 1024).contains(&size), "{tool}: {size}");
        let kept = content["result"].as_array().unwrap();
        assert_eq!(kept[0], json!({"id": 0, "name": "n".repeat(270)}), "{tool}");
        assert_eq!(kept.last().unwrap()["id"], kept.len() - 1, "{tool}");
        let omitted = &content["_omitted"];
        assert_eq!(omitted["rows"], LARGE - kept.len(), "{tool}: {omitted}");
        assert!(omitted["next"].as_str().unwrap().len() > 20, "{tool}: {omitted}");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_is_slow_is_not_waited_for() {
    let upstream = Upstream::start().await;
    let (server, key) = server(&upstream).await;
    for (number, source) in ["api", "web"].into_iter().enumerate() {
        for (more, method) in ["get", "post"].into_iter().enumerate() {
            let tool = format!("{source}_{method}_slow");
            let waiting = call(&server, &key, &tool, method);
            let move_time = async {
                // When a request has arrived, everybody who waits for its answer has looked at the clock.
                upstream.has_seen(2 * number + more + 1).await;
                server.clock.has_sleepers(2).await;
                server.clock.advance(Duration::from_secs(30));
            };
            let (result, ()) = tokio::join!(waiting, move_time);
            let timed_out = |retryable, message| Gets::Error {
                code: "timed_out",
                retryable,
                retry_after_ms: None,
                message,
                details: Value::Null,
            };
            // The pipeline's time and the request's end in the same moment, and either says so.
            let by_source = "`{s}` did not answer in time. Try again later.";
            let said = result["content"][0]["text"].as_str().unwrap();
            let gets = match method {
                "get" if said.contains("did not answer") => timed_out(true, by_source.to_owned()),
                "get" => timed_out(
                    true,
                    format!("`{tool}` took longer than 30s and was stopped. Ask for less, or try again later."),
                ),
                _ => timed_out(
                    false,
                    format!(
                        "`{tool}` took longer than 30s. It was not stopped and may still take effect: look at what it \
                         should have changed before you call it again."
                    ),
                ),
            };
            check(&tool, source, &result, &gets);
        }
    }
    upstream.release();
    let result = call(&server, &key, "api_get_slow", "get").await;
    check("released", "api", &result, &Gets::Content(json!({"id": 7})));
    server.stop().await;
}

/// The same tools through the SDKs of other people: no exception in the client, whatever stands
/// behind.
#[tokio::test]
async fn the_sdks_take_every_failure() {
    let upstream = Upstream::start().await;
    let place = tempfile::tempdir().unwrap();
    let slow = ["api.get_slow", "api.post_slow", "web.get_slow", "web.post_slow"];
    let policies: String = slow.iter().map(|tool| format!("[policy.\"{tool}\"]\ntimeout = \"300ms\"\n")).collect();
    std::fs::write(place.path().join("orders.json"), description(&upstream)).unwrap();
    std::fs::write(place.path().join("bridgehead.toml"), config(&upstream) + &policies).unwrap();
    let served = Served::start(&place.path().join("bridgehead.toml")).await;
    let mut calls = Vec::new();
    for source in ["api", "web"] {
        for (path, method, gets) in
            rows().into_iter().flat_map(|row| [(row.path, "get", row.get), (row.path, "post", row.post)])
        {
            let tool = format!("{source}_{method}_{path}");
            calls.push(match gets {
                Gets::Content(content) => json!({"tool": tool, "arguments": arguments(method),
                    "expect_structured": content, "expect_error_code": null}),
                Gets::Error { code, .. } => json!({"tool": tool, "arguments": arguments(method),
                    "expect_structured": null, "expect_error_code": code}),
            });
        }
        for method in ["get", "post"] {
            calls.push(json!({"tool": format!("{source}_{method}_slow"), "arguments": arguments(method),
                "expect_structured": null, "expect_error_code": "timed_out"}));
        }
    }
    let plan =
        json!({"list_contains": ["api_get_down", "web_post_slow"], "calls": calls, "unknown_tool": "no_such_tool"});
    for (sdk, revision) in [
        (Sdk::TypescriptV1, "2025-11-25"),
        (Sdk::TypescriptV2, "2025-11-25"),
        (Sdk::TypescriptV2, "2026-07-28"),
        (Sdk::Python, "2025-11-25"),
        (Sdk::Python, "2026-07-28"),
    ] {
        let output = run_sdk(sdk, place.path(), &served, revision, &plan).await;
        let complained = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{sdk:?} {revision}\n{complained}");
        let said = String::from_utf8_lossy(&output.stdout);
        let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        assert!(report["checks"].as_u64().unwrap() as usize > 3 * calls.len(), "{report}");
    }
    upstream.release();
    assert_eq!(served.terminate().await, Some(0));
}
