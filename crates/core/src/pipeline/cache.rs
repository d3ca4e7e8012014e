//! Step 6a. What is remembered of a tool that only reads. However many callers ask the same at the same
//! time, the system behind is asked once; what it says of its answer's time shortens the policy's, and a
//! write that the policy names ends it.
//!
//! What is asked for many is asked on nobody's behalf: it goes on when the caller who began goes away,
//! and its progress is told to nobody. While the store cannot be reached there is no cache at all.

mod unaccepted;

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use self::unaccepted::Unaccepted;
use super::{flights::Flights, gate::Gate, way::Way};
use crate::{
    Cache, CacheUse, Call, CallError, Caller, Clock, CredentialLack, Entry, Fault, Outcome, Refusal, ToolAddress,
    UpstreamCode,
    cache::{CacheKey, CacheLost, Found, Generation, Material, Remembered, caller_digest, is_handle},
    call::Unheard,
    policy::CachePolicy,
};

/// What marks an answer that was remembered, in `_meta`.
const MARK: &str = "bridgehead/cache";

/// A question and the generation of its tool: after a write, nobody waits for an answer from before.
type Question = (CacheKey, Generation);

/// Remembers answers for a pipeline.
pub(super) struct Caching {
    cache: Cache,
    clock: Arc<dyn Clock>,
    flights: Flights<Question, Result<Landed, CallError>>,
    unaccepted: Unaccepted,
    unforgotten: Unforgotten,
}

/// What came of a question, for all who waited.
#[derive(Clone)]
struct Landed {
    outcome: Outcome,
    used: CacheUse,
    /// Whether it is for the one who asked alone.
    alone: bool,
}

/// What the cache notes of a call, for its record and for its end.
#[derive(Default)]
pub(super) struct Noted {
    used: Mutex<Option<CacheUse>>,
    /// An answer whose time is over, for the case that the system behind fails.
    fallback: Mutex<Option<Arc<Remembered>>>,
}

impl Noted {
    /// What the cache had to do with the call.
    pub(super) fn used(&self) -> Option<CacheUse> {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last word counts.
    fn uses(&self, used: CacheUse) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(used);
    }

    fn falls_back_on(&self, answer: Option<Arc<Remembered>>) {
        *self.fallback.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// The older answer in the place of a failure of the system behind, where the policy allows it so late.
    pub(super) fn instead_of(&self, result: Result<Outcome, CallError>, now: Timestamp) -> Result<Outcome, CallError> {
        let answer = self.fallback.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (result, answer) {
            (Err(error), Some(answer)) if is_down(&error) && answer.stands_in(now) => {
                self.uses(CacheUse::Stale);
                Ok(marked(&answer, now, true))
            }
            (result, _) => result,
        }
    }
}

/// The policy of a tool whose answers are remembered.
pub(super) fn policy(entry: &Entry) -> Option<&CachePolicy> {
    let policy = entry.tool.policy.cache.as_ref().filter(|_| entry.tool.effect.is_read())?;
    // The catalog refuses such a tool; this is the place where it would matter.
    (!(policy.shared && entry.tool.per_caller)).then_some(policy)
}

impl Caching {
    pub(super) fn new(cache: Cache, clock: Arc<dyn Clock>) -> Self {
        Self {
            cache,
            clock,
            flights: Flights::default(),
            unaccepted: Unaccepted::default(),
            unforgotten: Unforgotten::default(),
        }
    }

    /// The answer, remembered or made.
    pub(super) async fn answer(
        self: &Arc<Self>,
        way: &Way,
        policy: &CachePolicy,
        call: &Call,
        (gate, noted): (&Arc<Gate>, &Noted),
    ) -> Result<Outcome, CallError> {
        let entry = &way.entry;
        let shown = entry.source.shows(&entry.tool.address.tool, &call.caller).await?;
        let key = self.key(entry, policy, call, shown.as_deref());
        let tool = self.tool(&entry.tool.address);
        loop {
            let found = match self.look(&tool, &key).await {
                Ok(found) => found,
                Err(lost) => {
                    tracing::debug!(tool = %entry.tool.address, %lost, "not looked up");
                    noted.uses(CacheUse::Lost);
                    return way.go(call, gate).await;
                }
            };
            let now = self.clock.now();
            if let Some(answer) = found.answer.as_ref().filter(|answer| answer.is_fresh(now)) {
                noted.uses(CacheUse::Hit);
                return Ok(marked(answer, now, false));
            }
            noted.falls_back_on(found.answer);
            let shown = shown.as_deref().map(Arc::from);
            let begin = |gate| {
                let call = Call { shown, ..call.clone() };
                self.ask(way.clone(), policy.clone(), call, (tool.clone(), key), gate)
            };
            let (flight, joined) = self.flights.board(&(key, found.generation), begin);
            noted.uses(if joined { CacheUse::Joined } else { CacheUse::Miss });
            gate.waits_for_question(flight.gate.clone());
            match flight.answer.await {
                // The time of the one who began was over, and this one has some left.
                Err(error) if joined && is_time_out(&error) && call.deadline > Some(self.clock.now()) => {}
                Err(error) => return Err(error),
                Ok(landed) if joined && landed.alone => {
                    noted.uses(CacheUse::Miss);
                    return way.go(call, gate).await;
                }
                Ok(landed) => {
                    if !joined {
                        noted.uses(landed.used);
                    }
                    return Ok(landed.outcome);
                }
            }
        }
    }

