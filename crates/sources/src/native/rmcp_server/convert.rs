//! Between the terms of `rmcp` and ours.

use bridgehead_core::{
    ArgumentFault, CallError, Content, Effect, Fault, LogLevel, Notification, Outcome, Refusal, ResourceBody, ToolSpec,
    UpstreamCode, UpstreamFailure, Verdict,
};
use rmcp::model::{
    CallToolResult, ContentBlock, ErrorCode, ErrorData, LoggingLevel, ResourceContents, ServerNotification,
    ServerResult, Tool,
};
use serde_json::{Map, Value};

use crate::native::relax::relax;

pub(super) fn tool_spec(tool: &Tool) -> ToolSpec {
    let annotations = tool.annotations.clone().unwrap_or_default();
    let effect = match (annotations.read_only_hint, annotations.destructive_hint) {
        (Some(true), _) => Effect::Read,
        (_, Some(false)) => Effect::Write,
        _ => Effect::Destructive,
    };
    let title = tool.title.clone().or(annotations.title);
    let description = match tool.description.as_deref().map(str::trim) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => format!("{} (the server gives no description of this tool)", title.as_deref().unwrap_or(&tool.name)),
    };
    ToolSpec {
        name: tool.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect(),
        title,
        description,
        input_schema: input_schema(&tool.input_schema),
        output_schema: tool.output_schema.as_deref().and_then(output_schema),
        effect,
        idempotent: effect.is_read() || annotations.idempotent_hint.unwrap_or(false),
        open_world: annotations.open_world_hint.unwrap_or(true),
        scope: None,
        // The server may ask who calls.
        per_caller: true,
        upstream_idempotency_header: None,
    }
}

/// As given, but `{}`, which some servers write for a tool without arguments, becomes an object.
fn input_schema(schema: &Map<String, Value>) -> Map<String, Value> {
    let mut schema = schema.clone();
    schema.entry("type").or_insert_with(|| "object".into());
    schema.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    schema
}

/// A structured result of ours is an object; where the server's may be something else, it is text
/// without a schema.
fn output_schema(schema: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut schema = relax(schema);
    if schema.contains_key("properties") {
        schema.entry("type").or_insert_with(|| "object".into());
    }
    (schema.get("type").and_then(Value::as_str) == Some("object")).then_some(schema)
}

pub(super) fn notification(notification: ServerNotification) -> Option<Notification> {
    match notification {
        ServerNotification::ProgressNotification(notification) => {
            let params = notification.params;
            Some(Notification::Progress { progress: params.progress, total: params.total, message: params.message })
        }
        ServerNotification::LoggingMessageNotification(notification) => {
            let params = notification.params;
            Some(Notification::Log { level: level(params.level), logger: params.logger, data: params.data })
        }
        _ => None,
    }
}

const fn level(level: LoggingLevel) -> LogLevel {
    match level {
        LoggingLevel::Debug => LogLevel::Debug,
        LoggingLevel::Info => LogLevel::Info,
        LoggingLevel::Notice => LogLevel::Notice,
        LoggingLevel::Warning => LogLevel::Warning,
        LoggingLevel::Error => LogLevel::Error,
        LoggingLevel::Critical => LogLevel::Critical,
        LoggingLevel::Alert => LogLevel::Alert,
        LoggingLevel::Emergency => LogLevel::Emergency,
    }
}

pub(super) fn outcome(result: Result<ServerResult, ErrorData>) -> Result<Outcome, CallError> {
    match result {
        Ok(ServerResult::CallToolResult(result)) if result.is_error == Some(true) => Err(reported(result).into()),
        Ok(ServerResult::CallToolResult(result)) => Ok(success(result)),
        Ok(_) => Err(Fault::new("reading the result of an rmcp server, which asks for what is not offered").into()),
        Err(error) => Err(failure(error)),
    }
}

fn success(result: CallToolResult) -> Outcome {
    let mut content: Vec<_> = result.content.into_iter().filter_map(block).collect();
    let structured = match result.structured_content {
        Some(Value::Object(object)) => Some(object),
        Some(other) if content.is_empty() => {
            content.push(Content::Text(other.to_string()));
            None
        }
        _ => None,
    };
    let meta = result.meta.map(|meta| meta.0).unwrap_or_default();
    Outcome { structured, content, meta, ..Outcome::default() }
}

/// `None` for a kind of block that came after this was written.
fn block(block: ContentBlock) -> Option<Content> {
    match block {
        ContentBlock::Text(text) => Some(Content::Text(text.text)),
        ContentBlock::Image(image) => Some(Content::Image { data: image.data, mime_type: image.mime_type }),
        ContentBlock::Audio(audio) => Some(Content::Audio { data: audio.data, mime_type: audio.mime_type }),
        ContentBlock::Resource(embedded) => match embedded.resource {
            ResourceContents::TextResourceContents { uri, mime_type, text, .. } => {
                Some(Content::Resource { uri, mime_type, body: ResourceBody::Text(text) })
            }
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                Some(Content::Resource { uri, mime_type, body: ResourceBody::Blob(blob) })
            }
            _ => None,
        },
        ContentBlock::ResourceLink(link) => Some(Content::ResourceLink {
            uri: link.uri,
            name: link.name,
            description: link.description,
            mime_type: link.mime_type,
        }),
        _ => None,
    }
}

/// An `isError` result: the tool's own words, meant for the agent. They are its answer: a repeat under
/// the same idempotency key gets them again.
fn reported(result: CallToolResult) -> UpstreamFailure {
    let texts: Vec<_> = result.content.iter().filter_map(|block| Some(block.as_text()?.text.trim())).collect();
    let message = texts.join("\n");
    let message = if message.is_empty() { "The tool failed and does not say why.".to_owned() } else { message };
    let failure = UpstreamFailure::new(UpstreamCode::Failed, message).with_verdict(Verdict::Definite);
    match result.structured_content {
        Some(details) => failure.with_details(details),
        None => failure,
    }
}

/// A JSON-RPC error. Its message was written for a client, so it is shown to one.
fn failure(error: ErrorData) -> CallError {
    let ErrorData { code, message, data } = error;
    let upstream = |code, message: String| {
        let failure = UpstreamFailure::new(code, message);
        CallError::from(match data.clone() {
            Some(data) => failure.with_details(data),
            None => failure,
        })
    };
    match code {
        ErrorCode::INVALID_PARAMS => {
            let fault = ArgumentFault { path: String::new(), message: message.into_owned() };
            Refusal::InvalidArguments(vec![fault]).into()
        }
        ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY => {
            let capability = data
                .as_ref()
                .and_then(|data| data.get("requiredCapabilities")?.as_object()?.keys().next())
                .map_or_else(|| message.into_owned(), Clone::clone);
            Refusal::ClientLacks { capability }.into()
        }
        ErrorCode::RESOURCE_NOT_FOUND | ErrorCode::INVALID_REQUEST => {
            upstream(UpstreamCode::Rejected, message.into_owned())
        }
        _ => upstream(UpstreamCode::Failed, message.into_owned()),
    }
}
