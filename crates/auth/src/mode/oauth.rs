//! The mode `oauth` (requirements A4, A5): access tokens of the built-in authorization server. A token
//! is looked up for each call, so that one that was revoked is refused at once. It is never handed on
//! to the system behind.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::{Caller, Claims, EndpointId, Presented, SignIn};
use http::HeaderMap;

use super::{Mode, bearer};
use crate::{Denied, Issuer, MailAddress, SecretKind, SubjectBlocks, provider::Provider};

/// Lets in who shows an access token for its endpoint.
#[derive(Debug)]
pub struct OAuthMode {
    issuer: Arc<Issuer>,
    endpoint: EndpointId,
    blocks: Option<SubjectBlocks>,
    provider: Option<Arc<Provider>>,
}

impl OAuthMode {
    /// Takes access tokens that `issuer` made for `endpoint`.
    #[must_use]
    pub const fn new(issuer: Arc<Issuer>, endpoint: EndpointId) -> Self {
        Self { issuer, endpoint, blocks: None, provider: None }
    }

    /// Refuses whoever is cut off by name, whatever they allowed a client.
    #[must_use]
    pub fn with_blocks(self, blocks: SubjectBlocks) -> Self {
        Self { blocks: Some(blocks), ..self }
    }

    /// Tells of callers what the identity provider said of them last.
    #[must_use]
    pub fn with_provider(self, provider: Arc<Provider>) -> Self {
        Self { provider: Some(provider), ..self }
    }

    async fn claims(&self, subject: &str) -> Result<Claims, Denied> {
        match (&self.provider, MailAddress::parse(subject)) {
            (Some(provider), Ok(address)) => Ok(provider.claims(&address).await?),
            _ => Ok(Claims::default()),
        }
    }
}

#[async_trait]
impl Mode for OAuthMode {
    fn name(&self) -> &'static str {
        "oauth"
    }

    fn asks_for(&self) -> String {
        "Sign in: an application that can do so by OAuth asks you to by itself when you connect it.".to_owned()
    }

    /// What sends a client into OAuth (RFC 9728 §5.1), and all that it should ask for there, since few
    /// clients can ask for more later.
    fn challenge(&self) -> Vec<(&'static str, String)> {
        let metadata = self.issuer.protected_resource_metadata_url(&self.endpoint);
        let endpoint = self.issuer.settings().endpoint(&self.endpoint);
        let metadata = metadata.map(|url| ("resource_metadata", url));
        let scope = endpoint.map(|endpoint| ("scope", endpoint.initial().to_string()));
        metadata.into_iter().chain(scope).collect()
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Caller>, Denied> {
        let Some(token) = bearer(headers, SecretKind::AccessToken.prefix())? else { return Ok(None) };
        let verified = self.issuer.verify_access_token(&self.endpoint, token).await?;
        if let Some(blocks) = &self.blocks {
            blocks.check(&verified.subject).await?;
        }
        let claims = self.claims(&verified.subject).await?;
        Ok(Some(Caller {
            subject: verified.subject,
            scopes: verified.scopes,
            sign_in: SignIn::OAuth { client_id: verified.client.to_shared(), grant_id: verified.grant.to_shared() },
            presented: Presented::default(),
            claims,
        }))
    }
}
