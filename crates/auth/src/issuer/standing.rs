//! Whether a teammate may still do what they allowed a client to do, where somebody else than the issuer
//! knows that: whoever signs them in.

use async_trait::async_trait;
use bridgehead_core::ScopeSet;
use jiff::Timestamp;

use super::{GrantFault, GrantRecord, Issuer, RevokedBecause, TokenError};
use crate::StoreError;

/// What a teammate may do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// So much.
    Good {
        /// The most that they may do.
        scopes: ScopeSet,
        /// From when on this has to be asked again, at the latest; `None` for whenever tokens are renewed.
        until: Option<Timestamp>,
    },
    /// Nothing, before they signed in again.
    SignInAgain,
    /// Nothing: what they allowed is revoked.
    Gone,
    /// It cannot be said at the moment.
    Unknown,
}

/// Says what teammates may do.
#[async_trait]
pub trait Standings: Send + Sync + 'static {
    /// What the teammate may do now.
    ///
    /// # Errors
    /// As the store says.
    async fn standing(&self, subject: &str) -> Result<Standing, StoreError>;
}

/// How far tokens of a grant may go now.
pub(super) struct Reach {
    most: Option<ScopeSet>,
    pub(super) until: Timestamp,
}

impl Reach {
    /// As far as both go.
    ///
    /// # Errors
    /// [`GrantFault::NothingLeft`].
    pub(super) fn narrow(&self, scopes: ScopeSet) -> Result<ScopeSet, GrantFault> {
        let Some(most) = &self.most else { return Ok(scopes) };
        let scopes = scopes.common(most);
        if scopes.is_empty() { Err(GrantFault::NothingLeft) } else { Ok(scopes) }
    }
}

impl Issuer {
    /// How far tokens of a grant may go, by what its teammate may do now.
    pub(super) async fn reach(&self, grant: &GrantRecord) -> Result<Reach, TokenError> {
        let Some(standings) = &self.standings else { return Ok(Reach { most: None, until: grant.ends_at }) };
        match standings.standing(&grant.subject).await? {
            Standing::Good { scopes, until } => {
                let until = until.map_or(grant.ends_at, |until| until.min(grant.ends_at));
                Ok(Reach { most: Some(scopes), until })
            }
            Standing::SignInAgain => Err(GrantFault::SignInAgain.into()),
            Standing::Gone => Err(GrantFault::Revoked(RevokedBecause::ProviderRefused).into()),
            Standing::Unknown => Err(TokenError::StandingUnknown),
        }
    }
}
