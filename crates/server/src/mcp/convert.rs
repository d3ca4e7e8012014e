//! Between the core's types and rmcp's.

use bridgehead_core::{CallError, Content, Outcome, Refusal, ResourceBody, Tool, effects::answer::REPLAYED};
use rmcp::model::{
    CallToolResult, ClientCapabilities, ContentBlock, ErrorData, MetaObject, Resource, ResourceContents,
    ToolAnnotations,
};
use serde_json::{Map, Value, json};

/// A tool as `tools/list` shows it.
pub(super) fn tool(tool: &Tool) -> rmcp::model::Tool {
    let mut annotations =
        ToolAnnotations::new().read_only(tool.effect.is_read()).idempotent(tool.idempotent).open_world(tool.open_world);
    if !tool.effect.is_read() {
        annotations = annotations.destructive(tool.effect == bridgehead_core::Effect::Destructive);
    }
    let mut shown =
        rmcp::model::Tool::new(tool.wire_name.to_string(), tool.description.clone(), tool.input_schema.clone());
    shown.title.clone_from(&tool.title);
    shown.output_schema.clone_from(&tool.output_schema);
    shown.annotations = Some(annotations);
    shown
}

/// A result as `tools/call` answers it: where nothing but structured content was given, the same
/// JSON as text, for clients older than 2025-06-18.
pub(super) fn result(outcome: Outcome) -> CallToolResult {
    let mut blocks: Vec<_> = outcome.content.into_iter().map(content).collect();
    let structured = outcome.structured.map(Value::Object);
    if let (Some(value), true) = (&structured, blocks.is_empty()) {
        blocks.push(ContentBlock::text(value.to_string()));
    }
    let mut result = CallToolResult::success(blocks);
    result.structured_content = structured;
    result.meta = (!outcome.meta.is_empty()).then(|| meta(outcome.meta));
    result
}

/// A failed call: a JSON-RPC error where the request itself was wrong or the fault is ours, else a
/// result with `isError` that the agent can read.
pub(super) fn failure(error: &CallError, request_id: &str) -> Result<CallToolResult, ErrorData> {
    let object = error.to_object(request_id);
    let message = object.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
    match error {
        CallError::Refused(Refusal::UnknownTool { .. }) => {
            Err(ErrorData::invalid_params(message, Some(Value::Object(object))))
        }
        CallError::Refused(Refusal::ClientLacks { capability }) => Err(client_lacks(capability, message)),
        CallError::Internal(_) => Err(ErrorData::internal_error(message, Some(Value::Object(object)))),
        CallError::Refused(_)
        | CallError::Upstream(_)
        | CallError::InDoubt(_)
        | CallError::AnswerNotKept
        | CallError::Cancelled => {
            let mut result = CallToolResult::error(vec![ContentBlock::text(Value::Object(object.clone()).to_string())]);
            let mut members: Map<String, Value> =
                [("bridgehead/error".to_owned(), Value::Object(object))].into_iter().collect();
            if matches!(error, CallError::Upstream(failure) if failure.replayed) {
                members.insert(REPLAYED.into(), true.into());
            }
            result.meta = Some(meta(members));
            Ok(result)
        }
    }
}

fn client_lacks(capability: &str, message: String) -> ErrorData {
    let required = ClientCapabilities::default();
    let mut error = ErrorData::missing_required_client_capability(required);
    error.message = message.into();
    error.data = Some(json!({"requiredCapabilities": {capability: {}}}));
    error
}

fn meta(object: Map<String, Value>) -> MetaObject {
    MetaObject(object)
}

fn content(content: Content) -> ContentBlock {
    match content {
        Content::Text(text) => ContentBlock::text(text),
        Content::Image { data, mime_type } => ContentBlock::image(data, mime_type),
        Content::Audio { data, mime_type } => ContentBlock::audio(data, mime_type),
        Content::Resource { uri, mime_type, body } => {
            let mut contents = match body {
                ResourceBody::Text(text) => ResourceContents::text(text, uri),
                ResourceBody::Blob(blob) => ResourceContents::blob(blob, uri),
            };
            if let Some(mime_type) = mime_type {
                contents = contents.with_mime_type(mime_type);
            }
            ContentBlock::resource(contents)
        }
        Content::ResourceLink { uri, name, description, mime_type } => {
            let mut resource = Resource::new(uri, name);
            resource.description = description;
            resource.mime_type = mime_type;
            ContentBlock::resource_link(resource)
        }
    }
}
