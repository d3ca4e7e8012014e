//! A running server in a test.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bridgehead::{
    compose::{Ambient, Composed, FromCode, compose},
    config::{self, Environment},
    core::{EndpointId, ScopeSet, catalog::NamedSource},
};
use bridgehead_auth::{Issuer, KeyRecord, NewKey, Probe, Users, users::NewUser};
use bridgehead_core::{Clock, Secret};
use bridgehead_outbound::Net;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{MovableClock, SeededRandomness};

/// A small database for tests: one table of articles and one of stock.
pub const WAREHOUSE_TABLES: &str = "
CREATE TABLE article (sku TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL) STRICT;
CREATE TABLE stock (sku TEXT NOT NULL REFERENCES article, location TEXT NOT NULL, units INTEGER NOT NULL CHECK (units >= 0),
  PRIMARY KEY (sku, location)) STRICT;
INSERT INTO article VALUES ('A-1', 'Mug', 950), ('A-2', 'Plate', 1250), ('A-3', 'Bowl', 1100);
INSERT INTO stock VALUES ('A-1', 'NORTH', 20), ('A-1', 'SOUTH', 5), ('A-2', 'NORTH', 0);
";

/// What a server is started with.
#[derive(Default)]
pub struct TestServerBuilder {
    config: String,
    files: Vec<(String, String)>,
    from_code: FromCode,
    variables: Vec<(String, String)>,
    way_out: Option<WayOut>,
    seed: Option<u64>,
}

/// Changes how the systems behind are reached.
type WayOut = Arc<dyn Fn(Net) -> Net + Send + Sync>;

impl TestServerBuilder {
    /// A file beside the configuration.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// A source that the configuration cannot name.
    #[must_use]
    pub fn source(mut self, source: NamedSource) -> Self {
        self.from_code.sources.push(source);
        self
    }

