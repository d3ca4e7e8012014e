//! A person signs in at the provider: their browser is sent there, and comes back with a code (OpenID
//! Connect Core §3.1). Everything that came back is checked before anybody is anybody.

use bridgehead_core::Secret;
use jiff::Timestamp;
use serde_json::{Map, Value};
use url::Url;

use super::{
    Bound, IdentityId, IdentityRecord, Provider, ProviderSignInError,
    state::{Attempt, cookie_of},
    tokens::{AskError, Tokens, code},
};
use crate::{
    Insertion, SignedIn,
    keys::to_microsecond,
    users::{User, UserRecord},
};

/// How long a `state` that was used is remembered beyond its end, for clocks that are apart.
const SLACK: std::time::Duration = std::time::Duration::from_secs(60);

/// Where a browser is sent, and what it has to bring back.
#[derive(Debug, Clone)]
pub struct Departure {
    /// The provider's page.
    pub url: Url,
    /// What tells the cookie from those of other sign-ins: 8 characters of `0-9A-Za-z_-`.
    pub cookie: String,
    /// The cookie's value: base64url.
    pub value: Secret,
}

/// Somebody who came back, and is who they are.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The proof, with which a session begins.
    pub signed_in: SignedIn,
    /// Where they were headed.
    pub next: String,
}

