//! A store, a clock that is moved, a system behind that does as it is told, and replicas in front.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::{
    Cache, Call, CallError, Caller, Catalog, ClaimedEffect, Claims, Clock, Effect, EffectId, EffectStore,
    EffectStoreError, Effects, EndpointId, LocalCache, Outcome, Pipeline, Policies, PolicyPatch, Presented, Randomness,
    Recovery, Refusal, RequestId, Resolution, ScopeSet, SignIn, Source, ToolSpec, UpstreamCode, UpstreamFailure,
    catalog::NamedSource,
    effects::{Change, ClaimOutcome, ClaimToken, EffectRecord, EffectTable, KeptAnswer, Lease, answer::LARGEST_ANSWER},
    pipeline::Shield,
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

/// Stands still until it is moved.
#[derive(Clone)]
pub(crate) struct TestClock(watch::Sender<Timestamp>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new("2026-01-01T00:00:00Z".parse().unwrap()))
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.send_modify(|now| *now = now.checked_add(Duration::from_secs(seconds)).unwrap());
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut time = self.0.subscribe();
        let until = self.now().checked_add(duration).unwrap();
        Box::pin(async move {
            if time.wait_for(|now| *now >= until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Never the same twice.
#[derive(Default)]
pub(crate) struct Counted(AtomicU64);

impl Randomness for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        bytes.iter_mut().zip(number.iter().cycle()).for_each(|(byte, from)| *byte = *from);
    }
}

/// Which verb of the store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Claim,
    Renew,
    Settle,
    Doubt,
    Release,
}

#[derive(Debug, thiserror::Error)]
#[error("the disk is gone")]
struct Gone;

/// The cause of what fails slowly.
#[derive(Debug, thiserror::Error)]
#[error("what lies behind")]
struct Behind;

/// The store as one replica sees it.
pub(crate) struct Seen {
    table: Arc<Mutex<EffectTable>>,
    failing: Arc<Mutex<Vec<Verb>>>,
    dead: Arc<AtomicBool>,
}

impl Seen {
    /// A dead replica does nothing any more; a verb that is said to fail does so.
    async fn reach(&self, verb: Option<Verb>) -> Result<(), EffectStoreError> {
        if self.dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let failing = verb.is_some_and(|verb| self.failing.lock().unwrap().contains(&verb));
        if failing { Err(EffectStoreError::new(Gone)) } else { Ok(()) }
    }
}

#[async_trait]
impl EffectStore for Seen {
    async fn claim(&self, record: &EffectRecord, now: Timestamp) -> Result<ClaimOutcome, EffectStoreError> {
        self.reach(Some(Verb::Claim)).await?;
        Ok(self.table.lock().unwrap().claim(record, now))
    }

    async fn find_effect(&self, id: &EffectId, now: Timestamp) -> Result<Option<EffectRecord>, EffectStoreError> {
        self.reach(None).await?;
        Ok(self.table.lock().unwrap().find(id, now))
    }

    async fn renew(&self, id: &EffectId, token: &ClaimToken, lease: Lease) -> Result<Change, EffectStoreError> {
        self.reach(Some(Verb::Renew)).await?;
        Ok(self.table.lock().unwrap().renew(id, token, lease))
    }

    async fn settle(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.reach(Some(Verb::Settle)).await?;
        Ok(self.table.lock().unwrap().settle(id, token, answer, keep_until))
    }

    async fn doubt(&self, id: &EffectId, token: &ClaimToken, until: Timestamp) -> Result<Change, EffectStoreError> {
        self.reach(Some(Verb::Doubt)).await?;
        Ok(self.table.lock().unwrap().doubt(id, token, until))
    }

    async fn release(&self, id: &EffectId, token: &ClaimToken) -> Result<Change, EffectStoreError> {
        self.reach(Some(Verb::Release)).await?;
        Ok(self.table.lock().unwrap().release(id, token))
    }

    async fn void(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.reach(Some(Verb::Release)).await?;
        Ok(self.table.lock().unwrap().void(id, token, answer, keep_until))
    }

    async fn take_over(
        &self,
        id: &EffectId,
        from: &ClaimToken,
        to: &ClaimToken,
        lease: Lease,
        now: Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.reach(None).await?;
        Ok(self.table.lock().unwrap().take_over(id, from, to, lease, now))
    }

    async fn sweep_effects(&self, now: Timestamp) -> Result<u64, EffectStoreError> {
        self.reach(None).await?;
        Ok(self.table.lock().unwrap().sweep(now))
    }
}

/// What the system behind does with the next call. After the last one, it does as it is asked.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// As it is asked, once it is told to go on.
    Slowly,
    /// As it is asked, and the connection breaks before the answer.
    DoneAndLost,
    /// The connection breaks, and nothing comes of it.
    Lost,
    /// It fails with this code; nothing comes of it.
    Fail(UpstreamCode),
    /// The same, once it is told to go on.
    FailSlowly(UpstreamCode),
    /// Its source finds that the call cannot be sent, once it is told to go on.
    RefuseSlowly(Refusal),
    /// More than is kept, once it is told to go on.
    LargeSlowly,
    /// The source panics, once it is told to go on.
    PanicSlowly,
    /// Its answer does not fit the schema.
    Misfit,
    /// The source panics.
    Panic,
}

