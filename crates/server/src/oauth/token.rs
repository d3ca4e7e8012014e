//! `POST /oauth/token` (RFC 6749 §3.2): a code or a refresh token against tokens.

use axum::{
    extract::{Request, State},
    response::Response,
};
use bridgehead_auth::{
    TraceEvent,
    trace::{Fact, Step},
};
use http::StatusCode;

use super::{AuthorizationServer, answer};

pub(super) async fn token(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let call = match answer::receive_form(&server, request).await {
        Ok(call) => call,
        Err(response) => return response,
    };
    let traced = server.traced(&call.headers, call.from);
    match server.issuer.token(&call.as_client_call()).await {
        Ok(tokens) => {
            // Refreshing goes on by itself for weeks and is no step of connecting.
            if call.parameter("grant_type") == Some("authorization_code") {
                let event = TraceEvent::done(Step::Token).with(Fact::Subject, &tokens.issued.subject);
                traced.record(event.with(Fact::ClientId, tokens.issued.client.as_str()));
            }
            answer::good(StatusCode::OK, &tokens)
        }
        Err(error) => {
            let refusal = error.answer();
            let event = TraceEvent::refused(Step::Token, refusal.error, &refusal.description);
            traced.record(event.with(Fact::ClientId, call.parameter("client_id").unwrap_or_default()));
            answer::bad(&error, &refusal)
        }
    }
}
