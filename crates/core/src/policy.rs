//! Time-outs and limits per tool: `[policy.default]`, `[policy."SOURCE.*"]`, `[policy."SOURCE.TOOL"]`.
//!
//! Policies merge key by key; the most specific pattern wins for each key.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use crate::ToolAddress;

/// What holds for one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How long a call may take.
    pub timeout: Duration,
    /// How many bytes of JSON a result may have.
    pub max_result_bytes: usize,
    /// How many calls may run and wait at once; unlimited where `None`.
    pub concurrency: Option<Concurrency>,
    /// How often one caller may call; as often as they like where `None`.
    pub caller_rate: Option<SharedRate>,
    /// How often all callers together may reach the system behind; unlimited where `None`.
    pub upstream_rate: Option<SharedRate>,
    /// What happens to limits while the shared counters cannot be reached.
    pub on_shared_loss: OnSharedLoss,
    /// How long answers are remembered (read-only tools); not at all where `None`.
    pub cache: Option<CachePolicy>,
    /// Whether calls with effects take an idempotency key; as suits the tool where `None`.
    pub idempotency: Option<Idempotency>,
    /// How long a key is remembered, from the end of its call.
    pub idempotency_retention: Duration,
    /// The header in which the system behind takes an idempotency key of its own; as the source
    /// says where `None`.
    pub upstream_idempotency_header: Option<Arc<str>>,
    /// How long the system behind remembers a key of its own.
    pub upstream_key_ttl: Duration,
    /// How often a call that is safe to repeat is repeated when the system behind fails.
    pub retries: u32,
    /// When the system behind is left in peace for a while.
    pub circuit: Option<CircuitPolicy>,
}

/// So many calls in a time, counted evenly: 60 a minute is one a second, and `burst` at once. In no
/// stretch of time are there more than the rate gives for it and `burst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many calls.
    pub calls: NonZeroU32,
    /// In which time.
    pub per: Duration,
    /// How many may come at once before the rate counts.
    pub burst: NonZeroU32,
}

/// A rate, and which calls are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedRate {
    /// Which calls share it: the pattern that set it, and for an upstream's the source.
    pub shared_by: Arc<str>,
    /// The rate.
    pub rate: Rate,
    /// How many calls may wait for their turn; none of a caller's.
    pub waiting: usize,
}

/// What happens to limits while the shared counters cannot be reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnSharedLoss {
    /// Each replica counts for itself.
    #[default]
    Open,
    /// Calls are refused.
    Closed,
}

/// How answers of read-only tools are remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePolicy {
    /// How long an answer is good; a shorter time that the system behind names counts.
    pub ttl: Duration,
    /// Whether callers share answers.
    pub shared: bool,
    /// How long after its time an answer is still given where the system behind fails.
    pub stale_if_error: Duration,
    /// Addresses or patterns of tools after whose calls nothing is remembered any more.
    pub invalidated_by: Vec<String>,
}

/// Whether calls with effects take an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// The tool takes no key.
    Off,
    /// The tool takes a key.
    Optional,
    /// The tool is not called without one.
    Required,
}

/// When the system behind is left in peace for a while. All tools of a source share one circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitPolicy {
    /// After how many failures in a row.
    pub failures: NonZeroU32,
    /// For how long.
    pub open_for: Duration,
}

/// A limit on calls at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// Which calls share it: the address or pattern that set it, apart for each source.
    pub shared_by: Arc<str>,
    /// How many may run at once.
    pub running: usize,
    /// How many more may wait for their turn.
    pub waiting: usize,
}

/// The built-in time-out of a call.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The built-in size limit of a result: about 16,000 tokens of JSON.
pub const DEFAULT_MAX_RESULT_BYTES: usize = 64 * 1024;
/// How many calls wait behind a limit that names no queue.
pub const DEFAULT_QUEUE: usize = 50;

