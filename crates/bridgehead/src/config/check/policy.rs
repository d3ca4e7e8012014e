//! `[policy.PATTERN]`: each key by itself, and what one key of a table has to do with another. Which
//! tools a pattern matches is known once the tools are.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bridgehead_core::{
    Policies, PolicyPatch,
    policy::{CachePatch, CircuitPatch, Idempotency, OnSharedLoss},
};
use http::{HeaderName, header};

use super::{Check, size};
use crate::config::{
    fault::KeyPath,
    raw::{RawBytes, RawCache, RawCircuit, RawIdempotency, RawOnSharedLoss, RawPolicy, RawRateLimit, Table},
    units::{parse_bytes, parse_duration, parse_rate},
};

impl Check<'_> {
    pub(super) fn policies(&mut self, tables: Table<RawPolicy>, is_shared: bool) -> Policies {
        let counted = tables.0.iter().any(|(_, raw)| raw.rate_limit.as_ref().is_some_and(|l| l.per_caller.is_some()));
        let tables = tables.0.into_iter().map(|(pattern, raw)| {
            let path = KeyPath::of(["policy", &pattern]);
            if raw.rate_limit.as_ref().is_some_and(|limit| limit.burst.is_some()) && !counted {
                self.burst_of_nothing(&path.key("rate_limit").key("burst"));
            }
            if raw.on_shared_loss.is_some() && !is_shared {
                self.loss_of_nothing(&path.key("on_shared_loss"));
            }
            (pattern, self.policy(&path, raw))
        });
        Policies::new(tables.collect())
    }

    fn policy(&mut self, path: &KeyPath, raw: RawPolicy) -> PolicyPatch {
        let mut patch = self.limits(&path.key("rate_limit"), raw.rate_limit.unwrap_or_default());
        patch.timeout = self.some_time(&path.key("timeout"), raw.timeout);
        patch.max_result_bytes = raw.max_result_bytes.and_then(|bytes| {
            let path = path.key("max_result_bytes");
            let bytes = match bytes {
                RawBytes::Number(bytes) => bytes,
                RawBytes::Text(text) => self.unit(&path, &text, parse_bytes(&text))?,
            };
            self.positive(&path, size(bytes), bytes == 0)
        });
        patch.on_shared_loss = raw.on_shared_loss.map(|raw| match raw {
            RawOnSharedLoss::Open => OnSharedLoss::Open,
            RawOnSharedLoss::Closed => OnSharedLoss::Closed,
        });
        patch.cache = self.cache(&path.key("cache"), raw.cache.unwrap_or_default());
        patch.idempotency = raw.idempotency.map(|raw| match raw {
            RawIdempotency::Off => Idempotency::Off,
            RawIdempotency::Optional => Idempotency::Optional,
            RawIdempotency::Required => Idempotency::Required,
        });
        patch.idempotency_retention = self.some_time(&path.key("idempotency_retention"), raw.idempotency_retention);
        patch.upstream_idempotency_header =
            self.upstream_header(&path.key("upstream_idempotency_header"), raw.upstream_idempotency_header);
        patch.upstream_key_ttl = self.some_time(&path.key("upstream_key_ttl"), raw.upstream_key_ttl);
        // The schema admits no more than a few.
        patch.retries = raw.retries.and_then(|retries| u32::try_from(retries).ok());
        patch.circuit = self.circuit(&path.key("circuit"), raw.circuit.unwrap_or_default());
        patch
    }

    fn limits(&mut self, path: &KeyPath, raw: RawRateLimit) -> PolicyPatch {
        let mut rate = |key: &str, text: Option<String>| {
            let (path, text) = (path.key(key), text?);
            self.unit(&path, &text, parse_rate(&text))
        };
        PolicyPatch {
            per_caller: rate("per_caller", raw.per_caller),
            upstream: rate("upstream", raw.upstream),
            burst: raw.burst.and_then(count),
            upstream_burst: raw.upstream_burst.and_then(count),
            concurrency: raw.concurrency.map(size),
            queue: raw.queue.map(size),
            ..PolicyPatch::default()
        }
    }

    fn burst_of_nothing(&mut self, path: &KeyPath) {
        self.findings.fault(
            path,
            "is the burst of `per_caller`, which no policy sets",
            "add `per_caller`, for example \"60/minute\"; or write `upstream_burst`, if calls to the system behind are meant",
        );
    }

    fn loss_of_nothing(&mut self, path: &KeyPath) {
        if !self.findings.is_spoken_of(&KeyPath::of(["shared"])) {
            self.findings.warn(
                path,
                "says what holds while `shared` is lost, and nothing is shared",
                "add `[shared]` with the URL of a Valkey or Redis server, or leave it out: one process counts for itself",
            );
        }
    }

    fn cache(&mut self, path: &KeyPath, raw: RawCache) -> CachePatch {
        let named = raw.invalidated_by.iter().flatten().enumerate();
        for (index, pattern) in named.filter(|(_, pattern)| !pattern.contains('.')) {
            let path = path.key("invalidated_by").index(index);
            let shown = self.findings.places.quote(&path, pattern);
            self.findings.fault(
                &path,
                format!("{shown} is not the address of a tool"),
                "write it as SOURCE.TOOL or SOURCE.*; `bridgehead tools` lists the addresses",
            );
        }
        CachePatch {
            ttl: self.some_time(&path.key("ttl"), raw.ttl),
            shared: raw.shared,
            stale_if_error: self.time(&path.key("stale_if_error"), raw.stale_if_error),
            invalidated_by: raw.invalidated_by,
        }
    }

    fn circuit(&mut self, path: &KeyPath, raw: RawCircuit) -> CircuitPatch {
        CircuitPatch {
            failures: raw.failures.and_then(count),
            open_for: self.some_time(&path.key("open_for"), raw.open_for),
        }
    }

    fn upstream_header(&mut self, path: &KeyPath, raw: Option<String>) -> Option<Arc<str>> {
        /// What they carry is not the system behind's to know repeats by, and would be lost.
        const TAKEN: [HeaderName; 6] = [
            header::AUTHORIZATION,
            header::CONTENT_LENGTH,
            header::CONTENT_TYPE,
            header::COOKIE,
            header::HOST,
            header::TRANSFER_ENCODING,
        ];
        let text = raw?;
        let name = HeaderName::from_bytes(text.as_bytes());
        if name.as_ref().is_ok_and(|name| !TAKEN.contains(name)) {
            return Some(text.into());
        }
        let shown = self.findings.places.quote(path, &text);
        if name.is_ok() {
            self.findings.fault(
                path,
                format!("{shown} carries something else, which a key would take the place of"),
                "write the name that the system behind documents, for example \"Idempotency-Key\"",
            );
            return None;
        }
        self.findings.fault(
            path,
            format!("{shown} is not the name of an HTTP header"),
            "write the name that the system behind documents, for example \"Idempotency-Key\"",
        );
        None
    }

    fn time(&mut self, path: &KeyPath, text: Option<String>) -> Option<Duration> {
        let text = text?;
        self.unit(path, &text, parse_duration(&text))
    }

    /// A time that is more than none.
    fn some_time(&mut self, path: &KeyPath, text: Option<String>) -> Option<Duration> {
        let time = self.time(path, text)?;
        self.positive(path, time, time.is_zero())
    }
}

/// As a number of calls: the schema admits no 0, and what is larger than that is no limit.
fn count(number: u64) -> Option<NonZeroU32> {
    NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX))
}
