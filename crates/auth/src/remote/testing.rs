//! An issuer for the tests of this module: documents at their URLs, requests that are counted, and
//! answers that wait for a permit.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_core::{FetchError, Fetched};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{Exchange, FirstDocument, IssuerUrl, RemoteIssuer, RemoteParts, RemoteRequest};
use crate::testing::MovedClock;

pub(super) const ISSUER: &str = "https://idp.example/realms/staff";

/// Answers what stands there, 404 for anything else, and nothing while it is down.
#[derive(Default)]
pub(super) struct FakeWeb {
    pub(super) documents: Mutex<BTreeMap<String, Value>>,
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) down: Mutex<bool>,
    /// Whoever asks waits for a permit, where there is a gate.
    pub(super) gate: Option<Semaphore>,
}

impl FakeWeb {
    pub(super) fn put(&self, url: &str, document: Value) {
        self.documents.lock().unwrap().insert(url.to_owned(), document);
    }

    pub(super) fn times_asked(&self, url: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == url).count()
    }
}

#[async_trait]
impl Exchange for FakeWeb {
    async fn send(&self, request: RemoteRequest) -> Result<Fetched, FetchError> {
        let url = request.url.to_string();
        self.asked.lock().unwrap().push(url.clone());
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        if *self.down.lock().unwrap() {
            return Err(FetchError::Failed { what: "no connection".to_owned(), cause: None });
        }
        let found = self.documents.lock().unwrap().get(&url).cloned();
        let status = if found.is_some() { 200 } else { 404 };
        let body = found.unwrap_or(Value::Null).to_string().into_bytes();
        Ok(Fetched { status, content_type: None, cache_control: None, body })
    }
}

/// A key that signs by EdDSA.
pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(super) fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(super) fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": URL_SAFE_NO_PAD.encode(self.0.public_key())})
    }

    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.0.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// An issuer with one key, at noon on a day in 2026.
pub(super) struct Desk {
    pub(super) web: Arc<FakeWeb>,
    pub(super) clock: Arc<MovedClock>,
    pub(super) issuer: RemoteIssuer,
    pub(super) signer: Signer,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self::over(FakeWeb::default(), FirstDocument::OpenId)
    }

    pub(super) fn over(web: FakeWeb, first: FirstDocument) -> Self {
        let (web, clock, signer) = (Arc::new(web), Arc::new(MovedClock::at_noon()), Signer::new(1));
        web.put(&format!("{ISSUER}/.well-known/openid-configuration"), metadata(json!({})));
        web.put("https://idp.example/keys", json!({"keys": [signer.jwk("a")]}));
        let parts = RemoteParts { exchange: web.clone(), clock: clock.clone() };
        let issuer = RemoteIssuer::new(IssuerUrl::parse(ISSUER).unwrap(), first, parts);
        Self { web, clock, issuer, signer }
    }
}

/// Metadata with these members beside or instead of the usual.
pub(super) fn metadata(more: Value) -> Value {
    let mut metadata = json!({"issuer": ISSUER, "jwks_uri": "https://idp.example/keys"});
    metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    metadata
}
