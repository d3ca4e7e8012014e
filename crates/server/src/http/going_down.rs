//! Requests that come while the server goes down are told so at once, and to come back: behind a
//! load balancer, the next attempt meets another replica.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, Version, header};
use tokio_util::sync::CancellationToken;

use super::{RequestRefusal, refuse};

/// Long enough for a load balancer to see that this replica is not ready.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("2");

pub(crate) async fn check(State(going_down): State<CancellationToken>, request: Request, next: Next) -> Response {
    if !going_down.is_cancelled() {
        return next.run(request).await;
    }
    let mut response = refuse(
        RequestRefusal::GoingDown,
        "This server is going down, and nothing of the request was done. Send it again in a moment.",
    );
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
    // HTTP/2 has a frame of its own for this (RFC 9113 §8.2.2 forbids the header).
    if request.version() <= Version::HTTP_11 {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
