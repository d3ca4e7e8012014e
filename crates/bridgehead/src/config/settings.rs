//! What the configuration means: checked, with defaults filled in, and of types that cannot be
//! wrong. Nothing here has been opened, connected to or bound yet.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

pub use bridgehead_auth::credentials::VaultDefinition;
pub use bridgehead_auth::issuer::RegistrationPolicy;
pub use bridgehead_auth::provider::ProviderSettings;
use bridgehead_auth::{
    CallerHeaders, KeyHeader, SigningAlgorithm,
    remote::{ClientCredentials, IssuerUrl},
};
use bridgehead_core::{Policies, ScopeSet, Secret};
pub use bridgehead_server::http::ForwardingHeader;
pub use bridgehead_sources::sql::{
    Column, DEFAULT_ROW_LIMIT, Database, Page, Parameter, SessionSetting, SqlSettings, SqlToolSettings,
};
use bridgehead_sources::{http::HttpSettings, openapi::OpenApiSettings};
pub use bridgehead_stores::ValkeyUrl;
use http::Method;
use ipnet::IpNet;
use url::Url;

pub use super::units::{UnitError, parse_bytes, parse_duration};

/// A whole configuration, ready to be built into an app.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `name`: what the server calls itself towards clients and on its pages.
    pub name: String,
    /// `instructions`: what an agent is told about the server as a whole.
    pub instructions: Option<String>,
    /// `[server]`.
    pub server: ServerSettings,
    /// `[secrets]`.
    pub secrets: SecretSettings,
    /// `[auth]`.
    pub auth: AuthSettings,
    /// `[store]`.
    pub store: StoreSettings,
    /// `[shared]`; `None` where each process keeps for itself what replicas could share.
    pub shared: Option<SharedSettings>,
    /// `[vaults.NAME]`, in the order of the file.
    pub vaults: Vec<VaultDefinition>,
    /// `[sources.NAME]`, in the order of the file; at least one, unless code brings tools as well.
    pub sources: Vec<SourceSettings>,
    /// `[policy.PATTERN]`.
    pub policies: Policies,
    /// `[pages]`.
    pub pages: PageSettings,
}

/// `[pages]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSettings {
    /// `tools`: whether everybody sees the tools on the connect page, or signed-in teammates alone.
    pub public_tools: bool,
}

impl PageSettings {
    /// Everybody may see the tools where everybody may call them.
    #[must_use]
    pub const fn unless_said_otherwise(auth: &AuthSettings) -> Self {
        Self { public_tools: matches!(auth, AuthSettings::Open) }
    }
}

/// Where the server listens and what it is called from outside.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// `listen`, or `0.0.0.0:$PORT`.
    pub listen: SocketAddr,
    /// `public_url`.
    pub public_url: PublicUrl,
    /// `path`: starts with `/`, does not end with it, and is none of the server's own paths.
    pub path: String,
    /// `allowed_hosts`: host names or `host:port`, in lower case, beside the public URL's own.
    pub allowed_hosts: Vec<String>,
    /// `allowed_origins`: serialised origins (`https://app.example.com`), beside the own one.
    pub allowed_origins: Vec<String>,
    /// `trusted_proxies`: whose forwarding header, or PROXY protocol header, is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// `forwarded`: the one forwarding header that is read.
    pub forwarded: ForwardingHeader,
    /// `proxy_protocol`: whether connections of trusted proxies begin with a header of their own.
    pub proxy_protocol: bool,
    /// `drain_timeout`: how long running calls may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// `admin_listen`: where `/metrics` and `/admin` live; never the same as `listen`.
    pub admin_listen: Option<SocketAddr>,
    /// `[server.tls]`; `None` where something in front ends TLS, or on loopback.
    pub tls: Option<TlsSettings>,
}

impl ServerSettings {
    /// The public URL, once it is known to which address the server is bound: with `listen` on
    /// port 0 that is only after binding.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> Url {
        match &self.public_url {
            PublicUrl::Given(url) => url.clone(),
            PublicUrl::SameAsListen(url) => {
                let mut url = url.clone();
                // Both fail only for URLs without a host, which this one has.
                let _ = url.set_ip_host(bound.ip());
                let _ = url.set_port(Some(bound.port()));
                url
            }
        }
    }
}

/// What teammates type, less the path: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicUrl {
    /// Named in the configuration.
    Given(Url),
    /// Not named, and the server listens on loopback: `http://<listen>`, or `https://<listen>` with TLS.
    SameAsListen(Url),
}

/// `[server.tls]`.
#[derive(Debug, Clone)]
pub struct TlsSettings {
    /// Where the certificate comes from.
    pub certificate: CertificateSettings,
    /// `http_listen`: where HTTP is sent on to HTTPS and `http-01` challenges are answered.
    pub http_listen: Option<SocketAddr>,
}

