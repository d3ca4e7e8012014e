//! What can be wrong before MCP: name, addresses, TLS, HTTP.

use crate::Fault;

/// The faults of this area.
pub const FAULTS: &[Fault] = &[];
