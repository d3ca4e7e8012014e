//! Calls that take longer than platforms wait: they are answered with a handle, go on, and are fetched
//! from any replica, by their caller alone.

use std::{sync::atomic::Ordering, time::Duration};

use bridgehead_core::{
    Call, CallError, Caller, Catalog, Outcome, Policies, PolicyPatch, Recovery, ScopeSet, Source, ToolSpec,
    UpstreamCode,
    catalog::NamedSource,
    effects::{TaskState, TaskVerb},
    policy::CachePatch,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::rig::{Act, Replica, Rig, call, code, is_replayed, number};

/// How long a call is waited for.
const PATIENCE: u64 = 45;

pub(crate) fn long(rig: &Rig) -> Replica {
    rig.replica_with(PolicyPatch { timeout: Some(Duration::from_secs(600)), ..PolicyPatch::default() })
}

pub(crate) fn spawn(replica: &Replica, call: Call) -> JoinHandle<Result<Outcome, CallError>> {
    let (pipeline, catalog) = (replica.pipeline.clone(), replica.catalog.clone());
    tokio::spawn(async move { pipeline.run(&catalog, call).await })
}

fn look() -> Call {
    call("look", "alice", json!({"sku": "A-1"}))
}

fn order() -> Call {
    call("order", "alice", json!({"sku": "A-1"}))
}

fn result(subject: &str, handle: &str) -> Call {
    call("bridgehead_result", subject, json!({"handle": handle}))
}

fn handle(answer: &Result<Outcome, CallError>) -> String {
    let structured = answer.as_ref().unwrap().structured.as_ref().unwrap();
    assert_eq!(structured.len(), 1, "a handle stands alone");
    structured["_running"]["handle"].as_str().unwrap().to_owned()
}

/// A call that has not ended when the patience of platforms has.
async fn handed(rig: &Rig, replica: &Replica, call: Call) -> String {
    rig.upstream.next(Act::Slowly);
    let running = spawn(replica, call);
    rig.upstream.started.notified().await;
    rig.settle().await;
    rig.clock.advance(PATIENCE - 1);
    rig.settle().await;
    assert!(!running.is_finished());
    rig.clock.advance(1);
    handle(&running.await.unwrap())
}

#[tokio::test]
async fn what_came_of_a_long_call_is_fetched_from_any_replica() {
    for call in [look(), order(), call("order", "alice", json!({"sku": "A-1", "idempotency_key": "k"}))] {
        let rig = Rig::new();
        let (here, there) = (long(&rig), long(&rig));
        let handle = handed(&rig, &here, call).await;
        let (near, far) = (spawn(&here, result("alice", &handle)), spawn(&there, result("alice", &handle)));
        rig.settle().await;
        rig.upstream.go_on.notify_one();
        assert_eq!(number(&near.await.unwrap()), 1, "told in the same process, without time going by");
        rig.clock.advance(1);
        let far = far.await.unwrap();
        assert_eq!((number(&far), is_replayed(&far.unwrap())), (1, true));
        assert_eq!(rig.upstream.calls(), 1);
    }
}

/// H2: a handle is an answer to one call. What is remembered is what comes of it, and who asks the same
/// meanwhile waits for that.
#[tokio::test]
async fn no_handle_is_remembered() {
    let rig = Rig::new();
    let ten_minutes = Some(Duration::from_secs(600));
    let cache = CachePatch { ttl: ten_minutes, ..CachePatch::default() };
    let replica = rig.replica_with(PolicyPatch { timeout: ten_minutes, cache, ..PolicyPatch::default() });
    let first = handed(&rig, &replica, look()).await;
    let again = spawn(&replica, look());
    rig.settle().await;
    assert!(!again.is_finished());
    rig.clock.advance(PATIENCE);
    let second = handle(&again.await.unwrap());
    assert!(first != second && rig.upstream.calls() == 1);
    rig.upstream.go_on.notify_one();
    for handle in [first, second] {
        rig.settle().await;
        assert_eq!(number(&replica.run(result("alice", &handle)).await), 1);
    }
    let hit = replica.run(look()).await;
    assert_eq!((number(&hit), rig.upstream.calls()), (1, 1));
    assert_eq!(hit.unwrap().meta["bridgehead/cache"]["hit"], true);
    rig.upstream.next(Act::Slowly);
    let bob = spawn(&replica, call("look", "bob", json!({"sku": "A-1"})));
    rig.upstream.started.notified().await;
    rig.upstream.go_on.notify_one();
    assert!(bob.await.unwrap().unwrap().meta.is_empty(), "another caller asks for themselves");
}

/// H2: whoever is told here that a write was made gets no answer from before it here, though another
/// replica made it, which shares no answers with this one or died before it could end them.
#[tokio::test]
async fn a_write_of_another_replica_ends_answers_where_it_is_told() {
    let rig = Rig::new();
    let ten_minutes = Some(Duration::from_secs(600));
    let cache =
        CachePatch { ttl: ten_minutes, invalidated_by: Some(vec!["t.order".to_owned()]), ..CachePatch::default() };
    let policy = PolicyPatch { timeout: ten_minutes, cache, ..PolicyPatch::default() };
    let here = rig.with_answers_of_its_own().replica_with(policy.clone());
    let there = rig.replica_with(policy);
    let is_kept = async || here.run(look()).await.unwrap().meta.contains_key("bridgehead/cache");

    assert!(!is_kept().await && is_kept().await);
    there.order("k").await.unwrap();
    assert!(is_kept().await, "nobody has said anything here");
    assert!(is_replayed(&here.order("k").await.unwrap()));
    assert!(!is_kept().await && is_kept().await, "after the repeat");

    for subject in ["bob", "alice"] {
        let handle = handed(&rig, &there, call("order", subject, json!({"sku": "A-1"}))).await;
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        let fetched = here.run(result("alice", &handle)).await;
        assert_eq!(fetched.is_ok(), subject == "alice");
        assert_eq!(is_kept().await, subject == "bob", "after the handle of {subject}");
    }

    let handle = handed(&rig, &there, order()).await;
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert!(is_kept().await);
    let ask = result("alice", &handle);
    let task = here.pipeline.task(&here.catalog, &ask, TaskVerb::Get).await.unwrap();
    assert!(matches!(task.state, TaskState::Ended(Ok(_))), "{task:?}");
    assert!(!is_kept().await, "after the task");
}

/// H2: a credential of the caller's that is refused after the handle was given takes along what was remembered.
#[tokio::test]
async fn a_credential_that_is_refused_behind_a_handle_takes_its_answers_along() {
    let rig = Rig::new();
    let ten_minutes = Some(Duration::from_secs(600));
    let cache = CachePatch { ttl: ten_minutes, ..CachePatch::default() };
    let replica = rig.replica_with(PolicyPatch { timeout: ten_minutes, cache, ..PolicyPatch::default() });
    let is_kept = async || replica.run(look()).await.unwrap().meta.contains_key("bridgehead/cache");
    assert!(!is_kept().await && is_kept().await);
    rig.upstream.next(Act::FailSlowly(UpstreamCode::Unauthorized));
    let other = spawn(&replica, call("look", "alice", json!({"sku": "B-2"})));
    rig.upstream.started.notified().await;
    rig.settle().await;
    rig.clock.advance(PATIENCE);
    handle(&other.await.unwrap());
    assert!(is_kept().await, "nobody has said so yet");
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert!(!is_kept().await && is_kept().await);
}

/// Nor is one that a source gives, of a server behind which has calls of that kind as well.
#[tokio::test]
async fn no_handle_of_a_source_is_remembered() {
    struct Relay;
    #[async_trait::async_trait]
    impl Source for Relay {
        fn kind(&self) -> &'static str {
            "test"
        }
        fn tools(&self) -> Vec<ToolSpec> {
            vec![ToolSpec::new("look", "Looks.")]
        }
        async fn call(&self, _: &str, _: &Call) -> Result<Outcome, CallError> {
            let mut outcome = Outcome::default();
            outcome.meta.insert("bridgehead/running".into(), true.into());
            Ok(outcome)
        }
    }
    let rig = Rig::new();
    let cache = CachePatch { ttl: Some(Duration::from_secs(600)), shared: Some(true), ..CachePatch::default() };
    let policies = Policies::new(vec![("default".into(), PolicyPatch { cache, ..PolicyPatch::default() })]);
    let named = NamedSource { name: "s".into(), prefix: String::new(), source: std::sync::Arc::new(Relay) };
    let catalog = Catalog::build(vec![named], &policies).unwrap();
    for _ in 0..2 {
        let outcome = rig.replica().pipeline.run(&catalog, call("look", "alice", json!({}))).await.unwrap();
        assert!(!outcome.meta.contains_key("bridgehead/cache"));
    }
}

