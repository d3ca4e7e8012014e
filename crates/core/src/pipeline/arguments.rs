//! Step 5. Every argument against the compiled input schema; every fault named with its path.

use serde_json::Value;

use crate::{Call, Entry, Refusal};

/// The arguments are borrowed as a JSON value for the check and put back: no call copies them.
pub(super) fn check(call: &mut Call, entry: &Entry) -> Result<(), Refusal> {
    let arguments = Value::Object(std::mem::take(&mut call.arguments));
    if !entry.input.accepts(&arguments) {
        return Err(Refusal::InvalidArguments(entry.input.faults(&arguments)));
    }
    if let Value::Object(arguments) = arguments {
        call.arguments = arguments;
    }
    Ok(())
}
