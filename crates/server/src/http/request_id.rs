//! Gives every request an id, which stands in its log lines, its errors and the `x-request-id`
//! of the answer. An id that the client sends is not believed: it could be anybody's.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bridgehead_core::{Randomness, RequestId};
use http::HeaderValue;

/// The header that carries the id in the answer.
pub const HEADER: &str = "x-request-id";

pub(crate) async fn assign(
    State(randomness): State<Arc<dyn Randomness>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::generate(&*randomness);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
