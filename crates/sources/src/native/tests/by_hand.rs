//! What the builder can express: the tools that the MCP conformance suite asks for, among others.

use std::sync::Arc;

use bridgehead_core::{Catalog, LogLevel, Notification, Policies, Refusal, catalog::NamedSource};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{super::*, Bench, object};

fn simple(name: &str) -> NativeToolBuilder<Stated> {
    NativeTool::builder(name).description("Does what the conformance suite asks for.").read()
}

fn resource(uri: &str, mime_type: &str, text: &str) -> Content {
    Content::Resource { uri: uri.into(), mime_type: Some(mime_type.into()), body: ResourceBody::Text(text.into()) }
}

fn conformance() -> Bench {
    let text = simple("test_simple_text").handler(|_, _| async { "This is a simple text response for testing." });
    let mixed = simple("test_multiple_content_types").handler(|_, _| async {
        vec![
            Content::Text("Multiple content types test:".into()),
            image(b"png", "image/png"),
            audio(b"wav", "audio/wav"),
            resource("test://mixed", "application/json", "{}"),
        ]
    });
    let error = simple("test_error_handling")
        .handler(|_, _| async { Err::<(), _>(ToolError::new("This tool intentionally returns an error")) });
    let progress = simple("test_tool_with_progress").handler(|context, _| async move {
        for done in [0.0, 50.0, 100.0] {
            context.progress(done, Some(100.0), None).await;
        }
        context.log(LogLevel::Info, json!({"said": "so"})).await;
        "done"
    });
    let missing = simple("test_missing_capability").handler(|context, _| async move {
        context.require_client_capability("sampling")?;
        Ok::<_, ToolError>("sampled")
    });
    let raw = simple("json_schema_2020_12_tool").input_schema_raw(raw_schema()).handler(|_, _| async {});
    let header = simple("test_header_param")
        .input_schema_raw(json!({
            "type": "object", "required": ["region"],
            "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        }))
        .handler(|_, arguments| async move { arguments["region"].as_str().unwrap_or_default().to_owned() });
    Bench::of(NativeSource::new([text, mixed, error, progress, missing, raw, header]))
}

fn raw_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}}}},
        "properties": {"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"}},
        "allOf": [{"anyOf": [{"required": ["name"]}, {"required": ["address"]}]}],
        "if": {"required": ["name"]}, "then": {"required": ["address"]}, "else": true,
        "additionalProperties": false,
    })
}

#[tokio::test]
async fn every_kind_of_content_can_be_given_back() {
    let bench = conformance();
    let outcome = bench.run("test_simple_text", json!({})).await.unwrap();
    assert_eq!(outcome.content, [Content::Text("This is a simple text response for testing.".into())]);
    let outcome = bench.run("test_multiple_content_types", json!({})).await.unwrap();
    assert_eq!(outcome.content[1], Content::Image { data: "cG5n".into(), mime_type: "image/png".into() });
    assert_eq!(outcome.content[2], Content::Audio { data: "d2F2".into(), mime_type: "audio/wav".into() });
    assert_eq!(outcome.content[3], resource("test://mixed", "application/json", "{}"));
    let error = bench.run("test_error_handling", json!({})).await.unwrap_err();
    assert_eq!(error.to_string(), "This tool intentionally returns an error");
}

#[tokio::test]
async fn progress_and_logs_reach_the_client_in_order() {
    let bench = conformance();
    bench.run("test_tool_with_progress", json!({})).await.unwrap();
    let step = |progress| Notification::Progress { progress, total: Some(100.0), message: None };
    let log = Notification::Log {
        level: LogLevel::Info,
        logger: Some("test_tool_with_progress".into()),
        data: json!({"said": "so"}),
    };
    assert_eq!(bench.heard.all(), [step(0.0), step(50.0), step(100.0), log]);
}

