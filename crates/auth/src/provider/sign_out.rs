//! Signing out at the provider as well (OpenID Connect RP-Initiated Logout §2).

use url::Url;

use super::Provider;
use crate::{MailAddress, StoreError};

impl Provider {
    /// Where a browser is sent to sign out there; `None` where the provider has no such page, or it is not
    /// known: nobody waits for a provider to sign out here.
    ///
    /// # Errors
    /// As the store says.
    pub async fn sign_out(&self, address: &MailAddress) -> Result<Option<Url>, StoreError> {
        let metadata = self.remote.known_metadata();
        let Some(endpoint) = metadata.as_ref().and_then(|metadata| metadata.end_session_endpoint.as_ref()) else {
            return Ok(None);
        };
        let record = self.parts.identities.identity_of(self.settings.issuer.as_str(), address).await?;
        let hint = record.and_then(|record| self.kept(&record)).and_then(|kept| kept.id_token);
        let mut url = endpoint.as_url().clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client.id)
            .append_pair("post_logout_redirect_uri", &self.redirect_uris.sign_out)
            .extend_pairs(hint.map(|hint| ("id_token_hint", hint)));
        Ok(Some(url))
    }
}
