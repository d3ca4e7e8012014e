//! Whether a caller may call a tool.

use crate::{Caller, Refusal, Tool};

/// Lets a caller with the tool's scope pass.
///
/// Asked twice for each call: at the gate, so that a refusal can be an HTTP status before
/// anything streams, and in the pipeline, so that no other way in can go around it.
///
/// # Errors
/// [`Refusal::NotPermitted`] with the scope that is missing.
pub fn permit(caller: &Caller, tool: &Tool) -> Result<(), Refusal> {
    if caller.scopes.grants(&tool.scope) {
        Ok(())
    } else {
        Err(Refusal::NotPermitted { tool: tool.wire_name.to_string(), needed: tool.scope.clone() })
    }
}
