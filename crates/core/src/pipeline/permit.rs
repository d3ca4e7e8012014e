//! Step 3. Whether the caller has the tool's scope: asked again behind the gate, so that no other
//! way in can go around it.

use crate::{Call, Entry, Refusal};

pub(super) fn permit(call: &Call, entry: &Entry) -> Result<(), Refusal> {
    crate::permit(&call.caller, &entry.tool)
}
