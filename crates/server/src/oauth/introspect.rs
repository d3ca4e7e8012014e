//! `POST /oauth/introspect` (RFC 7662): a client that can prove who it is looks at a token of its own.

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;

use super::{AuthorizationServer, answer};

pub(super) async fn introspect(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let call = match answer::receive_form(&server, request).await {
        Ok(call) => call,
        Err(response) => return response,
    };
    match server.issuer.introspect(&call.as_client_call()).await {
        Ok(introspection) => answer::good(StatusCode::OK, &introspection),
        Err(error) => answer::bad(&error, &error.answer()),
    }
}
