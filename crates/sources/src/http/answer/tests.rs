//! Every kind of body, against every kind of description: what goes out fits what was published.

use bridgehead_core::{Effect, UpstreamCode, UpstreamFailure, schema::Schema};
use serde_json::json;

use super::*;
use crate::{
    http::testing::{received, with_context},
    relax::relax,
};

const MAX: usize = 64 * 1024;

fn outcome(shape: AnswerShape, received: &Received) -> Result<Outcome, Box<UpstreamFailure>> {
    with_context(Effect::Read, false, |context| shape.outcome(received, MAX, context)).map_err(failure)
}

fn failure(error: CallError) -> Box<UpstreamFailure> {
    match error {
        CallError::Upstream(failure) => failure,
        other => panic!("{other:?}"),
    }
}

fn of(described: Described<'_>, media_type: &str, body: &str) -> Value {
    let headers = [("content-type", media_type)];
    let headers = if media_type.is_empty() { &[][..] } else { &headers[..] };
    match outcome(describe(described).0, &received(200, headers, body)) {
        Ok(outcome) => Value::Object(outcome.structured.unwrap()),
        Err(failure) => json!(failure.message),
    }
}

fn schema(value: &Value) -> Map<String, Value> {
    relax(value.as_object().unwrap())
}

#[test]
fn json_is_wrapped_by_what_was_described() {
    let object = schema(&json!({"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}));
    let list = schema(&json!({"type": "array", "items": {"type": "integer"}}));
    let either = schema(&json!({"oneOf": [{"type": "object"}, {"type": "array"}]}));
    let json_type = "application/json";
    for (described, body, expected) in [
        (Described::Json(&object), "{\"id\":1}", json!({"id": 1})),
        (Described::Json(&object), "[1]", json!({"result": [1]})),
        (Described::Json(&object), "null", json!({"result": null})),
        (Described::Json(&list), "[1, 2]", json!({"result": [1, 2]})),
        (Described::Json(&list), "{\"id\":1}", json!({"result": {"id": 1}})),
        (Described::Json(&either), "{\"id\":1}", json!({"result": {"id": 1}})),
        (Described::Json(&list), "\"one\"", json!({"result": "one"})),
        (Described::Unknown, "{\"id\":1}", json!({"id": 1})),
        (Described::Unknown, "[true]", json!({"result": [true]})),
        (Described::Unknown, "12345678901234567890", json!({"result": "12345678901234567890"})),
        (Described::Empty, "{\"id\":1}", json!({"id": 1})),
        (Described::Text, "{\"id\":1}", json!({"id": 1})),
        (Described::Text, "no json", json!({"text": "no json"})),
        (Described::Binary, "{\"id\":1}", json!({"id": 1})),
    ] {
        assert_eq!(of(described, json_type, body), expected, "{described:?} {body}");
    }
}

#[test]
fn a_wrong_media_type_is_tolerated_where_json_should_have_come() {
    let object = schema(&json!({"type": "object"}));
    for (described, media_type, body, expected) in [
        (Described::Json(&object), "text/plain", "{\"id\":1}", json!({"id": 1})),
        (Described::Json(&object), "text/html; charset=utf-8", "{\"id\":1}", json!({"id": 1})),
        (Described::Json(&object), "application/octet-stream", "{\"id\":1}", json!({"id": 1})),
        (Described::Json(&object), "", "{\"id\":1}", json!({"id": 1})),
        (Described::Json(&object), "text/plain", "accepted", json!({"text": "accepted"})),
        (Described::Json(&object), "nonsense", "7", json!({"result": 7})),
        (Described::Unknown, "text/html", "{\"id\":1}", json!({"id": 1})),
        (Described::Unknown, "text/plain", "12", json!({"text": "12"})),
        (Described::Unknown, "", "12", json!({"result": 12})),
        (Described::Unknown, "", "ok", json!({"text": "ok"})),
        (Described::Unknown, "text/csv", "a,b", json!({"text": "a,b"})),
        (Described::Unknown, "application/problem+json", "{\"id\":1}", json!({"id": 1})),
        (Described::Text, "text/html", "<p>hi", json!({"text": "<p>hi"})),
        (Described::Text, "text/plain", "{\"id\":1}", json!({"text": "{\"id\":1}"})),
        (Described::Text, "text/plain; charset=ISO-8859-1", "x", json!({"text": "x"})),
        (Described::Unknown, "application/xml", "<a/>", json!({"text": "<a/>"})),
    ] {
        assert_eq!(of(described, media_type, body), expected, "{described:?} {media_type} {body}");
    }
    let latin = received(200, &[("content-type", "text/plain; charset=\"iso-8859-1\"")], b"Z\xfcrich");
    let outcome = outcome(describe(Described::Text).0, &latin).unwrap();
    assert_eq!(outcome.structured.unwrap()["text"], "Zürich");
}

#[test]
fn pages_and_broken_json_are_failures() {
    let object = schema(&json!({"type": "object"}));
    let page = "<html><head><title>Sign in · ERP</title></head><body>s3cr3t-token</body></html>";
    for described in [Described::Json(&object), Described::Unknown] {
        let failure =
            outcome(describe(described).0, &received(200, &[("content-type", "text/html")], page)).unwrap_err();
        assert_eq!(failure.code, UpstreamCode::InvalidResponse);
        assert_eq!(
            failure.message,
            "`erp` answered with a web page instead of data (HTTP 200): “Sign in · ERP”. Tell the operator of this server."
        );
        assert_eq!(failure.details.unwrap()["content_type"], "text/html");
    }
    let broken = received(201, &[("content-type", "application/json")], "{\"id\": 1, s3cr3t-token");
    let of_a_read = outcome(describe(Described::Json(&object)).0, &broken).unwrap_err();
    assert_eq!((of_a_read.code, of_a_read.retryable), (UpstreamCode::InvalidResponse, false));
    assert!(of_a_read.message.contains("broken JSON") && !of_a_read.message.contains("s3cr3t"), "{of_a_read}");
    let at_the_cut = format!("{{\"id\": {}s3cr3t-token", "x ".repeat(93));
    let cut =
        outcome(describe(Described::Unknown).0, &received(200, &[("content-type", "application/json")], at_the_cut));
    let cut = cut.unwrap_err();
    assert!(!cut.message.contains("s3cr"), "half a secret: {cut}");
    let of_a_write = failure(with_context(Effect::Write, false, |context| {
        describe(Described::Json(&object)).0.outcome(&broken, MAX, context).unwrap_err()
    }));
    assert!(of_a_write.message.contains("may have taken effect"), "{}", of_a_write.message);
}

#[test]
fn lines_become_a_list() {
    let line = schema(&json!({"type": "object"}));
    let two = json!({"result": [{"a": 1}, {"a": 2}]});
    assert_eq!(of(Described::Lines(&line), "application/x-ndjson", "{\"a\":1}\n{\"a\":2}\n"), two);
    assert_eq!(of(Described::Lines(&line), "text/plain", "{\"a\":1}\r\n\r\n{\"a\":2}"), two);
    assert_eq!(of(Described::Unknown, "application/json-seq", "\u{1e}{\"a\":1}\n\u{1e}{\"a\":2}\n"), two);
    assert_eq!(of(Described::Lines(&line), "application/json", "[{\"a\":1},\n{\"a\":2}]"), two);
    assert!(of(Described::Lines(&line), "application/x-ndjson", "{\"a\":1}\n{").is_string());
}

#[test]
fn nothing_is_said_by_its_status() {
    for (status, described) in [(204, Described::Unknown), (200, Described::Empty), (202, Described::Text)] {
        let outcome = outcome(describe(described).0, &received(status, &[], "")).unwrap();
        assert_eq!(Value::Object(outcome.structured.unwrap()), json!({"status": status}));
    }
}

#[test]
fn bytes_go_in_a_block_of_their_own() {
    for (media_type, disposition) in
        [("image/png", ""), ("audio/wav", ""), ("application/pdf", "inline; filename=\"a b.pdf\"")]
    {
        let headers = [("content-type", media_type), ("content-disposition", disposition)];
        let outcome = outcome(describe(Described::Binary).0, &received(200, &headers, [0, 159, 146])).unwrap();
        assert_eq!(Value::Object(outcome.structured.unwrap()), json!({"content_type": media_type, "bytes": 3}));
        let data = "AJ+S".to_owned();
        let expected = match media_type {
            "image/png" => Content::Image { data, mime_type: media_type.into() },
            "audio/wav" => Content::Audio { data, mime_type: media_type.into() },
            _ => Content::Resource {
                uri: "attachment:///a%20b.pdf".into(),
                mime_type: Some(media_type.into()),
                body: ResourceBody::Blob(data),
            },
        };
        assert_eq!(outcome.content, [expected]);
    }
    let large = received(200, &[("content-type", "image/png")], vec![0; MAX]);
    let left_out = outcome(describe(Described::Binary).0, &large).unwrap();
    assert!(left_out.content.is_empty());
    assert_eq!(left_out.structured.unwrap()["_omitted"]["bytes"], MAX);
}

#[test]
fn what_was_cut_says_so() {
    let cut = |media_type, body: &str| {
        let mut received = received(200, &[("content-type", media_type), ("content-length", "1000")], body);
        received.cut = true;
        Value::Object(outcome(describe(Described::Unknown).0, &received).unwrap().structured.unwrap())
    };
    for (media_type, body, member, expected) in [
        ("application/json", "[{\"a\":1},{\"a\":2},{\"a", "result", json!([{"a": 1}, {"a": 2}, {}])),
        ("application/x-ndjson", "{\"a\":1}\n{\"a", "result", json!([{"a": 1}])),
        ("text/plain", "half", "text", json!("half")),
    ] {
        let value = cut(media_type, body);
        assert_eq!(value[member], expected);
        assert_eq!(value["_omitted"]["bytes"], 1000 - body.len());
    }
}

/// D3: whatever was described, and whatever comes, the structured content fits the schema.
#[test]
fn every_answer_fits_its_schema() {
    let node = json!({"type": "object", "properties": {"id": {"type": "integer"}, "type": {"type": "string"},
        "next": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": {"type": "object", "properties": {"id": {"type": "integer"}}}}});
    let object = schema(&node);
    let list = schema(&json!({"type": "array", "items": {"$ref": "#/$defs/Node"}, "$defs": node["$defs"].clone()}));
    for described in [
        Described::Json(&object),
        Described::Json(&list),
        Described::Lines(&object),
        Described::Text,
        Described::Binary,
        Described::Empty,
        Described::Unknown,
    ] {
        let (shape, schema) = describe(described);
        let compiled = Schema::compile(&schema).unwrap();
        assert_eq!(schema["type"], "object");
        for (media_type, body) in [
            ("application/json", "{\"id\":12345678901234567890,\"next\":{\"id\":null}}"),
            ("application/json", "[{\"id\":12345678901234567890}]"),
            ("application/json", "null"),
            ("application/x-ndjson", "{\"id\":1}\n"),
            ("text/plain", "text"),
            ("image/png", "bytes"),
            ("", ""),
        ] {
            let received = received(200, &[("content-type", media_type)], body);
            let value = Value::Object(outcome(shape, &received).unwrap().structured.unwrap());
            // What drifted in kind is sorted out by the pipeline; what was described is not.
            let drifted = match described {
                Described::Json(_) => body.starts_with('[') == schema["properties"].get("result").is_none(),
                Described::Lines(_) => body.starts_with('['),
                _ => false,
            };
            assert!(compiled.accepts(&value) || drifted, "{described:?} {value} {schema:?}");
        }
    }
}
