//! Steps 7 to 9 as one: what a call passes between its claim and its answer.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{concurrency::Places, gate::Gate, invoke};
use crate::{Call, CallError, Clock, Entry, Outcome};

/// The way to the sources, shared by all calls.
pub(super) struct Dispatch {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) places: Places,
    pub(super) running: TaskTracker,
}

impl Dispatch {
    /// Sends `call` to its source when it is its turn, and returns what came of it.
    pub(super) async fn dispatch(&self, entry: &Arc<Entry>, call: &Call, gate: &Gate) -> Result<Outcome, CallError> {
        let place = self.places.take(entry).await?;
        gate.pass(self.clock.now())?;
        invoke::invoke(&self.running, entry.clone(), call.clone(), place).await
    }
}
