//! The only place where an HTTP client is made: time-outs, pool, TLS, address guard.
//!
//! A [`Client`] has one of three policies, by type: [`Configured`] for addresses that the operator
//! wrote, [`Strangers`] for addresses that somebody else did, [`Visited`] for a server that is looked
//! at. All of them
//!
//! - speak HTTP/1.1 and, over TLS, HTTP/2, and take gzip;
//! - trust the certificates that the system trusts (an internal authority installed there
//!   included; `SSL_CERT_FILE` is honoured), read when the first `https` URL is requested, and need
//!   none for `http`;
//! - use no proxy, keep no cookies, forward no header that the request does not name;
//! - tell apart whether a request that failed can have reached the other side ([`SendError`]):
//!   whether a write may be repeated hangs on that. A request is repeated by itself only on a
//!   pooled connection that was closed before any of it was written.
//!
//! Retries, circuits and caches are not here: they belong to the pipeline. Whether `https` is asked
//! of a stranger is the caller's to say.
//!
//! [`look`] shows the way to a server step by step, up to its certificate, and sends nothing.
//!
//! # Why hyper, and not reqwest?
//!
//! - A connector of our own is the one place before which nothing was sent and after which something
//!   may have been. From reqwest's errors that has to be guessed.
//! - The address guard sits in that connector, between the name and the connection.
//! - Time-outs follow the injected clock; reqwest's follow the machine's.
//! - reqwest with `rustls-no-provider` panics in `Client::new` unless the process has installed a
//!   provider, and features unify: that would be every test and every SDK with a client of its own
//!   in the workspace. Here the provider (ring: it builds in less than half the time of aws-lc-rs) is
//!   named where it is used.
//!
//! # Why the system's certificates?
//!
//! A company's own authority is installed in its systems, and [`Configured`] is for their inside.
//! A container needs `ca-certificates` or `SSL_CERT_FILE`, and says so where it has neither.

pub mod look;

mod client;
mod connect;
mod error;
mod guard;
mod net;
mod policy;
mod request;
mod response;

pub use bytes::Bytes;
pub use client::Client;
pub use error::{MaybeSent, MaybeSentReason, NotSent, NotSentReason, SendError};
pub use guard::is_public;
pub use look::Trust;
pub use net::{Net, Resolve, SystemResolver};
pub use policy::{Configured, Limits, Policy, Strangers, Visited};
pub use request::{IllegalHeaderValue, Request};
pub use response::{Received, Response};
