//! Arguments made up from an input schema, so that a judge can say whether what was advertised is
//! accepted.

use serde_json::{Map, Value, json};

/// How deep optional members are filled; below, only what is required.
const DEPTH: usize = 3;

/// One value that satisfies the schema. `full` fills in what is optional as well.
#[must_use]
pub fn sample(schema: &Map<String, Value>, full: bool) -> Value {
    let root = Value::Object(schema.clone());
    value(&root, &root, full, 0)
}

fn value(schema: &Value, root: &Value, full: bool, depth: usize) -> Value {
    let Some(object) = schema.as_object() else { return json!("x") };
    if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| value(target, root, full && depth < DEPTH, depth + 1));
    }
    for key in ["const", "default"] {
        // An empty list as the default may be less than the least that is asked for.
        let says = |given: &&Value| !given.is_null() && given.as_array().is_none_or(|list| !list.is_empty());
        if let Some(given) = object.get(key).filter(says) {
            return given.clone();
        }
    }
    if let Some(first) = object.get("enum").and_then(Value::as_array).and_then(|all| all.iter().find(|v| !v.is_null()))
    {
        return first.clone();
    }
    let useful = |given: &&Value| given.as_array().is_none_or(|list| !list.is_empty());
    if let Some(first) = object.get("examples").and_then(Value::as_array).and_then(|all| all.iter().find(useful)) {
        return first.clone();
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(first) = object.get(key).and_then(Value::as_array).and_then(|all| all.first()) {
            return merged(object, first, root, full, depth);
        }
    }
    if let Some(parts) = object.get("allOf").and_then(Value::as_array) {
        let all = parts.iter().map(|part| value(part, root, full, depth + 1));
        let members = all.filter_map(|part| part.as_object().cloned()).flatten();
        return Value::Object(members.collect());
    }
    match kind(object) {
        "object" => members(object, root, full, depth),
        "array" => {
            let item = object
                .get("items")
                .map_or_else(|| json!("x"), |items| value(items, root, full && depth < DEPTH, depth + 1));
            let least = object.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, 3);
            Value::Array(vec![item; least as usize])
        }
        "integer" => number(object).round().into_integer(),
        "number" => json!(number(object)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => json!(text(object)),
    }
}

trait IntoInteger {
    fn into_integer(self) -> Value;
}

impl IntoInteger for f64 {
    fn into_integer(self) -> Value {
        json!(self as i64)
    }
}

/// A branch together with what stands around it.
fn merged(around: &Map<String, Value>, branch: &Value, root: &Value, full: bool, depth: usize) -> Value {
    let mut outer = around.clone();
    outer.remove("oneOf");
    outer.remove("anyOf");
    let inner = value(branch, root, full, depth + 1);
    match (inner, outer.contains_key("properties")) {
        (Value::Object(inner), true) => {
            let mut both = members(&outer, root, full, depth).as_object().cloned().unwrap_or_default();
            both.extend(inner);
            Value::Object(both)
        }
        // A branch that only says what is required.
        (inner, _) if branch.get("required").is_some() && branch.get("type").is_none() => {
            let mut both = outer.clone();
            both.insert("required".into(), branch["required"].clone());
            if both.contains_key("properties") { members(&both, root, full, depth) } else { inner }
        }
        (inner, _) => inner,
    }
}

fn members(object: &Map<String, Value>, root: &Value, full: bool, depth: usize) -> Value {
    let required: Vec<&str> =
        object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = object.get("properties").and_then(Value::as_object);
    let mut made = Map::new();
    for (name, schema) in properties.into_iter().flatten() {
        if required.contains(&name.as_str()) || (full && depth < DEPTH) {
            made.insert(name.clone(), value(schema, root, full, depth + 1));
        }
    }
    Value::Object(made)
}

fn kind(object: &Map<String, Value>) -> &str {
    match object.get("type") {
        Some(Value::String(one)) => one,
        Some(Value::Array(several)) => {
            several.iter().filter_map(Value::as_str).find(|word| *word != "null").unwrap_or("null")
        }
        _ if object.contains_key("properties") => "object",
        _ if object.contains_key("items") => "array",
        _ => "string",
    }
}

fn number(object: &Map<String, Value>) -> f64 {
    let least = object.get("minimum").and_then(Value::as_f64);
    let most = object.get("maximum").and_then(Value::as_f64);
    match (least, most) {
        (Some(least), _) => least.ceil(),
        (None, Some(most)) => most.min(1.0),
        (None, None) => 1.0,
    }
}

fn text(object: &Map<String, Value>) -> String {
    let made = match object.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-02T03:04:05Z",
        Some("date") => "2026-01-02",
        Some("uri" | "url") => "https://example.com/a",
        Some("email") => "a@example.com",
        Some("uuid") => "123e4567-e89b-12d3-a456-426614174000",
        Some("ipv4") => "192.0.2.1",
        _ => match object.get("pattern").and_then(Value::as_str) {
            Some(pattern) if pattern.contains("sha256:") => {
                "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            }
            Some(pattern) if pattern.contains("A-Za-z0-9+/") => "aGVsbG8=",
            Some(pattern) if pattern.contains("ssh-") => "ssh-ed25519 AAAA",
            Some(pattern) if pattern.contains("0-9a-f") => "0123456789abcdef0123456789abcdef01234567",
            _ => "octocat",
        },
    };
    let least = object.get("minLength").and_then(Value::as_u64).unwrap_or(0) as usize;
    let most = object.get("maxLength").and_then(Value::as_u64).map_or(usize::MAX, |most| most as usize);
    let mut made = made.to_owned();
    while made.len() < least {
        made.push('x');
    }
    made.chars().take(most).collect()
}
