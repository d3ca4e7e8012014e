//! What the suite calls. Names, texts and behaviour are the suite's; nothing here is an example
//! of a good tool.

use std::time::Duration;

use bridgehead::{Content, Context, LogLevel, NativeTool, Outcome, ResourceBody, ToolError, tools};
use serde_json::{Value, json};
use tokio::time::Instant;

/// One red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
/// A WAV file without a sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA=";

/// The tools that are plain functions.
pub(crate) struct ConformanceTools;

fn image() -> Content {
    Content::Image { data: PNG.to_owned(), mime_type: "image/png".to_owned() }
}

fn resource(uri: &str, mime_type: &str, text: &str) -> Content {
    Content::Resource {
        uri: uri.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        body: ResourceBody::Text(text.to_owned()),
    }
}

/// The suite wants some time between notifications.
#[expect(clippy::disallowed_methods, reason = "the suite measures real time")]
async fn pause() {
    tokio::time::sleep_until(Instant::now() + Duration::from_millis(50)).await;
}

#[tools]
impl ConformanceTools {
    /// Returns one line of text.
    #[tool(read)]
    async fn test_simple_text(&self) -> &'static str {
        "This is a simple text response for testing."
    }

    /// Returns one picture.
    #[tool(read)]
    async fn test_image_content(&self) -> Content {
        image()
    }

    /// Returns one sound.
    #[tool(read)]
    async fn test_audio_content(&self) -> Content {
        Content::Audio { data: WAV.to_owned(), mime_type: "audio/wav".to_owned() }
    }

    /// Returns a resource along with the answer.
    #[tool(read)]
    async fn test_embedded_resource(&self) -> Content {
        resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    }

    /// Returns text, a picture and a resource.
    #[tool(read)]
    async fn test_multiple_content_types(&self) -> Vec<Content> {
        let data = json!({"test": "data", "value": 123}).to_string();
        vec![
            Content::Text("Multiple content types test:".to_owned()),
            image(),
            resource("test://mixed-content-resource", "application/json", &data),
        ]
    }

    /// Always fails.
    #[tool(read)]
    async fn test_error_handling(&self) -> Result<String, ToolError> {
        Err(ToolError::new("This tool intentionally returns an error for testing"))
    }

    /// Reports progress three times before it returns.
    #[tool(read)]
    async fn test_tool_with_progress(&self, context: Context) -> &'static str {
        for step in [0.0, 50.0, 100.0] {
            context.progress(step, Some(100.0), None).await;
            pause().await;
        }
        "Progress complete"
    }

    /// Logs three lines to the client before it returns.
    #[tool(read)]
    async fn test_tool_with_logging(&self, context: Context) -> &'static str {
        for line in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
            context.log(LogLevel::Info, line).await;
            pause().await;
        }
        "Logging complete"
    }

    /// Logs one line, which only a client hears that asked for it.
    #[tool(read)]
    async fn test_logging_tool(&self, context: Context) -> &'static str {
        context.log(LogLevel::Info, "A line for those who listen").await;
        "Logged"
    }

    /// Needs a client that can sample.
    #[tool(read)]
    async fn test_missing_capability(&self, context: Context) -> Result<&'static str, ToolError> {
        context.require_client_capability("sampling")?;
        Ok("The client can sample")
    }

    /// Answers plainly, without asking the client anything.
    #[tool(read)]
    async fn test_streaming_elicitation(&self) -> &'static str {
        "Nothing was asked"
    }
}

/// A tool whose schema uses what JSON Schema 2020-12 has beyond plain properties.
pub(crate) fn json_schema_2020_12() -> NativeTool {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    });
    echo("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features", schema)
}

/// A tool one of whose arguments travels in a header as well (MCP 2026-07-28, `x-mcp-header`).
pub(crate) fn header_parameter() -> NativeTool {
    let schema = json!({
        "type": "object",
        "properties": {"region": {"type": "string", "description": "Where to look", "x-mcp-header": "Region"}},
        "required": ["region"],
        "additionalProperties": false,
    });
    echo("test_header_param", "Returns the region it was given, in body and header alike.", schema)
}

fn echo(name: &str, description: &str, schema: Value) -> NativeTool {
    NativeTool::builder(name).description(description).read().input_schema_raw(schema).context_handler(
        |context: Context| async move {
            Ok::<_, ToolError>(Outcome::text(Value::Object(context.arguments().clone()).to_string()))
        },
    )
}