/// How long an idempotency key is remembered, unless the policy says otherwise.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long a system behind is taken to remember a key of its own, unless the policy says otherwise.
pub const DEFAULT_UPSTREAM_KEY_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// A rate as a policy sets it, before it is known which burst goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatePatch {
    /// How many calls.
    pub calls: NonZeroU32,
    /// In which time.
    pub per: Duration,
}

/// The keys that `cache` sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CachePatch {
    /// `cache.ttl`.
    pub ttl: Option<Duration>,
    /// `cache.shared`.
    pub shared: Option<bool>,
    /// `cache.stale_if_error`.
    pub stale_if_error: Option<Duration>,
    /// `cache.invalidated_by`.
    pub invalidated_by: Option<Vec<String>>,
}

/// The keys that `circuit` sets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CircuitPatch {
    /// `circuit.failures`.
    pub failures: Option<NonZeroU32>,
    /// `circuit.open_for`.
    pub open_for: Option<Duration>,
}

/// The keys one `[policy.…]` table sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyPatch {
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `max_result_bytes`.
    pub max_result_bytes: Option<usize>,
    /// `rate_limit.concurrency`.
    pub concurrency: Option<usize>,
    /// `rate_limit.queue`.
    pub queue: Option<usize>,
    /// `rate_limit.per_caller`.
    pub per_caller: Option<RatePatch>,
    /// `rate_limit.burst`: of `per_caller`.
    pub burst: Option<NonZeroU32>,
    /// `rate_limit.upstream`.
    pub upstream: Option<RatePatch>,
    /// `rate_limit.upstream_burst`.
    pub upstream_burst: Option<NonZeroU32>,
    /// `on_shared_loss`.
    pub on_shared_loss: Option<OnSharedLoss>,
    /// `cache`.
    pub cache: CachePatch,
    /// `idempotency`.
    pub idempotency: Option<Idempotency>,
    /// `idempotency_retention`.
    pub idempotency_retention: Option<Duration>,
    /// `upstream_idempotency_header`.
    pub upstream_idempotency_header: Option<Arc<str>>,
    /// `upstream_key_ttl`.
    pub upstream_key_ttl: Option<Duration>,
    /// `retries`.
    pub retries: Option<u32>,
    /// `circuit`.
    pub circuit: CircuitPatch,
}

/// All `[policy.…]` tables.
#[derive(Debug, Clone, Default)]
pub struct Policies(Vec<(String, PolicyPatch)>);

impl Policies {
    /// Takes `(pattern, keys)` pairs; a pattern is `default`, `SOURCE.*`, or an address in which
    /// `*` stands for any characters.
    #[must_use]
    pub fn new(mut tables: Vec<(String, PolicyPatch)>) -> Self {
        tables.sort_by_key(|(pattern, _)| specificity(pattern));
        Self(tables)
    }

    /// What holds for the tool at `address`.
    #[must_use]
    pub fn resolve(&self, address: &ToolAddress) -> Policy {
        let text = address.to_string();
        let mut merged = PolicyPatch::default();
        let mut set_by = SetBy::default();
        for (pattern, patch) in self.0.iter().filter(|(pattern, _)| matches(pattern, &text)) {
            set_by.note(pattern, patch);
            merged.lay_over(patch);
        }
        merged.policy(address, &set_by)
    }

    /// The tables as they were given, by pattern, the least specific first.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &PolicyPatch)> {
        self.0.iter().map(|(pattern, patch)| (pattern.as_str(), patch))
    }

    /// The patterns that match none of `addresses`: most likely misspelt.
    pub fn unused<'a>(&'a self, addresses: &'a [ToolAddress]) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(pattern, _)| pattern.as_str()).filter(move |pattern| {
            *pattern != "default" && !addresses.iter().any(|address| matches(pattern, &address.to_string()))
        })
    }
}

/// Which patterns set what is counted together: whatever one pattern limits shares that limit.
#[derive(Default)]
struct SetBy<'p> {
    concurrency: &'p str,
    per_caller: &'p str,
    upstream: &'p str,
}