#[tokio::test]
async fn a_handle_is_its_callers_alone() {
    let rig = Rig::new();
    let replica = long(&rig);
    let handle = handed(&rig, &replica, look()).await;
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    let strange = [result("bob", &handle), result("alice", &"0".repeat(64)), result("alice", "nonsense")];
    let mut words = Vec::new();
    for strange in strange {
        let error = replica.run(strange).await.unwrap_err();
        assert_eq!(error.code(), "invalid_arguments");
        words.push(error.to_string());
    }
    assert!(words.iter().all(|word| *word == words[0]), "another's handle is as unknown as none: {words:?}");
    assert_eq!(number(&replica.run(result("alice", &handle)).await), 1);
}

/// P2: what a caller may not call any more they do not get by its handle either.
#[tokio::test]
async fn a_handle_is_no_way_around_a_scope_that_was_taken_away() {
    let rig = Rig::new();
    let replica = long(&rig);
    let handle = handed(&rig, &replica, order()).await;
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    let fetched = replica.run(only_reading(result("alice", &handle))).await.unwrap_err();
    assert_eq!((fetched.code(), fetched.details()), ("not_permitted", Some(json!({"scope": "tools:write"}))));
    assert_eq!(number(&replica.run(result("alice", &handle)).await), 1);
}

