//! The refusal of a call that needs a credential of the caller's own: whose, for what, and where it
//! is entered.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is the matter with a caller's credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialLack {
    /// They have entered none yet.
    NotEntered,
    /// The system behind, or whoever renews it there, does not accept it any more.
    NotAccepted,
    /// It was sealed under a root key that is not loaded any more, or is damaged.
    Unreadable,
    /// They were let in by a credential that another system judged: nobody signs in here by that name.
    SignedInElsewhere,
}

/// A credential that a caller has to enter first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}", self.message())]
pub struct CredentialRequired {
    /// The vault's name in the configuration.
    pub vault: Arc<str>,
    /// What people call the system behind.
    pub title: String,
    /// Whose credential it is.
    pub subject: Arc<str>,
    /// Where it is entered, absolute. Who opens it has to sign in as `subject`: the link itself opens
    /// nothing.
    pub url: String,
    /// What is the matter.
    pub lack: CredentialLack,
    /// What the system behind said, without secrets.
    pub said: Option<String>,
}

impl CredentialRequired {
    fn message(&self) -> String {
        let Self { title, subject, url, .. } = self;
        let said = self.said.as_deref().map(|said| format!(" (“{said}”)")).unwrap_or_default();
        let (what, how) = match self.lack {
            CredentialLack::NotEntered => {
                ("and that of the caller is not there yet; nothing was sent".to_owned(), "enter it there")
            }
            CredentialLack::NotAccepted => {
                (format!("and it does not accept that of the caller any more{said}"), "enter it anew there")
            }
            CredentialLack::Unreadable => {
                ("and that of the caller cannot be read any more; nothing was sent".to_owned(), "enter it anew there")
            }
            CredentialLack::SignedInElsewhere => {
                return format!(
                    "{title} is called with what each teammate entered here, and the caller {subject} did not sign in \
                     here; nothing was sent. Connect this server by OAuth instead, and enter the credential at {url}."
                );
            }
        };
        format!(
            "{title} is called with each teammate's own credential, {what}. The caller is {subject}: they have to open \
             {url}, sign in as {subject} and {how}. Call again after that."
        )
    }

    /// What stands in `details`.
    pub(super) fn details(&self) -> Value {
        json!({ "vault": &*self.vault, "subject": &*self.subject, "url": self.url })
    }
}
