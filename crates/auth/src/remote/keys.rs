//! The key set of a remote issuer (RFC 7517): those of its keys that check signatures here.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use jsonwebtoken::{Algorithm, DecodingKey, jwk::Jwk};
use serde_json::Value;

use super::{
    Exchange, ProviderMetadata, RemoteError,
    discovery::fetch_json,
    held::{Held, Source},
};
use crate::jwt::{self, ALGORITHMS};

/// How many keys of a set are looked at.
const MOST_KEYS: usize = 100;

/// Keys that check signatures.
pub(super) struct KeySet(Vec<(Jwk, DecodingKey)>);

impl KeySet {
    /// The keys that may have made a signature.
    pub(super) fn fitting(&self, algorithm: Algorithm, kid: Option<&str>) -> impl Iterator<Item = &DecodingKey> {
        let fitting = self.0.iter().filter(move |(key, _)| jwt::fits(key, algorithm, kid));
        fitting.map(|(_, key)| key)
    }

    /// Takes what is of use and leaves out the rest: keys for encryption, and of kinds that are not
    /// checked here.
    fn read(values: &[Value]) -> Self {
        let key = |value: &Value| {
            let key: Jwk = serde_json::from_value(value.clone()).ok()?;
            let usable = ALGORITHMS.into_iter().any(|(algorithm, _)| jwt::is_for(&key, algorithm));
            let decoding = usable.then(|| DecodingKey::from_jwk(&key).ok()).flatten()?;
            Some((key, decoding))
        };
        Self(values.iter().take(MOST_KEYS).filter_map(key).collect())
    }
}

pub(super) struct KeySetSource {
    metadata: Arc<Held<ProviderMetadata>>,
    exchange: Arc<dyn Exchange>,
}

impl KeySetSource {
    pub(super) const fn new(metadata: Arc<Held<ProviderMetadata>>, exchange: Arc<dyn Exchange>) -> Self {
        Self { metadata, exchange }
    }
}

#[async_trait]
impl Source for KeySetSource {
    type Document = KeySet;

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), RemoteError> {
        let metadata = self.metadata.get().await?;
        let Some(url) = &metadata.jwks_uri else {
            return Err(RemoteError::Lacks { issuer: metadata.issuer.to_string(), member: "jwks_uri" });
        };
        const EXPECTED: &str = "a key set (RFC 7517)";
        let (set, said) = fetch_json(&*self.exchange, url, EXPECTED).await?;
        match set.get("keys") {
            Some(Value::Array(keys)) => Ok((KeySet::read(keys), said)),
            _ => Err(RemoteError::NotA { url: url.to_string(), expected: EXPECTED }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_are_of_no_use_are_left_out_and_do_no_harm() {
        jwt::install();
        let point = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let with = |members: Value| {
            let mut key = point.clone();
            key.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            key
        };
        let set = KeySet::read(&[
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}),
            json!({"kty": "NEW", "kid": "a"}),
            json!("text"),
            with(json!({"kid": "a", "use": "enc"})),
            with(json!({"kid": "a", "key_ops": ["encrypt"]})),
            with(json!({"kid": "a", "alg": "ES256"})),
            json!({"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB", "alg": "RSA-OAEP"}),
            with(json!({"kid": "a", "use": "sig"})),
            with(json!({"kid": "b"})),
        ]);
        let fitting = |algorithm, kid| set.fitting(algorithm, kid).count();
        assert_eq!(set.0.len(), 2);
        assert_eq!(fitting(Algorithm::EdDSA, Some("a")), 1);
        assert_eq!(fitting(Algorithm::EdDSA, None), 2);
        assert_eq!(fitting(Algorithm::EdDSA, Some("c")), 0);
        assert_eq!(fitting(Algorithm::RS256, Some("a")) + fitting(Algorithm::HS256, None), 0);
    }
}
