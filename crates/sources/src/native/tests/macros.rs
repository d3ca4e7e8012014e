//! What `#[tool]` and `#[tools]` make (S4).

use std::collections::BTreeMap;

use bridgehead_core::{Effect, LogLevel, Notification, Refusal};
use bridgehead_macros::{tool, tools};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{super::*, Bench, object};

#[derive(Serialize, JsonSchema)]
struct Sum {
    /// Left and right together.
    sum: i64,
    note: Option<String>,
}

/// Adds two numbers.
///
/// Use it when exact arithmetic is needed.
#[tool(read, crate = crate)]
async fn add(
    /// First summand.
    left: i64,
    /// Second summand,
    /// 0 without it.
    right: Option<i64>,
) -> Json<Sum> {
    Json(Sum { sum: left + right.unwrap_or(0), note: None })
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Colour {
    Red,
    Blue,
}

#[derive(Deserialize, JsonSchema)]
struct Line {
    /// Stock keeping unit.
    sku: String,
    units: u32,
}

/// Puts an order together.
#[tool(write, idempotent, open_world, name = "order", title = "Order", scope = "orders:write", crate = crate)]
fn put_order(
    /// What to order.
    lines: Vec<Line>,
    /// Paint.
    colour: Option<Colour>,
    /// How often.
    #[tool(default = 3)]
    times: u8,
    context: &Context,
    /// Labels by name.
    r#type: Option<BTreeMap<String, String>>,
) -> Result<String, ToolError> {
    let colour = match colour {
        Some(Colour::Red) => "red",
        Some(Colour::Blue) => "blue",
        None => "plain",
    };
    let units: u32 = lines.iter().map(|line| line.units).sum();
    if lines.iter().any(|line| line.sku.is_empty()) {
        return Err(ToolError::rejected("Every line needs a sku."));
    }
    let labels = r#type.map_or(0, |labels| labels.len());
    Ok(format!("{}: {units} {colour} x{times} +{labels}", context.caller().subject))
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    name: String,
    children: Vec<Tree>,
}

/// Counts the nodes of a tree.
#[tool(read, crate = crate)]
async fn count(
    /// The tree.
    tree: Tree,
) -> Json<Tree> {
    Json(tree)
}

/// Fails as it is told.
#[tool(destructive, crate = crate)]
async fn fail(
    /// What to parse.
    text: String,
) -> Result<(), std::num::ParseIntError> {
    text.parse::<i32>().map(drop)
}

struct Shelf {
    units: i64,
}

#[tools(crate = crate)]
impl Shelf {
    fn helper(&self) -> i64 {
        self.units
    }

    /// Units on the shelf.
    #[tool(read)]
    async fn units(&self) -> String {
        self.helper().to_string()
    }

    /// Works for a while and says how far it is.
    #[tool(read)]
    async fn work(
        &self,
        context: Context,
        /// How many steps.
        argument_0: u32,
    ) -> &'static str {
        for step in 1..=argument_0 {
            context.progress(f64::from(step), Some(f64::from(argument_0)), Some("working")).await;
        }
        context.log(LogLevel::Info, "done").await;
        "worked"
    }
}

fn bench() -> Bench {
    Bench::of(NativeSource::new([add(), put_order(), count(), fail()]))
}

/// D1, D2: doc comments are descriptions, types are flat schemas.
#[test]
fn arguments_are_siblings_with_descriptions() {
    let bench = bench();
    assert_eq!(bench.names(), ["add", "order", "count", "fail"]);
    let tool = bench.tool("add");
    assert_eq!(tool.description, "Adds two numbers.\n\nUse it when exact arithmetic is needed.");
    assert_eq!((tool.effect, tool.idempotent, tool.open_world), (Effect::Read, true, false));
    let expected = json!({
        "type": "object",
        "properties": {
            "left": {"type": "integer", "format": "int64", "description": "First summand."},
            "right": {"type": ["integer", "null"], "format": "int64", "description": "Second summand,\n0 without it."},
        },
        "required": ["left"],
        "additionalProperties": false,
    });
    assert_eq!(Value::Object((*tool.input_schema).clone()), expected);
}

#[test]
fn nested_types_enums_and_defaults_are_inline() {
    let bench = bench();
    let tool = bench.tool("order");
    assert_eq!((tool.effect, tool.idempotent, tool.open_world), (Effect::Write, true, true));
    assert_eq!((tool.title.as_deref(), tool.scope.as_str()), (Some("Order"), "orders:write"));
    let expected = json!({
        "type": "object",
        "properties": {
            "lines": {
                "type": "array",
                "description": "What to order.",
                "items": {
                    "type": "object",
                    "properties": {
                        "sku": {"type": "string", "description": "Stock keeping unit."},
                        "units": {"type": "integer", "format": "uint32", "minimum": 0},
                    },
                    "required": ["sku", "units"],
                },
            },
            "colour": {"type": ["string", "null"], "enum": ["red", "blue", null], "description": "Paint."},
            "times": {
                "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255, "default": 3,
                "description": "How often.",
            },
            "type": {
                "type": ["object", "null"], "additionalProperties": {"type": "string"},
                "description": "Labels by name.",
            },
        },
        "required": ["lines"],
        "additionalProperties": false,
    });
    assert_eq!(Value::Object((*tool.input_schema).clone()), expected);
}

