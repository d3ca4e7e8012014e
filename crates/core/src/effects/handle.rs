//! Calls that outlast the patience of platforms, which end a request after about a minute: what they are
//! answered meanwhile, and the tool that fetches what came of them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use crate::{
    Call, CallError, Caller, EffectId, Fault, Outcome, RequestId, Source, ToolSpec, catalog::NamedSource,
    schema::Schema,
};

/// How long a call is waited for: what is left of the minute is for the way and for slow clocks. Not a
/// setting: who wants calls that end before has `timeout`.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// How long a call is waited for whose client takes a task for an answer: it loses nothing by one, and what
/// ends within this needs no record.
pub const TASK_PATIENCE: Duration = Duration::from_millis(500);

/// How long a handle of a call without an idempotency key is good, from the end of its call. With a key
/// it is good as long as the key.
pub const HANDLE_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The wire name of the tool; no source can have it.
pub const RESULT: &str = "bridgehead_result";

/// Marks an answer that is only a handle, in `_meta`.
pub const RUNNING: &str = "bridgehead/running";

/// The parameter of the tool.
pub(crate) const HANDLE: &str = "handle";

/// The member that stands in the place of a result.
const MEMBER: &str = "_running";

/// A call of [`RESULT`] with this handle.
#[must_use]
pub fn ask(request_id: RequestId, caller: Arc<Caller>, handle: &str) -> Call {
    let arguments = [(HANDLE.to_owned(), handle.into())].into_iter().collect();
    Call::new(request_id, caller, RESULT, arguments)
}

/// The handle, where that is all the answer there is.
#[must_use]
pub fn of_answer(outcome: &Outcome) -> Option<&str> {
    outcome.meta.get(RUNNING).and(outcome.structured.as_ref())?.get(MEMBER)?.get(HANDLE)?.as_str()
}

/// What a call that goes on is answered: no error, since nothing has failed.
pub(crate) fn still_running(tool: &str, handle: &EffectId) -> Outcome {
    let mut object = Map::new();
    object.insert(
        MEMBER.into(),
        json!({
            "handle": handle.as_str(),
            "next": format!(
                "`{tool}` has not ended yet, and goes on. Call `{RESULT}` with this handle to get what comes of it; that \
                 waits for it. Do not call `{tool}` again for this."
            ),
        }),
    );
    let mut outcome = Outcome::structured(object);
    outcome.meta.insert(RUNNING.into(), true.into());
    outcome
}

/// The output schema of a tool whose calls may be answered with a handle: nothing is required any more.
/// `None` where the schema does not allow it even so; such a tool is waited for to the end.
pub(crate) fn publish(mut schema: Map<String, Value>) -> Option<Map<String, Value>> {
    schema.shift_remove("required");
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| Value::Object(Map::new())) {
        properties.insert(
            MEMBER.into(),
            json!({
                "type": "object",
                "description": "Present alone, in place of the result, when the call has not ended yet.",
                "properties": {
                    "handle": {"type": "string", "description": format!("What `{RESULT}` takes.")},
                    "next": {"type": "string", "description": "How to get the result."},
                },
            }),
        );
    }
    let sample = json!({MEMBER: {"handle": "", "next": ""}});
    Schema::compile(&schema).is_ok_and(|compiled| compiled.accepts(&sample)).then_some(schema)
}

/// The tool that fetches what came of calls. The pipeline answers it by itself.
pub(crate) fn result_tool() -> (NamedSource, ToolSpec) {
    let source: Arc<dyn Source> = Arc::new(Endpoint);
    let spec = spec();
    (NamedSource { name: "bridgehead".into(), prefix: "bridgehead".into(), source }, spec)
}

fn spec() -> ToolSpec {
    let mut spec = ToolSpec::new(
        "result",
        "Fetches what came of a call that was answered with `_running`, because it took long. Waits for its end, up to 45 \
         seconds, and returns its result or its error; where it takes longer still, `_running` again. Changes nothing, and \
         may be called as often as needed.",
    );
    spec.title = Some("Result of a long call".into());
    if let Value::Object(schema) = json!({
        "type": "object",
        "additionalProperties": false,
        "required": [HANDLE],
        "properties": {
            HANDLE: {"type": "string", "description": "`_running.handle` of the earlier answer, 64 hexadecimal digits."},
        },
    }) {
        spec.input_schema = schema;
    }
    spec
}

/// The endpoint as the source of its own tool.
struct Endpoint;

#[async_trait]
impl Source for Endpoint {
    fn kind(&self) -> &'static str {
        "endpoint"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        vec![spec()]
    }

    async fn call(&self, _: &str, _: &Call) -> Result<Outcome, CallError> {
        Err(Fault::new("fetching the result of a call, without a store for it").into())
    }
}
