//! The mode `oauth` with an authorization server that is not ours (requirement A6): its access tokens
//! are taken, if they are for this endpoint. Such a token is never handed on to the system behind.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::{Caller, Presented, ScopeSet, SignIn};
use http::HeaderMap;

use super::{Mode, bearer};
use crate::{Denied, ResourceServer, SecretKind, SubjectBlocks};

/// What every JWT begins with: `{"` in base64url.
const JWT_PREFIX: &str = "eyJ";

/// Lets in who shows an access token of the company's authorization server.
#[derive(Debug)]
pub struct ForeignMode {
    resource: Arc<ResourceServer>,
    blocks: SubjectBlocks,
}

impl ForeignMode {
    /// Takes what `resource` takes, and refuses whoever is cut off by name.
    #[must_use]
    pub const fn new(resource: Arc<ResourceServer>, blocks: SubjectBlocks) -> Self {
        Self { resource, blocks }
    }
}

#[async_trait]
impl Mode for ForeignMode {
    fn name(&self) -> &'static str {
        "oauth"
    }

    fn asks_for(&self) -> String {
        let service = self.resource.issuer().url().host();
        format!("Sign in at {service}: an application that can do so by OAuth asks you to when you connect it.")
    }

    /// What sends a client to the issuer (RFC 9728 §5.1), and all that it should ask for there.
    fn challenge(&self) -> Vec<(&'static str, String)> {
        let scope = self.resource.asked_for_as(self.resource.settings().endpoint.initial());
        vec![("resource_metadata", self.resource.protected_resource_metadata_url()), ("scope", scope.to_string())]
    }

    fn asked_for_as(&self, scopes: &ScopeSet) -> ScopeSet {
        self.resource.asked_for_as(scopes)
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Caller>, Denied> {
        let Some(token) = bearer(headers, JWT_PREFIX)? else { return Ok(None) };
        // What was made here is not told to others.
        if SecretKind::ALL.into_iter().any(|kind| token.starts_with(kind.prefix())) {
            return Err(Denied::ForeignToken);
        }
        let holder = self.resource.holder(token).await?;
        self.blocks.check(&holder.subject).await?;
        Ok(Some(Caller {
            subject: holder.subject,
            scopes: holder.scopes,
            sign_in: SignIn::ForeignOAuth { client_id: holder.client },
            presented: Presented::default(),
            claims: holder.claims,
        }))
    }
}
