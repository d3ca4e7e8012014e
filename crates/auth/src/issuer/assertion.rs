//! Clients that prove who they are by a signed assertion (`private_key_jwt`, RFC 7523 §2.2 and §3):
//! once, for this server, for a short while, with a key that is theirs.

use std::{net::IpAddr, time::Duration};

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{ClientRecord, Issuer, keysets::KeySetError};
use crate::{
    Insertion, KeyHash, StoreError,
    jwt::{ALGORITHMS, fits},
};

/// How far clocks may be apart, in seconds.
const LEEWAY: f64 = 60.0;
/// How long an assertion may be good, in seconds: as long as its use has to be remembered.
const LONGEST: f64 = 3600.0;
const LONGEST_JTI: usize = 256;

/// Why an assertion is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AssertionError {
    /// What is wrong with it, for whoever wrote the client.
    #[error("client_assertion is refused: {0}")]
    NotGood(&'static str),
    /// The client's keys cannot be had.
    #[error("client_assertion cannot be checked: jwks_uri: {0}")]
    Keys(String),
    /// Too many key sets were asked for.
    #[error("too many key sets were fetched for this address")]
    TooMany {
        /// How long to wait.
        wait: Duration,
    },
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The claims that count. Whatever has another type is refused.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Subject {
    sub: String,
}

/// Whom an assertion says it is of, before anything of it was checked: to find the client's keys.
pub(crate) fn subject(assertion: &str) -> Option<String> {
    jsonwebtoken::dangerous::insecure_decode_claims::<Subject>(assertion).ok().map(|claims| claims.sub)
}

impl Issuer {
    /// Checks an assertion of this client and remembers its use.
    pub(crate) async fn check_assertion(
        &self,
        client: &ClientRecord,
        assertion: &str,
        from: IpAddr,
    ) -> Result<(), AssertionError> {
        let header = jsonwebtoken::decode_header(assertion).map_err(|_| AssertionError::NotGood("it is no JWT"))?;
        let algorithm = header.alg;
        let pinned = client.metadata.token_endpoint_auth_signing_alg.as_deref();
        let allowed =
            ALGORITHMS.into_iter().any(|(one, name)| one == algorithm && pinned.is_none_or(|pin| pin == name));
        if !allowed {
            return Err(AssertionError::NotGood("its algorithm is not one that is taken from this client"));
        }
        if header.crit.is_some() {
            return Err(AssertionError::NotGood("its header has `crit`, and nothing critical is understood"));
        }
        let kid = header.kid.as_deref();
        let claims = match (&client.metadata.jwks, &client.metadata.jwks_uri) {
            (Some(set), _) => verify(assertion, algorithm, kid, set),
            (None, Some(uri)) => {
                let set = self.key_set(uri, kid, from).await.map_err(|error| match error {
                    KeySetError::TooMany { wait } => AssertionError::TooMany { wait },
                    KeySetError::NotThere(what) => AssertionError::Keys(what),
                })?;
                verify(assertion, algorithm, kid, &set)
            }
            (None, None) => return Err(AssertionError::NotGood("the client has no keys")),
        }?;
        let expires_at = self.check_claims(client, &claims)?;
        match self.store.remember_assertion(&used(client, &claims.jti), expires_at).await? {
            Insertion::Inserted => Ok(()),
            Insertion::IdTaken => Err(AssertionError::NotGood("it was used before")),
        }
    }

    /// Until when its use has to be remembered.
    fn check_claims(&self, client: &ClientRecord, claims: &Claims) -> Result<Timestamp, AssertionError> {
        let id = client.id.as_str();
        if claims.iss != id || claims.sub != id {
            return Err(AssertionError::NotGood("iss and sub have to be the client_id"));
        }
        let for_us =
            |audience: &String| audience == self.settings.issuer() || *audience == self.settings.url("/oauth/token");
        let audience = match &claims.aud {
            Audience::One(one) => for_us(one),
            Audience::Several(several) => several.iter().any(for_us),
        };
        if !audience {
            return Err(AssertionError::NotGood("aud has to be the issuer or the token endpoint"));
        }
        if claims.jti.is_empty() || claims.jti.len() > LONGEST_JTI {
            return Err(AssertionError::NotGood("jti has to be 1 to 256 bytes"));
        }
        let now = self.clock.now();
        let seconds = now.as_duration().as_secs_f64();
        if claims.exp <= seconds - LEEWAY {
            return Err(AssertionError::NotGood("it is expired"));
        }
        if claims.exp > seconds + LONGEST + LEEWAY {
            return Err(AssertionError::NotGood("exp is more than an hour away"));
        }
        let begun = |at: Option<f64>| at.is_none_or(|at| at <= seconds + LEEWAY);
        if !begun(claims.nbf) || !begun(claims.iat) {
            return Err(AssertionError::NotGood("it is not good yet"));
        }
        let left = Duration::from_secs_f64((claims.exp - seconds + 2.0 * LEEWAY).max(0.0));
        Ok(now.saturating_add(left).unwrap_or(Timestamp::MAX))
    }
}

/// Names a use. Nothing in it is secret, so no pepper is needed, and none that is rotated.
fn used(client: &ClientRecord, jti: &str) -> KeyHash {
    let mut hash = Sha256::new();
    hash.update(client.id.as_str());
    hash.update([0]);
    hash.update(jti);
    KeyHash::new(hash.finalize().into())
}

/// The claims, if one of the keys signed them.
fn verify(assertion: &str, algorithm: Algorithm, kid: Option<&str>, set: &JwkSet) -> Result<Claims, AssertionError> {
    let mut validation = Validation::new(algorithm);
    // Times and audience are checked here, by the injected clock and with reasons.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let mut fitting = set.keys.iter().filter(|key| fits(key, algorithm, kid)).peekable();
    if fitting.peek().is_none() {
        return Err(AssertionError::NotGood("the client has no key of this kid and algorithm"));
    }
    for key in fitting {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match jsonwebtoken::decode(assertion, &key, &validation) {
            Ok(data) => return Ok(data.claims),
            Err(error) if matches!(error.kind(), jsonwebtoken::errors::ErrorKind::Json(_)) => {
                return Err(AssertionError::NotGood("iss, sub, aud, exp and jti have to be there, each of its type"));
            }
            Err(_) => {}
        }
    }
    Err(AssertionError::NotGood("its signature is not the client's"))
}
