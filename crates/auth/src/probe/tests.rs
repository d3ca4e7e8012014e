//! A2, A3: the system behind is asked once, and believed for a while.

use std::{
    sync::{Mutex, atomic::Ordering},
    time::Duration,
};

use bridgehead_core::Secret;
use jiff::SignedDuration;
use tokio::sync::Semaphore;

use super::*;
use crate::{
    Fingerprints, RootKeys,
    testing::{Desk, FakeProbe, Seeded},
};

fn presented(value: &str) -> Presented {
    Presented::default().with("x-api-key", Secret::new(value.to_owned()))
}

fn remembered(desk: &Desk, probe: &Arc<FakeProbe>, limits: RememberedFor) -> Remembered {
    let fingerprints = Fingerprints::derive(&RootKeys::generate(&Seeded::new(1)));
    Remembered::new(probe.clone(), fingerprints, desk.clock.clone(), limits)
}

async fn subject(probe: &Remembered, value: &str) -> Result<Option<String>, ProbeFailure> {
    probe.probe(&presented(value)).await.map(|answer| answer.subject().map(ToString::to_string))
}

#[tokio::test]
async fn an_accepted_credential_is_believed_for_minutes() {
    let desk = Desk::new();
    let behind = FakeProbe::knows(&[("good", "alice@example.com")]);
    let probe = remembered(&desk, &behind, RememberedFor::default());
    for _ in 0..3 {
        assert_eq!(subject(&probe, "good").await.unwrap().as_deref(), Some("alice@example.com"));
    }
    assert_eq!(behind.times_asked(), 1);

    // Withdrawn there: noticed when the time is over.
    behind.known.lock().unwrap().clear();
    desk.clock.advance(Duration::from_secs(299));
    subject(&probe, "good").await.unwrap();
    desk.clock.advance(Duration::from_secs(1));
    assert!(matches!(subject(&probe, "good").await, Err(ProbeFailure::Refused)));
    assert_eq!(behind.times_asked(), 2);
}

#[tokio::test]
async fn a_refused_credential_is_asked_about_again_after_seconds() {
    let desk = Desk::new();
    let behind = FakeProbe::knows(&[]);
    let probe = remembered(&desk, &behind, RememberedFor::default());
    for _ in 0..3 {
        assert!(matches!(subject(&probe, "new").await, Err(ProbeFailure::Refused)));
    }
    assert_eq!(behind.times_asked(), 1);
    behind.known.lock().unwrap().insert("new".into(), None);
    desk.clock.advance(Duration::from_secs(10));
    assert_eq!(subject(&probe, "new").await.unwrap(), None, "one that only judges names nobody");
    assert_eq!(behind.times_asked(), 2);
}

#[tokio::test]
async fn that_it_is_down_is_never_remembered_and_hides_nothing_that_is() {
    let desk = Desk::new();
    let behind = FakeProbe::knows(&[("good", "alice@example.com"), ("late", "bob@example.com")]);
    let probe = remembered(&desk, &behind, RememberedFor::default());
    subject(&probe, "good").await.unwrap();
    behind.down.store(true, Ordering::Relaxed);
    subject(&probe, "good").await.unwrap();
    for asked in [2, 3] {
        assert!(matches!(subject(&probe, "late").await, Err(ProbeFailure::Unavailable { .. })));
        assert_eq!(behind.times_asked(), asked);
    }
    desk.clock.advance(Duration::from_secs(300));
    assert!(matches!(subject(&probe, "good").await, Err(ProbeFailure::Unavailable { .. })));
    behind.down.store(false, Ordering::Relaxed);
    subject(&probe, "late").await.unwrap();
    subject(&probe, "good").await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_none_is_the_operators_to_mend() {
    let desk = Desk::new();
    let long = "x".repeat(256);
    let behind = FakeProbe::knows(&[
        ("a", ""),
        ("b", "al\nice"),
        ("c", &long),
        ("e", "key-0123456789abcdef"),
        ("d", "  alice "),
    ]);
    let probe = remembered(&desk, &behind, RememberedFor::default());
    for value in ["a", "b", "c", "e", "a"] {
        assert!(matches!(subject(&probe, value).await, Err(ProbeFailure::Unusable { .. })), "{value}");
    }
    assert_eq!(behind.times_asked(), 5, "what cannot be used is not remembered");
    assert_eq!(subject(&probe, "d").await.unwrap().as_deref(), Some("alice"));
}

/// Of many requests that come at once with one credential, one asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_asks_for_all() {
    let desk = Desk::new();
    let known = Mutex::new([("good".to_owned(), Some("alice".to_owned()))].into());
    let behind = Arc::new(FakeProbe { known, gate: Some(Semaphore::new(0)), ..FakeProbe::default() });
    let probe = Arc::new(remembered(&desk, &behind, RememberedFor::default()));
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let probe = probe.clone();
            tokio::spawn(async move { subject(&probe, "good").await.unwrap() })
        })
        .collect();
    while behind.times_asked() == 0 {
        tokio::task::yield_now().await;
    }
    behind.gate.as_ref().unwrap().add_permits(1);
    for task in tasks {
        assert_eq!(task.await.unwrap().as_deref(), Some("alice"));
    }
    assert_eq!(behind.times_asked(), 1);
}

