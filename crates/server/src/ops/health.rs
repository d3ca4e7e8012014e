//! `/healthz`: the process answers. `/readyz`: the store and every source answer, and the server is
//! not going down.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use bridgehead_core::Endpoint;
use futures_util::future::{BoxFuture, join_all};
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// Asks something that is needed whether it answers.
pub type Ready = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What `/readyz` asks.
#[derive(Clone)]
pub struct Readiness {
    /// The tools' sources.
    pub endpoint: Arc<Endpoint>,
    /// The store of keys.
    pub store: Ready,
    /// What replicas share in passing, where they do.
    pub shared: Option<Ready>,
}

pub(crate) async fn healthz() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// 200 when everything answers, else 503. Names what does not, never why: the reason is in the
/// log, since anybody may ask here.
///
/// That what replicas share is lost is shown, and makes none of them less ready: all would be taken out
/// of service at once, where policies say what holds meanwhile.
pub(crate) async fn readyz(State((readiness, going_down)): State<(Readiness, CancellationToken)>) -> Response {
    let catalog = readiness.endpoint.catalog();
    let sources =
        join_all(catalog.sources().iter().map(|named| async { (named.name.to_string(), named.source.ready().await) }))
            .await;
    let mut checks = vec![("store".to_owned(), (readiness.store)().await)];
    checks.extend(sources.into_iter().map(|(name, ready)| (format!("source {name}"), ready)));
    let mut shown = Map::new();
    let mut ready = !going_down.is_cancelled();
    if !ready {
        shown.insert("server".to_owned(), "going down".into());
    }
    for (name, result) in checks {
        if let Err(reason) = &result {
            ready = false;
            tracing::warn!(check = name, reason, "not ready");
        }
        shown.insert(name, if result.is_ok() { "ok" } else { "not ready" }.into());
    }
    if let Some(shared) = &readiness.shared {
        let reached = shared().await.inspect_err(|reason| tracing::warn!(check = "shared", reason, "lost"));
        shown.insert("shared".to_owned(), if reached.is_ok() { "ok" } else { "lost" }.into());
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"status": if ready { "ready" } else { "not ready" }, "checks": shown}))).into_response()
}
