//! What a repeat gets where nobody heard the end of the first call.

use std::{sync::atomic::Ordering, time::Duration};

use bridgehead_core::{PolicyPatch, Recovery, UpstreamCode};
use serde_json::json;

use crate::rig::{Act, Rig, Verb, call, code, is_replayed, number};

const KNOWS_KEYS: Recovery = Recovery { sends_key: true, resolves: false };
const FINDS_OUT: Recovery = Recovery { sends_key: false, resolves: true };

/// How long a claim holds.
const LEASE: u64 = 30;

fn with_header() -> PolicyPatch {
    PolicyPatch { upstream_idempotency_header: Some("Idempotency-Key".into()), ..PolicyPatch::default() }
}

#[tokio::test]
async fn a_call_whose_end_nobody_heard_is_never_repeated() {
    let rig = Rig::new();
    let replica = rig.replica();
    for (act, key) in [(Act::DoneAndLost, "done"), (Act::Lost, "lost"), (Act::Panic, "panic")] {
        rig.upstream.next(act);
        let calls = rig.upstream.calls();
        for _ in 0..3 {
            let doubt = replica.order(key).await.unwrap_err();
            assert_eq!((doubt.code(), doubt.retryable()), ("effect_in_doubt", false), "{key}");
            let object = doubt.to_object("r");
            assert_eq!(object["details"]["effect_id"].as_str().unwrap().len(), 64);
            assert!(object["message"].as_str().unwrap().contains("do not call it with a new idempotency key"));
        }
        assert_eq!(rig.upstream.calls(), calls + 1, "{key}");
    }
    let failures =
        [UpstreamCode::TimedOut, UpstreamCode::ConnectionLost, UpstreamCode::InvalidResponse, UpstreamCode::Failed];
    for failure in failures {
        rig.upstream.next(Act::Fail(failure));
        let doubt = replica.order(failure.as_str()).await.unwrap_err();
        assert_eq!(
            (doubt.code(), &doubt.to_object("r")["details"]["cause"]),
            ("effect_in_doubt", &json!(failure.as_str()))
        );
    }
}

/// A replica that dies leaves its claim behind: until the lease is over a repeat waits, and then it is
/// told that nobody knows.
#[tokio::test]
async fn a_replica_that_dies_leaves_its_effect_in_doubt() {
    let rig = Rig::new();
    let (dying, living) = (
        rig.replica(),
        rig.replica_with(PolicyPatch { timeout: Some(Duration::from_secs(20)), ..PolicyPatch::default() }),
    );
    rig.upstream.next(Act::Slowly);
    let _abandoned = dying.spawn_order("k");
    rig.upstream.started.notified().await;
    dying.dies();
    let waiting = living.spawn_order("k");
    rig.settle().await;
    rig.clock.advance(20);
    let patience = waiting.await.unwrap().unwrap_err();
    assert_eq!((patience.code(), patience.retryable()), ("timed_out", true));
    assert!(patience.to_string().contains("same idempotency key"), "{patience}");
    rig.clock.advance(LEASE - 20);
    assert_eq!(code(&living.order("k").await), "effect_in_doubt");
    assert_eq!(rig.upstream.calls(), 1);
}

#[tokio::test]
async fn a_living_owner_keeps_its_claim_and_a_late_answer_counts() {
    let rig = Rig::new();
    let (owner, other) = (rig.patient_replica(), rig.patient_replica());
    rig.upstream.next(Act::Slowly);
    let running = owner.spawn_order("k");
    rig.upstream.started.notified().await;
    for _ in 0..10 {
        rig.settle().await;
        rig.clock.advance(7);
    }
    rig.settle().await;
    let waiting = other.spawn_order("k");
    rig.settle().await;
    // It stalls: its renewals fail, and the lease is over.
    rig.fail(&[Verb::Renew]);
    rig.clock.advance(LEASE);
    assert_eq!(code(&waiting.await.unwrap()), "effect_in_doubt");
    rig.upstream.go_on.notify_one();
    let late = running.await.unwrap();
    assert_eq!(number(&late), 1);
    let repeat = other.order("k").await.unwrap();
    assert!(is_replayed(&repeat), "its late answer settles what was in doubt");
}

