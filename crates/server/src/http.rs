//! The outer layers, which every request passes. Their order, and why, stands in
//! [`crate::app::App::new`].

pub mod access_log;
pub mod client_hosts;
pub mod cors;
pub mod origin;
pub mod request_id;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

/// A refusal by a layer: a status, a stable word and what to do about it, as JSON.
pub(crate) fn refuse(status: StatusCode, error: &str, message: &str) -> Response {
    (status, Json(json!({"error": error, "message": message}))).into_response()
}
