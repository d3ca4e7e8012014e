//! Every fault, one file for each area of the doctor.

pub mod access;
pub mod protocol;
pub mod reach;
pub mod tools;

use crate::Fault;

/// All of them, in the order of the areas.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    let lists = reach::FAULTS.iter().copied().chain(access::FAULTS.iter().copied());
    lists.chain([protocol::FAULTS, tools::FAULTS]).flatten()
}