#[tokio::test]
async fn a_source_that_can_find_out_is_asked_before_anybody_is_told_of_doubt() {
    let rig = Rig::with(FINDS_OUT);
    let replica = rig.replica();
    rig.upstream.next(Act::DoneAndLost);
    assert_eq!(number(&replica.order("done").await), 1, "it took effect, and that is the answer");
    assert!(is_replayed(&replica.order("done").await.unwrap()));

    rig.upstream.next(Act::Lost);
    let undone = replica.order("lost").await.unwrap_err();
    assert_eq!((undone.code(), undone.retryable()), ("upstream_connection_lost", true));
    assert!(undone.to_string().contains("did not take effect"), "{undone}");
    assert!(!is_replayed(&replica.order("lost").await.unwrap()), "the key is fresh again");
    assert_eq!((rig.upstream.effects(), rig.upstream.calls()), (2, 3));
}

#[tokio::test]
async fn a_source_that_can_find_out_is_asked_after_a_crash() {
    for (act, calls) in [(Act::DoneAndLost, 1), (Act::Lost, 2)] {
        let rig = Rig::with(FINDS_OUT);
        let (dying, living) = (rig.replica(), rig.replica());
        rig.upstream.next(act);
        // It dies in the very moment in which it would write down what came of the call.
        rig.fail(&[Verb::Settle, Verb::Release, Verb::Doubt]);
        let _ = dying.order("k").await;
        dying.dies();
        rig.fail(&[]);
        rig.clock.advance(LEASE);
        assert_eq!(number(&living.order("k").await), 1);
        assert_eq!((rig.upstream.effects(), rig.upstream.calls()), (1, calls));
        assert!(rig.upstream.asked.load(Ordering::SeqCst) > 0);
    }
}

#[tokio::test]
async fn a_system_that_knows_keys_is_called_again_with_the_same_one() {
    let rig = Rig::with(KNOWS_KEYS);
    let replica = rig.replica_with(with_header());
    for act in [Act::DoneAndLost, Act::Lost] {
        let key = format!("{act:?}");
        rig.upstream.next(act.clone());
        let doubt = replica.order(&key).await.unwrap_err();
        assert_eq!((doubt.code(), doubt.retryable()), ("effect_in_doubt", true));
        let effects = rig.upstream.effects();
        let second = replica.order(&key).await;
        let (known, after) = (matches!(act, Act::DoneAndLost), rig.upstream.effects());
        assert_eq!(after, if known { effects } else { effects + 1 });
        assert_eq!(number(&second), after as u64);
        assert!(is_replayed(&replica.order(&key).await.unwrap()));
    }
    assert_eq!((rig.upstream.effects(), rig.upstream.calls()), (2, 4));
}

/// A repeat that came to nothing says nothing of the first sending.
#[tokio::test]
async fn a_repeat_that_fails_leaves_the_effect_in_doubt() {
    let rig = Rig::with(KNOWS_KEYS);
    let replica = rig.replica_with(with_header());
    rig.upstream.next(Act::DoneAndLost);
    assert_eq!(code(&replica.order("k").await), "effect_in_doubt");
    let failures = [
        UpstreamCode::Unavailable,
        UpstreamCode::Busy,
        UpstreamCode::RateLimited,
        UpstreamCode::Unauthorized,
        UpstreamCode::Forbidden,
        UpstreamCode::Conflict,
        UpstreamCode::TimedOut,
    ];
    for failure in failures {
        rig.upstream.next(Act::Fail(failure));
        assert_eq!(code(&replica.order("k").await), "effect_in_doubt", "{failure:?}");
    }
    assert_eq!(number(&replica.order("k").await), 1);
    assert_eq!(rig.upstream.effects(), 1);
}

#[tokio::test]
async fn a_key_is_not_trusted_upstream_beyond_its_time() {
    let rig = Rig::with(KNOWS_KEYS);
    let ttl = Some(Duration::from_secs(3600));
    let replica = rig.replica_with(PolicyPatch { upstream_key_ttl: ttl, ..with_header() });
    rig.upstream.next(Act::DoneAndLost);
    assert_eq!(code(&replica.order("k").await), "effect_in_doubt");
    // The call itself may take half a minute to arrive.
    rig.clock.advance(3600 - 30);
    assert_eq!(code(&replica.order("k").await), "effect_in_doubt");
    assert_eq!(rig.upstream.calls(), 1);
}

