//! An identity provider in front of the built-in authorization server (requirement A7).

mod store;

pub use store::{Bound, IdentityId, IdentityRecord, IdentityStore, Vouched};
