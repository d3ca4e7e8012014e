//! The gate in front of the endpoint: who is calling, is the message whole, may the caller call
//! this tool. A refusal here is an HTTP status, before anything streams.
//!
//! It does not judge arguments and does not run anything: that is the pipeline's.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::Modes;
use bridgehead_core::{CallError, Caller, Endpoint, Refusal, RequestId, ScopeSet, permit};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    http::{RequestRefusal, body::Bodies, refuse, refuse_as},
    mcp::{
        McpService,
        message::{Message, Unreadable},
    },
    oauth::Connecting,
};

/// How much of a request is taken in whose sender is not let in, in bytes.
const MAX_REJECTED_BYTES: usize = 64 * 1024;

/// What the gate needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    endpoint: Arc<Endpoint>,
    modes: Arc<Modes>,
    bodies: Bodies,
    mcp: McpService,
    connecting: Option<Connecting>,
}

impl Gate {
    pub(crate) const fn new(
        endpoint: Arc<Endpoint>,
        modes: Arc<Modes>,
        bodies: Bodies,
        mcp: McpService,
        connecting: Option<Connecting>,
    ) -> Self {
        Self { endpoint, modes, bodies, mcp, connecting }
    }

    /// What the caller may not call, as its scope is not theirs. An unknown tool passes: the pipeline
    /// answers it.
    fn not_permitted(&self, caller: &Caller, message: &Message) -> Option<NotPermitted> {
        let catalog = self.endpoint.catalog();
        let mut refused: Option<NotPermitted> = None;
        for (id, tool) in message.tool_calls() {
            let Some(entry) = catalog.find(tool) else { continue };
            let Err(refusal) = permit(caller, &entry.tool) else { continue };
            let first =
                refused.get_or_insert_with(|| NotPermitted { id: id.cloned(), refusal, needed: caller.scopes.clone() });
            // It was read as one when the catalog was built.
            let _ = first.needed.insert(&entry.tool.scope);
        }
        refused
    }
}

impl Gate {
    /// Takes the body in before it answers: a connection whose request has not arrived whole when its
    /// answer is written is closed without a word, and a client that has just been told to sign in
    /// sends its next request on it.
    async fn rejected(&self, request: Request, rejection: &bridgehead_auth::Rejection) -> Response {
        let waits_for_us = request.headers().contains_key(header::EXPECT);
        let whole = !waits_for_us && self.bodies.at_most(MAX_REJECTED_BYTES).receive(request.into_body()).await.is_ok();
        let mut response = refuse_as(rejection.kind.status(), rejection.denied.code(), &rejection.message);
        let challenge = rejection.www_authenticate.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if !whole {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The first call of a message that the caller may not make.
struct NotPermitted {
    /// The id of its request.
    id: Option<Value>,
    refusal: Refusal,
    /// All that the message needs, and what the caller has: what to ask for at once.
    needed: ScopeSet,
}

pub(crate) async fn handle(State(gate): State<Gate>, request: Request) -> Response {
    let caller = match gate.modes.authenticate(request.headers()).await {
        Ok(caller) => caller,
        Err(rejection) => {
            if let Some(connecting) = &gate.connecting {
                connecting.challenged(&request, &rejection.denied);
            }
            return gate.rejected(request, &rejection).await;
        }
    };
    if let Some(connecting) = &gate.connecting {
        connecting.called(&request, &caller);
    }
    let (mut parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return not_a_post();
    }
    let bytes = match gate.bodies.receive(body).await {
        Ok(bytes) => bytes,
        Err(fault) => return refuse(fault.refusal(), &fault.to_string()),
    };
    let message = match Message::parse(bytes) {
        Ok(message) => message,
        Err(unreadable) => return malformed(&unreadable),
    };
    if let Some(refused) = gate.not_permitted(&caller, &message) {
        let request_id = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        return gate.forbidden(refused, &request_id);
    }
    parts.extensions.insert(Arc::new(caller));
    gate.mcp.answer(parts, message).await
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

impl Gate {
    fn forbidden(&self, refused: NotPermitted, request_id: &str) -> Response {
        let NotPermitted { id, refusal, needed } = refused;
        let error = CallError::from(refusal);
        let mut body = json!({"jsonrpc": "2.0", "error": {"code": -32001, "message": error.to_string(), "data": error.to_object(request_id)}});
        if let (Some(id), Some(object)) = (id, body.as_object_mut()) {
            object.insert("id".into(), id);
        }
        let mut response = (StatusCode::FORBIDDEN, Json(body)).into_response();
        if let Ok(challenge) = HeaderValue::from_str(&self.modes.insufficient_scope(&needed)) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
