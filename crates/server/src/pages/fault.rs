//! What went wrong, what to do now, and whom to tell: for everything that ends in a page here
//! because it must not, or cannot, go back to a client.

use askama::Template;
use http::StatusCode;

use super::{Destination, LocalPath, Site, View, Wait, moment};

/// A page about a fault.
#[derive(Debug, Clone, Template)]
#[template(path = "fault.html")]
pub struct FaultPage {
    /// The server.
    pub site: Site,
    /// What went wrong.
    pub fault: Fault,
    /// Names the request in the server's log.
    pub request_id: Option<String>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An authorization request of a client that is not known here: it was never registered, was
    /// revoked, or its document could not be had.
    UnknownClient {
        /// In our own words, where more is known.
        detail: Option<String>,
    },
    /// The redirect URI is not one of the client's, or none that is ever allowed.
    BadRedirect {
        /// Where the answer would have gone, if that can be told.
        destination: Option<Destination>,
    },
    /// Another fault of the authorization request.
    BadRequest {
        /// In our own words: what is wrong with which parameter.
        detail: String,
    },
    /// They are no longer signed in, and what they did has to be done again.
    SessionExpired {
        /// The page on which they sign in and go on.
        again: LocalPath,
    },
    /// The form was open for too long, or belongs to another session.
    FormExpired {
        /// The page with the form, fresh.
        again: LocalPath,
    },
    /// A form was posted from another site.
    FromElsewhere,
    /// Too many attempts.
    TooMany {
        /// Until the next one is looked at.
        wait: Wait,
    },
    /// There is no page at this path.
    NotFound,
    /// Something that is needed does not answer just now: the store, for example.
    Unavailable,
    /// A fault of this server.
    Internal,
}

impl View for FaultPage {
    fn status(&self) -> StatusCode {
        match self.fault {
            Fault::UnknownClient { .. }
            | Fault::BadRedirect { .. }
            | Fault::BadRequest { .. }
            | Fault::FormExpired { .. } => StatusCode::BAD_REQUEST,
            Fault::SessionExpired { .. } | Fault::FromElsewhere => StatusCode::FORBIDDEN,
            Fault::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Fault::NotFound => StatusCode::NOT_FOUND,
            Fault::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Fault::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn wait(&self) -> Option<Wait> {
        match self.fault {
            Fault::TooMany { wait } => Some(wait),
            _ => None,
        }
    }
}

impl FaultPage {
    /// The fault in a few words.
    fn title(&self) -> &'static str {
        match self.fault {
            Fault::UnknownClient { .. } => "This client is not known here",
            Fault::BadRedirect { .. } => "The answer would go to the wrong place",
            Fault::BadRequest { .. } => "The client asked in a way that does not work",
            Fault::SessionExpired { .. } => "You are no longer signed in",
            Fault::FormExpired { .. } => "This page was open for too long",
            Fault::FromElsewhere => "This came from another site",
            Fault::TooMany { .. } => "Too many attempts",
            Fault::NotFound => "There is nothing here",
            Fault::Unavailable => "This is not available just now",
            Fault::Internal => "Something went wrong here",
        }
    }

    /// Whether it is worth telling an administrator.
    fn is_to_be_told(&self) -> bool {
        !matches!(self.fault, Fault::SessionExpired { .. } | Fault::FormExpired { .. } | Fault::NotFound)
    }
}
