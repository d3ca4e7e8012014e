//! `[sources.NAME]` as written, one struct for each type of source.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value};

use super::{RawSecret, Table};

/// `[sources.NAME]`: told apart by `type`.
#[derive(Debug)]
pub enum RawSource {
    /// `type = "sql"`.
    Sql(Box<RawSqlSource>),
    /// `type = "openapi"`.
    Openapi(Box<RawOpenapiSource>),
    /// `type = "mcp"`.
    Mcp(Box<RawMcpSource>),
    /// `type = "http"`.
    Http(Box<RawHttpSource>),
}

impl<'de> Deserialize<'de> for RawSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn read<'de, T: Deserialize<'de>, E: Error>(value: Value) -> Result<Box<T>, E> {
            T::deserialize(value).map(Box::new).map_err(E::custom)
        }
        let value = Value::deserialize(deserializer)?;
        match value.get("type").and_then(Value::as_str) {
            Some("sql") => read(value).map(Self::Sql),
            Some("openapi") => read(value).map(Self::Openapi),
            Some("mcp") => read(value).map(Self::Mcp),
            Some("http") => read(value).map(Self::Http),
            _ => Err(D::Error::custom("a source needs a `type`")),
        }
    }
}

impl JsonSchema for RawSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            generator.subschema_for::<RawSqlSource>(),
            generator.subschema_for::<RawOpenapiSource>(),
            generator.subschema_for::<RawHttpSource>(),
            generator.subschema_for::<RawMcpSource>(),
        ] })
    }
}

/// A database; each tool is one SQL statement.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSqlSource {
    /// A SQL database.
    #[schemars(required, extend("const" = "sql"))]
    pub r#type: Option<String>,
    /// Stands before each tool's name on the wire: `PREFIX_TOOL`.
    #[schemars(extend("default" = ""))]
    pub prefix: Option<String>,
    /// `sqlite:FILE`, `postgres://…` or `mysql://…`.
    #[schemars(required, extend("examples" = ["sqlite:warehouse.db"]))]
    pub url: Option<RawSecret>,
    /// SQLite: a file with SQL that is run once, when the database file does not exist.
    #[schemars(extend("examples" = ["warehouse.sql"]))]
    pub seed: Option<String>,
    /// PostgreSQL: what policies of row level security find with `current_setting`, for each statement
    /// anew: names of your own, and `caller.subject` or `caller.claims.NAME` (see `from` of a parameter).
    #[serde(default)]
    #[schemars(extend("examples" = [{"app.subject": "caller.subject"}]))]
    pub session: Table<String>,
    /// Whether effects are recorded in the table `bridgehead_effects` of the database itself, in the transaction of the
    /// statement: then it is never in doubt what became of a call with an idempotency key.
    #[schemars(extend("default" = false))]
    pub effects_table: Option<bool>,
    /// The tools, by name.
    #[schemars(required)]
    pub tools: Option<Table<RawSqlTool>>,
}

/// `sources.NAME.tools.TOOL` of a SQL source.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSqlTool {
    /// A short name for people.
    pub title: Option<String>,
    /// What it does, when to use it and what it returns: all that an agent sees.
    #[schemars(required)]
    pub description: Option<String>,
    /// One statement; `:name` stands for the parameter of that name.
    #[schemars(required)]
    pub sql: Option<String>,
    /// The parameters, by name: a JSON Schema each.
    #[serde(default)]
    pub parameters: Table<RawParameter>,
    /// What is to be said about columns of the result, by name.
    #[serde(default)]
    pub columns: Table<RawColumn>,
    /// Cuts the answer into pages; the tool gets a `cursor` parameter.
    pub page: Option<RawPage>,
    /// How many rows an answer has at most.
    #[schemars(range(min = 1), extend("default" = 200))]
    pub row_limit: Option<u64>,
    /// What it does to the world, where the statement does not tell.
    pub effect: Option<RawEffect>,
    /// The scope a caller needs. Default: `tools:read` for what only reads, else `tools:write`.
    pub scope: Option<String>,
    /// Whether a repeat with the same arguments changes nothing more.
    pub idempotent: Option<bool>,
}

