//! Arguments made up from an input schema, for tests: what an agent might send that reads nothing
//! but the schema. Stands alone, so that other test crates may take the file.

use serde_json::{Map, Value, json};

/// How deep values are made up.
const MAX_DEPTH: usize = 8;

/// An object that satisfies `schema`: with its required members alone, or with every member.
/// Patterns beyond a few common ones are not understood.
pub(super) fn sample(schema: &Map<String, Value>, every_member: bool) -> Map<String, Value> {
    let root = Value::Object(schema.clone());
    match value(&root, &root, every_member, 0) {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn value(schema: &Value, root: &Value, every: bool, depth: usize) -> Value {
    let Value::Object(keywords) = schema else { return json!("any") };
    if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(reference.trim_start_matches('#'));
        return target.map_or(Value::Null, |target| value(target, root, every && depth < 4, depth + 1));
    }
    if let Some(value) = keywords.get("const") {
        return value.clone();
    }
    let listed = ["enum", "examples"].into_iter().find_map(|keyword| keywords.get(keyword)?.as_array()?.first());
    if let Some(value) = listed.or(keywords.get("default")).filter(|value| !value.is_null()) {
        return value.clone();
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(first) = keywords.get(keyword).and_then(|options| options.get(0)) {
            let mut made = value(first, root, every, depth + 1);
            let beside = object(keywords, root, every, depth);
            if let (Value::Object(made), false) = (&mut made, beside.is_empty()) {
                for (name, value) in beside {
                    made.entry(name).or_insert(value);
                }
            }
            return made;
        }
    }
    let ty = match keywords.get("type") {
        Some(Value::Array(types)) => types.first().and_then(Value::as_str),
        ty => ty.and_then(Value::as_str),
    };
    let whole = |keyword: &str| keywords.get(keyword).and_then(Value::as_f64);
    match ty {
        Some("object") => Value::Object(object(keywords, root, every, depth)),
        Some("array") => {
            let least = if every && depth < MAX_DEPTH { 1 } else { 0 };
            let count = whole("minItems").unwrap_or(0.0).max(f64::from(least)) as usize;
            let items = keywords.get("items").cloned().unwrap_or(Value::Bool(true));
            (0..count.min(50)).map(|_| value(&items, root, every, depth + 1)).collect()
        }
        Some("integer" | "number") => {
            let least = whole("minimum").or(whole("exclusiveMinimum").map(|bound| bound + 1.0));
            let most = whole("maximum").or(whole("exclusiveMaximum").map(|bound| bound - 1.0));
            let number = least.unwrap_or(1.0).min(most.unwrap_or(f64::MAX));
            if number.fract() == 0.0 { json!(number as i64) } else { json!(number) }
        }
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("string") => Value::from(text(keywords)),
        _ if keywords.contains_key("properties") => Value::Object(object(keywords, root, every, depth)),
        _ => json!("any"),
    }
}

fn object(keywords: &Map<String, Value>, root: &Value, every: bool, depth: usize) -> Map<String, Value> {
    let required: Vec<&str> =
        keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut object = Map::new();
    if depth > MAX_DEPTH * 2 {
        return object;
    }
    for (name, schema) in keywords.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if required.contains(&name.as_str()) || (every && depth < MAX_DEPTH) {
            object.insert(name.clone(), value(schema, root, every, depth + 1));
        }
    }
    for name in required {
        object.entry(name).or_insert_with(|| json!("any"));
    }
    object
}

fn text(keywords: &Map<String, Value>) -> String {
    let word = |keyword: &str| keywords.get(keyword).and_then(Value::as_str);
    let text = match (word("format"), word("contentEncoding"), word("pattern")) {
        (_, Some("base64"), _) | (Some("byte"), ..) => "aGVsbG8=",
        (Some("date-time"), ..) => "2024-05-06T07:08:09Z",
        (Some("date"), ..) => "2024-05-06",
        (Some("time"), ..) => "07:08:09Z",
        (Some("uuid"), ..) => "123e4567-e89b-42d3-a456-426614174000",
        (Some("email"), ..) => "ada@example.com",
        (Some("uri" | "url"), ..) => "https://example.com/a",
        (Some("hostname"), ..) => "example.com",
        (Some("ipv4"), ..) => "192.0.2.1",
        (Some("ipv6"), ..) => "2001:db8::1",
        (.., Some(pattern)) if pattern.contains("0-9") && !pattern.contains("a-z") => "1234",
        _ => "text",
    };
    let count = |keyword: &str| keywords.get(keyword).and_then(Value::as_u64).map(|count| count as usize);
    let mut text = text.to_owned();
    while text.chars().count() < count("minLength").unwrap_or(0).min(5000) {
        text.push('a');
    }
    text.chars().take(count("maxLength").unwrap_or(usize::MAX)).collect()
}
