//! The issuer on real stores: every transition, and every threat of it, through its public API. (The
//! tests of `bridgehead-auth` have no store: it builds without a database.)
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

mod assertions;
mod authorize;
mod clients;
mod damage;
mod desk;
mod documents;
mod flow;
mod idp;
mod provider;
mod refresh;
mod registration;
mod standing;
mod threats;
