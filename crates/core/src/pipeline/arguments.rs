//! Step 4. Every argument against the compiled input schema; every fault named with its path.

use serde_json::Value;

use crate::{Call, Entry, Refusal};

pub(super) fn check(call: &Call, entry: &Entry) -> Result<(), Refusal> {
    let arguments = Value::Object(call.arguments.clone());
    if entry.input.accepts(&arguments) {
        return Ok(());
    }
    Err(Refusal::InvalidArguments(entry.input.faults(&arguments)))
}
