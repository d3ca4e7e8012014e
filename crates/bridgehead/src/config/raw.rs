//! The configuration as it is written: every setting of the product, also those that this version
//! does not serve yet. The doc comments are the descriptions in the JSON Schema and in the
//! reference.
//!
//! Every member may be missing here. Whether one has to be there says `#[schemars(required)]`;
//! what it defaults to and whether it makes sense, the cross-checks.

mod server;
mod sources;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

pub use server::{RawAcme, RawChallenge, RawExternalAccount, RawForwarded, RawServer, RawTls};
pub use sources::{
    RawColumn, RawCredential, RawCredentialFrom, RawEffect, RawExclude, RawExpose, RawHttpSource, RawHttpTool,
    RawInclude, RawInstances, RawMcpSource, RawOpenapiSource, RawPage, RawParameter, RawParameterType, RawRequest,
    RawShape, RawSource, RawSqlSource, RawSqlTool, RawTransport,
};

/// The configuration of Bridgehead: one TOML file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "bridgehead.toml")]
pub struct RawConfig {
    /// What the server calls itself towards clients and on its pages.
    #[schemars(extend("default" = "Bridgehead", "examples" = ["Warehouse"]))]
    pub name: Option<String>,
    /// What an agent is told about the server as a whole: what holds for all tools.
    pub instructions: Option<String>,
    /// Where the server listens and what it is called from outside.
    pub server: Option<RawServer>,
    /// Pepper, issuer, vault and signing keys.
    pub secrets: Option<RawSecrets>,
    /// How callers are told apart.
    #[schemars(required)]
    pub auth: Option<RawAuth>,
    /// Where Bridgehead's own state lives.
    pub store: Option<RawStore>,
    /// What several replicas share in passing: the counters behind limits, and remembered answers. Without it
    /// each process counts and remembers for itself.
    pub shared: Option<RawShared>,
    /// What each teammate enters once for a system behind, by a name that `credential` refers to.
    #[serde(default)]
    pub vaults: Table<RawVault>,
    /// Where the tools come from, by name: `^[a-z][a-z0-9_-]*$`. At least one.
    #[schemars(required)]
    pub sources: Option<Table<RawSource>>,
    /// Time-outs and limits, by `default`, tool address (`crm.getCustomer`) or pattern (`"crm.*"`).
    /// Policies merge key by key; the most specific wins for each key.
    #[serde(default)]
    pub policy: Table<RawPolicy>,
    /// What the server's own pages show.
    pub pages: Option<RawPages>,
}

/// `[secrets]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSecrets {
    /// The first signs, the rest still verify. `file:PATH` is made with mode 0600 on first run; unless given, `bridgehead.keys` beside the store.
    #[schemars(extend("examples" = [["file:bridgehead.keys"], ["${BRIDGEHEAD_KEYS}"]]))]
    pub keys: Option<Vec<RawSecret>>,
}

/// `[auth]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAuth {
    /// How callers sign in: one mode, or a list of those but `open` to have them side by side.
    #[schemars(required)]
    pub mode: Option<OneOrMany<RawMode>>,
    /// With the mode `api_key`.
    pub api_key: Option<RawApiKey>,
    /// With the mode `headers`.
    pub headers: Option<RawHeaders>,
    /// With the mode `oauth`.
    pub oauth: Option<RawOauth>,
}

/// A way to sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawMode {
    /// Anybody who reaches the server may call every tool.
    Open,
    /// Each teammate has a key.
    ApiKey,
    /// Each teammate has values for named headers.
    Headers,
    /// Teammates sign in with OAuth.
    Oauth,
}

/// `[auth.api_key]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawApiKey {
    /// The header that carries the key; `Authorization` means Bearer.
    #[schemars(extend("default" = "Authorization", "examples" = ["X-Api-Key"]))]
    pub header: Option<String>,
    /// Who judges a key. With `upstream` and no `probe`, anyone may list the tools.
    #[schemars(extend("default" = "issued"))]
    pub verify: Option<RawVerify>,
    /// With `verify = "upstream"`: the request that judges a key at sign-in; its answer is remembered for minutes.
    pub probe: Option<RawProbe>,
}

/// `auth.*.verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawVerify {
    /// Made here, with `bridgehead keys create`.
    Issued,
    /// Handed through, judged by the system behind.
    Upstream,
}

