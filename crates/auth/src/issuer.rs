//! The issuer: the built-in OAuth authorization server (OAuth 2.1) as state transitions, one
//! endpoint a file. What comes in are the decoded parameters of a request, what goes out is what
//! its answer says; listening, rendering and signing people in are for others, and so is whether
//! somebody is who they say: the issuer is told a subject.

mod answer;
mod assertion;
mod authorize;
mod client;
mod client_auth;
mod client_metadata;
mod consent;
mod document;
mod form;
mod grants;
mod introspect;
mod keysets;
mod limit;
mod manage;
mod metadata;
mod pkce;
mod preregistered;
mod redirect;
mod refresh;
mod register;
mod revoke;
mod settings;
mod standing;
mod store;
mod token;

use std::{fmt, sync::Arc, time::Duration};

use bridgehead_core::{Clock, Fetch, Randomness};
use jiff::Timestamp;

pub use answer::ErrorAnswer;
pub use authorize::{AuthorizationRequest, AuthorizeError, ClientView};
pub use client::{AuthMethod, ClientId, ClientKind, ClientMetadata, ClientRecord, DocumentCopy, StoredHash};
pub use client_auth::{ClientAuthError, ClientCall};
pub use consent::{Approval, ApproveError, ClientRedirect};
pub use document::DocumentError;
pub use form::FormError;
pub use grants::VerifiedToken;
pub use introspect::{IntrospectError, Introspection};
pub use manage::ManageError;
pub use metadata::{AuthorizationServerMetadata, ProtectedResourceMetadata};
pub use preregistered::{AddClientError, NewClient, Preset};
pub use redirect::{RedirectTarget, RedirectUriError};
pub use register::{MetadataError, RegisterError, Registration};
pub use revoke::RevokeError;
pub use settings::{
    IssuerLimits, IssuerSettings, IssuerSettingsError, Lifetimes, ProtectedEndpoint, Rate, RegistrationPolicy,
};
pub use standing::{Standing, Standings};
pub use store::{
    AccessRecord, Admission, CodeRecord, GrantId, GrantRecord, GrantsOf, IssuerStore, Redemption, RefreshState,
    Revoked, RevokedBecause, Room, Rotated, Rotation, Stale, Swept,
};
pub use token::{GrantFault, Issued, TokenAnswer, TokenError};

use crate::{IssuerKeys, Peppers, RootKeys, SecretText, jwt, keys::to_microsecond};

/// What the issuer works with.
pub struct IssuerParts {
    /// Where everything is kept.
    pub store: Arc<dyn IssuerStore>,
    /// Fetches metadata documents and key sets, as for strangers.
    pub fetch: Arc<dyn Fetch>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
}

/// The built-in authorization server.
pub struct Issuer {
    settings: IssuerSettings,
    store: Arc<dyn IssuerStore>,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    peppers: Peppers,
    keys: IssuerKeys,
    standings: Option<Arc<dyn Standings>>,
    limits: limit::Limits,
    key_sets: keysets::KeySets,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("issuer", &self.settings.issuer()).finish_non_exhaustive()
    }
}

impl Issuer {
    /// An issuer with keys derived from `roots`.
    #[must_use]
    pub fn new(settings: IssuerSettings, parts: IssuerParts, roots: &RootKeys) -> Self {
        let IssuerParts { store, fetch, clock, randomness } = parts;
        jwt::install();
        Self {
            limits: limit::Limits::new(&settings.limits),
            key_sets: keysets::KeySets::default(),
            peppers: Peppers::derive(roots),
            keys: IssuerKeys::derive(roots),
            standings: None,
            settings,
            store,
            fetch,
            clock,
            randomness,
        }
    }

    /// Asks, before tokens are issued, whether their teammate may still do what they allowed.
    #[must_use]
    pub fn with_standings(self, standings: Arc<dyn Standings>) -> Self {
        Self { standings: Some(standings), ..self }
    }

    /// How it is set up.
    #[must_use]
    pub const fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        to_microsecond(self.clock.now())
    }

    /// The hash of a secret as it is stored from now on.
    fn stored(&self, secret: &SecretText) -> StoredHash {
        let (version, hash) = self.peppers.hash(secret.secret());
        StoredHash { version, hash }
    }

    /// Whether this is the secret that was stored. Where the root key is not loaded, it is not, and
    /// the operator is told.
    fn is_stored(&self, secret: &SecretText, stored: &StoredHash) -> bool {
        let hash = self.peppers.hash_under(&stored.version, secret.secret());
        if hash.is_none() {
            tracing::warn!(
                kind = ?secret.kind(), root_key = %stored.version,
                "what was issued cannot be checked: its root key is not in [secrets] keys"
            );
        }
        hash.is_some_and(|hash| hash == stored.hash)
    }
}

/// So much later; the end of the calendar where that is beyond it.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
