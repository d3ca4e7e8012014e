//! JSON-RPC over Streamable HTTP (MCP, "Transports"): a message in a POST, the answer as JSON or as the
//! event of a stream. Judges nothing.

use bridgehead_core::Secret;
use bridgehead_outbound::{IllegalHeaderValue, Received, Request};
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::Value;
use url::Url;

/// A POST with this message, as every client sends it; further headers are the caller's.
///
/// # Errors
/// A credential that cannot stand in a header.
pub(crate) fn post(
    endpoint: &Url,
    message: &Value,
    credential: &[(HeaderName, Secret)],
) -> Result<Request, IllegalHeaderValue> {
    let mut request = Request::new(Method::POST, endpoint.clone());
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    for (name, value) in credential {
        request.set_secret_header(name.clone(), value)?;
    }
    request.body = message.to_string().into_bytes().into();
    Ok(request)
}

/// The JSON-RPC messages of an answer: one, a batch, or those of an event stream in order. `None` where the
/// body is neither.
pub(crate) fn messages(received: &Received) -> Option<Vec<Value>> {
    let text = std::str::from_utf8(&received.body).ok()?;
    let media_type = received.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if media_type.starts_with("text/event-stream") {
        return Some(events(text).filter_map(|data| serde_json::from_str(&data).ok()).collect());
    }
    match serde_json::from_str(text).ok()? {
        Value::Array(messages) => Some(messages),
        message => Some(vec![message]),
    }
}

/// The data of each event (HTML Standard, "Server-sent events", §9.2.6).
fn events(text: &str) -> impl Iterator<Item = String> {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let events: Vec<String> = lines.split("\n\n").map(str::to_owned).collect();
    events.into_iter().filter_map(|event| {
        let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
        let data: Vec<&str> = data.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        (!data.is_empty()).then(|| data.join("\n"))
    })
}
