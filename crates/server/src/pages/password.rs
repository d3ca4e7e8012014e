//! Setting a password from a one-time link, and what a link that is no longer good says.

use askama::Template;
use bridgehead_core::Secret;
use http::StatusCode;
use jiff::Timestamp;

use super::{Site, View, moment, paths};

/// The page behind a one-time link that is good.
///
/// Fields of the form, posted to [`paths::LINK`]: `password`, `repeat`, and hidden `token`. The
/// token is the only authority the form needs: who has the link may set the password, once.
#[derive(Debug, Clone, Template)]
#[template(path = "set_password.html")]
pub struct SetPassword {
    /// The server.
    pub site: Site,
    /// The link's own token, handed back with the form.
    pub token: Secret,
    /// Why they have the link.
    pub purpose: LinkPurpose,
    /// Whose password it is: a mail address. The first administrator types it here.
    pub user: String,
    /// What is wrong with the mail address that was typed, in words for the page.
    pub user_fault: Option<String>,
    /// How many characters a password needs.
    pub least_characters: usize,
    /// Until when the link is good.
    pub expires_at: Timestamp,
    /// What was wrong with the last attempt.
    pub fault: Option<PasswordFault>,
}

/// Why somebody has a one-time link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkPurpose {
    /// An administrator invited them.
    Invitation,
    /// The server was just started and has no administrator.
    FirstAdministrator,
    /// Their password is to be replaced.
    Reset,
}

/// Why a password was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFault {
    /// It has too few characters.
    TooShort,
    /// It has too many.
    TooLong {
        /// How many it may have.
        most_characters: usize,
    },
    /// It is among those that are tried first, or is made of the mail address.
    TooEasy,
    /// The two fields differ.
    NotTheSame,
}

impl PasswordFault {
    /// What to do about it. `least` is how many characters a password needs.
    fn words(self, least: usize) -> String {
        match self {
            Self::TooShort => format!("That is too short. Use at least {least} characters."),
            Self::TooLong { most_characters } => format!("That is too long. Use at most {most_characters} characters."),
            Self::TooEasy => "That password is easy to guess. Use one that nobody else would think of.".to_owned(),
            Self::NotTheSame => "The two passwords are not the same. Type it once more in both fields.".to_owned(),
        }
    }

    /// Whether the second field is the one to look at.
    fn is_in_repeat(self) -> bool {
        self == Self::NotTheSame
    }
}

impl SetPassword {
    fn title(&self) -> &'static str {
        match self.purpose {
            LinkPurpose::Invitation | LinkPurpose::FirstAdministrator => "Choose a password",
            LinkPurpose::Reset => "Choose a new password",
        }
    }

    fn is_faulty(&self) -> bool {
        self.fault.is_some() || self.user_fault.is_some()
    }

    fn fault_in_password(&self) -> Option<String> {
        in_password(self.fault, self.least_characters)
    }

    fn fault_in_repeat(&self) -> Option<String> {
        in_repeat(self.fault, self.least_characters)
    }
}

/// What stands at the first field for the new password.
pub(super) fn in_password(fault: Option<PasswordFault>, least: usize) -> Option<String> {
    fault.filter(|fault| !fault.is_in_repeat()).map(|fault| fault.words(least))
}

/// What stands at the second one.
pub(super) fn in_repeat(fault: Option<PasswordFault>, least: usize) -> Option<String> {
    fault.filter(|fault| fault.is_in_repeat()).map(|fault| fault.words(least))
}

impl View for SetPassword {
    fn status(&self) -> StatusCode {
        if self.is_faulty() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }
}

/// The page behind a one-time link that is not good, or no longer.
#[derive(Debug, Clone, Template)]
#[template(path = "link_gone.html")]
pub struct LinkGone {
    /// The server.
    pub site: Site,
    /// What is wrong with the link.
    pub state: LinkState,
}

/// What is wrong with a one-time link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Somebody has set a password with it.
    Used,
    /// It was not used in time.
    Expired,
    /// There never was such a link, a newer one took its place, or it was cut on the way.
    Unknown,
}

impl LinkGone {
    fn title(&self) -> &'static str {
        match self.state {
            LinkState::Used => "This link was used already",
            LinkState::Expired => "This link is no longer good",
            LinkState::Unknown => "This link is not good",
        }
    }
}

impl View for LinkGone {
    fn status(&self) -> StatusCode {
        match self.state {
            LinkState::Used | LinkState::Expired => StatusCode::GONE,
            LinkState::Unknown => StatusCode::NOT_FOUND,
        }
    }
}
