//! Counts and times in Prometheus' text form (OpenMetrics 1.0), on the admin listener alone.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use bridgehead_core::{AuditRecord, AuditSink, CircuitState, ShieldEvent, ShieldEvents};
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CacheLabels {
    tool: String,
    answer: &'static str,
}

/// No label at all.
type Plain = [(&'static str, &'static str); 0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ToolLabels {
    tool: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RetryLabels {
    source: String,
    outcome: &'static str,
}

/// All that is counted. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    calls: Family<CallLabels, Counter>,
    durations: Family<ToolLabels, Histogram>,
    certificate_end: Family<Plain, Gauge>,
    circuits: Family<SourceLabels, Gauge>,
    retries: Family<RetryLabels, Counter>,
    pauses: Family<SourceLabels, Counter>,
    shared_counters: Family<Plain, Gauge>,
    cache: Family<CacheLabels, Counter>,
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
        let circuits = Family::<SourceLabels, Gauge>::default();
        registry.register(
            "circuit_state",
            "How the circuit of a source stands, once it has opened: 0 closed, 1 half open, 2 open",
            circuits.clone(),
        );
        let retries = Family::<RetryLabels, Counter>::default();
        registry.register("retries", "Repeats of calls by source: made, or refused by the budget", retries.clone());
        let pauses = Family::<SourceLabels, Counter>::default();
        registry.register("upstream_pauses", "Pauses that the system behind a source asked for", pauses.clone());
        let shared_counters = Family::<Plain, Gauge>::default();
        registry.register(
            "shared_counters_reached",
            "Whether the counters that replicas share could be reached, once they were lost",
            shared_counters.clone(),
        );
        let cache = Family::<CacheLabels, Counter>::default();
        registry.register(
            "cache_answers",
            "Calls of tools whose answers are remembered, by what the cache had to do with them",
            cache.clone(),
        );
        Self {
            registry: Arc::new(registry),
            requests,
            calls,
            durations,
            certificate_end,
            circuits,
            retries,
            pauses,
            shared_counters,
            cache,
        }
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
        if let Some(used) = record.cache {
            self.cache.get_or_create(&CacheLabels { tool: tool.clone(), answer: used.as_str() }).inc();
        }
        self.durations.get_or_create(&ToolLabels { tool }).observe(record.took.as_secs_f64());
    }
}

impl ShieldEvents for Metrics {
    fn happened(&self, event: ShieldEvent<'_>) {
        let retry = |source: &str, outcome| {
            self.retries.get_or_create(&RetryLabels { source: source.to_owned(), outcome }).inc();
        };
        match event {
            ShieldEvent::Circuit { source, state } => {
                let number = match state {
                    CircuitState::Closed => 0,
                    CircuitState::HalfOpen => 1,
                    CircuitState::Open => 2,
                };
                self.circuits.get_or_create(&SourceLabels { source: source.to_owned() }).set(number);
            }
            ShieldEvent::Retried { source } => retry(source, "made"),
            ShieldEvent::RetryBudgetSpent { source } => retry(source, "budget_spent"),
            ShieldEvent::Paused { source, .. } => {
                self.pauses.get_or_create(&SourceLabels { source: source.to_owned() }).inc();
            }
            ShieldEvent::SharedCounters { reached } => {
                self.shared_counters.get_or_create(&[]).set(i64::from(reached));
            }
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// H3: what shields systems behind is seen from outside, by source.
    #[test]
    fn events_of_the_shield_are_counted() {
        let metrics = Metrics::default();
        let source = "crm";
        for event in [
            ShieldEvent::Circuit { source, state: CircuitState::Open },
            ShieldEvent::Circuit { source, state: CircuitState::HalfOpen },
            ShieldEvent::Retried { source },
            ShieldEvent::Retried { source },
            ShieldEvent::RetryBudgetSpent { source },
            ShieldEvent::Paused { source, pause: Duration::from_secs(3) },
            ShieldEvent::SharedCounters { reached: false },
        ] {
            metrics.happened(event);
        }
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        for line in [
            "bridgehead_circuit_state{source=\"crm\"} 1",
            "bridgehead_retries_total{source=\"crm\",outcome=\"made\"} 2",
            "bridgehead_retries_total{source=\"crm\",outcome=\"budget_spent\"} 1",
            "bridgehead_upstream_pauses_total{source=\"crm\"} 1",
            "bridgehead_shared_counters_reached{} 0",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }
}
