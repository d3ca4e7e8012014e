//! Calls that go on, as tasks: for clients that take them they are there sooner, and a read can be stopped.

use std::sync::atomic::Ordering;

use bridgehead_core::{
    ArgumentFault, Call, CallError, CredentialLack, CredentialRequired, Outcome, Refusal, RequestId, UpstreamCode,
    effects::{Task, TaskState, TaskVerb, handle},
};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    outlast::{long, only_reading, spawn},
    rig::{Act, Counted, Replica, Rig, Verb, call, code, is_replayed, number},
};

fn taken(tool: &str, arguments: serde_json::Value) -> Call {
    Call { takes_tasks: true, ..call(tool, "alice", arguments) }
}

fn look() -> Call {
    taken("look", json!({"sku": "A-1"}))
}

fn order() -> Call {
    taken("order", json!({"sku": "A-1", "idempotency_key": "k"}))
}

fn ask(subject: &str, id: &str) -> Call {
    let caller = call("look", subject, json!({})).caller;
    handle::ask(RequestId::generate(&Counted::default()), caller, id)
}

async fn task(replica: &Replica, id: &str, verb: TaskVerb) -> Result<Task, CallError> {
    replica.pipeline.task(&replica.catalog, &ask("alice", id), verb).await
}

async fn state(replica: &Replica, id: &str) -> TaskState {
    task(replica, id, TaskVerb::Get).await.unwrap().state
}

/// The call after half a second, which is all that a client with tasks waits for.
async fn begun(rig: &Rig, replica: &Replica, call: Call, act: Act) -> String {
    rig.upstream.next(act);
    let running: JoinHandle<Result<Outcome, CallError>> = spawn(replica, call.clone());
    rig.upstream.started.notified().await;
    rig.settle().await;
    assert!(!running.is_finished());
    rig.clock.advance(1);
    let answer = running.await.unwrap().unwrap();
    let handle = handle::of_answer(&answer).unwrap();
    let asked = handle::ask(call.request_id, call.caller, handle);
    let task = replica.pipeline.begun(&replica.catalog, &asked).await.unwrap();
    assert!(matches!(task.state, TaskState::Working));
    assert_eq!(task.id.as_str(), handle, "a task's id is the handle");
    // What carries the call on has begun to.
    rig.settle().await;
    task.id.as_str().to_owned()
}

