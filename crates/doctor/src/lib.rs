//! Looks at an MCP server from outside, as a platform would (P1): most connections fail for reasons that
//! nobody can see, and each check here makes one of them visible before the platform meets it.
//!
//! Only ever a client, of our server and of anybody's. It changes nothing that it did not make itself, takes
//! away again what it made (a registration, a grant), and keeps what it sent and what came back, without
//! secrets, as [`Exchange`]s.
//!
//! [`examine`] goes through the areas in order and returns a [`Report`]: for each [`Check`] of
//! [`checks::ALL`] one verdict. A check that cannot be made since another one failed is skipped and says so;
//! so one fault has one failure.

pub mod check;
pub mod checks;
pub mod exchange;
pub mod profile;
pub mod reference;
pub mod report;
pub mod sign_in;
pub mod target;
pub mod visit;

mod examine;
mod redact;
mod rpc;

pub use check::{Area, Check};
pub use examine::examine;
pub use exchange::Exchange;
pub use profile::Profile;
pub use report::{Examined, Finding, Report, Verdict};
pub use sign_in::{SignIn, SignInError};
pub use target::Target;
pub use visit::Progress;
