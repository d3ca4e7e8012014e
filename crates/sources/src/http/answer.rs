//! What a success becomes on the wire, as a rule for values and for schemas in one place: the
//! output schema a tool publishes is made by the same call that says how its answers are wrapped.
//!
//! | the answer's body | `structuredContent` |
//! |---|---|
//! | a JSON object, where an object or nothing was described | the object |
//! | any other JSON, or where something else was described | `{"result": …}` |
//! | NDJSON / JSON lines | `{"result": […]}` |
//! | text | `{"text": "…"}` |
//! | a picture, sound or other bytes | `{"content_type", "bytes"}`, and a content block with them |
//! | nothing | `{"status": 204}` |
//!
//! Integers beyond ±2^53 become strings, digit for digit. An answer of another kind than described
//! still goes through in its own shape; nothing is required and nothing closed in these schemas.
//! What was read up to the size limit alone has `_omitted`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bridgehead_core::{CallError, Content, Outcome, ResourceBody};
use bridgehead_outbound::Received;
use http::header;
use serde_json::{Map, Value, json};

use super::{failure::Context, json, text};
use crate::parameter::nullable;

/// What is known of a tool's successful answer beforehand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Described<'a> {
    /// JSON of this schema: relaxed and self-contained (its references lead to its own `$defs`).
    /// Where it has an integer, what is published admits a string as well.
    Json(&'a Map<String, Value>),
    /// JSON values line by line (`application/x-ndjson`), each of this schema.
    Lines(&'a Map<String, Value>),
    /// Text, HTML included.
    Text,
    /// Pictures, sound or any other bytes.
    Binary,
    /// No body.
    Empty,
    /// Nothing is known. HTML is taken for a failure (a proxy, a sign-in page).
    Unknown,
}

/// How answers are wrapped; made together with the output schema that fits, by [`describe`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnswerShape {
    expected: Expected,
    /// Whether JSON objects stand below `result`, too.
    wrap_objects: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Json,
    Lines,
    Text,
    Binary,
    Empty,
    Unknown,
}

/// The rule for values, and the output schema (`type: object`) that they satisfy.
pub(crate) fn describe(described: Described<'_>) -> (AnswerShape, Map<String, Value>) {
    let (shape, mut schema) = shape_and_schema(described);
    if matches!(described, Described::Json(_) | Described::Lines(_)) {
        schema.values_mut().for_each(admit_large_integers);
    }
    (shape, schema)
}

/// Wherever an integer may stand, a string may: large ones become strings.
fn admit_large_integers(schema: &mut Value) {
    const DATA: [&str; 5] = ["const", "default", "enum", "example", "examples"];
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(admit_large_integers),
        Value::Object(keywords) => {
            for (keyword, value) in keywords {
                match value {
                    // A member that is called `type` has a schema, and no word.
                    Value::String(word) if keyword == "type" && word == "integer" => {
                        *value = json!(["integer", "string"]);
                    }
                    Value::Array(words) if keyword == "type" && words.iter().any(|word| word == "integer") => {
                        if !words.iter().any(|word| word == "string") {
                            words.push("string".into());
                        }
                    }
                    _ if DATA.contains(&keyword.as_str()) => {}
                    _ => admit_large_integers(value),
                }
            }
        }
        _ => {}
    }
}

fn shape_and_schema(described: Described<'_>) -> (AnswerShape, Map<String, Value>) {
    let shape = |expected| AnswerShape { expected, wrap_objects: false };
    match described {
        Described::Json(schema) if is_object(schema) => {
            let mut schema = schema.clone();
            schema.insert("type".into(), "object".into());
            (shape(Expected::Json), schema)
        }
        Described::Json(schema) => {
            (AnswerShape { expected: Expected::Json, wrap_objects: true }, wrapped(schema, Value::Object))
        }
        Described::Lines(schema) => {
            let list = |items| json!({"type": ["array", "null"], "items": Value::Object(items)});
            (AnswerShape { expected: Expected::Lines, wrap_objects: true }, wrapped(schema, list))
        }
        Described::Text => (
            shape(Expected::Text),
            object(json!({"text": {"type": ["string", "null"], "description": "The text of the answer."}})),
        ),
        Described::Binary => (
            shape(Expected::Binary),
            object(json!({
                "content_type": {"type": ["string", "null"], "description": "Media type of the bytes beside this."},
                "bytes": {"type": ["integer", "null"], "description": "How many bytes there are."},
            })),
        ),
        Described::Empty => (
            shape(Expected::Empty),
            object(json!({
                "status": {"type": ["integer", "null"], "description": "HTTP status of the answer, which has no content."}
            })),
        ),
        Described::Unknown => {
            let mut schema = object(json!({}));
            schema.insert(
                "description".into(),
                "The answer as it came: a JSON object as it is, a list or a single value as `result`, text as `text`, \
                 bytes as `content_type` and `bytes`, nothing as `status`."
                    .into(),
            );
            (shape(Expected::Unknown), schema)
        }
    }
}

