//! What a teammate enters or connects for one system behind: for themselves, and for nobody else. What
//! is kept is never shown.

use askama::Template;
use bridgehead_core::Secret;
use http::StatusCode;
use jiff::Timestamp;

use super::{Forms, LocalPath, Site, View, moment, paths};

/// The page at [`paths::CREDENTIALS`] and a vault's name. It names who is signed in, large: whoever
/// comes by a link of somebody else's sees whose calls will use what they enter.
#[derive(Debug, Clone, Template)]
#[template(path = "credential.html")]
pub struct Credential {
    /// The server.
    pub site: Site,
    /// As whom they are signed in: a mail address.
    pub user: String,
    /// The page on which somebody else signs in and comes back here.
    pub other_user: LocalPath,
    /// What people call the system behind.
    pub title: String,
    /// This page's own path, without a query.
    pub page: LocalPath,
    /// What they do here.
    pub form: CredentialForm,
    /// What they have done before.
    pub stored: Option<StoredCredential>,
    /// The forms' token.
    pub csrf: Secret,
    /// Where they go on to, when they came from there.
    pub next: Option<LocalPath>,
    /// What has just happened.
    pub notice: Option<CredentialNotice>,
}

/// What a teammate does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialForm {
    /// Fills these in.
    Fields(Vec<FormField>),
    /// Goes to the other site and comes back.
    Connect,
}

/// A field to fill in. What was typed is not shown again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// Its name.
    pub name: String,
    /// The words it is asked for in.
    pub label: String,
    /// What was wrong with what was typed.
    pub fault: Option<&'static str>,
}

/// A credential that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredCredential {
    /// When it was entered or connected.
    pub since: Timestamp,
    /// When the system behind did not accept it, if it did not.
    pub refused_at: Option<Timestamp>,
    /// Whether it can still be used.
    pub is_usable: bool,
}

/// What has just happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialNotice {
    /// It is kept.
    Saved,
    /// It is forgotten.
    Removed,
    /// Nothing was connected.
    NotConnected(NotConnected),
}

/// Why nothing was connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotConnected {
    /// They, or the other site, decided against it.
    Denied,
    /// It took too long, or the answer was good for nothing.
    Expired,
    /// It was not begun in this browser, by this teammate.
    NotBegunHere,
    /// The other site does not know this server as it is set up here.
    Misconfigured,
    /// The other site does not answer as it should.
    Down,
}

impl NotConnected {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Denied, Self::Expired, Self::NotBegunHere, Self::Misconfigured, Self::Down];

    /// The word in the query of the page.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::NotBegunHere => "not-begun-here",
            Self::Misconfigured => "misconfigured",
            Self::Down => "down",
        }
    }

    /// What happened, and what to do.
    const fn words(self) -> &'static str {
        match self {
            Self::Denied => "It was not allowed at the other site. Nothing has changed here; try again if you want to.",
            Self::Expired => "It took too long, and the answer was not good any more. Try again.",
            Self::NotBegunHere => {
                "What you came back with was not begun here by you, so it was thrown away. If somebody sent you a link, do not use it again. To connect, press the button below."
            }
            Self::Misconfigured => {
                "The other site does not accept this server. You cannot mend that: tell the administrator."
            }
            Self::Down => "The other site does not answer as it should just now. Try again in a few minutes.",
        }
    }
}

impl Credential {
    fn is_faulty(&self) -> bool {
        matches!(&self.form, CredentialForm::Fields(fields) if fields.iter().any(|field| field.fault.is_some()))
    }

    /// Whether there is nothing left to do.
    fn is_saved(&self) -> bool {
        self.notice == Some(CredentialNotice::Saved)
    }

    /// Which field is typed into first: the first that is wrong, else the first of an empty form.
    fn has_focus(&self, field: &FormField) -> bool {
        let CredentialForm::Fields(fields) = &self.form else { return false };
        match fields.iter().find(|field| field.fault.is_some()) {
            Some(wrong) => wrong.name == field.name,
            None => false,
        }
    }
}

impl View for Credential {
    fn forms(&self) -> Forms {
        match (&self.form, &self.next) {
            (CredentialForm::Fields(_), None) => Forms::StayHere,
            _ => Forms::MayLeave,
        }
    }

    fn status(&self) -> StatusCode {
        if self.is_faulty() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }
}
