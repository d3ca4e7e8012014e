//! The form of what clients send to the endpoints that they call themselves, and of what they get
//! (RFC 6749 §5): a form in, JSON out, and nothing that a cache may keep.

use std::{error::Error, net::IpAddr};

use axum::{
    Json,
    extract::Request,
    response::{IntoResponse, Response},
};
use bridgehead_auth::issuer::{ClientCall, ErrorAnswer};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use serde::Serialize;
use serde_json::json;

use super::AuthorizationServer;
use crate::http::{ClientAddress, body};

/// A form that a client posted.
pub(super) struct Call {
    pub(super) form: Vec<(String, String)>,
    authorization: Option<String>,
    pub(super) from: IpAddr,
    pub(super) headers: HeaderMap,
}

impl Call {
    pub(super) fn as_client_call(&self) -> ClientCall<'_> {
        ClientCall { form: &self.form, authorization: self.authorization.as_deref(), from: self.from }
    }

    /// The value of a parameter, for the trace alone.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.form.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a posted form.
pub(super) async fn receive_form(server: &AuthorizationServer, request: Request) -> Result<Call, Response> {
    let (parts, body) = receive(server, request).await?;
    if !body::is_form(&parts.headers) {
        return Err(refused("The parameters have to be sent as application/x-www-form-urlencoded."));
    }
    let authorization = authorization(&parts.headers).map_err(IntoResponse::into_response)?;
    let from = ClientAddress::of(&parts.extensions);
    Ok(Call { form: body::pairs(&body), authorization, from, headers: parts.headers })
}

/// Reads a body within its limits.
pub(super) async fn receive(server: &AuthorizationServer, request: Request) -> Result<(Parts, Bytes), Response> {
    let (parts, body) = request.into_parts();
    let received = server.bodies.receive(body).await;
    let body = received.map_err(|fault| answer(fault.refusal().status(), "invalid_request", &fault.to_string()))?;
    Ok((parts, body))
}

/// `Authorization`, which may stand once: which of two counts would be a guess.
pub(super) fn authorization(headers: &HeaderMap) -> Result<Option<String>, SentTwice> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(SentTwice);
    }
    // What is not text proves nothing, but it was sent: it must not pass for nothing.
    Ok(value.map(|value| value.to_str().unwrap_or("(not text)").to_owned()))
}

/// `Authorization` stands in a request more than once.
pub(super) struct SentTwice;

impl IntoResponse for SentTwice {
    fn into_response(self) -> Response {
        refused("The header Authorization was sent more than once.")
    }
}

/// A good answer.
pub(super) fn good(status: StatusCode, body: &impl Serialize) -> Response {
    (status, no_store(), Json(body)).into_response()
}

/// An error as the issuer says it.
pub(super) fn bad(error: &(dyn Error + 'static), answer: &ErrorAnswer) -> Response {
    if answer.status.is_server_error() {
        let cause = error.source().map(ToString::to_string);
        tracing::error!(%error, cause, "a client of the authorization server was not answered");
    }
    let mut response = (answer.status, no_store(), Json(answer.body())).into_response();
    let headers = response.headers_mut();
    if let Some(challenge) = answer.www_authenticate.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(wait) = answer.retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}

/// 400 `invalid_request`, for what the issuer never gets to see.
fn refused(description: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, "invalid_request", description)
}

pub(super) fn answer(status: StatusCode, error: &str, description: &str) -> Response {
    (status, no_store(), Json(json!({"error": error, "error_description": description}))).into_response()
}

pub(super) const fn no_store() -> [(HeaderName, HeaderValue); 1] {
    [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]
}
