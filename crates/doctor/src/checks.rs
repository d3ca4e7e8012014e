//! The list of checks, in the order in which they are looked at. Each area is a module: its checks as
//! constants, and the function that looks.

pub mod access;
pub mod protocol;
pub mod reach;
pub mod tools;

use crate::Check;

/// Every check there is.
pub const ALL: &[&[&Check]] = &[reach::CHECKS, access::CHECKS, protocol::CHECKS, tools::CHECKS];

/// Every check there is, in order.
pub fn all() -> impl Iterator<Item = &'static Check> {
    ALL.iter().flat_map(|checks| checks.iter().copied())
}
