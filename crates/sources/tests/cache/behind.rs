//! One source of each kind, and what is behind them: an API that repeats what it was shown, a database,
//! and a vault in which callers have credentials.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::{
    AuditRecord, AuditSink, Cache, Call, CallError, Caller, CallerCredential, CallerCredentials, Catalog, Claims,
    CredentialLack, CredentialRequired, EndpointId, LocalCache, OsRandomness, Outcome, Pipeline, Policies, PolicyPatch,
    Presented, Refusal, RequestId, Secret, SignIn, Source, SystemClock, catalog::NamedSource, pipeline::Shield,
    policy::CachePatch,
};
use bridgehead_outbound::{Client, Configured, Limits, Net};
use bridgehead_sources::{
    http::{
        Credential, HttpSettings, HttpSource, HttpToolSettings, Place, Presentation, RequestSettings, VaultCredential,
        VaultPlaces, VaultPresentation,
    },
    native::{Context, NativeSource, NativeTool},
    openapi::{ConvertSettings, Document, OpenApiSettings, OpenApiSource},
    parameter::Parameter,
    sql::{CallerParameter, Database, SqlSettings, SqlSource, SqlToolSettings},
};
use http::HeaderName;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The tools whose answers are the caller's own, and those that are the same for all.
pub(crate) const OWN: [&str; 7] = ["handed", "vaulted", "described", "described_vault", "mine", "of_team", "code"];
pub(crate) const COMMON: [&str; 3] = ["fixed", "all", "plain_code"];

/// An API that answers with the target and the key of each request.
struct Api {
    origin: String,
    state: Arc<ApiState>,
}

#[derive(Default)]
struct ApiState {
    asked: AtomicUsize,
    /// Whether it wants to be asked each time whether an answer is still good. It always is.
    is_asked_again: AtomicBool,
    /// The keys that it does not accept.
    revoked: Mutex<Vec<String>>,
}

impl ApiState {
    fn answer(&self, head: &str) -> String {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let (target, key) = (head.split(' ').nth(1).unwrap_or_default(), header("x-api-key"));
        if key.is_some_and(|key| self.revoked.lock().unwrap().iter().any(|revoked| revoked == key)) {
            return "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned();
        }
        let tag = match self.is_asked_again.load(Ordering::SeqCst) {
            true => "cache-control: no-cache\r\netag: \"1\"\r\n",
            false => "",
        };
        if header("if-none-match").is_some() {
            return format!("HTTP/1.1 304 Not Modified\r\n{tag}connection: close\r\n\r\n");
        }
        let body = json!({"target": target, "key": key}).to_string();
        let length = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{tag}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
    }
}

impl Api {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<ApiState>::default();
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await?);
                    }
                    stream.write_all(state.answer(&String::from_utf8_lossy(&head)).as_bytes()).await
                });
            }
        });
        Self { origin, state }
    }
}

/// What callers have in the vault: a value and its version, which never comes back.
#[derive(Default)]
pub(crate) struct Entered {
    values: Mutex<BTreeMap<String, (String, usize)>>,
    versions: AtomicUsize,
    /// What is entered while a call is told that its credential is not accepted.
    meanwhile: Mutex<Option<String>>,
}

impl Entered {
    pub(crate) fn enter(&self, subject: &str, value: &str) {
        let version = self.versions.fetch_add(1, Ordering::SeqCst);
        self.values.lock().unwrap().insert(subject.to_owned(), (value.to_owned(), version));
    }

    pub(crate) fn enter_meanwhile(&self, value: &str) {
        *self.meanwhile.lock().unwrap() = Some(value.to_owned());
    }

    pub(crate) fn remove(&self, subject: &str) {
        self.values.lock().unwrap().remove(subject);
    }

    pub(crate) fn value(&self, subject: &str) -> Option<String> {
        self.values.lock().unwrap().get(subject).map(|(value, _)| value.clone())
    }
}

#[async_trait]
impl CallerCredentials for Entered {
    async fn credential(&self, vault: &str, caller: &Caller) -> Result<CallerCredential, CallError> {
        if let Some((value, version)) = self.values.lock().unwrap().get(&*caller.subject) {
            let values = BTreeMap::from([("key".to_owned(), Secret::new(value.clone()))]);
            return Ok(CallerCredential::new(values, version.to_string().into()));
        }
        Err(lacks(CredentialLack::NotEntered, vault, caller))
    }

