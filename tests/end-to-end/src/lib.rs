//! What the tests under `tests/` share: the SDK scripts, a browser with somebody in front of it, and a proxy that adds a key.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed"
)]

pub mod browser;
pub mod conformance;
pub mod crm;
pub mod duvo;
pub mod foreign;
pub mod hunt;
pub mod idp;
pub mod oauth;
pub mod proxy;
pub mod sample;
pub mod sdk;
pub mod signing_in;
pub mod teammates;
