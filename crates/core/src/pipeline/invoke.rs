//! Step 8d. The source, in a task of its own: a panic there becomes an error here, a read dies with its client,
//! and a call with effects is driven to its end.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::cache::Caching;
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

/// Runs the source to its end; `heard` is told what came of it, also when nobody waits any longer, and is
/// dropped without a word where the source was stopped. So is the cache, before anybody else.
pub(super) async fn invoke(
    running: &TaskTracker,
    entry: Arc<Entry>,
    call: Call,
    (caching, heard): (Option<Arc<Caching>>, impl FnOnce(&Result<Outcome, CallError>) + Send + 'static),
) -> Result<Outcome, CallError> {
    let may_stop = entry.tool.effect.is_read();
    let task = running.spawn(async move {
        let result = entry.source.call(&entry.tool.address.tool, &call).await;
        heard(&result);
        if let Some(caching) = caching {
            caching.ended(&entry, &call.caller, &result).await;
        }
        result
    });
    let mut running = Running { task, may_stop };
    match (&mut running.task).await {
        Ok(result) => result,
        Err(error) => Err(Fault::new("running the tool").with_cause(error).into()),
    }
}
