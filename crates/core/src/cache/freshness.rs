//! What a system behind says of how long its answer is good, as far as the cache needs it. Which words
//! of which protocol say so is the source's business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is said of an answer. The default says nothing: then the policy alone counts, which what is said
/// here can only shorten. Never on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freshness {
    /// It must not be remembered at all.
    pub no_store: bool,
    /// It is for this caller alone.
    pub private: bool,
    /// It must not be given any more when its time is over, also where the system behind fails.
    pub must_revalidate: bool,
    /// For how long it is good from now on.
    pub lifetime: Option<Duration>,
    /// The same, for an answer that callers share.
    pub shared_lifetime: Option<Duration>,
    /// How old it is already.
    pub age: Duration,
    /// How to ask whether it is still good when its time is over.
    pub validators: Option<Validators>,
    /// It is no answer of its own: the one whose validators were sent is still good.
    pub not_modified: bool,
}

/// What names one state of something to the system behind (RFC 9110 §8.8), sent with a request for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
    /// The date of the last change, as the system behind wrote it.
    pub last_modified: Option<String>,
}

impl Freshness {
    /// For how long the answer may be given without asking, where the policy allows `ttl`.
    #[must_use]
    pub fn lifetime(&self, ttl: Duration, shared: bool) -> Duration {
        let said = if shared { self.shared_lifetime.or(self.lifetime) } else { self.lifetime };
        said.map_or(ttl, |said| said.min(ttl))
    }
}
