//! Tokens that are judged by the issuer itself (RFC 7662): opaque ones, and such as shall be refused the
//! moment they are revoked there, give or take half a minute.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use bridgehead_core::{Fetched, Secret};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::{
    ClientCredentials, Form, RemoteError, RemoteIssuer, RemoteRequest, RemoteUrl, TokenError, TokenFault,
    VerifiedToken, discovery,
    token::{is_for, number, timestamp},
};
use crate::{Fingerprint, Fingerprints, recent::Recent};

/// How long an answer is remembered, and how many are. So long a token goes on that was revoked.
const GOOD_FOR: SignedDuration = SignedDuration::from_secs(30);
const BAD_FOR: SignedDuration = SignedDuration::from_secs(10);
const CAPACITY: usize = 10_000;
/// How many are asked about at once; the others wait.
const AT_ONCE: usize = 32;

/// Asks the issuer about tokens and remembers its answers for half a minute, by keyed hashes, in memory
/// alone. That it could not be asked is not remembered.
pub struct Introspector {
    issuer: RemoteIssuer,
    client: ClientCredentials,
    audience: String,
    fingerprints: Fingerprints,
    asking: Semaphore,
    remembered: Mutex<Remembered>,
}

/// Those that are good and those that are not apart: strangers who try things fill the latter alone.
#[derive(Default)]
struct Remembered {
    good: Recent<VerifiedToken>,
    bad: Recent<TokenFault>,
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Introspector {
    /// Asks `issuer` as `client`, and takes tokens for `audience` alone.
    #[must_use]
    pub fn new(issuer: RemoteIssuer, client: ClientCredentials, audience: String, fingerprints: Fingerprints) -> Self {
        let (asking, remembered) = (Semaphore::new(AT_ONCE), Mutex::default());
        Self { issuer, client, audience, fingerprints, asking, remembered }
    }

    /// Whether a token is good.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn verify(&self, token: &Secret) -> Result<VerifiedToken, TokenError> {
        let fingerprint = self.fingerprints.of([("introspection", token)]);
        if let Some(answer) = self.recall(fingerprint) {
            return Ok(answer?);
        }
        // The semaphore is never closed.
        let _asking = self.asking.acquire().await.ok();
        // Others may have asked about the same while this one waited.
        if let Some(answer) = self.recall(fingerprint) {
            return Ok(answer?);
        }
        let claims = self.ask(token).await?;
        let answer = self.judge(claims);
        self.remember(fingerprint, &answer);
        Ok(answer?)
    }

    async fn ask(&self, token: &Secret) -> Result<Map<String, Value>, RemoteError> {
        let metadata = self.issuer.metadata().await?;
        let issuer = || metadata.issuer.to_string();
        let lacking = || RemoteError::Lacks { issuer: issuer(), member: "introspection_endpoint" };
        let url = metadata.introspection_endpoint.clone().ok_or_else(lacking)?;
        let form = Form::default().with("token", token.expose()).with("token_type_hint", "access_token");
        let request = RemoteRequest::post(url.clone(), form, discovery::BOUNDS);
        let request = self.client.add_to(request, &metadata.introspection_endpoint_auth_methods_supported);
        let request = request.map_err(|error| RemoteError::Authentication { url: url.to_string(), error })?;
        let answered = self.issuer.send(request).await.and_then(|fetched| object(&fetched, &url));
        answered.inspect_err(|error| tracing::warn!(%error, "a token cannot be introspected"))
    }

    /// What the issuer says of a token has the names of claims (RFC 7662 §2.2).
    fn judge(&self, claims: Map<String, Value>) -> Result<VerifiedToken, TokenFault> {
        if claims.get("active") != Some(&Value::Bool(true)) {
            return Err(TokenFault::Inactive);
        }
        let issuer = self.issuer.url();
        if claims.get("iss").is_some_and(|iss| iss.as_str() != Some(issuer.as_str())) {
            return Err(TokenFault::OtherIssuer { expected: issuer.to_string() });
        }
        // Refresh tokens are introspected as well.
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let bearer = |word: &str| word.eq_ignore_ascii_case("bearer");
        if !text("token_type").is_none_or(|kind| bearer(kind) || kind == "access_token")
            || !text("typ").is_none_or(|kind| bearer(kind) || kind.eq_ignore_ascii_case("at+jwt"))
        {
            return Err(TokenFault::OtherKind { expected: "access token" });
        }
        if claims.contains_key("cnf") {
            return Err(TokenFault::Bound);
        }
        is_for(&claims, &self.audience)?;
        // The issuer has looked at its own clock.
        let expires_at = number(&claims, "exp")?.map_or(Timestamp::MAX, timestamp);
        Ok(VerifiedToken { claims, expires_at })
    }

    fn recall(&self, fingerprint: Fingerprint) -> Option<Result<VerifiedToken, TokenFault>> {
        let now = self.issuer.parts.clock.now();
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = remembered.good.get(&fingerprint, now) {
            return (now < token.expires_at).then_some(Ok(token));
        }
        remembered.bad.get(&fingerprint, now).map(Err)
    }

    fn remember(&self, fingerprint: Fingerprint, answer: &Result<VerifiedToken, TokenFault>) {
        let now = self.issuer.parts.clock.now();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(token) => remembered.good.put(fingerprint, token.clone(), now, GOOD_FOR, CAPACITY),
            Err(fault) => remembered.bad.put(fingerprint, fault.clone(), now, BAD_FOR, CAPACITY),
        }
    }
}

fn object(fetched: &Fetched, url: &RemoteUrl) -> Result<Map<String, Value>, RemoteError> {
    // §2.3: who may not ask gets 401; some say 400 or 403.
    if matches!(fetched.status, 400 | 401 | 403) {
        return Err(RemoteError::NotAuthenticated { url: url.to_string(), status: fetched.status });
    }
    discovery::object(fetched, url, "the answer of an introspection (RFC 7662)")
}
