//! An issuer with a store, a clock that is moved, randomness that repeats, and a web that has what a
//! test puts there.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bridgehead_auth::{
    Issuer, IssuerParts, IssuerSettings, IssuerStore, Mode, OAuthMode, RootKeys,
    issuer::{
        Approval, AuthorizationRequest, ClientCall, ClientRedirect, ErrorAnswer, Introspection, IssuerLimits,
        ProtectedEndpoint, Rate, Registration, RegistrationPolicy, Standings, TokenAnswer, TokenError,
    },
};
use bridgehead_core::{Caller, Clock, EndpointId, Fetch, FetchBounds, FetchError, Fetched, Randomness, ScopeSet};
use bridgehead_stores::{Store, StoreUrl};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ISSUER: &str = "https://mcp.example.com";
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const CALLBACK: &str = "https://a.example/cb";
/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) struct TestClock(Mutex<Timestamp>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        unreachable!("the issuer does not wait")
    }
}

/// splitmix64: repeats from the same seed.
pub(crate) struct Seeded(AtomicU64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

/// What strangers have on the web.
#[derive(Default)]
pub(crate) struct Web {
    pages: Mutex<HashMap<String, Fetched>>,
    pub(crate) asked: AtomicUsize,
}

impl Web {
    pub(crate) fn put(&self, url: &str, document: &Value) {
        let body = serde_json::to_vec(document).unwrap();
        let json = Some("application/json".to_owned());
        self.put_page(url, Fetched { status: 200, content_type: json, cache_control: None, body });
    }

    pub(crate) fn put_page(&self, url: &str, page: Fetched) {
        self.pages.lock().unwrap().insert(url.to_owned(), page);
    }

    /// Nobody answers there any more.
    pub(crate) fn remove(&self, url: &str) {
        self.pages.lock().unwrap().remove(url);
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait::async_trait]
impl Fetch for Web {
    async fn get(&self, url: &str, bounds: FetchBounds) -> Result<Fetched, FetchError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let page = self.pages.lock().unwrap().get(url).cloned();
        let page = page.ok_or_else(|| FetchError::Failed { what: "nobody answers".into(), cause: None })?;
        if page.body.len() > bounds.max_bytes {
            return Err(FetchError::TooLarge { max_bytes: bounds.max_bytes });
        }
        Ok(page)
    }
}

pub(crate) struct Desk {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) web: Arc<Web>,
    pub(crate) roots: RootKeys,
    settings: IssuerSettings,
    _directory: Option<TempDir>,
}