/// D5: made before it is answered, seen by every replica, and the result is that of the handle.
#[tokio::test]
async fn what_came_of_a_task_is_known_to_every_replica() {
    for call in [look(), order()] {
        let rig = Rig::new();
        let (here, there) = (long(&rig), long(&rig));
        let id = begun(&rig, &here, call, Act::Slowly).await;
        assert!(matches!(state(&there, &id).await, TaskState::Working));
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        for replica in [&here, &there] {
            match state(replica, &id).await {
                TaskState::Ended(result) => assert_eq!(number(&result), 1),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(rig.upstream.calls(), 1);
    }
}

#[tokio::test]
async fn a_task_is_its_callers_alone() {
    let rig = Rig::new();
    let replica = long(&rig);
    let id = begun(&rig, &replica, look(), Act::Slowly).await;
    for verb in [TaskVerb::Get, TaskVerb::Stop] {
        let strange = [ask("bob", &id), ask("alice", &"0".repeat(64)), ask("alice", "nonsense")];
        let mut words = Vec::new();
        for strange in strange {
            let error = replica.pipeline.task(&replica.catalog, &strange, verb).await.unwrap_err();
            assert_eq!(error.code(), "invalid_arguments");
            words.push(error.to_string());
        }
        assert!(words.iter().all(|word| *word == words[0]), "another's is as unknown as none: {words:?}");
    }
    assert!(matches!(state(&replica, &id).await, TaskState::Working), "and cannot be stopped by another");
}

/// P2: nor is it for a sign-in of theirs that may not make the call.
#[tokio::test]
async fn a_task_is_no_way_around_a_scope_that_was_taken_away() {
    let rig = Rig::new();
    let replica = long(&rig);
    let id = begun(&rig, &replica, order(), Act::Slowly).await;
    for verb in [TaskVerb::Get, TaskVerb::Stop] {
        let asked = replica.pipeline.task(&replica.catalog, &only_reading(ask("alice", &id)), verb).await;
        assert_eq!(asked.unwrap_err().code(), "not_permitted");
    }
    assert!(matches!(state(&replica, &id).await, TaskState::Working));
}

/// In the same process at once; from another replica when the one that runs it renews its claim.
#[tokio::test]
async fn a_read_stops_when_its_task_is_cancelled() {
    for far in [false, true] {
        let rig = Rig::new();
        let (here, there) = (long(&rig), long(&rig));
        let id = begun(&rig, &here, look(), Act::Slowly).await;
        let stopped = task(if far { &there } else { &here }, &id, TaskVerb::Stop).await.unwrap();
        assert!(matches!(stopped.state, TaskState::Stopped));
        if far {
            rig.clock.advance(7);
        }
        rig.settle().await;
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        assert_eq!(rig.upstream.ended.load(Ordering::SeqCst), 0, "it was stopped, far: {far}");
        assert!(matches!(state(&here, &id).await, TaskState::Stopped), "and stays so");
        let fetched = here.run(call("bridgehead_result", "alice", json!({"handle": id}))).await;
        assert_eq!(code(&fetched), "cancelled");
    }
}

/// It has been sent, and cannot be called back.
#[tokio::test]
async fn a_call_with_effects_goes_on_when_its_task_is_cancelled() {
    for call in [order(), taken("order", json!({"sku": "A-1"}))] {
        let rig = Rig::new();
        let replica = long(&rig);
        let id = begun(&rig, &replica, call, Act::Slowly).await;
        assert!(matches!(task(&replica, &id, TaskVerb::Stop).await.unwrap().state, TaskState::Working));
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        assert!(matches!(state(&replica, &id).await, TaskState::Ended(Ok(_))));
        assert_eq!((rig.upstream.calls(), rig.upstream.effects()), (1, 1));
    }
}

#[tokio::test]
async fn what_has_ended_is_not_stopped() {
    let rig = Rig::new();
    let replica = long(&rig);
    let id = begun(&rig, &replica, look(), Act::Slowly).await;
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert!(matches!(task(&replica, &id, TaskVerb::Stop).await.unwrap().state, TaskState::Ended(Ok(_))));
    assert!(matches!(state(&replica, &id).await, TaskState::Ended(Ok(_))));
}

#[tokio::test]
async fn a_replica_that_dies_is_told_of() {
    for (call, expected) in [(look(), "upstream_connection_lost"), (order(), "effect_in_doubt")] {
        let rig = Rig::new();
        let (dying, living) = (long(&rig), long(&rig));
        let id = begun(&rig, &dying, call, Act::Slowly).await;
        dying.dies();
        rig.clock.advance(28);
        assert!(matches!(state(&living, &id).await, TaskState::Working), "as long as the lease holds");
        rig.clock.advance(3);
        match state(&living, &id).await {
            TaskState::Ended(result) => assert_eq!(code(&result), expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_error_is_told_as_it_was() {
    let rig = Rig::new();
    let replica = long(&rig);
    let id = begun(&rig, &replica, look(), Act::FailSlowly(UpstreamCode::Rejected)).await;
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    match state(&replica, &id).await {
        TaskState::Ended(result) => assert_eq!(code(&result), UpstreamCode::Rejected.as_str()),
        other => panic!("{other:?}"),
    }
}

/// D4: what a source finds out only on its way is told as it was, with all that the agent needs to go on.
#[tokio::test]
async fn a_refusal_that_comes_late_is_told_as_it_was() {
    let missing = CredentialRequired {
        vault: "erp".into(),
        title: "ERP".into(),
        subject: "alice".into(),
        url: "https://mcp.example/account".into(),
        lack: CredentialLack::NotAccepted,
        said: Some("expired".into()),
    };
    let wrong = ArgumentFault { path: "/sku".into(), message: "is no article".into() };
    let without_claim = Refusal::LacksClaim { claim: "team".into(), fault: "It is not there.".into() };
    let refusals = [
        Refusal::CredentialRequired(Box::new(missing)),
        Refusal::InvalidArguments(vec![wrong]),
        without_claim,
        Refusal::ClientLacks { capability: "sampling".into() },
    ];
    for refusal in refusals {
        for call in [look(), taken("order", json!({"sku": "A-1"}))] {
            let rig = Rig::new();
            let replica = long(&rig);
            let id = begun(&rig, &replica, call, Act::RefuseSlowly(refusal.clone())).await;
            rig.upstream.go_on.notify_one();
            rig.settle().await;
            match state(&replica, &id).await {
                TaskState::Ended(Err(told)) => {
                    assert_eq!(told.to_object("r"), CallError::from(refusal.clone()).to_object("r"));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// D4: a key whose call came to nothing is fresh again, and its caller is told why nothing came of it: there is
/// nothing else from which they could learn that they may not do this, or have to wait.
#[tokio::test]
async fn a_call_with_a_key_that_came_to_nothing_says_why_and_is_made_again() {
    for failure in [UpstreamCode::Unavailable, UpstreamCode::Forbidden, UpstreamCode::RateLimited] {
        let rig = Rig::new();
        let (here, there) = (long(&rig), long(&rig));
        let id = begun(&rig, &here, order(), Act::FailSlowly(failure)).await;
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        let ended = task(&there, &id, TaskVerb::Get).await.unwrap();
        assert!(ended.changed_at > ended.created_at && ended.keep_until > ended.changed_at);
        match ended.state {
            TaskState::Ended(told) => assert_eq!(code(&told), failure.as_str()),
            other => panic!("{other:?}"),
        }
        let fetched = there.run(call("bridgehead_result", "alice", json!({"handle": id}))).await;
        assert_eq!(code(&fetched), failure.as_str());
        let other_arguments = taken("order", json!({"sku": "B-2", "idempotency_key": "k"}));
        let made_again = there.run(other_arguments).await;
        assert_eq!((number(&made_again), is_replayed(&made_again.unwrap())), (1, false), "the key is fresh");
    }
}

/// A handle that was given is good, though nothing can be said of its task now; and what could not be
/// stopped is not said to be.
#[tokio::test]
async fn a_store_that_fails_stops_nothing() {
    let rig = Rig::new();
    let replica = long(&rig);
    let id = begun(&rig, &replica, look(), Act::Slowly).await;
    rig.fail(&[Verb::Settle]);
    assert_eq!(task(&replica, &id, TaskVerb::Stop).await.unwrap_err().code(), "idempotency_unavailable");
    rig.fail(&[]);
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert!(matches!(state(&replica, &id).await, TaskState::Ended(Ok(_))));
}

/// The times are those of the record: made when it was, kept from the end of the call on.
#[tokio::test]
async fn a_task_says_since_when_and_for_how_long() {
    // With a key it is known half a second longer: since it was claimed.
    for (call, took) in [(look(), 10), (taken("order", json!({"sku": "A-1"})), 10), (order(), 11)] {
        let rig = Rig::new();
        let replica = long(&rig);
        let id = begun(&rig, &replica, call, Act::Slowly).await;
        let running = task(&replica, &id, TaskVerb::Get).await.unwrap();
        assert_eq!(running.created_at, running.changed_at);
        rig.clock.advance(10);
        rig.settle().await;
        rig.upstream.go_on.notify_one();
        rig.settle().await;
        rig.clock.advance(100);
        let ended = task(&replica, &id, TaskVerb::Get).await.unwrap();
        assert_eq!(ended.created_at, running.created_at);
        assert_eq!(ended.changed_at.duration_since(ended.created_at).as_secs(), took);
        assert!(ended.keep_until > ended.changed_at);
    }
}

/// What ends sooner needs no record, and a client without tasks is waited for as ever.
#[tokio::test]
async fn what_ends_at_once_is_no_task() {
    let rig = Rig::new();
    let replica = long(&rig);
    assert_eq!(number(&replica.run(look()).await), 1);
    assert_eq!(handle::of_answer(&replica.run(look()).await.unwrap()), None);
}
