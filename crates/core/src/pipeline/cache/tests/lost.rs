//! While the store cannot be reached there is no cache; what should have been forgotten meanwhile is
//! forgotten before anything is given again (H2).

use std::sync::atomic::AtomicBool;

use super::*;

/// A store that can be cut off.
struct Cut {
    store: LocalCache,
    is_cut: AtomicBool,
}

impl Cut {
    fn reach(&self) -> Result<(), CacheLost> {
        if self.is_cut.load(Ordering::SeqCst) { Err(CacheLost("cut off".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl CacheStore for Cut {
    async fn look(&self, tool: &str, key: &CacheKey) -> Result<Found, CacheLost> {
        self.reach()?;
        self.store.look(tool, key).await
    }

    async fn keep(
        &self,
        tool: &str,
        question: (&CacheKey, Generation),
        answer: Arc<Remembered>,
        time: Duration,
    ) -> Result<(), CacheLost> {
        self.reach()?;
        self.store.keep(tool, question, answer, time).await
    }

    async fn forget(&self, tools: &[Arc<str>]) -> Result<(), CacheLost> {
        self.reach()?;
        self.store.forget(tools).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_lost_costs_no_call_and_no_truth() {
    let store = Arc::new(Cut { store: LocalCache::new(PausedClock::new(), 1 << 20), is_cut: false.into() });
    let bench = bench_with(CachePatch::default(), Some(store.clone()));
    bench.call("read").await.unwrap();
    store.is_cut.store(true, Ordering::SeqCst);
    for asked in [2, 3] {
        let outcome = bench.call("read").await.unwrap();
        assert_eq!((mark(&outcome), bench.asked(), bench.last_use()), (None, asked, Some(CacheUse::Lost)));
    }
    bench.call("write").await.unwrap();
    store.is_cut.store(false, Ordering::SeqCst);
    let after = bench.call("read").await.unwrap();
    assert_eq!((mark(&after), state(&after)), (None, 1), "the answer from before the write is still in the store");
    assert!(mark(&bench.call("read").await.unwrap()).is_some());
}
