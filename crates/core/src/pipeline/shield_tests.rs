//! Limits, repeats and circuits, in front of a system behind that does as it is told and notes when it
//! was called. Time is Tokio's paused one: it moves when everybody waits.

use std::{num::NonZeroU32, sync::Mutex, time::Duration};

use async_trait::async_trait;
use futures_util::future::join_all;

use super::{paused_clock::PausedClock, *};
use crate::{
    AuditRecord, Caller, CircuitState, Counters, Effect, Policies, PolicyPatch, Presented, Randomness, RequestId,
    ScopeSet, ShieldEvent, ShieldEvents, SignIn, Source, ToolSpec, UpstreamCode, UpstreamFailure,
    catalog::NamedSource,
    counters::{CountersLost, Terms, Turn},
    policy::{CircuitPatch, OnSharedLoss, Rate, RatePatch},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// What the system behind does with one call.
#[derive(Clone)]
enum Does {
    Answers,
    Takes(Duration),
    Fails(UpstreamCode, Option<Duration>),
}

struct Behind {
    clock: Arc<PausedClock>,
    called: Mutex<Vec<Duration>>,
    /// For one call after the other; then it answers.
    script: Mutex<Vec<Does>>,
}

#[async_trait]
impl Source for Behind {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        let mut write = ToolSpec::new("write", "Changes something.");
        write.effect = Effect::Destructive;
        vec![ToolSpec::new("read", "Changes nothing."), ToolSpec::new("other", "Changes nothing either."), write]
    }

    async fn call(&self, _: &str, _: &Call) -> Result<Outcome, CallError> {
        self.called.lock().unwrap().push(self.clock.since_start());
        let next = {
            let mut script = self.script.lock().unwrap();
            if script.is_empty() { Does::Answers } else { script.remove(0) }
        };
        match next {
            Does::Answers => {}
            Does::Takes(time) => self.clock.sleep(time).await,
            Does::Fails(code, after) => {
                let failure = UpstreamFailure::new(code, "as told");
                return Err(after.map_or(failure.clone(), |after| failure.with_retry_after(after)).into());
            }
        }
        Ok(Outcome::default())
    }
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl ShieldEvents for Told {
    fn happened(&self, event: ShieldEvent<'_>) {
        let told = match event {
            ShieldEvent::Circuit { state: CircuitState::Closed, .. } => "closed".to_owned(),
            ShieldEvent::Circuit { state: CircuitState::Open, .. } => "open".to_owned(),
            ShieldEvent::Circuit { state: CircuitState::HalfOpen, .. } => "half open".to_owned(),
            ShieldEvent::Retried { .. } => "retried".to_owned(),
            ShieldEvent::RetryBudgetSpent { .. } => "budget spent".to_owned(),
            ShieldEvent::Paused { pause, .. } => format!("paused {} s", pause.as_secs()),
            ShieldEvent::SharedCounters { reached } => format!("shared counters: {reached}"),
        };
        self.0.lock().unwrap().push(told);
    }
}

struct Forgets;

impl AuditSink for Forgets {
    fn record(&self, _: AuditRecord) {}
}

/// The highest chance there is: every pause is the longest possible.
struct Ones;

impl Randomness for Ones {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0xff);
    }
}

/// Counters that can be lost.
#[derive(Default)]
struct Elsewhere {
    counters: Mutex<Option<Arc<crate::LocalCounters>>>,
}

impl Elsewhere {
    fn reached(&self) -> Result<Arc<crate::LocalCounters>, CountersLost> {
        self.counters.lock().unwrap().clone().ok_or(CountersLost("as told".into()))
    }
}

#[async_trait]
impl Counters for Elsewhere {
    async fn take(&self, key: &str, rate: &Rate, terms: Terms) -> Result<Turn, CountersLost> {
        self.reached().map(|counters| counters.take_now(key, rate, terms))
    }

    async fn pause(&self, key: &str, rate: &Rate, pause: Duration) -> Result<(), CountersLost> {
        self.reached().map(|counters| counters.pause_now(key, rate, pause))
    }
}

struct Bench {
    clock: Arc<PausedClock>,
    behind: Arc<Behind>,
    told: Arc<Told>,
    catalog: Catalog,
    pipeline: Arc<Pipeline>,
}

