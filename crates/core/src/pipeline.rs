//! The numbered steps that every call passes, the same for every source.
//!
//! | step | file | what it does |
//! |---|---|---|
//! | 1 | `audit` | writes down who called what and how it ended, whatever happens below |
//! | 2 | `find` | the tool of that name |
//! | 3 | `permit` | whether the caller has the tool's scope |
//! | 4 | `arguments` | every argument against the compiled input schema |
//! | 5 | `concurrency` | waits for a place, in a bounded queue |
//! | 6 | `deadline` | ends the waiting, not a write |
//! | 7 | `invoke` | the source, in a task of its own |
//! | 8 | `shape` | the size limit, the output schema |
//!
//! Arguments come before the place in the queue: a call that cannot succeed takes nobody's turn.
//! The time in the queue counts against the deadline.

mod arguments;
mod audit;
mod concurrency;
mod deadline;
mod find;
mod invoke;
mod permit;
mod shape;

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::{AuditSink, Call, CallError, Catalog, Clock, Outcome, Refusal};

/// Runs calls. One for each endpoint, shared by all requests.
pub struct Pipeline {
    clock: Arc<dyn Clock>,
    audit: Arc<dyn AuditSink>,
    places: concurrency::Places,
    running: TaskTracker,
}

impl Pipeline {
    /// A pipeline that tells time by `clock` and writes down every call in `audit`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, audit: Arc<dyn AuditSink>) -> Self {
        Self { clock, audit, places: concurrency::Places::default(), running: TaskTracker::new() }
    }

    /// Runs one call against a catalog snapshot.
    ///
    /// Dropping the future ends the waiting. A read is then dropped as well; a call with effects
    /// goes on to its end in a task of its own, and [`Pipeline::drain`] waits for it.
    ///
    /// # Errors
    /// Why the call did not succeed, by blame.
    pub async fn run(&self, catalog: &Catalog, mut call: Call) -> Result<Outcome, CallError> {
        let mut record = audit::Open::new(&*self.audit, self.clock.clone(), &call);
        let result = async {
            let entry = find::find(catalog, &call)?;
            record.found(&entry.tool);
            permit::permit(&call, entry)?;
            arguments::check(&mut call, entry)?;
            if self.running.is_closed() {
                return Err(Refusal::ShuttingDown.into());
            }
            call.max_result_bytes = entry.tool.policy.max_result_bytes;
            let deadline = deadline::Deadline::start(&*self.clock, &entry.tool.policy, &mut call);
            deadline
                .bound(entry, async {
                    let place = self.places.take(entry).await?;
                    record.reached();
                    let outcome = invoke::invoke(&self.running, entry.clone(), call.clone(), place).await?;
                    shape::shape(outcome, entry)
                })
                .await
        }
        .await;
        record.close(&result);
        result
    }

    /// Takes no more calls and waits until the running ones, those with effects that nobody
    /// waits for included, have ended.
    pub async fn drain(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

#[cfg(test)]
mod tests;