/// The one who asks may go away: those who wait keep the question going, and the next one asks
/// anew where nobody waited.
#[tokio::test]
async fn a_client_that_goes_away_takes_nobodys_answer_along() {
    let desk = Desk::new();
    let known = Mutex::new([("good".to_owned(), Some("alice".to_owned()))].into());
    let behind = Arc::new(FakeProbe { known, gate: Some(Semaphore::new(0)), ..FakeProbe::default() });
    let probe = Arc::new(remembered(&desk, &behind, RememberedFor::default()));
    let (first, second) = (presented("good"), presented("good"));
    let mut leader = probe.probe(&first);
    assert!(futures_util::poll!(&mut leader).is_pending());
    let mut follower = probe.probe(&second);
    assert!(futures_util::poll!(&mut follower).is_pending());
    drop(leader);
    behind.gate.as_ref().unwrap().add_permits(1);
    follower.await.unwrap();
    assert_eq!(behind.times_asked(), 1);

    let (other, again) = (presented("bad"), presented("bad"));
    let mut alone = probe.probe(&other);
    assert!(futures_util::poll!(&mut alone).is_pending());
    drop(alone);
    behind.gate.as_ref().unwrap().add_permits(1);
    assert!(matches!(probe.probe(&again).await, Err(ProbeFailure::Refused)));
    assert_eq!(behind.times_asked(), 3);
}

#[tokio::test]
async fn not_more_than_so_many_are_asked_at_once() {
    let desk = Desk::new();
    let behind = Arc::new(FakeProbe { gate: Some(Semaphore::new(0)), ..FakeProbe::default() });
    let probe = remembered(&desk, &behind, RememberedFor { at_once: 2, ..RememberedFor::default() });
    let values: Vec<_> = (0..5).map(|number| presented(&format!("v{number}"))).collect();
    let mut asking: Vec<_> = values.iter().map(|value| probe.probe(value)).collect();
    for one in &mut asking {
        assert!(futures_util::poll!(one).is_pending());
    }
    assert_eq!(behind.times_asked(), 2);
    behind.gate.as_ref().unwrap().add_permits(5);
    for one in asking {
        assert!(one.await.is_err());
    }
    assert_eq!(behind.times_asked(), 5);
}

/// Strangers who try values push nobody out, and memory stays bounded.
#[tokio::test]
async fn memory_is_bounded_and_strangers_push_nobody_out() {
    let desk = Desk::new();
    let behind = FakeProbe::knows(&[("one", "1"), ("two", "2"), ("three", "3")]);
    let limits = RememberedFor { capacity: 2, accepted: SignedDuration::from_mins(5), ..RememberedFor::default() };
    let probe = remembered(&desk, &behind, limits);
    subject(&probe, "one").await.unwrap();
    subject(&probe, "two").await.unwrap();
    for number in 0..50 {
        let _ = subject(&probe, &format!("guess {number}")).await;
    }
    assert_eq!(behind.times_asked(), 52);
    subject(&probe, "one").await.unwrap();
    subject(&probe, "two").await.unwrap();
    assert_eq!(behind.times_asked(), 52);
    subject(&probe, "three").await.unwrap();
    subject(&probe, "two").await.unwrap();
    assert_eq!(behind.times_asked(), 53);
    subject(&probe, "one").await.unwrap();
    assert_eq!(behind.times_asked(), 54, "the oldest went first");
}

#[tokio::test]
async fn other_headers_are_another_credential() {
    let desk = Desk::new();
    let behind = FakeProbe::knows(&[("good", "alice")]);
    let probe = remembered(&desk, &behind, RememberedFor::default());
    probe.probe(&presented("good")).await.unwrap();
    let elsewhere = presented("good").with("x-tenant", Secret::new("north".into()));
    probe.probe(&elsewhere).await.unwrap();
    assert_eq!(behind.times_asked(), 2);
}

#[test]
fn nothing_of_the_credential_is_shown() {
    let desk = Desk::new();
    let behind = FakeProbe::knows(&[("hunter2", "alice")]);
    let probe = remembered(&desk, &behind, RememberedFor::default());
    assert!(!format!("{probe:?} {:?}", presented("hunter2")).contains("hunter2"));
}
