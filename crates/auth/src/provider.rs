//! An identity provider in front of the built-in authorization server (requirement A7): clients are
//! registered here, people sign in there (OpenID Connect Core §3.1, with PKCE). What a person may do
//! follows from what the provider says of them, when they sign in and again whenever a client of
//! theirs wants new tokens. Pages, cookies and connections are not known here.

mod admission;
mod id_token;
mod refusal;
mod settings;
mod sign_in;
mod sign_out;
mod standing;
mod state;
mod store;
mod tokens;

use std::{fmt, sync::Arc};

use bridgehead_core::{Claims, Clock, Randomness};
use url::Url;

pub use admission::NotAdmitted;
pub use refusal::ProviderSignInError;
pub use settings::{MailVerification, ProviderSettings};
pub use sign_in::{Arrival, Departure};
pub use standing::{CHECK_EVERY, GRACE, WITHOUT_REFRESH};
pub use state::{LASTS as SIGN_IN_LASTS, cookie_of};
pub use store::{Bound, IdentityId, IdentityRecord, IdentityStore, Vouched};

use crate::{
    IssuerStore, MailAddress, RootKeys, StoreError, Vault,
    remote::{Exchange, FirstDocument, RemoteIssuer, RemoteParts},
};

/// What a provider is asked with, and where what it says is kept.
pub struct ProviderParts {
    /// Who of the provider is which user.
    pub identities: Arc<dyn IdentityStore>,
    /// What was allowed to clients, which ends when the provider refuses somebody; and which `state`s
    /// were used.
    pub issuer: Arc<dyn IssuerStore>,
    /// The way to the provider.
    pub exchange: Arc<dyn Exchange>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
}

/// What has to be registered at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectUris {
    /// Where it sends people back to: `PUBLIC_URL/oauth/callback`.
    pub sign_in: String,
    /// Where it may send people after they signed out there: `PUBLIC_URL/login?signed-out`.
    pub sign_out: String,
}

impl RedirectUris {
    /// Those of a server with this public URL.
    #[must_use]
    pub fn of(public_url: &str) -> Self {
        let at = |path: &str| format!("{}{path}", public_url.trim_end_matches('/'));
        Self { sign_in: at("/oauth/callback"), sign_out: at("/login?signed-out") }
    }
}

/// The provider that people sign in at.
pub struct Provider {
    settings: ProviderSettings,
    redirect_uris: RedirectUris,
    remote: RemoteIssuer,
    parts: ProviderParts,
    vault: Vault,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider in front of a server with this public URL. Nothing is asked of it before somebody signs in.
    #[must_use]
    pub fn new(settings: ProviderSettings, public_url: &Url, parts: ProviderParts, roots: &RootKeys) -> Self {
        let there = RemoteParts { exchange: parts.exchange.clone(), clock: parts.clock.clone() };
        let remote = RemoteIssuer::new(settings.issuer.clone(), FirstDocument::OpenId, there);
        Self {
            settings,
            redirect_uris: RedirectUris::of(public_url.as_str()),
            remote,
            parts,
            vault: Vault::derive(roots),
        }
    }

    /// How it is set up.
    #[must_use]
    pub const fn settings(&self) -> &ProviderSettings {
        &self.settings
    }

    /// What the provider said last of the user with this address; nothing where it never did.
    ///
    /// # Errors
    /// As the store says.
    pub async fn claims(&self, address: &MailAddress) -> Result<Claims, StoreError> {
        let record = self.parts.identities.identity_of(self.settings.issuer.as_str(), address).await?;
        Ok(record.map(|record| record.claims).unwrap_or_default())
    }
}
