//! Schemas made of types: flat, self-contained, JSON Schema 2020-12.

use schemars::{
    JsonSchema, Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};

/// Collects the arguments of one tool into one flat object.
#[derive(Debug)]
pub(super) struct InputSchema {
    generator: SchemaGenerator,
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl InputSchema {
    pub(super) fn new() -> Self {
        Self { generator: generator(Contract::Deserialize), properties: Map::new(), required: Vec::new() }
    }

    /// Adds an argument of type `T`; its own description replaces the type's.
    pub(super) fn add<T: JsonSchema>(&mut self, name: &str, description: &str, required: bool, default: Option<Value>) {
        let mut schema = self.generator.subschema_for::<T>();
        let object = schema.ensure_object();
        object.insert("description".into(), description.into());
        if let Some(default) = default {
            object.insert("default".into(), default);
        }
        self.properties.insert(name.to_owned(), schema.to_value());
        if required {
            self.required.push(name.into());
        }
    }

    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut root = Map::new();
        root.insert("type".into(), "object".into());
        root.insert("properties".into(), Value::Object(self.properties));
        if !self.required.is_empty() {
            root.insert("required".into(), Value::Array(self.required));
        }
        root.insert("additionalProperties".into(), false.into());
        let definitions = self.generator.take_definitions(true);
        if !definitions.is_empty() {
            root.insert("$defs".into(), Value::Object(definitions));
        }
        root
    }
}

/// The input schema that `T`, a struct with named fields, reads: closed, as ours all are.
pub(super) fn input<T: JsonSchema>() -> Map<String, Value> {
    let mut root = root(generator(Contract::Deserialize).into_root_schema_for::<T>());
    root.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    root.entry("additionalProperties").or_insert(Value::Bool(false));
    root
}

/// The output schema that `T` writes.
pub(super) fn output<T: JsonSchema>() -> Map<String, Value> {
    let mut root = root(generator(Contract::Serialize).into_root_schema_for::<T>());
    if !root.contains_key("type") && only_objects(&root) {
        root.insert("type".into(), "object".into());
    }
    root
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
        settings.contract = contract;
    });
    settings.into_generator()
}

fn root(schema: Schema) -> Map<String, Value> {
    let mut root = match schema.to_value() {
        Value::Object(root) => root,
        _ => Map::new(),
    };
    root.shift_remove("$schema");
    root.shift_remove("title");
    root
}

/// Whether every alternative is an object, as those of an internally tagged enum are.
fn only_objects(schema: &Map<String, Value>) -> bool {
    ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword)?.as_array())
        .any(|alternatives| alternatives.iter().all(|one| one.get("type").and_then(Value::as_str) == Some("object")))
}
