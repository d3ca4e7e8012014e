//! The closed list of words with which a request is refused as a whole, before anybody asks what it
//! says. Who is calling is judged elsewhere: those words are `bridgehead_auth::Denied`'s.

use http::StatusCode;

/// Why a request is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestRefusal {
    /// Its body ended early.
    BodyUnreadable,
    /// Its `Host` is not one of ours.
    HostNotAllowed,
    /// Its `Origin` is not allowed.
    OriginNotAllowed,
    /// There is nothing at its path.
    NotFound,
    /// Its path does not answer its method.
    MethodNotAllowed,
    /// Its body does not arrive in time.
    BodyTooSlow,
    /// Its body is too large.
    BodyTooLarge,
    /// It came in the clear, to the listener that only sends browsers on.
    HttpsRequired,
    /// It came while the server is going down.
    GoingDown,
}

impl RequestRefusal {
    /// All of them, in the order of their statuses.
    pub const ALL: [Self; 9] = [
        Self::BodyUnreadable,
        Self::HostNotAllowed,
        Self::OriginNotAllowed,
        Self::HttpsRequired,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::BodyTooSlow,
        Self::BodyTooLarge,
        Self::GoingDown,
    ];

    /// The status code.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BodyUnreadable => StatusCode::BAD_REQUEST,
            Self::HostNotAllowed | Self::OriginNotAllowed | Self::HttpsRequired => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::GoingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BodyUnreadable => "body_unreadable",
            Self::HostNotAllowed => "host_not_allowed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::BodyTooSlow => "body_too_slow",
            Self::BodyTooLarge => "body_too_large",
            Self::HttpsRequired => "https_required",
            Self::GoingDown => "going_down",
        }
    }

    /// What it means, for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BodyUnreadable => "The request's body ended early.",
            Self::HostNotAllowed => {
                "The `Host` is neither that of `server.public_url` nor one of `server.allowed_hosts`."
            }
            Self::OriginNotAllowed => "A web page called whose origin is not one of `server.allowed_origins`.",
            Self::NotFound => "There is nothing at this path. The card that `serve` prints has the right one.",
            Self::MethodNotAllowed => "The endpoint answers POST alone; the health pages, GET alone.",
            Self::BodyTooSlow => "The request's body did not arrive in time.",
            Self::BodyTooLarge => {
                "The request's body is larger than the server takes; the message says how large that is."
            }
            Self::HttpsRequired => {
                "It came by HTTP to `server.tls.http_listen`, which sends browsers on to HTTPS and serves nothing."
            }
            Self::GoingDown => {
                "The server is going down and did nothing with the request. `Retry-After` says when to send it again."
            }
        }
    }
}
