//! Every order of events, with a fault or two at any point: two callers with one key, on one replica
//! or on two; replicas that die, stall or lose their store; clients that go away; calls that are lost on
//! the way there or back, or arrive after their sender is dead. The pipeline is the real one; what
//! replicas do to what they share waits for its turn, and all turns are tried.
//!
//! What holds in each: no second effect, no settled answer that changes, no success that is not the
//! effect's own, doubt that is told, and nobody who waits for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::{
    Call, CallError, Catalog, ClaimedEffect, Effect, EffectId, EffectStore, EffectStoreError, Effects, EndpointId,
    Outcome, Pipeline, Policies, PolicyPatch, Recovery, Resolution, Source, ToolSpec, UpstreamCode, UpstreamFailure,
    Verdict,
    catalog::NamedSource,
    effects::{Change, ClaimOutcome, ClaimToken, EffectRecord, EffectState, EffectTable, KeptAnswer, Lease},
};
use serde_json::json;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::rig::{Counted, TestClock, call, is_replayed, number};

/// A little more than a lease.
const STALL: u64 = 31;
/// How long a caller waits; the world is over for them a little later.
const PATIENCE: u64 = 100;
/// How often tasks are let run before all of them wait.
const ROUNDS: usize = 8;

/// What waits for its turn.
struct Waiting {
    replica: usize,
    what: What,
    go: oneshot::Sender<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// A verb of the store that ends well.
    Verb,
    /// One that may fail, before or after it has done its work.
    FallibleVerb,
    /// A call on its way to the system behind.
    Sending,
    /// A question to it.
    Asking,
}

const WELL: usize = 0;
/// Of a verb: nothing was changed. Of a sending: it never arrives.
const LOST: usize = 1;
/// Of a verb: it was changed. Of a sending: the answer never arrives.
const DONE_AND_LOST: usize = 2;
/// Of a sending: nothing was sent.
const NOT_SENT: usize = 3;

impl What {
    const fn outcomes(self) -> usize {
        match self {
            Self::Verb | Self::Asking => 1,
            Self::FallibleVerb => 3,
            Self::Sending => 4,
        }
    }
}

/// The turns, and who is dead.
#[derive(Default)]
struct Turns {
    waiting: Mutex<Vec<Waiting>>,
    dead: Mutex<BTreeSet<usize>>,
}

