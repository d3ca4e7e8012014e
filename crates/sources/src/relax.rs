//! Output schemas of systems that describe themselves, relaxed: what such a system answers is not
//! ours to guarantee, and strict clients throw on a mismatch. Knows JSON Schema (2020-12, and what
//! older drafts wrote differently); does not fetch or resolve anything.
//!
//! Names, descriptions and nesting stay. What narrows moves into descriptions: `required`,
//! `enum`, `const`, `format`, `pattern`, bounds, closed objects. Every place but the root admits
//! null. Hence: an instance that satisfies the schema satisfies the relaxed one, and still does
//! after any of its members or elements became null, or members were left out or came as null.

use serde_json::{Map, Value, json};

/// How many values of an `enum` a description names.
const MAX_NAMED: usize = 40;

/// The relaxed schema. Its root is an object schema where the given one was; the root alone does
/// not admit null.
#[must_use]
pub fn relax(schema: &Map<String, Value>) -> Map<String, Value> {
    let definitions = Definitions::of(schema);
    let mut relaxed = relax_object(schema, &definitions, Place::Root);
    for keyword in ["$defs", "definitions"] {
        if let Some(Value::Object(members)) = schema.get(keyword) {
            relaxed.insert(keyword.into(), relax_members(members, &definitions, Place::Inside));
        }
    }
    if relaxed.get("type").and_then(Value::as_array).is_some_and(|types| types.iter().any(|ty| ty == "object")) {
        relaxed.insert("type".into(), "object".into());
    }
    relaxed
}

/// Where in the document a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Inside,
    /// Below a nested `$id`, where `#` means another document.
    Embedded,
}

/// The names a reference may lead to: `#/$defs/NAME` and `#/definitions/NAME` of the root. Other
/// references would lead to what relaxing moves or leaves strict.
struct Definitions(Vec<String>);

impl Definitions {
    fn of(root: &Map<String, Value>) -> Self {
        let names = ["$defs", "definitions"].into_iter().filter_map(|keyword| Some((keyword, root.get(keyword)?)));
        let names = names.filter_map(|(keyword, members)| Some((keyword, members.as_object()?)));
        Self(names.flat_map(|(keyword, members)| members.keys().map(move |name| pointer(keyword, name))).collect())
    }

    fn has(&self, reference: &str) -> bool {
        self.0.iter().any(|known| known == reference)
    }
}

fn pointer(keyword: &str, name: &str) -> String {
    format!("#/{keyword}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn relax_value(schema: &Value, definitions: &Definitions, place: Place) -> Value {
    match schema {
        Value::Object(schema) => {
            let place = if schema.contains_key("$id") { Place::Embedded } else { place };
            Value::Object(relax_object(schema, definitions, place))
        }
        // `false` admits nothing, not even null.
        _ => Value::Bool(true),
    }
}

fn relax_members(members: &Map<String, Value>, definitions: &Definitions, place: Place) -> Value {
    Value::Object(
        members.iter().map(|(name, schema)| (name.clone(), relax_value(schema, definitions, place))).collect(),
    )
}

fn relax_all(schemas: &[Value], definitions: &Definitions, place: Place) -> Value {
    Value::Array(schemas.iter().map(|schema| relax_value(schema, definitions, place)).collect())
}

fn relax_object(schema: &Map<String, Value>, definitions: &Definitions, place: Place) -> Map<String, Value> {
    let inside = if place == Place::Root { Place::Inside } else { place };
    let mut relaxed = Map::new();
    let mut all_of = Vec::new();
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("type", value) => {
                relaxed.extend(relax_type(value, place).map(|ty| (keyword.clone(), ty)));
            }
            ("properties" | "patternProperties" | "dependentSchemas", Value::Object(members)) => {
                relaxed.insert(keyword.clone(), relax_members(members, definitions, inside));
            }
            ("items", Value::Array(schemas)) | ("prefixItems", Value::Array(schemas)) => {
                relaxed.insert("prefixItems".into(), relax_all(schemas, definitions, inside));
            }
            ("additionalProperties" | "items", value @ Value::Object(_)) => {
                relaxed.insert(keyword.clone(), relax_value(value, definitions, inside));
            }
            // Relaxed alternatives overlap, so that exactly one becomes at least one.
            ("anyOf" | "oneOf", Value::Array(schemas)) => {
                all_of.push(json!({ "anyOf": relax_all(schemas, definitions, inside) }));
            }
            ("allOf", Value::Array(schemas)) => {
                all_of.extend(schemas.iter().map(|schema| relax_value(schema, definitions, inside)));
            }
            ("$ref", Value::String(reference)) => {
                all_of.extend(relax_reference(reference, definitions, inside));
            }
            (keyword, value) if is_annotation(keyword) => {
                relaxed.insert(keyword.to_owned(), value.clone());
            }
            _ => {}
        }
    }
    join_alternatives(&mut relaxed, all_of);
    describe(&mut relaxed, schema);
    relaxed
}

