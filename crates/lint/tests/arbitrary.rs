//! Whatever stands in a tool, the linter looks at it without a panic and gives a grade; the same tool gets
//! the same one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "these are tests")]

use bridgehead_lint::{Subject, lint};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Words that mean something to the rules, and any text.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "type",
        "object",
        "array",
        "string",
        "integer",
        "properties",
        "items",
        "enum",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "#/$defs/a",
        "#",
        "$defs",
        "description",
        "required",
        "pattern",
        "default",
        "examples",
        "const",
        "not",
        "format",
        "delete_x",
        "amount",
        "date",
        "body",
        "One of: `a`, ",
        "<!--",
        "://a:b@",
        "\u{E0041}",
        "<p>",
        "`",
        "…",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

/// Any JSON whose members look like those of a schema.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        word().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 80, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((word(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((word(), json_value()), 0..8).prop_map(|members| members.into_iter().collect())
}

proptest! {
    #[test]
    fn any_tool_gets_a_grade(name in word(), description in word(), input in object(), properties in object(), output in object()) {
        let mut input = input;
        input.insert("properties".into(), properties.into());
        let tool = json!({
            "name": name, "description": description, "title": description, "inputSchema": input, "outputSchema": output,
        });
        let subject = Subject::from_wire(&tool).unwrap();
        let both = [subject.clone(), subject];
        let (first, second) = (lint(&both), lint(&both));
        prop_assert!(first.tools.iter().all(|tool| tool.points <= 100));
        prop_assert_eq!(first.tools[0].grade, second.tools[0].grade);
        // Every finding points at something that reads as a JSON Pointer.
        for finding in first.tools.iter().flat_map(|tool| &tool.findings) {
            prop_assert!(finding.at.is_empty() || finding.at.starts_with('/'));
            prop_assert!(!finding.message.is_empty() && !finding.mend.text.is_empty());
        }
    }

    #[test]
    fn anything_is_a_tool_or_is_refused(value in json_value()) {
        if let Ok(subject) = Subject::from_wire(&value) {
            prop_assert_eq!(lint(&[subject]).tools.len(), 1);
        }
    }
}

/// As deep as a parser lets through.
#[test]
fn deep_schemas_are_looked_into_as_far_as_it_makes_sense() {
    let deep =
        (0..100).fold(json!({"type": "string"}), |inner, _| json!({"type": "object", "properties": {"a": inner}}));
    let loops =
        json!({"type": "object", "properties": {"a": {"$ref": "#/properties/a"}, "b": {"$ref": "#/properties/a"}}});
    for schema in [deep, loops] {
        let tool = json!({"name": "deep", "description": "Looks into the deep.", "inputSchema": schema});
        assert_eq!(lint(&[Subject::from_wire(&tool).unwrap()]).tools.len(), 1);
    }
}