/// The system behind. Each effect has a number, which is its answer.
#[derive(Default)]
pub(crate) struct Upstream {
    pub(crate) recovery: Recovery,
    acts: Mutex<VecDeque<Act>>,
    effects: Mutex<BTreeMap<String, u64>>,
    pub(crate) calls: AtomicUsize,
    pub(crate) asked: AtomicUsize,
    /// How many that went slowly came to their end.
    pub(crate) ended: AtomicUsize,
    arguments: Mutex<Vec<Value>>,
    pub(crate) started: Notify,
    pub(crate) go_on: Notify,
}

impl Upstream {
    pub(crate) fn next(&self, act: Act) {
        self.acts.lock().unwrap().push_back(act);
    }

    pub(crate) fn effects(&self) -> usize {
        self.effects.lock().unwrap().len()
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn arguments(&self) -> Vec<Value> {
        self.arguments.lock().unwrap().clone()
    }

    /// Knows a repeat by its key, where it takes keys.
    fn take_effect(&self, call: &Call) -> Outcome {
        let mut effects = self.effects.lock().unwrap();
        let known = call.effect.as_ref().filter(|effect| effect.upstream_header.is_some() || self.recovery.resolves);
        let name = known.map_or_else(|| format!("call {}", self.calls()), |effect| effect.id.to_string());
        let next = effects.len() as u64 + 1;
        numbered(*effects.entry(name).or_insert(next))
    }
}

fn numbered(number: u64) -> Outcome {
    Outcome::structured(json!({"number": number}).as_object().unwrap().clone())
}

#[async_trait]
impl Source for Upstream {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        let tool = |name: &str, effect: Effect, idempotent: bool| {
            let mut spec = ToolSpec::new(name, "Does as it is told.");
            (spec.effect, spec.idempotent) = (effect, idempotent);
            spec.input_schema = json!({
                "type": "object", "additionalProperties": false, "required": ["sku"],
                "properties": {"sku": {"type": "string"}},
            })
            .as_object()
            .unwrap()
            .clone();
            let answer =
                json!({"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]});
            spec.output_schema = answer.as_object().cloned();
            spec
        };
        let mut own = tool("own", Effect::Write, false);
        let properties = own.input_schema.get_mut("properties").unwrap().as_object_mut().unwrap();
        properties.insert("idempotency_key".into(), json!({"type": "string"}));
        vec![
            tool("order", Effect::Write, false),
            tool("cancel", Effect::Destructive, false),
            tool("replace", Effect::Destructive, true),
            ToolSpec { per_caller: true, ..tool("look", Effect::Read, true) },
            own,
        ]
    }

    async fn call(&self, _: &str, call: &Call) -> Result<Outcome, CallError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.arguments.lock().unwrap().push(Value::Object(call.arguments.clone()));
        let act = self.acts.lock().unwrap().pop_front();
        let lost = || UpstreamFailure::new(UpstreamCode::ConnectionLost, "The connection broke.");
        match act {
            None => Ok(self.take_effect(call)),
            Some(Act::Slowly) => {
                self.started.notify_one();
                self.go_on.notified().await;
                self.ended.fetch_add(1, Ordering::SeqCst);
                Ok(self.take_effect(call))
            }
            Some(Act::FailSlowly(code)) => {
                self.started.notify_one();
                self.go_on.notified().await;
                Err(UpstreamFailure::new(code, "It said no.").with_cause(Behind).into())
            }
            Some(Act::RefuseSlowly(refusal)) => {
                self.started.notify_one();
                self.go_on.notified().await;
                Err(refusal.into())
            }
            Some(Act::LargeSlowly) => {
                self.started.notify_one();
                self.go_on.notified().await;
                Ok(Outcome::text("x".repeat(LARGEST_ANSWER)))
            }
            Some(Act::PanicSlowly) => {
                self.started.notify_one();
                self.go_on.notified().await;
                panic!("as told")
            }
            Some(Act::DoneAndLost) => {
                let _ = self.take_effect(call);
                Err(lost().into())
            }
            Some(Act::Lost) => Err(lost().into()),
            Some(Act::Fail(code)) => Err(UpstreamFailure::new(code, "It said no.").into()),
            Some(Act::Misfit) => {
                let _ = self.take_effect(call);
                Ok(Outcome::structured(json!({"number": "seven"}).as_object().unwrap().clone()))
            }
            Some(Act::Panic) => panic!("as told"),
        }
    }

    fn recovery(&self, _: &str) -> Recovery {
        self.recovery
    }

    async fn resolve(&self, _: &str, effect: &ClaimedEffect) -> Resolution {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if !self.recovery.resolves {
            return Resolution::Unknown;
        }
        match self.effects.lock().unwrap().get(effect.id.as_str()) {
            Some(number) => Resolution::Done(numbered(*number)),
            None => Resolution::NotDone,
        }
    }
}

/// One process with its own memory, over what all share.
pub(crate) struct Replica {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) catalog: Arc<Catalog>,
    dead: Arc<AtomicBool>,
}