impl<'p> SetBy<'p> {
    fn note(&mut self, pattern: &'p str, patch: &PolicyPatch) {
        if patch.concurrency.is_some() {
            self.concurrency = pattern;
        }
        if patch.per_caller.is_some() {
            self.per_caller = pattern;
        }
        if patch.upstream.is_some() {
            self.upstream = pattern;
        }
    }
}

impl PolicyPatch {
    /// Takes every key that `over` sets.
    fn lay_over(&mut self, over: &Self) {
        fn lay<T: Clone>(under: &mut Option<T>, over: &Option<T>) {
            if over.is_some() {
                under.clone_from(over);
            }
        }
        lay(&mut self.timeout, &over.timeout);
        lay(&mut self.max_result_bytes, &over.max_result_bytes);
        lay(&mut self.concurrency, &over.concurrency);
        lay(&mut self.queue, &over.queue);
        lay(&mut self.per_caller, &over.per_caller);
        lay(&mut self.burst, &over.burst);
        lay(&mut self.upstream, &over.upstream);
        lay(&mut self.upstream_burst, &over.upstream_burst);
        lay(&mut self.on_shared_loss, &over.on_shared_loss);
        lay(&mut self.cache.ttl, &over.cache.ttl);
        lay(&mut self.cache.shared, &over.cache.shared);
        lay(&mut self.cache.stale_if_error, &over.cache.stale_if_error);
        lay(&mut self.cache.invalidated_by, &over.cache.invalidated_by);
        lay(&mut self.idempotency, &over.idempotency);
        lay(&mut self.idempotency_retention, &over.idempotency_retention);
        lay(&mut self.upstream_idempotency_header, &over.upstream_idempotency_header);
        lay(&mut self.upstream_key_ttl, &over.upstream_key_ttl);
        lay(&mut self.retries, &over.retries);
        lay(&mut self.circuit.failures, &over.circuit.failures);
        lay(&mut self.circuit.open_for, &over.circuit.open_for);
    }

    /// Where no burst is said, a caller may use up the amount of the period at once: whoever reads
    /// "60/minute" expects to make their 60 calls. A system behind gets its calls one by one: whoever
    /// says "10/second" of it means that it suffers from more.
    fn policy(self, address: &ToolAddress, set_by: &SetBy<'_>) -> Policy {
        let source = &address.source;
        let within = |pattern: &str| Arc::from(format!("{source}/{pattern}"));
        let rate = |patch: RatePatch, burst| Rate { calls: patch.calls, per: patch.per, burst };
        let waiting = self.queue.unwrap_or(DEFAULT_QUEUE);
        Policy {
            timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
            max_result_bytes: self.max_result_bytes.unwrap_or(DEFAULT_MAX_RESULT_BYTES),
            concurrency: self.concurrency.map(|running| Concurrency {
                shared_by: within(set_by.concurrency),
                running,
                waiting,
            }),
            caller_rate: self.per_caller.map(|patch| SharedRate {
                shared_by: Arc::from(set_by.per_caller),
                rate: rate(patch, self.burst.unwrap_or(patch.calls)),
                waiting: 0,
            }),
            upstream_rate: self.upstream.map(|patch| SharedRate {
                shared_by: within(set_by.upstream),
                rate: rate(patch, self.upstream_burst.unwrap_or(NonZeroU32::MIN)),
                waiting,
            }),
            on_shared_loss: self.on_shared_loss.unwrap_or_default(),
            cache: self.cache.ttl.map(|ttl| CachePolicy {
                ttl,
                shared: self.cache.shared.unwrap_or(false),
                stale_if_error: self.cache.stale_if_error.unwrap_or_default(),
                invalidated_by: self.cache.invalidated_by.unwrap_or_default(),
            }),
            idempotency: self.idempotency,
            idempotency_retention: self.idempotency_retention.unwrap_or(DEFAULT_RETENTION),
            upstream_idempotency_header: self.upstream_idempotency_header,
            upstream_key_ttl: self.upstream_key_ttl.unwrap_or(DEFAULT_UPSTREAM_KEY_TTL),
            retries: self.retries.unwrap_or(0),
            circuit: self
                .circuit
                .failures
                .zip(self.circuit.open_for)
                .map(|(failures, open_for)| CircuitPolicy { failures, open_for }),
        }
    }
}

