//! D5: one effect and one answer for each idempotency key, through the pipeline as it is served, over
//! a store that can fail, with replicas that die and a system behind that does as it is told. That no
//! order of events breaks it is tried out in `model.rs`. What came of calls that take long is fetched in
//! `outlast.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "these are tests"
)]

mod doubt;
mod key;
mod log;
mod model;
mod once;
mod outlast;
mod rig;
mod task;