/// `parameters.NAME` of a tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawParameter {
    /// JSON type. Needed, but beside `from`, where it is `string` unless given.
    pub r#type: Option<RawParameterType>,
    /// `sql`: what is known of the caller, in the place of an argument: `caller.subject`, or a claim as
    /// `caller.claims.NAME`, with more names behind dots, or as a JSON Pointer: `caller.claims/NAME`.
    /// Nobody sees such a parameter or can set it; beside it stand `type` and `items` alone.
    #[schemars(extend("examples" = ["caller.subject", "caller.claims.team"]))]
    pub from: Option<String>,
    /// What it means, in what form.
    pub description: Option<String>,
    /// The values it can have.
    #[schemars(length(min = 1))]
    pub r#enum: Option<Vec<Value>>,
    /// Smallest number.
    #[schemars(extend("type" = "number"))]
    pub minimum: Option<serde_json::Number>,
    /// Largest number.
    #[schemars(extend("type" = "number"))]
    pub maximum: Option<serde_json::Number>,
    /// Regular expression that text must match.
    pub pattern: Option<String>,
    /// Format of text: `date`, `date-time`, `email`, `uuid` …
    pub format: Option<String>,
    /// The value where a caller gives none.
    pub default: Option<Value>,
    /// Values for an agent to learn from.
    pub examples: Option<Vec<Value>>,
    /// JSON Schema of the elements of an array.
    pub items: Option<Map<String, Value>>,
    /// Whether a caller has to give it. Default: yes, unless there is a `default`.
    pub required: Option<bool>,
}

/// JSON types of parameters and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawParameterType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// true or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
}

/// `columns.NAME` of a tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawColumn {
    /// JSON type, where the driver cannot know.
    pub r#type: Option<RawParameterType>,
    /// What it means.
    pub description: Option<String>,
}

/// `page` of a tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawPage {
    /// Columns that together tell any two rows apart; the pages follow their order.
    #[schemars(required, length(min = 1))]
    pub key: Option<Vec<String>>,
    /// Rows on a page.
    #[schemars(required, range(min = 1))]
    pub size: Option<u64>,
}

/// `effect` of a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawEffect {
    /// Changes nothing.
    Read,
    /// Adds something, and leaves what was there.
    Write,
    /// Changes or removes what was there.
    Destructive,
}

/// An HTTP API described by OpenAPI.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawOpenapiSource {
    /// An HTTP API described by OpenAPI.
    #[schemars(required, extend("const" = "openapi"))]
    pub r#type: Option<String>,
    /// Stands before each tool's name on the wire: `PREFIX_TOOL`.
    #[schemars(extend("default" = ""))]
    pub prefix: Option<String>,
    /// The description: a file or a URL.
    #[schemars(required, extend("examples" = ["crm.yaml"]))]
    pub spec: Option<String>,
    /// Where the API is, instead of what the description says.
    #[schemars(extend("examples" = ["https://crm.internal/api"]))]
    pub base_url: Option<String>,
    /// Only the operations that satisfy each of these.
    pub include: Option<RawInclude>,
    /// Not the operations that satisfy any of these.
    pub exclude: Option<RawExclude>,
    /// How the operations reach an agent.
    #[schemars(extend("default" = "tools"))]
    pub expose: Option<RawExpose>,
    /// What is presented to the API.
    pub credential: Option<RawCredential>,
    /// Shapes single tools, by operation.
    #[serde(default)]
    pub tools: Table<RawShape>,
}

/// `include` of an OpenAPI source.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawInclude {
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Operation ids; `*` stands for any characters.
    pub operations: Option<Vec<String>>,
    /// HTTP methods.
    pub methods: Option<Vec<String>>,
    /// Paths; `**` stands for any segments.
    pub paths: Option<Vec<String>>,
}

/// `exclude` of an OpenAPI source.
pub type RawExclude = RawInclude;

/// `expose` of an OpenAPI source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawExpose {
    /// Each operation as a tool.
    Tools,
    /// `SOURCE_find`, `SOURCE_describe` and `SOURCE_call` in front of all operations.
    Search,
}

/// `credential` of a source: fixed headers, the caller's own, or those that the caller has in a vault.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCredential {
    /// The header it is sent in.
    #[schemars(extend("examples" = ["Authorization"]))]
    pub header: Option<String>,
    /// The header's value: the same for all callers or, with `vault`, made of its fields.
    #[schemars(extend("examples" = ["Bearer ${CRM_TOKEN}", "Bearer {api_key}"]))]
    pub value: Option<RawSecret>,
    /// With `vault`: several headers, each with its value made of the vault's fields.
    #[serde(default)]
    pub headers: Table<RawSecret>,
    /// Whose credential is handed through.
    pub from: Option<RawCredentialFrom>,
    /// The vault in which each teammate's own is kept. Where its fields stand says the API's description, or `header` and `value`; the token of a connection is sent as `Authorization: Bearer`.
    pub vault: Option<String>,
}