/// `auth.*.probe`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProbe {
    /// The source that is asked.
    #[schemars(required)]
    pub source: Option<String>,
    /// HTTP method: `GET` or `POST`.
    #[schemars(extend("default" = "GET"))]
    pub method: Option<String>,
    /// Path, relative to the source's `base_url`.
    #[schemars(required, extend("examples" = ["/me"]))]
    pub path: Option<String>,
    /// JSON Pointer to the teammate's name in the answer. Without it they are known by a hash of what they send.
    #[schemars(extend("examples" = ["/email"]))]
    pub subject: Option<String>,
}

/// `[auth.headers]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHeaders {
    /// Headers that every teammate has to send. With `verify = "issued"`, each holds a key made for it: `keys create --header …`.
    #[schemars(required, extend("examples" = [["X-Api-Key", "X-Tenant"]]))]
    pub required: Option<Vec<String>>,
    /// Headers that a teammate may send.
    #[schemars(extend("default" = []))]
    pub optional: Option<Vec<String>>,
    /// Who judges the values. With `upstream` and no `probe`, anyone may list the tools.
    #[schemars(extend("default" = "issued"))]
    pub verify: Option<RawVerify>,
    /// With `verify = "upstream"`: the request that judges the values at sign-in; its answer is remembered for minutes.
    pub probe: Option<RawProbe>,
}

/// `[auth.oauth]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOauth {
    /// `builtin`, or the URL of an existing authorization server.
    #[schemars(extend("default" = "builtin"))]
    pub issuer: Option<String>,
    /// With an existing server: the audience its tokens must name. Default: the endpoint's exact URL.
    #[schemars(extend("examples" = ["api://warehouse"]))]
    pub audience: Option<String>,
    /// With an existing server: the signature algorithms that are accepted.
    #[schemars(extend("default" = ["RS256", "PS256", "ES256", "EdDSA"], "examples" = [["RS256"]]))]
    pub algorithms: Option<Vec<String>>,
    /// With an existing server: tokens are judged by asking it (RFC 7662).
    pub introspection: Option<RawIntrospection>,
    /// With an existing server: the claim that holds the scopes, as one text or as a list. Default: `scope`, else `scp`.
    #[schemars(extend("examples" = ["scp", "roles"]))]
    pub scope_claim: Option<String>,
    /// With an existing server: what it has before each scope where clients ask for one. In tokens it may be there or not.
    #[schemars(extend("examples" = ["api://warehouse/"]))]
    pub scope_prefix: Option<String>,
    /// With an existing server: the claim that names the teammate. Take only one that nobody can write into their own profile; `email` counts only with `email_verified`.
    #[schemars(extend("default" = "sub", "examples" = ["preferred_username"]))]
    pub subject_claim: Option<String>,
    /// Who may become a client of the built-in server.
    #[schemars(extend("default" = "open"))]
    pub registration: Option<RawRegistration>,
    /// How a teammate proves who they are to the built-in server: `password`, or an identity provider.
    #[schemars(extend("default" = "password"))]
    pub login: Option<RawLogin>,
    /// Narrows what the first challenge names. Default: all that the served tools need.
    #[schemars(extend("default" = []))]
    pub initial_scopes: Option<Vec<String>>,
}

/// `auth.oauth.introspection`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawIntrospection {
    /// Who Bridgehead is to the authorization server.
    #[schemars(required)]
    pub client_id: Option<String>,
    /// Its secret.
    #[schemars(required)]
    pub client_secret: Option<RawSecret>,
}

/// `auth.oauth.registration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawRegistration {
    /// Any client registers itself (RFC 7591).
    Open,
    /// Pre-registered clients alone.
    Closed,
}

/// `auth.oauth.login`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawLogin {
    /// `password`.
    Named(RawLoginName),
    /// An identity provider (OpenID Connect).
    Provider(Box<RawProvider>),
}

/// The logins that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawLoginName {
    /// User name and password, kept here.
    Password,
}

