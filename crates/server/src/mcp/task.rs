//! The tasks extension of MCP 2026-07-28 (SEP-2663): a call that takes long is answered with a task, whose
//! id is the handle that other clients get. Nothing of it is kept here, and any replica answers.
//!
//! No task ever asks its client for input: what a call needs of a person it asks for before it is one.

use std::sync::Arc;

use bridgehead_core::{
    Call, CallError, Caller, Catalog, Endpoint, Outcome, Refusal, RequestId,
    effects::{Task, TaskState, TaskVerb, handle, task::POLL_EVERY},
};
use rmcp::{
    ErrorData, RoleServer,
    model::{CallToolResponse, CreateTaskResult, DetailedTask, ErrorCode, TaskPayload, TaskStatus},
    service::RequestContext,
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    convert,
    handler::{caller, is_2026},
};

/// What is said of a call with effects while it goes on.
const SENT: &str = "It has been sent and cannot be called back: it goes on to its end, cancelled or not.";

/// Whether there are calls that may become tasks.
pub(super) fn are_served(catalog: &Catalog) -> bool {
    catalog.find(handle::RESULT).is_some()
}

/// Whether this request may be answered with a task: its client has said so with it.
pub(super) fn are_taken(context: &RequestContext<RoleServer>) -> bool {
    is_2026(context) && context.client_capabilities().is_some_and(|capabilities| capabilities.supports_tasks())
}

/// Whose call may be answered with a task, and in which request.
pub(super) type Taker = (RequestId, Arc<Caller>);

/// Who takes a task for the answer to this call. Not who fetches a result by its handle: they get the result, or
/// the handle again.
pub(super) fn taker(call: &Call) -> Option<Taker> {
    let takes = call.takes_tasks && call.wire_name != handle::RESULT;
    takes.then(|| (call.request_id.clone(), call.caller.clone()))
}

/// The task that a call with this answer has become, where it has become one and somebody takes it.
pub(super) async fn created(endpoint: &Endpoint, taker: Option<Taker>, answer: &Outcome) -> Option<CallToolResponse> {
    let (request_id, caller) = taker?;
    let ask = handle::ask(request_id.clone(), caller, handle::of_answer(answer)?);
    let task = endpoint.pipeline.begun(&endpoint.catalog(), &ask).await?;
    Some(CallToolResponse::Task(CreateTaskResult::new(detailed(task, &request_id).task)))
}

/// Does what is asked with a task of the caller, and says what is known of it then.
pub(super) async fn with(
    endpoint: &Endpoint,
    context: &RequestContext<RoleServer>,
    id: &str,
    verb: TaskVerb,
) -> Result<DetailedTask, ErrorData> {
    if !is_2026(context) {
        return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, "Method not found: tasks are of MCP 2026-07-28", None));
    }
    let (caller, request_id) = caller(context)?;
    let ask = handle::ask(request_id.clone(), caller, id);
    let task =
        endpoint.pipeline.task(&endpoint.catalog(), &ask, verb).await.map_err(|error| refused(&error, &request_id))?;
    Ok(detailed(task, &request_id))
}

fn detailed(task: Task, request_id: &RequestId) -> DetailedTask {
    let seed = on_the_wire(&task);
    match task.state {
        TaskState::Working if task.can_stop => DetailedTask::new(seed, TaskPayload::Working),
        TaskState::Working => DetailedTask::new(seed.with_status_message(SENT), TaskPayload::Working),
        TaskState::Stopped => {
            DetailedTask::new(seed.with_status_message("It was stopped as asked."), TaskPayload::Cancelled)
        }
        TaskState::Ended(ended) => {
            let answer = ended.map(convert::result).or_else(|error| convert::failure(&error, request_id.as_str()));
            match answer {
                Ok(result) => DetailedTask::new(seed, TaskPayload::Completed { result: object(&result) }),
                Err(error) => DetailedTask::new(
                    seed.with_status_message(error.message.clone()),
                    TaskPayload::Failed { error: object(&error) },
                ),
            }
        }
    }
}

/// The status is that of the payload it goes with.
fn on_the_wire(task: &Task) -> rmcp::model::Task {
    let kept = task.keep_until.duration_since(task.created_at).as_millis();
    rmcp::model::Task::new(
        task.id.as_str(),
        TaskStatus::Working,
        task.created_at.to_string(),
        task.changed_at.to_string(),
    )
    .with_ttl_ms(u64::try_from(kept).unwrap_or_default())
    .with_poll_interval_ms(u64::try_from(POLL_EVERY.as_millis()).unwrap_or(u64::MAX))
}

/// A result or an error is a JSON object, and writing it cannot fail.
fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Why there is nothing to say of a task. All of it is an error of the request: a task has no other place
/// for it.
fn refused(error: &CallError, request_id: &RequestId) -> ErrorData {
    match error {
        CallError::Refused(Refusal::InvalidArguments(_)) => {
            let message = "Invalid params: `taskId` is no task of yours, or one that is too old, or of a call that came to \
                           nothing. Copy it as it was given; if the call had an idempotency key, make it again with the \
                           same key.";
            ErrorData::invalid_params(message, None)
        }
        error => convert::failure(error, request_id.as_str()).err().unwrap_or_else(|| {
            let object = error.to_object(request_id.as_str());
            let message = object.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
            ErrorData::new(ErrorCode::INVALID_REQUEST, message, Some(Value::Object(object)))
        }),
    }
}
