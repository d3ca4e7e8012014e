//! Signing in at an identity provider: the way there, why nobody was signed in, and the way out.

use std::fmt;

use askama::Template;
use http::StatusCode;
use url::Url;

use super::{Client, Destination, Forms, LocalPath, SignInNotice, Site, View, paths};

/// The page with the button that leads to the provider.
///
/// Fields of the form, posted to [`paths::SIGN_IN`]: hidden `next`.
#[derive(Debug, Clone, Template)]
#[template(path = "sign_in_elsewhere.html")]
pub struct SignInElsewhere {
    /// The server.
    pub site: Site,
    /// The provider, as people know it.
    pub host: String,
    /// Where to go afterwards.
    pub next: LocalPath,
    /// Who asks, and where the answer goes, if signing in is a step of connecting a client.
    pub connecting: Option<(Client, Destination)>,
    /// What has just happened.
    pub notice: Option<SignInNotice>,
}

impl View for SignInElsewhere {
    /// The answer leads to the provider.
    fn forms(&self) -> Forms {
        Forms::MayLeave
    }
}

/// The page for whoever came back from the provider, or could not go there, and is not signed in.
///
/// Fields of the form, posted to [`paths::SIGN_IN`]: hidden `next`, and `as` where another account is to
/// be asked for.
#[derive(Debug, Clone, Template)]
#[template(path = "not_signed_in.html")]
pub struct NotSignedIn {
    /// The server.
    pub site: Site,
    /// The provider, as people know it.
    pub host: String,
    /// Why.
    pub why: NotSignedInBecause,
    /// Where they were headed.
    pub next: LocalPath,
    /// Names the request in the server's log.
    pub request_id: Option<String>,
}

/// Why somebody is not signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotSignedInBecause {
    /// Their mail address is of another domain than those that are let in.
    OtherDomain {
        /// The address.
        address: String,
    },
    /// They are in none of the groups that are let in.
    NoGroup {
        /// The address by which the provider knows them.
        address: String,
    },
    /// The provider does not say that the address is theirs.
    MailNotVerified {
        /// The address.
        address: String,
    },
    /// The provider gave no address.
    NoMail,
    /// Somebody else of the provider had the address.
    AddressTaken,
    /// The operator disabled their account.
    Disabled,
    /// They pressed Cancel there.
    Cancelled,
    /// It took too long.
    Late,
    /// The answer belongs to no sign-in of this browser.
    NotOfThisBrowser,
    /// The provider does not answer.
    Down,
    /// The provider refuses.
    Refused {
        /// Its error code.
        code: String,
    },
    /// What the provider answered is not in order.
    Answer,
}

impl NotSignedIn {
    /// Why, in a few words.
    fn title(&self) -> &'static str {
        match self.why {
            NotSignedInBecause::OtherDomain { .. } => "This account is not let in here",
            NotSignedInBecause::NoGroup { .. } => "You are in no group that is let in here",
            NotSignedInBecause::MailNotVerified { .. } => "Your mail address is not verified",
            NotSignedInBecause::NoMail => "Your mail address is not known",
            NotSignedInBecause::AddressTaken => "Your mail address is somebody else’s here",
            NotSignedInBecause::Disabled => "Your account is disabled here",
            NotSignedInBecause::Cancelled => "You did not sign in",
            NotSignedInBecause::Late => "This sign-in took too long",
            NotSignedInBecause::NotOfThisBrowser => "This sign-in did not begin here",
            NotSignedInBecause::Down => "Nobody can be signed in just now",
            NotSignedInBecause::Refused { .. } => "You were not signed in",
            NotSignedInBecause::Answer => "Something went wrong while you signed in",
        }
    }

    /// Whether another account may help. The provider would take the same one again by itself.
    fn other_account_helps(&self) -> bool {
        matches!(
            self.why,
            NotSignedInBecause::OtherDomain { .. }
                | NotSignedInBecause::NoGroup { .. }
                | NotSignedInBecause::NoMail
                | NotSignedInBecause::AddressTaken
        )
    }

    /// Whether an administrator has to do something, or to know.
    fn is_to_be_told(&self) -> bool {
        matches!(self.why, NotSignedInBecause::Down | NotSignedInBecause::Refused { .. } | NotSignedInBecause::Answer)
    }
}

impl View for NotSignedIn {
    /// The answer leads to the provider, where there is a form.
    fn forms(&self) -> Forms {
        if self.why == NotSignedInBecause::Disabled { Forms::StayHere } else { Forms::MayLeave }
    }

    fn status(&self) -> StatusCode {
        match self.why {
            NotSignedInBecause::Late | NotSignedInBecause::NotOfThisBrowser => StatusCode::BAD_REQUEST,
            NotSignedInBecause::Down => StatusCode::SERVICE_UNAVAILABLE,
            NotSignedInBecause::Refused { .. } | NotSignedInBecause::Answer => StatusCode::BAD_GATEWAY,
            NotSignedInBecause::OtherDomain { .. }
            | NotSignedInBecause::NoGroup { .. }
            | NotSignedInBecause::MailNotVerified { .. }
            | NotSignedInBecause::NoMail
            | NotSignedInBecause::AddressTaken
            | NotSignedInBecause::Disabled
            | NotSignedInBecause::Cancelled => StatusCode::FORBIDDEN,
        }
    }
}

/// The page after signing out here, which goes on to the provider's own: a page, since a policy for forms
/// would stop a redirect.
#[derive(Clone, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOut {
    /// The server.
    pub site: Site,
    /// The provider, as people know it.
    pub host: String,
    /// The provider's page. It may hold a token: `Debug` shows nothing of it.
    pub there: Url,
}

impl fmt::Debug for SignedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedOut").field("site", &self.site).field("host", &self.host).finish_non_exhaustive()
    }
}

impl View for SignedOut {}
