//! The library's front door: a server put together in Rust instead of a file.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bridgehead_auth::{CreateError, KeyHeader, NewKey};
use bridgehead_core::{EndpointId, Policies, ScopeSet, Source, catalog::NamedSource};
use bridgehead_sources::native::{ConnectError, NativeSource, NativeTool, RmcpServer, Toolbox};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    card,
    compose::{self, Ambient, ComposeError, Composed},
    config::{
        Places, Settings,
        settings::{
            ApiKeySettings, AuthSettings, ForwardingHeader, ModeSettings, PageSettings, PublicUrl, SecretSettings,
            ServerSettings, StoreSettings, VerifySettings,
        },
    },
};

/// The name of the source that holds the tools given one by one.
const OWN_TOOLS: &str = "tools";

/// A server in the making.
///
/// ```no_run
/// use bridgehead::{Json, Server, tool};
///
/// /// Adds two whole numbers and returns their sum.
/// #[tool(read)]
/// async fn add(
///     /// The first number.
///     a: i64,
///     /// The second number.
///     b: i64,
/// ) -> String {
///     (a + b).to_string()
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), bridgehead::Error> {
/// Server::new("Sums").tool(add()).issued_keys("sums.db").serve().await
/// # }
/// ```
///
/// How callers sign in has to be said: [`Server::issued_keys`] or [`Server::open`]. The server
/// does not do what the file can and the library's user can do better: it reads no environment.
pub struct Server {
    name: String,
    instructions: Option<String>,
    listen: SocketAddr,
    public_url: Option<String>,
    auth: Option<Auth>,
    tools: Vec<NativeTool>,
    sources: Vec<NamedSource>,
    ambient: Ambient,
}

enum Auth {
    Open,
    IssuedKeys(PathBuf),
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody said how callers sign in.
    #[error("say how callers sign in: .issued_keys(\"FILE.db\") asks for a key, .open() asks nobody")]
    AuthNotStated,
    /// The public URL is none, or more than an origin.
    #[error("`{url}` is no public URL: write scheme, host and port alone, for example https://mcp.example.com")]
    PublicUrl {
        /// As it was given.
        url: String,
    },
    /// An address that others can reach, and no public URL.
    #[error(
        "a server on {listen} needs .public_url(…): the address that teammates type, for example https://mcp.example.com"
    )]
    PublicUrlMissing {
        /// As it was given.
        listen: SocketAddr,
    },
    /// A wrapped rmcp server did not start.
    #[error(transparent)]
    Rmcp(#[from] ConnectError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] CreateError),
    /// A tool cannot be served, a store cannot be opened, an address is taken.
    #[error(transparent)]
    Compose(#[from] ComposeError),
}

impl Server {
    /// A server of this name, on `127.0.0.1:8080`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            instructions: None,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            public_url: None,
            auth: None,
            tools: Vec::new(),
            sources: Vec::new(),
            ambient: Ambient::default(),
        }
    }

    /// What an agent is told about the server as a whole.
    #[must_use]
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.instructions = Some(text.into());
        self
    }

    /// Where to listen; port 0 takes a free one.
    #[must_use]
    pub const fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// What teammates type, less the path `/mcp`: needed wherever the server does not listen on
    /// loopback.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Asks nobody who they are: everyone who can reach the address may call every tool.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.auth = Some(Auth::Open);
        self
    }

    /// Asks for a key. Keys live in this SQLite file, which is made when it is not there, and
    /// their root key in `bridgehead.keys` beside it. Make some with [`Running::create_key`].
    #[must_use]
    pub fn issued_keys(mut self, store: impl AsRef<Path>) -> Self {
        self.auth = Some(Auth::IssuedKeys(store.as_ref().to_owned()));
        self
    }

    /// Adds one tool.
    #[must_use]
    pub fn tool(mut self, tool: NativeTool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds the tools of a type whose `impl` block has `#[tools]`.
    #[must_use]
    pub fn toolbox(mut self, toolbox: impl Toolbox) -> Self {
        self.tools.extend(Arc::new(toolbox).tools());
        self
    }

    /// Adds any source; `name` is the first half of its tools' addresses.
    #[must_use]
    pub fn source(mut self, name: impl Into<Arc<str>>, source: impl Source) -> Self {
        self.sources.push(NamedSource { name: name.into(), prefix: String::new(), source: Arc::new(source) });
        self
    }

    /// Adds all tools of an existing `rmcp` server, as it is.
    ///
    /// # Errors
    /// The server does not start or does not list its tools.
    pub async fn rmcp_server(self, name: impl Into<Arc<str>>, server: impl rmcp::ServerHandler) -> Result<Self, Error> {
        let source = RmcpServer::connect(server).await?;
        Ok(self.source(name, source))
    }

    /// Other time and chance than the machine's, for tests.
    #[must_use]
    pub fn ambient(mut self, ambient: Ambient) -> Self {
        self.ambient = ambient;
        self
    }

    /// Starts the server in the background.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start(self) -> Result<Running, Error> {
        let (composed, _, ambient) = self.compose().await?;
        let url = composed.app.endpoint_url();
        let keys = composed.keyring.keys.clone();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(composed.serve(shutdown.clone()));
        Ok(Running { url, keys, ambient, shutdown, serving })
    }

    /// Serves until the process is told to stop (SIGTERM, Ctrl-C), and prints the same card as
    /// `bridgehead serve`: URL, how to sign in, the tools.
    ///
    /// # Errors
    /// [`Error`].
    #[expect(clippy::print_stdout, reason = "the card is this function's result")]
    pub async fn serve(self) -> Result<(), Error> {
        let (composed, settings, ambient) = self.compose().await?;
        let first = composed.first_run(&settings, &ambient).await?;
        println!("{}", card::card(&card::Facts::of(&settings, &composed, None, &first)));
        composed.serve(compose::told_to_stop()).await;
        Ok(())
    }

    async fn compose(self) -> Result<(Composed, Settings, Ambient), Error> {
        let settings = self.settings()?;
        let mut sources = self.sources;
        if !self.tools.is_empty() {
            let own = Arc::new(NativeSource::new(self.tools));
            sources.insert(0, NamedSource { name: OWN_TOOLS.into(), prefix: String::new(), source: own });
        }
        let composed = compose::compose(&settings, &Places::default(), &self.ambient, sources).await?;
        Ok((composed, settings, self.ambient))
    }

    fn settings(&self) -> Result<Settings, Error> {
        let public_url = match &self.public_url {
            Some(text) => PublicUrl::Given(origin(text).ok_or_else(|| Error::PublicUrl { url: text.clone() })?),
            None if self.listen.ip().is_loopback() => {
                let text = format!("http://{}", self.listen);
                PublicUrl::SameAsListen(origin(&text).ok_or(Error::PublicUrl { url: text })?)
            }
            None => return Err(Error::PublicUrlMissing { listen: self.listen }),
        };
        let (auth, store, make) = match self.auth.as_ref().ok_or(Error::AuthNotStated)? {
            Auth::Open => (AuthSettings::Open, StoreSettings::Memory, None),
            Auth::IssuedKeys(file) => {
                let settings = ApiKeySettings { header: KeyHeader::bearer(), verify: VerifySettings::Issued };
                let mode = ModeSettings::ApiKey(settings);
                let keys = file.with_file_name("bridgehead.keys");
                (AuthSettings::SignIn(vec![mode]), StoreSettings::Sqlite(file.clone()), Some(keys))
            }
        };
        Ok(Settings {
            pages: PageSettings::unless_said_otherwise(&auth),
            name: self.name.clone(),
            instructions: self.instructions.clone(),
            server: ServerSettings {
                listen: self.listen,
                public_url,
                path: "/mcp".to_owned(),
                allowed_hosts: Vec::new(),
                allowed_origins: Vec::new(),
                trusted_proxies: Vec::new(),
                forwarded: ForwardingHeader::None,
                proxy_protocol: false,
                drain_timeout: Duration::from_secs(25),
                admin_listen: None,
                tls: None,
            },
            secrets: SecretSettings { keys: Vec::new(), make },
            auth,
            store,
            shared: None,
            vaults: Vec::new(),
            sources: Vec::new(),
            policies: Policies::default(),
        })
    }
}

fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    (bare && matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// A server that runs in the background.
pub struct Running {
    url: String,
    keys: Arc<bridgehead_auth::IssuedKeys>,
    ambient: Ambient,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    /// The endpoint's URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Makes a key for a teammate, good for `lasts` or without an end, with the scopes
    /// `tools:read` and `tools:write`. It cannot be had again.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create_key(
        &self,
        subject: impl Into<String>,
        lasts: Option<std::time::Duration>,
    ) -> Result<String, Error> {
        let new = NewKey {
            endpoint: EndpointId::main(),
            subject: subject.into(),
            scopes: ScopeSet::read_and_write(),
            expires_at: lasts.and_then(|lasts| self.ambient.clock.now().checked_add(lasts).ok()),
            label: None,
            header: None,
        };
        let (_, key) = self.keys.create(new).await?;
        Ok(key.expose().to_owned())
    }

    /// Takes no more calls, lets the running ones end, and gives back what is held.
    pub async fn stop(self) {
        self.shutdown.cancel();
        // The task ends by itself; if it panicked, there is nothing left to stop.
        let _ = self.serving.await;
    }
}
