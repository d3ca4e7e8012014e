//! Signing in with a mail address and a password.

use askama::Template;
use http::StatusCode;

use super::{Client, Destination, Forms, LocalPath, Site, View, Wait, moment, paths};

/// The page with the sign-in form.
///
/// Fields of the form, posted to [`paths::SIGN_IN`]: `mail`, `password`, and hidden `next`.
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in.html")]
pub struct SignIn {
    /// The server.
    pub site: Site,
    /// Where to go afterwards; `None` for [`paths::ACCOUNT`].
    pub next: Option<LocalPath>,
    /// Who asks, and where the answer goes, if signing in is a step of connecting a client.
    pub connecting: Option<(Client, Destination)>,
    /// What was typed before, or is already known of them; empty at first.
    pub mail: String,
    /// What was wrong with the last attempt.
    pub fault: Option<SignInFault>,
    /// What has just happened.
    pub notice: Option<SignInNotice>,
}

/// Why an attempt did not sign anybody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignInFault {
    /// Mail address and password do not belong together. The same words for unknown, disabled and
    /// invited people, so that nobody can find out who is known here.
    Refused,
    /// Too many attempts for this account or from this address.
    TooMany {
        /// Until the next one is looked at.
        wait: Wait,
    },
    /// Too many people sign in at this moment; nothing was checked.
    Busy,
}

/// What has just happened, above the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInNotice {
    /// They signed out.
    SignedOut,
    /// Their password is new, and every session of before is ended.
    PasswordSet,
    /// Their session came to its end.
    SessionEnded,
}

impl SignIn {
    /// Whether the two fields are wrong together; which one it is, is not told.
    fn is_refused(&self) -> bool {
        self.fault == Some(SignInFault::Refused)
    }
}

impl View for SignIn {
    /// After the sign-in the chain of redirects may run through to the client, where the teammate
    /// had allowed it before.
    fn forms(&self) -> Forms {
        if self.next.is_some() { Forms::MayLeave } else { Forms::StayHere }
    }

    fn status(&self) -> StatusCode {
        match self.fault {
            None => StatusCode::OK,
            Some(SignInFault::Refused) => StatusCode::FORBIDDEN,
            Some(SignInFault::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Some(SignInFault::Busy) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn wait(&self) -> Option<Wait> {
        match self.fault {
            Some(SignInFault::TooMany { wait }) => Some(wait),
            _ => None,
        }
    }
}
