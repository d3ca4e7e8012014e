//! The token endpoint (RFC 6749 §3.2): codes and refresh tokens against tokens. Client, redirect URI,
//! verifier and resource are checked before anything is used up.

use std::sync::Arc;

use bridgehead_core::{EndpointId, ScopeSet, Secret};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{
    AccessRecord, ClientAuthError, ClientCall, ClientId, ClientRecord, CodeRecord, ErrorAnswer, FormError, GrantId,
    GrantRecord, Issuer, Redemption, Revoked, RevokedBecause, client_metadata::shown_name, consent::ATTEMPTS,
    form::Form, pkce,
};
use crate::{SecretKind, SecretText, StoreError};

/// A good answer (RFC 6749 §5.1). `Serialize` writes what goes to the client, tokens and all; `Debug`
/// does not show them.
#[derive(Debug, Clone, Serialize)]
pub struct TokenAnswer {
    /// The access token.
    #[serde(serialize_with = "exposed")]
    pub access_token: Secret,
    /// `Bearer`.
    pub token_type: &'static str,
    /// How many seconds it is good.
    pub expires_in: u64,
    /// The refresh token, where the client is given one.
    #[serde(serialize_with = "exposed_if_any", skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<Secret>,
    /// What it lets its holder do.
    pub scope: String,
    /// Whom it was issued to and for, for logs and traces: not sent.
    #[serde(skip)]
    pub issued: Issued,
}

/// Whom a token was issued to and for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The client.
    pub client: ClientId,
    /// The teammate.
    pub subject: Arc<str>,
    /// The grant.
    pub grant: GrantId,
}

pub(super) fn exposed<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

pub(super) fn exposed_if_any<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => exposed(secret, serializer),
        None => serializer.serialize_none(),
    }
}

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The form of the parameters.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It is not known which client is calling.
    #[error(transparent)]
    Client(#[from] ClientAuthError),
    /// Another grant type than a code or a refresh token.
    #[error("grant_type has to be authorization_code or refresh_token")]
    GrantType,
    /// The client is not given refresh tokens.
    #[error("the client did not register the grant type refresh_token")]
    NotForThisClient,
    /// The code or refresh token is not good.
    #[error(transparent)]
    Grant(#[from] GrantFault),
    /// More than was allowed.
    #[error("scope may name no more than was allowed: {allowed}. Send the teammate through a new sign-in for more")]
    Scope {
        /// What was allowed.
        allowed: ScopeSet,
    },
    /// A `resource` that is not ours, or not the one that was allowed (RFC 8707 §2.2).
    #[error("resource has to be the one that the teammate allowed, or left out")]
    Target,
    /// Whoever signs the teammate in cannot be asked at the moment, and was not for a while.
    #[error("it cannot be checked at the moment whether the teammate may go on")]
    StandingUnknown,
    /// Every id that was drawn is taken: the source of randomness repeats itself.
    #[error("no token can be made at the moment")]
    NoFreeId,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with a code or a refresh token. To the client all of it but [`GrantFault::NoKey`] is
/// `invalid_grant`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantFault {
    /// Not one of ours, not whole, or too old to be remembered.
    #[error("the code or refresh token is not known here")]
    Unknown,
    /// It was issued to another client.
    #[error("the code or refresh token was issued to another client")]
    OtherClient,
    /// The code was sent to another redirect URI.
    #[error("redirect_uri is another one than at the authorization endpoint")]
    OtherRedirectUri,
    /// PKCE: the client that redeems the code is not the one that asked for it.
    #[error("code_verifier does not fit the code_challenge")]
    Verifier,
    /// It is for a URL that the endpoint does not have any more: no token of it would be taken.
    #[error("this server has another URL than when access was allowed")]
    Moved,
    /// Its time is over.
    #[error("the code or refresh token is expired")]
    Expired,
    /// The grant was revoked.
    #[error("access was revoked: {why}", why = .0.as_str())]
    Revoked(RevokedBecause),
    /// The code was used before. The grant that was made of it is revoked now; an audit event.
    #[error("the code was used before; what it gave access to is revoked")]
    CodeReplayed {
        /// That grant.
        grant: GrantId,
    },
    /// A refresh token was used after its successor. Its grant is revoked now; an audit event.
    #[error("the refresh token was used before; access is revoked")]
    RefreshReused {
        /// That grant.
        grant: GrantId,
    },
    /// The teammate has not signed in for a while.
    #[error("the teammate has to sign in again")]
    SignInAgain,
    /// The teammate may not do anything any more of what they allowed.
    #[error("the teammate may not do any more what they allowed")]
    NothingLeft,
    /// The root key that its successor was derived under is not loaded (yet): root keys are being
    /// rotated, and another replica was quicker.
    #[error("the refresh token cannot be renewed here at the moment")]
    NoKey,
}

impl GrantFault {
    /// A stable word for logs, metrics and traces.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::OtherClient => "other_client",
            Self::OtherRedirectUri => "other_redirect_uri",
            Self::Verifier => "verifier",
            Self::Moved => "moved",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
            Self::CodeReplayed { .. } => "code_replayed",
            Self::RefreshReused { .. } => "refresh_reused",
            Self::SignInAgain => "sign_in_again",
            Self::NothingLeft => "nothing_left",
            Self::NoKey => "no_key",
        }
    }
}

