//! An identity provider that commits every fault: one person, keys of its own, and whatever a test has it
//! say instead of the truth.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_auth::{
    IssuerStore,
    provider::{Arrival, Departure, Provider, ProviderParts, ProviderSettings, ProviderSignInError},
    remote::{ClientCredentials, Exchange, IssuerUrl, RemoteRequest},
};
use bridgehead_core::{Clock, FetchError, Fetched, ScopeSet, Secret};
use ring::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use url::{Url, form_urlencoded};

use crate::desk::{Desk, ISSUER, Seeded, TestClock, pairs};

pub(crate) const IDP: &str = "https://login.example.com";

/// Who signs an ID token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signed {
    Rightly,
    /// By a key that is in no set, under the name of one that is.
    ByAStranger,
    /// With the public key as a shared secret.
    BySecret,
    /// Not at all.
    Not,
    /// Its claims were changed afterwards.
    Changed,
}

/// What it does. A test changes it at will.
pub(crate) struct Conduct {
    pub(crate) down: bool,
    /// The person's claims, beside what belongs to a token.
    pub(crate) person: Value,
    /// Where the claims are that are not needed in an ID token.
    pub(crate) in_user_info: bool,
    pub(crate) signed: Signed,
    /// Replaces members of the token's header and of its claims; `null` takes one out.
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) user_info: Value,
    /// Members of the metadata, in the same way.
    pub(crate) metadata: Value,
    pub(crate) gives_refresh_tokens: bool,
    pub(crate) gives_id_tokens: bool,
    /// An error of the token endpoint.
    pub(crate) refuses: Option<(u16, &'static str)>,
    keys: Vec<Key>,
    codes: HashMap<String, Asked>,
    refresh_token: usize,
    /// What was asked: paths, and the grant types at the token endpoint.
    pub(crate) asked: Vec<String>,
}

struct Asked {
    nonce: String,
    challenge: String,
}

struct Key {
    id: String,
    pair: Ed25519KeyPair,
}

impl Key {
    fn new(number: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap();
        Self { id: format!("k{number}"), pair }
    }
}

pub(crate) struct Idp {
    conduct: Mutex<Conduct>,
    clock: Arc<TestClock>,
}

impl Idp {
    fn new(clock: Arc<TestClock>) -> Self {
        let conduct = Conduct {
            down: false,
            person: json!({
                "sub": "1", "name": "Alice", "email": "alice@example.com", "email_verified": true, "groups": ["buyers"],
            }),
            in_user_info: false,
            signed: Signed::Rightly,
            header: json!({}),
            claims: json!({}),
            user_info: json!({}),
            metadata: json!({}),
            gives_refresh_tokens: true,
            gives_id_tokens: true,
            refuses: None,
            keys: vec![Key::new(1)],
            codes: HashMap::new(),
            refresh_token: 0,
            asked: Vec::new(),
        };
        Self { conduct: Mutex::new(conduct), clock }
    }

    pub(crate) fn conduct(&self) -> MutexGuard<'_, Conduct> {
        self.conduct.lock().unwrap()
    }

    /// Signs with another key from now on, and forgets the old one.
    pub(crate) fn rotate_keys(&self) {
        let mut conduct = self.conduct();
        let number = u8::try_from(conduct.asked.len() + 2).unwrap();
        conduct.keys = vec![Key::new(number)];
    }

    /// The person signs in: the query with which the browser comes back.
    pub(crate) fn sign_in(&self, departure: &Departure) -> Vec<(String, String)> {
        let asked = |name: &str| query(&departure.url, name).unwrap_or_default();
        let mut conduct = self.conduct();
        let code = format!("code-{}", conduct.codes.len());
        let challenge = asked("code_challenge");
        conduct.codes.insert(code.clone(), Asked { nonce: asked("nonce"), challenge });
        pairs(&[("code", &code), ("state", &asked("state")), ("iss", IDP)])
    }
}

pub(crate) fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// With these members in the place of others; `null` takes one out.
fn with(value: Value, changes: &Value) -> Value {
    let mut members = value.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name)
        } else {
            members.insert(name.clone(), value.clone())
        };
    }
    members.into()
}

