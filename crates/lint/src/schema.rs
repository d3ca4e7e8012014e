//! Reading JSON Schemas of strangers: references within the document, texts, types. Nothing here recurses
//! deeper than [`DEEPEST`], whatever the schema says.

use serde_json::{Map, Value};

use crate::subject::{Text, TextKind};

/// How deep a schema is looked into.
const DEEPEST: usize = 40;
/// How many references are followed one after the other.
const MOST_REFERENCES: usize = 8;
/// Members whose value is one schema.
const ONE: [&str; 10] = [
    "items",
    "additionalProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
];
/// Members whose value is a list of schemas.
const SEVERAL: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
/// Members whose value is schemas by name.
const NAMED: [&str; 5] = ["properties", "patternProperties", "dependentSchemas", "$defs", "definitions"];

/// The schemas directly inside this one, each with its JSON Pointer from here.
pub(crate) fn inside(schema: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (key, value) in schema {
        let word = key.as_str();
        match value {
            Value::Array(schemas) if SEVERAL.contains(&word) || word == "items" => {
                found.extend(schemas.iter().enumerate().map(|(index, inner)| (format!("/{word}/{index}"), inner)));
            }
            Value::Object(schemas) if NAMED.contains(&word) => {
                found.extend(schemas.iter().map(|(name, inner)| (format!("/{word}/{}", escape(name)), inner)));
            }
            Value::Object(_) if ONE.contains(&word) => found.push((format!("/{word}"), value)),
            _ => {}
        }
    }
    found
}

/// Hands every object schema to `look`, with its JSON Pointer below `at` and its depth.
pub(crate) fn each<'s>(schema: &'s Map<String, Value>, at: &str, look: &mut dyn FnMut(&str, &'s Map<String, Value>)) {
    fn walk<'s>(
        schema: &'s Map<String, Value>,
        at: &str,
        depth: usize,
        look: &mut dyn FnMut(&str, &'s Map<String, Value>),
    ) {
        look(at, schema);
        if depth < DEEPEST {
            for (below, inner) in inside(schema) {
                if let Value::Object(inner) = inner {
                    walk(inner, &format!("{at}{below}"), depth + 1, look);
                }
            }
        }
    }
    walk(schema, at, 0, look);
}

/// Hands every text of a schema to `look`: descriptions, titles, names of properties, values.
pub(crate) fn each_text(schema: &Map<String, Value>, at: &str, look: &mut dyn FnMut(Text<'_>)) {
    each(schema, at, &mut |place, schema| {
        let mut tell = |member: &str, text: &str, kind| {
            let at = format!("{place}/{member}");
            look(Text { at: &at, parameter: parameter_of(place), text, kind });
        };
        for (member, value) in schema {
            match (member.as_str(), value) {
                ("description" | "title" | "$comment", Value::String(text)) => tell(member, text, TextKind::Prose),
                ("default" | "const" | "pattern", Value::String(text)) => tell(member, text, TextKind::Value),
                ("enum" | "examples", Value::Array(values)) => {
                    for (index, text) in values.iter().enumerate().filter_map(|(i, value)| Some((i, value.as_str()?))) {
                        tell(&format!("{member}/{index}"), text, TextKind::Value);
                    }
                }
                ("properties", Value::Object(properties)) => {
                    for name in properties.keys() {
                        tell(&format!("{member}/{}", escape(name)), name, TextKind::Name);
                    }
                }
                _ => {}
            }
        }
    });
}

/// The top-level parameter that a place lies in, where it has one.
fn parameter_of(at: &str) -> Option<&str> {
    let rest = at.strip_prefix("/inputSchema/properties/")?;
    rest.split('/').next()
}

/// A name within a JSON Pointer (RFC 6901 §3).
pub(crate) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The schema that stands behind local references; itself where there is none, or where it leads nowhere.
pub(crate) fn resolve<'s>(root: &'s Map<String, Value>, schema: &'s Map<String, Value>) -> &'s Map<String, Value> {
    let mut schema = schema;
    for _ in 0..MOST_REFERENCES {
        let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix("#/")) else {
            break;
        };
        let mut keys = pointer.split('/').map(|key| key.replace("~1", "/").replace("~0", "~"));
        let first = keys.next().and_then(|key| root.get(&key));
        let found = keys.try_fold(first, |place, key| {
            let inner = match place? {
                Value::Object(map) => map.get(&key),
                Value::Array(list) => key.parse().ok().and_then(|index: usize| list.get(index)),
                _ => None,
            };
            inner.map(Some)
        });
        match found.flatten().and_then(Value::as_object) {
            Some(found) => schema = found,
            None => break,
        }
    }
    schema
}

/// The schema and what it is made of: itself, what it refers to, and the alternatives that are not null.
pub(crate) fn faces<'s>(root: &'s Map<String, Value>, schema: &'s Map<String, Value>) -> Vec<&'s Map<String, Value>> {
    let resolved = resolve(root, schema);
    let mut faces = vec![schema];
    if !std::ptr::eq(resolved, schema) {
        faces.push(resolved);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        let alternatives = resolved.get(word).and_then(Value::as_array).into_iter().flatten();
        faces.extend(
            alternatives
                .filter_map(Value::as_object)
                .map(|inner| resolve(root, inner))
                .filter(|inner| inner.get("type").and_then(Value::as_str) != Some("null")),
        );
    }
    faces
}

/// The JSON types that the schema admits, `null` aside; empty where it does not say.
pub(crate) fn types<'s>(root: &'s Map<String, Value>, schema: &'s Map<String, Value>) -> Vec<&'s str> {
    let mut types = Vec::new();
    for face in faces(root, schema) {
        match face.get("type") {
            Some(Value::String(word)) => types.push(word.as_str()),
            Some(Value::Array(words)) => types.extend(words.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    types.retain(|word| *word != "null");
    types.dedup();
    types
}

/// What is said of a schema: its own description, or that of what it refers to.
pub(crate) fn description<'s>(root: &'s Map<String, Value>, schema: &'s Map<String, Value>) -> Option<&'s str> {
    faces(root, schema)
        .into_iter()
        .find_map(|face| face.get("description").and_then(Value::as_str).filter(|text| !text.trim().is_empty()))
}

/// Whether the schema, or what it refers to, has one of these members.
pub(crate) fn says(root: &Map<String, Value>, schema: &Map<String, Value>, members: &[&str]) -> bool {
    faces(root, schema).into_iter().any(|face| members.iter().any(|member| face.contains_key(*member)))
}

/// The members that stand for a choice of values, here or of the elements of a list.
pub(crate) fn has_values(root: &Map<String, Value>, schema: &Map<String, Value>) -> bool {
    const VALUES: [&str; 2] = ["enum", "const"];
    says(root, schema, &VALUES)
        || faces(root, schema)
            .into_iter()
            .filter_map(|face| face.get("items").and_then(Value::as_object))
            .any(|items| says(root, items, &VALUES))
}
