//! One question for all who ask the same at the same time (H2).

use tokio::task::JoinSet;

use super::*;

fn ask(
    bench: &Arc<Bench>,
    tool: &'static str,
    subject: &'static str,
) -> impl Future<Output = Result<Outcome, CallError>> + 'static {
    let bench = bench.clone();
    async move { bench.call_as(&caller(subject), tool, json!({})).await }
}

/// Lets everything that can go on do so.
async fn settled() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_calls_at_once_are_one_question() {
    let bench = Arc::new(bench());
    bench.script([Does::Waits]);
    let mut calls: JoinSet<_> = (0..1000).map(|_| ask(&bench, "read", "alice")).collect();
    bench.behind.begun.notified().await;
    settled().await;
    assert_eq!(bench.asked(), 1);
    bench.behind.go_on.notify_one();
    let mut answers = 0;
    while let Some(answer) = calls.join_next().await {
        assert_eq!(mark(&answer.unwrap().unwrap()), None);
        answers += 1;
    }
    assert_eq!((answers, bench.asked()), (1000, 1));
    let uses: Vec<_> = bench.records.0.lock().unwrap().iter().filter_map(|record| record.cache).collect();
    assert_eq!((uses.len(), uses.iter().filter(|used| **used == CacheUse::Miss).count()), (1000, 1));
}

/// The same on threads that run at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_calls_on_several_threads_are_one_question() {
    let bench = Arc::new(bench());
    let mut calls: JoinSet<_> = (0..1000).map(|_| ask(&bench, "read", "alice")).collect();
    while let Some(answer) = calls.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(bench.asked(), 1);
}

/// Whoever began may go away, and so may others; who stays is answered.
#[tokio::test(start_paused = true)]
async fn who_goes_away_takes_nobodys_answer_along() {
    let bench = Arc::new(bench());
    bench.script([Does::Waits]);
    let first = tokio::spawn(ask(&bench, "read", "alice"));
    bench.behind.begun.notified().await;
    let mut others: Vec<_> = (0..10).map(|_| tokio::spawn(ask(&bench, "read", "alice"))).collect();
    settled().await;
    first.abort();
    others.drain(..5).for_each(|call| call.abort());
    settled().await;
    bench.behind.go_on.notify_one();
    for call in others {
        call.await.unwrap().unwrap();
    }
    assert_eq!(bench.asked(), 1);
}

/// When nobody waits any longer the read is stopped, and the next caller asks anew.
#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_waits_for_is_given_up() {
    let bench = Arc::new(bench());
    bench.script([Does::Hangs]);
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(ask(&bench, "read", "alice"))).collect();
    settled().await;
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    settled().await;
    assert_eq!(mark(&bench.call("read").await.unwrap()), None);
    assert_eq!(bench.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_to_all_and_not_remembered() {
    let bench = Arc::new(bench());
    bench.script([Does::Fails(UpstreamCode::Failed)]);
    let mut calls: JoinSet<_> = (0..20).map(|_| ask(&bench, "read", "alice")).collect();
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.unwrap().unwrap_err().code(), "upstream_failed");
    }
    assert_eq!(bench.asked(), 1);
    let failed = |record: &AuditRecord| record.ending == crate::Ending::Failed("upstream_failed");
    assert!(bench.records.0.lock().unwrap().iter().all(failed), "the source saw each of them");
    bench.call("read").await.unwrap();
    assert_eq!(bench.asked(), 2);
}

/// Each waits for as long as their own call may take: the end of the first one's time is not the others'.
#[tokio::test(start_paused = true)]
async fn the_end_of_ones_time_is_not_that_of_others() {
    let bench = Arc::new(bench());
    bench.script([Does::Hangs]);
    let first = tokio::spawn(ask(&bench, "read", "alice"));
    settled().await;
    later(6 * SECOND).await;
    let second = tokio::spawn(ask(&bench, "read", "alice"));
    settled().await;
    later(4 * SECOND).await;
    assert_eq!(first.await.unwrap().unwrap_err().code(), "timed_out");
    assert!(!second.is_finished());
    later(6 * SECOND).await;
    assert_eq!(second.await.unwrap().unwrap_err().code(), "timed_out");
    assert_eq!(bench.asked(), 1);
}