/// The first sending went out without the header: what comes now would be another effect there.
#[tokio::test]
async fn a_header_that_was_configured_later_proves_nothing() {
    let rig = Rig::with(KNOWS_KEYS);
    rig.upstream.next(Act::DoneAndLost);
    assert_eq!(code(&rig.replica().order("k").await), "effect_in_doubt");
    assert_eq!(code(&rig.replica_with(with_header()).order("k").await), "effect_in_doubt");
    assert_eq!(rig.upstream.calls(), 1);
}

/// The operator's word is worth nothing where the source does not send the header.
#[tokio::test]
async fn a_header_that_is_not_sent_proves_nothing() {
    let rig = Rig::new();
    let replica = rig.replica_with(with_header());
    rig.upstream.next(Act::DoneAndLost);
    let _ = replica.order("k").await;
    assert_eq!(code(&replica.order("k").await), "effect_in_doubt");
    assert_eq!(rig.upstream.calls(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_waiting_and_not_the_effect() {
    let rig = Rig::new();
    let replica = rig.replica();
    rig.upstream.next(Act::Slowly);
    let running = replica.spawn_order("k");
    rig.upstream.started.notified().await;
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    assert!(is_replayed(&replica.order("k").await.unwrap()));
    assert_eq!(rig.upstream.effects(), 1);
}

/// As long as nothing was sent, going away gives the key back.
#[tokio::test]
async fn a_client_that_goes_away_before_its_turn_gives_its_key_back() {
    let rig = Rig::new();
    let replica = rig.replica_with(PolicyPatch { concurrency: Some(1), ..PolicyPatch::default() });
    rig.upstream.next(Act::Slowly);
    let first = replica.spawn_order("first");
    rig.upstream.started.notified().await;
    let queued = replica.spawn_order("queued");
    rig.settle().await;
    queued.abort();
    assert!(queued.await.unwrap_err().is_cancelled());
    let late = replica.spawn_order("late");
    rig.settle().await;
    rig.clock.advance(30);
    assert_eq!(code(&late.await.unwrap()), "busy", "nothing was sent, so nothing is in doubt");
    rig.settle().await;
    rig.upstream.go_on.notify_one();
    let _ = first.await.unwrap();
    for key in ["queued", "late"] {
        assert!(!is_replayed(&replica.order(key).await.unwrap()), "{key}");
    }
    assert_eq!(rig.upstream.calls(), 3);
}

/// A queue that is full refuses, and the key is fresh again.
#[tokio::test]
async fn a_limit_of_our_own_gives_the_key_back() {
    let rig = Rig::new();
    let replica = rig.replica_with(PolicyPatch { concurrency: Some(1), queue: Some(0), ..PolicyPatch::default() });
    rig.upstream.next(Act::Slowly);
    let first = replica.spawn_order("first");
    rig.upstream.started.notified().await;
    assert_eq!(code(&replica.order("k").await), "busy");
    rig.upstream.go_on.notify_one();
    first.await.unwrap().unwrap();
    assert!(!is_replayed(&replica.order("k").await.unwrap()));
}

/// What the caller is told when their time is up, and what they find when they come back.
#[tokio::test]
async fn a_call_that_takes_too_long_goes_on_and_is_asked_for_with_its_key() {
    let rig = Rig::new();
    let replica = rig.replica();
    rig.upstream.next(Act::Slowly);
    let running = replica.spawn_order("k");
    rig.upstream.started.notified().await;
    rig.clock.advance(30);
    let told = running.await.unwrap().unwrap_err();
    assert_eq!((told.code(), told.retryable()), ("timed_out", true));
    let waiting = replica.spawn_order("k");
    rig.settle().await;
    rig.upstream.go_on.notify_one();
    assert!(is_replayed(&waiting.await.unwrap().unwrap()));
    assert_eq!(rig.upstream.effects(), 1);
}

#[tokio::test]
async fn a_key_in_doubt_is_one_callers_own() {
    let rig = Rig::new();
    let replica = rig.replica();
    rig.upstream.next(Act::DoneAndLost);
    let _ = replica.order("k").await;
    let bob = replica.run(call("order", "bob", json!({"sku": "A-1", "idempotency_key": "k"}))).await;
    assert!(!is_replayed(&bob.unwrap()));
}
