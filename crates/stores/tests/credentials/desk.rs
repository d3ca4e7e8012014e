//! Credentials in a SQLite store, with a clock that is moved, randomness that repeats, and an
//! authorization server of a system behind that answers what a test wants.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bridgehead_auth::{
    MailAddress, RootKeys, Session, UpstreamCredentials, Vault,
    credentials::{
        CredentialParts, OAuthVault, TokenEndpoint, TokenEndpointAuth, TokenEndpointDown, TokenReply, TokenRequest,
        VaultDefinition, VaultField, VaultKind,
    },
    users::User,
};
use bridgehead_core::{
    CallError, Caller, CallerCredential, CallerCredentials, Claims, Clock, CredentialRequired, Presented, Randomness,
    Refusal, ScopeSet, Secret, SignIn,
};
use bridgehead_stores::{Store, StoreUrl};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use url::{Url, form_urlencoded};

pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// How long an access token of the authorization server is good.
pub(crate) const LIFE: Duration = Duration::from_secs(15 * 60);

#[derive(Clone)]
pub(crate) struct TestClock(watch::Sender<Timestamp>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }

    /// Somebody waits.
    pub(crate) async fn has_sleepers(&self) {
        while self.0.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.now() + duration;
        let mut time = self.0.subscribe();
        Box::pin(async move {
            time.wait_for(|now| *now >= until).await.unwrap();
        })
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

/// The authorization server of the CRM. Unless it is told otherwise, each answer has tokens with the
/// number of the request: `access-1`, `refresh-1`, good for a quarter of an hour.
pub(crate) struct Tokens {
    told: Mutex<VecDeque<Option<(u16, Value)>>>,
    pub(crate) asked: Mutex<Vec<Vec<(String, String)>>>,
    open: watch::Sender<bool>,
}

impl Tokens {
    /// The next answer.
    pub(crate) fn tell(&self, status: u16, body: Value) {
        self.told.lock().unwrap().push_back(Some((status, body)));
    }

    /// Nobody is there for the next request.
    pub(crate) fn tell_nothing(&self) {
        self.told.lock().unwrap().push_back(None);
    }

    /// Answers nothing until it is opened again.
    pub(crate) fn shut(&self, shut: bool) {
        self.open.send_replace(!shut);
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn was_asked(&self, times: usize) {
        while self.times_asked() < times {
            tokio::task::yield_now().await;
        }
    }

    /// A parameter of the last request.
    pub(crate) fn last(&self, name: &str) -> Option<String> {
        let asked = self.asked.lock().unwrap();
        asked.last()?.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    }
}

#[async_trait::async_trait]
impl TokenEndpoint for Tokens {
    async fn ask(&self, request: TokenRequest) -> Result<TokenReply, TokenEndpointDown> {
        let form = form_urlencoded::parse(request.body.expose().as_bytes()).into_owned().collect();
        let number = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(form);
            asked.len()
        };
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
        let usual = json!({"access_token": format!("access-{number}"), "token_type": "Bearer",
            "expires_in": LIFE.as_secs(), "refresh_token": format!("refresh-{number}")});
        let told = self.told.lock().unwrap().pop_front().unwrap_or(Some((200, usual)));
        let (status, body) =
            told.ok_or_else(|| TokenEndpointDown { what: "nobody answers at its address".into(), cause: None })?;
        Ok(TokenReply { status, body: body.to_string().into_bytes() })
    }
}

/// One process, and what it shares with others.
pub(crate) struct Desk {
    pub(crate) credentials: UpstreamCredentials,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: TestClock,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) roots: RootKeys,
    directory: Arc<TempDir>,
    seed: u64,
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let tokens =
            Arc::new(Tokens { told: Mutex::default(), asked: Mutex::default(), open: watch::Sender::new(true) });
        let clock = TestClock(watch::Sender::new("2026-03-01T12:00:00Z".parse().unwrap()));
        let roots = RootKeys::generate(&Seeded::new(1));
        Self::of(Arc::new(tempfile::tempdir().unwrap()), clock, tokens, roots, 1).await
    }

    async fn of(directory: Arc<TempDir>, clock: TestClock, tokens: Arc<Tokens>, roots: RootKeys, seed: u64) -> Self {
        let url = StoreUrl::Sqlite(directory.path().join("bridgehead.db"));
        let store = Arc::new(Store::open(&url).await.unwrap());
        let parts = CredentialParts {
            store: store.credentials.clone(),
            vault: Vault::derive(&roots),
            tokens: tokens.clone(),
            clock: Arc::new(clock.clone()),
            randomness: Arc::new(Seeded::new(seed * 7919)),
        };
        let credentials = UpstreamCredentials::new(vaults(), "https://mcp.example.com/", parts);
        Self { credentials, store, clock, tokens, roots, directory, seed }
    }

    /// Another process on the same store.
    pub(crate) async fn replica(&self) -> Self {
        self.with_roots(self.roots.clone()).await
    }

    /// As [`Desk::replica`], with other root keys.
    pub(crate) async fn with_roots(&self, roots: RootKeys) -> Self {
        let (clock, tokens) = (self.clock.clone(), self.tokens.clone());
        Self::of(self.directory.clone(), clock, tokens, roots, self.seed + 1).await
    }

    pub(crate) fn vault(&self, name: &str) -> &VaultDefinition {
        self.credentials.vault(name).unwrap()
    }

    /// Alice, or whoever it is, fills in the form of the ERP.
    pub(crate) async fn enter(&self, subject: &str, api_key: &str, tenant: &str) {
        let value_of = |field: &str| Secret::new(if field == "api_key" { api_key } else { tenant }.to_owned());
        self.credentials.enter(self.vault("erp"), subject, value_of).await.unwrap();
    }

    /// They connect the CRM, from the button to the end.
    pub(crate) async fn connect(&self, subject: &str) {
        let session = session(subject, "s1");
        let url = self.credentials.begin(self.vault("crm"), &session, None).await.unwrap();
        let back = came_back(&url, &[("code", "c-1")]);
        assert_eq!(self.credentials.finish(self.vault("crm"), &session, &back).await.unwrap(), None);
    }

    /// What a call of theirs presents to the CRM.
    pub(crate) async fn token(&self, subject: &str) -> Result<String, CallError> {
        self.credentials.credential("crm", &caller(subject)).await.map(|credential| token_of(&credential))
    }
}

