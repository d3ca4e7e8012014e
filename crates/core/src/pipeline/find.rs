//! Step 2. The tool of that name.

use std::sync::Arc;

use crate::{Call, Catalog, Entry, Refusal};

pub(super) fn find<'a>(catalog: &'a Catalog, call: &Call) -> Result<&'a Arc<Entry>, Refusal> {
    catalog.find(&call.wire_name).ok_or_else(|| Refusal::UnknownTool { name: call.wire_name.clone() })
}
