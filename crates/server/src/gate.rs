//! The gate in front of the endpoint: who is calling, is the message whole, may the caller call
//! this tool. A refusal here is an HTTP status, before anything streams.
//!
//! It does not judge arguments and does not run anything: that is the pipeline's.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::Modes;
use bridgehead_core::{CallError, Caller, Clock, Endpoint, Refusal, RequestId, permit};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};

use crate::{
    ServerSettings,
    http::{RequestRefusal, refuse, refuse_as},
    mcp::{
        McpService,
        message::{Message, Unreadable},
    },
};

/// What the gate needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    endpoint: Arc<Endpoint>,
    modes: Arc<Modes>,
    clock: Arc<dyn Clock>,
    max_body_bytes: usize,
    receive_timeout: Duration,
    mcp: McpService,
}

impl Gate {
    pub(crate) fn new(
        endpoint: Arc<Endpoint>,
        modes: Arc<Modes>,
        clock: Arc<dyn Clock>,
        settings: &ServerSettings,
        mcp: McpService,
    ) -> Self {
        Self {
            endpoint,
            modes,
            clock,
            max_body_bytes: settings.max_body_bytes,
            receive_timeout: settings.receive_timeout,
            mcp,
        }
    }

    /// Reads the body whole, within the limits on size and time.
    async fn receive(&self, body: Body) -> Result<Bytes, Response> {
        let body = Limited::new(body, self.max_body_bytes);
        let collected = tokio::select! {
            collected = body.collect() => collected,
            () = self.clock.sleep(self.receive_timeout) => {
                return Err(refuse(RequestRefusal::BodyTooSlow, "The request body did not arrive in time. Send it again."));
            }
        };
        collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
            if error.downcast_ref::<LengthLimitError>().is_some() {
                let message =
                    format!("The request body is larger than {} bytes. Send less in one call.", self.max_body_bytes);
                refuse(RequestRefusal::BodyTooLarge, &message)
            } else {
                tracing::debug!(error, "a request body could not be read");
                refuse(RequestRefusal::BodyUnreadable, "The request body ended early. Send it again.")
            }
        })
    }

    /// Refuses calls of tools whose scope the caller lacks. An unknown tool passes: the pipeline
    /// answers it.
    fn permit(&self, caller: &Caller, message: &Message) -> Result<(), (Option<Value>, Refusal)> {
        let catalog = self.endpoint.catalog();
        for (id, tool) in message.tool_calls() {
            if let Some(entry) = catalog.find(tool) {
                permit(caller, &entry.tool).map_err(|refusal| (id.cloned(), refusal))?;
            }
        }
        Ok(())
    }
}

pub(crate) async fn handle(State(gate): State<Gate>, request: Request) -> Response {
    let caller = match gate.modes.authenticate(request.headers()).await {
        Ok(caller) => caller,
        Err(rejection) => return rejected(&rejection),
    };
    let (mut parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return not_a_post();
    }
    let bytes = match gate.receive(body).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(unreadable) => return malformed(&unreadable),
    };
    if let Err((id, refusal)) = gate.permit(&caller, &message) {
        let request_id = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        return forbidden(id, refusal, &request_id);
    }
    parts.extensions.insert(Arc::new(caller));
    gate.mcp.answer(parts, message).await
}

fn rejected(rejection: &bridgehead_auth::Rejection) -> Response {
    let mut response = refuse_as(rejection.kind.status(), rejection.denied.code(), &rejection.message);
    if let Some(challenge) = rejection.www_authenticate.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// GET would open a stream of the server's own messages, DELETE would end a session; there is
/// neither. 405 is what the transport asks for then (MCP 2025-11-25 §Streamable HTTP): clients
/// take 404 for "unreachable".
fn not_a_post() -> Response {
    let mut response = refuse(
        RequestRefusal::MethodNotAllowed,
        "This endpoint answers POST alone: it keeps no sessions and offers no stream of its own.",
    );
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    response
}

fn malformed(unreadable: &Unreadable) -> Response {
    let body = json!({"jsonrpc": "2.0", "error": {"code": unreadable.code, "message": unreadable.message}});
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

fn forbidden(id: Option<Value>, refusal: Refusal, request_id: &str) -> Response {
    let scope = match &refusal {
        Refusal::NotPermitted { needed, .. } => needed.clone(),
        _ => String::new(),
    };
    let error = CallError::from(refusal);
    let mut body = json!({"jsonrpc": "2.0", "error": {"code": -32001, "message": error.to_string(), "data": error.to_object(request_id)}});
    if let (Some(id), Some(object)) = (id, body.as_object_mut()) {
        object.insert("id".into(), id);
    }
    let mut response = (StatusCode::FORBIDDEN, Json(body)).into_response();
    if let Ok(challenge) = HeaderValue::from_str(&format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
