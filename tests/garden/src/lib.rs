//! The fault garden (P1): a real server in good health, and in front of it a reverse proxy that commits
//! one fault at a time, so that it can be shown that the doctor names the right one and nothing else.
//!
//! Without a fault the proxy changes nothing. A [`Fault`] changes requests on the way in, answers on the
//! way out, or the network (names, addresses, the certificate); see [`Tampering`]. They stand in
//! [`faults`], a file for each area of the doctor; what only looks like one stands in [`harmless`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod answer;
mod asked;
mod certificate;
mod fault;
pub mod faults;
mod garden;
pub mod harmless;
mod network;
mod proxy;
mod teammate;

pub use answer::{Answer, Ending};
pub use asked::Asked;
pub use certificate::{Certificate, SignedBy};
pub use fault::{Course, Fault, Tampering};
pub use garden::{Garden, Mode, NAME, Way};
pub use network::{Handshake, Network};
pub use teammate::Teammate;
