//! What a system behind says about its failure: problem details (RFC 9457), and the many other
//! forms that JSON, HTML and text errors have.

use bridgehead_outbound::Received;
use serde_json::{Map, Value};

use super::{credential::Redactor, json, text};

/// How many bytes of JSON the details may have.
const MOST_BYTES: usize = 4096;
/// How many elements of a list, members of an object, and levels of both are kept.
const MOST_ELEMENTS: usize = 20;
const MOST_LEVELS: usize = 6;
/// What is kept where the whole is too large.
const KNOWN: [&str; 12] = [
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "message",
    "error",
    "error_description",
    "errors",
    "reason",
    "request_id",
];

/// What was said, without secrets.
pub(super) struct Problem {
    /// For the message: at most 500 characters on one line, as a rule one sentence, without its stop.
    pub(super) words: Option<String>,
    /// The body, where it is JSON, cut to a size.
    body: Option<Value>,
    /// The upstream's own name for the request.
    request_id: Option<String>,
}

impl Problem {
    pub(super) fn read(received: &Received, redactor: &Redactor) -> Self {
        let body = text::body(received);
        let parsed = if received.cut { json::parse_cut(&body) } else { json::parse(&body).ok() };
        let parsed = parsed.map(|value| redactor.redact_value(&value));
        let words = match &parsed {
            Some(value) => said(value, 0).map(|words| text::plain(&words)),
            None if received.media_type().is_some_and(|media_type| media_type.contains("html")) => {
                Some(text::of_page(&redactor.redact(&body)))
            }
            None => Some(text::plain(&redactor.redact(&body))),
        };
        let request_id =
            ["x-request-id", "x-correlation-id", "x-github-request-id", "cf-ray"].into_iter().find_map(|name| {
                let id = received.headers.get(name)?.to_str().ok()?;
                (id.len() <= 128).then(|| redactor.redact(id))
            });
        Self {
            words: words.map(|words| words.trim_end_matches('.').to_owned()).filter(|words| !words.is_empty()),
            body: parsed.map(|value| fit(&value)),
            request_id,
        }
    }

    /// `{status, problem | text, upstream_request_id}`.
    pub(super) fn details(self, received: &Received) -> Value {
        let mut details = Map::new();
        details.insert("status".into(), received.status.as_u16().into());
        match (self.body, self.words) {
            (Some(Value::Null), _) | (None, None) => {}
            (Some(body), _) => drop(details.insert("problem".into(), body)),
            (None, Some(words)) => drop(details.insert("text".into(), words.into())),
        }
        if let Some(id) = self.request_id {
            details.insert("upstream_request_id".into(), id.into());
        }
        Value::Object(details)
    }
}

/// The words of an error, wherever APIs put them: `title` and `detail` (RFC 9457), `message`,
/// `error` (RFC 6749 §5.2, or an object), `errors` (JSON:API, GraphQL, a map of fields), lists of
/// `msg` and `loc`.
fn said(value: &Value, level: usize) -> Option<String> {
    const SENTENCES: [&str; 8] =
        ["detail", "error_description", "message", "msg", "description", "reason", "error", "title"];
    if level > MOST_LEVELS {
        return None;
    }
    match value {
        Value::String(words) => Some(words.trim().to_owned()).filter(|words| !words.is_empty()),
        Value::Array(list) => {
            let words: Vec<String> = list.iter().take(5).filter_map(|element| said(element, level + 1)).collect();
            (!words.is_empty()).then(|| words.join("; "))
        }
        Value::Object(members) => {
            let title = members.get("title").and_then(Value::as_str).map(str::trim).filter(|title| !title.is_empty());
            let sentence = SENTENCES.iter().find_map(|name| said(members.get(*name)?, level + 1));
            let place = place(members);
            let more = members.get("errors").and_then(|errors| of_errors(errors, level));
            let mut parts: Vec<String> = Vec::new();
            for part in [title.map(str::to_owned), place, sentence, more].into_iter().flatten() {
                if !parts.iter().any(|earlier| earlier.contains(&part)) {
                    parts.push(part);
                }
            }
            (!parts.is_empty()).then(|| parts.join(": "))
        }
        _ => None,
    }
}

/// `errors` is a list, or a map from fields to what is wrong with them.
fn of_errors(errors: &Value, level: usize) -> Option<String> {
    let Value::Object(fields) = errors else { return said(errors, level + 1) };
    let of_field = |(field, value): (&String, &Value)| Some(format!("{field}: {}", said(value, level + 1)?));
    let words: Vec<String> = fields.iter().take(5).filter_map(of_field).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// Which part of the request is meant: `loc` of a list, `field`, `pointer`.
fn place(members: &Map<String, Value>) -> Option<String> {
    if let Some(Value::Array(steps)) = members.get("loc") {
        let steps = steps.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned));
        return Some(steps.collect::<Vec<_>>().join("."));
    }
    let nested = members.get("source").and_then(|source| source.get("pointer"));
    let named = members.get("field").or_else(|| members.get("pointer")).or(nested)?;
    named.as_str().filter(|named| !named.is_empty()).map(str::to_owned)
}

