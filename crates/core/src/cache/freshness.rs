//! What a system behind says of how long its answer is good, as far as the cache needs it. Which words
//! of which protocol say so is the source's business.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is said of an answer. The default says nothing: then the policy alone counts, which what is said
/// here can only shorten. Never on the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

    /// Whether the answer must not be given any more when its time is over. What is said of the time for
    /// caches that callers share says that as well (RFC 9111 §5.2.2.10).
    pub(crate) const fn must_revalidate(&self, shared: bool) -> bool {
        self.must_revalidate || (shared && self.shared_lifetime.is_some())
    }

    /// What holds of an answer after this was said of its being still good. Of what is not said again, the
    /// former word stays (RFC 9111 §4.3.4).
    pub(crate) fn over(&self, former: &Self) -> Self {
        let validators = self.validators.clone().or_else(|| former.validators.clone());
        let said = Self { age: Duration::ZERO, validators: None, not_modified: false, ..self.clone() };
        if said != Self::default() {
            return Self { age: self.age, validators, ..said };
        }
        // Counted from how old it is now. Of a time that was over from the beginning, none is left.
        let anew = |left: Duration| match left.is_zero() {
            true => left,
            false => left.saturating_add(former.age).saturating_sub(self.age),
        };
        let (lifetime, shared_lifetime) = (former.lifetime.map(anew), former.shared_lifetime.map(anew));
        Self { age: self.age, validators, lifetime, shared_lifetime, ..former.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H2, RFC 9111 §4.3.4: seconds of lifetime and age, said first and with the word that it is still good.
    #[test]
    fn what_is_not_said_again_holds_as_it_was_said() {
        let secs = Duration::from_secs;
        let said = |lifetime: Option<u64>, age| Freshness {
            lifetime: lifetime.map(secs),
            age: secs(age),
            ..Freshness::default()
        };
        for (first, then, left) in [
            ((Some(10), 0), (None, 0), Some(10)),
            ((Some(10), 5), (None, 0), Some(15)),
            ((Some(10), 5), (None, 6), Some(9)),
            ((Some(10), 0), (None, 11), Some(0)),
            // Too old when it came, or good for no time at all.
            ((Some(0), 50), (None, 0), Some(0)),
            ((Some(10), 0), (Some(3), 0), Some(3)),
            ((Some(10), 0), (Some(30), 0), Some(30)),
            ((None, 0), (None, 7), None),
        ] {
            let over = said(then.0, then.1).over(&said(first.0, first.1));
            assert_eq!((over.lifetime, over.age), (left.map(secs), secs(then.1)), "{first:?} {then:?}");
        }
        let strict = Freshness { private: true, must_revalidate: true, ..said(Some(10), 0) };
        let over = Freshness { not_modified: true, ..Freshness::default() }.over(&strict);
        assert!(over.private && over.must_revalidate && !over.not_modified);
        assert!(!Freshness { private: true, ..Freshness::default() }.over(&strict).must_revalidate, "all is said anew");
    }
}
