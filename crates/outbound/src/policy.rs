//! Who chose the address that is connected to. Each answer is a type, so that a client made
//! for the one cannot be used for the other.

use std::time::Duration;

/// Whom a [`Client`](crate::Client) may connect to. There are three: [`Configured`], [`Strangers`] and
/// [`Visited`].
pub trait Policy: sealed::Sealed + Send + Sync + 'static {
    /// Only public addresses.
    const GUARDED: bool;
    /// Redirects are followed and connections kept, as for a system that is called every day.
    const FAMILIAR: bool;
}

/// Addresses that the operator wrote: any address, private ones on purpose. Redirects are followed
/// within the same origin, for GET and HEAD.
#[derive(Debug, Clone, Copy)]
pub enum Configured {}

/// Addresses that somebody else wrote: metadata documents of clients, key sets a client names,
/// references inside a fetched description. Public addresses only (every address of a name must
/// be), the connection goes to the address that was checked, no redirects, small, short.
#[derive(Debug, Clone, Copy)]
pub enum Strangers {}

/// Addresses that somebody typed to have them looked at: any address, since it is theirs to say. What
/// the other side answers is shown as it is: no redirects, each request on a connection of its own.
#[derive(Debug, Clone, Copy)]
pub enum Visited {}

impl Policy for Configured {
    const GUARDED: bool = false;
    const FAMILIAR: bool = true;
}

impl Policy for Strangers {
    const GUARDED: bool = true;
    const FAMILIAR: bool = false;
}

impl Policy for Visited {
    const GUARDED: bool = false;
    const FAMILIAR: bool = false;
}

/// How long and how much, where a [`Request`](crate::Request) does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For the name, the connection and the TLS handshake together.
    pub connect_timeout: Duration,
    /// For everything together, see [`Request::timeout`](crate::Request::timeout).
    pub timeout: Duration,
    /// Bytes of an answer's body, see
    /// [`Request::max_body_bytes`](crate::Request::max_body_bytes).
    pub max_body_bytes: usize,
}

impl Limits {
    /// For systems of the operator's own: 10 s to connect, 30 s in all, 8 MiB.
    pub const CONFIGURED: Self =
        Self { connect_timeout: Duration::from_secs(10), timeout: Duration::from_secs(30), max_body_bytes: 8 << 20 };
    /// For strangers: 3 s to connect, 5 s in all, 256 KiB.
    pub const STRANGERS: Self =
        Self { connect_timeout: Duration::from_secs(3), timeout: Duration::from_secs(5), max_body_bytes: 256 << 10 };
    /// For servers that are looked at: 10 s to connect, 30 s in all, 8 MiB.
    pub const VISITED: Self = Self::CONFIGURED;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Configured {}
    impl Sealed for super::Strangers {}
    impl Sealed for super::Visited {}
}