/// Cut to a size: long texts, long lists and deep nesting first, then what is not known.
fn fit(value: &Value) -> Value {
    let small = cut(value, 0);
    if small.to_string().len() <= MOST_BYTES {
        return small;
    }
    let Value::Object(members) = small else { return Value::Null };
    let mut kept = Map::new();
    let mut left = MOST_BYTES;
    for (name, value) in members.into_iter().filter(|(name, _)| KNOWN.contains(&name.as_str())) {
        let bytes = name.len() + value.to_string().len() + 4;
        if bytes <= left {
            left -= bytes;
            kept.insert(name, value);
        }
    }
    Value::Object(kept)
}

fn cut(value: &Value, level: usize) -> Value {
    match value {
        Value::String(words) => text::shorten(&text::without_hidden(words), text::LONGEST).into(),
        Value::Array(_) | Value::Object(_) if level >= MOST_LEVELS => "…".into(),
        Value::Array(list) => list.iter().take(MOST_ELEMENTS).map(|element| cut(element, level + 1)).collect(),
        Value::Object(members) => {
            let kept = members.iter().take(MOST_ELEMENTS);
            Value::Object(kept.map(|(name, value)| (text::shorten(name, 64), cut(value, level + 1))).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use bridgehead_core::Secret;
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn read(body: &str, media_type: &'static str) -> Problem {
        let mut redactor = Redactor::default();
        redactor.learn(&Secret::new("Bearer s3cr3t-token".into()));
        let received = Received {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            headers: HeaderMap::from_iter([(http::header::CONTENT_TYPE, http::HeaderValue::from_static(media_type))]),
            url: "https://erp.internal/".parse().unwrap(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            cut: false,
        };
        Problem::read(&received, &redactor)
    }

    /// The forms that real APIs use: RFC 9457, RFC 6749, GitHub, Stripe, Google, FastAPI, Rails, JSON:API, GraphQL.
    #[test]
    fn the_words_are_found_in_every_form() {
        for (body, expected) in [
            (
                json!({"type": "about:blank", "title": "Out of stock", "detail": "Only 3 left."}),
                "Out of stock: Only 3 left",
            ),
            (json!({"error": "invalid_grant", "error_description": "Expired"}), "Expired"),
            (
                json!({"message": "Validation Failed", "errors": [{"field": "title", "message": "too long"}]}),
                "Validation Failed: title: too long",
            ),
            (json!({"error": {"type": "card_error", "message": "Declined."}}), "Declined"),
            (
                json!({"detail": [{"loc": ["body", "units", 0], "msg": "not an integer"}]}),
                "body.units.0: not an integer",
            ),
            (json!({"errors": {"sku": ["is unknown", "is short"]}}), "sku: is unknown; is short"),
            (
                json!({"errors": [{"title": "Invalid", "detail": "No such sku", "source": {"pointer": "/data/sku"}}]}),
                "Invalid: /data/sku: No such sku",
            ),
            (json!(["a", "b"]), "a; b"),
            (json!("plain"), "plain"),
        ] {
            assert_eq!(read(&body.to_string(), "application/json").words.as_deref(), Some(expected), "{body}");
        }
        assert_eq!(read("{}", "application/json").words, None);
        assert_eq!(read("", "text/plain").words, None);
        assert_eq!(read("<title>Bad Gateway</title>", "text/html").words.as_deref(), Some("Bad Gateway"));
        assert_eq!(read("no\u{7} way\n", "text/plain").words.as_deref(), Some("no way"));
    }

    #[test]
    fn secrets_are_taken_out_before_anything_is_cut() {
        let problem =
            read(&json!({"message": "s3cr3t-token is not valid", "s3cr3t-token": 1}).to_string(), "text/plain");
        assert_eq!(problem.words.as_deref(), Some("[redacted] is not valid"));
        assert!(!problem.body.unwrap().to_string().contains("s3cr3t"));
        let long = format!("{}s3cr3t-token", "x".repeat(495));
        assert!(!read(&long, "text/plain").words.unwrap().contains("s3cr"));
    }

    #[test]
    fn details_are_small_whatever_comes() {
        let deep = (0..100).fold(json!("x"), |inner, _| json!([inner]));
        let wide: Map<String, Value> = (0..200).map(|n| (format!("member{n}"), json!("y".repeat(900)))).collect();
        for body in [
            deep,
            Value::Object(wide.clone()),
            json!({"title": "kept", "trace": vec!["z".repeat(400); 30], "more": wide}),
        ] {
            let problem = read(&body.to_string(), "application/problem+json").body.unwrap();
            assert!(problem.to_string().len() <= MOST_BYTES + 2, "{problem}");
        }
    }
}