/// An identity provider that teammates log in at.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawProvider {
    /// Its issuer URL.
    #[schemars(required)]
    pub issuer: Option<String>,
    /// Who Bridgehead is to it.
    #[schemars(required)]
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<RawSecret>,
    /// Only people with a mail address in one of these domains. Default: of any.
    #[schemars(extend("examples" = [["example.com"]]))]
    pub domains: Option<Vec<String>>,
    /// The scopes that members of a group get; who is in none is refused. Default: everybody gets
    /// `tools:read` and `tools:write`.
    pub groups: Option<Table<Vec<String>>>,
    /// The claim that names a person's groups: a list of texts, or one text.
    #[schemars(extend("default" = "groups"))]
    pub groups_claim: Option<String>,
    /// Whether the provider has to say that a mail address is verified (`required`), or people there cannot choose
    /// it (`assumed`).
    #[schemars(extend("default" = "required"))]
    pub email_verified: Option<RawEmailVerified>,
    /// Claims that are kept beside name, mail address and groups, for SQL statements.
    #[schemars(extend("examples" = [["department"]]))]
    pub claims: Option<Vec<String>>,
    /// What is asked for beside `openid`, `email`, `profile` and, where it is known there, `offline_access`.
    #[schemars(extend("examples" = [["groups"]]))]
    pub scopes: Option<Vec<String>>,
    /// What the provider is to ask people each time (`prompt`).
    pub prompt: Option<RawPrompt>,
}

/// `auth.oauth.login.email_verified`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawEmailVerified {
    /// A provider that does not say so is not believed.
    Required,
    /// One that says nothing is believed; one that says `false` is not.
    Assumed,
}

/// `auth.oauth.login.prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPrompt {
    /// To sign in, also where they are.
    Login,
    /// For their consent; some providers give no refresh token without it.
    Consent,
    /// Which account they want to take.
    SelectAccount,
}

/// `[store]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStore {
    /// `sqlite:FILE`, `postgres://…`, or `memory:` to forget everything at the end.
    #[schemars(extend("default" = "sqlite:bridgehead.db"))]
    pub url: Option<RawSecret>,
}

/// `[shared]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawShared {
    /// A Valkey or Redis server: `redis://HOST:PORT`, or `rediss://…` with TLS.
    #[schemars(required)]
    pub url: Option<RawSecret>,
    /// Stands before each key. Installations that share a server and a database of it need one each.
    #[schemars(extend("default" = "bridgehead"))]
    pub prefix: Option<String>,
}

/// `[vaults.NAME]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawVault {
    /// What teammates know the system behind by. Default: the vault's name.
    #[schemars(extend("examples" = ["the CRM"]))]
    pub title: Option<String>,
    /// The fields a teammate fills in, each with the words it is asked for in.
    #[serde(default)]
    pub fields: Table<String>,
    /// The teammate connects by OAuth, instead of fields. Redirect URI to register there: `PUBLIC_URL/account/credentials/NAME/callback`.
    pub oauth: Option<RawVaultOauth>,
}

/// `vaults.NAME.oauth`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawVaultOauth {
    /// Where the teammate is sent; its own query is kept.
    #[schemars(required, extend("examples" = ["https://crm.example.com/oauth/authorize"]))]
    pub authorization_url: Option<String>,
    /// Where the code is exchanged.
    #[schemars(required)]
    pub token_url: Option<String>,
    /// Who Bridgehead is to the system behind.
    #[schemars(required)]
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<RawSecret>,
    /// How the secret is sent.
    #[schemars(extend("default" = "client_secret_basic"))]
    pub token_endpoint_auth_method: Option<RawTokenEndpointAuth>,
    /// The scopes that are asked for.
    pub scopes: Option<Vec<String>>,
}

/// `vaults.NAME.oauth.token_endpoint_auth_method` (RFC 7591 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawTokenEndpointAuth {
    /// In the header `Authorization`.
    ClientSecretBasic,
    /// In the body.
    ClientSecretPost,
}

/// `[policy.PATTERN]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPolicy {
    /// How long a call may take.
    #[schemars(extend("default" = "30s", "examples" = ["30s", "1m30s"]))]
    pub timeout: Option<String>,
    /// How large the JSON of a result may be; a larger one is cut by its shape.
    #[schemars(extend("default" = "64KiB", "examples" = ["64KiB", 65536]))]
    pub max_result_bytes: Option<RawBytes>,
    /// How many calls may be made, and how many at once.
    pub rate_limit: Option<RawRateLimit>,
    /// What happens to limits while what `shared` names cannot be reached. Default: `open`.
    #[schemars(extend("default" = "open"))]
    pub on_shared_loss: Option<RawOnSharedLoss>,
    /// How long answers of read-only tools are remembered; not at all unless given.
    pub cache: Option<RawCache>,
    /// Whether calls with effects take an idempotency key. Default: `optional`, and `off` for a PUT or
    /// DELETE that becomes one request.
    pub idempotency: Option<RawIdempotency>,
    /// How long a key is remembered, from the end of its call.
    #[schemars(extend("default" = "7d", "examples" = ["7d"]))]
    pub idempotency_retention: Option<String>,
    /// The header in which the system behind takes an idempotency key of its own. Default: as its
    /// description says.
    #[schemars(extend("examples" = ["Idempotency-Key"]))]
    pub upstream_idempotency_header: Option<String>,
    /// How long the system behind remembers a key.
    #[schemars(extend("default" = "24h", "examples" = ["24h"]))]
    pub upstream_key_ttl: Option<String>,
    /// How often a read-only call is repeated when the system behind fails: after a growing pause, within
    /// `timeout`, and never so often that it multiplies an outage.
    #[schemars(range(max = 10), extend("default" = 0))]
    pub retries: Option<u64>,
    /// When a system that fails is left in peace for a while. The tools of a source share one circuit.
    pub circuit: Option<RawCircuit>,
}

