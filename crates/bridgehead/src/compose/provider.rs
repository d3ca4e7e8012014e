//! From `auth.oauth.login` to the identity provider that teammates log in at.

use std::sync::Arc;

use bridgehead_auth::provider::{Provider, ProviderParts};
use url::Url;

use super::{issuer::Around, remote::ConfiguredExchange};
use crate::config::Settings;

/// The provider; `None` where nobody logs in at one. Nothing is asked of it yet: it may be down.
pub(super) fn provider(settings: &Settings, public_url: &Url, around: &Around<'_>) -> Option<Arc<Provider>> {
    let login = settings.auth.login()?;
    let Around { ambient, keyring } = around;
    let parts = ProviderParts {
        identities: keyring.store.identities.clone(),
        issuer: keyring.store.issuer.clone(),
        exchange: Arc::new(ConfiguredExchange::new(ambient.net.clone())),
        clock: ambient.clock.clone(),
        randomness: ambient.randomness.clone(),
    };
    Some(Arc::new(Provider::new(login.clone(), public_url, parts, &keyring.roots)))
}