pub(crate) fn settings() -> IssuerSettings {
    let endpoint = |id: &str, path: &str| ProtectedEndpoint {
        id: EndpointId::parse(id).unwrap(),
        path: path.into(),
        name: "Warehouse".into(),
        scopes: ScopeSet::read_and_write(),
        initial_scopes: None,
    };
    let endpoints = vec![endpoint("main", "/mcp"), endpoint("hr", "/hr/mcp")];
    let mut settings = IssuerSettings::new(ISSUER, endpoints).unwrap();
    let all = Rate { count: 1_000_000, per: Duration::from_secs(1) };
    settings.limits = IssuerLimits {
        registrations_per_address: all,
        registrations: all,
        fetches_per_address: all,
        fetches: all,
        ..IssuerLimits::default()
    };
    settings
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(crate) async fn with(settings: IssuerSettings) -> Self {
        Self::on(&StoreUrl::Memory, settings, None).await
    }

    /// One on each kind of store that needs no server.
    pub(crate) async fn of_each_store() -> [Self; 2] {
        let directory = TempDir::new().unwrap();
        let url = StoreUrl::Sqlite(PathBuf::from(directory.path()).join("bridgehead.db"));
        [Self::new().await, Self::on(&url, settings(), Some(directory)).await]
    }

    pub(crate) async fn on(url: &StoreUrl, settings: IssuerSettings, directory: Option<TempDir>) -> Self {
        let store = Arc::new(Store::open(url).await.unwrap());
        let clock = Arc::new(TestClock(Mutex::new("2026-03-01T12:00:00.000000789Z".parse().unwrap())));
        let (web, roots) = (Arc::new(Web::default()), RootKeys::generate(&Seeded::new(1)));
        let issuer = issuer(settings.clone(), &store.issuer, &clock, &web, &roots, 2);
        Self { issuer, store, clock, web, roots, settings, _directory: directory }
    }

    /// Another replica: the same store, time and web, other randomness.
    pub(crate) fn replica(&self) -> Self {
        self.under(&self.roots, 3)
    }

    /// The same store, time and web under other root keys.
    pub(crate) fn under(&self, roots: &RootKeys, seed: u64) -> Self {
        let issuer = issuer(self.settings.clone(), &self.store.issuer, &self.clock, &self.web, roots, seed);
        Self {
            issuer,
            store: self.store.clone(),
            clock: self.clock.clone(),
            web: self.web.clone(),
            roots: roots.clone(),
            settings: self.settings.clone(),
            _directory: None,
        }
    }

    /// The same under another public URL.
    pub(crate) fn moved_to(&self, url: &str) -> Self {
        self.set_up(IssuerSettings::new(url, self.settings.endpoints().to_vec()).unwrap())
    }

    /// The same where registration is closed.
    pub(crate) fn closed(&self) -> Self {
        let mut settings = self.settings.clone();
        settings.registration = RegistrationPolicy::Closed;
        self.set_up(settings)
    }

    fn set_up(&self, settings: IssuerSettings) -> Self {
        let issuer = issuer(settings.clone(), &self.store.issuer, &self.clock, &self.web, &self.roots, 4);
        Self { issuer, settings, ..self.under(&self.roots, 5) }
    }

    /// The same where somebody says what teammates may do.
    pub(crate) fn with_standings(&self, standings: Arc<dyn Standings>) -> Self {
        let randomness = Arc::new(Seeded::new(6));
        let (store, fetch, clock) = (self.store.issuer.clone(), self.web.clone(), self.clock.clone());
        let parts = IssuerParts { store, fetch, clock, randomness };
        let issuer = Issuer::new(self.settings.clone(), parts, &self.roots).with_standings(standings);
        Self { issuer: Arc::new(issuer), ..self.under(&self.roots, 7) }
    }

    pub(crate) async fn register(&self, metadata: &Value) -> Registration {
        self.issuer.register(&serde_json::to_vec(metadata).unwrap(), from()).await.unwrap()
    }

    /// A client without a secret.
    pub(crate) async fn public_client(&self) -> String {
        let metadata =
            json!({"client_name": "Desk", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
        self.register(&metadata).await.client_id
    }

    /// A client with a secret.
    pub(crate) async fn confidential_client(&self) -> (String, String) {
        let registration = self.register(&json!({"redirect_uris": [CALLBACK]})).await;
        (registration.client_id, registration.client_secret.unwrap().expose().to_owned())
    }

    pub(crate) async fn ask(&self, client: &str, more: &[(&str, &str)]) -> AuthorizationRequest {
        self.issuer.authorization_request(&request(client, more), from()).await.unwrap()
    }

    pub(crate) async fn allow(&self, request: &AuthorizationRequest) -> ClientRedirect {
        let all = ScopeSet::read_and_write();
        let approval = Approval { subject: ALICE, most: &all, chosen: &all };
        self.issuer.approve(request, approval).await.unwrap()
    }

    /// Asks and allows, and the code that comes of it.
    pub(crate) async fn code(&self, client: &str, more: &[(&str, &str)]) -> String {
        let redirect = self.allow(&self.ask(client, more).await).await;
        answer(&redirect)["code"].clone()
    }

    pub(crate) async fn token(&self, form: &[(&str, &str)]) -> Result<TokenAnswer, TokenError> {
        self.issuer.token(&ClientCall { form: &pairs(form), authorization: None, from: from() }).await
    }

    pub(crate) async fn redeem(&self, client: &str, code: &str) -> Result<TokenAnswer, TokenError> {
        self.token(&exchange(client, code)).await
    }

    pub(crate) async fn refresh(&self, client: &str, token: &str) -> Result<TokenAnswer, TokenError> {
        self.token(&[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)]).await
    }

    /// A client without a secret that is signed in: its id and its tokens.
    pub(crate) async fn signed_in(&self) -> (String, TokenAnswer) {
        let client = self.public_client().await;
        let code = self.code(&client, &[]).await;
        let tokens = self.redeem(&client, &code).await.unwrap();
        (client, tokens)
    }

    /// Who calls with this access token, or the code of the refusal.
    pub(crate) async fn caller(&self, access_token: &str) -> Result<Caller, &'static str> {
        let mode = OAuthMode::new(self.issuer.clone(), EndpointId::main());
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_str(&format!("Bearer {access_token}")).unwrap());
        mode.authenticate(&headers).await.map_err(|denied| denied.code()).map(Option::unwrap)
    }

    pub(crate) async fn revoke(&self, client: &str, token: &str) {
        let form = pairs(&[("client_id", client), ("token", token)]);
        self.issuer.revoke(&ClientCall { form: &form, authorization: None, from: from() }).await.unwrap();
    }

    pub(crate) async fn introspect(&self, client: &str, secret: &str, token: &str) -> Introspection {
        let form = pairs(&[("client_id", client), ("client_secret", secret), ("token", token)]);
        self.issuer.introspect(&ClientCall { form: &form, authorization: None, from: from() }).await.unwrap()
    }
}

