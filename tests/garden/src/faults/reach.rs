//! What can be wrong before MCP: name, addresses, TLS, HTTP.

mod http;
mod network;

use crate::Fault;

/// The faults of this area, as they lie on the way.
pub const FAULTS: &[&[Fault]] = &[network::FAULTS, http::FAULTS];