/// `policy.PATTERN.rate_limit`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRateLimit {
    /// Calls of each teammate, per `second`, `minute`, `hour`, `day` or a time such as `15m`. The calls of
    /// all tools that one pattern matches count together. In the mode `open` all callers are one.
    #[schemars(extend("examples" = ["60/minute", "100/15m"]))]
    pub per_caller: Option<String>,
    /// How many calls of a teammate may come at once before `per_caller` counts. Default: the amount of its
    /// period.
    #[schemars(range(min = 1))]
    pub burst: Option<u64>,
    /// Calls of all teammates together to the system behind, evenly. A pattern's calls share it, apart for
    /// each source.
    #[schemars(extend("examples" = ["10/second"]))]
    pub upstream: Option<String>,
    /// How many calls may reach the system behind at once before `upstream` counts.
    #[schemars(range(min = 1), extend("default" = 1))]
    pub upstream_burst: Option<u64>,
    /// How many calls may run at once; no limit unless given. A pattern's calls share it, apart for each source.
    #[schemars(range(min = 1))]
    pub concurrency: Option<u64>,
    /// How many calls wait for their turn, at `upstream` and at `concurrency`, before one is refused. None
    /// waits longer than half of `timeout`.
    #[schemars(extend("default" = 50))]
    pub queue: Option<u64>,
}

/// `policy.PATTERN.on_shared_loss`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawOnSharedLoss {
    /// Each replica counts for itself.
    Open,
    /// Calls are refused.
    Closed,
}

/// `policy.PATTERN.cache`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCache {
    /// How long an answer is good; a shorter time that the system behind names counts.
    #[schemars(required, extend("examples" = ["5m"]))]
    pub ttl: Option<String>,
    /// Whether teammates share answers.
    #[schemars(extend("default" = false))]
    pub shared: Option<bool>,
    /// How long after its time an answer is still given where the system behind fails.
    #[schemars(extend("default" = "0s", "examples" = ["1h"]))]
    pub stale_if_error: Option<String>,
    /// Addresses or patterns of tools after whose calls nothing is remembered any more.
    #[schemars(extend("examples" = [["crm.updateCustomer"]]))]
    pub invalidated_by: Option<Vec<String>>,
}

/// `policy.PATTERN.idempotency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawIdempotency {
    /// Tools take no key.
    Off,
    /// Tools take a key.
    Optional,
    /// Tools are not called without a key.
    Required,
}

/// `policy.PATTERN.circuit`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCircuit {
    /// After how many failures in a row: it cannot be reached, does not answer in time, or reports a fault
    /// of its own.
    #[schemars(required, range(min = 1), extend("examples" = [5]))]
    pub failures: Option<u64>,
    /// For how long; then one call tries it.
    #[schemars(required, extend("examples" = ["30s"]))]
    pub open_for: Option<String>,
}

/// `[pages]`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPages {
    /// Who sees the tools on the connect page. Default: `public` in `open` mode, else `signed_in`.
    pub tools: Option<RawPageTools>,
}

/// `pages.tools`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawPageTools {
    /// Everybody.
    Public,
    /// Signed-in teammates, each those that they may call.
    SignedIn,
}

/// A number of bytes, or text with a unit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawBytes {
    /// In bytes.
    Number(u64),
    /// With a unit: B, KB, KiB, MB, MiB.
    Text(String),
}

/// One value, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("One_or_many_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// Text that may be secret: it is not shown by `Debug`, and may be `file:PATH`.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct RawSecret(pub String);

impl fmt::Debug for RawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawSecret(…)")
    }
}

impl JsonSchema for RawSecret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

/// A TOML table with names that the operator chooses, in the order of the file.
#[derive(Debug)]
pub struct Table<T>(pub Vec<(String, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Table<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Table<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Table_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}