    async fn not_accepted(
        &self,
        vault: &str,
        caller: &Caller,
        presented: &CallerCredential,
    ) -> Result<CallerCredential, CallError> {
        if let Some(value) = self.meanwhile.lock().unwrap().take() {
            self.enter(&caller.subject, &value);
        }
        let held = self.credential(vault, caller).await?;
        match held.version() == presented.version() {
            true => Err(lacks(CredentialLack::NotAccepted, vault, caller)),
            false => Ok(held),
        }
    }
}

fn lacks(lack: CredentialLack, vault: &str, caller: &Caller) -> CallError {
    let required = CredentialRequired {
        vault: vault.into(),
        title: "The API".to_owned(),
        subject: caller.subject.clone(),
        url: "https://bridgehead.test/account".to_owned(),
        lack,
        said: None,
    };
    Refusal::CredentialRequired(Box::new(required)).into()
}

struct Unrecorded;
impl AuditSink for Unrecorded {
    fn record(&self, _: AuditRecord) {}
}

/// All sources behind one pipeline with a cache.
pub(crate) struct Behind {
    api: Api,
    pub(crate) entered: Arc<Entered>,
    catalog: Catalog,
    pipeline: Pipeline,
    _place: tempfile::TempDir,
}

impl Behind {
    pub(crate) async fn start() -> Self {
        Self::start_on(Arc::new(LocalCache::new(Arc::new(SystemClock), 1 << 20))).await
    }

    /// With an API of its own, and answers that were remembered before.
    pub(crate) async fn start_on(store: Arc<LocalCache>) -> Self {
        let (api, place, entered) = (Api::start().await, tempfile::tempdir().unwrap(), Arc::new(Entered::default()));
        let sources = sources(&api.origin, place.path(), &entered).await;
        let cached = |shared| CachePatch { ttl: Some(Duration::from_secs(600)), shared, ..CachePatch::default() };
        let mut policies = vec![("default".to_owned(), PolicyPatch { cache: cached(None), ..PolicyPatch::default() })];
        for address in ["fixed.fixed", "rows.all", "code.plain_code"] {
            let patch = PolicyPatch { cache: cached(Some(true)), ..PolicyPatch::default() };
            policies.push((address.to_owned(), patch));
        }
        let catalog = Catalog::build(sources, &Policies::new(policies)).unwrap();
        let shield = Shield::default().with_cache(Cache::new(EndpointId::main(), store));
        let pipeline = Pipeline::with_shield(Arc::new(SystemClock), Arc::new(Unrecorded), shield);
        Self { api, entered, catalog, pipeline, _place: place }
    }

    pub(crate) async fn call(&self, caller: &Caller, tool: &str, n: u8) -> Result<Outcome, CallError> {
        let arguments = json!({"n": n}).as_object().unwrap().clone();
        let call = Call::new(RequestId::generate(&OsRandomness), Arc::new(caller.clone()), tool, arguments);
        self.pipeline.run(&self.catalog, call).await
    }

    /// How many requests reached the API.
    pub(crate) fn asked(&self) -> usize {
        self.api.state.asked.load(Ordering::SeqCst)
    }

    /// From now on the API wants to be asked each time whether an answer is still good.
    pub(crate) fn is_asked_again(&self) {
        self.api.state.is_asked_again.store(true, Ordering::SeqCst);
    }

    /// The API accepts this key again.
    pub(crate) fn allow(&self, key: &str) {
        self.api.state.revoked.lock().unwrap().retain(|revoked| revoked != key);
    }

    /// From now on the API does not accept this key.
    pub(crate) fn revoke(&self, key: &str) {
        self.api.state.revoked.lock().unwrap().push(key.to_owned());
    }
}

/// Someone who signed in with a key of the API's.
pub(crate) fn caller(subject: &str, key: &str, team: &str) -> Caller {
    Caller {
        subject: subject.into(),
        sign_in: SignIn::UpstreamKey,
        presented: Presented::default().with("x-api-key", Secret::new(key.to_owned())),
        claims: Claims::new(json!({"team": team}).as_object().unwrap().clone()),
        ..Caller::anonymous()
    }
}

fn client() -> Client<Configured> {
    Client::configured(Net::system(Arc::new(SystemClock)), Limits::CONFIGURED)
}

fn vault() -> Credential {
    let place = Place::Header(HeaderName::from_static("x-api-key"));
    let places = VaultPlaces::At(vec![VaultPresentation::new(place, "{key}").unwrap()]);
    Credential::Vault(VaultCredential { vault: "api".to_owned(), places })
}

fn web(origin: &str, tool: &str, credential: Credential, entered: &Arc<Entered>) -> Arc<dyn Source> {
    let mut request = RequestSettings::new("GET", format!("{origin}/{tool}"));
    request.query = vec![("n".to_owned(), json!("{n}"))];
    let mut tool = HttpToolSettings::new(tool, "Reads.", request);
    tool.parameters = vec![n()];
    let settings = HttpSettings { name: "web".to_owned(), credential, tools: vec![tool], secrets: Vec::new() };
    let source = HttpSource::open(settings, client(), Arc::new(SystemClock)).ok().unwrap();
    Arc::new(source.with_credentials(entered.clone()))
}

