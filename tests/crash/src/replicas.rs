//! The servers: the real binary as processes that are killed and come back.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bridgehead_harness::process::Served;
use tokio::sync::{Mutex, watch};

/// Some processes on one configuration. Clones are the same processes.
#[derive(Clone)]
pub(crate) struct Replicas(Arc<Inner>);

struct Inner {
    config: PathBuf,
    places: Vec<Place>,
    kills: AtomicU64,
    is_over: AtomicBool,
    /// Where each of them is reached; `None` while it is down.
    urls: watch::Sender<Vec<Option<String>>>,
}

/// Where one process runs; `None` until it is started, and when all is over.
type Place = Mutex<Option<Served>>;

impl Replicas {
    /// None of them runs yet.
    pub(crate) fn new(config: PathBuf, number: usize) -> Self {
        let places = (0..number).map(|_| Mutex::new(None)).collect();
        let urls = watch::Sender::new(vec![None; number]);
        Self(Arc::new(Inner { config, places, kills: AtomicU64::new(0), is_over: AtomicBool::new(false), urls }))
    }

    /// How many there are.
    pub(crate) fn number(&self) -> usize {
        self.0.places.len()
    }

    /// Starts all, one after the other.
    pub(crate) async fn start(&self) {
        for index in 0..self.number() {
            let mut place = self.0.places[index].lock().await;
            *place = Some(self.serve(index).await);
        }
    }

    async fn serve(&self, index: usize) -> Served {
        let number = index.to_string();
        let variables = [("REPLICA", number.as_str()), ("BRIDGEHEAD_LOG", "error")];
        let served = Served::start_with(&self.0.config, &variables).await;
        self.0.urls.send_modify(|urls| urls[index] = Some(served.url.clone()));
        served
    }

    /// Kills one (SIGKILL) and returns when it is dead; it comes back by itself. Does nothing where it
    /// is just being killed or coming back.
    pub(crate) async fn kill(&self, index: usize) {
        let Ok(mut place) = self.0.places[index].try_lock() else { return };
        let Some(served) = place.take_if(|_| !self.is_over()) else { return };
        self.0.urls.send_modify(|urls| urls[index] = None);
        served.kill().await;
        self.0.kills.fetch_add(1, Ordering::Relaxed);
        drop(place);
        let this = self.clone();
        tokio::spawn(async move {
            let mut place = this.0.places[index].lock().await;
            if !this.is_over() {
                *place = Some(this.serve(index).await);
            }
        });
    }

    /// Ends all of them for good.
    pub(crate) async fn end(&self) {
        self.0.is_over.store(true, Ordering::Relaxed);
        for place in &self.0.places {
            // Waits for one that is just coming back.
            if let Some(served) = place.lock().await.take() {
                served.kill().await;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// How often one was killed.
    pub(crate) fn kills(&self) -> u64 {
        self.0.kills.load(Ordering::Relaxed)
    }

    /// Where this one is reached, or another one while it is down; waits while all are.
    pub(crate) async fn url(&self, wanted: usize) -> String {
        let mut urls = self.0.urls.subscribe();
        let urls = urls.wait_for(|urls| urls.iter().any(Option::is_some)).await.expect("the sender lives");
        let (before, from) = urls.split_at(wanted % urls.len());
        from.iter().chain(before).flatten().next().cloned().expect("one of them is up")
    }
}
