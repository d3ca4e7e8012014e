//! Answers of tools that only read, remembered for a while.
//!
//! What is remembered is found by a [`CacheKey`], a hash over everything that can make a difference, the
//! caller included unless the policy declares the tool shared (`key.rs`), and only in the
//! [`Generation`] of its tool in which it was asked for. A write begins another generation of the tools
//! that it may have changed, so that an answer which was on its way meanwhile is never found.
//!
//! Where answers are kept is behind [`CacheStore`]: [`LocalCache`] here, and in `bridgehead-stores` what
//! replicas share. When an answer may be given is decided by the pipeline (`pipeline/cache.rs`).

mod freshness;
mod key;
mod local;
mod remembered;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::EndpointId;

pub use freshness::{Freshness, Validators};
pub(crate) use key::{Material, caller_digest, digest};
pub use local::{LOCAL_BYTES, LocalCache};
pub use remembered::Remembered;
pub(crate) use remembered::is_handle;

/// Names one answer: SHA-256 over all that can make a difference. Shows nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// Takes a hash.
    #[must_use]
    pub const fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Says which answers of a tool are good. Each time that something may have changed, another one begins;
/// none comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Generation(pub u128);

/// Tells one part of a configuration from another, for [`Cache::with_revision`]. Shows nothing of it.
#[must_use]
pub fn revision(of: &serde_json::Value) -> [u8; 32] {
    digest("bridgehead revision/1", of.clone())
}

/// What is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// The tool's generation now.
    pub generation: Generation,
    /// What was remembered in it.
    pub answer: Option<Arc<Remembered>>,
}

/// What remembers cannot be reached, so nobody knows what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cache that replicas share cannot be reached: {0}")]
pub struct CacheLost(pub String);

/// Remembers answers. Each question is answered within a moment. Tools are named as
/// `ENDPOINT/SOURCE.TOOL`.
#[async_trait]
pub trait CacheStore: Send + Sync + 'static {
    /// The tool's generation, and the answer that was remembered in it.
    ///
    /// # Errors
    /// It cannot be reached. What cannot be read is not there.
    async fn look(&self, tool: &str, key: &CacheKey) -> Result<Found, CacheLost>;

    /// Remembers an answer that was asked for in this generation of its tool, for at most so long. It is
    /// found while the generation lasts, and may be forgotten at any time. Of a generation that is over,
    /// nothing is remembered.
    ///
    /// # Errors
    /// It cannot be reached.
    async fn keep(
        &self,
        tool: &str,
        (key, generation): (&CacheKey, Generation),
        answer: Arc<Remembered>,
        time: Duration,
    ) -> Result<(), CacheLost>;

    /// Begins another generation of each of these tools. Nothing that was remembered before is found
    /// from then on, by anybody who shares the store.
    ///
    /// # Errors
    /// It cannot be reached, and maybe for some of them alone it was done.
    async fn forget(&self, tools: &[Arc<str>]) -> Result<(), CacheLost>;
}

/// A cache, as a pipeline gets it.
#[derive(Clone)]
pub struct Cache {
    pub(crate) store: Arc<dyn CacheStore>,
    pub(crate) endpoint: EndpointId,
    pub(crate) revisions: BTreeMap<Arc<str>, [u8; 32]>,
}

impl Cache {
    /// A cache for the calls of one endpoint.
    #[must_use]
    pub fn new(endpoint: EndpointId, store: Arc<dyn CacheStore>) -> Self {
        Self { store, endpoint, revisions: BTreeMap::new() }
    }

    /// Tells this source from what it was under another configuration, in which its tools may have
    /// looked the same: of what was remembered then, nothing is found.
    #[must_use]
    pub fn with_revision(mut self, source: &str, revision: [u8; 32]) -> Self {
        self.revisions.insert(source.into(), revision);
        self
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// What the cache had to do with a call, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheUse {
    /// It had the answer.
    Hit,
    /// It had an answer whose time was over, and the system behind says that it is still good.
    Revalidated,
    /// It had an answer whose time was over, and the system behind failed.
    Stale,
    /// The same call was on its way already; its answer is given to both.
    Joined,
    /// It did not have the answer.
    Miss,
    /// It could not be reached.
    Lost,
}

impl CacheUse {
    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Revalidated => "revalidated",
            Self::Stale => "stale",
            Self::Joined => "joined",
            Self::Miss => "miss",
            Self::Lost => "lost",
        }
    }
}
