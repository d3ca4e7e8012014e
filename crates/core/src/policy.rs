//! Time-outs and limits per tool: `[policy.default]`, `[policy."SOURCE.*"]`, `[policy."SOURCE.TOOL"]`.
//!
//! Policies merge key by key; the most specific pattern wins for each key.

use std::{sync::Arc, time::Duration};

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
/// How many calls wait behind a concurrency limit that names no queue.
pub const DEFAULT_QUEUE: usize = 50;

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
        let mut policy =
            Policy { timeout: DEFAULT_TIMEOUT, max_result_bytes: DEFAULT_MAX_RESULT_BYTES, concurrency: None };
        let (mut running, mut queue) = (None, DEFAULT_QUEUE);
        let text = address.to_string();
        for (pattern, patch) in self.0.iter().filter(|(pattern, _)| matches(pattern, &text)) {
            policy.timeout = patch.timeout.unwrap_or(policy.timeout);
            policy.max_result_bytes = patch.max_result_bytes.unwrap_or(policy.max_result_bytes);
            queue = patch.queue.unwrap_or(queue);
            if let Some(concurrency) = patch.concurrency {
                running = Some((concurrency, pattern));
            }
        }
        policy.concurrency = running.map(|(running, pattern)| Concurrency {
            shared_by: format!("{}/{pattern}", address.source).into(),
            running,
            waiting: queue,
        });
        policy
    }

    /// The patterns that match none of `addresses`: most likely misspelt.
    pub fn unused<'a>(&'a self, addresses: &'a [ToolAddress]) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(pattern, _)| pattern.as_str()).filter(move |pattern| {
            *pattern != "default" && !addresses.iter().any(|address| matches(pattern, &address.to_string()))
        })
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

fn matches(pattern: &str, address: &str) -> bool {
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
            queue: None,
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