impl Turns {
    /// Waits for its turn and learns how it goes. The dead wait for ever.
    async fn turn(&self, replica: usize, what: What) -> usize {
        let (go, going) = oneshot::channel();
        if self.dead.lock().unwrap().contains(&replica) {
            return std::future::pending().await;
        }
        self.waiting.lock().unwrap().push(Waiting { replica, what, go });
        match going.await {
            Ok(outcome) => outcome,
            Err(_) => std::future::pending().await,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("as told")]
struct Told;

/// The store as one replica reaches it.
struct Reached {
    shared: Arc<Shared>,
    replica: usize,
}

impl Reached {
    async fn fallible<T>(&self, verb: impl FnOnce(&mut EffectTable) -> T + Send) -> Result<T, EffectStoreError> {
        let Shared { turns, table, .. } = &*self.shared;
        match turns.turn(self.replica, What::FallibleVerb).await {
            LOST => Err(EffectStoreError::new(Told)),
            DONE_AND_LOST => {
                let _ = verb(&mut table.lock().unwrap());
                Err(EffectStoreError::new(Told))
            }
            _ => Ok(verb(&mut table.lock().unwrap())),
        }
    }

    async fn sure<T>(&self, verb: impl FnOnce(&mut EffectTable) -> T + Send) -> Result<T, EffectStoreError> {
        self.shared.turns.turn(self.replica, What::Verb).await;
        Ok(verb(&mut self.shared.table.lock().unwrap()))
    }
}

#[async_trait]
impl EffectStore for Reached {
    async fn claim(&self, record: &EffectRecord, now: jiff::Timestamp) -> Result<ClaimOutcome, EffectStoreError> {
        self.fallible(|table| table.claim(record, now)).await
    }

    async fn find_effect(&self, id: &EffectId, now: jiff::Timestamp) -> Result<Option<EffectRecord>, EffectStoreError> {
        self.sure(|table| table.find(id, now)).await
    }

    async fn renew(&self, id: &EffectId, token: &ClaimToken, lease: Lease) -> Result<Change, EffectStoreError> {
        self.sure(|table| table.renew(id, token, lease)).await
    }

    async fn settle(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: jiff::Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.fallible(|table| table.settle(id, token, answer, keep_until)).await
    }

    async fn doubt(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        keep_until: jiff::Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.sure(|table| table.doubt(id, token, keep_until)).await
    }

    async fn release(&self, id: &EffectId, token: &ClaimToken) -> Result<Change, EffectStoreError> {
        self.fallible(|table| table.release(id, token)).await
    }

    async fn void(
        &self,
        id: &EffectId,
        token: &ClaimToken,
        answer: &KeptAnswer,
        keep_until: jiff::Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.fallible(|table| table.void(id, token, answer, keep_until)).await
    }

    async fn take_over(
        &self,
        id: &EffectId,
        from: &ClaimToken,
        to: &ClaimToken,
        lease: Lease,
        now: jiff::Timestamp,
    ) -> Result<Change, EffectStoreError> {
        self.fallible(|table| table.take_over(id, from, to, lease, now)).await
    }

    async fn sweep_effects(&self, now: jiff::Timestamp) -> Result<u64, EffectStoreError> {
        self.sure(|table| table.sweep(now)).await
    }
}

/// What the system behind has done: how often for each id, and what it would not do any more.
#[derive(Default)]
struct Done {
    /// The number that each id was answered.
    answers: BTreeMap<String, u64>,
    effects: u64,
    /// Sendings before these came to nothing, since it was said so.
    void_before: BTreeMap<String, u64>,
}

/// The system behind as one replica reaches it.
struct Upstream {
    shared: Arc<Shared>,
    recovery: Recovery,
    replica: usize,
}

/// What all replicas share.
#[derive(Default)]
struct Shared {
    turns: Turns,
    table: Mutex<EffectTable>,
    done: Mutex<Done>,
    sent: AtomicU64,
}

impl Shared {
    /// As it was at the beginning.
    fn forgets(&self) {
        self.turns.waiting.lock().unwrap().clear();
        self.turns.dead.lock().unwrap().clear();
        *self.table.lock().unwrap() = EffectTable::default();
        *self.done.lock().unwrap() = Done::default();
        self.sent.store(0, Ordering::SeqCst);
    }
}

/// Two replicas that callers use, and one for who comes later. Schemas are compiled once for all orders.
struct Catalogs(BTreeMap<usize, Arc<Catalog>>);

const LATER: usize = 9;

impl Catalogs {
    fn new(shared: &Arc<Shared>, recovery: Recovery) -> Self {
        let catalog = |replica| {
            let source = Upstream { shared: shared.clone(), recovery, replica };
            let named = NamedSource { name: "t".into(), prefix: String::new(), source: Arc::new(source) };
            let policy = PolicyPatch {
                timeout: Some(Duration::from_secs(PATIENCE)),
                upstream_idempotency_header: Some("Idempotency-Key".into()),
                ..PolicyPatch::default()
            };
            Catalog::build(vec![named], &Policies::new(vec![("default".into(), policy)])).ok().unwrap()
        };
        Self([1, 2, LATER].into_iter().map(|replica| (replica, Arc::new(catalog(replica)))).collect())
    }
}

/// What a call does when it arrives, whether or not its sender lives.
fn arrive(done: &Mutex<Done>, recovery: Recovery, id: &str, sending: u64) -> Result<u64, CallError> {
    let mut done = done.lock().unwrap();
    let knows_ids = recovery.sends_key || recovery.resolves;
    if done.void_before.get(id).is_some_and(|void| sending < *void) {
        let failure = UpstreamFailure::new(UpstreamCode::Conflict, "Too late.").with_verdict(Verdict::Undone);
        return Err(failure.into());
    }
    if let (true, Some(answer)) = (knows_ids, done.answers.get(id)) {
        return Ok(*answer);
    }
    done.effects += 1;
    let answer = done.effects;
    done.answers.insert(id.to_owned(), answer);
    Ok(answer)
}

/// A call that is still under way when its sender dies; it goes on to its end by itself.
struct UnderWay<'a> {
    upstream: &'a Upstream,
    id: String,
    sending: u64,
}

impl UnderWay<'_> {
    async fn end(self) -> Result<Outcome, CallError> {
        let lost = || UpstreamFailure::new(UpstreamCode::ConnectionLost, "The connection broke.").into();
        let Upstream { shared, recovery, replica } = self.upstream;
        let Shared { turns, done, .. } = &**shared;
        match turns.turn(*replica, What::Sending).await {
            LOST => Err(lost()),
            NOT_SENT => Err(UpstreamFailure::new(UpstreamCode::Unavailable, "Nobody answers.").into()),
            outcome => {
                let number = arrive(done, *recovery, &self.id, self.sending)?;
                if outcome == DONE_AND_LOST {
                    return Err(lost());
                }
                Ok(Outcome::structured(json!({"number": number}).as_object().unwrap().clone()))
            }
        }
    }
}