impl Bench {
    fn new(policy: PolicyPatch) -> Self {
        Self::build(policy, |shield| shield)
    }

    fn build(policy: PolicyPatch, with: impl FnOnce(Shield) -> Shield) -> Self {
        let (clock, told) = (PausedClock::new(), Arc::new(Told::default()));
        let behind = Arc::new(Behind { clock: clock.clone(), called: Mutex::default(), script: Mutex::default() });
        let named = NamedSource { name: "t".into(), prefix: String::new(), source: behind.clone() };
        let catalog = Catalog::build(vec![named], &Policies::new(vec![("default".into(), policy)])).ok().unwrap();
        let shield = with(Shield::default().with_events(told.clone()).with_randomness(Arc::new(Ones)));
        let pipeline = Arc::new(Pipeline::with_shield(clock.clone(), Arc::new(Forgets), shield));
        Self { clock, behind, told, catalog, pipeline }
    }

    fn will(&self, script: impl IntoIterator<Item = Does>) {
        *self.behind.script.lock().unwrap() = script.into_iter().collect();
    }

    async fn call_as(&self, subject: &str, tool: &str) -> Result<Outcome, CallError> {
        let caller = Caller {
            subject: subject.into(),
            scopes: ScopeSet::read_and_write(),
            sign_in: SignIn::Local,
            presented: Presented::default(),
            claims: crate::Claims::default(),
        };
        let call = Call::new(RequestId::generate(&Ones), Arc::new(caller), tool, serde_json::Map::new());
        self.pipeline.run(&self.catalog, call).await
    }

    /// How a call ended: `ok`, or the code and when to come back.
    async fn ends(&self, tool: &str) -> String {
        match self.call_as("alice", tool).await {
            Ok(_) => "ok".to_owned(),
            Err(error) => match error.retry_after() {
                Some(after) => format!("{} {} ms", error.code(), after.as_millis()),
                None => error.code().to_owned(),
            },
        }
    }

    fn called(&self) -> Vec<Duration> {
        self.behind.called.lock().unwrap().clone()
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.0.lock().unwrap())
    }
}

