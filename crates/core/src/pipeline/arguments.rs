//! Step 5. The idempotency key is taken out, and every argument held against the compiled input
//! schema; every fault is named with its path.

use serde_json::Value;

use crate::{Call, Entry, IdempotencyKey, Refusal, effects::parameter};

/// The arguments are borrowed as a JSON value for the check and put back: no call copies them.
pub(super) fn check(call: &mut Call, entry: &Entry) -> Result<Option<IdempotencyKey>, Refusal> {
    let key = parameter::take(call, &entry.tool);
    let arguments = Value::Object(std::mem::take(&mut call.arguments));
    if let (true, Ok(key)) = (entry.input.accepts(&arguments), &key) {
        if let Value::Object(arguments) = arguments {
            call.arguments = arguments;
        }
        return Ok(key.clone());
    }
    Err(Refusal::InvalidArguments(entry.input.faults(&arguments).into_iter().chain(key.err()).collect()))
}
