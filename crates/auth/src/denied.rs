//! Why somebody was not let in, by blame, in words for the teammate; and what that is on the
//! wire.

use http::StatusCode;
use jiff::{Timestamp, tz::TimeZone};

use crate::StoreError;

/// What is wrong with the form of a request's credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformation {
    /// A header that may stand once stands several times: which one counts would be a guess.
    #[error("The header `{header}` was sent more than once. Send it once, with one key or token.")]
    Repeated {
        /// Its name, as people write it.
        header: String,
    },
    /// A header holds bytes that are not visible ASCII.
    #[error("The header `{header}` holds characters that no key or token has. Copy it again, whole and alone.")]
    NotText {
        /// Its name, as people write it.
        header: String,
    },
    /// `Authorization` holds a key or token without a scheme.
    #[error("The header `Authorization` holds a key alone. Put the word `Bearer` and a blank before it.")]
    NoScheme,
    /// `Authorization: Bearer` and nothing more.
    #[error("The header `Authorization` says `Bearer` and nothing after it. Put your key or token there.")]
    NoToken,
    /// More than one word, or characters that no token has, after `Bearer` (RFC 6750 §2.1).
    #[error(
        "The header `Authorization` has to be the word `Bearer`, a blank and one key or token. \
         Some clients write `Bearer` by themselves: then enter the key alone."
    )]
    NotAToken,
}

/// Why somebody was not let in, by blame. `Display` is for the teammate: what is wrong and how to
/// mend it, and nothing that helps someone who guesses.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Denied {
    /// Nothing was presented.
    #[error("Nobody gets in here without signing in.")]
    Missing,
    /// What was presented does not have the form that HTTP wants.
    #[error(transparent)]
    Malformed(#[from] Malformation),
    /// Something was presented that is not of this mode's kind; it may be of another's.
    #[error("What was sent is no API key of this server: those begin with bhk_. {ASK_FOR_A_KEY}")]
    Unrecognised,
    /// A key whose form or checksum is wrong: known without a look into the store.
    #[error("The API key is incomplete or mistyped. Copy it again, whole, with nothing before or after it.")]
    Damaged,
    /// No such key, or one with another secret.
    #[error("This API key is not known here. {ASK_FOR_A_KEY}")]
    Unknown,
    /// A good key that arrived in another header than it was made for.
    #[error("This API key was made for the header `{expected}`. Send it there, or ask for one without that limit.")]
    WrongHeader {
        /// The header it was made for, as people write it.
        expected: String,
    },
    /// A good key whose time is over.
    #[error("This API key expired at {}. {ASK_FOR_A_KEY}", shown(.at))]
    Expired {
        /// When it expired.
        at: Timestamp,
    },
    /// A good key that was revoked.
    #[error("This API key was revoked at {}. {ASK_FOR_A_KEY}", shown(.at))]
    Revoked {
        /// When it was revoked.
        at: Timestamp,
    },
    /// Nobody can be checked at the moment; it is not the teammate's fault. The cause is for the
    /// log.
    #[error(
        "The server cannot check who you are at the moment. Try again in a minute; if that does not help, tell its operator."
    )]
    StoreUnavailable(#[from] StoreError),
}

const ASK_FOR_A_KEY: &str = "Ask whoever runs this server for a new one.";

/// To the second, in UTC (RFC 3339).
fn shown(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl Denied {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed(_) => "malformed",
            Self::Unrecognised => "unrecognised",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
            Self::WrongHeader { .. } => "wrong_header",
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "revoked",
            Self::StoreUnavailable(_) => "store_unavailable",
        }
    }

    /// What it comes to on the wire.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        match self {
            Self::Malformed(_) => RejectionKind::Malformed,
            Self::StoreUnavailable(_) => RejectionKind::Unavailable,
            Self::Missing
            | Self::Unrecognised
            | Self::Damaged
            | Self::Unknown
            | Self::WrongHeader { .. }
            | Self::Expired { .. }
            | Self::Revoked { .. } => RejectionKind::Unauthenticated,
        }
    }

    /// The error code of the challenge (RFC 6750 §3.1); none where nothing was presented.
    pub(crate) const fn error(&self) -> Option<&'static str> {
        match (self, self.kind()) {
            (Self::Missing, _) | (_, RejectionKind::Unavailable) => None,
            (_, RejectionKind::Malformed) => Some("invalid_request"),
            (_, RejectionKind::Unauthenticated) => Some("invalid_token"),
        }
    }
}

/// What a refusal is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionKind {
    /// 401: sign in, or sign in again.
    Unauthenticated,
    /// 400: the credentials do not have the form that HTTP wants.
    Malformed,
    /// 503: nobody can be checked at the moment.
    Unavailable,
}

impl RejectionKind {
    /// The status code.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