fn relax_type(ty: &Value, place: Place) -> Option<Value> {
    let mut types = match ty {
        Value::String(_) => vec![ty.clone()],
        Value::Array(types) => types.clone(),
        _ => return None,
    };
    if place == Place::Root {
        return Some(ty.clone());
    }
    if !types.iter().any(|ty| ty == "null") {
        types.push("null".into());
    }
    Some(Value::Array(types))
}

fn relax_reference(reference: &str, definitions: &Definitions, place: Place) -> Option<Value> {
    if place == Place::Embedded {
        return None;
    }
    if reference == "#" {
        // The root does not admit null.
        return Some(json!({ "anyOf": [{ "$ref": "#" }, { "type": "null" }] }));
    }
    definitions.has(reference).then(|| json!({ "$ref": reference }))
}

/// One alternative or reference stands in the schema itself, several under `allOf`.
fn join_alternatives(relaxed: &mut Map<String, Value>, mut all_of: Vec<Value>) {
    if all_of.len() == 1
        && let Some(Value::Object(only)) = all_of.first()
        && only.keys().all(|keyword| matches!(keyword.as_str(), "anyOf" | "$ref"))
    {
        relaxed.extend(only.clone());
        all_of.clear();
    }
    if !all_of.is_empty() {
        relaxed.insert("allOf".into(), Value::Array(all_of));
    }
}

/// Keywords that say something and decide nothing. Everything else that is not handled is left
/// out: a keyword that is not known here might narrow.
fn is_annotation(keyword: &str) -> bool {
    matches!(keyword, "title" | "description" | "default" | "examples" | "example" | "deprecated" | "readOnly")
        || keyword.starts_with("x-")
}

/// Adds to the description what the schema no longer enforces.
fn describe(relaxed: &mut Map<String, Value>, schema: &Map<String, Value>) {
    let notes: Vec<String> = schema.iter().filter_map(|(keyword, value)| note(keyword, value)).collect();
    if notes.is_empty() {
        return;
    }
    let notes = notes.join("; ");
    let text = match relaxed.get("description").and_then(Value::as_str).map(str::trim) {
        Some(text) if !text.is_empty() => {
            let stop = if text.ends_with(['.', '!', '?', ':']) { "" } else { "." };
            format!("{text}{stop} Usually: {notes}.")
        }
        _ => format!("Usually: {notes}."),
    };
    relaxed.insert("description".into(), text.into());
}

fn note(keyword: &str, value: &Value) -> Option<String> {
    let plain = |words: &str| Some(format!("{words} {}", words_of(value)));
    match (keyword, value) {
        ("required", Value::Array(names)) if !names.is_empty() => {
            Some(format!("has {}", names.iter().map(words_of).collect::<Vec<_>>().join(", ")))
        }
        ("enum", Value::Array(values)) => {
            let named: Vec<_> = values.iter().take(MAX_NAMED).map(Value::to_string).collect();
            let more = values.len().saturating_sub(MAX_NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(format!("one of {}{more}", named.join(", ")))
        }
        ("const", value) => Some(format!("always {value}")),
        ("format", _) => plain("format"),
        ("pattern", _) => plain("matches"),
        ("contentEncoding", _) => plain("encoded as"),
        ("contentMediaType", _) => plain("holds"),
        ("minimum", Value::Number(_)) => plain("at least"),
        ("maximum", Value::Number(_)) => plain("at most"),
        ("exclusiveMinimum", Value::Number(_)) => plain("more than"),
        ("exclusiveMaximum", Value::Number(_)) => plain("less than"),
        ("multipleOf", _) => plain("a multiple of"),
        ("minLength", _) => plain("length at least"),
        ("maxLength", _) => plain("length at most"),
        ("minItems", _) => plain("elements at least"),
        ("maxItems", _) => plain("elements at most"),
        ("minProperties", _) => plain("members at least"),
        ("maxProperties", _) => plain("members at most"),
        ("uniqueItems", Value::Bool(true)) => Some("no element twice".into()),
        ("additionalProperties" | "unevaluatedProperties", Value::Bool(false)) => Some("no other members".into()),
        _ => None,
    }
}

fn words_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
