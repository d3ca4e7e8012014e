//! A probe that remembers: each request of a caller passes here, and the system behind should
//! notice few of them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bridgehead_core::{Clock, Presented};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use jiff::SignedDuration;
use tokio::sync::Semaphore;

use super::{Probe, ProbeAnswer, ProbeFailure};
use crate::{Fingerprint, Fingerprints, recent::Recent};

type Asked = BoxFuture<'static, Result<ProbeAnswer, ProbeFailure>>;

/// How long answers are remembered, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RememberedFor {
    /// How long a credential that was accepted is good without asking again. So long a sign-in
    /// goes on after the system behind has withdrawn the credential; its own refusals come at
    /// once.
    pub accepted: SignedDuration,
    /// How long one that was refused is refused without asking again.
    pub refused: SignedDuration,
    /// How many of each kind are remembered; the oldest go first. Strangers who try things fill
    /// the refused alone.
    pub capacity: usize,
    /// How many probes run at once; the others wait.
    pub at_once: usize,
}

impl Default for RememberedFor {
    fn default() -> Self {
        Self {
            accepted: SignedDuration::from_mins(5),
            refused: SignedDuration::from_secs(10),
            capacity: 10_000,
            at_once: 32,
        }
    }
}

/// Asks once about each credential and remembers what was said; of several that ask at once, one
/// asks and all get the answer. Only what the system behind said is remembered: that it could not
/// be asked is not.
///
/// Credentials are remembered by their [`Fingerprint`], in memory alone.
pub struct Remembered {
    shared: Arc<Memory>,
}

struct Memory {
    probe: Arc<dyn Probe>,
    fingerprints: Fingerprints,
    clock: Arc<dyn Clock>,
    limits: RememberedFor,
    running: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accepted: Recent<ProbeAnswer>,
    refused: Recent<()>,
    /// What is being asked. Nobody's future but those of the callers that wait keeps it running.
    asked: HashMap<Fingerprint, WeakShared<Asked>>,
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl Remembered {
    /// Remembers what `probe` answers.
    #[must_use]
    pub fn new(
        probe: Arc<dyn Probe>,
        fingerprints: Fingerprints,
        clock: Arc<dyn Clock>,
        limits: RememberedFor,
    ) -> Self {
        let running = Semaphore::new(limits.at_once.clamp(1, Semaphore::MAX_PERMITS));
        Self { shared: Arc::new(Memory { probe, fingerprints, clock, limits, running, state: Mutex::default() }) }
    }
}

#[async_trait]
impl Probe for Remembered {
    async fn probe(&self, presented: &Presented) -> Result<ProbeAnswer, ProbeFailure> {
        let fingerprint = self.shared.fingerprints.of(presented.iter());
        match self.shared.recall(fingerprint) {
            Some(answer) => answer,
            None => self.shared.clone().ask(fingerprint, presented.clone()).await,
        }
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recall(&self, fingerprint: Fingerprint) -> Option<Result<ProbeAnswer, ProbeFailure>> {
        let now = self.clock.now();
        let state = self.state();
        if let Some(answer) = state.accepted.get(&fingerprint, now) {
            return Some(Ok(answer));
        }
        state.refused.get(&fingerprint, now).map(|()| Err(ProbeFailure::Refused))
    }

    /// Begins to ask, unless somebody else has begun already.
    fn ask(self: Arc<Self>, fingerprint: Fingerprint, presented: Presented) -> Shared<Asked> {
        let memory = self.clone();
        let asking = async move {
            let answer = memory.answer(&presented).await;
            memory.remember(fingerprint, &answer);
            answer
        };
        let asked = asking.boxed().shared();
        let mut state = self.state();
        if let Some(other) = state.asked.get(&fingerprint).and_then(WeakShared::upgrade) {
            return other;
        }
        if state.asked.len() >= self.limits.capacity {
            // Those whose callers all went away before there was an answer.
            state.asked.retain(|_, asked| asked.upgrade().is_some());
        }
        if let Some(weak) = asked.downgrade() {
            state.asked.insert(fingerprint, weak);
        }
        asked
    }

    async fn answer(&self, presented: &Presented) -> Result<ProbeAnswer, ProbeFailure> {
        // The semaphore is never closed.
        let _running = self.running.acquire().await.ok();
        self.probe.probe(presented).await
    }

    fn remember(&self, fingerprint: Fingerprint, answer: &Result<ProbeAnswer, ProbeFailure>) {
        let now = self.clock.now();
        let RememberedFor { accepted, refused, capacity, .. } = self.limits;
        let mut state = self.state();
        state.asked.remove(&fingerprint);
        match answer {
            Ok(answer) => state.accepted.put(fingerprint, answer.clone(), now, accepted, capacity),
            Err(ProbeFailure::Refused) => state.refused.put(fingerprint, (), now, refused, capacity),
            Err(ProbeFailure::Unavailable { .. } | ProbeFailure::Unusable { .. }) => {}
        }
    }
}
