//! Step 7. The source, in a task of its own: a panic there becomes an error here, a read dies
//! with its client, and a call with effects is driven to its end.

use std::sync::Arc;

use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle};
use tokio_util::task::TaskTracker;

use crate::{Call, CallError, Entry, Fault, Outcome};

/// Aborts the task when nobody waits for it any longer.
struct AbortOnDrop(JoinHandle<Result<Outcome, CallError>>, bool);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if self.1 {
            self.0.abort();
        }
    }
}

pub(super) async fn invoke(
    running: &TaskTracker,
    entry: Arc<Entry>,
    call: Call,
    place: Option<OwnedSemaphorePermit>,
) -> Result<Outcome, CallError> {
    let read = entry.tool.effect.is_read();
    let task = running.spawn(async move {
        let outcome = entry.source.call(&entry.tool.address.tool, &call).await;
        drop(place);
        outcome
    });
    let mut task = AbortOnDrop(task, read);
    match (&mut task.0).await {
        Ok(result) => result,
        Err(error) => Err(Fault::new("running the tool").with_cause(error).into()),
    }
}
