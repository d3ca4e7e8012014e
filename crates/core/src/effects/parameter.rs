//! The parameter in which a call takes its key: which tools have it, what an agent is told of it,
//! and how the key gets out of the arguments again.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::IdempotencyKey;
use crate::{
    ArgumentFault, Call, KeyParameter, Policy, Tool, ToolSpec,
    policy::{DEFAULT_RETENTION, Idempotency},
};

/// What the parameter is called, and what where the tool has one of that name itself.
const NAMES: [&str; 2] = ["idempotency_key", "bridgehead_idempotency_key"];

/// The parameter of a tool. A read has none; nor has, unless the policy says otherwise, what changes
/// nothing more when it is repeated (PUT and DELETE, as a rule).
///
/// # Errors
/// Both names are taken, in words.
pub(crate) fn of(spec: &ToolSpec, policy: &Policy) -> Result<Option<KeyParameter>, String> {
    let required = match policy.idempotency {
        _ if spec.effect.is_read() => return Ok(None),
        Some(Idempotency::Off) => return Ok(None),
        None if spec.idempotent => return Ok(None),
        None | Some(Idempotency::Optional) => false,
        Some(Idempotency::Required) => true,
    };
    let own = spec.input_schema.get("properties").and_then(Value::as_object);
    match NAMES.into_iter().find(|name| own.is_none_or(|own| !own.contains_key(*name))) {
        Some(name) => Ok(Some(KeyParameter { name, required })),
        None => {
            let [first, second] = NAMES;
            Err(format!(
                "has parameters `{first}` and `{second}` of its own, so that no name is left for Bridgehead's. Rename \
                 one of them, or set `idempotency = \"off\"` for it."
            ))
        }
    }
}

/// The schema as it is published: the source's own, and the parameter behind the others.
pub(crate) fn publish(mut schema: Map<String, Value>, key: KeyParameter, policy: &Policy) -> Map<String, Value> {
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| Value::Object(Map::new())) {
        properties.insert(key.name.into(), property(policy.idempotency_retention));
    }
    if key.required
        && let Value::Array(required) = schema.entry("required").or_insert_with(|| json!([]))
    {
        required.push(key.name.into());
    }
    schema
}

/// Words that an agent acts on: when to make a key, and when to give the same one again.
fn property(retention: Duration) -> Value {
    let kept = if retention == DEFAULT_RETENTION { "7 days".to_owned() } else { in_words(retention) };
    json!({
        "type": "string",
        "minLength": 1,
        "maxLength": super::key::LONGEST_KEY,
        "description": format!(
            "Keeps a repeated call from taking effect twice. Make a new UUID for each effect you intend, and give the \
             same one, with the same arguments, when you repeat that call after an error or a time-out: you get the \
             answer of the first. Kept for {kept}."
        ),
    })
}

fn in_words(time: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let seconds = time.as_secs();
    match UNITS.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit)) {
        Some((unit, word)) => format!("{} {word}", seconds / unit),
        None => format!("{seconds} seconds"),
    }
}

/// Takes the key out of the call, wherever it stands.
///
/// # Errors
/// What is wrong with it: it is none, it is missing and has to be there, it is another one beside the
/// arguments than within, or the tool would not heed it.
pub(crate) fn take(call: &mut Call, tool: &Tool) -> Result<Option<IdempotencyKey>, ArgumentFault> {
    let beside = call.idempotency_key.take();
    let Some(parameter) = tool.key else {
        // Who asks for one effect has to know where there may be two. A read has none, and a repeat of
        // what is idempotent adds none.
        let harmless = tool.effect.is_read() || tool.idempotent;
        return match beside {
            Some(_) if !harmless => Err(fault("", "this tool takes no idempotency key: do not repeat a call of it")),
            _ => Ok(None),
        };
    };
    let path = format!("/{}", parameter.name);
    let within = match call.arguments.shift_remove(parameter.name) {
        None | Some(Value::Null) => None,
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(fault(&path, "is not text. Use a UUID")),
    };
    let key = match (within, beside) {
        (Some(within), Some(beside)) if within != beside => {
            return Err(fault(&path, "is another key than the one in `_meta`. Give the same, or one alone"));
        }
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) if parameter.required => {
            let message = format!("{} is required and missing. Use a new UUID for a new effect", parameter.name);
            return Err(fault("", &message));
        }
        (None, None) => return Ok(None),
    };
    IdempotencyKey::parse(&key).map(Some).map_err(|error| fault(&path, &error.to_string()))
}

fn fault(path: &str, message: &str) -> ArgumentFault {
    ArgumentFault { path: path.to_owned(), message: message.to_owned() }
}
