//! The MCP endpoint: Streamable HTTP for the revisions 2025-03-26, 2025-06-18, 2025-11-25 and
//! 2026-07-28 on one URL, without sessions. rmcp speaks the protocol; its types appear in this
//! folder and nowhere else of the server.
#![expect(deprecated, reason = "MCP 2026-07-28 deprecates logging; the older revisions still have it")]

mod batch;
mod convert;
mod elicit;
mod handler;
mod late_stream;
pub(crate) mod message;
mod notify;
mod task;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bridgehead_core::{Clock, Endpoint, Randomness, RequestId};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, Full};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::{handler::Handler, message::Message};
use crate::ServerSettings;

const ACCEPT_BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

const NO_MESSAGE: &str = "Invalid Request: this JSON is no message of MCP. A request has jsonrpc \"2.0\", an id that is \
                          a string or a whole number, a method and, where the method wants them, params.";

const CUT_OFF: &str = "Internal error: the server had to go down before this call had ended. What the call has done until \
                       then is not known: look before you send it again.";

/// A tool as `tools/list` shows it to a client: one JSON object (MCP `Tool`).
#[must_use]
pub fn tool_on_the_wire(tool: &bridgehead_core::Tool) -> Value {
    // A tool is strings, numbers and JSON objects: writing it cannot fail.
    serde_json::to_value(convert::tool(tool)).unwrap_or_default()
}

/// Answers MCP messages. Cheap to clone.
#[derive(Clone)]
pub(crate) struct McpService {
    rmcp: Arc<StreamableHttpService<Handler, NeverSessionManager>>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    stream_after: Duration,
    stop: CancellationToken,
}

impl McpService {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
        settings: &ServerSettings,
        stop: CancellationToken,
    ) -> Self {
        let handler = Handler::new(endpoint);
        // Host and Origin are checked in crate::http for every path, with the bound port known.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_max_request_body_bytes(settings.max_body_bytes)
            .with_cancellation_token(stop.clone())
            .disable_allowed_hosts()
            .disable_allowed_origins();
        let rmcp =
            StreamableHttpService::new(move || Ok(handler.clone()), Arc::new(NeverSessionManager::default()), config);
        Self { rmcp: Arc::new(rmcp), clock, randomness, stream_after: settings.stream_after, stop }
    }

    /// Answers one POST whose caller is known and permitted.
    pub(crate) async fn answer(&self, mut parts: Parts, message: Message) -> Response {
        accept_what_any_client_accepts(&mut parts.headers);
        match message {
            Message::Batch(messages) => batch::answer(self, &parts, messages).await,
            Message::One { bytes, envelope } => {
                let initialize = envelope.method.as_deref() == Some("initialize");
                let opens_urls = envelope.opens_urls;
                let mut response = self.answer_one(parts, bytes, envelope.id).await;
                if initialize && response.status().is_success() {
                    self.name_session(response.headers_mut(), opens_urls);
                }
                response
            }
        }
    }

    async fn answer_one(&self, parts: Parts, bytes: Bytes, id: Option<Value>) -> Response {
        let rmcp = self.rmcp.clone();
        let said_json = is_json(&parts.headers);
        let request = Request::from_parts(parts, Full::new(bytes));
        let stop = self.stop.clone();
        let pending = Box::pin(async move {
            let mut response = tokio::select! {
                biased;
                () = stop.cancelled() => (StatusCode::SERVICE_UNAVAILABLE, CUT_OFF).into_response(),
                response = rmcp.handle(request) => response.map(Body::new),
            };
            // rmcp answers 415 to JSON that is no message of MCP; that is no matter of media types.
            if said_json && response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
                response = (StatusCode::BAD_REQUEST, NO_MESSAGE).into_response();
            }
            refusals_as_json(response, id).await
        });
        late_stream::answer(pending, &*self.clock, self.stream_after).await
    }

    /// A session id without a session behind it: clients that expect one are at ease, and any
    /// replica takes any id. Nothing is looked up by it; that its client can open URLs, it says itself.
    fn name_session(&self, headers: &mut HeaderMap, opens_urls: bool) {
        let id = RequestId::generate(&*self.randomness);
        let id = if opens_urls { elicit::session_that_opens_urls(&id) } else { id.as_str().to_owned() };
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert("mcp-session-id", id);
        }
    }
}

/// rmcp insists on both media types (MCP 2025-11-25 §Streamable HTTP asks clients to name both).
/// A client that names none, or `*/*` as curl does, accepts both by HTTP's own rules (RFC 9110
/// §12.5.1).
fn accept_what_any_client_accepts(headers: &mut HeaderMap) {
    let any = headers.get_all(header::ACCEPT).iter().all(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.split(',').any(|range| range.split(';').next().is_some_and(|r| r.trim() == "*/*")))
    });
    if any {
        headers.insert(header::ACCEPT, ACCEPT_BOTH);
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// rmcp refuses some requests in plain text; clients want JSON-RPC, with the id where it is known.
async fn refusals_as_json(response: Response, id: Option<Value>) -> Response {
    if response.status().is_success() || is_json(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let text =
        body.collect().await.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
    let code = if parts.status.is_server_error() { -32603 } else { -32600 };
    let mut error = json!({"jsonrpc": "2.0", "error": {"code": code, "message": text}});
    if let (Some(id), Some(object)) = (id, error.as_object_mut()) {
        object.insert("id".into(), id);
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    (parts.status, parts.headers, axum::Json(error)).into_response()
}