    /// The question, for all who will wait for it.
    fn ask(
        self: &Arc<Self>,
        way: Way,
        policy: CachePolicy,
        call: Call,
        (tool, key): (Arc<str>, CacheKey),
        gate: Arc<Gate>,
    ) -> BoxFuture<'static, Result<Landed, CallError>> {
        let this = self.clone();
        let mut call = Call { cancelled: CancellationToken::new(), notify: Arc::new(Unheard), ..call };
        let asked = async move {
            // Between the look of who began and here another question may have brought the answer.
            let found = this.look(&tool, &key).await.ok();
            let known = found.as_ref().and_then(|found| found.answer.clone());
            let now = this.clock.now();
            if let Some(answer) = known.as_ref().filter(|answer| answer.is_fresh(now)) {
                return Ok(Landed { outcome: marked(answer, now, false), used: CacheUse::Hit, alone: false });
            }
            call.validators = known.as_ref().and_then(|known| known.validators().cloned());
            let outcome = way.go(&call, &gate).await?;
            let now = this.clock.now();
            let freshness = &outcome.freshness;
            // What must not be stored must not be given to another request either (RFC 9111 §5.2.2.5).
            let alone = freshness.no_store || is_handle(&outcome) || (freshness.private && policy.shared);
            let (landed, remembered) = match known.filter(|_| freshness.not_modified) {
                Some(known) => {
                    let remembered = known.still_good(freshness, &policy, now);
                    let outcome = marked(remembered.as_ref().map_or(&known, |(renewed, _)| renewed), now, false);
                    (Landed { outcome, used: CacheUse::Revalidated, alone }, remembered)
                }
                None => {
                    let remembered = Remembered::of(&outcome, freshness, &policy, now);
                    (Landed { outcome, used: CacheUse::Miss, alone }, remembered)
                }
            };
            if let (Some(found), Some((remembered, time))) = (found, remembered) {
                // Of the generation before the question: a write since then has begun another one.
                let question = (&key, found.generation);
                let kept = this.cache.store.keep(&tool, question, Arc::new(remembered), time).await;
                if let Err(lost) = kept {
                    tracing::debug!(%tool, %lost, "not remembered");
                }
            }
            Ok(landed)
        };
        // Those who wait would not be woken after a panic, and wait until their time is over.
        let caught = AssertUnwindSafe(asked).catch_unwind();
        caught.map(|asked| asked.unwrap_or_else(|_| Err(Fault::new("asking for all who wait").into()))).boxed()
    }

    fn key(&self, entry: &Entry, policy: &CachePolicy, call: &Call, shown: Option<&str>) -> CacheKey {
        let address = &entry.tool.address;
        let revision = self.cache.revisions.get(&address.source).map_or(&[][..], |revision| revision);
        let material = Material::new("bridgehead cache/1")
            .with(self.cache.endpoint.as_str())
            .with(&*address.source)
            .with(&*address.tool)
            .with(entry.digest)
            .with(revision)
            .with_json(call.arguments.clone().into())
            .with_json(Value::Object((*call.client_capabilities).clone()));
        let material = match policy.shared {
            true => material.with("shared"),
            false => {
                let caller = caller_digest(&call.caller);
                let since = self.unaccepted.since(entry, &caller);
                // Nothing shown is not the same as an empty text.
                let material = material.with("caller").with(caller).with([u8::from(shown.is_some())]);
                material.with(shown.unwrap_or_default()).with(since)
            }
        };
        material.key()
    }

    fn tool(&self, address: &ToolAddress) -> Arc<str> {
        format!("{}/{address}", self.cache.endpoint).into()
    }

    async fn look(&self, tool: &str, key: &CacheKey) -> Result<Found, CacheLost> {
        self.forget().await?;
        self.cache.store.look(tool, key).await
    }

