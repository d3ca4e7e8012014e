//! The numbered steps that every call passes, the same for every source.
//!
//! | step | file | what it does |
//! |---|---|---|
//! | 1 | `audit` | writes down who called what and how it ended, whatever happens below |
//! | 2 | `find` | the tool of that name |
//! | 3 | `permit` | whether the caller has the tool's scope |
//! | 4 | `caller_limit` | whether it is the caller's turn |
//! | 5 | `arguments` | takes the idempotency key out; every argument against the compiled input schema |
//! | 6 | `deadline` | ends the waiting, not a write |
//! | 6a | `cache` | what is remembered of the tool, where it only reads; one question for all who ask the same |
//! | 7 | `claim` | one effect for each idempotency key: claims it, waits for who has it, or replays its answer |
//! | 8 | `dispatch` | the way to the system behind, with repeats (`retry`) around: |
//! | 8a | `circuit` | whether the system behind is left in peace |
//! | 8b | `upstream_limit` | waits for the call's turn, in a bounded queue |
//! | 8c | `concurrency` | waits for a place, in a bounded queue |
//! | 8d | `invoke` | the source, in a task of its own |
//! | 9 | `shape` | the size limit, the output schema |
//!
//! The caller's limit comes before the arguments: checking them is work as well. Arguments come before
//! the turn and the place: a call that cannot succeed takes nobody's. The time in the queues counts
//! against the deadline. What step 7 has claimed it settles behind step 9, and a refusal on the way there
//! releases it. A call that outlasts the patience of platforms is answered with a handle around steps 7 to
//! 9 (`claim/outlast`), and goes on; for clients that have tasks it is one (`claim/task`). Between 8c and 8d
//! stands the `gate`: what has passed it may have been sent. An answer that the cache has takes no turn and no
//! place, and is shaped already; a call that may have changed something tells the cache before it answers, and
//! so does step 7 of one that was made elsewhere or before.

mod arguments;
mod audit;
mod cache;
mod caller_limit;
mod circuit;
mod claim;
mod concurrency;
mod deadline;
mod dispatch;
mod find;
mod flights;
mod gate;
mod invoke;
mod limits;
mod permit;
mod retry;
mod shape;
mod upstream_limit;
mod waiting;
mod way;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::{
    cache::Noted,
    claim::{Claims, Long},
    dispatch::Dispatch,
    gate::Gate,
};
use crate::{
    AuditSink, Call, CallError, Catalog, Clock, Entry, Fault, IdempotencyKey, Outcome, Refusal,
    effects::{
        Task, TaskState, TaskVerb, arguments_digest,
        handle::{PATIENCE, RESULT, TASK_PATIENCE},
    },
};

pub use claim::Effects;
pub use dispatch::Shield;

/// Runs calls. One for each endpoint, shared by all requests.
pub struct Pipeline {
    clock: Arc<dyn Clock>,
    audit: Arc<dyn AuditSink>,
    dispatch: Arc<Dispatch>,
    claims: Option<Arc<Claims>>,
}

