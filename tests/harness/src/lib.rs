//! The composed app as a test needs it: the real configuration, stores, sources and HTTP server,
//! on a socket of its own in a directory of its own, with a clock that is moved
//! ([`MovableClock`]) and randomness that repeats ([`SeededRandomness`]).
//!
//! Never part of what is shipped: the shipped binary has no switch that moves time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot be set up has failed"
)]

pub mod caddy;
mod clock;
pub mod https;
pub mod outside;
pub mod page;
pub mod pebble;
pub mod postgres;
pub mod process;
mod randomness;
mod server;
pub mod upstream;
pub mod valkey;

pub use clock::MovableClock;
pub use randomness::SeededRandomness;
pub use server::{Replica, TestServer, TestServerBuilder, WAREHOUSE_TABLES, load};
