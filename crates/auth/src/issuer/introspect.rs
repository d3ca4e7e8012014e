//! Introspection (RFC 7662): a client that can prove who it is may look at its own tokens.

use http::StatusCode;
use serde::Serialize;

use super::{
    AuthMethod, ClientAuthError, ClientCall, ClientId, ErrorAnswer, FormError, GrantId, GrantRecord, Issuer, form::Form,
};
use crate::{SecretKind, SecretText, StoreError};

/// What a token is good for (§2.2). Everything but `active` is left out of one that is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Introspection {
    /// Whether it is good at the moment, and the client's own.
    pub active: bool,
    /// What it lets its holder do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The teammate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The endpoint's URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// When it ends, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was issued, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// `Bearer`, of an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
}

/// Why nothing is said of a token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntrospectError {
    /// The form of the parameters.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It is not known which client is calling.
    #[error(transparent)]
    Client(#[from] ClientAuthError),
    /// A client that cannot prove who it is (§2.1).
    #[error("only a client that can prove who it is may look at tokens")]
    PublicClient,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntrospectError {
    /// What it is on the wire (§2.3).
    #[must_use]
    pub fn answer(&self) -> ErrorAnswer {
        let text = self.to_string();
        match self {
            Self::Form(_) => ErrorAnswer::new(StatusCode::BAD_REQUEST, "invalid_request", &text),
            Self::Client(error) => error.answer(),
            Self::PublicClient => ErrorAnswer::new(StatusCode::UNAUTHORIZED, "invalid_client", &text),
            Self::Store(_) => ErrorAnswer::unavailable(),
        }
    }
}

impl Issuer {
    /// Says what a token is good for.
    ///
    /// # Errors
    /// [`IntrospectError`]; a token that is not good is none.
    pub async fn introspect(&self, call: &ClientCall<'_>) -> Result<Introspection, IntrospectError> {
        let form = Form(call.form);
        let client = self.authenticate_client(call).await?;
        if client.metadata.token_endpoint_auth_method == AuthMethod::None {
            return Err(IntrospectError::PublicClient);
        }
        let token = form.require("token")?;
        let found = if let Ok(text) = SecretText::parse(SecretKind::AccessToken, token) {
            self.introspect_access(&client.id, &text).await?
        } else if let Ok(text) = SecretText::parse(SecretKind::RefreshToken, token) {
            self.introspect_refresh(&client.id, &text).await?
        } else {
            None
        };
        Ok(found.unwrap_or_default())
    }

    async fn introspect_access(
        &self,
        client: &ClientId,
        text: &SecretText,
    ) -> Result<Option<Introspection>, StoreError> {
        let Some((access, grant)) = self.store.find_access(text.id()).await? else { return Ok(None) };
        let now = self.now();
        let good = access.expires_at > now && access.revoked_at.is_none() && grant.revoked.is_none();
        if grant.client != *client || !self.is_stored(text, &access.hash) || !good {
            return Ok(None);
        }
        Ok(Some(Introspection {
            scope: Some(access.scopes.to_string()),
            exp: Some(access.expires_at.as_second()),
            iat: Some(access.created_at.as_second()),
            token_type: Some("Bearer"),
            ..self.about(&grant)
        }))
    }

    async fn introspect_refresh(
        &self,
        client: &ClientId,
        text: &SecretText,
    ) -> Result<Option<Introspection>, StoreError> {
        let Some(id) = GrantId::parse(text.id()) else { return Ok(None) };
        let Some(grant) = self.store.find_grant(&id).await? else { return Ok(None) };
        if grant.client != *client || !grant.is_live(self.now()) || !self.is_current(&grant, text) {
            return Ok(None);
        }
        Ok(Some(Introspection {
            scope: Some(grant.scopes.to_string()),
            exp: Some(grant.expires_at.as_second()),
            iat: Some(grant.refreshed_at.as_second()),
            ..self.about(&grant)
        }))
    }

    fn about(&self, grant: &GrantRecord) -> Introspection {
        Introspection {
            active: true,
            client_id: Some(grant.client.to_string()),
            sub: Some(grant.subject.to_string()),
            aud: Some(grant.resource.clone()),
            iss: Some(self.settings.issuer().to_owned()),
            ..Introspection::default()
        }
    }
}
