//! A teammate's own page: what they have connected, their API keys, their password.

use askama::Template;
use bridgehead_core::Secret;
use http::StatusCode;
use jiff::Timestamp;

use super::{
    Client, ClientName, Destination, Identity, LocalPath, PasswordFault, Site, View, Wait, moment, password, paths,
    scopes,
};

/// The page at [`paths::ACCOUNT`].
///
/// All its forms post a hidden `csrf`; see [`paths`] for their other fields.
#[derive(Debug, Clone, Template)]
#[template(path = "account.html")]
pub struct Account {
    /// The server.
    pub site: Site,
    /// Who they are: a mail address.
    pub user: String,
    /// The forms' token.
    pub csrf: Secret,
    /// What they have connected, newest first.
    pub connections: Vec<Connection>,
    /// What they enter or connect for systems behind, by vault.
    pub credentials: Vec<CredentialLine>,
    /// Their API keys; `None` where the server takes none that are issued here.
    pub keys: Option<ApiKeys>,
    /// The form for another password; `None` where they sign in elsewhere.
    pub password: Option<PasswordChange>,
    /// What has just happened.
    pub notice: Option<AccountNotice>,
}

/// A client that acts for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The grant's id.
    pub grant: String,
    /// The client.
    pub client: Client,
    /// Where its answer went.
    pub destination: Destination,
    /// What it may do: scope tokens.
    pub scopes: Vec<String>,
    /// Since when.
    pub connected_at: Timestamp,
    /// When it last got a token or called.
    pub last_used_at: Option<Timestamp>,
}

/// What they enter or connect for one system behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialLine {
    /// What people call the system.
    pub title: String,
    /// The page about it.
    pub page: LocalPath,
    /// How it stands.
    pub state: CredentialState,
}

/// How a credential for a system behind stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialState {
    /// There is none.
    Missing,
    /// It is there, as far as is known.
    Good {
        /// When it was entered or connected.
        since: Timestamp,
    },
    /// It has to be entered anew: it was not accepted, or cannot be read any more.
    NotGood,
}

/// Their API keys, and the form for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeys {
    /// The keys there are, newest first.
    pub keys: Vec<ApiKey>,
    /// What was typed as label at the last attempt; empty at first.
    pub label: String,
    /// What was wrong with the last attempt to make one.
    pub fault: Option<KeyFault>,
}

impl ApiKeys {
    fn is_label_wrong(&self) -> bool {
        matches!(self.fault, Some(KeyFault::Label { .. }))
    }
}

/// One API key, without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public id.
    pub id: String,
    /// What it is for.
    pub label: Option<String>,
    /// What it may do: scope tokens.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its last moment; `None` for a key without an end.
    pub expires_at: Option<Timestamp>,
    /// When it was last used.
    pub last_used_at: Option<Timestamp>,
    /// Whether it still opens anything.
    pub state: KeyState,
}

impl ApiKey {
    fn is_good(&self) -> bool {
        self.state == KeyState::Good
    }
}

/// Whether a key still opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It does.
    Good,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

/// Why no key was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// The label is too long or not printable.
    Label {
        /// How many characters it may have.
        most_characters: usize,
    },
    /// The life time is not one of those on offer.
    Days,
    /// They have as many keys as they may have.
    TooMany,
}

impl KeyFault {
    /// What to do about it.
    fn words(self) -> String {
        match self {
            Self::Label { most_characters } => {
                format!("Use a label of at most {most_characters} printable characters.")
            }
            Self::Days => "Choose how long the key is to be good.".to_owned(),
            Self::TooMany => "You have as many keys as you can have. Revoke one that you no longer need.".to_owned(),
        }
    }
}

/// The form for another password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordChange {
    /// How many characters a password needs.
    pub least_characters: usize,
    /// The present password was wrong.
    pub wrong_current: bool,
    /// What was wrong with the new one.
    pub fault: Option<PasswordFault>,
}

impl PasswordChange {
    fn fault_in_password(&self) -> Option<String> {
        password::in_password(self.fault, self.least_characters)
    }

    fn fault_in_repeat(&self) -> Option<String> {
        password::in_repeat(self.fault, self.least_characters)
    }
}

/// What has just happened, at the top of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountNotice {
    /// A client was cut off.
    Disconnected {
        /// Its name.
        client: ClientName,
    },
    /// A key was revoked.
    KeyRevoked {
        /// Its public id.
        id: String,
    },
    /// The password is new; other sessions are ended.
    PasswordChanged,
    /// Too many wrong passwords.
    TooMany {
        /// Until the next one is looked at.
        wait: Wait,
    },
}

impl Account {
    /// Whether a form was not taken as it was filled in.
    fn is_faulty(&self) -> bool {
        let key = self.keys.as_ref().is_some_and(|keys| keys.fault.is_some());
        let password = self.password.as_ref().is_some_and(|form| form.wrong_current || form.fault.is_some());
        key || password
    }
}

impl View for Account {
    fn status(&self) -> StatusCode {
        match &self.notice {
            Some(AccountNotice::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
            _ if self.is_faulty() => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::OK,
        }
    }

    fn wait(&self) -> Option<Wait> {
        match self.notice {
            Some(AccountNotice::TooMany { wait }) => Some(wait),
            _ => None,
        }
    }
}

/// The page that shows a new key, this once.
#[derive(Debug, Clone, Template)]
#[template(path = "new_key.html")]
pub struct NewApiKey {
    /// The server.
    pub site: Site,
    /// Who they are: a mail address.
    pub user: String,
    /// The key.
    pub key: Secret,
    /// The header it is sent in; `None` for `Authorization: Bearer`.
    pub header: Option<String>,
    /// What it is for.
    pub label: Option<String>,
    /// Its last moment; `None` for a key without an end.
    pub expires_at: Option<Timestamp>,
    /// The endpoint's address, as teammates type it.
    pub endpoint_url: String,
}

impl View for NewApiKey {}