fn described(origin: &str, tool: &str, credential: Credential, entered: &Arc<Entered>) -> Arc<dyn Source> {
    let parameter = json!({"name": "n", "in": "query", "required": true, "schema": {"type": "integer"}});
    let schema = json!({"type": "object", "properties": {"target": {"type": "string"}, "key": {"type": "string"}}});
    let response = json!({"description": "All of it.", "content": {"application/json": {"schema": schema}}});
    let operation = json!({
        "operationId": tool, "summary": "Reads.", "parameters": [parameter], "responses": {"200": response}
    });
    let root = json!({
        "openapi": "3.1.0", "info": {"title": "API", "version": "1"}, "servers": [{"url": origin}],
        "paths": {format!("/{tool}"): {"get": operation}}
    });
    let settings =
        OpenApiSettings { name: tool.to_owned(), convert: ConvertSettings::default(), credential, secrets: Vec::new() };
    let document = Document::of(root, None).unwrap();
    let (source, _) = OpenApiSource::new(&document, settings, client(), Arc::new(SystemClock)).ok().unwrap();
    Arc::new(source.with_credentials(entered.clone()))
}

fn n() -> Parameter {
    let schema = json!({"type": "integer"}).as_object().unwrap().clone();
    Parameter { name: "n".to_owned(), schema, required: true }
}

fn statement(name: &str, sql: &str, from: Option<&str>) -> SqlToolSettings {
    let mut tool = SqlToolSettings::new(name, "Reads.", sql);
    tool.parameters = vec![n()];
    let schema = || json!({"type": "string"}).as_object().unwrap().clone();
    let of_caller =
        from.map(|from| CallerParameter { name: "who".to_owned(), from: from.parse().unwrap(), schema: schema() });
    tool.of_caller.extend(of_caller);
    tool
}

async fn rows(place: &std::path::Path) -> Arc<dyn Source> {
    let seed = place.join("notes.sql");
    let notes = "CREATE TABLE note (owner TEXT NOT NULL, team TEXT NOT NULL) STRICT;
        INSERT INTO note VALUES ('alice', 'north'), ('bob', 'south');";
    std::fs::write(&seed, notes).unwrap();
    let database = Database::Sqlite { path: place.join("notes.db"), seed: Some(seed) };
    let tools = vec![
        statement("mine", "SELECT owner, :n AS n FROM note WHERE owner = :who", Some("caller.subject")),
        statement("of_team", "SELECT team, :n AS n FROM note WHERE team = :who", Some("caller.claims.team")),
        statement("all", "SELECT count(*) AS notes, :n AS n FROM note", None),
    ];
    let settings = SqlSettings { name: "rows".to_owned(), database, effects_table: false, tools };
    Arc::new(SqlSource::open(settings, Arc::new(SystemClock)).await.ok().unwrap())
}

fn code() -> NativeSource {
    let says_who = NativeTool::builder("code")
        .description("Says who calls.")
        .read()
        .argument::<u8>("n", "A number.")
        .context_handler(|context: Context| async move { context.caller().subject.to_string() });
    let says_nothing = NativeTool::builder("plain_code")
        .description("Says the same to all.")
        .read()
        .same_for_all_callers()
        .argument::<u8>("n", "A number.")
        .context_handler(|_| async { "the same".to_owned() });
    NativeSource::new([says_who, says_nothing])
}

pub(crate) async fn sources(origin: &str, place: &std::path::Path, entered: &Arc<Entered>) -> Vec<NamedSource> {
    let key = Presentation {
        place: Place::Header(HeaderName::from_static("x-api-key")),
        value: Secret::new("fixed-key".to_owned()),
    };
    let fixed = Credential::Fixed(vec![key]);
    let all: [(&str, Arc<dyn Source>); 7] = [
        ("handed", web(origin, "handed", Credential::FromCaller, entered)),
        ("vaulted", web(origin, "vaulted", vault(), entered)),
        ("fixed", web(origin, "fixed", fixed, entered)),
        ("described", described(origin, "described", Credential::FromCaller, entered)),
        ("described_vault", described(origin, "described_vault", vault(), entered)),
        ("rows", rows(place).await),
        ("code", Arc::new(code())),
    ];
    all.into_iter().map(|(name, source)| NamedSource { name: name.into(), prefix: String::new(), source }).collect()
}
