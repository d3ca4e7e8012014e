//! The cache in front of a system behind that tags each answer with everything that it was shown, counts
//! what it was asked, and does as it is told. Time is Tokio's paused one.

mod callers;
mod flying;
mod lost;
mod time;
mod writes;

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{
    super::{Shield, paused_clock::PausedClock},
    *,
};
use crate::{
    AuditRecord, AuditSink, Caller, Catalog, Claims, CredentialLack, CredentialRequired, Effect, EndpointId, Freshness,
    LocalCache, Pipeline, Policies, PolicyPatch, Presented, RequestId, ScopeSet, Secret, SignIn, Source, ToolSpec,
    UpstreamFailure, Validators, cache::CacheStore, catalog::NamedSource, policy::CachePatch,
};

const SECOND: Duration = Duration::from_secs(1);

/// What the system behind does with one call.
enum Does {
    /// Answers, and says this of it.
    Answers(Freshness),
    Fails(UpstreamCode),
    /// Answers when the test says so.
    Waits,
    /// Never answers.
    Hangs,
    /// Refuses the credential that is kept for the caller.
    LacksCredential(CredentialLack),
    Panics,
}

/// The system behind.
struct Behind {
    asked: AtomicUsize,
    /// How often something was changed.
    state: AtomicUsize,
    /// For one read after the other; then it answers and says nothing more.
    script: Mutex<VecDeque<Does>>,
    /// The same for writes.
    writes: Mutex<VecDeque<Does>>,
    begun: Notify,
    go_on: Notify,
    validators: Mutex<Vec<Option<Validators>>>,
    /// The version of a credential that is kept for each caller.
    kept: Mutex<Option<String>>,
}

/// Everything that a source can see of a call.
fn tag(tool: &str, call: &Call, state: usize, shown: Option<&str>) -> Value {
    let Caller { subject, scopes, sign_in, presented, claims } = &*call.caller;
    let presented: Vec<_> = presented.iter().map(|(name, value)| (name, value.expose())).collect();
    let caller = json!([&**subject, scopes.to_string(), sign_in.mode(), presented, claims.as_map(), shown]);
    json!({"tool": tool, "arguments": call.arguments, "caller": caller, "state": state})
}

fn lacks(lack: CredentialLack, call: &Call) -> Refusal {
    let (subject, title) = (call.caller.subject.clone(), "the API".to_owned());
    let url = "https://bridgehead.test/account/credentials/api".to_owned();
    Refusal::CredentialRequired(Box::new(CredentialRequired {
        vault: "api".into(),
        title,
        subject,
        url,
        lack,
        said: None,
    }))
}

#[async_trait]
impl Source for Behind {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        let read = |name: &str| {
            let mut spec = ToolSpec::new(name, "Reads.");
            spec.input_schema = json!({"type": "object"}).as_object().unwrap().clone();
            spec
        };
        let mine = ToolSpec { per_caller: true, ..read("mine") };
        let mut write = ToolSpec::new("write", "Changes something.");
        write.effect = Effect::Destructive;
        let mut idle = write.clone();
        idle.name = "idle".into();
        vec![read("read"), read("other"), read("common"), read("plain"), mine, write, idle]
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        let is_read = !matches!(tool, "write" | "idle");
        if is_read {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.validators.lock().unwrap().push(call.validators.clone());
        }
        let state = self.state.load(Ordering::SeqCst);
        let script = if is_read { &self.script } else { &self.writes };
        let next = script.lock().unwrap().pop_front();
        let freshness = match next {
            None => Freshness::default(),
            Some(Does::Answers(freshness)) => freshness,
            Some(Does::Fails(code)) => return Err(UpstreamFailure::new(code, "as told").into()),
            Some(Does::Hangs) => std::future::pending().await,
            Some(Does::LacksCredential(lack)) => return Err(lacks(lack, call).into()),
            Some(Does::Panics) => panic!("as told"),
            Some(Does::Waits) => {
                self.begun.notify_one();
                self.go_on.notified().await;
                Freshness::default()
            }
        };
        if !is_read {
            self.state.fetch_add(1, Ordering::SeqCst);
        }
        let shown = self.kept.lock().unwrap().clone();
        let mut outcome = Outcome::structured(tag(tool, call, state, shown.as_deref()).as_object().unwrap().clone());
        outcome.freshness = Box::new(freshness);
        Ok(outcome)
    }

    async fn shows(&self, _: &str, _: &Caller) -> Result<Option<String>, CallError> {
        Ok(self.kept.lock().unwrap().clone())
    }
}

#[derive(Default)]
struct Records(Mutex<Vec<AuditRecord>>);

impl AuditSink for Records {
    fn record(&self, record: AuditRecord) {
        self.0.lock().unwrap().push(record);
    }
}

