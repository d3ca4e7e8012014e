//! The cache: where answers are remembered, and what in the policies about it cannot be meant.

use std::sync::Arc;

use bridgehead_auth::RootKeys;
use bridgehead_core::{Cache, CacheStore, Catalog, EndpointId, LocalCache, cache::LOCAL_BYTES, policy::matches};
use bridgehead_stores::{Valkey, ValkeyCache};

use super::Ambient;
use crate::config::{Fault, KeyPath, Places, Settings};

/// The cache of an endpoint: shared with other replicas where `[shared]` says so. A source whose part of the
/// configuration has changed finds nothing of what was remembered before.
pub(super) fn cache(
    endpoint: EndpointId,
    settings: &Settings,
    shared: Option<&Valkey>,
    (ambient, roots): (&Ambient, &RootKeys),
) -> Cache {
    let store: Arc<dyn CacheStore> = match shared {
        Some(shared) => Arc::new(ValkeyCache::new(shared.clone(), roots, ambient.randomness.clone())),
        None => Arc::new(LocalCache::new(ambient.clock.clone(), LOCAL_BYTES)),
    };
    let cache = Cache::new(endpoint, store);
    settings.sources.iter().fold(cache, |cache, source| cache.with_revision(&source.name, source.revision))
}

/// Policies that remember nothing, or that wait for writes which no tool makes.
pub(super) fn faults(settings: &Settings, catalog: &Catalog, places: &Places) -> Vec<Fault> {
    let addresses = |is_read: bool| {
        let entries = catalog.entries().iter().filter(move |entry| entry.tool.effect.is_read() == is_read);
        entries.map(|entry| entry.tool.address.to_string()).collect::<Vec<_>>()
    };
    let (reads, changes) = (addresses(true), addresses(false));
    let mut faults = Vec::new();
    for (pattern, patch) in settings.policies.tables() {
        let path = KeyPath::of(["policy", pattern]).key("cache");
        if patch.cache.ttl.is_some() && !reads.iter().any(|address| matches(pattern, address)) {
            faults.push(places.fault(
                &path,
                "no tool that only reads has an address that this pattern fits, so nothing is remembered",
                "leave it out; what changes something is done each time",
            ));
        }
        for (index, by) in patch.cache.invalidated_by.iter().flatten().enumerate() {
            if !changes.iter().any(|address| matches(by, address)) {
                faults.push(places.fault(
                    &path.key("invalidated_by").index(index),
                    "no tool that changes something has an address that this fits",
                    "write it as SOURCE.TOOL or SOURCE.*; `bridgehead tools` lists addresses and effects",
                ));
            }
        }
    }
    faults
}