impl Conduct {
    fn id_token(&self, nonce: Option<&str>, access_token: &str, now: i64) -> String {
        let key = &self.keys[0];
        let mut claims = json!({
            "iss": IDP, "aud": "bridgehead", "iat": now, "exp": now + 300, "sub": self.person["sub"],
            "at_hash": b64(&Sha512::digest(access_token)[..32]),
        });
        if !self.in_user_info {
            claims = with(claims, &self.person);
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let algorithm = if self.signed == Signed::BySecret { "HS256" } else { "EdDSA" };
        let header = with(json!({"alg": algorithm, "kid": key.id, "typ": "JWT"}), &self.header);
        let text = format!("{}.{}", b64(header.to_string()), b64(with(claims, &self.claims).to_string()));
        let signature = match self.signed {
            Signed::Rightly | Signed::Changed => b64(key.pair.sign(text.as_bytes())),
            Signed::ByAStranger => b64(Key::new(99).pair.sign(text.as_bytes())),
            Signed::BySecret => {
                let secret = hmac::Key::new(hmac::HMAC_SHA256, key.pair.public_key().as_ref());
                b64(hmac::sign(&secret, text.as_bytes()))
            }
            Signed::Not => String::new(),
        };
        if self.signed == Signed::Changed {
            let claims = json!({"iss": IDP, "aud": "bridgehead", "exp": now + 300, "sub": "2", "nonce": nonce});
            return format!("{}.{}.{signature}", b64(header.to_string()), b64(claims.to_string()));
        }
        format!("{text}.{signature}")
    }

    fn answer(&mut self, request: &RemoteRequest, now: i64) -> (u16, Value) {
        let path = request.url.as_url().path().to_owned();
        let form: HashMap<String, String> = request.form.as_ref().map_or_else(HashMap::new, |form| {
            form_urlencoded::parse(form.body().expose().as_bytes()).into_owned().collect()
        });
        let kind = form.get("grant_type").cloned();
        self.asked.push(kind.map_or_else(|| path.clone(), |kind| format!("{path} {kind}")));
        match path.as_str() {
            "/.well-known/openid-configuration" => {
                let at = |path: &str| format!("{IDP}{path}");
                let metadata = json!({
                    "issuer": IDP, "authorization_endpoint": at("/authorize?tenant=7"), "token_endpoint": at("/token"),
                    "jwks_uri": at("/keys"), "userinfo_endpoint": at("/me"), "end_session_endpoint": at("/end"),
                    "authorization_response_iss_parameter_supported": true,
                    "id_token_signing_alg_values_supported": ["EdDSA", "HS256", "none"],
                    "scopes_supported": ["openid", "email", "profile", "offline_access"],
                });
                (200, with(metadata, &self.metadata))
            }
            "/keys" => {
                let key = |key: &Key| json!({"kty": "OKP", "crv": "Ed25519", "kid": key.id, "use": "sig", "x": b64(key.pair.public_key())});
                (200, json!({"keys": self.keys.iter().map(key).collect::<Vec<_>>()}))
            }
            "/me" => (200, with(self.person.clone(), &self.user_info)),
            "/token" => self.token(request, &form, now),
            _ => (404, json!({})),
        }
    }

    fn token(&mut self, request: &RemoteRequest, form: &HashMap<String, String>, now: i64) -> (u16, Value) {
        // `bridgehead:s3cret`
        let authorization = request.authorization.as_ref().map(Secret::expose);
        assert_eq!(authorization, Some("Basic YnJpZGdlaGVhZDpzM2NyZXQ="), "the secret goes in the header");
        if let Some((status, error)) = self.refuses {
            return (status, json!({"error": error, "error_description": "As the test wants it."}));
        }
        let nonce = match form["grant_type"].as_str() {
            "authorization_code" => {
                let asked = self.codes.remove(&form["code"]);
                let fits = |asked: &Asked| b64(Sha256::digest(&form["code_verifier"])) == asked.challenge;
                match asked.filter(fits) {
                    Some(asked) => Some(asked.nonce),
                    None => return (400, json!({"error": "invalid_grant"})),
                }
            }
            // Rotated: each is good once.
            _ if form["refresh_token"] == format!("refresh-{}", self.refresh_token) => None,
            _ => return (400, json!({"error": "invalid_grant"})),
        };
        let access_token = format!("access-{}", self.asked.len());
        let mut answer = json!({"access_token": access_token, "token_type": "Bearer", "expires_in": 300});
        if self.gives_id_tokens {
            answer["id_token"] = self.id_token(nonce.as_deref(), &access_token, now).into();
        }
        if self.gives_refresh_tokens {
            self.refresh_token += 1;
            answer["refresh_token"] = format!("refresh-{}", self.refresh_token).into();
        }
        (200, answer)
    }
}

#[async_trait::async_trait]
impl Exchange for Idp {
    async fn send(&self, request: RemoteRequest) -> Result<Fetched, FetchError> {
        let now = self.clock.now().as_second();
        let mut conduct = self.conduct();
        if conduct.down {
            return Err(FetchError::Failed { what: "nobody answers".into(), cause: None });
        }
        let (status, body) = conduct.answer(&request, now);
        let content_type = Some("application/json".to_owned());
        let cache_control = Some("max-age=86400".to_owned());
        Ok(Fetched { status, content_type, cache_control, body: body.to_string().into_bytes() })
    }
}

/// A server in front of which the provider stands.
pub(crate) struct Reception {
    pub(crate) desk: Desk,
    pub(crate) provider: Arc<Provider>,
    pub(crate) idp: Arc<Idp>,
    /// It has the folder of the store.
    _plain: Desk,
}

pub(crate) fn settings() -> ProviderSettings {
    let client = ClientCredentials { id: "bridgehead".to_owned(), secret: Some(Secret::new("s3cret".to_owned())) };
    let usual = ProviderSettings::new(IssuerUrl::parse(IDP).unwrap(), client);
    let scopes = |text| ScopeSet::parse(text).unwrap();
    ProviderSettings {
        domains: vec!["example.com".to_owned()],
        groups: [
            ("staff".to_owned(), scopes("tools:read")),
            ("buyers".to_owned(), scopes("tools:read tools:write")),
            ("crm".to_owned(), scopes("crm:admin")),
        ]
        .into(),
        ..usual
    }
}

impl Reception {
    pub(crate) async fn new() -> Self {
        Self::with(settings(), Desk::new().await)
    }