/// Whether every instance is an object (or null).
fn is_object(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(word)) => word == "object",
        Some(Value::Array(words)) => {
            words.iter().any(|word| word == "object") && words.iter().all(|word| word == "object" || word == "null")
        }
        Some(_) => false,
        None => schema.contains_key("properties"),
    }
}

/// `{"result": …}`. Definitions move to the root, where references look for them.
fn wrapped(schema: &Map<String, Value>, around: impl Fn(Map<String, Value>) -> Value) -> Map<String, Value> {
    const AT_ROOT: [&str; 3] = ["$defs", "definitions", "$schema"];
    let (root, inner): (Map<_, _>, Map<_, _>) =
        schema.clone().into_iter().partition(|(keyword, _)| AT_ROOT.contains(&keyword.as_str()));
    let mut whole = object(json!({"result": around(nullable(&inner))}));
    whole.extend(root);
    whole
}

fn object(properties: Value) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties);
    schema
}

/// What an answer's media type says of its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Lines,
    Html,
    Text,
    Binary,
    NotSaid,
}

fn kind(media_type: Option<&str>) -> Kind {
    const TEXT: [&str; 7] = [
        "application/xml",
        "application/yaml",
        "application/x-yaml",
        "application/javascript",
        "application/x-www-form-urlencoded",
        "application/graphql",
        "application/sql",
    ];
    match media_type {
        None => Kind::NotSaid,
        Some("application/json" | "text/json") => Kind::Json,
        Some(
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/json-seq"
            | "application/stream+json"
            | "application/json-lines",
        ) => Kind::Lines,
        Some("text/html" | "application/xhtml+xml") => Kind::Html,
        Some(other) if other.ends_with("+json") => Kind::Json,
        Some(other) if other.starts_with("text/") || other.ends_with("+xml") || other.ends_with("+yaml") => Kind::Text,
        Some(other) if TEXT.contains(&other) => Kind::Text,
        Some(_) => Kind::Binary,
    }
}

impl AnswerShape {
    /// Makes the outcome of a success (2xx). `max_bytes` is the call's
    /// [`max_result_bytes`](bridgehead_core::Call::max_result_bytes): bytes that would be longer in
    /// base64 are left out, as they cannot be cut.
    ///
    /// # Errors
    /// Only [`InvalidResponse`](bridgehead_core::UpstreamCode::InvalidResponse): HTML where JSON was
    /// described, or nothing; what calls itself JSON and is none.
    pub(crate) fn outcome(
        self,
        received: &Received,
        max_bytes: usize,
        context: &Context<'_>,
    ) -> Result<Outcome, CallError> {
        if received.body.is_empty() && !received.cut {
            return Ok(Outcome::structured(one("status", received.status.as_u16().into())));
        }
        let media_type = received.media_type();
        match kind(media_type.as_deref()) {
            Kind::Lines => self.lines(received, context),
            Kind::Json if self.expected == Expected::Lines => self.lines(received, context),
            Kind::Json => self.json(received, context),
            kind => match self.json_all_the_same(received, kind) {
                Some(outcome) => Ok(outcome),
                None => self.other(received, kind, max_bytes, context),
            },
        }
    }

    fn json(self, received: &Received, context: &Context<'_>) -> Result<Outcome, CallError> {
        let body = text::body(received);
        let value = if received.cut {
            json::parse_cut(&body).unwrap_or_else(|| Value::Object(Map::new()))
        } else {
            match json::parse(&body) {
                Ok(value) => value,
                Err(_) if self.expected == Expected::Text => return Ok(of_text(received, body)),
                Err(error) => {
                    let failure = context.unreadable(received, "answered with broken JSON", text::start);
                    return Err(failure.with_cause(error).into());
                }
            }
        };
        Ok(self.of_value(received, value))
    }

    fn lines(self, received: &Received, context: &Context<'_>) -> Result<Outcome, CallError> {
        let body = text::body(received);
        match json::parse_lines(&body, received.cut) {
            Ok(values) => Ok(with_note(one("result", values.into()), received)),
            // One value over several lines.
            Err(error) => match json::parse(&body) {
                Ok(value) if !received.cut => Ok(self.of_value(received, value)),
                _ => {
                    let failure = context.unreadable(received, "answered with broken lines of JSON", text::start);
                    Err(failure.with_cause(error).into())
                }
            },
        }
    }

