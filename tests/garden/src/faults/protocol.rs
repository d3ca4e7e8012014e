//! What can be wrong with how MCP is spoken.

use crate::Fault;

/// The faults of this area.
pub const FAULTS: &[Fault] = &[];