fn issuer(
    settings: IssuerSettings,
    store: &Arc<dyn IssuerStore>,
    clock: &Arc<TestClock>,
    web: &Arc<Web>,
    roots: &RootKeys,
    seed: u64,
) -> Arc<Issuer> {
    let randomness = Arc::new(Seeded::new(seed));
    let parts = IssuerParts { store: store.clone(), fetch: web.clone(), clock: clock.clone(), randomness };
    Arc::new(Issuer::new(settings, parts, roots))
}

pub(crate) fn from() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

pub(crate) fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A request in order; what `more` names stands in the place of the usual, and an empty value leaves
/// it out.
pub(crate) fn request(client: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "st&te"),
    ];
    let usual = usual.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    pairs(&usual.chain(more.iter().copied()).filter(|(_, value)| !value.is_empty()).collect::<Vec<_>>())
}

pub(crate) fn exchange<'a>(client: &'a str, code: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// The parameters of an answer.
pub(crate) fn answer(redirect: &ClientRedirect) -> BTreeMap<String, String> {
    let url = url::Url::parse(redirect.location()).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

pub(crate) fn access(tokens: &TokenAnswer) -> &str {
    tokens.access_token.expose()
}

pub(crate) fn refresh_token(tokens: &TokenAnswer) -> &str {
    tokens.refresh_token.as_ref().unwrap().expose()
}

/// Status and code of an error.
pub(crate) fn wire(answer: &ErrorAnswer) -> (u16, &'static str) {
    (answer.status.as_u16(), answer.error)
}

pub(crate) fn refused(result: Result<TokenAnswer, TokenError>) -> (u16, &'static str) {
    wire(&result.unwrap_err().answer())
}

impl Desk {
    /// As [`Desk::revoke`], by a client with a secret.
    pub(crate) async fn revoke_of(&self, client: &str, secret: &str, token: &str) {
        let form = pairs(&[("client_id", client), ("client_secret", secret), ("token", token)]);
        self.issuer.revoke(&ClientCall { form: &form, authorization: None, from: from() }).await.unwrap();
    }
}
