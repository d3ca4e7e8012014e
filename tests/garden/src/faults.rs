//! Every fault, one file for each area of the doctor.

pub mod access;
pub mod protocol;
pub mod reach;
pub mod tools;

use crate::Fault;

/// All of them, in the order of the areas.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    [reach::FAULTS, access::FAULTS, protocol::FAULTS, tools::FAULTS].into_iter().flatten()
}