    /// How the source of this name is asked about a caller's credential.
    #[must_use]
    pub fn probe(mut self, source: &str, probe: Arc<dyn Probe>) -> Self {
        self.from_code.probes.push((source.to_owned(), probe));
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Other randomness than that of all other servers.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Another way out than the machine's own, see [`crate::outside`].
    #[must_use]
    pub fn way_out(mut self, change: impl Fn(Net) -> Net + Send + Sync + 'static) -> Self {
        self.way_out = Some(Arc::new(change));
        self
    }

    /// Starts the server.
    pub async fn start(self) -> TestServer {
        let directory = tempfile::tempdir().expect("a directory for the test");
        for (name, text) in &self.files {
            std::fs::write(directory.path().join(name), text).expect("a file for the test");
        }
        let path = directory.path().join("bridgehead.toml");
        std::fs::write(&path, &self.config).expect("a configuration for the test");
        let clock = MovableClock::default();
        let given = Given { variables: self.variables, from_code: self.from_code, way_out: self.way_out };
        let seed = self.seed.unwrap_or(1);
        let first = Replica::start(&path, &clock, seed, &given).await;
        TestServer { first, clock, path, given, seeds: AtomicU64::new(seed), _directory: directory }
    }
}

/// What every replica of a server is started with.
struct Given {
    variables: Vec<(String, String)>,
    from_code: FromCode,
    way_out: Option<WayOut>,
}

/// The real file system, and only the variables that the test gives.
struct TestEnvironment {
    variables: BTreeMap<String, String>,
    directory: PathBuf,
}

impl Environment for TestEnvironment {
    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn read(&self, path: &Path) -> std::io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Loads the configuration at `path` with these variables and no others, and opens nothing.
///
/// # Panics
/// With its faults, where it has any.
pub fn load(path: &Path, variables: &[(String, String)]) {
    let environment = TestEnvironment {
        variables: variables.iter().cloned().collect(),
        directory: path.parent().expect("a directory").to_owned(),
    };
    config::load(path, &environment).unwrap_or_else(|faults| panic!("the configuration is wrong:\n{faults}"));
}

/// One process of a server, as it were: its own state in memory, its own socket.
pub struct Replica {
    /// The endpoint, for example `http://127.0.0.1:40123/mcp`.
    pub url: String,
    /// The server's origin as its own socket has it, for example `http://127.0.0.1:40123`.
    pub origin: String,
    /// The address it listens on.
    pub address: SocketAddr,
    /// The address of the listener that sends browsers on to HTTPS, where there is one.
    pub http_address: Option<SocketAddr>,
    keys: Arc<bridgehead_auth::IssuedKeys>,
    blocks: bridgehead_auth::SubjectBlocks,
    /// The people who sign in.
    pub users: Arc<Users>,
    /// How clients tried to connect.
    pub trace: bridgehead_auth::Trace,
    issuer: Option<Arc<Issuer>>,
    client: reqwest::Client,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Replica {
    async fn start(path: &Path, clock: &MovableClock, seed: u64, given: &Given) -> Self {
        let (variables, from_code) = (&given.variables, given.from_code.clone());
        let environment = TestEnvironment {
            variables: variables.iter().cloned().collect(),
            directory: path.parent().expect("a directory").to_owned(),
        };
        // Where code brings a source, the configuration need not have one.
        let loaded = if from_code.sources.is_empty() {
            config::load(path, &environment)
        } else {
            let text = std::fs::read_to_string(path).expect("the configuration of the test");
            config::load_beside_code(path, &text, &environment)
        };
        let loaded = loaded.unwrap_or_else(|faults| panic!("the configuration is wrong:\n{faults}"));
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let randomness = Arc::new(SeededRandomness::new(seed));
        let net = Net::system(clock.clone());
        let net = given.way_out.as_ref().map_or_else(|| net.clone(), |change| change(net.clone()));
        let ambient = Ambient { net, clock, randomness };
        let composed: Composed = compose(&loaded.settings, &loaded.places, &ambient, from_code)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let (address, http_address) = (composed.address(), composed.http_address());
        let scheme = if loaded.settings.server.tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{address}");
        let url = composed.app.endpoint_url();
        let (keys, blocks) = (composed.keyring.keys.clone(), composed.keyring.blocks.clone());
        let (users, trace) = (composed.keyring.users.clone(), composed.keyring.trace.clone());
        let issuer = composed.issuer.clone();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(composed.serve(shutdown.clone()));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { url, origin, address, http_address, keys, blocks, users, trace, issuer, client, shutdown, serving }
    }

    /// Makes a key, good for `hours` from the clock's now.
    pub async fn key(&self, subject: &str, scopes: &str, expires_at: Option<Timestamp>) -> (KeyRecord, String) {
        self.key_in(None, subject, scopes, expires_at).await
    }

    /// As [`Replica::key`], for the one header it may arrive in.
    pub async fn key_in(
        &self,
        header: Option<&str>,
        subject: &str,
        scopes: &str,
        expires_at: Option<Timestamp>,
    ) -> (KeyRecord, String) {
        let new = NewKey {
            endpoint: EndpointId::main(),
            subject: subject.to_owned(),
            scopes: ScopeSet::parse(scopes).expect("scopes"),
            expires_at,
            label: None,
            header: header.map(str::to_owned),
        };
        let (record, key) = self.keys.create(new).await.expect("a key");
        (record, key.expose().to_owned())
    }

    /// Revokes a key.
    pub async fn revoke(&self, record: &KeyRecord) {
        self.keys.revoke(&record.id).await.expect("a store");
    }

    /// Cuts a caller off by name.
    pub async fn block(&self, subject: &str) {
        self.blocks.block(subject).await.expect("a store");
    }

    /// The authorization server.
    ///
    /// # Panics
    /// The mode `oauth` is not configured.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        self.issuer.as_ref().expect("the mode oauth")
    }

    /// Adds a user with a password.
    pub async fn user(&self, mail: &str, password: &str, scopes: &str) {
        let scopes = ScopeSet::parse(scopes).expect("scopes");
        let new = NewUser { address: mail.to_owned(), name: None, admin: false, scopes };
        let user = self.users.add(new).await.expect("a user");
        self.users.set_password(&user.address, &Secret::new(password.to_owned())).await.expect("a password");
    }

