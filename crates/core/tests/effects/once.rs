//! What a repeat gets where the first call came to an end.

use std::time::Duration;

use bridgehead_core::{PolicyPatch, UpstreamCode};
use serde_json::json;

use crate::rig::{Act, Rig, Verb, call, code, is_replayed, number};

#[tokio::test]
async fn a_repeat_gets_the_same_answer_and_does_nothing() {
    let rig = Rig::new();
    let (here, there) = (rig.replica(), rig.replica());
    let first = here.order("k").await;
    assert!(!is_replayed(first.as_ref().unwrap()));
    for replica in [&here, &there] {
        let repeat = replica.order("k").await;
        assert_eq!(number(&repeat), number(&first));
        assert!(is_replayed(&repeat.unwrap()));
    }
    assert_eq!((rig.upstream.effects(), rig.upstream.calls()), (1, 1));
}

#[tokio::test]
async fn another_key_caller_or_tool_is_another_effect() {
    let rig = Rig::new();
    let replica = rig.replica();
    for (tool, subject, key) in
        [("order", "alice", "k"), ("order", "alice", "K"), ("order", "bob", "k"), ("cancel", "alice", "k")]
    {
        let outcome = replica.run(call(tool, subject, json!({"sku": "A-1", "idempotency_key": key}))).await.unwrap();
        assert!(!is_replayed(&outcome), "{tool} {subject} {key}");
    }
    assert_eq!(rig.upstream.effects(), 4);
    let without = replica.run(call("order", "alice", json!({"sku": "A-1"}))).await.unwrap();
    assert!(!is_replayed(&without));
    assert_eq!(rig.upstream.effects(), 5, "without a key every call is one of its own");
}

#[tokio::test]
async fn a_key_with_other_arguments_is_refused_in_every_state() {
    let rig = Rig::new();
    let replica = rig.replica();
    let other = || call("order", "alice", json!({"sku": "B-2", "idempotency_key": "k"}));
    rig.upstream.next(Act::Slowly);
    let running = replica.spawn_order("k");
    rig.upstream.started.notified().await;
    assert_eq!(code(&replica.run(other()).await), "idempotency_conflict");
    rig.upstream.go_on.notify_one();
    running.await.unwrap().unwrap();
    assert_eq!(code(&replica.run(other()).await), "idempotency_conflict");
    rig.upstream.next(Act::Lost);
    assert_eq!(code(&replica.order("doubtful").await), "effect_in_doubt");
    let other = call("order", "alice", json!({"sku": "B-2", "idempotency_key": "doubtful"}));
    assert_eq!(code(&replica.run(other).await), "idempotency_conflict");
    assert_eq!(rig.upstream.effects(), 1);
}

#[tokio::test]
async fn duplicates_at_once_wait_for_one_answer() {
    let rig = Rig::new();
    let (here, there) = (rig.replica(), rig.replica());
    rig.upstream.next(Act::Slowly);
    let first = here.spawn_order("k");
    rig.upstream.started.notified().await;
    let (near, far) = (here.spawn_order("k"), there.spawn_order("k"));
    rig.settle().await;
    rig.upstream.go_on.notify_one();
    let first = first.await.unwrap();
    let near = near.await.unwrap();
    assert_eq!(number(&near), number(&first), "told in the same process, without time going by");
    rig.clock.advance(1);
    let far = far.await.unwrap();
    assert_eq!(number(&far), number(&first), "on another replica it looks again");
    assert!(is_replayed(&near.unwrap()) && is_replayed(&far.unwrap()));
    assert_eq!(rig.upstream.calls(), 1);
}

