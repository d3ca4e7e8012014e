//! Why somebody was not let in, by blame, in words for the teammate; and what that is on the
//! wire.

use http::StatusCode;
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    ProbeFailure, RemoteError, StoreError,
    mode::headers::listed,
    remote::{TokenError, TokenFault},
};

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
    /// Some of the headers that belong together were sent, and others were not.
    #[error("{}", incomplete(.missing))]
    Incomplete {
        /// Those that were not sent, as people write them; at least one.
        missing: Vec<String>,
    },
    /// What was presented does not have the form that HTTP wants.
    #[error(transparent)]
    Malformed(#[from] Malformation),
    /// Something was presented that is not of this mode's kind; it may be of another's.
    #[error("What was sent is no API key of this server: those begin with bhk_. {ASK_FOR_A_KEY}")]
    Unrecognised,
    /// One of our own keys where one of the system behind is asked for. It is not handed through.
    #[error("This is an API key that was issued here, and your own of the system behind is asked for. Enter that one.")]
    OwnKey,
    /// The system behind does not accept what was presented.
    #[error("The system behind does not accept what was sent. Look whether it is yours, whole and still good there.")]
    Refused,
    /// A caller who is cut off by name.
    #[error("This sign-in was cut off at {}. Ask whoever runs this server.", shown(.at))]
    Blocked {
        /// Since when.
        at: Timestamp,
    },
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
    /// A good key that was not made for a header, where each has to have one of its own.
    #[error("This API key was not made for a header of its own. Ask whoever runs this server for one that is.")]
    MadeForNoHeader,
    /// Good keys, and each for somebody else.
    #[error("The API keys in {} were made for different teammates. Send those that were made for you.", listed(.headers, "and"))]
    DifferentTeammates {
        /// The headers, as people write them.
        headers: Vec<String>,
    },
    /// What is wrong with one header of several.
    #[error("In the header `{header}`: {denied}")]
    InHeader {
        /// Its name, as people write it.
        header: String,
        /// What is wrong with it.
        #[source]
        denied: Box<Self>,
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
    /// Something that is no access token of this server; it may be another mode's.
    #[error("What was sent is no access token of this server. {CONNECT_AGAIN}")]
    ForeignToken,
    /// An access token whose form or checksum is wrong: known without a look into the store.
    #[error("The access token is incomplete. {CONNECT_AGAIN}")]
    DamagedToken,
    /// No such access token, or one with another secret, or for another endpoint.
    #[error("This access token is not known here. {CONNECT_AGAIN}")]
    UnknownToken,
    /// A good access token whose time is over.
    #[error("This access token expired at {}. The application has to renew it; if it does not, connect it again.", shown(.at))]
    ExpiredToken {
        /// When it expired.
        at: Timestamp,
    },
    /// A good access token that was revoked, or whose grant was.
    #[error("The access of this application was revoked at {}. {CONNECT_AGAIN}", shown(.at))]
    RevokedToken {
        /// When it was revoked.
        at: Timestamp,
    },
    /// An access token of another authorization server that is not good here.
    #[error("The access token is refused. {0}")]
    Token(TokenFault),
    /// Nobody can be checked at the moment; it is not the teammate's fault. The cause is for the
    /// log.
    #[error("{NOT_NOW}")]
    StoreUnavailable(#[from] StoreError),
    /// As [`Denied::StoreUnavailable`], since the system behind could not be asked, or gave no
    /// answer that could be used.
    #[error("{NOT_NOW}")]
    JudgeUnavailable(#[source] ProbeFailure),
    /// As [`Denied::StoreUnavailable`], since the authorization server, which is not ours, could not be
    /// asked for its keys or its word.
    #[error(
        "The service that signs you in cannot be asked at the moment. Try again in a minute; if that does not help, \
         tell the operator of this server."
    )]
    IssuerUnavailable(#[source] RemoteError),
}

impl From<TokenError> for Denied {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Refused(fault) => Self::Token(fault),
            TokenError::Unavailable(error) => Self::IssuerUnavailable(error),
        }
    }
}

const NOT_NOW: &str = "The server cannot check who you are at the moment. Try again in a minute; if that does not help, tell its operator.";

const ASK_FOR_A_KEY: &str = "Ask whoever runs this server for a new one.";

const CONNECT_AGAIN: &str = "Connect the application to this server again.";

fn incomplete(missing: &[String]) -> String {
    let names = listed(missing, "and");
    if missing.len() == 1 {
        format!("The header {names} is missing. Send it too, with your own value.")
    } else {
        format!("The headers {names} are missing. Send them too, each with your own value.")
    }
}