/// D3: the output schema is made of the type; every member is there, null where there is nothing.
#[test]
fn the_output_schema_says_what_is_written() {
    let bench = bench();
    let schema = bench.tool("add").output_schema.as_ref().unwrap();
    let mut schema = Value::Object((**schema).clone());
    schema["properties"].as_object_mut().unwrap().remove("_omitted");
    let expected = json!({
        "type": "object",
        "properties": {
            "sum": {"type": "integer", "format": "int64", "description": "Left and right together."},
            "note": {"type": ["string", "null"]},
        },
        "required": ["sum", "note"],
    });
    assert_eq!(schema, expected);
    assert!(bench.tool("order").output_schema.is_none());
}

#[test]
fn a_recursive_type_refers_to_itself_within_the_schema() {
    let bench = bench();
    let tool = bench.tool("count");
    let reference = &tool.input_schema["properties"]["tree"]["properties"]["children"]["items"]["$ref"];
    assert_eq!(reference, "#/$defs/Tree");
    assert_eq!(tool.input_schema["$defs"]["Tree"]["type"], "object");
    assert!(tool.output_schema.is_some());
}

#[tokio::test]
async fn tools_are_called_with_their_arguments() {
    let bench = bench();
    assert_eq!(bench.structured("add", json!({"left": 40, "right": 2})).await, json!({"sum": 42, "note": null}));
    assert_eq!(bench.structured("add", json!({"left": 40})).await["sum"], 40);
    assert_eq!(bench.structured("add", json!({"left": 40, "right": null})).await["sum"], 40);
    let lines = json!([{"sku": "A-1", "units": 2}, {"sku": "A-2", "units": 3}]);
    let outcome = bench.run("order", json!({"lines": lines, "colour": "blue", "type": {"a": "b"}})).await.unwrap();
    assert_eq!(outcome, Outcome::text("anonymous: 5 blue x3 +1"));
    let outcome = bench.run("order", json!({"lines": [], "times": 9})).await.unwrap();
    assert_eq!(outcome, Outcome::text("anonymous: 0 plain x9 +0"));
    let tree = json!({"tree": {"name": "a", "children": [{"name": "b", "children": []}]}});
    assert_eq!(bench.structured("count", tree.clone()).await, tree["tree"]);
}

/// D4: every bad argument has its path.
#[tokio::test]
async fn bad_arguments_are_named() {
    let bench = bench();
    let error = bench.run("order", json!({"lines": [{"sku": 7, "units": 1}], "colr": "red"})).await.unwrap_err();
    assert_eq!(error.code(), "invalid_arguments");
    let details = error.details().unwrap();
    let paths: Vec<_> = details["faults"].as_array().unwrap().iter().map(|fault| fault["path"].clone()).collect();
    assert!(paths.contains(&json!("/lines/0/sku")) && paths.contains(&json!("")), "{details}");
    // Fits the schema and still is no i64.
    let error = bench.run("add", json!({"left": 1e300})).await.unwrap_err();
    let CallErrorPath(path) = path(&error);
    assert_eq!(path, "/left");
}

struct CallErrorPath(String);

fn path(error: &bridgehead_core::CallError) -> CallErrorPath {
    match error {
        bridgehead_core::CallError::Refused(Refusal::InvalidArguments(faults)) => CallErrorPath(faults[0].path.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn failures_keep_their_kind_and_their_secrets() {
    let bench = bench();
    let error = bench.run("order", json!({"lines": [{"sku": "", "units": 1}]})).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("upstream_rejected", "Every line needs a sku."));
    let error = bench.run("fail", json!({"text": "seven"})).await.unwrap_err();
    assert_eq!(error.code(), "upstream_failed");
    assert!(!error.to_string().contains("digit"), "{error}");
    assert_eq!(bench.run("fail", json!({"text": "7"})).await.unwrap(), Outcome::text("Done."));
}

#[tokio::test]
async fn the_tools_of_a_toolbox_share_it_and_report_how_far_they_are() {
    let bench = Bench::of(NativeSource::of(Shelf { units: 12 }));
    assert_eq!(bench.names(), ["units", "work"]);
    assert_eq!(object(Value::Object((*bench.tool("work").input_schema).clone()))["required"], json!(["argument_0"]));
    assert_eq!(bench.run("units", json!({})).await.unwrap(), Outcome::text("12"));
    assert_eq!(bench.run("work", json!({"argument_0": 2})).await.unwrap(), Outcome::text("worked"));
    let step = |progress| Notification::Progress { progress, total: Some(2.0), message: Some("working".into()) };
    let log = Notification::Log { level: LogLevel::Info, logger: Some("work".into()), data: json!("done") };
    assert_eq!(bench.heard.all(), [step(1.0), step(2.0), log]);
}
