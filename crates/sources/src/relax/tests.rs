//! Pairs of a schema and an instance that satisfies it are built together, so that every one
//! counts; what relaxing promises is then tried on all places of the instance.

use bridgehead_core::schema::Schema;
use proptest::prelude::*;

use super::*;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        (-1000_i64..1000).prop_map(|n| Value::from(n as f64 / 8.0)),
        "[a-z]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]|x~y|p/q", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Decides, step by step, which keywords a schema gets.
struct Choices<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Choices<'_> {
    fn of(&mut self, n: u8) -> u8 {
        self.0.next().unwrap() % n
    }
}

/// A schema that `value` satisfies, narrowed as `choices` say. Parts of it move to `definitions`.
fn schema_for(value: &Value, choices: &mut Choices, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = match value {
        Value::Null => json!({"type": "null"}),
        Value::Bool(_) => json!({"type": ["boolean", "string"]}),
        Value::Number(number) => {
            let n = number.as_f64().unwrap();
            match choices.of(4) {
                0 => json!({"type": "number", "minimum": n, "maximum": n}),
                1 => json!({"exclusiveMinimum": n - 1.0, "exclusiveMaximum": n + 1.0, "multipleOf": 0.125}),
                2 => json!({"not": {"type": ["string", "null"]}}),
                _ => json!({"type": "number", "format": "double"}),
            }
        }
        Value::String(text) => match choices.of(4) {
            0 => json!({"type": "string", "pattern": format!("^{text}$"), "minLength": text.len()}),
            1 => json!({"type": "string", "maxLength": text.len(), "format": "x"}),
            2 => json!({"if": {"type": "string"}, "then": {"maxLength": text.len()}, "else": false}),
            _ => json!({"type": "string", "propertyNames": false}),
        },
        Value::Array(elements) => schema_for_array(elements, choices, definitions),
        Value::Object(members) => schema_for_object(members, choices, definitions),
    };
    let object = schema.as_object_mut().unwrap();
    match choices.of(9) {
        0 => object.extend([("enum".to_owned(), json!([value, "other"]))]),
        1 => object.extend([("const".to_owned(), value.clone())]),
        2 => schema = json!({"oneOf": [schema, false, {"const": "never equal to anything above"}]}),
        3 => schema = json!({"anyOf": [false, schema], "description": "One of two"}),
        4 => schema = json!({"allOf": [schema, {"$comment": "all"}]}),
        5 => {
            let name = format!("n/{}", definitions.len());
            definitions.insert(name.clone(), schema);
            schema = json!({"$ref": pointer("$defs", &name)});
        }
        _ => {}
    }
    schema
}

fn schema_for_array(elements: &[Value], choices: &mut Choices, definitions: &mut Map<String, Value>) -> Value {
    let each: Vec<_> = elements.iter().map(|element| schema_for(element, choices, definitions)).collect();
    match choices.of(3) {
        0 if !each.is_empty() => json!({"type": "array", "prefixItems": each, "items": false}),
        1 if !each.is_empty() => json!({"type": "array", "items": {"anyOf": each}, "minItems": each.len()}),
        _ => json!({"type": "array", "maxItems": elements.len(), "unevaluatedItems": true}),
    }
}

fn schema_for_object(
    members: &Map<String, Value>,
    choices: &mut Choices,
    definitions: &mut Map<String, Value>,
) -> Value {
    let mut properties: Map<_, _> =
        members.iter().map(|(name, value)| (name.clone(), schema_for(value, choices, definitions))).collect();
    let names: Vec<_> = members.keys().cloned().collect();
    if choices.of(3) == 0 {
        properties.insert("new".into(), json!(false));
    }
    match choices.of(4) {
        0 => json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false}),
        1 => json!({"type": "object", "properties": properties, "unevaluatedProperties": false}),
        2 if !properties.is_empty() => {
            let any: Vec<_> = properties.values().cloned().collect();
            json!({"type": "object", "additionalProperties": {"anyOf": any}, "minProperties": names.len()})
        }
        _ => json!({"type": "object", "properties": properties, "maxProperties": names.len()}),
    }
}