/// Where a certificate comes from.
#[derive(Debug, Clone)]
pub enum CertificateSettings {
    /// `certificate` and `key`: PEM files, absolute.
    Files {
        /// The certificate and its chain.
        certificate: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// `acme`.
    Acme(Box<AcmeSettings>),
    /// Made at the start and trusted by nobody: only where the command line asks for it.
    SelfSigned,
}

/// `server.tls.acme` (RFC 8555).
#[derive(Debug, Clone)]
pub struct AcmeSettings {
    /// Whom the authority writes to.
    pub email: String,
    /// The directory's URL, by HTTPS.
    pub directory: Url,
    /// How the authority is shown that a name is ours.
    pub challenge: AcmeChallenge,
    /// The names for the certificate: DNS names in lower case, at least one.
    pub domains: Vec<String>,
    /// What new accounts are bound to: the key's id, and the key in base64url.
    pub external_account: Option<(String, Secret)>,
    /// `directory_root`: PEM file with a root certificate for the directory's HTTPS, absolute.
    pub directory_root: Option<PathBuf>,
}

/// `server.tls.acme.challenge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// RFC 8737.
    TlsAlpn01,
    /// RFC 8555 §8.3.
    Http01,
}

/// The keys behind everything that is hashed, signed or encrypted.
#[derive(Debug, Clone, Default)]
pub struct SecretSettings {
    /// The key file that stands first in `secrets.keys`, absolute: it is loaded, or made with a
    /// fresh key and mode 0600 if it is not there yet. Its first key signs.
    pub make: Option<PathBuf>,
    /// The text of each other entry, which may hold several keys; they come after those of
    /// `make`. With neither (a store in memory), the key lives in memory as the store does.
    pub keys: Vec<Secret>,
}

/// How callers are told apart.
#[derive(Debug, Clone)]
pub enum AuthSettings {
    /// Anybody who reaches the server may call every tool.
    Open,
    /// A caller has to satisfy one of these modes; at least one.
    SignIn(Vec<ModeSettings>),
}

impl AuthSettings {
    /// The modes, in the order in which they are asked; none where nobody is asked.
    #[must_use]
    pub fn modes(&self) -> &[ModeSettings] {
        match self {
            Self::Open => &[],
            Self::SignIn(modes) => modes,
        }
    }

    /// `[auth.oauth]`, where teammates sign in at the built-in authorization server.
    #[must_use]
    pub fn oauth(&self) -> Option<&OAuthSettings> {
        self.modes().iter().find_map(|mode| match mode {
            ModeSettings::OAuth(settings) => Some(settings),
            ModeSettings::ApiKey(_) | ModeSettings::Headers(_) | ModeSettings::ForeignOAuth(_) => None,
        })
    }

    /// `auth.oauth.login`, where teammates log in at an identity provider.
    #[must_use]
    pub fn login(&self) -> Option<&ProviderSettings> {
        self.oauth().and_then(|oauth| oauth.login.as_deref())
    }

    /// `[auth.oauth]`, where teammates sign in at an authorization server that is not ours.
    #[must_use]
    pub fn foreign_oauth(&self) -> Option<&ForeignOAuthSettings> {
        self.modes().iter().find_map(|mode| match mode {
            ModeSettings::ForeignOAuth(settings) => Some(settings),
            ModeSettings::ApiKey(_) | ModeSettings::Headers(_) | ModeSettings::OAuth(_) => None,
        })
    }
}

/// One way to sign in.
#[derive(Debug, Clone)]
pub enum ModeSettings {
    /// `api_key`.
    ApiKey(ApiKeySettings),
    /// `headers`.
    Headers(HeadersSettings),
    /// `oauth`, with the built-in authorization server.
    OAuth(OAuthSettings),
    /// `oauth`, with an authorization server that is not ours.
    ForeignOAuth(ForeignOAuthSettings),
}

impl ModeSettings {
    /// Who judges the keys or values that a caller sends; `None` where they send tokens.
    #[must_use]
    pub const fn verify(&self) -> Option<&VerifySettings> {
        match self {
            Self::ApiKey(settings) => Some(&settings.verify),
            Self::Headers(settings) => Some(&settings.verify),
            Self::OAuth(_) | Self::ForeignOAuth(_) => None,
        }
    }

    /// Whether it takes keys that are issued here.
    #[must_use]
    pub const fn is_issued(&self) -> bool {
        matches!(self.verify(), Some(VerifySettings::Issued))
    }

    /// Whether it hands through what the system behind judges.
    #[must_use]
    pub const fn is_handed_through(&self) -> bool {
        matches!(self.verify(), Some(VerifySettings::Upstream { .. }))
    }