#[async_trait]
impl Source for Upstream {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        let mut spec = ToolSpec::new("order", "Orders.");
        (spec.effect, spec.idempotent) = (Effect::Write, false);
        vec![spec]
    }

    async fn call(&self, _: &str, call: &Call) -> Result<Outcome, CallError> {
        let id = call.effect.as_ref().unwrap().id.to_string();
        let sending = self.shared.sent.fetch_add(1, Ordering::SeqCst);
        UnderWay { upstream: self, id, sending }.end().await
    }

    fn recovery(&self, _: &str) -> Recovery {
        self.recovery
    }

    async fn resolve(&self, _: &str, effect: &ClaimedEffect) -> Resolution {
        if !self.recovery.resolves {
            return Resolution::Unknown;
        }
        self.shared.turns.turn(self.replica, What::Asking).await;
        let mut done = self.shared.done.lock().unwrap();
        match done.answers.get(effect.id.as_str()) {
            Some(number) => {
                Resolution::Done(Outcome::structured(json!({"number": number}).as_object().unwrap().clone()))
            }
            None => {
                done.void_before.insert(effect.id.to_string(), self.shared.sent.load(Ordering::SeqCst));
                Resolution::NotDone
            }
        }
    }
}

type Answered = Result<Outcome, CallError>;

/// The world of one order of events.
struct World<'a> {
    recovery: Recovery,
    catalogs: &'a Catalogs,
    clock: TestClock,
    shared: Arc<Shared>,
    randomness: Arc<Counted>,
    /// How many faults there may be still.
    faults_left: usize,
    callers: Vec<Caller>,
    faults: usize,
    /// The store failed once, so that an answer may have been given that is not written down.
    store_failed: bool,
    /// What was settled first.
    settled: Option<KeptAnswer>,
}

struct Caller {
    replica: usize,
    task: JoinHandle<Answered>,
    told: Option<Answered>,
    gone: bool,
}

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The turn of one that waits, and how it goes.
    Turn(usize, usize),
    Death(usize),
    Leaves(usize),
    Stall,
    /// Nothing else can happen.
    TimeGoesOn,
}

impl<'a> World<'a> {
    fn new(order: &'a Orders) -> Self {
        let Orders { recovery, replicas, faults, shared, catalogs } = order;
        shared.forgets();
        let mut world = Self {
            recovery: *recovery,
            catalogs,
            clock: TestClock::new(),
            shared: shared.clone(),
            randomness: Arc::default(),
            faults_left: *faults,
            callers: Vec::new(),
            faults: 0,
            store_failed: false,
            settled: None,
        };
        let running: BTreeMap<usize, _> = replicas.iter().map(|replica| (*replica, world.replica(*replica))).collect();
        for replica in *replicas {
            let (pipeline, catalog) = running[&replica].clone();
            let task = tokio::spawn(async move { pipeline.run(&catalog, order_once()).await });
            world.callers.push(Caller { replica, task, told: None, gone: false });
        }
        world
    }

    fn replica(&self, replica: usize) -> (Arc<Pipeline>, Arc<Catalog>) {
        let store = Reached { shared: self.shared.clone(), replica };
        let effects = Effects::new(EndpointId::main(), Arc::new(store), self.randomness.clone()).without_handles();
        let pipeline = Pipeline::new(Arc::new(self.clock.clone()), Arc::new(Vec::new())).with_effects(effects);
        (Arc::new(pipeline), self.catalogs.0[&replica].clone())
    }