/// A definite answer is the answer, also where it is no; what may go well later is tried again.
#[tokio::test]
async fn a_definite_refusal_is_replayed_and_what_was_not_sent_is_tried_again() {
    let rig = Rig::new();
    let replica = rig.replica();
    for failure in [UpstreamCode::Rejected, UpstreamCode::NotFound, UpstreamCode::Conflict] {
        rig.upstream.next(Act::Fail(failure));
        let key = failure.as_str();
        assert_eq!(code(&replica.order(key).await), failure.as_str());
        let calls = rig.upstream.calls();
        let repeat = replica.order(key).await;
        assert_eq!((code(&repeat), rig.upstream.calls()), (failure.as_str(), calls));
        let bridgehead_core::CallError::Upstream(repeated) = repeat.unwrap_err() else { panic!() };
        assert!(repeated.replayed);
    }
    for failure in [
        UpstreamCode::Unavailable,
        UpstreamCode::Busy,
        UpstreamCode::RateLimited,
        UpstreamCode::Unauthorized,
        UpstreamCode::Forbidden,
    ] {
        rig.upstream.next(Act::Fail(failure));
        let (key, effects) = (failure.as_str(), rig.upstream.effects());
        assert_eq!(code(&replica.order(key).await), failure.as_str());
        assert!(!is_replayed(&replica.order(key).await.unwrap()), "{key}: the key is fresh again");
        assert_eq!(rig.upstream.effects(), effects + 1);
    }
}

#[tokio::test]
async fn a_key_is_forgotten_when_its_time_is_over() {
    let rig = Rig::new();
    let replica = rig
        .replica_with(PolicyPatch { idempotency_retention: Some(Duration::from_secs(3600)), ..PolicyPatch::default() });
    replica.order("k").await.unwrap();
    rig.clock.advance(3599);
    assert!(is_replayed(&replica.order("k").await.unwrap()));
    rig.clock.advance(1);
    assert!(!is_replayed(&replica.order("k").await.unwrap()));
    assert_eq!(rig.upstream.effects(), 2);
}

/// What a success answered against its own schema took effect all the same.
#[tokio::test]
async fn an_answer_that_cannot_be_shown_is_an_answer() {
    let rig = Rig::new();
    let replica = rig.replica();
    rig.upstream.next(Act::Misfit);
    assert_eq!(code(&replica.order("k").await), "internal");
    assert_eq!(code(&replica.order("k").await), "answer_not_kept");
    assert_eq!(rig.upstream.calls(), 1);
}

#[tokio::test]
async fn without_a_store_nothing_is_sent() {
    let rig = Rig::new();
    let replica = rig.replica();
    rig.fail(&[Verb::Claim]);
    let refused = replica.order("k").await.unwrap_err();
    assert_eq!((refused.code(), refused.retryable()), ("idempotency_unavailable", true));
    assert_eq!(rig.upstream.calls(), 0);
    rig.fail(&[]);
    assert!(!is_replayed(&replica.order("k").await.unwrap()));
}

/// The caller gets the answer there is; it is written down as soon as that can be.
#[tokio::test]
async fn an_answer_that_cannot_be_written_down_is_given_and_written_later() {
    let rig = Rig::new();
    let replica = rig.replica();
    rig.fail(&[Verb::Settle]);
    let first = replica.order("k").await;
    assert_eq!(number(&first), 1);
    rig.fail(&[]);
    rig.settle().await;
    rig.clock.advance(1);
    rig.settle().await;
    let repeat = replica.order("k").await.unwrap();
    assert!(is_replayed(&repeat));
    assert_eq!(rig.upstream.effects(), 1);
}

#[tokio::test]
async fn an_answer_that_is_never_written_down_leaves_the_effect_in_doubt() {
    let rig = Rig::new();
    let replica = rig.replica();
    rig.fail(&[Verb::Settle]);
    replica.order("k").await.unwrap();
    for _ in 0..31 {
        rig.settle().await;
        rig.clock.advance(1);
    }
    rig.settle().await;
    rig.fail(&[]);
    assert_eq!(code(&replica.order("k").await), "effect_in_doubt");
    assert_eq!(rig.upstream.effects(), 1);
    replica.pipeline.drain().await;
}