fn number(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

fn per(calls: u32, per: Duration) -> Option<RatePatch> {
    Some(RatePatch { calls: number(calls), per })
}

fn circuit(failures: u32, open_for: Duration) -> CircuitPatch {
    CircuitPatch { failures: Some(number(failures)), open_for: Some(open_for) }
}

fn fails(code: UpstreamCode) -> Does {
    Does::Fails(code, None)
}

/// H3, D4: `rate_limited` says when to come back to the moment, counts by subject, and all tools that one
/// pattern matches together.
#[tokio::test(start_paused = true)]
async fn a_caller_has_their_rate_and_nobody_elses() {
    let bench =
        Bench::new(PolicyPatch { per_caller: per(60, 60 * SECOND), burst: Some(number(3)), ..PolicyPatch::default() });
    for tool in ["read", "other", "read"] {
        assert_eq!(bench.ends(tool).await, "ok");
    }
    bench.clock.sleep(250 * MS).await;
    assert_eq!(bench.ends("read").await, "rate_limited 750 ms");
    assert!(bench.call_as("bob", "read").await.is_ok());
    bench.clock.sleep(749 * MS).await;
    assert_eq!(bench.ends("other").await, "rate_limited 1001 ms", "the second of two who were refused");
    bench.clock.sleep(MS).await;
    assert_eq!(bench.ends("read").await, "ok");
}

/// H3: a burst of 5,000 calls against a system that bears 10 per second. It never sees more, and every
/// caller gets an answer: at once, after a wait, or when they come back at the time that they were told.
#[tokio::test(start_paused = true)]
async fn a_burst_reaches_the_system_behind_evenly_and_everybody_gets_an_answer() {
    let bench = Bench::new(PolicyPatch { upstream: per(10, SECOND), ..PolicyPatch::default() });
    let caller = async |n: usize| {
        let subject = format!("agent-{n}");
        let Err(error) = bench.call_as(&subject, "read").await else { return "answered" };
        assert_eq!(error.code(), "busy");
        bench.clock.sleep(error.retry_after().unwrap()).await;
        bench.call_as(&subject, "read").await.map_or_else(|error| panic!("{error}"), |_| "answered when told")
    };
    let answers = join_all((0..5000).map(caller)).await;
    let at_once = answers.iter().filter(|answer| **answer == "answered").count();
    assert_eq!((at_once, answers.len()), (51, 5000), "one, and those in the queue");
    let called = bench.called();
    assert_eq!(called.len(), 5000);
    assert!(called.windows(2).all(|pair| pair[1] - pair[0] >= 100 * MS));
    assert_eq!(*called.last().unwrap(), 4999 * 100 * MS, "and no turn is lost");
}

/// H3: a call waits for half of its time-out at most; so what was in a queue was never sent.
#[tokio::test(start_paused = true)]
async fn nobody_waits_so_long_that_no_time_is_left_for_the_work() {
    let policy = PolicyPatch { upstream: per(1, SECOND), timeout: Some(5 * SECOND), ..PolicyPatch::default() };
    let bench = Bench::new(policy);
    let ends = join_all((0..5).map(|_| bench.ends("write"))).await;
    assert_eq!(ends, ["ok", "ok", "ok", "busy 3000 ms", "busy 4000 ms"]);

    let bench = Bench::new(PolicyPatch { concurrency: Some(1), timeout: Some(4 * SECOND), ..PolicyPatch::default() });
    bench.will([Does::Takes(3 * SECOND)]);
    let ends = join_all((0..2).map(|_| bench.ends("write"))).await;
    assert_eq!(ends, ["ok", "busy 1000 ms"]);
    assert_eq!((bench.called().len(), bench.clock.since_start()), (1, 3 * SECOND));
}

/// H3: those who find no place are told different times, as far apart as places become free.
#[tokio::test(start_paused = true)]
async fn a_burst_on_few_places_comes_back_as_they_become_free() {
    let policy =
        PolicyPatch { concurrency: Some(4), queue: Some(4), timeout: Some(60 * SECOND), ..PolicyPatch::default() };
    let bench = Bench::new(policy);
    bench.will(vec![Does::Takes(2 * SECOND); 500]);
    // So that it is known how long a call takes.
    for _ in 0..40 {
        bench.ends("read").await;
    }
    let began = bench.clock.since_start();
    let caller = async |_| {
        let mut refused = 0;
        while let Err(error) = bench.call_as("alice", "read").await {
            refused += 1;
            bench.clock.sleep(error.retry_after().unwrap()).await;
        }
        refused
    };
    let refused = join_all((0..100).map(caller)).await;
    assert_eq!(refused.iter().filter(|refused| **refused == 0).count(), 8);
    assert!(refused.iter().all(|refused| *refused <= 2), "{refused:?}");
    let took = bench.clock.since_start() - began;
    assert!(took <= 55 * SECOND, "100 calls of 2 s on 4 places take 50 s: {took:?}");
}

/// H3: those who wait for a place take another turn when they have it, or they would all go at once.
#[tokio::test(start_paused = true)]
async fn places_and_turns_together_keep_both() {
    let policy = PolicyPatch { upstream: per(10, SECOND), concurrency: Some(3), ..PolicyPatch::default() };
    let bench = Bench::new(policy);
    // The first three end at the same moment.
    let first = [2000, 1900, 1800].map(|ms| Does::Takes(ms * MS));
    bench.will(first.into_iter().chain(vec![Does::Takes(SECOND); 27]));
    let ends = join_all((0..30).map(|_| bench.ends("read"))).await;
    assert!(ends.iter().all(|end| end == "ok"), "{ends:?}");
    let called = bench.called();
    assert!(called.windows(2).all(|pair| pair[1] - pair[0] >= 100 * MS), "{called:?}");
    assert!(called.windows(4).all(|four| four[3] - four[0] >= SECOND), "{called:?}");
}

/// H3: a system that asks for a pause gets it, also from those who were waiting already.
#[tokio::test(start_paused = true)]
async fn a_system_that_asks_for_a_pause_gets_it() {
    let bench = Bench::new(PolicyPatch { upstream: per(10, SECOND), ..PolicyPatch::default() });
    bench.will([Does::Fails(UpstreamCode::RateLimited, Some(8 * SECOND))]);
    let ends = join_all((0..3).map(|_| bench.ends("read"))).await;
    assert_eq!(ends, ["upstream_rate_limited 8000 ms", "ok", "ok"]);
    assert_eq!(bench.told(), ["paused 8 s"]);
    let called = bench.called();
    assert!(called[1] >= 8 * SECOND && called[2] >= called[1] + 100 * MS, "{called:?}");
    bench.will([Does::Fails(UpstreamCode::Busy, Some(20 * SECOND))]);
    bench.ends("read").await;
    assert_eq!(bench.ends("read").await, "busy 20000 ms");
}

/// H3: the circuit opens after failures in a row, lets one call try, and closes when it succeeds.
#[tokio::test(start_paused = true)]
async fn a_circuit_opens_tries_once_and_closes() {
    let bench = Bench::new(PolicyPatch { circuit: circuit(3, 30 * SECOND), ..PolicyPatch::default() });
    let unavailable = || fails(UpstreamCode::Unavailable);
    bench.will([
        unavailable(),
        unavailable(),
        fails(UpstreamCode::NotFound),
        unavailable(),
        unavailable(),
        unavailable(),
    ]);
    for _ in 0..6 {
        assert_ne!(bench.ends("read").await, "circuit_open");
    }
    assert_eq!(bench.told(), ["open"], "a definite answer in between counts as well");
    bench.clock.sleep(10 * SECOND).await;
    assert_eq!(bench.ends("other").await, "circuit_open 20000 ms", "of the whole source");
    assert_eq!(bench.called().len(), 6);

    bench.clock.sleep(20 * SECOND).await;
    bench.will([Does::Takes(5 * SECOND)]);
    let ends = join_all(["read", "write", "read"].map(|tool| bench.ends(tool))).await;
    assert_eq!(ends, ["ok", "circuit_open 1000 ms", "circuit_open 1000 ms"]);
    assert_eq!((bench.called().len(), bench.told()), (7, vec!["half open".to_owned(), "closed".to_owned()]));
    assert_eq!(bench.ends("read").await, "ok");
}

/// H3: a try that fails opens it again; one that nobody waited for leaves it to the next.
#[tokio::test(start_paused = true)]
async fn a_try_that_fails_or_is_given_up() {
    let policy = PolicyPatch { circuit: circuit(1, 10 * SECOND), timeout: Some(2 * SECOND), ..PolicyPatch::default() };
    let bench = Bench::new(policy);
    bench.will([fails(UpstreamCode::Failed), Does::Takes(3 * SECOND), Does::Takes(SECOND)]);
    assert_eq!(bench.ends("read").await, "upstream_failed");
    bench.clock.sleep(10 * SECOND).await;
    assert_eq!(bench.ends("read").await, "timed_out");
    bench.clock.sleep(MS).await;
    assert_eq!(bench.told(), ["open", "half open", "open"]);
    assert_eq!(bench.ends("read").await, "circuit_open 9999 ms", "what takes too long has failed");

    bench.clock.sleep(10 * SECOND).await;
    tokio::select! {
        _ = bench.ends("read") => panic!("it takes a second"),
        () = bench.clock.sleep(500 * MS) => {}
    }
    bench.clock.sleep(MS).await;
    assert_eq!(bench.told(), ["half open", "open"]);
    assert_eq!(bench.ends("read").await, "ok");
    assert_eq!(bench.told(), ["half open", "closed"]);
}

/// H3: a call from before the circuit opened says nothing of how the system behind is now.
#[tokio::test(start_paused = true)]
async fn only_the_call_that_tries_closes_a_circuit() {
    let bench = Bench::new(PolicyPatch { circuit: circuit(1, 10 * SECOND), ..PolicyPatch::default() });
    bench.will([Does::Takes(15 * SECOND), fails(UpstreamCode::Unavailable), Does::Takes(8 * SECOND)]);
    let others = async {
        assert_eq!(bench.ends("read").await, "upstream_unavailable");
        bench.clock.sleep(10 * SECOND).await;
        tokio::join!(bench.ends("read"), async {
            bench.clock.sleep(6 * SECOND).await;
            bench.ends("read").await
        })
    };
    let (from_before, (tries, meanwhile)) = tokio::join!(bench.ends("read"), others);
    assert_eq!((&*from_before, &*tries, &*meanwhile), ("ok", "ok", "circuit_open 1000 ms"));
    assert_eq!(bench.told(), ["open", "half open", "closed"]);
}

/// H3: reads are repeated after a growing pause, for what may pass, within the deadline; writes never.
#[tokio::test(start_paused = true)]
async fn only_reads_are_repeated_and_only_for_what_may_pass() {
    let bench = Bench::new(PolicyPatch { retries: Some(2), timeout: Some(10 * SECOND), ..PolicyPatch::default() });
    bench.will([fails(UpstreamCode::Unavailable), fails(UpstreamCode::ConnectionLost)]);
    assert_eq!(bench.ends("read").await, "ok");
    assert_eq!(bench.called(), [Duration::ZERO, 200 * MS, 600 * MS]);

    for (tool, failure, expected, calls) in [
        ("read", vec![fails(UpstreamCode::Unavailable); 5], "upstream_unavailable", 3),
        ("read", vec![fails(UpstreamCode::Rejected)], "upstream_rejected", 1),
        ("read", vec![fails(UpstreamCode::NotFound)], "upstream_not_found", 1),
        ("write", vec![fails(UpstreamCode::Unavailable)], "upstream_unavailable", 1),
        ("read", vec![Does::Fails(UpstreamCode::RateLimited, Some(3 * SECOND))], "ok", 2),
        ("read", vec![Does::Fails(UpstreamCode::Busy, Some(10 * SECOND))], "upstream_busy 10000 ms", 1),
    ] {
        let (before, at) = (bench.called().len(), bench.clock.since_start());
        bench.will(failure.clone());
        assert_eq!(bench.ends(tool).await, expected);
        assert_eq!(bench.called().len() - before, calls, "{tool} {expected}");
        if let [Does::Fails(_, Some(after)), ..] = failure[..]
            && calls > 1
        {
            assert!(bench.called().last().unwrap() >= &(at + after), "Retry-After is obeyed");
        }
    }
}

/// H3: repeats never multiply an outage: a source has a few, and one more for each ten calls.
#[tokio::test(start_paused = true)]
async fn repeats_end_with_the_budget() {
    let bench = Bench::new(PolicyPatch { retries: Some(3), ..PolicyPatch::default() });
    bench.will(vec![fails(UpstreamCode::Unavailable); 1000]);
    for _ in 0..200 {
        assert_eq!(bench.ends("read").await, "upstream_unavailable");
    }
    let called = bench.called().len();
    assert_eq!(called, 200 + 5 + 200 / 10);
    let spent = bench.told().iter().filter(|told| *told == "budget spent").count();
    assert!(spent > 170, "{spent}");
}

/// H3: once a try reached the source, a refusal of the next one is not the answer.
#[tokio::test(start_paused = true)]
async fn what_came_of_the_first_try_is_the_answer_where_the_next_is_refused() {
    let bench =
        Bench::new(PolicyPatch { retries: Some(3), circuit: circuit(2, 30 * SECOND), ..PolicyPatch::default() });
    bench.will(vec![fails(UpstreamCode::Unavailable); 5]);
    assert_eq!(bench.ends("read").await, "upstream_unavailable");
    assert_eq!(bench.called().len(), 2, "then the circuit was open");
    assert!(bench.ends("read").await.starts_with("circuit_open"));
}

/// H3, D4: while shared counters are lost, each replica counts for itself, or calls are refused.
#[tokio::test(start_paused = true)]
async fn lost_counters_are_made_up_for_or_refused_as_the_policy_says() {
    let elsewhere = Arc::new(Elsewhere::default());
    for (on_loss, expected) in [
        (OnSharedLoss::Open, ["ok", "rate_limited 60000 ms"]),
        (OnSharedLoss::Closed, ["limits_unavailable 5000 ms", "limits_unavailable 5000 ms"]),
    ] {
        let policy =
            PolicyPatch { per_caller: per(1, 60 * SECOND), on_shared_loss: Some(on_loss), ..PolicyPatch::default() };
        let bench = Bench::build(policy, |shield| shield.with_counters(elsewhere.clone()));
        assert_eq!([bench.ends("read").await, bench.ends("read").await], expected);
        *elsewhere.counters.lock().unwrap() = Some(Arc::new(crate::LocalCounters::new(bench.clock.clone())));
        assert_eq!(bench.ends("read").await, "ok", "the shared ones have not counted yet");
        assert_eq!(bench.ends("read").await, "rate_limited 60000 ms");
        *elsewhere.counters.lock().unwrap() = None;
        assert_eq!(bench.told(), ["shared counters: false", "shared counters: true"], "once each");
    }
}
