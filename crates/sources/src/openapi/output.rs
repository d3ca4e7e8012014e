//! What an operation answers when it succeeds: which media types are asked for, and the relaxed
//! output schema that goes with them.

use serde_json::{Map, Value};

use super::{
    body::{essence, is_json},
    schema::{self, Context, Direction, Root},
};
use crate::{
    http::{AnswerShape, Described, describe},
    relax::relax,
};

/// What is known of the answer.
pub(super) struct Output {
    /// The value of `accept`.
    pub(super) accept: String,
    pub(super) schema: Map<String, Value>,
    pub(super) shape: AnswerShape,
    /// What could not be kept; goes to the reports.
    pub(super) notes: Vec<String>,
}

/// Reads the responses of an operation.
pub(super) fn of<'d>(context: &Context<'d>, operation: &'d Value, room: usize) -> Output {
    let mut notes = Vec::new();
    let response = success(operation).and_then(|response| {
        context.resolver.resolve(response).map_err(|error| notes.push(format!("of its response {error}"))).ok()
    });
    let content = response.and_then(|response| response.get("content")).and_then(Value::as_object);
    let accept = accept(content);
    let (shape, schema) = match (response, content.and_then(choose)) {
        (Some(_), Some((media_type, media))) => described(context, media_type, media, room, &mut notes),
        (Some(_), None) if says_empty(operation) => describe(Described::Empty),
        _ => describe(Described::Unknown),
    };
    Output { accept, schema, shape, notes }
}

/// The response that a success most likely is: 200, 201, any 2xx with a body, the range, `default`.
fn success(operation: &Value) -> Option<&Value> {
    let responses = operation.get("responses")?.as_object()?;
    let mut found: Vec<(&str, &Value)> = responses
        .iter()
        .filter(|(status, _)| status.len() == 3 && status.starts_with('2'))
        .map(|(status, response)| (status.as_str(), response))
        .collect();
    found.sort_by_key(|(status, _)| status.to_ascii_uppercase());
    let with_body = |response: &Value| response.get("$ref").is_some() || response.get("content").is_some();
    let best = found.iter().find(|(_, response)| with_body(response)).or(found.first());
    best.map(|(_, response)| *response).or_else(|| responses.get("default"))
}

fn says_empty(operation: &Value) -> bool {
    let responses = operation.get("responses").and_then(Value::as_object);
    responses.is_some_and(|responses| responses.keys().any(|status| matches!(status.as_str(), "204" | "205")))
}

fn choose(content: &Map<String, Value>) -> Option<(&str, &Value)> {
    let rank = |media_type: &str| match essence(media_type).as_str() {
        "application/json" => 0,
        essence if is_json(essence) => 1,
        "*/*" | "application/*" => 2,
        _ => 3,
    };
    content
        .iter()
        .min_by_key(|(media_type, _)| rank(media_type))
        .map(|(media_type, media)| (media_type.as_str(), media))
}

/// The media types of the success, and a word that anything is better than nothing: an error may
/// come in another one.
fn accept(content: Option<&Map<String, Value>>) -> String {
    let legal = |media_type: &&String| {
        media_type.contains('/') && media_type.bytes().all(|b| (0x20..0x7f).contains(&b)) && *media_type != "*/*"
    };
    let mut types: Vec<&str> = content.into_iter().flat_map(Map::keys).filter(legal).map(String::as_str).collect();
    types.sort_by_key(|media_type| !is_json(media_type));
    types.truncate(8);
    if types.is_empty() {
        return "application/json, */*;q=0.5".to_owned();
    }
    format!("{}, */*;q=0.1", types.join(", "))
}

fn described<'d>(
    context: &Context<'d>,
    media_type: &str,
    media: &'d Value,
    room: usize,
    notes: &mut Vec<String>,
) -> (AnswerShape, Map<String, Value>) {
    let essence = essence(media_type);
    let is_lines = matches!(essence.as_str(), "application/x-ndjson" | "application/jsonl" | "application/ndjson");
    let is_any = matches!(essence.as_str(), "*/*" | "application/*");
    if !(is_json(media_type) || is_lines || is_any) {
        return describe(if is_text(&essence) { Described::Text } else { Described::Binary });
    }
    let schema = media.get("schema");
    if is_any && schema.is_none() {
        return describe(Described::Unknown);
    }
    let root = Root { parts: schema.into_iter().collect(), whole: true, ..Root::default() };
    let built = schema::build(context, Direction::Output, &[root], room);
    notes.extend(built.faults);
    if built.cut > 0 {
        notes.push(format!(
            "its output schema is larger than {room} bytes; {} places deep in it are not described",
            built.cut
        ));
    }
    let mut schema = built.schemas.into_iter().next().unwrap_or_default();
    if !built.definitions.is_empty() {
        schema.insert("$defs".into(), Value::Object(built.definitions));
    }
    let relaxed = relax(&schema);
    describe(if is_lines { Described::Lines(&relaxed) } else { Described::Json(&relaxed) })
}

fn is_text(essence: &str) -> bool {
    essence.starts_with("text/")
        || ["xml", "yaml", "csv", "javascript", "x-www-form-urlencoded"].iter().any(|word| essence.ends_with(word))
}