impl Pipeline {
    /// A pipeline that tells time by `clock` and writes down every call in `audit`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, audit: Arc<dyn AuditSink>) -> Self {
        Self::with_shield(clock, audit, Shield::default())
    }

    /// The same, with what stands between callers and the systems behind.
    #[must_use]
    pub fn with_shield(clock: Arc<dyn Clock>, audit: Arc<dyn AuditSink>, shield: Shield) -> Self {
        let dispatch = Arc::new(Dispatch::new(clock.clone(), shield));
        Self { clock, audit, dispatch, claims: None }
    }

    /// Keeps one effect for each idempotency key. Without it, calls with a key are refused.
    #[must_use]
    pub fn with_effects(mut self, effects: Effects) -> Self {
        self.claims = Some(Arc::new(Claims::new(effects, self.dispatch.clone())));
        self
    }

    /// Runs one call against a catalog snapshot.
    ///
    /// Dropping the future ends the waiting. A read is then dropped as well; a call with effects
    /// goes on to its end in a task of its own once it was sent, and [`Pipeline::drain`] waits for it.
    ///
    /// # Errors
    /// Why the call did not succeed, by blame.
    pub async fn run(&self, catalog: &Catalog, mut call: Call) -> Result<Outcome, CallError> {
        let gate = gate::CloseOnDrop::default();
        let noted = Arc::new(Noted::default());
        let mut record = audit::Open::new(&*self.audit, self.clock.clone(), &call, (gate.0.clone(), noted.clone()));
        let result = async {
            let entry = find::find(catalog, &call)?;
            record.found(&entry.tool);
            permit::permit(&call, entry)?;
            self.dispatch.caller_may(&call, entry).await?;
            let key = arguments::check(&mut call, entry)?;
            if self.dispatch.running.is_closed() {
                return Err(Refusal::ShuttingDown.into());
            }
            call.max_result_bytes = entry.tool.policy.max_result_bytes;
            let deadline = deadline::Deadline::start(&*self.clock, &entry.tool.policy, &mut call);
            let caller = call.caller.clone();
            let answer = self.answer(catalog, entry.clone(), call, key, (gate.0.clone(), noted.clone()));
            let result = deadline.bound(entry, &gate.0, answer).await;
            if let Some(caching) = self.dispatch.caching.as_ref().filter(|_| result.is_err()) {
                caching.ended(entry, &caller, &result).await;
            }
            noted.instead_of(result, self.clock.now())
        }
        .await;
        record.close(result.as_ref());
        result
    }

    /// Does what is asked with the task that `call` (of [`ask`](crate::effects::handle::ask)) names: looks at it or stops it, and
    /// says what is known of it then. The caller needs what fetching the result of a handle needs.
    ///
    /// # Errors
    /// The caller may not, or has no such task; or the store failed. What came of the task itself stands in
    /// [`Task::state`].
    pub async fn task(&self, catalog: &Catalog, call: &Call, verb: TaskVerb) -> Result<Task, CallError> {
        let mut record = audit::Open::new(&*self.audit, self.clock.clone(), call, Default::default());
        let result = async {
            let entry = find::find(catalog, call)?;
            record.found(&entry.tool);
            permit::permit(call, entry)?;
            self.dispatch.caller_may(call, entry).await?;
            self.task_of(catalog, call, verb).await
        }
        .await;
        // The request id that its caller is told to ask for leads to that of the call itself.
        if let Ok(Task { state: TaskState::Ended(Err(error @ CallError::Internal(_))), .. }) = &result {
            audit::log(&call.request_id, &call.wire_name, error);
        }
        let told = Outcome::default();
        record.close(result.as_ref().map(|_| &told));
        result
    }

    /// The task that a call has become whose answer was the handle that `call` (of [`ask`](crate::effects::handle::ask)) names.
    /// Leaves no record of its own. `None` where the store cannot tell: the handle is good all the same.
    pub async fn begun(&self, catalog: &Catalog, call: &Call) -> Option<Task> {
        self.task_of(catalog, call, TaskVerb::Get).await.ok()
    }

    async fn task_of(&self, catalog: &Catalog, call: &Call, verb: TaskVerb) -> Result<Task, CallError> {
        match &self.claims {
            Some(claims) => claims.task(catalog, call, verb).await,
            None => Err(Fault::new("looking at a task, without a store for it").into()),
        }
    }

    async fn answer(
        &self,
        catalog: &Catalog,
        entry: Arc<Entry>,
        call: Call,
        key: Option<IdempotencyKey>,
        (gate, noted): (Arc<Gate>, Arc<Noted>),
    ) -> Result<Outcome, CallError> {
        match &self.claims {
            Some(claims) if entry.tool.wire_name.as_str() == RESULT => claims.result(catalog, &call).await,
            Some(claims) if claims.gives_handles(&entry) => {
                let stop = CancellationToken::new();
                let call = Call { cancelled: stop.clone(), ..call };
                let long = Long {
                    _stop: stop.drop_guard(),
                    gate: gate.clone(),
                    deadline: call.deadline,
                    patience: if call.takes_tasks { TASK_PATIENCE } else { PATIENCE },
                    request_id: call.request_id.clone(),
                    caller: call.caller.clone(),
                    digest: arguments_digest(&call.arguments),
                    effect: key.as_ref().map(|key| claims.effect(&entry, &call, key)),
                    entry: entry.clone(),
                };
                claims.outlast(long, Box::pin(self.make(entry, call, key, (gate, noted)))).await
            }
            _ => self.make(entry, call, key, (gate, noted)).await,
        }
    }

    /// Makes the call. Nothing of it is borrowed, so that it can go on by itself.
    fn make(
        &self,
        entry: Arc<Entry>,
        call: Call,
        key: Option<IdempotencyKey>,
        (gate, noted): (Arc<Gate>, Arc<Noted>),
    ) -> impl Future<Output = Result<Outcome, CallError>> + Send + use<> {
        let (dispatch, claims) = (self.dispatch.clone(), self.claims.clone());
        async move {
            match (key, claims) {
                (Some(key), Some(claims)) => claims.once(&entry, call, &key, &gate).await,
                (Some(_), None) => Err(Fault::new("keeping one effect for one key, without a store for it").into()),
                (None, _) => {
                    let way = way::Way { dispatch: dispatch.clone(), entry: entry.clone() };
                    match (&dispatch.caching, cache::policy(&entry)) {
                        (Some(caching), Some(policy)) => caching.answer(&way, policy, &call, (&gate, &noted)).await,
                        _ => way.go(&call, &gate).await,
                    }
                }
            }
        }
    }

    /// Takes no more calls and waits until the running ones, those with effects that nobody
    /// waits for included, have ended.
    pub async fn drain(&self) {
        self.dispatch.running.close();
        self.dispatch.running.wait().await;
    }
}

#[cfg(test)]
mod paused_clock;
#[cfg(test)]
mod shield_tests;
#[cfg(test)]
mod tests;
