//! What is remembered about users, their one-time links and their sessions, and the seams behind
//! which it is kept.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::ScopeSet;
use jiff::Timestamp;

use super::{MailAddress, PasswordHash};
use crate::{KeyHash, KeyVersion, StoreError};

/// A person who signs in here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who they are: also the subject of every call that is made for them.
    pub address: MailAddress,
    /// What they are called on pages.
    pub name: Option<String>,
    /// Whether they may administer users, clients and grants.
    pub admin: bool,
    /// The most that they can allow a client to do.
    pub scopes: ScopeSet,
    /// When they were added.
    pub created_at: Timestamp,
    /// Since when they may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When they last signed in.
    pub signed_in_at: Option<Timestamp>,
    /// Whether they have chosen a password yet.
    pub has_password: bool,
}

/// A user as they are stored. `user.has_password` says no more than `password` and is not stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// All but the password.
    pub user: User,
    /// The password's hash.
    pub password: Option<PasswordHash>,
}

impl UserRecord {
    /// A user with this password, or with none.
    #[must_use]
    pub fn new(user: User, password: Option<PasswordHash>) -> Self {
        Self { user: User { has_password: password.is_some(), ..user }, password }
    }
}

/// What a one-time link is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkPurpose {
    /// A new user chooses their password.
    Invitation(MailAddress),
    /// A user chooses another password.
    PasswordReset(MailAddress),
    /// Whoever opens it becomes the first user, and an administrator. There is one such link at most.
    FirstAdministrator,
}

impl LinkPurpose {
    /// The word by which a store knows it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Invitation(_) => "invitation",
            Self::PasswordReset(_) => "password_reset",
            Self::FirstAdministrator => "first_administrator",
        }
    }

    /// Whom it is for, where that is known.
    #[must_use]
    pub const fn address(&self) -> Option<&MailAddress> {
        match self {
            Self::Invitation(address) | Self::PasswordReset(address) => Some(address),
            Self::FirstAdministrator => None,
        }
    }

    /// Reads what a store gives back.
    #[must_use]
    pub fn parse(word: &str, address: Option<MailAddress>) -> Option<Self> {
        match (word, address) {
            ("invitation", Some(address)) => Some(Self::Invitation(address)),
            ("password_reset", Some(address)) => Some(Self::PasswordReset(address)),
            ("first_administrator", None) => Some(Self::FirstAdministrator),
            _ => None,
        }
    }
}

/// A one-time link as it is stored: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRecord {
    /// The public part of the link's text.
    pub id: Arc<str>,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Hash of the whole text.
    pub hash: KeyHash,
    /// Which root key the pepper of `hash` comes from.
    pub pepper_version: KeyVersion,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

/// A browser session as it is stored: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The public part of the cookie's value.
    pub id: Arc<str>,
    /// Who signed in.
    pub address: MailAddress,
    /// Hash of the cookie's whole value.
    pub hash: KeyHash,
    /// Which root key the pepper of `hash` comes from.
    pub pepper_version: KeyVersion,
    /// When they signed in.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good, however much it is used.
    pub expires_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub last_used_at: Timestamp,
}

/// What came of adding a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Addition {
    /// They are stored.
    Added,
    /// Somebody has this address already; nothing was changed.
    AddressTaken,
}

/// What came of a change to a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum UserChange {
    /// It is so from now on.
    Changed,
    /// It was so before.
    Unchanged,
    /// Nobody has this address.
    NotFound,
}

/// What a link is used for.
#[derive(Debug, Clone)]
pub enum Redemption {
    /// Its user gets this password.
    Password(PasswordHash),
    /// This user is added, with their password.
    FirstAdministrator(UserRecord),
}

/// What came of using a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Redeemed {
    /// It was good, is used up, and what it was used for is done.
    Done,
    /// It was used before.
    Spent,
    /// Its time is over.
    Expired,
    /// There is no such link, or it is for something else.
    Unknown,
    /// Its user is disabled or gone, or somebody else was first. The link is as it was.
    NotFor,
}

