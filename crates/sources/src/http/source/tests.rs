//! A tool over a real socket: what reaches the system behind, and what comes of each of its answers.

use std::time::Duration;

use bridgehead_core::{Caller, Effect, Refusal, Secret, SystemClock, UpstreamCode, UpstreamFailure};
use bridgehead_outbound::{Limits, Net};
use serde_json::{Map, Value, json};

use super::*;
use crate::{
    http::{
        BodySettings, Credential, HttpToolSettings, Place, Presentation, RequestSettings,
        testing::{End, TestClock, Upstream, call, caller},
    },
    parameter::Parameter,
};

mod checks;

fn parameter(name: &str, schema: &Value, required: bool) -> Parameter {
    Parameter { name: name.into(), schema: schema.as_object().unwrap().clone(), required }
}

/// A tool with these parameters: required, unless the name ends with `?`.
fn tool(request: RequestSettings, parameters: &[(&str, Value)]) -> HttpToolSettings {
    let mut tool = HttpToolSettings::new("tool", "Does it.", request);
    let declared =
        parameters.iter().map(|(name, schema)| parameter(name.trim_end_matches('?'), schema, !name.ends_with('?')));
    tool.parameters = declared.collect();
    tool
}

fn settings(tool: HttpToolSettings, credential: Credential) -> HttpSettings {
    HttpSettings { name: "erp".into(), credential, tools: vec![tool], secrets: Vec::new() }
}

fn open(settings: HttpSettings, clock: Arc<dyn Clock>) -> HttpSource {
    let client = Client::configured(Net::system(clock.clone()), Limits::CONFIGURED);
    HttpSource::open(settings, client, clock).map_err(|faults| panic!("{faults:?}")).unwrap()
}

fn source(tool: HttpToolSettings) -> HttpSource {
    open(settings(tool, Credential::None), Arc::new(SystemClock))
}

async fn run(source: &HttpSource, arguments: Value) -> Result<Map<String, Value>, CallError> {
    Ok(source.call("tool", &call(caller(&[("x-a", "b")]), &arguments)).await?.structured.unwrap())
}

fn failure(error: CallError) -> UpstreamFailure {
    match error {
        CallError::Upstream(failure) => *failure,
        other => panic!("{other:?}"),
    }
}