impl Provider {
    /// Sends somebody there. `next` is where they are headed; `hint` whom their client expects; with `anew` they
    /// are asked who they are, also where the provider knows them.
    ///
    /// # Errors
    /// [`ProviderSignInError::Down`], [`ProviderSignInError::Answer`] or [`ProviderSignInError::TooLong`].
    pub async fn depart(&self, next: &str, hint: Option<&str>, anew: bool) -> Result<Departure, ProviderSignInError> {
        let metadata = self.remote.metadata().await.map_err(|error| ProviderSignInError::Down(error.to_string()))?;
        let Some(endpoint) = &metadata.authorization_endpoint else {
            return Err(ProviderSignInError::Answer("its metadata names no authorization_endpoint".to_owned()));
        };
        let randomness = &*self.parts.randomness;
        let attempt = Attempt::begin(next, self.parts.clock.now(), randomness);
        let value = attempt.seal(&self.vault, randomness).ok_or(ProviderSignInError::TooLong)?;
        let settings = &self.settings;
        let prompt = if anew { Some("login") } else { settings.prompt.as_deref() };
        let mut url = endpoint.as_url().clone();
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client.id)
            .append_pair("redirect_uri", &self.redirect_uris.sign_in)
            .append_pair("scope", &self.scope(&metadata.scopes_supported))
            .append_pair("state", &attempt.state)
            .append_pair("nonce", &attempt.nonce)
            .append_pair("code_challenge", &attempt.challenge())
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(prompt.map(|prompt| ("prompt", prompt)))
            .extend_pairs(hint.map(|hint| ("login_hint", hint)));
        let cookie = cookie_of(&attempt.state).unwrap_or_default().to_owned();
        Ok(Departure { url, cookie, value })
    }

    fn scope(&self, supported: &[String]) -> String {
        let refresh = supported.iter().any(|scope| scope == "offline_access").then_some("offline_access");
        let usual = ["openid", "email", "profile"].into_iter().chain(refresh);
        let more = self.settings.scopes.iter().map(String::as_str);
        usual.chain(more).collect::<Vec<_>>().join(" ")
    }

    /// Where somebody was headed who came back with this cookie and `state`, whatever else is the matter.
    #[must_use]
    pub fn headed_for(&self, cookie: &str, state: &str) -> Option<String> {
        Attempt::open(cookie, state, &self.vault).map(|attempt| attempt.next)
    }

    /// Somebody came back with this query; `cookie` is the value of the cookie that [`cookie_of`] the
    /// query's `state` names. Once, from the browser that was sent, within ten minutes.
    ///
    /// # Errors
    /// [`ProviderSignInError`].
    pub async fn arrive(
        &self,
        query: &[(String, String)],
        cookie: Option<&str>,
    ) -> Result<Arrival, ProviderSignInError> {
        let attempt = self.attempt(query, cookie).await?;
        self.check_issuer(one(query, "iss")).await?;
        match one(query, "error") {
            Some("access_denied") => return Err(ProviderSignInError::Cancelled),
            Some(error) => return Err(ProviderSignInError::Provider(code(error))),
            None => {}
        }
        let unreadable = || ProviderSignInError::Answer("it came back without a code".to_owned());
        let tokens = self.redeem(one(query, "code").ok_or_else(unreadable)?, &attempt.verifier).await?;
        let id_token = tokens.id_token.as_ref();
        let id_token = id_token.ok_or_else(|| ProviderSignInError::Answer("there is no ID token".to_owned()))?;
        let claims = self.id_claims(id_token, Some(&attempt.nonce), Some(&tokens.access_token)).await?;
        let claims = self.with_user_info(claims, &tokens).await?;
        let user = self.bind(&claims, &tokens).await?;
        if user.disabled_at.is_some() {
            return Err(ProviderSignInError::Disabled);
        }
        Ok(Arrival { signed_in: SignedIn::elsewhere(user), next: attempt.next })
    }

    /// The sign-in that an answer belongs to. It is used up.
    async fn attempt(&self, query: &[(String, String)], cookie: Option<&str>) -> Result<Attempt, ProviderSignInError> {
        let state = one(query, "state").ok_or(ProviderSignInError::NotOfThisBrowser)?;
        let attempt = cookie.and_then(|cookie| Attempt::open(cookie, state, &self.vault));
        let attempt = attempt.ok_or(ProviderSignInError::NotOfThisBrowser)?;
        if attempt.expires_at <= self.parts.clock.now().as_second() {
            return Err(ProviderSignInError::Expired);
        }
        let remembered = Timestamp::from_second(attempt.expires_at).unwrap_or(Timestamp::MAX);
        let remembered = remembered.saturating_add(SLACK).unwrap_or(Timestamp::MAX);
        match self.parts.issuer.remember_assertion(&attempt.used(), remembered).await? {
            Insertion::Inserted => Ok(attempt),
            Insertion::IdTaken => Err(ProviderSignInError::NotOfThisBrowser),
        }
    }

    /// The answer names the provider that it is of, where that says so of itself (RFC 9207 §2.4).
    async fn check_issuer(&self, named: Option<&str>) -> Result<(), ProviderSignInError> {
        let metadata = self.remote.metadata().await.map_err(|error| ProviderSignInError::Down(error.to_string()))?;
        let right = match named {
            Some(named) => named == self.settings.issuer.as_str(),
            None => !metadata.authorization_response_iss_parameter_supported,
        };
        if right { Ok(()) } else { Err(ProviderSignInError::Answer("it names another issuer, or none".to_owned())) }
    }

    /// With what the ID token lacks.
    pub(super) async fn with_user_info(
        &self,
        mut claims: Map<String, Value>,
        tokens: &Tokens,
    ) -> Result<Map<String, Value>, AskError> {
        if !self.settings.lacks(&claims) {
            return Ok(claims);
        }
        let Some(more) = self.user_info(&tokens.access_token).await? else { return Ok(claims) };
        if more.get("sub") != claims.get("sub") {
            return Err(AskError::Ours("the user info is of somebody else than the ID token".to_owned()));
        }
        for (name, value) in more {
            claims.entry(name).or_insert(value);
        }
        Ok(claims)
    }

    /// The user that a person is here.
    async fn bind(&self, claims: &Map<String, Value>, tokens: &Tokens) -> Result<User, ProviderSignInError> {
        let admitted = self.settings.admit(claims)?;
        let now = to_microsecond(self.parts.clock.now());
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let id = IdentityId { issuer: self.settings.issuer.as_str().to_owned(), subject: subject.to_owned() };
        let user = User {
            address: admitted.address.clone(),
            name: admitted.name,
            admin: false,
            scopes: admitted.scopes.clone(),
            created_at: now,
            disabled_at: None,
            signed_in_at: None,
            has_password: false,
        };
        let record = IdentityRecord {
            address: admitted.address,
            claims: admitted.claims,
            scopes: admitted.scopes,
            tokens: self.sealed(&id, tokens, None),
            checked_at: now,
            refused_at: None,
            id,
        };
        match self.parts.identities.bind_identity(record, UserRecord::new(user, None)).await? {
            Bound::To(record) => Ok(record.user),
            Bound::AddressTaken => Err(ProviderSignInError::AddressTaken),
        }
    }
}

impl From<AskError> for ProviderSignInError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(error) => Self::Provider(error),
            AskError::Ours(what) => Self::Answer(what),
            AskError::Down(error) => Self::Down(error.to_string()),
        }
    }
}

/// The value of a parameter that stands there once (RFC 6749 §3.1).
fn one<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    let mut values = query.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
    values.next().filter(|_| values.next().is_none())
}
