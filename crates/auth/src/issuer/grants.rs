//! What teammates allowed: listed, revoked, checked for each call, and cleared away when it is over.

use std::sync::Arc;

use bridgehead_core::{EndpointId, ScopeSet};
use jiff::Timestamp;

use super::{ClientId, GrantId, GrantRecord, GrantsOf, Issuer, RevokedBecause, Stale, Swept};
use crate::{Denied, Revocation, SecretKind, SecretText, SecretTextError, StoreError};

/// Whoever shows an access token that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// The teammate.
    pub subject: Arc<str>,
    /// The client that acts for them.
    pub client: ClientId,
    /// What they allowed it.
    pub grant: GrantId,
    /// What the token lets its holder do.
    pub scopes: ScopeSet,
}

impl GrantRecord {
    /// Whether something of it is good, or can be again by a refresh.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires_at > now
    }
}

impl Issuer {
    /// Checks an access token for an endpoint: one look into the store and one hash, so that what is
    /// revoked anywhere is revoked here.
    ///
    /// An unknown id, a wrong secret and another endpoint's token are the same refusal; that a token
    /// is expired or revoked is told only to the one who has all of it.
    ///
    /// # Errors
    /// [`Denied::ForeignToken`], [`Denied::DamagedToken`], [`Denied::UnknownToken`],
    /// [`Denied::ExpiredToken`], [`Denied::RevokedToken`] or [`Denied::StoreUnavailable`].
    pub async fn verify_access_token(&self, endpoint: &EndpointId, token: &str) -> Result<VerifiedToken, Denied> {
        let text = SecretText::parse(SecretKind::AccessToken, token).map_err(|error| match error {
            SecretTextError::OtherKind => Denied::ForeignToken,
            SecretTextError::Damaged => Denied::DamagedToken,
        })?;
        let Some((access, grant)) = self.store.find_access(text.id()).await? else {
            std::hint::black_box(self.stored(&text));
            return Err(Denied::UnknownToken);
        };
        let audience = self.settings.endpoint(endpoint).map(|endpoint| self.settings.resource(endpoint));
        let ours = grant.endpoint == *endpoint && audience.is_some_and(|audience| audience == grant.resource);
        if !self.is_stored(&text, &access.hash) || !ours {
            return Err(Denied::UnknownToken);
        }
        if let Some(at) = grant.revoked.map(|revoked| revoked.at).or(access.revoked_at) {
            return Err(Denied::RevokedToken { at });
        }
        if access.expires_at <= self.clock.now() {
            return Err(Denied::ExpiredToken { at: access.expires_at });
        }
        Ok(VerifiedToken { subject: grant.subject, client: grant.client, grant: grant.id, scopes: access.scopes })
    }

    /// Grants, oldest first; revoked and expired ones as well.
    ///
    /// # Errors
    /// As the store says.
    pub async fn grants(&self, of: &GrantsOf) -> Result<Vec<GrantRecord>, StoreError> {
        self.store.grants(of).await
    }

    /// Revokes a grant; its access tokens are refused at once.
    ///
    /// # Errors
    /// As the store says.
    pub async fn revoke_grant(&self, id: &GrantId) -> Result<Revocation, StoreError> {
        self.store.revoke_grant(id, self.revoked(RevokedBecause::Asked)).await
    }

    /// Revokes all that a teammate allowed, and what they are just about to: for one who is disabled.
    /// How many grants it were.
    ///
    /// # Errors
    /// As the store says.
    pub async fn revoke_subject(&self, subject: &str) -> Result<u64, StoreError> {
        self.store.revoke_subject(subject, self.revoked(RevokedBecause::Asked)).await
    }

    /// Clears away what is of no use any more: codes and tokens a day after their end, grants 30 days
    /// after theirs, and clients that nobody signs in with. For a task that does so every hour.
    ///
    /// # Errors
    /// As the store says.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
        let now = self.now();
        let before = |age| now.saturating_sub(age).unwrap_or(Timestamp::MIN);
        let stale = Stale {
            now,
            tokens_before: before(DAY),
            grants_before: before(30 * DAY),
            clients_before: before(self.settings.lifetimes.unused_client),
        };
        self.store.sweep(stale).await
    }
}
