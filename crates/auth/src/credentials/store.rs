//! What is remembered of teammates' credentials, and the trait behind which it lives. Everything secret
//! comes sealed.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{LeaseOutcome, Sealed, StoreError};

/// What a teammate did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// Filled in fields.
    Fields,
    /// Connected by OAuth.
    OAuth,
}

impl CredentialKind {
    /// The word in stores and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fields => "fields",
            Self::OAuth => "oauth",
        }
    }

    /// Reads the word, as a store gives it back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Fields, Self::OAuth].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Tells one content of a credential from every other. The same content sealed anew keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialVersion(Arc<str>);

impl CredentialVersion {
    /// Takes a version, as a store gives it back.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version as shared text.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

/// One teammate's credential of one vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRecord {
    /// The vault's name.
    pub vault: Arc<str>,
    /// The teammate.
    pub subject: Arc<str>,
    /// What they did.
    pub kind: CredentialKind,
    /// What they entered, or the tokens, sealed as belonging to this vault and teammate.
    pub sealed: Sealed,
    /// Tells this content from every other.
    pub version: CredentialVersion,
    /// When it was entered or connected.
    pub entered_at: Timestamp,
    /// When its content last changed: entered or renewed.
    pub renewed_at: Timestamp,
    /// The first moment at which the access token is no longer good, where that is known.
    pub expires_at: Option<Timestamp>,
    /// When the system behind did not accept it, if it did not.
    pub refused_at: Option<Timestamp>,
}

/// A teammate on their way to another authorization server and back.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingConnection {
    /// SHA-256 of the `state` that comes back.
    pub state: [u8; 32],
    /// The browser session that it began in.
    pub session: Arc<str>,
    /// The vault.
    pub vault: Arc<str>,
    /// The teammate.
    pub subject: Arc<str>,
    /// The PKCE verifier, sealed.
    pub verifier: Sealed,
    /// Where they go on to, a path of this server.
    pub next: Option<String>,
    /// From when it is not taken any more.
    pub expires_at: Timestamp,
}

impl fmt::Debug for PendingConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vault, subject, expires_at, .. } = self;
        f.debug_struct("PendingConnection")
            .field("vault", vault)
            .field("subject", subject)
            .field("expires_at", expires_at)
            .finish_non_exhaustive()
    }
}

/// What became of a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It is in its place.
    Replaced,
    /// Something else was there, or nothing; nothing is changed.
    Changed,
}

/// What became of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone.
    Removed,
    /// There was none.
    NotFound,
}

/// Where credentials live. Every verb is atomic, and seen by all replicas at once. Times are kept to
/// the microsecond; lists are in the order of vaults, and then of subjects.
///
/// # Errors
/// All of them: what the store says.
#[async_trait]
pub trait CredentialStore: Send + Sync + 'static {
    /// A teammate's credential of a vault.
    async fn credential(&self, vault: &str, subject: &str) -> Result<Option<CredentialRecord>, StoreError>;

    /// All credentials.
    async fn credentials(&self) -> Result<Vec<CredentialRecord>, StoreError>;

    /// All credentials of one teammate.
    async fn credentials_of(&self, subject: &str) -> Result<Vec<CredentialRecord>, StoreError>;

    /// Keeps a credential, in the place of whatever was there; a renewal of that is nobody's any more.
    async fn keep_credential(&self, record: &CredentialRecord) -> Result<(), StoreError>;

    /// Puts a credential in the place of the one of that version.
    async fn replace_credential(
        &self,
        record: &CredentialRecord,
        version: &CredentialVersion,
    ) -> Result<Replacement, StoreError>;

    /// Forgets a credential.
    async fn remove_credential(&self, vault: &str, subject: &str) -> Result<Removal, StoreError>;

    /// Takes it upon `owner` to renew a credential, until `until`: where nobody does, where whoever did
    /// had until `now` at most, or where `owner` does already. Of a credential that is not there:
    /// [`LeaseOutcome::Held`].
    async fn take_renewal(
        &self,
        vault: &str,
        subject: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LeaseOutcome, StoreError>;

    /// Gives the renewal back, if it is `owner`'s.
    async fn end_renewal(&self, vault: &str, subject: &str, owner: &str) -> Result<(), StoreError>;

    /// Remembers that a teammate is on their way, and forgets those that had expired by `now`.
    async fn begin_connection(&self, pending: &PendingConnection, now: Timestamp) -> Result<(), StoreError>;

    /// Takes the connection with this state out, if it has not expired by `now`: each is taken once.
    async fn take_connection(&self, state: &[u8; 32], now: Timestamp) -> Result<Option<PendingConnection>, StoreError>;
}
