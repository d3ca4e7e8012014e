//! Key sets of clients (`jwks_uri`), kept in memory for a while. A good copy outlives a failed
//! refresh; a failure is never kept.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::JwkSet;

use super::{
    Issuer,
    document::{self, DocumentError},
};

/// How many are kept.
const MOST: usize = 256;
const MOST_BYTES: usize = 64 * 1024;
const MOST_KEYS: usize = 100;
/// How long a copy may be used when no newer one can be had.
const STALE_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How soon a set is asked for again because a key is not in it.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// Why there is no key set.
#[derive(Debug)]
pub(crate) enum KeySetError {
    /// It cannot be had.
    NotThere(String),
    /// Too many were asked for.
    TooMany { wait: Duration },
}

#[derive(Default)]
pub(crate) struct KeySets(Mutex<HashMap<String, Copy>>);

#[derive(Clone)]
struct Copy {
    set: Arc<JwkSet>,
    fetched_at: Timestamp,
    fresh_until: Timestamp,
}

impl Issuer {
    /// The key set at a URL; a newer one where the key that is asked for is not in it.
    pub(crate) async fn key_set(&self, url: &str, kid: Option<&str>, from: IpAddr) -> Result<Arc<JwkSet>, KeySetError> {
        let now = self.now();
        let kept = self.key_sets.get(url);
        if let Some(copy) = &kept {
            let complete = kid.is_none_or(|kid| copy.set.find(kid).is_some());
            let asked_just_now = now.duration_since(copy.fetched_at) < AGAIN_AFTER;
            if copy.fresh_until > now && (complete || asked_just_now) {
                return Ok(copy.set.clone());
            }
        }
        match self.fetch_key_set(url, from).await {
            Ok((set, lifetime)) => {
                let fresh_until = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
                let copy = Copy { set: Arc::new(set), fetched_at: now, fresh_until };
                self.key_sets.put(url, copy.clone());
                Ok(copy.set)
            }
            Err(error) => {
                let usable = kept.filter(|copy| now.duration_since(copy.fresh_until) < STALE_FOR);
                usable.map(|copy| copy.set).ok_or(error)
            }
        }
    }

    async fn fetch_key_set(&self, url: &str, from: IpAddr) -> Result<(JwkSet, Duration), KeySetError> {
        let (value, lifetime) = self.fetch_json(url, MOST_BYTES, from).await.map_err(|error| match error {
            DocumentError::TooMany { wait } => KeySetError::TooMany { wait },
            other => KeySetError::NotThere(other.to_string()),
        })?;
        let set = serde_json::from_value(value).ok().filter(|set: &JwkSet| set.keys.len() <= MOST_KEYS);
        let set = set.ok_or_else(|| KeySetError::NotThere("it is no key set (RFC 7517)".to_owned()))?;
        Ok((set, document::bounded(lifetime)))
    }
}

impl KeySets {
    fn get(&self, url: &str) -> Option<Copy> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned()
    }

    fn put(&self, url: &str, copy: Copy) {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sets.len() >= MOST && !sets.contains_key(url) {
            let oldest = sets.iter().min_by_key(|(_, copy)| copy.fetched_at).map(|(url, _)| url.clone());
            oldest.and_then(|url| sets.remove(&url));
        }
        sets.insert(url.to_owned(), copy);
    }
}
