//! JSON-RPC batches, which revision 2025-03-26 asks servers to take and 2025-06-18 removed. The
//! messages are answered one after the other, all in one JSON array.

use axum::{
    Json,
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{StatusCode, request::Parts};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{McpService, message::Envelope};

pub(super) async fn answer(service: &McpService, parts: &Parts, messages: Vec<(Bytes, Envelope)>) -> Response {
    let revision =
        parts.headers.get("mcp-protocol-version").and_then(|value| value.to_str().ok()).unwrap_or("2025-03-26");
    if revision != "2025-03-26" {
        return invalid(&format!(
            "Invalid Request: revision {revision} has no batches. Send each message in a POST of its own."
        ));
    }
    if messages.iter().any(|(_, envelope)| envelope.method.as_deref() == Some("initialize")) {
        return invalid("Invalid Request: initialize must not be part of a batch.");
    }
    let mut answers = Vec::new();
    for (bytes, envelope) in messages {
        let id = envelope.id.clone();
        let response = service.answer_one(parts.clone(), bytes, envelope.id).await;
        if id.is_some() {
            answers.extend(final_message(response.into_body()).await);
        }
    }
    // Notifications alone are accepted without an answer.
    if answers.is_empty() { StatusCode::ACCEPTED.into_response() } else { Json(Value::Array(answers)).into_response() }
}

fn invalid(message: &str) -> Response {
    let body = json!({"jsonrpc": "2.0", "error": {"code": -32600, "message": message}});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

/// The response among what was sent: the whole body, or the last event of a stream. Notifications
/// on the way are dropped: an array has no place for them.
async fn final_message(body: Body) -> Option<Value> {
    let bytes = body.collect().await.ok()?.to_bytes();
    if let Ok(message) = serde_json::from_slice(&bytes) {
        return Some(message);
    }
    let text = std::str::from_utf8(&bytes).ok()?;
    text.lines()
        .rev()
        .filter_map(|line| line.strip_prefix("data:"))
        .find_map(|data| serde_json::from_str(data.trim()).ok())
}