    /// JSON under a wrong name, where JSON is what should have come.
    fn json_all_the_same(self, received: &Received, kind: Kind) -> Option<Outcome> {
        if self.expected == Expected::Lines {
            let values = json::parse_lines(&text::body(received), received.cut).ok()?;
            return Some(with_note(one("result", values.into()), received));
        }
        let wanted = self.expected == Expected::Json || matches!(kind, Kind::NotSaid | Kind::Html | Kind::Text);
        if !wanted || matches!(self.expected, Expected::Text | Expected::Binary) || received.cut {
            return None;
        }
        let first = received.body.iter().find(|byte| !byte.is_ascii_whitespace())?;
        let is_single = || self.expected == Expected::Json || kind == Kind::NotSaid;
        if !matches!(first, b'{' | b'[') && !is_single() {
            return None;
        }
        let value = json::parse(std::str::from_utf8(&received.body).ok()?).ok()?;
        Some(self.of_value(received, value))
    }

    fn of_value(self, received: &Received, value: Value) -> Outcome {
        let members = match value {
            Value::Object(members) if !self.wrap_objects => members,
            other => one("result", other),
        };
        with_note(members, received)
    }

    fn other(
        self,
        received: &Received,
        kind: Kind,
        max_bytes: usize,
        context: &Context<'_>,
    ) -> Result<Outcome, CallError> {
        let is_text = || received.cut || std::str::from_utf8(&received.body).is_ok();
        match kind {
            Kind::Html if matches!(self.expected, Expected::Json | Expected::Lines | Expected::Unknown) => {
                Err(context.unreadable(received, "answered with a web page instead of data", text::of_page).into())
            }
            Kind::Html | Kind::Text | Kind::Json | Kind::Lines => Ok(of_text(received, text::body(received))),
            Kind::NotSaid if self.expected != Expected::Binary && is_text() => {
                Ok(of_text(received, text::body(received)))
            }
            Kind::NotSaid | Kind::Binary => Ok(of_bytes(received, max_bytes)),
        }
    }
}

fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

fn of_text(received: &Received, body: String) -> Outcome {
    with_note(one("text", body.into()), received)
}

/// Says so where the answer was not read to its end.
fn with_note(mut members: Map<String, Value>, received: &Received) -> Outcome {
    if received.cut {
        let mut note = Map::new();
        let length = received.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let read = u64::try_from(received.body.len()).unwrap_or(u64::MAX);
        if let Some(length) = length {
            note.insert("bytes".into(), u64::saturating_sub(length, read).into());
        }
        note.insert(
            "next".into(),
            format!("The answer was larger than the {read} bytes that are read. Ask for less: narrow the arguments.")
                .into(),
        );
        members.insert("_omitted".into(), Value::Object(note));
    }
    Outcome::structured(members)
}

fn of_bytes(received: &Received, max_bytes: usize) -> Outcome {
    let media_type = received.media_type();
    let bytes = received.body.len();
    let mut members = one("content_type", media_type.clone().into());
    members.insert("bytes".into(), bytes.into());
    if received.cut || bytes.div_ceil(3) * 4 > max_bytes {
        let next = "The content is larger than this tool may return. Ask for less, or ask the operator of this server \
                    to raise `max_result_bytes` for this tool.";
        members.insert("_omitted".into(), json!({"bytes": bytes, "next": next}));
        return Outcome::structured(members);
    }
    let data = STANDARD.encode(&received.body);
    let content = match media_type {
        Some(mime_type) if mime_type.starts_with("image/") => Content::Image { data, mime_type },
        Some(mime_type) if mime_type.starts_with("audio/") => Content::Audio { data, mime_type },
        mime_type => Content::Resource {
            uri: format!("attachment:///{}", super::encode(&file_name(received))),
            mime_type,
            body: ResourceBody::Blob(data),
        },
    };
    Outcome { content: vec![content], ..Outcome::structured(members) }
}

/// The name that the answer gives its content (RFC 6266), or `answer`. The URL is not told: it may
/// hold what is secret.
fn file_name(received: &Received) -> String {
    let disposition = received.headers.get(header::CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
    let named = disposition.and_then(|text| text.split(';').find_map(|part| part.trim().strip_prefix("filename=")));
    let named = named.map(|name| text::without_hidden(name.trim_matches('"'))).filter(|name| !name.is_empty());
    named.map_or_else(|| "answer".to_owned(), |name| text::shorten(&name, 100))
}

#[cfg(test)]
mod tests;
