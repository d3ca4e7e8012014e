//! How a teammate gets in: the challenge, the metadata, registration, sign-in, tokens; and, once everything
//! else was looked at, that what is revoked is refused. Removes what it registered.

use bridgehead_core::Secret;
use http::HeaderName;

use super::reach::Reached;
use crate::{Check, visit::Visit};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[];

/// How the endpoint is called from here on.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Headers that every call carries; empty where the server asks for nothing.
    pub headers: Vec<(HeaderName, Secret)>,
}

/// Looks; `None` where there is no way in, so that the endpoint cannot be called.
pub async fn examine(visit: &mut Visit<'_>, _reached: &Reached) -> Option<Access> {
    Some(Access { headers: visit.target().headers.clone() })
}

/// What ends the access: revokes the token and removes the registration, and looks whether they are gone.
pub async fn leave(_visit: &mut Visit<'_>, _reached: &Reached, _access: Access) {}
