//! Revocation by the client (RFC 7009). A token that is not good, or not this client's, is no error:
//! there is nothing to revoke, and nothing to learn.

use super::{
    ClientAuthError, ClientCall, ClientRecord, ErrorAnswer, FormError, GrantId, Issuer, RevokedBecause, form::Form,
};
use crate::{SecretKind, SecretText, StoreError};
use http::StatusCode;

/// Why nothing was revoked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RevokeError {
    /// The form of the parameters.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It is not known which client is calling.
    #[error(transparent)]
    Client(#[from] ClientAuthError),
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RevokeError {
    /// What it is on the wire (RFC 7009 §2.2.1).
    #[must_use]
    pub fn answer(&self) -> ErrorAnswer {
        match self {
            Self::Form(_) => ErrorAnswer::new(StatusCode::BAD_REQUEST, "invalid_request", &self.to_string()),
            Self::Client(error) => error.answer(),
            Self::Store(_) => ErrorAnswer::unavailable(),
        }
    }
}

impl Issuer {
    /// Revokes an access token, or a refresh token with everything that was made of it, at once. What
    /// `token_type_hint` says is not needed: tokens say what they are.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn revoke(&self, call: &ClientCall<'_>) -> Result<(), RevokeError> {
        let form = Form(call.form);
        let client = self.authenticate_client(call).await?;
        let token = form.require("token")?;
        if let Ok(text) = SecretText::parse(SecretKind::AccessToken, token) {
            self.revoke_access_token(&client, &text).await?;
        } else if let Ok(text) = SecretText::parse(SecretKind::RefreshToken, token) {
            self.revoke_refresh_token(&client, &text).await?;
        }
        Ok(())
    }

    async fn revoke_access_token(&self, client: &ClientRecord, text: &SecretText) -> Result<(), StoreError> {
        let Some((access, grant)) = self.store.find_access(text.id()).await? else { return Ok(()) };
        if grant.client == client.id && self.is_stored(text, &access.hash) {
            self.store.revoke_access(&access.id, self.now()).await?;
        }
        Ok(())
    }

    async fn revoke_refresh_token(&self, client: &ClientRecord, text: &SecretText) -> Result<(), StoreError> {
        let Some(id) = GrantId::parse(text.id()) else { return Ok(()) };
        let Some(grant) = self.store.find_grant(&id).await? else { return Ok(()) };
        if grant.client == client.id && self.is_refresh_token_of(&grant, text) {
            self.store.revoke_grant(&id, self.revoked(RevokedBecause::ByClient)).await?;
        }
        Ok(())
    }
}