/// To the second, in UTC (RFC 3339).
pub(crate) fn shown(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl Denied {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Incomplete { .. } => "incomplete",
            Self::Malformed(_) => "malformed",
            Self::Unrecognised => "unrecognised",
            Self::OwnKey => "own_key",
            Self::Refused => "refused",
            Self::Blocked { .. } => "blocked",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
            Self::WrongHeader { .. } => "wrong_header",
            Self::MadeForNoHeader => "made_for_no_header",
            Self::DifferentTeammates { .. } => "different_teammates",
            Self::InHeader { denied, .. } => denied.code(),
            Self::Expired { .. } => "expired",
            Self::Revoked { .. } => "revoked",
            Self::ForeignToken => "foreign_token",
            Self::DamagedToken => "damaged_token",
            Self::UnknownToken => "unknown_token",
            Self::ExpiredToken { .. } => "expired_token",
            Self::RevokedToken { .. } => "revoked_token",
            Self::StoreUnavailable(_) => "store_unavailable",
            Self::JudgeUnavailable(_) => "judge_unavailable",
            Self::Token(fault) => fault.code(),
            Self::IssuerUnavailable(_) => "issuer_unavailable",
        }
    }

    /// What it comes to on the wire.
    #[must_use]
    pub const fn kind(&self) -> RejectionKind {
        match self {
            Self::Malformed(_) => RejectionKind::Malformed,
            Self::StoreUnavailable(_) | Self::JudgeUnavailable(_) | Self::IssuerUnavailable(_) => {
                RejectionKind::Unavailable
            }
            Self::InHeader { denied, .. } => denied.kind(),
            Self::Missing
            | Self::Incomplete { .. }
            | Self::Unrecognised
            | Self::OwnKey
            | Self::Refused
            | Self::Blocked { .. }
            | Self::Damaged
            | Self::Unknown
            | Self::WrongHeader { .. }
            | Self::MadeForNoHeader
            | Self::DifferentTeammates { .. }
            | Self::Expired { .. }
            | Self::Revoked { .. }
            | Self::ForeignToken
            | Self::DamagedToken
            | Self::UnknownToken
            | Self::ExpiredToken { .. }
            | Self::RevokedToken { .. }
            | Self::Token(_) => RejectionKind::Unauthenticated,
        }
    }

    /// What is wrong, with the one header of several that it is wrong with.
    #[must_use]
    pub(crate) fn in_header(self, header: String) -> Self {
        match self {
            Self::StoreUnavailable(_) | Self::JudgeUnavailable(_) | Self::IssuerUnavailable(_) => self,
            denied => Self::InHeader { header, denied: Box::new(denied) },
        }
    }

    /// Whether what was presented may be for another mode: how near it was to being for this one.
    /// `None` for what was this mode's beyond doubt, so that no other needs to be asked.
    pub(crate) const fn doubt(&self) -> Option<Nearness> {
        match self {
            Self::Missing => Some(Nearness::Nothing),
            Self::Unrecognised
            | Self::ForeignToken
            | Self::Token(TokenFault::NotAJwt | TokenFault::OtherIssuer { .. }) => Some(Nearness::Something),
            Self::OwnKey => Some(Nearness::OfAnotherMode),
            Self::Incomplete { .. } => Some(Nearness::InPart),
            // Whatever was sent was taken for a key of the system behind.
            Self::Refused => Some(Nearness::Judged),
            Self::JudgeUnavailable(_) => Some(Nearness::ToBeJudged),
            Self::InHeader { denied, .. } => denied.doubt(),
            Self::Malformed(_)
            | Self::Blocked { .. }
            | Self::Damaged
            | Self::Unknown
            | Self::WrongHeader { .. }
            | Self::MadeForNoHeader
            | Self::DifferentTeammates { .. }
            | Self::Expired { .. }
            | Self::Revoked { .. }
            | Self::DamagedToken
            | Self::UnknownToken
            | Self::ExpiredToken { .. }
            | Self::RevokedToken { .. }
            | Self::Token(_)
            | Self::IssuerUnavailable(_)
            | Self::StoreUnavailable(_) => None,
        }
    }

    /// The error code of the challenge (RFC 6750 §3.1); none where nothing was presented, or not
    /// all.
    pub(crate) const fn error(&self) -> Option<&'static str> {
        match (self, self.kind()) {
            (Self::Missing | Self::Incomplete { .. }, _) | (_, RejectionKind::Unavailable) => None,
            (_, RejectionKind::Malformed) => Some("invalid_request"),
            (_, RejectionKind::Unauthenticated) => Some("invalid_token"),
        }
    }
}

/// How near something came to being a mode's own. Of several refusals the nearest is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Nearness {
    /// Nothing was presented.
    Nothing,
    /// Something of another form.
    Something,
    /// Something that another mode would know, if there is one.
    OfAnotherMode,
    /// A part of what this mode asks for.
    InPart,
    /// It had the form, and was refused by the one who judges it.
    Judged,
    /// It has the form, and the one who judges it could not be asked.
    ToBeJudged,
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
