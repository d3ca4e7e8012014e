//! The JSON Schema of the configuration (2020-12), generated from the [`raw`](super::raw) structs,
//! and questions about it. It has no references and admits no null, as TOML has none.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::{
    fault::{KeyPath, Step},
    raw::RawConfig,
};

/// The schema as `bridgehead config schema` prints it.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

/// The schema.
#[must_use]
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let settings = SchemaSettings::draft2020_12().for_deserialize().with(|s| s.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>().to_value();
        tidy(&mut schema);
        let mut first = Map::new();
        for key in ["$schema", "title", "description"] {
            first.extend(schema.get(key).map(|value| (key.to_owned(), value.clone())));
        }
        // A key that is there already keeps its place.
        first.extend(schema.as_object().cloned().unwrap_or_default());
        Value::Object(first)
    })
}

/// The schemas of what may stand at `path`. Where a source's `type` is known from `tree`, only
/// those of that type; several otherwise. None where nothing may stand.
#[must_use]
pub fn at<'s>(path: &KeyPath, tree: &Value) -> Vec<&'s Value> {
    let mut nodes = vec![document()];
    let mut instance = Some(tree);
    for step in path.steps() {
        nodes = nodes.into_iter().flat_map(|node| branches(node, instance)).filter_map(|n| child(n, step)).collect();
        instance = instance.and_then(|value| match step {
            Step::Key(key) => value.get(&**key),
            Step::Index(index) => value.get(index),
        });
    }
    nodes.into_iter().flat_map(|node| branches(node, instance)).collect()
}

/// The alternatives a schema gives: those that agree with the `type` of `instance`, where it has one.
#[must_use]
pub fn branches<'s>(node: &'s Value, instance: Option<&Value>) -> Vec<&'s Value> {
    let Some(alternatives) = node.get("oneOf").or_else(|| node.get("anyOf")).and_then(Value::as_array) else {
        return vec![node];
    };
    let kind = instance.and_then(|value| value.get("type"));
    let agrees = |branch: &&Value| match (type_const(branch), kind) {
        (Some(expected), Some(kind)) => expected == kind,
        _ => true,
    };
    alternatives.iter().filter(agrees).flat_map(|branch| branches(branch, instance)).collect()
}

/// The value of `type` that a branch is for.
#[must_use]
pub fn type_const(branch: &Value) -> Option<&Value> {
    branch.pointer("/properties/type/const")
}

/// The keys that may stand in a table of this schema, where they are not the operator's to choose.
pub fn known_keys(node: &Value) -> impl Iterator<Item = &str> {
    node.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str)
}

/// The settings whose last key is `key` and that have one fixed place, the shallowest first.
#[must_use]
pub fn paths_ending_in(key: &str) -> Vec<String> {
    fn walk(node: &Value, path: &KeyPath, key: &str, found: &mut Vec<KeyPath>) {
        for (name, child) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = path.key(name);
            walk(child, &path, key, found);
            if name == key {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(document(), &KeyPath::root(), key, &mut found);
    found.sort_by_key(|path| path.steps().len());
    found.iter().map(KeyPath::to_string).collect()
}

fn child<'s>(node: &'s Value, step: &Step) -> Option<&'s Value> {
    static ANYTHING: Value = Value::Bool(true);
    match step {
        Step::Index(_) => node.get("items"),
        Step::Key(key) => match node.get("properties").and_then(|properties| properties.get(&**key)) {
            Some(property) => Some(property),
            None => node.get("additionalProperties").filter(|rest| **rest != json!(false)),
        },
    }
    .or_else(|| (node.as_bool() == Some(true) || node.as_object().is_some_and(is_free)).then_some(&ANYTHING))
}

/// Whether a schema says nothing about what is inside of its values.
fn is_free(node: &Map<String, Value>) -> bool {
    !["type", "enum", "const", "properties", "items"].iter().any(|keyword| node.contains_key(*keyword))
}

/// Puts the generated schema into a plainer form: no null, an `enum` for named values with their
/// meaning in the description, no formats that only Rust knows.
fn tidy(node: &mut Value) {
    match node {
        Value::Array(nodes) => nodes.iter_mut().for_each(tidy),
        Value::Object(map) => {
            without_null(map);
            named_values(map);
            if map.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
                map.remove("format");
            }
            if map.get("default").is_some_and(|default| default.is_null() || *default == json!({})) {
                map.remove("default");
            }
            for keyword in ["items", "additionalProperties", "anyOf", "oneOf"] {
                map.get_mut(keyword).into_iter().for_each(tidy);
            }
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                properties.values_mut().for_each(tidy);
            }
        }
        _ => {}
    }
}

fn without_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".into(), only);
        }
    }
    let Some(Value::Array(branches)) = map.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = branches.as_slice() {
        let only = only.clone();
        map.remove("anyOf");
        for (key, value) in only {
            map.entry(key).or_insert(value);
        }
    }
}

fn named_values(map: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = map.get("oneOf") else { return };
    let mut names = Vec::new();
    let mut meanings = Vec::new();
    for branch in branches {
        let Some(name) = branch.get("const") else { return };
        if let (Some(name), Some(meaning)) = (name.as_str(), branch.get("description").and_then(Value::as_str)) {
            meanings.push(format!("`{name}`: {meaning}"));
        }
        names.push(name.clone());
    }
    map.remove("oneOf");
    map.insert("type".into(), "string".into());
    map.insert("enum".into(), names.into());
    let description = map.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = format!("{description} {}", meanings.join(" ")).trim().to_owned();
    map.insert("description".into(), description.into());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schema of the configuration, as it is published.
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/bridgehead.schema.json");

    #[test]
    fn the_published_schema_is_up_to_date() {
        let published = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(
            published == text(),
            "bridgehead.schema.json is not what the code says; write it anew with\n  cargo xtask generate",
        );
    }

    #[test]
    fn the_schema_is_plain() {
        let text = text();
        assert!(!text.contains("null\"") && !text.contains("$ref"));
        assert!(jsonschema::draft202012::meta::is_valid(document()));
    }

    #[test]
    fn a_path_leads_to_its_schema() {
        let tree = json!({"sources": {"stock": {"type": "sql"}}});
        let sql = KeyPath::of(["sources", "stock", "tools", "find"]);
        assert_eq!(at(&sql.key("sql"), &tree).len(), 1);
        assert!(at(&sql.key("sqll"), &tree).is_empty());
        assert_eq!(at(&sql.dotted("parameters.sku.default.deep"), &tree).len(), 1);
        assert_eq!(at(&KeyPath::of(["auth", "mode"]), &tree).len(), 2);
        assert_eq!(at(&KeyPath::of(["sources", "new", "url"]), &tree).len(), 2);
    }
}