/// `credential.from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawCredentialFrom {
    /// What the caller signed in with.
    Caller,
}

/// `tools.TOOL` of a source that describes itself.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawShape {
    /// Its name, instead of the source's own.
    pub name: Option<String>,
    /// A short name for people.
    pub title: Option<String>,
    /// Its description, instead of the source's own.
    pub description: Option<String>,
    /// Parameters that an agent does not see.
    pub hide: Option<Vec<String>>,
    /// Parameters with a fixed value, which an agent does not see.
    #[serde(default)]
    pub set: Table<Value>,
    /// What it does to the world.
    pub effect: Option<RawEffect>,
    /// The scope a caller needs.
    pub scope: Option<String>,
    /// A jq filter over the answer.
    pub select: Option<String>,
}

/// HTTP requests, each described here as a tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHttpSource {
    /// Plain HTTP requests.
    #[schemars(required, extend("const" = "http"))]
    pub r#type: Option<String>,
    /// Stands before each tool's name on the wire: `PREFIX_TOOL`.
    #[schemars(extend("default" = ""))]
    pub prefix: Option<String>,
    /// What is presented to the system behind.
    pub credential: Option<RawCredential>,
    /// The tools, by name.
    #[schemars(required)]
    pub tools: Option<Table<RawHttpTool>>,
}

/// `sources.NAME.tools.TOOL` of an HTTP source.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHttpTool {
    /// A short name for people.
    pub title: Option<String>,
    /// What it does, when to use it and what it returns: all that an agent sees.
    #[schemars(required)]
    pub description: Option<String>,
    /// The request; `{name}` stands for the parameter of that name.
    #[schemars(required)]
    pub request: Option<RawRequest>,
    /// The parameters, by name: a JSON Schema each.
    #[serde(default)]
    pub parameters: Table<RawParameter>,
    /// What it does to the world, where the method does not tell.
    pub effect: Option<RawEffect>,
    /// The scope a caller needs.
    pub scope: Option<String>,
    /// Whether a repeat with the same arguments changes nothing more.
    pub idempotent: Option<bool>,
    /// A jq filter over the answer.
    pub select: Option<String>,
}

/// `request` of an HTTP tool.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRequest {
    /// HTTP method.
    #[schemars(extend("default" = "GET"))]
    pub method: Option<String>,
    /// URL.
    #[schemars(required)]
    pub url: Option<String>,
    /// Query parameters.
    #[serde(default)]
    pub query: Table<Value>,
    /// Headers.
    #[serde(default)]
    pub headers: Table<RawSecret>,
    /// JSON body.
    pub json: Option<Value>,
    /// Form body (`application/x-www-form-urlencoded`).
    #[serde(default)]
    pub form: Table<Value>,
    /// Plain text body.
    pub text: Option<String>,
}

/// An MCP server: a command that speaks STDIO, or a URL.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMcpSource {
    /// An MCP server.
    #[schemars(required, extend("const" = "mcp"))]
    pub r#type: Option<String>,
    /// Stands before each tool's name on the wire: `PREFIX_TOOL`.
    #[schemars(extend("default" = ""))]
    pub prefix: Option<String>,
    /// The command that starts it, word by word.
    #[schemars(extend("examples" = [["npx", "-y", "@modelcontextprotocol/server-filesystem", "/srv/files"]]))]
    pub command: Option<Vec<String>>,
    /// Where it is, instead of a command.
    pub url: Option<String>,
    /// How it is spoken to at `url`.
    pub transport: Option<RawTransport>,
    /// Whether teammates share one.
    #[schemars(extend("default" = "per_caller"))]
    pub instances: Option<RawInstances>,
    /// How many may run at once.
    #[schemars(range(min = 1))]
    pub max_instances: Option<u64>,
    /// Its environment variables.
    #[serde(default)]
    pub env: Table<RawSecret>,
    /// Its working directory.
    pub cwd: Option<String>,
    /// What is presented to it at `url`.
    pub credential: Option<RawCredential>,
    /// Shapes single tools, by name.
    #[serde(default)]
    pub tools: Table<RawShape>,
}

/// `transport` of an MCP source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawTransport {
    /// Streamable HTTP.
    StreamableHttp,
    /// HTTP+SSE, of 2024-11-05.
    Sse,
}

/// `instances` of an MCP source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RawInstances {
    /// Each teammate has their own.
    PerCaller,
    /// One for all: the operator's word that it keeps no state and no caller's credential.
    Shared,
}
