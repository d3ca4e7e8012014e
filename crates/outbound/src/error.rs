//! Why there is no answer, told apart by the one thing that decides what to do next: whether
//! anything can have reached the other side.

use std::{error::Error, fmt, net::IpAddr};

type Cause = Box<dyn Error + Send + Sync>;

/// No answer, or not a whole one. Neither text nor cause holds more of the URL than its host.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Provably nothing of the request was sent.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// The request, or a part of it, may have been sent and taken effect.
    #[error(transparent)]
    MaybeSent(#[from] MaybeSent),
}

/// Why nothing was sent.
#[derive(Debug)]
pub struct NotSent {
    /// What kept it.
    pub reason: NotSentReason,
    /// Where it should have gone: host, and port where it is not the scheme's own.
    pub host: String,
    /// What lies behind, for the log.
    pub cause: Option<Cause>,
}

/// What kept a request from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSentReason {
    /// The URL is neither `http` nor `https`, or carries a user name or password.
    Url,
    /// The address, or one of a name's addresses, is not public, and the policy is
    /// [`Strangers`](crate::Strangers).
    AddressNotPublic(IpAddr),
    /// The name has no address, or could not be looked up.
    Name,
    /// Nobody answers at the address.
    Connect,
    /// The TLS handshake failed: a certificate that is not trusted, say.
    Tls,
    /// Connecting took too long.
    ConnectTimedOut,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match self.reason {
            NotSentReason::Url => write!(f, "the URL cannot be requested: it must be http or https, without user name"),
            NotSentReason::AddressNotPublic(ip) => write!(f, "{host} is at {ip}, which is not a public address"),
            NotSentReason::Name => write!(f, "the name {host} could not be found"),
            NotSentReason::Connect => write!(f, "no connection to {host}"),
            NotSentReason::Tls => write!(f, "no TLS connection to {host}"),
            NotSentReason::ConnectTimedOut => write!(f, "connecting to {host} took too long"),
        }
    }
}

impl Error for NotSent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// Why there is no whole answer to what may have been sent.
#[derive(Debug)]
pub struct MaybeSent {
    /// What happened.
    pub reason: MaybeSentReason,
    /// Where it went: host, and port where it is not the scheme's own.
    pub host: String,
    /// What lies behind, for the log.
    pub cause: Option<Cause>,
}

/// What happened to a request that may have been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaybeSentReason {
    /// The time was up before the answer was there, or all of it. Also where it was shorter than the
    /// time to connect and nobody can say how far things were.
    TimedOut,
    /// The connection broke before the answer began.
    ConnectionLost,
    /// The connection broke within the answer, or its body could not be read.
    BodyBroken,
}

impl fmt::Display for MaybeSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match self.reason {
            MaybeSentReason::TimedOut => write!(f, "{host} did not answer in time"),
            MaybeSentReason::ConnectionLost => write!(f, "the connection to {host} broke before it answered"),
            MaybeSentReason::BodyBroken => write!(f, "the connection to {host} broke within its answer"),
        }
    }
}

impl Error for MaybeSent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