    /// All that can happen now.
    fn events(&self) -> Vec<Event> {
        let left = self.faults_left;
        let dead = self.shared.turns.dead.lock().unwrap().clone();
        let mut events = Vec::new();
        for (index, waiting) in self.shared.turns.waiting.lock().unwrap().iter().enumerate() {
            match waiting.what {
                // What the dead had sent arrives at some time, or never.
                What::Sending if dead.contains(&waiting.replica) => {
                    events.extend([Event::Turn(index, DONE_AND_LOST), Event::Turn(index, LOST)]);
                }
                what => {
                    let outcomes = if left > 0 { what.outcomes() } else { 1 };
                    events.extend((0..outcomes).map(|outcome| Event::Turn(index, outcome)));
                }
            }
        }
        let waits = |caller: &&Caller| caller.told.is_none() && !caller.gone;
        let busy = self.callers.iter().any(|caller| waits(&caller));
        if left > 0 && busy {
            let alive: BTreeSet<_> =
                self.callers.iter().map(|caller| caller.replica).filter(|one| !dead.contains(one)).collect();
            events.extend(alive.into_iter().map(Event::Death));
            events.extend((0..self.callers.len()).filter(|one| waits(&&self.callers[*one])).map(Event::Leaves));
            events.push(Event::Stall);
        }
        if events.iter().all(|event| !matches!(event, Event::Turn(..))) && busy {
            events.push(Event::TimeGoesOn);
        }
        events
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::Turn(index, outcome) => {
                let waiting = self.shared.turns.waiting.lock().unwrap().remove(index);
                let dead = self.shared.turns.dead.lock().unwrap().contains(&waiting.replica);
                self.is_a_fault(outcome != WELL && !dead);
                self.store_failed |= outcome != WELL && waiting.what == What::FallibleVerb;
                // Its task is gone where the client of a call that was not sent went away.
                let _ = waiting.go.send(outcome);
            }
            Event::Death(replica) => {
                self.is_a_fault(true);
                self.shared.turns.dead.lock().unwrap().insert(replica);
                self.shared
                    .turns
                    .waiting
                    .lock()
                    .unwrap()
                    .retain(|one| one.replica != replica || one.what == What::Sending);
                for caller in self.callers.iter_mut().filter(|caller| caller.replica == replica) {
                    caller.gone = true;
                    caller.task.abort();
                }
            }
            Event::Leaves(caller) => {
                self.is_a_fault(true);
                self.callers[caller].gone = true;
                self.callers[caller].task.abort();
            }
            Event::Stall => {
                self.is_a_fault(true);
                self.clock.advance(STALL);
            }
            Event::TimeGoesOn => self.clock.advance(STALL),
        }
        self.rests().await;
    }

    fn is_a_fault(&mut self, is_one: bool) {
        self.faults += usize::from(is_one);
        self.faults_left -= usize::from(is_one);
    }

    /// Lets all run until they wait, and looks whether what must hold does.
    async fn rests(&mut self) {
        for _ in 0..ROUNDS {
            tokio::task::yield_now().await;
        }
        for caller in self.callers.iter_mut().filter(|caller| caller.told.is_none() && !caller.gone) {
            if caller.task.is_finished() {
                caller.told = Some((&mut caller.task).await.expect("no call panics"));
            }
        }
        assert!(self.shared.done.lock().unwrap().effects <= 1, "a second effect");
        let id = effect_of(&self.shared.table);
        if let Some(EffectState::Settled { answer }) = id.map(|record| record.state) {
            assert_eq!(self.settled.get_or_insert_with(|| answer.clone()), &answer, "a settled answer has changed");
        } else {
            assert_eq!(self.settled, None, "a settled effect is settled no longer");
        }
    }

    /// Everything is over: what does somebody get who comes later, and were the others told the truth?
    async fn is_judged(&mut self) {
        for caller in &self.callers {
            assert!(caller.told.is_some() || caller.gone, "somebody waits for ever");
        }
        let successes: Vec<_> = self
            .callers
            .iter()
            .filter_map(|caller| caller.told.as_ref())
            .filter(|told| told.is_ok())
            .map(number)
            .collect();
        let effects = self.shared.done.lock().unwrap().effects;
        assert!(successes.iter().all(|success| *success == 1 && effects == 1), "a success without its effect");

        self.clock.advance(STALL);
        let (pipeline, catalog) = self.replica(LATER);
        let later = tokio::spawn(async move { pipeline.run(&catalog, order_once()).await });
        while !later.is_finished() {
            self.rests().await;
            for waiting in self.shared.turns.waiting.lock().unwrap().drain(..) {
                let _ = waiting.go.send(WELL);
            }
        }
        self.rests().await;
        let later = later.await.unwrap();
        match &later {
            Ok(outcome) => {
                assert_eq!(number(&later), 1, "its success is the effect's own");
                assert_eq!(self.shared.done.lock().unwrap().effects, 1);
                assert!(effects == 0 || is_replayed(outcome) || self.recovery != Recovery::default());
            }
            Err(CallError::InDoubt(_)) => {
                assert!(self.faults > 0, "doubt out of nothing");
                assert_eq!(self.recovery, Recovery::default(), "there was a way out of doubt");
                assert!(successes.is_empty() || self.store_failed, "an answer that was given is forgotten");
            }
            Err(other) => panic!("{other:?}"),
        }
        if self.faults == 0 {
            assert!(successes.len() == 2 && later.is_ok());
        }
    }
}