/// Default first, then patterns by how many characters they fix, then whole addresses.
fn specificity(pattern: &str) -> (u8, usize) {
    match pattern {
        "default" => (0, 0),
        _ if pattern.contains('*') => (1, pattern.len()),
        _ => (2, 0),
    }
}

/// Whether a pattern of `[policy.…]` fits an address.
#[must_use]
pub fn matches(pattern: &str, address: &str) -> bool {
    if pattern == "default" {
        return true;
    }
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|first| address.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    let mut rest = rest;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ToolAddress {
        let (source, tool) = text.split_once('.').unwrap();
        ToolAddress { source: source.into(), tool: tool.into() }
    }

    #[test]
    fn the_most_specific_pattern_wins_for_each_key() {
        let patch = |timeout: Option<u64>, bytes: Option<usize>, concurrency: Option<usize>| PolicyPatch {
            timeout: timeout.map(Duration::from_secs),
            max_result_bytes: bytes,
            concurrency,
            ..PolicyPatch::default()
        };
        let policies = Policies::new(vec![
            ("crm.get".into(), patch(Some(1), None, None)),
            ("crm.*".into(), patch(Some(2), Some(10), Some(4))),
            ("default".into(), patch(Some(3), Some(20), None)),
            ("*.g*t".into(), patch(None, Some(15), None)),
        ]);
        let policy = policies.resolve(&address("crm.get"));
        assert_eq!((policy.timeout, policy.max_result_bytes), (Duration::from_secs(1), 15));
        assert_eq!(policy.concurrency.unwrap().shared_by.as_ref(), "crm/crm.*");
        let policy = policies.resolve(&address("erp.put"));
        assert_eq!((policy.timeout, policy.max_result_bytes, policy.concurrency), (Duration::from_secs(3), 20, None));
    }

    /// H3: a burst stays with the rate that it was written for.
    #[test]
    fn a_burst_is_a_callers_and_a_system_behind_gets_its_calls_evenly() {
        let number = |n| NonZeroU32::new(n).unwrap();
        let per = |calls, seconds| Some(RatePatch { calls: number(calls), per: Duration::from_secs(seconds) });
        let policies = Policies::new(vec![
            ("default".into(), PolicyPatch { per_caller: per(60, 60), ..PolicyPatch::default() }),
            ("crm.*".into(), PolicyPatch { burst: Some(number(5)), upstream: per(10, 1), ..PolicyPatch::default() }),
            ("crm.get".into(), PolicyPatch { upstream_burst: Some(number(3)), ..PolicyPatch::default() }),
        ]);
        let bursts = |tool| {
            let policy = policies.resolve(&address(tool));
            let burst = |rate: Option<SharedRate>| rate.map(|shared| shared.rate.burst.get());
            (burst(policy.caller_rate), burst(policy.upstream_rate))
        };
        assert_eq!(bursts("erp.put"), (Some(60), None));
        assert_eq!(bursts("crm.put"), (Some(5), Some(1)));
        assert_eq!(bursts("crm.get"), (Some(5), Some(3)));
    }

    #[test]
    fn unused_patterns_are_named() {
        let policies =
            Policies::new(vec![("crm.gte".into(), PolicyPatch::default()), ("crm.*".into(), PolicyPatch::default())]);
        assert_eq!(policies.unused(&[address("crm.get")]).collect::<Vec<_>>(), ["crm.gte"]);
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, yes, no) in
            [("a.*", "a.b", "ab"), ("*.x", "q.x", "q.y"), ("a.*b*c", "a.1b2c", "a.1c2b"), ("a.b", "a.b", "a.bc")]
        {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no), "{pattern} {no}");
        }
    }
}