/// The same caller, with another sign-in.
pub(crate) fn only_reading(call: Call) -> Call {
    let caller = Caller { scopes: ScopeSet::parse("tools:read").unwrap(), ..(*call.caller).clone() };
    Call { caller: std::sync::Arc::new(caller), ..call }
}

/// H3: the time that a call has waited for its place is the client's time as well. Its handle comes when it was
/// sent, and not after as long again.
#[tokio::test]
async fn a_call_that_waited_for_its_place_gets_its_handle_once_it_was_sent() {
    let rig = Rig::new();
    let one_at_a_time = PolicyPatch { concurrency: Some(1), queue: Some(5), ..PolicyPatch::default() };
    let replica = rig.replica_with(PolicyPatch { timeout: Some(Duration::from_secs(600)), ..one_at_a_time });
    rig.upstream.next(Act::Slowly);
    let first = spawn(&replica, order());
    rig.upstream.started.notified().await;
    rig.upstream.next(Act::Slowly);
    let second = spawn(&replica, order());
    rig.settle().await;
    rig.clock.advance(PATIENCE);
    handle(&first.await.unwrap());
    rig.settle().await;
    assert!(!second.is_finished(), "a handle of it would be one of nothing");
    rig.upstream.go_on.notify_one();
    rig.upstream.started.notified().await;
    rig.clock.advance(1);
    rig.settle().await;
    assert!(second.is_finished());
    handle(&second.await.unwrap());
}

#[tokio::test]
async fn what_takes_longer_still_is_asked_for_again() {
    let rig = Rig::new();
    let replica = long(&rig);
    let handle = handed(&rig, &replica, look()).await;
    let asked = spawn(&replica, result("alice", &handle));
    rig.settle().await;
    for _ in 0..PATIENCE {
        rig.clock.advance(1);
        rig.settle().await;
    }
    assert_eq!(self::handle(&asked.await.unwrap()), handle, "the lease was renewed meanwhile");
}

/// With a key, the call itself is a handle as well.
#[tokio::test]
async fn a_long_call_with_a_key_is_also_repeated() {
    let rig = Rig::new();
    let replica = long(&rig);
    let key = || call("order", "alice", json!({"sku": "A-1", "idempotency_key": "k"}));
    let first = handed(&rig, &replica, key()).await;
    let again = spawn(&replica, key());
    rig.settle().await;
    rig.clock.advance(PATIENCE);
    assert_eq!(handle(&again.await.unwrap()), first);
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert!(is_replayed(&replica.run(key()).await.unwrap()));
    assert_eq!(rig.upstream.effects(), 1);
}

#[tokio::test]
async fn an_error_is_fetched_as_it_was() {
    let rig = Rig::new();
    let replica = long(&rig);
    for (tool, failure) in
        [("look", UpstreamCode::Rejected), ("look", UpstreamCode::Failed), ("order", UpstreamCode::Unavailable)]
    {
        rig.upstream.next(Act::FailSlowly(failure));
        let running = spawn(&replica, call(tool, "alice", json!({"sku": "A-1"})));
        rig.upstream.started.notified().await;
        rig.settle().await;
        rig.clock.advance(PATIENCE);
        let handle = handle(&running.await.unwrap());
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        assert_eq!(code(&replica.run(result("alice", &handle)).await), failure.as_str());
    }
    rig.upstream.next(Act::FailSlowly(UpstreamCode::ConnectionLost));
    let running = spawn(&replica, order());
    rig.upstream.started.notified().await;
    rig.settle().await;
    rig.clock.advance(PATIENCE);
    let handle = handle(&running.await.unwrap());
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    let doubt = replica.run(result("alice", &handle)).await;
    assert_eq!(code(&doubt), "effect_in_doubt", "a call with effects of which nobody knows is told as such");
}

