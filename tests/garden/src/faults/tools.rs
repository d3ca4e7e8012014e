//! What can be wrong with the tools.

use crate::Fault;

/// The faults of this area.
pub const FAULTS: &[Fault] = &[];
