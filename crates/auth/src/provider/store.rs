//! What is remembered about the people of an identity provider, and the seam behind which it is kept.

use async_trait::async_trait;
use bridgehead_core::{Claims, ScopeSet};
use jiff::Timestamp;

use crate::{
    Sealed, StoreError,
    users::{MailAddress, UserRecord},
};

/// By what a provider knows a person for ever (OpenID Connect Core §5.7): a mail address may be given
/// to somebody else one day, this pair may not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: String,
}

/// A person of a provider, and which user they are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRecord {
    /// Who they are there.
    pub id: IdentityId,
    /// Who they are here.
    pub address: MailAddress,
    /// What the provider said of them last, as far as it is kept.
    pub claims: Claims,
    /// What they may do, by their groups of then.
    pub scopes: ScopeSet,
    /// By what the provider can be asked again.
    pub tokens: Option<Sealed>,
    /// When the provider last vouched for them.
    pub checked_at: Timestamp,
    /// When it refused to, after that.
    pub refused_at: Option<Timestamp>,
}

/// What came of binding a person to a user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Bound {
    /// They are this user, who was added where there was none.
    To(Box<UserRecord>),
    /// Somebody else of the same provider is the user with this address; nothing was changed.
    AddressTaken,
}

/// What a provider said when it was asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// What it said of the person.
    pub claims: Claims,
    /// What they may do, by their groups.
    pub scopes: ScopeSet,
    /// By what it can be asked the next time.
    pub tokens: Option<Sealed>,
    /// When it said so.
    pub at: Timestamp,
}

/// Keeps who of a provider is which user. What [`UserStore`](crate::UserStore) promises holds here as
/// well. Each implementation passes `bridgehead_stores::contract`.
#[async_trait]
pub trait IdentityStore: Send + Sync + 'static {
    /// A person signed in. One who is not known yet is bound to the user with the record's address, who
    /// is added as `user` where there is none; one who is known stays the user that they are, whatever
    /// address they have now. All else of the record is stored, and the user gets its scopes. The link
    /// for the first administrator is gone where a user was added.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn bind_identity(&self, record: IdentityRecord, user: UserRecord) -> Result<Bound, StoreError>;

    /// The person of an issuer who is the user with this address.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn identity_of(&self, issuer: &str, address: &MailAddress) -> Result<Option<IdentityRecord>, StoreError>;

    /// Reserves, until `until`, asking the provider about a person who was last vouched for at
    /// `checked_at` and was not refused since. Of several at once exactly one gets it.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn begin_check(
        &self,
        id: &IdentityId,
        checked_at: Timestamp,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The provider vouched again for a person who was last vouched for at `checked_at`: their user gets
    /// the scopes. Whether it was still so.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn vouched(&self, id: &IdentityId, checked_at: Timestamp, said: Vouched) -> Result<bool, StoreError>;

    /// The provider refused at `at` to vouch again for a person who was last vouched for at `checked_at`:
    /// their sessions end, and it cannot be asked any more. Whether it was still so.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn refused(&self, id: &IdentityId, checked_at: Timestamp, at: Timestamp) -> Result<bool, StoreError>;

    /// Forgets who of any provider a user is; their sessions end. Whether there was anybody.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn release_user(&self, address: &MailAddress) -> Result<bool, StoreError>;
}