/// All instances that differ from `value` in one place, which is null: a member, an element, or a
/// member that was not there.
fn with_one_null(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                for changed in with_one_null(element).into_iter().chain([Value::Null]) {
                    let mut elements = elements.clone();
                    elements[index] = changed;
                    found.push(Value::Array(elements));
                }
            }
        }
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("new".into(), Value::Null);
            found.push(Value::Object(more));
            for (name, member) in members {
                for changed in with_one_null(member).into_iter().chain([Value::Null]) {
                    let mut members = members.clone();
                    members[name] = changed;
                    found.push(Value::Object(members));
                }
            }
        }
        _ => {}
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// D3: whatever instance is valid stays valid, with nulls in any place, without any member
    /// and with others.
    #[test]
    fn what_was_valid_stays_valid(
        members in prop::collection::btree_map("[a-c]|x~y|p/q", any_json(), 0..4),
        choices in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let members: Map<_, _> = members.into_iter().collect();
        let mut definitions = Map::new();
        let mut schema = schema_for_object(&members, &mut Choices(choices.iter().cycle()), &mut definitions);
        schema["$defs"] = Value::Object(definitions);
        let schema = schema.as_object().unwrap();
        let instance = Value::Object(members.clone());
        prop_assert!(Schema::compile(schema).unwrap().accepts(&instance), "the test is wrong: {schema:?} {instance}");

        let relaxed_schema = relax(schema);
        prop_assert_eq!(&relaxed_schema["type"], "object");
        let relaxed = Schema::compile(&relaxed_schema).unwrap();
        prop_assert!(relaxed.accepts(&instance), "{relaxed_schema:?} {instance}");
        for changed in with_one_null(&instance) {
            prop_assert!(relaxed.accepts(&changed), "{relaxed_schema:?} {changed}");
        }
        for name in members.keys() {
            let mut fewer = members.clone();
            fewer.remove(name);
            prop_assert!(relaxed.accepts(&Value::Object(fewer)), "{relaxed_schema:?} without {name}");
        }
        // Relaxing what is relaxed changes no instance's fate either.
        prop_assert!(Schema::compile(&relax(&relaxed_schema)).unwrap().accepts(&instance));
    }
}

fn relaxed(schema: Value) -> Value {
    Value::Object(relax(schema.as_object().unwrap()))
}

#[test]
fn what_no_longer_narrows_stands_in_the_description() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "description": "One order",
        "required": ["id", "state"],
        "additionalProperties": false,
        "properties": {
            "id": {"type": "string", "format": "uuid", "description": "Its number."},
            "state": {"enum": ["open", "sent"]},
            "units": {"type": "integer", "minimum": 0, "maximum": 9},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "minItems": 1},
        },
        "$defs": {"line": {"type": "object", "required": ["sku"], "properties": {"sku": {"type": "string"}}}},
    });
    let expected = json!({
        "type": "object",
        "description": "One order. Usually: has id, state; no other members.",
        "properties": {
            "id": {"type": ["string", "null"], "description": "Its number. Usually: format uuid."},
            "state": {"description": "Usually: one of \"open\", \"sent\"."},
            "units": {"type": ["integer", "null"], "description": "Usually: at least 0; at most 9."},
            "lines": {
                "type": ["array", "null"],
                "items": {"$ref": "#/$defs/line"},
                "description": "Usually: elements at least 1.",
            },
        },
        "$defs": {
            "line": {
                "type": ["object", "null"],
                "properties": {"sku": {"type": ["string", "null"]}},
                "description": "Usually: has sku.",
            },
        },
    });
    assert_eq!(relaxed(schema), expected);
}

#[test]
fn a_reference_to_the_root_admits_null() {
    let schema = json!({
        "type": "object", "required": ["next"],
        "properties": {"next": {"$ref": "#"}, "previous": {"allOf": [{"$ref": "#"}], "type": "object"}},
    });
    let relaxed = Schema::compile(relaxed(schema).as_object().unwrap()).unwrap();
    assert!(relaxed.accepts(&json!({"next": {"next": null, "previous": null}})));
    assert!(!relaxed.accepts(&json!({"next": 7})), "nesting stays");
}

#[test]
fn references_that_relaxing_could_break_are_left_out() {
    let schema = json!({
        "type": "object",
        "properties": {
            "a": {"$ref": "#/oneOf/0"}, "b": {"$ref": "#anchor"}, "c": {"$ref": "https://example.com/x"},
            "d": {"$id": "https://example.com/y", "properties": {"e": {"$ref": "#/$defs/f"}}},
        },
        "$defs": {"f": {"$anchor": "anchor", "const": 1}},
        "oneOf": [{"properties": {"a": {"const": 1}}}],
    });
    let schema = relaxed(schema);
    let compiled = Schema::compile(schema.as_object().unwrap()).unwrap();
    assert!(compiled.accepts(&json!({"a": 2, "b": 2, "c": 2, "d": {"e": 2}})), "{schema}");
}

#[test]
fn tuples_of_older_drafts_become_prefix_items() {
    let schema = relaxed(json!({
        "type": ["object", "null"],
        "properties": {"pair": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}},
    }));
    assert_eq!(schema["type"], "object");
    assert_eq!(
        schema["properties"]["pair"]["prefixItems"],
        json!([{"type": ["string", "null"]}, {"type": ["integer", "null"]}])
    );
}

#[test]
fn long_lists_of_values_are_counted() {
    let schema = relaxed(json!({"type": "object", "properties": {"n": {"enum": (0..100).collect::<Vec<_>>()}}}));
    assert!(schema["properties"]["n"]["description"].as_str().unwrap().ends_with("39 and 60 more."));
}
