//! What the issuer remembers beside clients, and the seam behind which all of it is kept.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bridgehead_core::{EndpointId, Randomness, ScopeSet};
use jiff::Timestamp;

use super::{ClientId, ClientKind, ClientRecord, StoredHash};
use crate::{Insertion, KeyHash, KeyVersion, Revocation, StoreError, text};

/// Names a grant: 12 letters and digits, also the public part of its refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(Arc<str>);

impl GrantId {
    /// Reads an id; `None` for anything but 12 characters of `0-9A-Za-z`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text::is_id(text).then(|| Self(Arc::from(text)))
    }

    /// A new one that does not meet another by chance.
    pub(super) fn generate(randomness: &dyn Randomness) -> Self {
        Self(text::random_id(randomness))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as shared text.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One authorization code (RFC 6749 §4.1.2) as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeRecord {
    /// The public part of the code.
    pub id: Arc<str>,
    /// Hash of the whole text of the code.
    pub hash: StoredHash,
    /// The client it was issued to.
    pub client: ClientId,
    /// The teammate who allowed it.
    pub subject: Arc<str>,
    /// The endpoint it is for.
    pub endpoint: EndpointId,
    /// The exact URL of that endpoint.
    pub resource: String,
    /// What was allowed.
    pub scopes: ScopeSet,
    /// Where it was sent, as the client wrote it.
    pub redirect_uri: String,
    /// `code_challenge` of the method S256 (RFC 7636 §4.2).
    pub code_challenge: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
    /// The grant that was made of it, when it was redeemed.
    pub redeemed_for: Option<GrantId>,
}

/// What a teammate allowed a client: one family of refresh tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    /// Its id.
    pub id: GrantId,
    /// The client.
    pub client: ClientId,
    /// What the client called itself then, cleaned and cut. Hostile text all the same.
    pub client_name: Option<String>,
    /// The teammate.
    pub subject: Arc<str>,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The exact URL of that endpoint: the audience of the tokens.
    pub resource: String,
    /// What was allowed.
    pub scopes: ScopeSet,
    /// When the code was redeemed.
    pub created_at: Timestamp,
    /// When a token of it was last issued.
    pub refreshed_at: Timestamp,
    /// From when on nothing of it is good any more, unless it is refreshed before.
    pub expires_at: Timestamp,
    /// From when on nothing of it is good any more, however often it is refreshed.
    pub ends_at: Timestamp,
    /// Its refresh token; `None` where the client is given none.
    pub refresh: Option<RefreshState>,
    /// When and why it was revoked.
    pub revoked: Option<Revoked>,
}

/// The refresh tokens of a grant that are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshState {
    /// How often it was rotated.
    pub generation: u32,
    /// Hash of the present token.
    pub current: StoredHash,
    /// Under which issuer key the present token was derived.
    pub issuer_key: KeyVersion,
    /// Hash of the token before it, which is good until the present one is used.
    pub previous: Option<StoredHash>,
}

/// When and why a grant was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: RevokedBecause,
}

/// Why a grant was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedBecause {
    /// The operator or the teammate said so.
    Asked,
    /// The client said so (RFC 7009).
    ByClient,
    /// A code was used twice.
    CodeReplayed,
    /// A refresh token was used after its successor.
    RefreshReused,
    /// The client was removed or revoked.
    ClientGone,
    /// The identity provider does not vouch for the teammate any more.
    ProviderRefused,
}

impl RevokedBecause {
    const ALL: [Self; 6] =
        [Self::Asked, Self::ByClient, Self::CodeReplayed, Self::RefreshReused, Self::ClientGone, Self::ProviderRefused];

    /// The word used in the store, in listings and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::ByClient => "by_client",
            Self::CodeReplayed => "code_replayed",
            Self::RefreshReused => "refresh_reused",
            Self::ClientGone => "client_gone",
            Self::ProviderRefused => "provider_refused",
        }
    }

    /// Reads the word, as a store gives it back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == text)
    }
}

/// One access token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRecord {
    /// The public part of the token.
    pub id: Arc<str>,
    /// Hash of the whole text of the token.
    pub hash: StoredHash,
    /// The grant it belongs to.
    pub grant: GrantId,
    /// What it lets its holder do.
    pub scopes: ScopeSet,
    /// When it was issued.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
    /// When it was revoked by itself; its grant may be revoked as well.
    pub revoked_at: Option<Timestamp>,
}

/// What came of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// The client is stored.
    Admitted,
    /// Another client has this id; nothing was changed.
    IdTaken,
    /// There are as many as may be, and each of them is in use; nothing was changed.
    Full,
}

/// What may be removed to make room for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// How many clients of its kind may be there.
    pub clients: u64,
    /// The present.
    pub now: Timestamp,
    /// Who was seen from then on has somebody at the consent page.
    pub open_since: Timestamp,
}

/// What came of redeeming a code.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Redemption {
    /// Grant and token are stored, and the code is used up.
    Redeemed,
    /// It had been used before, for this grant; nothing was changed.
    UsedBefore(GrantId),
    /// There is no such code (any more); nothing was changed.
    Gone,
    /// Another grant has this id; nothing was changed.
    IdTaken,
}

/// A rotation of a refresh token: what has to be so, and what is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The grant.
    pub grant: GrantId,
    /// The generation it has to have.
    pub from_generation: u32,
    /// The state that it gets.
    pub to: RefreshState,
    /// Its new time of the last refresh.
    pub refreshed_at: Timestamp,
    /// Its new expiry.
    pub expires_at: Timestamp,
}

