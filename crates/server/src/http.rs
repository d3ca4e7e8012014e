//! The outer layers, which every request passes. Their order, and why, stands in
//! [`crate::app::App::new`].

pub mod access_log;
pub(crate) mod body;
pub mod client_address;
pub mod client_hosts;
pub mod cors;
pub mod going_down;
pub mod origin;
pub mod refusal;
pub mod request_id;
pub(crate) mod session_cookie;
pub(crate) mod sign_in_cookie;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

pub use client_address::{ClientAddress, ForwardingHeader};
pub use refusal::RequestRefusal;

/// A refusal by a layer: a status, a stable word and what to do about it, as JSON.
pub(crate) fn refuse(refusal: RequestRefusal, message: &str) -> Response {
    refuse_as(refusal.status(), refusal.as_str(), message)
}

/// As [`refuse`], with a word of somebody else's list.
pub(crate) fn refuse_as(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(json!({"error": error, "message": message}))).into_response()
}
