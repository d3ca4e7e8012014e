//! H2: what a source answers is remembered for whoever it was for. Every kind of source is here whose
//! answers depend on who calls, through the pipeline and over real sockets and a real database.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

#[path = "cache/answers.rs"]
mod answers;
#[path = "cache/behind.rs"]
mod behind;
#[path = "cache/declared.rs"]
mod declared;
