//! From checked settings to a running app. The only place that names concrete sources, modes and
//! stores.
//!
//! Data flows one way: [`Settings`] → root keys and store → keys → modes; sources → catalog;
//! all of these → [`Composed`], which binds and serves.

mod audit_log;
mod cache;
pub(crate) mod connect;
mod credentials;
mod effects;
mod fetch;
mod foreign;
mod issuer;
mod modes;
mod probe;
mod provider;
mod remote;
mod signal;
mod sources;
mod tls;

use std::{net::SocketAddr, sync::Arc};

use bridgehead_auth::{
    CreateError, CsrfTokens, Fingerprints, IssuedKeys, Issuer, KeyVersion, NewKey, Peppers, Probe, ResourceServer,
    RootKeys, SecretsError, Sessions, StoreError, SubjectBlocks, Trace, UpstreamCredentials, Users, Vault,
    issuer::IssuerSettingsError, provider::Provider,
};
use bridgehead_core::{
    AuditSink, CallerCredentials, Catalog, Clock, Endpoint, EndpointId, NoVaults, OsRandomness, Pipeline, Randomness,
    ScopeSet, Secret, Shield, SystemClock, catalog::NamedSource,
};
use bridgehead_outbound::Net;
use bridgehead_server::{
    App, Bound, Metrics, OwnKeys, ServerSettings, SignInParts,
    app::Parts,
    ops::health::{Readiness, Ready},
    tls::files::CertificateFiles,
};
use bridgehead_stores::{Store, StoreUrl, Valkey, ValkeyError};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::{
    card::FirstRun,
    config::{
        self, Fault, Faults, KeyPath, Places, Settings,
        settings::{CertificateSettings, ModeSettings, SecretSettings, StoreSettings},
    },
};

pub use audit_log::AuditLog;
pub use credentials::for_commands as credentials_for_commands;
pub use effects::effects;
pub(crate) use foreign::ForeignClients;
pub use issuer::for_commands as issuer_for_commands;
pub use signal::told_to_stop;
pub use sources::description;

/// Whom the key of the first run is for.
const FIRST_SUBJECT: &str = "you@localhost";
/// How long the key of the first run is good.
const FIRST_KEY_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// Time, chance and the way out, as the app gets them.
#[derive(Clone)]
pub struct Ambient {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes keys and ids.
    pub randomness: Arc<dyn Randomness>,
    /// How systems behind are reached.
    pub net: Net,
}

impl Default for Ambient {
    /// The machine's own.
    fn default() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Self { net: Net::system(clock.clone()), clock, randomness: Arc::new(OsRandomness) }
    }
}

/// What code brings beside the configuration.
#[derive(Clone, Default)]
pub struct FromCode {
    /// Sources that the configuration cannot name.
    pub sources: Vec<NamedSource>,
    /// How sources are asked about a caller's credential, by the name that `probe.source` gives.
    pub probes: Vec<(String, Arc<dyn Probe>)>,
}

impl From<Vec<NamedSource>> for FromCode {
    fn from(sources: Vec<NamedSource>) -> Self {
        Self { sources, probes: Vec::new() }
    }
}