struct Zeros;
impl crate::Randomness for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

struct Bench {
    behind: Arc<Behind>,
    records: Arc<Records>,
    catalog: Catalog,
    pipeline: Pipeline,
    clock: Arc<PausedClock>,
    store: Arc<dyn CacheStore>,
}

/// `read`, `other`, `mine` and `common` are remembered for a minute, `common` for all callers together;
/// `write` touches `read` and `common`.
fn policies(more: CachePatch) -> Policies {
    let cached = |cache: CachePatch| PolicyPatch { cache, ..PolicyPatch::default() };
    let minute = CachePatch { ttl: Some(60 * SECOND), ..more };
    let touched = CachePatch { invalidated_by: Some(vec!["t.wri*".into()]), ..minute.clone() };
    let common = CachePatch { shared: Some(true), ..touched.clone() };
    Policies::new(vec![
        ("t.read".into(), cached(touched)),
        ("t.other".into(), cached(minute.clone())),
        ("t.mine".into(), cached(minute)),
        ("t.common".into(), cached(common)),
        ("default".into(), PolicyPatch { timeout: Some(10 * SECOND), ..PolicyPatch::default() }),
    ])
}

fn bench() -> Bench {
    bench_with(CachePatch::default(), None)
}

fn bench_with(patch: CachePatch, store: Option<Arc<dyn CacheStore>>) -> Bench {
    let clock = PausedClock::new();
    let behind = Arc::new(Behind {
        asked: AtomicUsize::new(0),
        state: AtomicUsize::new(0),
        script: Mutex::default(),
        writes: Mutex::default(),
        begun: Notify::new(),
        go_on: Notify::new(),
        validators: Mutex::default(),
        kept: Mutex::default(),
    });
    let named = NamedSource { name: "t".into(), prefix: String::new(), source: behind.clone() };
    let catalog = Catalog::build(vec![named], &policies(patch)).ok().unwrap();
    let records = Arc::new(Records::default());
    let store = store.unwrap_or_else(|| Arc::new(LocalCache::new(clock.clone(), 1 << 20)));
    let pipeline = pipeline(&clock, &records, Cache::new(EndpointId::main(), store.clone()));
    Bench { behind, records, catalog, pipeline, clock, store }
}

fn pipeline(clock: &Arc<PausedClock>, records: &Arc<Records>, cache: Cache) -> Pipeline {
    Pipeline::with_shield(clock.clone(), records.clone(), Shield::default().with_cache(cache))
}

fn caller(subject: &str) -> Caller {
    Caller { subject: subject.into(), sign_in: SignIn::Local, ..Caller::anonymous() }
}

impl Bench {
    async fn call_as(&self, caller: &Caller, tool: &str, arguments: Value) -> Result<Outcome, CallError> {
        let arguments = arguments.as_object().unwrap().clone();
        let call = Call::new(RequestId::generate(&Zeros), Arc::new(caller.clone()), tool, arguments);
        self.pipeline.run(&self.catalog, call).await
    }

    async fn call(&self, tool: &str) -> Result<Outcome, CallError> {
        self.call_as(&caller("alice"), tool, json!({})).await
    }

    /// Another pipeline on the same cache and system behind, as after a swap.
    fn restarted(&self) -> Self {
        let named = NamedSource { name: "t".into(), prefix: String::new(), source: self.behind.clone() };
        let catalog = Catalog::build(vec![named], &policies(CachePatch::default())).ok().unwrap();
        let cache = Cache::new(EndpointId::main(), self.store.clone());
        let pipeline = pipeline(&self.clock, &self.records, cache);
        let (behind, records) = (self.behind.clone(), self.records.clone());
        Self { behind, records, catalog, pipeline, clock: self.clock.clone(), store: self.store.clone() }
    }

    fn asked(&self) -> usize {
        self.behind.asked.load(Ordering::SeqCst)
    }

    fn script(&self, does: impl IntoIterator<Item = Does>) {
        self.behind.script.lock().unwrap().extend(does);
    }

    fn last_use(&self) -> Option<CacheUse> {
        self.records.0.lock().unwrap().last().unwrap().cache
    }
}

#[allow(clippy::disallowed_methods, reason = "moves the time that stands still")]
async fn later(time: Duration) {
    tokio::time::advance(time).await;
}

/// The mark of an answer from the cache: hit, age, stale.
fn mark(outcome: &Outcome) -> Option<(bool, u64, bool)> {
    let mark = outcome.meta.get(MARK)?;
    Some((mark["hit"].as_bool()?, mark["age_ms"].as_u64()?, mark["stale"].as_bool()?))
}

fn state(outcome: &Outcome) -> u64 {
    outcome.structured.as_ref().unwrap()["state"].as_u64().unwrap()
}
