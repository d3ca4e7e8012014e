//! A document of somebody else's that is kept for a while: asked for by one for all, not too often,
//! and used on when no newer one can be had.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::Clock;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use jiff::{SignedDuration, Timestamp};

use super::RemoteError;

/// How soon a document is asked for again that could not be had.
const AGAIN_AFTER_FAILURE: SignedDuration = SignedDuration::from_secs(5);
/// How soon it is asked for again because something is not in it. Whoever makes up key ids makes us ask
/// no oftener.
const AGAIN_FOR_NEWER: SignedDuration = SignedDuration::from_secs(30);
/// How long a copy may be used when no newer one can be had.
const STALE_FOR: SignedDuration = SignedDuration::from_hours(24);

/// For how long a copy is good, whatever its host says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    shortest: Duration,
    longest: Duration,
    /// Where its host says nothing.
    usual: Duration,
}

impl Lifetime {
    /// Metadata changes when somebody changes the set-up.
    pub(super) const OF_METADATA: Self = Self::minutes(5, 60, 24 * 60);
    /// Keys that were withdrawn are good until the set is read again: an hour at the most.
    pub(super) const OF_KEYS: Self = Self::minutes(1, 10, 60);

    const fn minutes(shortest: u64, usual: u64, longest: u64) -> Self {
        let minute = 60;
        Self {
            shortest: Duration::from_secs(shortest * minute),
            usual: Duration::from_secs(usual * minute),
            longest: Duration::from_secs(longest * minute),
        }
    }

    fn of(self, said: Option<Duration>) -> Duration {
        said.unwrap_or(self.usual).clamp(self.shortest, self.longest)
    }
}

/// Where a document comes from.
#[async_trait]
pub(super) trait Source: Send + Sync + 'static {
    type Document: Send + Sync + 'static;

    /// Gets it, and how long it says that it may be kept.
    async fn fetch(&self) -> Result<(Self::Document, Option<Duration>), RemoteError>;
}

type Answer<T> = Result<Arc<T>, RemoteError>;
type Flight<T> = Shared<BoxFuture<'static, Answer<T>>>;

/// Keeps one document.
pub(super) struct Held<T>(Arc<Inner<T>>);

struct Inner<T> {
    source: Box<dyn Source<Document = T>>,
    lifetime: Lifetime,
    clock: Arc<dyn Clock>,
    state: Mutex<State<T>>,
}

struct State<T> {
    copy: Option<Copy<T>>,
    /// When it was asked for last, and what came of it where that was nothing.
    asked_at: Option<Timestamp>,
    failure: Option<RemoteError>,
    /// What is under way.
    flight: Option<Flight<T>>,
}

struct Copy<T> {
    document: Arc<T>,
    fresh_until: Timestamp,
}

impl<T: Send + Sync + 'static> Held<T> {
    pub(super) fn new(source: impl Source<Document = T>, lifetime: Lifetime, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(State { copy: None, asked_at: None, failure: None, flight: None });
        Self(Arc::new(Inner { source: Box::new(source), lifetime, clock, state }))
    }

    /// The copy that is there, however old.
    pub(super) fn known(&self) -> Option<Arc<T>> {
        self.0.state().copy.as_ref().map(|copy| copy.document.clone())
    }

    /// A copy that is fresh, or all that can be had.
    pub(super) async fn get(&self) -> Answer<T> {
        let flight = {
            let mut state = self.0.state();
            let now = self.0.clock.now();
            if let Some(copy) = state.copy.as_ref().filter(|copy| now < copy.fresh_until) {
                return Ok(copy.document.clone());
            }
            if let Some(error) = state.failure.clone().filter(|_| !state.may_ask(now)) {
                return state.usable(now).ok_or(error);
            }
            Inner::flight(&self.0, &mut state, now)
        };
        let landed = flight.await;
        landed.or_else(|error| self.0.state().usable(self.0.clock.now()).ok_or(error))
    }

    /// A newer copy than one in which something is missing. Where it was asked for just now, there is no
    /// newer one: the same comes back.
    pub(super) async fn newer_than(&self, seen: &Arc<T>) -> Answer<T> {
        let flight = {
            let mut state = self.0.state();
            let now = self.0.clock.now();
            match &state.copy {
                Some(copy) if !Arc::ptr_eq(&copy.document, seen) => return Ok(copy.document.clone()),
                _ if state.may_ask(now) => Inner::flight(&self.0, &mut state, now),
                _ => return state.failure.clone().map_or_else(|| Ok(seen.clone()), Err),
            }
        };
        flight.await
    }
}

impl<T: Send + Sync + 'static> Inner<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is under way, or is so from now on. It goes on to its end in a task of its own: whoever asks
    /// and goes away must not be able to keep the document from arriving.
    fn flight(this: &Arc<Self>, state: &mut State<T>, now: Timestamp) -> Flight<T> {
        if let Some(flight) = &state.flight {
            return flight.clone();
        }
        let inner = this.clone();
        let flight = async move {
            let fetched = inner.source.fetch().await;
            inner.landed(fetched)
        };
        let flight = flight.boxed().shared();
        state.asked_at = Some(now);
        state.flight = Some(flight.clone());
        tokio::spawn(flight.clone());
        flight
    }

    fn landed(&self, fetched: Result<(T, Option<Duration>), RemoteError>) -> Answer<T> {
        let now = self.clock.now();
        let mut state = self.state();
        state.flight = None;
        match fetched {
            Ok((document, said)) => {
                let document = Arc::new(document);
                let fresh_until = now.saturating_add(self.lifetime.of(said)).unwrap_or(Timestamp::MAX);
                state.copy = Some(Copy { document: document.clone(), fresh_until });
                if state.failure.take().is_some() {
                    tracing::info!("a remote issuer answers again");
                }
                Ok(document)
            }
            Err(error) => {
                let usable = state.copy.is_some();
                tracing::warn!(%error, an_older_copy_is_used = usable, "a document of a remote issuer cannot be had");
                state.asked_at = Some(now);
                state.failure = Some(error.clone());
                Err(error)
            }
        }
    }
}

impl<T> State<T> {
    /// Whether somebody may ask now, or join those who ask.
    fn may_ask(&self, now: Timestamp) -> bool {
        let wait = if self.failure.is_some() { AGAIN_AFTER_FAILURE } else { AGAIN_FOR_NEWER };
        self.flight.is_some() || self.asked_at.is_none_or(|at| now.duration_since(at) >= wait)
    }

    /// The copy, unless it is too old to be used in want of a newer one.
    fn usable(&self, now: Timestamp) -> Option<Arc<T>> {
        let usable = self.copy.as_ref().filter(|copy| now.duration_since(copy.fresh_until) < STALE_FOR);
        usable.map(|copy| copy.document.clone())
    }
}