/// What came of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Rotated {
    /// The new state and the access token are stored.
    Rotated,
    /// The grant has another generation, or is revoked, or gone; nothing was changed.
    Lost,
}

/// Everything of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// The present.
    pub now: Timestamp,
    /// Codes and access tokens that expired before this go.
    pub tokens_before: Timestamp,
    /// Grants that expired or were revoked before this go, with their tokens.
    pub grants_before: Timestamp,
    /// Clients that introduced themselves, were last seen (or made) before this and have no live
    /// grant go.
    pub clients_before: Timestamp,
}

/// How much was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Codes.
    pub codes: u64,
    /// Access tokens.
    pub access_tokens: u64,
    /// Grants.
    pub grants: u64,
    /// Clients.
    pub clients: u64,
    /// Remembered assertions.
    pub assertions: u64,
}

/// Which grants are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantsOf {
    /// All.
    Everybody,
    /// A teammate's.
    Subject(Arc<str>),
    /// A client's.
    Client(ClientId),
}

/// Keeps clients, codes, grants and tokens.
///
/// Every verb is atomic and, once it has returned `Ok`, durable as far as the store is durable at
/// all. Times are kept as [`crate::keys::to_microsecond`] says. A grant is *live* at a time when it
/// is not revoked and expires later. Clients that *introduced themselves* are those of the kinds
/// [`ClientKind::Registered`] and [`ClientKind::Document`].
/// Each implementation passes `bridgehead_stores::contract`.
#[async_trait]
pub trait IssuerStore: Send + Sync + 'static {
    /// Stores a new client that introduced itself. Where as many of its kind are there as `room` says,
    /// the one made longest ago goes that has no live grant, no code that is still good and was not
    /// seen since `room.open_since`; a document that was revoked stays. Of several at once no more are
    /// let in than there is room for.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn admit_client(&self, client: ClientRecord, room: Room) -> Result<Admission, StoreError>;

    /// Stores a new client that the operator made.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn insert_client(&self, client: ClientRecord) -> Result<Insertion, StoreError>;

    /// Puts a newer copy of a client's document in the place of the one that is there; a client that
    /// is not there stays so.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn refresh_document(&self, client: &ClientRecord) -> Result<(), StoreError>;

    /// The client with this id, revoked ones as well.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find_client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError>;

    /// All clients of a kind, oldest first; of one age, by id.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn clients(&self, kind: ClientKind) -> Result<Vec<ClientRecord>, StoreError>;

    /// How many clients of a kind there are.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn count_clients(&self, kind: ClientKind) -> Result<u64, StoreError>;

    /// Remembers that somebody was sent here to sign in with a client. Never moves the time back;
    /// an unknown id is ignored.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn see_client(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError>;

    /// Marks a client as revoked at `at`, if it is not yet, revokes its grants, and removes its
    /// codes that were not redeemed. Of several at once exactly one gets [`Revocation::Revoked`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn revoke_client(&self, id: &ClientId, at: Timestamp) -> Result<Revocation, StoreError>;

    /// Removes a client and its codes, and revokes its grants. Whether there was one.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError>;

    /// Stores a new code.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn insert_code(&self, code: CodeRecord) -> Result<Insertion, StoreError>;

    /// The code with this id, expired and redeemed ones as well.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find_code(&self, id: &str) -> Result<Option<CodeRecord>, StoreError>;

    /// Uses a code up, and stores the grant and the access token that were made of it: all or
    /// nothing. Of several at once exactly one gets [`Redemption::Redeemed`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn redeem_code(&self, id: &str, grant: GrantRecord, access: AccessRecord) -> Result<Redemption, StoreError>;

    /// The grant with this id, revoked and expired ones as well.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find_grant(&self, id: &GrantId) -> Result<Option<GrantRecord>, StoreError>;

    /// Those grants, oldest first; of one age, by id. Revoked and expired ones as well.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn grants(&self, of: &GrantsOf) -> Result<Vec<GrantRecord>, StoreError>;

    /// Rotates the refresh token of a grant that is not revoked and has the generation that is
    /// expected, and stores an access token: all or nothing. Of several at once exactly one gets
    /// [`Rotated::Rotated`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn rotate(&self, rotation: Rotation, access: AccessRecord) -> Result<Rotated, StoreError>;

    /// Stores another access token of a grant, if that is not revoked and has this generation.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn insert_access(&self, access: AccessRecord, generation: u32) -> Result<Rotated, StoreError>;

    /// An access token and its grant, expired and revoked ones as well: one look-up.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn find_access(&self, id: &str) -> Result<Option<(AccessRecord, GrantRecord)>, StoreError>;

    /// Revokes one access token, if it is not yet. Whether it was good until now.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn revoke_access(&self, id: &str, at: Timestamp) -> Result<bool, StoreError>;

    /// Revokes a grant, if it is not yet; the first time and reason stand. Of several at once exactly
    /// one gets [`Revocation::Revoked`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn revoke_grant(&self, id: &GrantId, revoked: Revoked) -> Result<Revocation, StoreError>;

    /// Revokes all grants of a teammate that are not yet, and removes their codes that were not
    /// redeemed. How many grants it were.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn revoke_subject(&self, subject: &str, revoked: Revoked) -> Result<u64, StoreError>;

    /// Remembers, until it expires, that an assertion was used. [`Insertion::IdTaken`] where it is
    /// remembered already.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn remember_assertion(&self, hash: &KeyHash, expires_at: Timestamp) -> Result<Insertion, StoreError>;

    /// Removes what is of no use any more.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn sweep(&self, stale: Stale) -> Result<Swept, StoreError>;
}