    /// A POST to the endpoint with the headers every client sends; the rest is the test's.
    pub fn post(&self) -> reqwest::RequestBuilder {
        self.client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// The HTTP client, for everything else.
    #[must_use]
    pub const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Sends one request of `revision` with `key` and returns status and JSON body.
    pub async fn rpc(&self, revision: &str, key: &str, method: &str, params: Value) -> (u16, Value) {
        let mut params = params;
        let mut request = self.post().bearer_auth(key).header("mcp-protocol-version", revision);
        if revision == "2026-07-28" {
            request = request.header("mcp-method", method);
            if let Some(name) = params.get("name").or_else(|| params.get("taskId")).and_then(Value::as_str) {
                request = request.header("mcp-name", name.to_owned());
            }
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = revision.into();
            let capabilities = &mut params["_meta"]["io.modelcontextprotocol/clientCapabilities"];
            if capabilities.is_null() {
                *capabilities = json!({});
            }
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let response = request.body(message.to_string()).send().await.expect("an answer");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        (status, read_message(&text))
    }

    /// The same as a client of 2026-07-28 that takes tasks; the JSON body.
    pub async fn rpc_with_tasks(&self, key: &str, method: &str, mut params: Value) -> Value {
        let capabilities = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities;
        self.rpc("2026-07-28", key, method, params).await.1
    }

    /// Stops the server in good order.
    pub async fn stop(self) {
        self.shutdown.cancel();
        self.serving.await.expect("an orderly end");
    }

    /// Tells the server to stop, without waiting.
    pub fn begin_stop(&self) {
        self.shutdown.cancel();
    }
}

/// A JSON body, or the last event of a stream.
fn read_message(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| {
        let data = text.lines().rev().find_map(|line| line.strip_prefix("data:"));
        data.and_then(|data| serde_json::from_str(data.trim()).ok()).unwrap_or_else(|| json!({"not_json": text}))
    })
}

/// A server and what is around it: its directory, its clock.
pub struct TestServer {
    first: Replica,
    /// The server's clock.
    pub clock: MovableClock,
    path: PathBuf,
    given: Given,
    /// The last one's: each has randomness of its own.
    seeds: AtomicU64,
    _directory: TempDir,
}

impl TestServer {
    /// A server with this configuration; `[server] listen` must take a free port.
    #[must_use]
    pub fn with(config: &str) -> TestServerBuilder {
        TestServerBuilder { config: config.to_owned(), ..TestServerBuilder::default() }
    }

    /// Another server on the same configuration, store and databases.
    pub async fn replica(&self) -> Replica {
        let seed = self.seeds.fetch_add(1, Ordering::Relaxed) + 1;
        Replica::start(&self.path, &self.clock, seed, &self.given).await
    }

    /// Ends the server as a crash does, and starts it again on the same configuration and store, at
    /// another port.
    pub async fn crash(mut self) -> Self {
        let Replica { serving, .. } = self.first;
        serving.abort();
        // It says that it was cancelled.
        let _ = serving.await;
        let seed = self.seeds.fetch_add(1, Ordering::Relaxed) + 1;
        self.first = Replica::start(&self.path, &self.clock, seed, &self.given).await;
        self
    }

    /// The directory with the configuration and whatever stands beside it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.path.parent().expect("a directory")
    }

    /// A moment `seconds` from the clock's now.
    #[must_use]
    pub fn in_seconds(&self, seconds: i64) -> Timestamp {
        self.clock.now() + SignedDuration::from_secs(seconds)
    }

    /// Stops the server in good order; its directory goes with it.
    pub async fn stop(self) {
        self.first.stop().await;
    }
}

impl std::ops::Deref for TestServer {
    type Target = Replica;

    fn deref(&self) -> &Replica {
        &self.first
    }
}