#[tokio::test]
async fn a_tool_can_ask_what_the_client_is_capable_of() {
    let bench = conformance();
    let error = bench.run("test_missing_capability", json!({})).await.unwrap_err();
    assert!(matches!(
        &error,
        bridgehead_core::CallError::Refused(Refusal::ClientLacks { capability }) if capability == "sampling"
    ));
    let mut call = bench.call("test_missing_capability", json!({}));
    call.client_capabilities = Arc::new(object(json!({"sampling": {}})));
    assert_eq!(bench.pipeline.run(&bench.catalog, call).await.unwrap(), Outcome::text("sampled"));
}

#[tokio::test]
async fn a_raw_schema_goes_out_word_for_word() {
    let bench = conformance();
    assert_eq!(Value::Object((*bench.tool("json_schema_2020_12_tool").input_schema).clone()), raw_schema());
    let schema = &bench.tool("test_header_param").input_schema;
    assert_eq!(schema["properties"]["region"]["x-mcp-header"], "Region");
    assert_eq!(bench.run("test_header_param", json!({"region": "eu"})).await.unwrap(), Outcome::text("eu"));
}

#[derive(Deserialize, JsonSchema)]
struct Find {
    /// Stock keeping unit.
    sku: String,
    /// How many at most.
    limit: Option<u32>,
}

#[tokio::test]
async fn a_struct_can_be_the_arguments() {
    let find = simple("find").typed_handler(|_, find: Find| async move { format!("{} {:?}", find.sku, find.limit) });
    let bench = Bench::of(NativeSource::new([find]));
    let expected = json!({
        "type": "object",
        "properties": {
            "sku": {"type": "string", "description": "Stock keeping unit."},
            "limit": {"type": ["integer", "null"], "format": "uint32", "minimum": 0, "description": "How many at most."},
        },
        "required": ["sku"],
        "additionalProperties": false,
    });
    assert_eq!(Value::Object((*bench.tool("find").input_schema).clone()), expected);
    assert_eq!(bench.run("find", json!({"sku": "A", "limit": 2})).await.unwrap(), Outcome::text("A Some(2)"));
}

/// D1, D3: what an agent could not use is refused when the catalog is built.
#[test]
fn the_catalog_refuses_what_an_agent_could_not_use() {
    let silent = NativeTool::builder("silent").read().handler(|_, _| async {});
    let list = simple("list").handler(|_, _| async { Json(vec![1, 2]) });
    let raw = simple("raw").input_schema_raw(json!([])).handler(|_, _| async {});
    let twice = [simple("twice").handler(|_, _| async {}), simple("twice").handler(|_, _| async {})];
    let source = NativeSource::new([silent, list, raw].into_iter().chain(twice));
    let named = NamedSource { name: "t".into(), prefix: String::new(), source: Arc::new(source) };
    let faults = Catalog::build(vec![named], &Policies::default()).err().unwrap();
    let of = |tool: &str| faults.iter().find(|fault| &*fault.address.tool == tool).unwrap().message.clone();
    assert!(of("silent").contains("no description"));
    assert!(of("list").contains("Wrap the result in an object"));
    assert!(of("raw").contains("type: object"));
    assert!(of("twice").contains("rename one tool"));
}

#[tokio::test]
async fn tagged_enums_are_objects_whatever_the_variant() {
    #[derive(serde::Serialize, JsonSchema)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Answer {
        Found { units: u32 },
        Gone,
    }
    let tool = simple("find").argument::<bool>("gone", "Whether it is gone.").handler(|context, _| async move {
        let gone: bool = context.argument("gone")?;
        Ok::<_, ToolError>(Json(if gone { Answer::Gone } else { Answer::Found { units: 3 } }))
    });
    let bench = Bench::of(NativeSource::new([tool]));
    assert_eq!(bench.structured("find", json!({"gone": false})).await, json!({"kind": "found", "units": 3}));
    assert_eq!(bench.structured("find", json!({"gone": true})).await, json!({"kind": "gone"}));
}