impl TokenError {
    /// What it is on the wire (RFC 6749 §5.2).
    #[must_use]
    pub fn answer(&self) -> ErrorAnswer {
        let bad = |error| ErrorAnswer::new(StatusCode::BAD_REQUEST, error, &self.to_string());
        match self {
            Self::Client(error) => error.answer(),
            Self::Form(_) => bad("invalid_request"),
            Self::GrantType => bad("unsupported_grant_type"),
            Self::NotForThisClient => bad("unauthorized_client"),
            Self::Store(_) | Self::StandingUnknown | Self::Grant(GrantFault::NoKey) => ErrorAnswer::unavailable(),
            Self::Grant(_) => bad("invalid_grant"),
            Self::Scope { .. } => bad("invalid_scope"),
            Self::Target => bad("invalid_target"),
            Self::NoFreeId => ErrorAnswer::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", &self.to_string()),
        }
    }
}

impl Issuer {
    /// Exchanges a code or a refresh token.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token(&self, call: &ClientCall<'_>) -> Result<TokenAnswer, TokenError> {
        let form = Form(call.form);
        let grant_type = form.require("grant_type")?;
        let client = self.authenticate_client(call).await?;
        match grant_type {
            "authorization_code" => self.redeem(&client, form).await,
            "refresh_token" => self.refresh(&client, form).await,
            _ => Err(TokenError::GrantType),
        }
    }

    async fn redeem(&self, client: &ClientRecord, form: Form<'_>) -> Result<TokenAnswer, TokenError> {
        let text = form.require("code")?;
        let verifier = form.require("code_verifier")?;
        let text = SecretText::parse(SecretKind::AuthorizationCode, text).map_err(|_| GrantFault::Unknown)?;
        let code = self.store.find_code(text.id()).await?;
        let code = code.filter(|code| self.is_stored(&text, &code.hash)).ok_or(GrantFault::Unknown)?;
        if code.client != client.id {
            return Err(GrantFault::OtherClient.into());
        }
        if form.get("redirect_uri")?.is_some_and(|uri| uri != code.redirect_uri) {
            return Err(GrantFault::OtherRedirectUri.into());
        }
        if !pkce::fits(verifier, &code.code_challenge) {
            return Err(GrantFault::Verifier.into());
        }
        self.check_resource(form, &code.endpoint, &code.resource)?;
        if let Some(grant) = &code.redeemed_for {
            return Err(self.code_replayed(&code, grant.clone()).await?.into());
        }
        if code.expires_at <= self.now() {
            return Err(GrantFault::Expired.into());
        }
        self.grant_for(client, code).await
    }

    /// From here on the code is used up, whatever comes of it.
    async fn grant_for(&self, client: &ClientRecord, code: CodeRecord) -> Result<TokenAnswer, TokenError> {
        let now = self.now();
        let lifetimes = &self.settings.lifetimes;
        for _ in 0..ATTEMPTS {
            let id = GrantId::generate(&*self.randomness);
            let ends_at = super::later(now, lifetimes.grant);
            let (refresh_token, refresh) =
                match client.metadata.may_refresh().then(|| self.first_refresh(&id)).flatten() {
                    Some((text, state)) => (Some(text), Some(state)),
                    None => (None, None),
                };
            let lifetime = if refresh.is_some() { lifetimes.refresh_token } else { lifetimes.access_token };
            let grant = GrantRecord {
                id: id.clone(),
                client: client.id.clone(),
                client_name: client.metadata.client_name.as_deref().and_then(shown_name),
                subject: code.subject.clone(),
                endpoint: code.endpoint.clone(),
                resource: code.resource.clone(),
                scopes: code.scopes.clone(),
                created_at: now,
                refreshed_at: now,
                expires_at: super::later(now, lifetime).min(ends_at),
                ends_at,
                refresh,
                revoked: None,
            };
            let reach = self.reach(&grant).await?;
            let (access_token, access) = self.access(&grant, &reach.narrow(grant.scopes.clone())?, reach.until);
            match self.store.redeem_code(&code.id, grant.clone(), access.clone()).await? {
                Redemption::Redeemed => {
                    tracing::info!(
                        target: "audit", event = "grant_made", client = %grant.client, subject = %grant.subject,
                        grant = %grant.id, scopes = %grant.scopes, "a teammate gave a client access"
                    );
                    return Ok(answer(access_token, &access, refresh_token, &grant));
                }
                Redemption::UsedBefore(grant) => return Err(self.code_replayed(&code, grant).await?.into()),
                Redemption::Gone => return Err(GrantFault::Unknown.into()),
                Redemption::IdTaken => {}
            }
        }
        Err(TokenError::NoFreeId)
    }

    /// The right client shows a used code, or somebody with all that the right client has.
    async fn code_replayed(&self, code: &CodeRecord, grant: GrantId) -> Result<GrantFault, StoreError> {
        self.store.revoke_grant(&grant, self.revoked(RevokedBecause::CodeReplayed)).await?;
        tracing::warn!(
            target: "audit", event = "code_replayed", client = %code.client, subject = %code.subject, %grant,
            "an authorization code was used twice; the grant that was made of it is revoked"
        );
        Ok(GrantFault::CodeReplayed { grant })
    }

    pub(super) fn revoked(&self, why: RevokedBecause) -> Revoked {
        Revoked { at: self.now(), why }
    }

    /// A new access token of a grant, good until then at most; not stored yet.
    pub(super) fn access(
        &self,
        grant: &GrantRecord,
        scopes: &ScopeSet,
        until: Timestamp,
    ) -> (SecretText, AccessRecord) {
        let now = self.now();
        let text = SecretText::generate(SecretKind::AccessToken, &*self.randomness);
        let record = AccessRecord {
            id: text.id().clone(),
            hash: self.stored(&text),
            grant: grant.id.clone(),
            scopes: scopes.clone(),
            created_at: now,
            expires_at: super::later(now, self.settings.lifetimes.access_token).min(until),
            revoked_at: None,
        };
        (text, record)
    }

    /// A `resource` may be left out; one that is there means what was allowed, and what was allowed is
    /// still there.
    pub(super) fn check_resource(&self, form: Form<'_>, id: &EndpointId, allowed: &str) -> Result<(), TokenError> {
        let present = self.settings.endpoint(id).map(|endpoint| self.settings.resource(endpoint));
        if present.is_none_or(|present| present != allowed) {
            return Err(GrantFault::Moved.into());
        }
        let Some(resource) = form.get("resource")? else { return Ok(()) };
        let endpoint = self.settings.endpoint_of(Some(resource)).ok_or(TokenError::Target)?;
        if self.settings.resource(endpoint) == allowed { Ok(()) } else { Err(TokenError::Target) }
    }
}

pub(super) fn answer(
    access_token: SecretText,
    access: &AccessRecord,
    refresh_token: Option<SecretText>,
    grant: &GrantRecord,
) -> TokenAnswer {
    TokenAnswer {
        access_token: access_token.secret().clone(),
        token_type: "Bearer",
        expires_in: u64::try_from(access.expires_at.duration_since(access.created_at).as_secs()).unwrap_or_default(),
        refresh_token: refresh_token.map(|token| token.secret().clone()),
        scope: access.scopes.to_string(),
        issued: Issued { client: grant.client.clone(), subject: grant.subject.clone(), grant: grant.id.clone() },
    }
}
