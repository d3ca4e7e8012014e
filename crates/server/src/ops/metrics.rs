//! Counts and times in Prometheus' text form (OpenMetrics 1.0), on the admin listener alone.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bridgehead_core::{AuditRecord, AuditSink};
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    tool: String,
    ending: &'static str,
    code: &'static str,
}

/// No label at all.
type Plain = [(&'static str, &'static str); 0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabels {
    tool: String,
}

/// All that is counted. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    durations: Family<ToolLabels, Histogram>,
    certificate_end: Family<Plain, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bridgehead");
        let requests = Family::<RequestLabels, Counter>::default();
        let calls = Family::<CallLabels, Counter>::default();
        let durations = Family::<ToolLabels, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.001, 2.0, 16))
        });
        registry.register("http_requests", "HTTP requests by method and status", requests.clone());
        registry.register("tool_calls", "Tool calls by tool, ending and error code", calls.clone());
        registry.register("tool_call_duration_seconds", "How long tool calls took", durations.clone());
        // A family shows nothing until there is a value: no certificate is not one that ended in 1970.
        let certificate_end = Family::<Plain, Gauge>::default();
        registry.register(
            "certificate_not_after_seconds",
            "When the certificate that is shown ends, in seconds since 1970",
            certificate_end.clone(),
        );
        Self { registry: Arc::new(registry), requests, calls, durations, certificate_end }
    }
}

impl Metrics {
    pub(crate) fn request(&self, method: &Method, status: u16) {
        // A made-up method must not make a label of its own.
        let known = [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS, Method::HEAD, Method::PUT];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        self.requests.get_or_create(&RequestLabels { method: method.to_owned(), status }).inc();
    }
}

impl Metrics {
    pub(crate) fn certificate_ends(&self, end: Timestamp) {
        self.certificate_end.get_or_create(&[]).set(end.as_second());
    }
}

impl AuditSink for Metrics {
    fn record(&self, record: AuditRecord) {
        // A name that no tool has must not make a label of its own.
        let tool = if record.effect.is_some() { record.tool } else { "unknown".to_owned() };
        let labels =
            CallLabels { tool: tool.clone(), ending: record.ending.as_str(), code: record.ending.code().unwrap_or("") };
        self.calls.get_or_create(&labels).inc();
        self.durations.get_or_create(&ToolLabels { tool }).observe(record.took.as_secs_f64());
    }
}

pub(crate) async fn show(State(metrics): State<Metrics>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &metrics.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
            .into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
