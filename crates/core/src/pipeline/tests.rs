//! The pipeline as a whole, with a source that does as it is told and a clock that is moved.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Notify as Signal;

use super::*;
use crate::{
    AuditRecord, Caller, Content, Effect, Ending, Policies, PolicyPatch, Randomness, RequestId, ScopeSet, SignIn,
    Source, SystemClock, ToolSpec, catalog::NamedSource,
};

#[derive(Default)]
struct Doubles {
    finished: AtomicUsize,
    started: Signal,
    go_on: Signal,
}

#[async_trait]
impl Source for Doubles {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        let tool = |name: &str, effect: Effect| {
            let mut spec = ToolSpec::new(name, "Does as it is told.");
            spec.effect = effect;
            spec.input_schema = json!({
                "type": "object", "additionalProperties": false, "required": ["n"],
                "properties": {"n": {"type": "integer", "minimum": 0}},
            })
            .as_object()
            .unwrap()
            .clone();
            spec
        };
        let mut drifting = ToolSpec::new("drifting", "Answers what its schema does not say.");
        drifting.output_schema =
            Some(json!({"type": "object", "properties": {"n": {"type": "integer"}}}).as_object().unwrap().clone());
        vec![
            tool("double", Effect::Read),
            tool("wait_read", Effect::Read),
            tool("wait_write", Effect::Destructive),
            tool("panic", Effect::Read),
            drifting,
        ]
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        match tool {
            "panic" => panic!("as told"),
            "drifting" => return Ok(Outcome::structured(json!({"n": "seven", "m": 1}).as_object().unwrap().clone())),
            "wait_read" | "wait_write" => {
                self.started.notify_one();
                self.go_on.notified().await;
                self.finished.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        let n = call.arguments["n"].as_i64().unwrap();
        Ok(Outcome::structured(json!({"double": n * 2}).as_object().unwrap().clone()))
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
impl Randomness for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

struct Bench {
    source: Arc<Doubles>,
    records: Arc<Records>,
    catalog: Catalog,
    pipeline: Arc<Pipeline>,
}

fn bench(policy: PolicyPatch) -> Bench {
    let (source, records) = (Arc::new(Doubles::default()), Arc::new(Records::default()));
    let named = NamedSource { name: "t".into(), prefix: String::new(), source: source.clone() };
    let policies = Policies::new(vec![("default".into(), policy)]);
    let catalog = Catalog::build(vec![named], &policies).ok().unwrap();
    let pipeline = Arc::new(Pipeline::new(Arc::new(SystemClock), records.clone()));
    Bench { source, records, catalog, pipeline }
}

fn call(tool: &str, arguments: serde_json::Value) -> Call {
    let caller = Caller {
        subject: "alice".into(),
        scopes: ScopeSet::read_and_write(),
        sign_in: SignIn::Local,
        presented: crate::Presented::default(),
        claims: crate::Claims::default(),
    };
    Call::new(RequestId::generate(&Zeros), Arc::new(caller), tool, arguments.as_object().unwrap().clone())
}

impl Bench {
    async fn run(&self, tool: &str, arguments: serde_json::Value) -> Result<Outcome, CallError> {
        self.pipeline.run(&self.catalog, call(tool, arguments)).await
    }

    fn endings(&self) -> Vec<Ending> {
        self.records.0.lock().unwrap().iter().map(|r| r.ending).collect()
    }
}

#[tokio::test]
async fn a_call_passes_and_is_written_down() {
    let bench = bench(PolicyPatch::default());
    let outcome = bench.run("double", json!({"n": 21})).await.unwrap();
    assert_eq!(outcome.structured.unwrap()["double"], 42);
    assert_eq!(bench.endings(), [Ending::Succeeded]);
    assert_eq!(bench.records.0.lock().unwrap()[0].tool, "t.double");
}

/// D4: each refusal has its code, and each is in the audit (P2).
#[tokio::test]
async fn refusals_have_codes_and_are_written_down() {
    let bench = bench(PolicyPatch::default());
    assert_eq!(bench.run("nothing", json!({})).await.unwrap_err().code(), "unknown_tool");
    assert_eq!(bench.run("double", json!({"n": -1})).await.unwrap_err().code(), "invalid_arguments");
    let mut poor = call("wait_write", json!({"n": 1}));
    poor.caller = Arc::new(Caller { scopes: ScopeSet::parse("tools:read").unwrap(), ..(*poor.caller).clone() });
    assert_eq!(bench.pipeline.run(&bench.catalog, poor).await.unwrap_err().code(), "not_permitted");
    let refused = ["unknown_tool", "invalid_arguments", "not_permitted"].map(Ending::Refused);
    assert_eq!(bench.endings(), refused);
}

#[tokio::test]
async fn a_panic_is_our_fault_and_says_nothing_of_itself() {
    let bench = bench(PolicyPatch::default());
    let error = bench.run("panic", json!({"n": 1})).await.unwrap_err();
    let object = error.to_object("req-1");
    assert_eq!((object["code"].as_str().unwrap(), object["retryable"].as_bool().unwrap()), ("internal", false));
    assert!(
        object["message"].as_str().unwrap().contains("req-1")
            && !object["message"].as_str().unwrap().contains("as told")
    );
    assert_eq!(bench.endings(), [Ending::Failed("internal")]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_read_is_stopped_and_a_slow_write_goes_on() {
    let bench = bench(PolicyPatch { timeout: Some(Duration::from_secs(1)), ..PolicyPatch::default() });
    let read = bench.run("wait_read", json!({"n": 1})).await.unwrap_err();
    assert_eq!((read.code(), read.retryable()), ("timed_out", true));
    let write = bench.run("wait_write", json!({"n": 1})).await.unwrap_err();
    assert_eq!((write.code(), write.retryable()), ("timed_out", false));
    bench.source.go_on.notify_waiters();
    bench.pipeline.drain().await;
    assert_eq!(bench.source.finished.load(Ordering::SeqCst), 1, "the write alone went on");
    assert_eq!(bench.run("double", json!({"n": 1})).await.unwrap_err().code(), "shutting_down");
}

#[tokio::test]
async fn a_client_that_goes_away_is_written_down_and_its_write_goes_on() {
    let bench = bench(PolicyPatch::default());
    let running = tokio::spawn({
        let (pipeline, catalog) = (bench.pipeline.clone(), bench.catalog);
        async move { pipeline.run(&catalog, call("wait_write", json!({"n": 1}))).await }
    });
    bench.source.started.notified().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    bench.source.go_on.notify_one();
    bench.pipeline.drain().await;
    assert_eq!(bench.source.finished.load(Ordering::SeqCst), 1);
    assert_eq!(bench.records.0.lock().unwrap()[0].ending, Ending::Abandoned);
}

/// H3 (first cut): the queue is bounded and says when to come back.
#[tokio::test]
async fn a_full_queue_refuses() {
    let bench = bench(PolicyPatch { concurrency: Some(1), queue: Some(0), ..PolicyPatch::default() });
    let (first, second) = tokio::join!(bench.run("wait_read", json!({"n": 1})), async {
        bench.source.started.notified().await;
        let second = bench.run("double", json!({"n": 1})).await;
        bench.source.go_on.notify_one();
        second
    });
    assert!(first.is_ok());
    let second = second.unwrap_err();
    assert_eq!((second.code(), second.retryable(), second.retry_after()), ("busy", true, Some(Duration::from_secs(1))));
    assert!(bench.run("double", json!({"n": 1})).await.is_ok(), "the place is free again");
}

/// D3: what is structured satisfies the schema; the rest stands whole in the text.
#[tokio::test]
async fn a_result_that_drifts_still_goes_through() {
    let bench = bench(PolicyPatch::default());
    let outcome = bench.run("drifting", json!({})).await.unwrap();
    assert_eq!(serde_json::Value::Object(outcome.structured.unwrap()), json!({"m": 1}));
    assert_eq!(outcome.content, [Content::Text(json!({"n": "seven", "m": 1}).to_string())]);
    assert_eq!(outcome.meta["bridgehead/drift"], json!(["/n"]));
}
