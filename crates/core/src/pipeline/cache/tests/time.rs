//! Until when an answer is given: the policy's time, what the system behind says, and what holds where
//! it fails (H2).

use super::*;
use crate::Ending;

#[tokio::test(start_paused = true)]
async fn an_answer_is_given_again_for_its_time_and_says_so() {
    let bench = bench();
    let first = bench.call("read").await.unwrap();
    assert_eq!((mark(&first), bench.last_use()), (None, Some(CacheUse::Miss)));
    later(59 * SECOND).await;
    let second = bench.call("read").await.unwrap();
    assert_eq!((mark(&second), bench.last_use()), (Some((true, 59_000, false)), Some(CacheUse::Hit)));
    assert_eq!((second.structured, bench.asked()), (first.structured, 1));
    later(SECOND).await;
    assert_eq!(mark(&bench.call("read").await.unwrap()), None);
    assert_eq!(bench.asked(), 2);
    bench.call("plain").await.unwrap();
    bench.call("plain").await.unwrap();
    assert_eq!((bench.asked(), bench.last_use()), (4, None));
    let records = bench.records.0.lock().unwrap();
    assert!(
        records.len() == 5 && records.iter().all(|record| record.ending == Ending::Succeeded),
        "each is written down"
    );
}

/// What the system behind says can only shorten the time, by the rules of RFC 9111.
#[tokio::test(start_paused = true)]
async fn what_the_system_behind_says_shortens_the_time() {
    let said = Freshness::default();
    let secs = |secs: u64| Some(Duration::from_secs(secs));
    for (tool, said, given_until) in [
        ("read", said.clone(), 60),
        ("read", Freshness { lifetime: secs(7), ..said.clone() }, 7),
        ("read", Freshness { lifetime: secs(3600), ..said.clone() }, 60),
        ("read", Freshness { lifetime: secs(0), ..said.clone() }, 0),
        ("read", Freshness { no_store: true, lifetime: secs(7), ..said.clone() }, 0),
        ("read", Freshness { private: true, lifetime: secs(7), ..said.clone() }, 7),
        ("read", Freshness { lifetime: secs(0), shared_lifetime: secs(9), ..said.clone() }, 0),
        ("common", Freshness { lifetime: secs(0), shared_lifetime: secs(9), ..said.clone() }, 9),
        ("common", Freshness { lifetime: secs(7), ..said.clone() }, 7),
        ("common", Freshness { private: true, lifetime: secs(7), ..said.clone() }, 0),
    ] {
        let bench = bench();
        bench.script([Does::Answers(said.clone())]);
        bench.call(tool).await.unwrap();
        if given_until > 0 {
            later(given_until * SECOND - Duration::from_millis(1)).await;
            assert!(mark(&bench.call(tool).await.unwrap()).is_some(), "{tool} {said:?}");
            later(Duration::from_millis(1)).await;
        }
        assert_eq!((mark(&bench.call(tool).await.unwrap()), bench.asked()), (None, 2), "{tool} {said:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_age_counts_from_when_it_was_made() {
    let bench = bench();
    bench.script([Does::Answers(Freshness { age: 30 * SECOND, ..Freshness::default() })]);
    bench.call("read").await.unwrap();
    later(5 * SECOND).await;
    assert_eq!(mark(&bench.call("read").await.unwrap()), Some((true, 35_000, false)));
}

/// An answer whose time is over is asked about, and what is still good is given for its time again.
#[tokio::test(start_paused = true)]
async fn an_answer_with_a_validator_is_asked_about() {
    let bench = bench();
    let tag = |tag: &str| Some(Validators { etag: Some(tag.to_owned()), last_modified: None });
    let of = |validators, not_modified| {
        let lifetime = Some(10 * SECOND);
        Does::Answers(Freshness { validators, not_modified, lifetime, ..Freshness::default() })
    };
    bench.script([of(tag("\"1\""), false), of(None, true), of(tag("\"2\""), true), of(tag("\"3\""), false)]);
    let first = bench.call("read").await.unwrap();
    for asked in [2, 3] {
        later(10 * SECOND).await;
        let again = bench.call("read").await.unwrap();
        assert_eq!((&again.structured, mark(&again)), (&first.structured, Some((true, 0, false))));
        assert_eq!((bench.asked(), bench.last_use()), (asked, Some(CacheUse::Revalidated)));
        later(9 * SECOND).await;
        assert_eq!(mark(&bench.call("read").await.unwrap()), Some((true, 9_000, false)));
        later(SECOND).await;
        // The next round begins at once.
        if asked == 3 {
            assert_eq!(mark(&bench.call("read").await.unwrap()), None, "it has changed");
        }
    }
    let sent = bench.behind.validators.lock().unwrap().clone();
    assert_eq!(sent, [None, tag("\"1\""), tag("\"1\""), tag("\"2\"")]);
}

/// What is not said again with the word that an answer is still good stays as it was (RFC 9111 §4.3.4).
#[tokio::test(start_paused = true)]
async fn a_word_that_an_answer_is_still_good_lengthens_no_time() {
    let secs = |secs: u64| Some(Duration::from_secs(secs));
    let first = Freshness {
        lifetime: secs(7),
        age: SECOND,
        must_revalidate: true,
        validators: Some(Validators { etag: Some("\"1\"".to_owned()), last_modified: None }),
        ..Freshness::default()
    };
    let still_good = Freshness { not_modified: true, ..Freshness::default() };
    for (said, given_for) in [
        (still_good.clone(), 8),
        (Freshness { age: 3 * SECOND, ..still_good.clone() }, 5),
        (Freshness { lifetime: secs(9), ..still_good }, 9),
    ] {
        let bench = stale_for(100 * SECOND);
        bench.script([Does::Answers(first.clone()), Does::Answers(said.clone())]);
        bench.call("read").await.unwrap();
        later(7 * SECOND).await;
        bench.call("read").await.unwrap();
        assert_eq!(bench.last_use(), Some(CacheUse::Revalidated));
        later(given_for * SECOND - Duration::from_millis(1)).await;
        bench.call("read").await.unwrap();
        assert_eq!(bench.last_use(), Some(CacheUse::Hit), "{said:?}");
        later(Duration::from_millis(1)).await;
        bench.script([Does::Fails(UpstreamCode::Failed)]);
        let is_given = bench.call("read").await.is_ok();
        assert_eq!(is_given, said.lifetime.is_some(), "{said:?}: the first word forbids it");
    }
}

/// A source that says so without having been asked is wrong, and no empty answer comes of it.
#[tokio::test(start_paused = true)]
async fn nothing_is_still_good_that_is_not_there() {
    let bench = bench();
    bench.script([Does::Answers(Freshness { not_modified: true, ..Freshness::default() })]);
    assert!(bench.call("read").await.unwrap().structured.is_some());
}

fn stale_for(time: Duration) -> Bench {
    bench_with(CachePatch { stale_if_error: Some(time), ..CachePatch::default() }, None)
}

#[tokio::test(start_paused = true)]
async fn where_the_system_behind_fails_an_older_answer_is_better_than_none() {
    for (does, is_given) in [
        (Does::Fails(UpstreamCode::Unavailable), true),
        (Does::Fails(UpstreamCode::Busy), true),
        (Does::Fails(UpstreamCode::RateLimited), true),
        (Does::Fails(UpstreamCode::TimedOut), true),
        (Does::Fails(UpstreamCode::ConnectionLost), true),
        (Does::Fails(UpstreamCode::InvalidResponse), true),
        (Does::Fails(UpstreamCode::Failed), true),
        (Does::Hangs, true),
        (Does::Fails(UpstreamCode::NotFound), false),
        (Does::Fails(UpstreamCode::Unauthorized), false),
        (Does::Fails(UpstreamCode::Forbidden), false),
        (Does::Fails(UpstreamCode::Rejected), false),
        (Does::Fails(UpstreamCode::Conflict), false),
    ] {
        let bench = stale_for(100 * SECOND);
        bench.call("read").await.unwrap();
        later(90 * SECOND).await;
        bench.script([does]);
        match bench.call("read").await {
            Ok(outcome) => {
                assert!(is_given && mark(&outcome).is_some_and(|(hit, age, stale)| hit && stale && age >= 90_000));
                assert_eq!(bench.last_use(), Some(CacheUse::Stale));
            }
            Err(error) => assert!(!is_given, "{error:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_answer_has_an_end_as_well() {
    let bench = stale_for(30 * SECOND);
    bench.call("read").await.unwrap();
    for (wait, is_given) in [(89, true), (1, false)] {
        later(wait * SECOND).await;
        bench.script([Does::Fails(UpstreamCode::Failed)]);
        assert_eq!(bench.call("read").await.is_ok(), is_given);
    }
    let strict = Freshness { must_revalidate: true, ..Freshness::default() };
    bench.script([Does::Answers(strict)]);
    bench.call("read").await.unwrap();
    later(61 * SECOND).await;
    bench.script([Does::Fails(UpstreamCode::Failed)]);
    assert!(bench.call("read").await.is_err(), "the system behind forbids it");
}

/// A time for caches that callers share holds to the second there, and says nothing of others (RFC 9111
/// §5.2.2.10).
#[tokio::test(start_paused = true)]
async fn what_is_said_for_shared_caches_is_strict_there() {
    for (tool, is_given) in [("common", false), ("read", true)] {
        let bench = stale_for(100 * SECOND);
        bench.script([Does::Answers(Freshness { shared_lifetime: Some(7 * SECOND), ..Freshness::default() })]);
        bench.call(tool).await.unwrap();
        later(60 * SECOND).await;
        bench.script([Does::Fails(UpstreamCode::Failed)]);
        assert_eq!(bench.call(tool).await.is_ok(), is_given, "{tool}");
    }
}

/// On a clock that was put back, what is of later than now is asked for anew; so no answer is given for longer
/// than twice its time. On one that was put forward, answers end early.
#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_lengthens_little() {
    for (jump, after_jump, afterwards) in [(-3600, false, false), (3600, false, false), (-30, false, true)] {
        let bench = stale_for(10 * SECOND);
        later(40 * SECOND).await;
        bench.call("read").await.unwrap();
        bench.clock.put(jump);
        bench.script([Does::Fails(UpstreamCode::Failed)]);
        assert_eq!(bench.call("read").await.is_ok(), after_jump, "{jump}: nor is it given in the place of an error");
        later(40 * SECOND).await;
        assert_eq!(mark(&bench.call("read").await.unwrap()).is_some(), afterwards, "{jump}");
    }
}

/// An answer that was remembered for another policy, description or configuration is not found.
#[tokio::test(start_paused = true)]
async fn a_changed_configuration_begins_anew() {
    let clock = PausedClock::new();
    let store: Arc<dyn CacheStore> = Arc::new(LocalCache::new(clock.clone(), 1 << 20));
    let (one, same) = (bench_with(CachePatch::default(), Some(store.clone())), CachePatch::default());
    one.call("read").await.unwrap();
    let two = bench_with(same.clone(), Some(store.clone()));
    assert!(mark(&two.call("read").await.unwrap()).is_some(), "the same configuration, in another process");
    let other_policy = CachePatch { stale_if_error: Some(SECOND), ..same.clone() };
    assert!(mark(&bench_with(other_policy, Some(store.clone())).call("read").await.unwrap()).is_none());
    let mut three = bench_with(same, Some(store.clone()));
    let cache = Cache::new(EndpointId::main(), store).with_revision("t", [7; 32]);
    three.pipeline = pipeline(&three.clock, &three.records, cache);
    assert!(mark(&three.call("read").await.unwrap()).is_none());
}
