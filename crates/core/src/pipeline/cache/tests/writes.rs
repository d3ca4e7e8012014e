//! What a write touches is forgotten, whatever is on its way meanwhile (H2).

use super::*;

fn write_does(bench: &Bench, does: Does) {
    bench.behind.writes.lock().unwrap().push_back(does);
}

#[tokio::test(start_paused = true)]
async fn a_write_ends_what_it_touches_and_nothing_else() {
    let bench = bench();
    for tool in ["read", "other", "common"] {
        bench.call(tool).await.unwrap();
    }
    bench.call("idle").await.unwrap();
    for tool in ["read", "other", "common"] {
        assert!(mark(&bench.call(tool).await.unwrap()).is_some(), "{tool}: this write is not named");
    }
    bench.call_as(&caller("bob"), "write", json!({})).await.unwrap();
    let was_kept = async |tool| mark(&bench.call(tool).await.unwrap()).is_some();
    assert_eq!((was_kept("read").await, was_kept("other").await, was_kept("common").await), (false, true, false));
    assert!(was_kept("read").await, "the new answer is remembered");
}

/// A read that began before the write and ended after it is not remembered, and nobody who asks after
/// the write waits for it.
#[tokio::test(start_paused = true)]
async fn an_answer_from_before_a_write_is_not_given_after_it() {
    let bench = Arc::new(bench());
    bench.script([Does::Waits]);
    let early = tokio::spawn({
        let bench = bench.clone();
        async move { bench.call("read").await }
    });
    bench.behind.begun.notified().await;
    bench.call("write").await.unwrap();
    let late = bench.call("read").await.unwrap();
    assert_eq!((mark(&late), state(&late)), (None, 1));
    bench.behind.go_on.notify_one();
    assert_eq!(state(&early.await.unwrap().unwrap()), 0);
    let after = bench.call("read").await.unwrap();
    assert_eq!((mark(&after).is_some(), state(&after)), (true, state(&late)));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_happened_counts() {
    for (does, ends) in [
        (Does::Answers(Freshness::default()), true),
        (Does::Fails(UpstreamCode::ConnectionLost), true),
        (Does::Fails(UpstreamCode::TimedOut), true),
        (Does::Fails(UpstreamCode::Failed), true),
        (Does::Fails(UpstreamCode::Conflict), true),
        (Does::Hangs, true),
        // Nothing was sent, or nothing was let in.
        (Does::Fails(UpstreamCode::Unavailable), false),
        (Does::Fails(UpstreamCode::RateLimited), false),
        (Does::Fails(UpstreamCode::Unauthorized), false),
    ] {
        let bench = bench();
        bench.call("read").await.unwrap();
        write_does(&bench, does);
        let written = bench.call("write").await;
        let read = bench.call("read").await.unwrap();
        assert_eq!(mark(&read).is_none(), ends, "{written:?}");
    }
}

/// A write whose caller went away or whose time was over counts when it ends, too.
#[tokio::test(start_paused = true)]
async fn a_write_that_goes_on_alone_counts_at_its_end() {
    let bench = Arc::new(bench());
    write_does(&bench, Does::Waits);
    let write = tokio::spawn({
        let bench = bench.clone();
        async move { bench.call("write").await }
    });
    bench.behind.begun.notified().await;
    later(10 * SECOND).await;
    assert_eq!(write.await.unwrap().unwrap_err().code(), "timed_out");
    let before = bench.call("read").await.unwrap();
    assert_eq!((mark(&before), state(&before)), (None, 0));
    bench.behind.go_on.notify_one();
    bench.pipeline.drain().await;
    assert_eq!(bench.behind.state.load(Ordering::SeqCst), 1);
    let bench_again = bench.restarted();
    let after = bench_again.call("read").await.unwrap();
    assert_eq!((mark(&after), state(&after)), (None, 1));
}

/// A refusal of ours changes nothing.
#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_changes_nothing() {
    let bench = bench();
    bench.call("read").await.unwrap();
    let reader = Caller { scopes: ScopeSet::parse("tools:read").unwrap(), ..caller("alice") };
    assert_eq!(bench.call_as(&reader, "write", json!({})).await.unwrap_err().code(), "not_permitted");
    let surplus = bench.call_as(&caller("alice"), "write", json!({"x": 1})).await.unwrap_err();
    assert_eq!(surplus.code(), "invalid_arguments");
    assert!(mark(&bench.call("read").await.unwrap()).is_some());
}
