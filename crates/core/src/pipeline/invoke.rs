//! Step 7d. The source, in a task of its own: a panic there becomes an error here, a read dies with its client,
//! and a call with effects is driven to its end.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{cache::Caching, circuit::Passage, concurrency::Place};
use crate::{Call, CallError, Entry, Fault, Outcome};

/// What a call holds while its source runs, also when nobody waits for it any longer.
pub(super) struct Held {
    pub(super) place: Place,
    pub(super) passage: Option<Passage>,
}

/// Runs sources.
pub(super) struct Invoke<'a> {
    pub(super) running: &'a TaskTracker,
    /// Is told of calls that may have changed something.
    pub(super) caching: Option<&'a Arc<Caching>>,
}

/// A running source; dropped when nobody waits for it any longer.
struct Running {
    task: JoinHandle<Result<Outcome, CallError>>,
    may_stop: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.may_stop {
            self.task.abort();
        }
    }
}

impl Invoke<'_> {
    pub(super) async fn run(&self, entry: &Arc<Entry>, call: &Call, held: Held) -> Result<Outcome, CallError> {
        let may_stop = entry.tool.effect.is_read();
        let (entry, call, caching) = (entry.clone(), call.clone(), self.caching.cloned());
        let task = self.running.spawn(async move {
            let result = entry.source.call(&entry.tool.address.tool, &call).await;
            if let Some(passage) = held.passage {
                passage.settle(&result);
            }
            drop(held.place);
            if let Some(caching) = caching {
                caching.changed(&entry, &result).await;
            }
            result
        });
        let mut running = Running { task, may_stop };
        match (&mut running.task).await {
            Ok(result) => result,
            Err(error) => Err(Fault::new("running the tool").with_cause(error).into()),
        }
    }
}
