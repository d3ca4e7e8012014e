//! Step 8. The source, in a task of its own: a panic there becomes an error here, a read dies
//! with its client, and a call with effects is driven to its end.

use std::sync::Arc;

use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle};
use tokio_util::task::TaskTracker;

use crate::{Call, CallError, Entry, Fault, Outcome};

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

pub(super) async fn invoke(
    running: &TaskTracker,
    entry: Arc<Entry>,
    call: Call,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Outcome, CallError> {
    let may_stop = entry.tool.effect.is_read();
    let task = running.spawn(async move {
        let outcome = entry.source.call(&entry.tool.address.tool, &call).await;
        drop(place);
        outcome
    });
    let mut running = Running { task, may_stop };
    match (&mut running.task).await {
        Ok(result) => result,
        Err(error) => Err(Fault::new("running the tool").with_cause(error).into()),
    }
}
