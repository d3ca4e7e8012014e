//! Callers whose own credential a system behind has not accepted. What was remembered for them before is
//! not given any more by this process: their credential may have been revoked, and of an answer from the
//! cache the system behind would not know. Other processes learn of it from calls of their own.

use jiff::Timestamp;
use moka::sync::Cache;

use crate::{Entry, cache::Material};

/// How many callers are kept in mind; of more, the rarest are forgotten.
const MOST: u64 = 10_000;

/// When that was the last time, by source and caller.
pub(super) struct Unaccepted(Cache<[u8; 32], Timestamp>);

impl Default for Unaccepted {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl Unaccepted {
    /// The source of this tool did not accept what the caller has for it.
    pub(super) fn note(&self, entry: &Entry, caller: &[u8; 32], now: Timestamp) {
        if entry.tool.per_caller {
            self.0.insert(name(entry, caller), now);
        }
    }

    /// Goes into the name of an answer, so that none from before is found; empty where there is nothing
    /// to be said.
    pub(super) fn since(&self, entry: &Entry, caller: &[u8; 32]) -> String {
        self.0.get(&name(entry, caller)).map(|since| since.to_string()).unwrap_or_default()
    }
}

/// `caller` is their [digest](crate::cache::caller_digest).
fn name(entry: &Entry, caller: &[u8; 32]) -> [u8; 32] {
    Material::new("bridgehead unaccepted/1").with(&*entry.tool.address.source).with(caller).digest()
}