    /// Whether teammates sign in by OAuth.
    #[must_use]
    pub const fn is_oauth(&self) -> bool {
        matches!(self, Self::OAuth(_) | Self::ForeignOAuth(_))
    }
}

/// `[auth.api_key]`.
#[derive(Debug, Clone)]
pub struct ApiKeySettings {
    /// Where the key is looked for; `Authorization` means Bearer.
    pub header: KeyHeader,
    /// Who judges it.
    pub verify: VerifySettings,
}

/// `[auth.headers]`.
#[derive(Debug, Clone)]
pub struct HeadersSettings {
    /// `required` and `optional`.
    pub headers: CallerHeaders,
    /// Who judges the values.
    pub verify: VerifySettings,
}

/// `[auth.oauth]`, with the built-in authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthSettings {
    /// `registration`: who may become a client.
    pub registration: RegistrationPolicy,
    /// `login`: where teammates prove who they are; `None` for here, with a password.
    pub login: Option<Box<ProviderSettings>>,
    /// `initial_scopes`: what the first challenge names; `None` for all that the served tools need.
    pub initial_scopes: Option<ScopeSet>,
}

/// `[auth.oauth]`, with an authorization server that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignOAuthSettings {
    /// `issuer`.
    pub issuer: IssuerUrl,
    /// `audience`; `None` for the endpoint's exact URL.
    pub audience: Option<String>,
    /// `algorithms`: at least one.
    pub algorithms: Vec<SigningAlgorithm>,
    /// `introspection`: who we are there; `None` where tokens are checked by the issuer's keys.
    pub introspection: Option<ClientCredentials>,
    /// `scope_claim`; `None` for `scope`, else `scp`.
    pub scope_claim: Option<String>,
    /// `scope_prefix`: may be empty, and stands in a scope (RFC 6749 §3.3).
    pub scope_prefix: String,
    /// `subject_claim`.
    pub subject_claim: String,
    /// `initial_scopes`, as in [`OAuthSettings`].
    pub initial_scopes: Option<ScopeSet>,
}

/// `verify`, with what belongs to it.
#[derive(Debug, Clone)]
pub enum VerifySettings {
    /// Bridgehead, which issued it.
    Issued,
    /// The system behind, to which it is handed through.
    Upstream {
        /// The request by which that system is asked at sign-in; without it, it judges calls alone.
        probe: Option<ProbeSettings>,
    },
}

/// `probe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeSettings {
    /// The name of the source that is asked: one of the type `openapi` or `http`, or one that code
    /// brings.
    pub source: String,
    /// `GET` or `POST`.
    pub method: Method,
    /// Path and, maybe, query; begins with one `/`, is visible ASCII and has no `.` or `..` segment.
    pub path: String,
    /// JSON Pointer (RFC 6901) to the teammate's name in the answer; `None` where the answer only
    /// says whether the credential is good.
    pub subject: Option<String>,
}

/// Where Bridgehead's own state lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// `memory:`. Everything is forgotten at the end.
    Memory,
    /// `sqlite:PATH`, absolute.
    Sqlite(PathBuf),
    /// `postgres://…`.
    Postgres(Secret),
}

impl StoreSettings {
    /// The file, where the store is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Memory | Self::Postgres(_) => None,
            Self::Sqlite(path) => Some(path),
        }
    }
}

/// What replicas share in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedSettings {
    /// The Valkey or Redis server.
    pub url: ValkeyUrl,
    /// Stands before each key; not empty.
    pub prefix: String,
}

/// One `[sources.NAME]`.
#[derive(Debug, Clone)]
pub struct SourceSettings {
    /// Its name: `^[a-z][a-z0-9_-]*$`.
    pub name: String,
    /// `prefix`: stands before each wire name as `PREFIX_`, where not empty.
    pub prefix: String,
    /// What kind of source it is.
    pub kind: SourceKind,
    /// A digest of all that the configuration says of it, values of variables included.
    pub revision: [u8; 32],
}

/// The kinds of sources, each with its own settings.
#[derive(Debug, Clone)]
pub enum SourceKind {
    /// `type = "sql"`.
    Sql(SqlSettings),
    /// `type = "http"`.
    Http(HttpSettings),
    /// `type = "openapi"`.
    OpenApi(Box<OpenApiSourceSettings>),
}

/// An API and where its description is.
#[derive(Debug, Clone)]
pub struct OpenApiSourceSettings {
    /// `spec`.
    pub spec: Spec,
    /// Everything else.
    pub settings: OpenApiSettings,
}

/// Where a description is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// In a file; absolute.
    File(PathBuf),
    /// To be fetched.
    Url(Url),
}