/// A source that ends a call by the first one's deadline is asked again for those who have time left.
#[tokio::test(start_paused = true)]
async fn who_has_time_left_asks_again() {
    let bench = Arc::new(bench());
    bench.script([Does::Fails(UpstreamCode::TimedOut)]);
    let mut calls: JoinSet<_> = (0..5).map(|_| ask(&bench, "read", "alice")).collect();
    let mut timed_out = 0;
    while let Some(answer) = calls.join_next().await {
        timed_out += usize::from(answer.unwrap().is_err());
    }
    assert_eq!((timed_out, bench.asked()), (1, 2));
}

/// An answer that the system behind calls private is for the one who asked, also where the tool is
/// declared shared: the others ask for themselves.
#[tokio::test(start_paused = true)]
async fn a_private_answer_is_not_given_to_those_who_joined() {
    let bench = Arc::new(bench());
    let private = || Does::Answers(Freshness { private: true, ..Freshness::default() });
    bench.script([private(), private(), private()]);
    let calls = ["alice", "bob", "carol"].map(|subject| (subject, tokio::spawn(ask(&bench, "common", subject))));
    for (subject, call) in calls {
        assert_eq!(call.await.unwrap().unwrap().structured.unwrap()["caller"][0], subject);
    }
    assert_eq!(bench.asked(), 3);
    let uses: Vec<_> = bench.records.0.lock().unwrap().iter().map(|record| record.cache).collect();
    assert_eq!(uses, [Some(CacheUse::Miss); 3], "each of them reached the system behind");
}

/// What must not be remembered is not given to those who joined either, though it is their own
/// (RFC 9111 §5.2.2.5): a code that is good once, for example.
#[tokio::test(start_paused = true)]
async fn an_answer_that_must_not_be_stored_is_given_once() {
    let bench = Arc::new(bench());
    bench.script((0..3).map(|_| Does::Answers(Freshness { no_store: true, ..Freshness::default() })));
    let mut calls: JoinSet<_> = (0..3).map(|_| ask(&bench, "read", "alice")).collect();
    while let Some(call) = calls.join_next().await {
        assert_eq!(mark(&call.unwrap().unwrap()), None);
    }
    assert_eq!(bench.asked(), 3);
}

/// Nobody waits for the answer of a source that panicked, and the next call asks anew.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_source_is_told_to_all() {
    let bench = Arc::new(bench());
    bench.script([Does::Panics]);
    let mut calls: JoinSet<_> = (0..20).map(|_| ask(&bench, "read", "alice")).collect();
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().unwrap_err().code(), "internal");
    }
    assert_eq!(bench.asked(), 1);
    bench.call("read").await.unwrap();
}

/// Nor that of a store.
#[tokio::test(start_paused = true)]
async fn a_panic_on_the_way_is_told_to_all() {
    struct Broken(LocalCache);

    #[async_trait]
    impl CacheStore for Broken {
        async fn look(&self, tool: &str, key: &CacheKey) -> Result<Found, CacheLost> {
            self.0.look(tool, key).await
        }
        async fn keep(
            &self,
            _: &str,
            _: (&CacheKey, Generation),
            _: Arc<Remembered>,
            _: Duration,
        ) -> Result<(), CacheLost> {
            panic!("as told")
        }
        async fn forget(&self, tools: &[Arc<str>]) -> Result<(), CacheLost> {
            self.0.forget(tools).await
        }
    }
    let store = Arc::new(Broken(LocalCache::new(PausedClock::new(), 1 << 20)));
    let bench = Arc::new(bench_with(CachePatch::default(), Some(store)));
    bench.script([Does::Waits]);
    let mut calls: JoinSet<_> = (0..20).map(|_| ask(&bench, "read", "alice")).collect();
    bench.behind.begun.notified().await;
    settled().await;
    bench.behind.go_on.notify_one();
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().unwrap_err().code(), "internal");
    }
    assert_eq!(bench.asked(), 1);
}