/// Why an app could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The configuration is wrong; each fault with its line.
    #[error(transparent)]
    Configuration(#[from] Faults),
    /// The file with the root keys.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key of the first run could not be made.
    #[error(transparent)]
    FirstKey(#[from] CreateError),
    /// What replicas share.
    #[error("shared.url: {0}. See that it names a Valkey or Redis server as it is reached from here.")]
    Shared(#[from] ValkeyError),
    /// The authorization server cannot be what the settings say.
    #[error(transparent)]
    Issuer(#[from] IssuerSettingsError),
    /// The certificate that nobody trusts could not be made.
    #[error(transparent)]
    SelfSigned(#[from] bridgehead_server::tls::self_signed::SelfSignedError),
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] bridgehead_server::tls::TlsError),
    /// The address.
    #[error("cannot listen on {address}: {cause}. Stop what listens there, or set server.listen to another address.")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
}

/// The keys that are issued here, what is known of callers who have none, the people who sign in, and
/// the store all of it lives in.
pub struct Keyring {
    /// Makes, lists, revokes and checks keys.
    pub keys: Arc<IssuedKeys>,
    /// Cuts callers off by name.
    pub blocks: SubjectBlocks,
    /// Names callers by what they hand over for the system behind.
    pub fingerprints: Fingerprints,
    /// Adds users and checks who signs in.
    pub users: Arc<Users>,
    /// Browser sessions of users.
    pub sessions: Arc<Sessions>,
    /// Protects forms against other sites.
    pub csrf: CsrfTokens,
    /// How clients tried to connect.
    pub trace: Trace,
    /// Seals what has to be read again.
    pub vault: Vault,
    /// Where they live.
    pub store: Arc<Store>,
    /// What all keys are derived from.
    roots: RootKeys,
}

impl Keyring {
    /// The names of the root keys, the signing one first.
    pub fn root_keys(&self) -> impl Iterator<Item = &KeyVersion> {
        self.roots.versions()
    }
}

/// Opens the store and the root keys: all that the commands on keys, users, clients and grants need.
///
/// # Errors
/// The root keys cannot be read or made, or the store cannot be opened.
pub async fn keyring(settings: &Settings, ambient: &Ambient) -> Result<Keyring, ComposeError> {
    let roots = root_keys(&settings.secrets, ambient)?;
    let url = match &settings.store {
        StoreSettings::Memory => StoreUrl::Memory,
        StoreSettings::Sqlite(path) => StoreUrl::Sqlite(path.clone()),
        StoreSettings::Postgres(url) => StoreUrl::Postgres(url.clone()),
    };
    let store = Arc::new(Store::open(&url).await?);
    let (clock, randomness) = (&ambient.clock, &ambient.randomness);
    let keys = IssuedKeys::new(store.keys.clone(), Peppers::derive(&roots), clock.clone(), randomness.clone());
    let users = Users::new(store.users.clone(), &roots, clock.clone(), randomness.clone());
    let sessions = Sessions::new(store.sessions.clone(), &roots, clock.clone(), randomness.clone());
    Ok(Keyring {
        keys: Arc::new(keys),
        blocks: SubjectBlocks::new(store.subjects.clone(), clock.clone()),
        fingerprints: Fingerprints::derive(&roots),
        vault: Vault::derive(&roots),
        users: Arc::new(users),
        sessions: Arc::new(sessions),
        csrf: CsrfTokens::derive(&roots, clock.clone(), randomness.clone()),
        trace: Trace::new(store.trace.clone(), clock.clone()),
        store,
        roots,
    })
}

fn root_keys(settings: &SecretSettings, ambient: &Ambient) -> Result<RootKeys, ComposeError> {
    let mut all = match &settings.make {
        Some(path) => {
            let loaded = RootKeys::load_or_create(path, &*ambient.randomness)?;
            if loaded.created {
                tracing::info!(file = %path.display(), "made the file with the root keys. Keep it secret, and keep a copy");
            }
            if let Some(warning) = loaded.warning {
                tracing::warn!("{warning}");
            }
            Some(loaded.keys)
        }
        None => None,
    };
    for (index, text) in settings.keys.iter().enumerate() {
        let more = RootKeys::parse(&format!("secrets.keys[{index}]"), text.expose())?;
        all = Some(match all {
            Some(keys) => keys.followed_by(more),
            None => more,
        });
    }
    // A store in memory may have its root key in memory as well.
    Ok(all.unwrap_or_else(|| RootKeys::generate(&*ambient.randomness)))
}

/// Opens every source and checks every tool, and that every policy has one.
///
/// # Errors
/// Every fault at once, each with its line.
pub async fn catalog(
    settings: &Settings,
    places: &Places,
    ambient: &Ambient,
    more: Vec<NamedSource>,
) -> Result<Catalog, Faults> {
    catalog_for_calls(settings, places, ambient, Arc::new(NoVaults), more).await
}

/// As [`catalog`], for tools that are called as well: sources ask `credentials` for those of a caller.
///
/// # Errors
/// As [`catalog`].
pub async fn catalog_for_calls(
    settings: &Settings,
    places: &Places,
    ambient: &Ambient,
    credentials: Arc<dyn CallerCredentials>,
    more: Vec<NamedSource>,
) -> Result<Catalog, Faults> {
    let catalog = opened(settings, places, &sources::Around { ambient, credentials }, more).await?;
    let addresses: Vec<_> = catalog.entries().iter().map(|entry| entry.tool.address.clone()).collect();
    let unused: Vec<Fault> = settings
        .policies
        .unused(&addresses)
        .map(|pattern| {
            places.fault(
                &KeyPath::of(["policy", pattern]),
                "no tool has an address that this pattern fits",
                "write it as SOURCE.TOOL or SOURCE.*; `bridgehead tools` lists the addresses",
            )
        })
        .collect();
    let faults: Vec<Fault> = unused.into_iter().chain(cache::faults(settings, &catalog, places)).collect();
    if faults.is_empty() { Ok(catalog) } else { Err(Faults::new(faults)) }
}

/// Sees whether the files of `[server.tls]` hold what they should; more of a certificate cannot be
/// seen before the server runs.
///
/// # Errors
/// A fault with its line.
pub async fn certificate(settings: &Settings, places: &Places, ambient: &Ambient) -> Result<(), Faults> {
    match settings.server.tls.as_ref().map(|tls| &tls.certificate) {
        Some(CertificateSettings::Files { certificate, key }) => {
            let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
            let public_url = settings.server.public_url(settings.server.listen);
            tls::from_files(&files, public_url.host_str(), places, ambient).await.map(drop)
        }
        Some(CertificateSettings::Acme(acme)) => tls::directory_root(acme, places).map(drop),
        Some(CertificateSettings::SelfSigned) | None => Ok(()),
    }
}

/// Opens every source and checks every tool.
///
/// # Errors
/// Every fault of every source and tool at once, each with its line.
pub async fn tools(
    settings: &Settings,
    places: &Places,
    ambient: &Ambient,
    more: Vec<NamedSource>,
) -> Result<Catalog, Faults> {
    opened(settings, places, &sources::Around { ambient, credentials: Arc::new(NoVaults) }, more).await
}

async fn opened(
    settings: &Settings,
    places: &Places,
    around: &sources::Around<'_>,
    more: Vec<NamedSource>,
) -> Result<Catalog, Faults> {
    let (mut opened, mut faults) = (Vec::new(), Vec::new());
    for source_settings in &settings.sources {
        match sources::open(source_settings, around).await {
            Ok(source) => opened.push(NamedSource {
                name: source_settings.name.as_str().into(),
                prefix: source_settings.prefix.clone(),
                source,
            }),
            Err(found) => faults.extend(found.into_iter().map(|fault| {
                let around = KeyPath::of(["sources", &source_settings.name]);
                let path = fault.path.iter().fold(around, |path, key| path.key(key));
                places.fault_in_words(&path, &fault.message)
            })),
        }
    }
    if !faults.is_empty() {
        return Err(Faults::new(faults));
    }
    opened.extend(more);
    Catalog::build(opened, &settings.policies).map_err(|found| {
        let fault = |fault: bridgehead_core::CatalogFault| {
            let path = KeyPath::of(["sources", &*fault.address.source, "tools", &*fault.address.tool]);
            places.fault_in_words(&path, &fault.message)
        };
        Faults::new(found.into_iter().map(fault).collect())
    })
}

fn asks_whether_ready(shared: Valkey) -> Ready {
    Arc::new(move || {
        let shared = shared.clone();
        Box::pin(async move { shared.ready().await.map_err(|error| error.to_string()) })
    })
}

/// An app that is bound to its addresses and ready to serve.
pub struct Composed {
    /// The app.
    pub app: App,
    /// The keys that are issued here.
    pub keyring: Keyring,
    /// The tools and the pipeline in front of them.
    pub endpoint: Arc<Endpoint>,
    /// The built-in authorization server, where teammates sign in there.
    pub issuer: Option<Arc<Issuer>>,
    /// What teammates entered or connected for systems behind.
    pub credentials: UpstreamCredentials,
    /// The endpoint towards an authorization server that is not ours.
    pub resource: Option<Arc<ResourceServer>>,
    bound: Bound,
    admin: Option<Bound>,
    tls: Option<tls::Opened>,
    /// The second listener, which sends browsers on to HTTPS.
    http: Option<Bound>,
    clock: Arc<dyn Clock>,
}

/// Builds the app and binds its addresses. Nothing is answered before [`Composed::serve`].
///
/// # Errors
/// [`ComposeError`].
pub async fn compose(
    settings: &Settings,
    places: &Places,
    ambient: &Ambient,
    more: impl Into<FromCode>,
) -> Result<Composed, ComposeError> {
    let from_code = more.into();
    let keyring = keyring(settings, ambient).await?;
    // Before the sources, whose callers are told where on this server they enter what is missing.
    let bound = bind(settings.server.listen).await?;
    let server = server_settings(&settings.server, bound.address());
    let credentials = credentials::credentials(settings, &server.public_url, &keyring, ambient);
    let of_callers = Arc::new(credentials.clone());
    let catalog = catalog_for_calls(settings, places, ambient, of_callers, from_code.sources.clone()).await?;
    let metrics = Metrics::default();
    let audit: Vec<Arc<dyn AuditSink>> = vec![Arc::new(AuditLog), Arc::new(metrics.clone())];
    let shared = settings
        .shared
        .as_ref()
        .map(|shared| Valkey::open(&shared.url, &shared.prefix, ambient.clock.clone()))
        .transpose()?;
    let mut shield =
        Shield::default().with_events(Arc::new(metrics.clone())).with_randomness(ambient.randomness.clone());
    shield = shield.with_cache(cache::cache(EndpointId::main(), settings, shared.as_ref(), (ambient, &keyring.roots)));
    if let Some(shared) = &shared {
        shield = shield.with_counters(Arc::new(shared.clone()));
    }
    let id = EndpointId::main();
    let effects = effects(&keyring, ambient, &id);
    let pipeline = Pipeline::with_shield(ambient.clock.clone(), Arc::new(audit), shield).with_effects(effects);
    let endpoint =
        Arc::new(Endpoint::new(id.clone(), settings.name.clone(), settings.instructions.clone(), catalog, pipeline));
    let around = issuer::Around { ambient, keyring: &keyring };
    let provider = provider::provider(settings, &server.public_url, &around);
    let issuer = issuer::issuer(settings, places, &server.public_url, &endpoint, provider.as_ref(), &around)?;
    let resource = foreign::resource_server(settings, places, &server.public_url, &endpoint, &around)?;
    let around = modes::Around {
        settings,
        places,
        ambient,
        keyring: &keyring,
        from_code: &from_code,
        issuer: issuer.as_ref(),
        provider: provider.as_ref(),
        resource: resource.as_ref(),
    };
    let modes = Arc::new(modes::modes(&around, &id)?);
    let admin = bind_one_more(settings.server.admin_listen).await?;
    let http = bind_one_more(settings.server.tls.as_ref().and_then(|tls| tls.http_listen)).await?;
    let tls = match &settings.server.tls {
        Some(tls) => {
            let public_url = &server.public_url;
            let around = tls::Around { places, ambient, metrics: &metrics, keyring: &keyring, public_url };
            Some(tls::open(tls, &around).await?)
        }
        None => None,
    };
    let store = keyring.store.clone();
    let readiness = Readiness {
        endpoint: endpoint.clone(),
        store: Arc::new(move || {
            let store = store.clone();
            Box::pin(async move { store.ready().await.map_err(|error| error.to_string()) })
        }),
        shared: shared.map(asks_whether_ready),
    };
    let parts = Parts {
        endpoint: endpoint.clone(),
        modes,
        sign_in: issuer.clone().map(|issuer| sign_in(settings, issuer, provider, &keyring, &credentials)),
        resource: resource.clone(),
        connect: connect::parts(settings, resource.as_deref()),
        readiness,
        metrics,
        clock: ambient.clock.clone(),
        randomness: ambient.randomness.clone(),
    };
    let app = App::new(&server, bound.address(), parts);
    let clock = ambient.clock.clone();
    Ok(Composed { app, keyring, endpoint, issuer, resource, credentials, bound, admin, tls, http, clock })
}

fn sign_in(
    settings: &Settings,
    issuer: Arc<Issuer>,
    provider: Option<Arc<Provider>>,
    keyring: &Keyring,
    credentials: &UpstreamCredentials,
) -> SignInParts {
    let own_keys = settings.auth.modes().iter().find_map(|mode| match mode {
        ModeSettings::ApiKey(api_key) if mode.is_issued() => Some(OwnKeys {
            keys: keyring.keys.clone(),
            header: (!api_key.header.is_bearer()).then(|| api_key.header.title()),
        }),
        _ => None,
    });
    SignInParts {
        issuer,
        users: keyring.users.clone(),
        sessions: keyring.sessions.clone(),
        csrf: keyring.csrf.clone(),
        trace: keyring.trace.clone(),
        // Nobody would ask the provider whether whoever made a key may still use it.
        keys: own_keys.filter(|_| provider.is_none()),
        provider,
        credentials: credentials.clone(),
    }
}

async fn bind_one_more(address: Option<SocketAddr>) -> Result<Option<Bound>, ComposeError> {
    match address {
        Some(address) => bind(address).await.map(Some),
        None => Ok(None),
    }
}

async fn bind(address: SocketAddr) -> Result<Bound, ComposeError> {
    bridgehead_server::bind(address).await.map_err(|cause| ComposeError::Listen { address, cause })
}

fn server_settings(configured: &config::settings::ServerSettings, bound: SocketAddr) -> ServerSettings {
    ServerSettings {
        path: configured.path.clone(),
        allowed_hosts: configured.allowed_hosts.clone(),
        allowed_origins: configured.allowed_origins.clone(),
        trusted_proxies: configured.trusted_proxies.clone(),
        forwarded: configured.forwarded,
        proxy_protocol: configured.proxy_protocol,
        drain_timeout: configured.drain_timeout,
        ..ServerSettings::new(configured.public_url(bound))
    }
}

impl Composed {
    /// The address listened on, with the port that was taken.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// The address of the admin listener, where there is one.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(Bound::address)
    }

    /// Whether HTTPS waits for its first certificate.
    #[must_use]
    pub fn awaits_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|opened| opened.certificates.shown().is_none())
    }

    /// The address of the listener that sends browsers on to HTTPS, where there is one.
    #[must_use]
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Bound::address)
    }

    /// How the first ones get in, where nobody does yet, to be printed once and never logged; and how
    /// clients get to be known to an authorization server that is not ours.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub(crate) async fn first_run(&self, settings: &Settings, ambient: &Ambient) -> Result<FirstRun, ComposeError> {
        let administrator = match settings.auth.oauth() {
            Some(oauth) if oauth.login.is_none() => Some(self.keyring.users.first_administrator().await?),
            Some(_) | None => None,
        };
        let foreign_clients = match &self.resource {
            Some(resource) => Some(foreign::look(resource).await),
            None => None,
        };
        Ok(FirstRun { key: self.first_key(settings, ambient).await?, administrator, foreign_clients })
    }

    /// On loopback with an empty store, whoever starts the server is the one who wants to try it:
    /// makes them one key, good for a day. `None` where that does not hold.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn first_key(&self, settings: &Settings, ambient: &Ambient) -> Result<Option<Secret>, ComposeError> {
        let takes_one = |mode: &ModeSettings| matches!(mode, ModeSettings::ApiKey(_)) && mode.is_issued();
        let issued = settings.auth.modes().iter().any(takes_one);
        if !(issued && self.address().ip().is_loopback() && self.keyring.keys.is_empty().await?) {
            return Ok(None);
        }
        let new = NewKey {
            endpoint: self.endpoint.id.clone(),
            subject: FIRST_SUBJECT.to_owned(),
            scopes: ScopeSet::read_and_write(),
            expires_at: ambient.clock.now().checked_add(FIRST_KEY_LASTS).ok(),
            label: Some("made at the first start".to_owned()),
            header: None,
        };
        let (_, key) = self.keyring.keys.create(new).await?;
        Ok(Some(key))
    }

    /// Serves until `shutdown` fires and running calls have ended, then gives back what is held.
    pub async fn serve(self, shutdown: CancellationToken) {
        let Self { app, keyring, endpoint, issuer, resource: _, credentials, bound, admin, tls, http, clock } = self;
        let (tls, keep_fresh) = tls.map(|opened| (opened.tls, opened.keep_fresh)).unzip();
        let admin = async {
            if let Some(admin) = admin {
                admin.serve_beside(app.clone(), app.admin(), shutdown.clone()).await;
            }
        };
        let redirects = async {
            if let (Some(http), Some(tls)) = (http, &tls) {
                let router = bridgehead_server::redirect::router(app.public_url(), tls);
                http.serve_beside(app.clone(), router, shutdown.clone()).await;
            }
        };
        let fresh = async {
            if let Some(keep_fresh) = keep_fresh {
                keep_fresh(shutdown.clone()).await;
            }
        };
        let sweep = async {
            if let Some(issuer) = issuer {
                issuer::sweep(&issuer, &*clock, &shutdown).await;
            }
        };
        let effects = effects::sweep(&*keyring.store.effects, &*clock, &shutdown);
        tokio::join!(bound.serve(app.clone(), tls.clone(), shutdown.clone()), admin, redirects, fresh, sweep, effects);
        keyring.keys.settle().await;
        keyring.sessions.settle().await;
        keyring.trace.settle().await;
        credentials.settle().await;
        for named in endpoint.catalog().sources() {
            named.source.close().await;
        }
        keyring.store.close().await;
    }
}
