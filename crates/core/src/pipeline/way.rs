//! From a call that is to be made to its shaped answer: steps 7 and 8, as one thing that can be handed
//! to whoever makes the call.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::{cache::Caching, invoke::Invoke, shape, shielded::Shield};
use crate::{Call, CallError, Entry, Outcome};

/// The way to the source of one tool.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) shield: Arc<Shield>,
    pub(super) running: TaskTracker,
    pub(super) caching: Option<Arc<Caching>>,
    pub(super) entry: Arc<Entry>,
}

impl Way {
    /// Makes the call. `reached` is called when the source is about to see it. An answer that says that
    /// the remembered one is still good comes as it is.
    pub(super) async fn go(&self, call: &Call, reached: &(dyn Fn() + Sync)) -> Result<Outcome, CallError> {
        let invoke = Invoke { running: &self.running, caching: self.caching.as_ref() };
        let outcome = self.shield.call(&invoke, &self.entry, call, reached).await?;
        if outcome.freshness.not_modified && call.validators.is_some() {
            return Ok(outcome);
        }
        shape::shape(outcome, &self.entry)
    }
}