fn order_once() -> Call {
    call("order", "alice", json!({"idempotency_key": "k"}))
}

fn effect_of(table: &Mutex<EffectTable>) -> Option<EffectRecord> {
    use bridgehead_core::{IdempotencyKey, effects::EffectOrigin};
    let origin = EffectOrigin { endpoint: EndpointId::main(), subject: "alice".into(), tool: "t.order".into() };
    table.lock().unwrap().find(&origin.effect(&IdempotencyKey::parse("k").unwrap()), jiff::Timestamp::UNIX_EPOCH)
}

/// What all orders of events begin with.
struct Orders {
    recovery: Recovery,
    /// Which replica each caller uses.
    replicas: [usize; 2],
    faults: usize,
    shared: Arc<Shared>,
    catalogs: Catalogs,
}

/// Tries all orders of events; each is run from its beginning.
fn all_orders(recovery: Recovery, replicas: [usize; 2], faults: usize) {
    // Which of how many was taken at each point.
    let mut way: Vec<(usize, usize)> = Vec::new();
    let mut orders = 0_u64;
    let shared = Arc::new(Shared::default());
    let catalogs = Catalogs::new(&shared, recovery);
    let all = Orders { recovery, replicas, faults, shared, catalogs };
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let happened = Mutex::new(Vec::new());
        let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut world = World::new(&all);
                world.rests().await;
                for point in 0.. {
                    let events = world.events();
                    if events.is_empty() {
                        break;
                    }
                    assert!(point < 200, "it has no end");
                    if point == way.len() {
                        way.push((0, events.len()));
                    }
                    assert_eq!(way[point].1, events.len(), "the same way twice has to lead to the same place");
                    let event = events[way[point].0];
                    happened.lock().unwrap().push(event);
                    world.happens(event).await;
                }
                world.is_judged().await;
            });
        }));
        if let Err(broken) = tried {
            println!("order {orders}, in which it broke: {:#?}", happened.lock().unwrap());
            std::panic::resume_unwind(broken);
        }
        orders += 1;
        while way.last().is_some_and(|(taken, of)| taken + 1 == *of) {
            way.pop();
        }
        match way.last_mut() {
            Some((taken, _)) => *taken += 1,
            None => break,
        }
    }
    println!("{orders} orders of events with {faults} faults, replicas {replicas:?}, {recovery:?}");
}

const NOTHING: Recovery = Recovery { sends_key: false, resolves: false };
const KNOWS_KEYS: Recovery = Recovery { sends_key: true, resolves: false };
const FINDS_OUT: Recovery = Recovery { sends_key: false, resolves: true };

/// With one fault; `cargo xtask model` has it tried with two, in some 125,000 orders.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how far it goes is said from outside, as for every test that has a long form"
)]
fn two_callers_and_faults_at_any_point() {
    let faults = std::env::var("MODEL_FAULTS").map_or(1, |faults| faults.parse().unwrap());
    for (recovery, replicas) in [(NOTHING, [1, 2]), (NOTHING, [1, 1]), (KNOWS_KEYS, [1, 2]), (FINDS_OUT, [1, 2])] {
        all_orders(recovery, replicas, faults);
    }
}
