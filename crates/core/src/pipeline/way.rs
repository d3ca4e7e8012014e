//! From a call that is to be made to its shaped answer: steps 8 and 9, as one thing that can be handed
//! to whoever makes the call.

use std::sync::Arc;

use super::{dispatch::Dispatch, gate::Gate, shape};
use crate::{Call, CallError, Entry, Outcome};

/// The way to the source of one tool.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) dispatch: Arc<Dispatch>,
    pub(super) entry: Arc<Entry>,
}

impl Way {
    /// Makes the call. An answer that says that the remembered one is still good comes as it is.
    pub(super) async fn go(&self, call: &Call, gate: &Gate) -> Result<Outcome, CallError> {
        let outcome = self.dispatch.dispatch(&self.entry, call, gate).await?;
        if outcome.freshness.not_modified && call.validators.is_some() {
            return Ok(outcome);
        }
        shape::shape(outcome, &self.entry)
    }
}
