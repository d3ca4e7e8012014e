//! How MCP is spoken: revisions, sessions, errors.

use super::{access::Access, reach::Reached};
use crate::{Check, visit::Visit};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[];

/// How the server is spoken to from here on.
#[derive(Debug, Clone)]
pub struct Spoken {
    /// The newest revision that both speak, e.g. `2025-11-25`.
    pub revision: &'static str,
}

/// Looks; `None` where no message is answered.
pub async fn examine(_visit: &mut Visit<'_>, _reached: &Reached, _access: &Access) -> Option<Spoken> {
    None
}