    /// To be told of each call that ended, before its caller is; and of one whose time is over while it goes
    /// on.
    pub(super) async fn ended(&self, entry: &Entry, caller: &Caller, result: &Result<Outcome, CallError>) {
        if is_unaccepted(result) {
            self.unaccepted.note(entry, &caller_digest(caller), self.clock.now());
        }
        self.changed(entry, result).await;
    }

    /// To be told of each call of which somebody hears here how it ended, whoever made it: what it may have
    /// changed is not remembered any more.
    pub(super) async fn changed(&self, entry: &Entry, result: &Result<Outcome, CallError>) {
        if entry.invalidates.is_empty() || !may_have_changed(result) {
            return;
        }
        self.unforgotten.add(entry.invalidates.iter().map(|address| self.tool(address)));
        if let Err(lost) = self.forget().await {
            tracing::warn!(
                tool = %entry.tool.address, %lost,
                "other replicas may give remembered answers from before this call, until they can be told or their time is over"
            );
        }
    }

    /// Makes up for what could not be forgotten yet.
    async fn forget(&self) -> Result<(), CacheLost> {
        let due = self.unforgotten.all();
        if !due.is_empty() {
            let tools: Vec<Arc<str>> = due.iter().map(|(tool, _)| tool.clone()).collect();
            self.cache.store.forget(&tools).await?;
            self.unforgotten.done(&due);
        }
        Ok(())
    }
}

/// Tools whose answers have to be forgotten and that the store was not told of yet, each with the number
/// of the write that asked for it last.
#[derive(Default)]
struct Unforgotten {
    tools: Mutex<BTreeMap<Arc<str>, u64>>,
    writes: AtomicU64,
}

impl Unforgotten {
    fn add(&self, tools: impl Iterator<Item = Arc<str>>) {
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).extend(tools.map(|tool| (tool, write)));
    }

    fn all(&self) -> Vec<(Arc<str>, u64)> {
        let tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        tools.iter().map(|(tool, write)| (tool.clone(), *write)).collect()
    }

    /// Of the tools that a later write has asked for meanwhile, the store has to be told again.
    fn done(&self, told: &[(Arc<str>, u64)]) {
        let mut tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        for (tool, write) in told {
            if tools.get(tool) == Some(write) {
                tools.remove(tool);
            }
        }
    }
}

/// `is_stale`: its time is over, and nobody says that it is still good.
fn marked(answer: &Remembered, now: Timestamp, is_stale: bool) -> Outcome {
    let mut outcome = answer.outcome.clone();
    let age = u64::try_from(now.duration_since(answer.made_at).as_millis()).unwrap_or_default();
    let mark = json!({"hit": true, "age_ms": age, "stale": is_stale});
    outcome.meta.insert(MARK.into(), mark);
    outcome
}

/// Whether the system behind is to blame, so that an older answer is better than none.
fn is_down(error: &CallError) -> bool {
    match error {
        CallError::Upstream(failure) => matches!(
            failure.code,
            UpstreamCode::Unavailable
                | UpstreamCode::Busy
                | UpstreamCode::RateLimited
                | UpstreamCode::TimedOut
                | UpstreamCode::ConnectionLost
                | UpstreamCode::InvalidResponse
                | UpstreamCode::Failed
        ),
        CallError::Refused(refusal) => {
            matches!(refusal, Refusal::CircuitOpen { .. } | Refusal::Busy { .. } | Refusal::LimitsLost { .. })
        }
        CallError::Cancelled | CallError::InDoubt(_) | CallError::AnswerNotKept | CallError::Internal(_) => false,
    }
}

fn is_time_out(error: &CallError) -> bool {
    matches!(error, CallError::Upstream(failure) if failure.code == UpstreamCode::TimedOut)
}

/// Whether the system behind did not accept what the caller has for it, handed on or kept in a vault.
fn is_unaccepted(result: &Result<Outcome, CallError>) -> bool {
    match result {
        Err(CallError::Upstream(failure)) => failure.code == UpstreamCode::Unauthorized,
        Err(CallError::Refused(Refusal::CredentialRequired(required))) => required.lack == CredentialLack::NotAccepted,
        _ => false,
    }
}

/// Whether something may be different after a call with effects that ended so: everything but what
/// certainly did not get as far.
fn may_have_changed(result: &Result<Outcome, CallError>) -> bool {
    match result {
        Ok(_)
        | Err(CallError::Cancelled | CallError::InDoubt(_) | CallError::AnswerNotKept | CallError::Internal(_)) => true,
        Err(CallError::Refused(_)) => false,
        Err(CallError::Upstream(failure)) => !matches!(
            failure.code,
            UpstreamCode::Unavailable
                | UpstreamCode::RateLimited
                | UpstreamCode::Unauthorized
                | UpstreamCode::Forbidden
        ),
    }
}

#[cfg(test)]
mod tests;