/// Whose link for the first administrator it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The one that was brought is stored.
    Made,
    /// Another one stands, and is good.
    Stands(LinkRecord),
    /// There are users already.
    NotNeeded,
}

/// What came of beginning a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Beginning {
    /// It is stored.
    Begun,
    /// The user is gone or disabled, or has another password by now.
    Refused,
}

/// Keeps users and their one-time links.
///
/// Every verb is atomic, of several at once each sees the others' done or not begun, and once it has
/// returned `Ok` it is durable as far as the store is durable at all. Times are kept as
/// [`to_microsecond`](crate::keys::to_microsecond) says. Each implementation passes
/// `bridgehead_stores::contract`.
#[async_trait]
pub trait UserStore: Send + Sync + 'static {
    /// Adds a user. The link for the first administrator, where there is one, is gone from now on.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn add_user(&self, record: UserRecord) -> Result<Addition, StoreError>;

    /// The user with this address, disabled ones as well.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find_user(&self, address: &MailAddress) -> Result<Option<UserRecord>, StoreError>;

    /// All users, oldest first; of one age, by address in the order of its bytes.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn list_users(&self) -> Result<Vec<UserRecord>, StoreError>;

    /// Disables a user, if they are not yet: their sessions end and their links are gone.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn disable_user(&self, address: &MailAddress, at: Timestamp) -> Result<UserChange, StoreError>;

    /// Lets a user in again who was disabled.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn enable_user(&self, address: &MailAddress) -> Result<UserChange, StoreError>;

    /// Gives a user a password: their sessions end and their links are gone. Never
    /// [`UserChange::Unchanged`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn set_password(&self, address: &MailAddress, password: &PasswordHash) -> Result<UserChange, StoreError>;

    /// Puts another hash of the same password in the place of the old one, if that stands there.
    /// Says whether it did.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn replace_hash(
        &self,
        address: &MailAddress,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Stores a link for a user in the place of all they had. Says whether there is such a user,
    /// who is not disabled. The link is never one for the first administrator.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn put_link(&self, link: LinkRecord) -> Result<bool, StoreError>;

    /// Stores the link for the first administrator where there is no user, and no such link that is
    /// good at `now`. Of several at once exactly one is [`Claim::Made`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn claim_first_administrator(&self, link: LinkRecord, now: Timestamp) -> Result<Claim, StoreError>;

    /// The link with this id, used and expired ones as well.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find_link(&self, id: &str) -> Result<Option<LinkRecord>, StoreError>;

    /// Uses a link at `now`, and does what it is used for: both or neither. The user's sessions end
    /// and their other links are gone. Of several at once exactly one gets [`Redeemed::Done`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn redeem_link(&self, id: &str, redemption: Redemption, now: Timestamp) -> Result<Redeemed, StoreError>;

    /// Removes links that were no longer good at `expired_before`. Says how many.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn remove_links(&self, expired_before: Timestamp) -> Result<u64, StoreError>;
}

/// Keeps browser sessions. What [`UserStore`] promises holds here as well.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a session, if its user is there, is not disabled and still has this password, where
    /// one is named. Remembers the time as that of their last sign-in.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn begin_session(
        &self,
        session: SessionRecord,
        password: Option<&PasswordHash>,
    ) -> Result<Beginning, StoreError>;

    /// The session with this id and its user; `None` where it has ended, not where its time is over.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find_session(&self, id: &str) -> Result<Option<(SessionRecord, User)>, StoreError>;

    /// Remembers that a session was used. Never moves the time back; an unknown id is ignored.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn touch_session(&self, id: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Ends a session. Says whether it was there.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn end_session(&self, id: &str) -> Result<bool, StoreError>;

    /// Ends all sessions of a user. Says how many.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn end_sessions_of(&self, address: &MailAddress) -> Result<u64, StoreError>;

    /// Removes sessions whose time is over at `now`, or that were last used at `idle_since` or
    /// before. Says how many.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn remove_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64, StoreError>;
}