/// S5: interface.md's own example.
#[tokio::test]
async fn one_request_from_the_configuration() {
    let mut upstream = Upstream::answers("201 Created", "content-type: application/json", "{\"id\":7}");
    let mut request = RequestSettings::new("POST", upstream.url("/orders/{sku}/lines?channel={channel}&fixed=1"));
    request.query = vec![
        ("tag".into(), json!("{tags}")),
        ("note".into(), json!("{note}")),
        ("both".into(), json!(["a", "{sku}"])),
        ("page".into(), json!(2)),
    ];
    request.headers = vec![
        ("X-Note".into(), Secret::new("note {note}".into())),
        ("X-Sku".into(), Secret::new("sku {sku}".into())),
        ("X-Static".into(), Secret::new("{{s}}".into())),
    ];
    request.body = Some(BodySettings::Json(
        json!({"sku": "{sku}", "units": "{units}", "note": "{note}", "text": "{units} × {sku}"}),
    ));
    let string = || json!({"type": "string"});
    let tool = tool(
        request,
        &[
            ("sku", string()),
            ("units", json!({"type": "integer"})),
            ("channel", json!({"type": "string", "default": "agent"})),
            ("note?", string()),
            ("tags?", json!({"type": "array", "items": {"type": "string"}})),
        ],
    );
    let source = source(tool);
    let spec = source.tools().remove(0);
    assert_eq!((spec.effect, spec.idempotent), (Effect::Write, false));
    assert_eq!(spec.input_schema["required"], json!(["sku", "units"]));
    assert_eq!(spec.input_schema["properties"]["note"], json!({"type": ["string", "null"]}));

    let arguments = json!({"sku": "A/1&?", "units": 3.0, "tags": ["x", "y z"]});
    assert_eq!(Value::Object(run(&source, arguments).await.unwrap()), json!({"id": 7}));
    let seen = upstream.seen().await;
    let first = seen.lines().next().unwrap();
    assert_eq!(
        first,
        "POST /orders/A%2F1%26%3F/lines?channel=agent&fixed=1&tag=x&tag=y%20z&both=a&both=A%2F1%26%3F&page=2 HTTP/1.1"
    );
    assert!(seen.contains("\r\nx-sku: sku A/1&?\r\n") && seen.contains("\r\nx-static: {s}\r\n"), "{seen}");
    assert!(
        !seen.contains("x-note") && !seen.contains("x-a:") && seen.contains("\r\ncontent-type: application/json\r\n")
    );
    assert!(seen.ends_with(r#"{"sku":"A/1&?","units":3,"text":"3 × A/1&?"}"#), "{seen}");
}

#[tokio::test]
async fn forms_and_texts() {
    let mut upstream = Upstream::answers("200 OK", "", "");
    let string = json!({"type": "string"});
    for (body, media_type, sent) in [
        (
            BodySettings::Form(vec![("a".into(), json!("{a}")), ("b".into(), json!(["{a}", "{b}"]))]),
            "application/x-www-form-urlencoded",
            "a=x%26y&b=x%26y",
        ),
        (BodySettings::Text("<{a}> [{b}]".into()), "text/plain; charset=utf-8", "<x&y> []"),
    ] {
        let mut request = RequestSettings::new("PUT", upstream.url("/"));
        request.body = Some(body);
        let source = source(tool(request, &[("a", string.clone()), ("b?", string.clone())]));
        assert_eq!(Value::Object(run(&source, json!({"a": "x&y"})).await.unwrap()), json!({"status": 200}));
        let seen = upstream.seen().await;
        assert!(seen.contains(&format!("content-type: {media_type}\r\n")) && seen.ends_with(sent), "{seen}");
    }
}

/// Values that cannot stand in their place are the caller's fault, and nothing is sent.
#[tokio::test]
async fn what_cannot_be_sent_is_refused() {
    let mut upstream = Upstream::answers("200 OK", "", "");
    let mut request = RequestSettings::new("GET", upstream.url("/orders/{id}/lines/{day}"));
    request.headers = vec![("X-Trace".into(), Secret::new("{trace}".into()))];
    let string = json!({"type": "string"});
    let day = json!({"type": "string", "format": "date"});
    let source = source(tool(request, &[("id", string.clone()), ("trace?", string), ("day", day)]));
    for (arguments, path) in [
        (json!({"id": "..", "day": "2026-11-20"}), "/id"),
        (json!({"id": "", "day": "2026-11-20"}), "/id"),
        (json!({"id": "7", "day": "2026-11-20", "trace": "a\r\nX-Admin: 1"}), "/trace"),
        (json!({"id": "7", "day": "20.11.2026"}), "/day"),
    ] {
        match run(&source, arguments.clone()).await.unwrap_err() {
            CallError::Refused(Refusal::InvalidArguments(faults)) => assert_eq!(faults[0].path, path, "{faults:?}"),
            other => panic!("{arguments}: {other:?}"),
        }
    }
    assert!(!upstream.saw_more());
    run(&source, json!({"id": "7", "day": "2026-11-20", "trace": null})).await.unwrap();
    assert!(upstream.seen().await.starts_with("GET /orders/7/lines/2026-11-20 HTTP/1.1\r\n"));
}

/// Issue 3: the exact result of each answer, for a read and for a write.
#[tokio::test]
async fn each_answer_has_its_result() {
    let json_type = "content-type: application/json";
    let large = format!("[{}]", vec!["\"0123456789\""; 25_000].join(","));
    let location = "location: https://login.example/?t=s3cret";
    let problem = "content-type: application/problem+json\r\nretry-after: 3";
    for (status, header, body, read, write) in [
        ("200 OK", json_type, "{\"ok\":true}", "", ""),
        ("204 No Content", "", "", "", ""),
        ("200 OK", json_type, large.as_str(), "", ""),
        (
            "200 OK",
            "content-type: text/html",
            "<title>Sign in</title>",
            "upstream_invalid_response",
            "upstream_invalid_response",
        ),
        ("200 OK", json_type, "{\"ok\":", "upstream_invalid_response", "upstream_invalid_response"),
        ("302 Found", location, "", "upstream_invalid_response", "upstream_invalid_response"),
        ("404 Not Found", json_type, "{\"message\":\"none\"}", "upstream_not_found", "upstream_not_found"),
        ("409 Conflict", problem, "{\"title\":\"Taken\"}", "upstream_conflict", "upstream_conflict"),
        ("429 Too Many Requests", problem, "{}", "upstream_rate_limited retry 3", "upstream_rate_limited retry 3"),
        ("500 Internal Server Error", "", "boom", "upstream_failed retry", "upstream_failed"),
        (
            "502 Bad Gateway",
            "content-type: text/html",
            "<title>nginx</title>",
            "upstream_busy retry",
            "upstream_connection_lost",
        ),
        ("503 Service Unavailable", "", "", "upstream_busy retry", "upstream_busy"),
    ] {
        let upstream = Upstream::answers(status, header, body);
        for (method, expected) in [("GET", read), ("POST", write)] {
            let source = source(tool(RequestSettings::new(method, upstream.url("/")), &[]));
            let said = match run(&source, json!({})).await {
                Ok(_) => String::new(),
                Err(error) => {
                    assert!(!error.to_string().contains("s3cret"), "{error}");
                    let after = error.retry_after().map(|after| format!(" {}", after.as_secs())).unwrap_or_default();
                    format!("{}{}{after}", error.code(), if error.retryable() { " retry" } else { "" })
                }
            };
            assert_eq!(said, expected, "{method} {status} {header}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_fails_has_its_result() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let down = source(tool(RequestSettings::new("POST", format!("http://127.0.0.1:{port}/")), &[]));
    let error = failure(run(&down, json!({})).await.unwrap_err());
    assert_eq!((error.code, error.retryable), (UpstreamCode::Unavailable, true));
    for raw in ["", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"a\":"] {
        let upstream = Upstream::raw(raw.into(), End::Close);
        for (method, retryable) in [("GET", true), ("POST", false), ("DELETE", false)] {
            let source = source(tool(RequestSettings::new(method, upstream.url("/")), &[]));
            let error = failure(run(&source, json!({})).await.unwrap_err());
            assert_eq!((error.code, error.retryable), (UpstreamCode::ConnectionLost, retryable), "{method}");
        }
    }
}

/// A read ends with its deadline; a write is given a while longer, and is then in doubt.
#[tokio::test]
async fn an_upstream_that_is_slow_has_its_result() {
    for (method, waits, retryable) in [("GET", 10, true), ("POST", 40, false)] {
        let clock = TestClock::new();
        let mut upstream = Upstream::raw(String::new(), End::Wait);
        let settings = settings(tool(RequestSettings::new(method, upstream.url("/")), &[]), Credential::None);
        let source = open(settings, clock.clone());
        let mut call = call(Caller::anonymous(), &json!({}));
        call.deadline = Some(clock.now() + Duration::from_secs(10));
        let calling = tokio::spawn(async move { source.call("tool", &call).await });
        upstream.seen().await;
        clock.advance(Duration::from_secs(waits - 1));
        tokio::task::yield_now().await;
        assert!(!calling.is_finished(), "{method}");
        clock.advance(Duration::from_secs(1));
        let error = failure(calling.await.unwrap().unwrap_err());
        assert_eq!((error.code, error.retryable), (UpstreamCode::TimedOut, retryable), "{method}");
    }
}

/// What was presented is nowhere in what goes back, however the system behind repeats it.
#[tokio::test]
async fn secrets_do_not_come_back() {
    let body =
        r#"{"message":"s3cret-own is bad","seen":["Bearer s3cret-own","s3cret-fixed","s3cret-header"],"s3cret-own":1}"#;
    let mut upstream =
        Upstream::answers("401 Unauthorized", "content-type: application/json\r\nx-request-id: s3cret-own", body);
    let fixed = |place, value: &str| Presentation { place, value: Secret::new(value.into()) };
    let both = Credential::Fixed(vec![
        fixed(Place::Header(http::header::AUTHORIZATION), "Bearer s3cret-own"),
        fixed(Place::Query("key".into()), "s3cret-fixed"),
    ]);
    for credential in [Credential::FromCaller, both] {
        let mut request = RequestSettings::new("GET", upstream.url("/"));
        request.headers = vec![("X-Key".into(), Secret::new("s3cret-header".into()))];
        let source = open(settings(tool(request, &[]), credential), Arc::new(SystemClock));
        let caller = caller(&[("authorization", "Bearer s3cret-own"), ("x-two", "s3cret-fixed"), ("mcp-method", "x")]);
        let error = failure(source.call("tool", &call(caller, &json!({}))).await.unwrap_err());
        let whole = format!("{error} {error:?}");
        assert!(!whole.contains("s3cret") && whole.contains("[redacted]"), "{whole}");
        let seen = upstream.seen().await;
        assert!(seen.contains("authorization: Bearer s3cret-own") && !seen.contains("mcp-"), "{seen}");
    }
}

/// D5: the key goes upstream as a UUID, in the header that the policy names, over one that is there.
#[tokio::test]
async fn a_claimed_effect_is_named_to_the_system_behind() {
    let mut upstream = Upstream::answers("200 OK", "content-type: application/json", "{}");
    let mut request = RequestSettings::new("POST", upstream.url("/orders"));
    request.headers = vec![("Idempotency-Key".into(), Secret::new("always the same".into()))];
    let source = source(tool(request, &[]));
    assert_eq!(source.recovery("tool"), Recovery { sends_key: true, resolves: false });
    let effect = |header: Option<&str>| bridgehead_core::ClaimedEffect {
        id: bridgehead_core::EffectId::parse(&"0123456789abcdef".repeat(4)).unwrap(),
        digest: [0; 32],
        upstream_header: header.map(Into::into),
        retention: Duration::from_secs(60),
    };
    for (header, expected) in [
        (Some("Idempotency-Key"), "idempotency-key: 01234567-89ab-4def-8123-456789abcdef\r\n"),
        (Some("X-Once"), "x-once: 01234567-89ab-4def-8123-456789abcdef\r\n"),
        (None, "idempotency-key: always the same\r\n"),
    ] {
        let mut call = call(Caller::anonymous(), &json!({}));
        call.effect = Some(effect(header));
        source.call("tool", &call).await.unwrap();
        let seen = upstream.seen().await;
        assert!(seen.contains(expected), "{header:?}: {seen}");
        assert_eq!(seen.matches("idempotency-key").count(), 1, "{seen}");
    }
    let mut call = call(Caller::anonymous(), &json!({}));
    call.effect = Some(effect(Some("no header")));
    let failure = failure(source.call("tool", &call).await.unwrap_err());
    assert_eq!((failure.code, failure.verdict), (UpstreamCode::Unavailable, bridgehead_core::Verdict::Undone));
    assert!(!upstream.saw_more());
}

#[test]
fn a_read_names_no_effect() {
    let source = source(tool(RequestSettings::new("GET", "http://127.0.0.1:9/orders"), &[]));
    assert_eq!(source.recovery("tool"), Recovery::default());
    assert_eq!(source.recovery("another"), Recovery::default());
}