/// D4: what is said of an answer that was too large is true of a read as well, which has no key and no effect.
#[tokio::test]
async fn an_answer_that_is_too_large_to_keep_is_told_of() {
    let rig = Rig::new();
    let large = PolicyPatch { max_result_bytes: Some(2 * 1024 * 1024), ..PolicyPatch::default() };
    let replica = rig.replica_with(PolicyPatch { timeout: Some(Duration::from_secs(600)), ..large });
    rig.upstream.next(Act::LargeSlowly);
    let running = spawn(&replica, look());
    rig.upstream.started.notified().await;
    rig.settle().await;
    rig.clock.advance(PATIENCE);
    let handle = handle(&running.await.unwrap());
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    let told = replica.run(result("alice", &handle)).await.unwrap_err();
    assert_eq!(told.code(), "answer_not_kept");
    assert!(told.to_string().contains("ask for less") && !told.to_string().contains("took effect"), "{told}");
}

#[tokio::test]
async fn a_read_is_stopped_when_its_time_is_up_with_or_without_its_client() {
    let rig = Rig::new();
    let replica = long(&rig);
    let handle = handed(&rig, &replica, look()).await;
    rig.settle().await;
    rig.clock.advance(600 - PATIENCE);
    rig.settle().await;
    assert_eq!(code(&replica.run(result("alice", &handle)).await), "timed_out");
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert_eq!(rig.upstream.ended.load(Ordering::SeqCst), 0, "it was stopped");
}

#[tokio::test]
async fn a_client_that_goes_away_before_it_has_a_handle_stops_its_read() {
    let rig = Rig::new();
    let replica = long(&rig);
    rig.upstream.next(Act::Slowly);
    let running = spawn(&replica, look());
    rig.upstream.started.notified().await;
    running.abort();
    let _ = running.await;
    rig.settle().await;
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert_eq!(rig.upstream.ended.load(Ordering::SeqCst), 0);
    replica.pipeline.drain().await;
}

#[tokio::test]
async fn a_replica_that_dies_is_told_of() {
    for (call, expected, retryable) in [(look(), "upstream_connection_lost", true), (order(), "effect_in_doubt", false)]
    {
        let rig = Rig::new();
        let (dying, living) = (long(&rig), long(&rig));
        let handle = handed(&rig, &dying, call).await;
        rig.settle().await;
        dying.dies();
        rig.clock.advance(31);
        let told = living.run(result("alice", &handle)).await.unwrap_err();
        assert_eq!((told.code(), told.retryable()), (expected, retryable));
    }
}

/// A source that writes effects down has nothing of a call without a key: that it knows of none does not mean that
/// nothing was done.
#[tokio::test]
async fn a_source_that_can_tell_is_believed_only_of_calls_with_a_key() {
    let with_key = call("order", "alice", json!({"sku": "A-1", "idempotency_key": "k"}));
    for (call, expected) in [(order(), Err("effect_in_doubt")), (with_key, Ok(1))] {
        let rig = Rig::with(Recovery { resolves: true, ..Recovery::default() });
        let (dying, living) = (long(&rig), long(&rig));
        let handle = handed(&rig, &dying, call).await;
        rig.settle().await;
        dying.dies();
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        assert_eq!(rig.upstream.effects(), 1, "it took effect, and nobody heard of it");
        rig.clock.advance(31);
        let told = living.run(result("alice", &handle)).await;
        assert!(told.as_ref().is_ok() || !told.as_ref().unwrap_err().retryable());
        assert_eq!(told.as_ref().map(|_| number(&told)).map_err(CallError::code), expected);
    }
}

/// The tool is there where a call may outlast the patience of platforms, and its name is taken.
#[tokio::test]
async fn the_tool_is_there_where_it_is_of_use() {
    let rig = Rig::new();
    assert!(rig.replica().catalog.find("bridgehead_result").is_none());
    let replica = long(&rig);
    let tool = &replica.catalog.find("bridgehead_result").unwrap().tool;
    assert_eq!((tool.effect.is_read(), tool.scope.as_str()), (true, "tools:read"));
    let published =
        Value::Object((**replica.catalog.find("look").unwrap().tool.output_schema.as_ref().unwrap()).clone());
    assert_eq!(published.get("required"), None);
    assert!(published["properties"]["_running"].is_object());
    let short =
        Value::Object((**rig.replica().catalog.find("look").unwrap().tool.output_schema.as_ref().unwrap()).clone());
    assert_eq!(short["required"], json!(["number"]));

    struct Squatter;
    #[async_trait::async_trait]
    impl Source for Squatter {
        fn kind(&self) -> &'static str {
            "test"
        }
        fn tools(&self) -> Vec<ToolSpec> {
            vec![ToolSpec::new("bridgehead_result", "Is somebody else's.")]
        }
        async fn call(&self, _: &str, _: &Call) -> Result<Outcome, CallError> {
            Ok(Outcome::default())
        }
    }
    let named = NamedSource { name: "s".into(), prefix: String::new(), source: std::sync::Arc::new(Squatter) };
    let faults = Catalog::build(vec![named], &Policies::default()).err().unwrap();
    assert!(faults[0].message.contains("Bridgehead's own"), "{faults:?}");
}
