//! What can be wrong with the way in: challenge, metadata, registration, sign-in, tokens.

use crate::Fault;

/// The faults of this area.
pub const FAULTS: &[Fault] = &[];
