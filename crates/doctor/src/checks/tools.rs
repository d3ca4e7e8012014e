//! The tools as a platform hands them to a model: their list, their schemas, their quality, and one call of a
//! tool that changes nothing.

use super::{access::Access, protocol::Spoken, reach::Reached};
use crate::{Check, visit::Visit};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[];

/// Looks.
pub async fn examine(_visit: &mut Visit<'_>, _reached: &Reached, _access: &Access, _spoken: &Spoken) {}