    pub(crate) async fn of_each_store() -> [Self; 2] {
        Desk::of_each_store().await.map(|desk| Self::with(settings(), desk))
    }

    pub(crate) fn with(settings: ProviderSettings, desk: Desk) -> Self {
        let idp = Arc::new(Idp::new(desk.clock.clone()));
        Self::in_front_of(desk, settings, idp, 10)
    }

    /// Another replica: the same store, time and provider, other randomness.
    pub(crate) fn replica(&self) -> Self {
        Self::in_front_of(self.desk.replica(), self.provider.settings().clone(), self.idp.clone(), 11)
    }

    fn in_front_of(desk: Desk, settings: ProviderSettings, idp: Arc<Idp>, seed: u64) -> Self {
        let issuer: Arc<dyn IssuerStore> = desk.store.issuer.clone();
        let parts = ProviderParts {
            identities: desk.store.identities.clone(),
            issuer,
            exchange: idp.clone(),
            clock: desk.clock.clone(),
            randomness: Arc::new(Seeded::new(seed)),
        };
        let provider = Arc::new(Provider::new(settings, &Url::parse(ISSUER).unwrap(), parts, &desk.roots));
        Self { desk: desk.with_standings(provider.clone()), provider, idp, _plain: desk }
    }

    pub(crate) async fn depart(&self) -> Departure {
        self.provider.depart("/oauth/authorize?client_id=x", None, false).await.unwrap()
    }

    /// Comes back with this query, from the browser that departed.
    pub(crate) async fn arrive(
        &self,
        departure: &Departure,
        query: &[(String, String)],
    ) -> Result<Arrival, ProviderSignInError> {
        self.provider.arrive(query, Some(departure.value.expose())).await
    }

    /// The whole way there and back.
    pub(crate) async fn sign_in(&self) -> Result<Arrival, ProviderSignInError> {
        let departure = self.provider.depart("/oauth/authorize?client_id=x", None, false).await?;
        let query = self.idp.sign_in(&departure);
        self.arrive(&departure, &query).await
    }
}