pub(crate) fn token_of(credential: &CallerCredential) -> String {
    credential.value("access_token").unwrap().expose().to_owned()
}

pub(crate) fn vaults() -> Vec<VaultDefinition> {
    let field = |name: &str, label: &str| VaultField { name: name.into(), label: label.into() };
    let oauth = OAuthVault {
        authorization_url: "https://crm.example/authorize?prompt=consent".parse().unwrap(),
        token_url: "https://crm.example/token".parse().unwrap(),
        client_id: "bridgehead".into(),
        client_secret: Some(Secret::new("s3cret".into())),
        token_endpoint_auth: TokenEndpointAuth::Basic,
        scopes: vec!["customers.read".into(), "offline".into()],
    };
    vec![
        VaultDefinition { name: "crm".into(), title: "the CRM".into(), kind: VaultKind::OAuth(Box::new(oauth)) },
        VaultDefinition {
            name: "erp".into(),
            title: "the ERP".into(),
            kind: VaultKind::Fields(vec![field("api_key", "Your key"), field("tenant", "Your tenant")]),
        },
    ]
}

/// A caller who signed in by OAuth.
pub(crate) fn caller(subject: &str) -> Caller {
    Caller {
        subject: subject.into(),
        scopes: ScopeSet::read_and_write(),
        sign_in: SignIn::OAuth { client_id: "bhi_1".into(), grant_id: "bhn_1".into() },
        presented: Presented::default(),
        claims: Claims::default(),
    }
}

/// A browser session of theirs.
pub(crate) fn session(subject: &str, id: &str) -> Session {
    let at = Timestamp::UNIX_EPOCH;
    let user = User {
        address: MailAddress::parse(subject).unwrap(),
        name: None,
        admin: false,
        scopes: ScopeSet::read_and_write(),
        created_at: at,
        disabled_at: None,
        signed_in_at: None,
        has_password: true,
    };
    Session { id: id.into(), user, created_at: at, expires_at: at }
}

pub(crate) fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// What stands in the query when somebody comes back from `url`.
pub(crate) fn came_back(url: &Url, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let state = ("state".to_owned(), parameter(url, "state"));
    more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain([state]).collect()
}

/// What the caller has to do first.
pub(crate) fn required<T: std::fmt::Debug>(result: Result<T, CallError>) -> CredentialRequired {
    match result {
        Err(CallError::Refused(Refusal::CredentialRequired(required))) => *required,
        other => panic!("{other:?}"),
    }
}
