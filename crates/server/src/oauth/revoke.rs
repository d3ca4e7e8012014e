//! `POST /oauth/revoke` (RFC 7009): a client gives a token back. 200 with an empty body, also for a
//! token that is not known (§2.2).

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;

use super::{AuthorizationServer, answer};

pub(super) async fn revoke(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let call = match answer::receive_form(&server, request).await {
        Ok(call) => call,
        Err(response) => return response,
    };
    match server.issuer.revoke(&call.as_client_call()).await {
        Ok(()) => (StatusCode::OK, answer::no_store()).into_response(),
        Err(error) => answer::bad(&error, &error.answer()),
    }
}
