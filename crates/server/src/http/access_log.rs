//! One log line and one count for every request, refused ones included. Never a header's value or
//! a query: either may hold a secret.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use bridgehead_core::{Clock, RequestId};

use super::ClientAddress;
use crate::ops::metrics::Metrics;

/// What the layer needs.
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
}

pub(crate) async fn observe(State(observed): State<Observed>, request: Request, next: Next) -> Response {
    let start = observed.clock.now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = request.extensions().get::<RequestId>().map(ToString::to_string);
    let client = request.extensions().get::<ClientAddress>().map(|client| client.0.to_string());
    let response = next.run(request).await;
    let took = Duration::try_from(observed.clock.now().duration_since(start)).unwrap_or_default();
    let status = response.status().as_u16();
    observed.metrics.request(&method, status);
    tracing::info!(target: "access", request_id = id, %method, path, status, client, ms = took.as_millis() as u64);
    response
}
