//! Credentials of teammates on a real store, through the public API (P2): entered, connected, renewed,
//! refused, sealed anew. (The tests of `bridgehead-auth` have no store: it builds without a database.)
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

mod connect;
mod desk;
mod entry;
mod renew;
mod reseal;
