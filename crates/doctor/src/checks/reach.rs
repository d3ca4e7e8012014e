//! Whether the server can be reached as a platform reaches it: name, addresses, TLS, and how HTTP is spoken.

use url::Url;

use crate::{Check, visit::Visit};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[];

/// Where the server was found.
#[derive(Debug, Clone)]
pub struct Reached {
    /// The endpoint, as it is to be used from here on.
    pub endpoint: Url,
}

/// Looks; `None` where the server cannot be reached, so that nothing else can be looked at.
pub async fn examine(visit: &mut Visit<'_>) -> Option<Reached> {
    Some(Reached { endpoint: visit.target().url.clone() })
}