/// What all replicas share.
pub(crate) struct Rig {
    pub(crate) clock: TestClock,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) table: Arc<Mutex<EffectTable>>,
    failing: Arc<Mutex<Vec<Verb>>>,
    randomness: Arc<Counted>,
    /// Where a policy says that answers are remembered.
    answers: Arc<LocalCache>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Recovery::default())
    }

    /// With a source that can do this about effects in doubt.
    pub(crate) fn with(recovery: Recovery) -> Self {
        let clock = TestClock::new();
        Self {
            answers: Arc::new(LocalCache::new(Arc::new(clock.clone()), 1 << 20)),
            clock,
            upstream: Arc::new(Upstream { recovery, ..Upstream::default() }),
            table: Arc::default(),
            failing: Arc::default(),
            randomness: Arc::default(),
        }
    }

    /// The same, for replicas that share no answers with the others.
    pub(crate) fn with_answers_of_its_own(&self) -> Self {
        Self {
            clock: self.clock.clone(),
            upstream: self.upstream.clone(),
            table: self.table.clone(),
            failing: self.failing.clone(),
            randomness: self.randomness.clone(),
            answers: Arc::new(LocalCache::new(Arc::new(self.clock.clone()), 1 << 20)),
        }
    }

    pub(crate) fn replica(&self) -> Replica {
        self.replica_with(PolicyPatch::default())
    }

    pub(crate) fn replica_with(&self, policy: PolicyPatch) -> Replica {
        self.replica_of(policy, |effects| effects)
    }

    /// It waits for every call to its end, however long that takes.
    pub(crate) fn patient_replica(&self) -> Replica {
        let policy = PolicyPatch { timeout: Some(Duration::from_secs(600)), ..PolicyPatch::default() };
        self.replica_of(policy, Effects::without_handles)
    }

    fn replica_of(&self, policy: PolicyPatch, change: impl FnOnce(Effects) -> Effects) -> Replica {
        let dead = Arc::new(AtomicBool::new(false));
        let store = Seen { table: self.table.clone(), failing: self.failing.clone(), dead: dead.clone() };
        let effects = Effects::new(EndpointId::main(), Arc::new(store), self.randomness.clone());
        let shield = Shield::default().with_cache(Cache::new(EndpointId::main(), self.answers.clone()));
        let pipeline = Pipeline::with_shield(Arc::new(self.clock.clone()), Arc::new(Vec::new()), shield);
        let pipeline = pipeline.with_effects(change(effects));
        let named = NamedSource { name: "t".into(), prefix: String::new(), source: self.upstream.clone() };
        let catalog = Catalog::build(vec![named], &Policies::new(vec![("default".into(), policy)])).ok().unwrap();
        Replica { pipeline: Arc::new(pipeline), catalog: Arc::new(catalog), dead }
    }

    /// The store fails at these verbs from now on.
    pub(crate) fn fail(&self, verbs: &[Verb]) {
        *self.failing.lock().unwrap() = verbs.to_vec();
    }

    /// Lets everything run that can, until all wait for something.
    pub(crate) async fn settle(&self) {
        for _ in 0..64 {
            tokio::task::yield_now().await;
        }
    }
}

impl Replica {
    pub(crate) async fn order(&self, key: &str) -> Result<Outcome, CallError> {
        self.run(call("order", "alice", json!({"sku": "A-1", "idempotency_key": key}))).await
    }

    pub(crate) async fn run(&self, call: Call) -> Result<Outcome, CallError> {
        self.pipeline.run(&self.catalog, call).await
    }

    /// The same in a task of its own, which can be aborted.
    pub(crate) fn spawn_order(&self, key: &str) -> tokio::task::JoinHandle<Result<Outcome, CallError>> {
        let (pipeline, catalog) = (self.pipeline.clone(), self.catalog.clone());
        let call = call("order", "alice", json!({"sku": "A-1", "idempotency_key": key}));
        tokio::spawn(async move { pipeline.run(&catalog, call).await })
    }

    /// Nothing that it does reaches the store any more.
    pub(crate) fn dies(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }
}

pub(crate) fn call(tool: &str, subject: &str, arguments: Value) -> Call {
    let caller = Caller {
        subject: subject.into(),
        scopes: ScopeSet::read_and_write(),
        sign_in: SignIn::Local,
        presented: Presented::default(),
        claims: Claims::default(),
    };
    let id = RequestId::generate(&Counted::default());
    Call::new(id, Arc::new(caller), tool, arguments.as_object().unwrap().clone())
}

/// The number that a success answered.
pub(crate) fn number(result: &Result<Outcome, CallError>) -> u64 {
    result.as_ref().unwrap().structured.as_ref().unwrap()["number"].as_u64().unwrap()
}

pub(crate) fn is_replayed(outcome: &Outcome) -> bool {
    outcome.meta.get("bridgehead/replayed") == Some(&Value::Bool(true))
}

pub(crate) fn code(result: &Result<Outcome, CallError>) -> &'static str {
    result.as_ref().unwrap_err().code()
}
