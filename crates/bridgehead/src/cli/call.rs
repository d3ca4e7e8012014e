//! `bridgehead call TOOL`: one call through the same pipeline as the server's, without a server.

use std::sync::Arc;

use bridgehead_auth::UpstreamCredentials;
use bridgehead_core::{
    AuditSink, Call, Caller, CallerCredentials, Claims, Content, EndpointId, KeyParameter, NoVaults, Pipeline,
    Presented, RequestId, ScopeSet, SignIn,
};
use bridgehead_stores::Store;
use serde_json::{Map, Value};

use super::{ConfigOption, Exit, Failure, Outcome, load, output, tools};
use crate::{
    compose::{self, Ambient, AuditLog},
    config::Settings,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The tool's wire name, or its address SOURCE.TOOL.
    tool: String,
    /// One argument, as NAME=VALUE. The value is read by the tool's schema; may be given more than once.
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// All arguments as one JSON object; --arg goes on top.
    #[arg(long, value_name = "OBJECT")]
    json: Option<String>,
    /// The subject in whose name the call is made.
    #[arg(long = "as", value_name = "SUBJECT", default_value = "you@localhost")]
    subject: String,
    /// Names the one effect that this call is meant to have; the same call with the same key does it no second time.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// What a token would say of them beside their name, as one JSON object.
    #[arg(long, value_name = "OBJECT")]
    claims: Option<String>,
    #[command(flatten)]
    config: ConfigOption,
}

pub(super) async fn run(args: Args) -> Outcome {
    let (_, loaded) = load(args.config.config.as_deref())?;
    let ambient = Ambient::default();
    let vaults = vaults(&loaded.settings, &ambient).await?;
    let of_callers =
        vaults.clone().map_or_else(|| Arc::new(NoVaults) as Arc<dyn CallerCredentials>, |(all, _)| Arc::new(all));
    let catalog =
        compose::catalog_for_calls(&loaded.settings, &loaded.places, &ambient, of_callers, Vec::new()).await?;
    let tool = &tools::find(&catalog, &args.tool)?.tool;
    let arguments = arguments(&args, &tool.input_schema)?;
    let claims = object("--claims", args.claims.as_deref(), "{\"team\": \"north\"}")?;
    let caller = Caller {
        subject: args.subject.as_str().into(),
        scopes: all_scopes(&tool.scope),
        sign_in: SignIn::Local,
        presented: Presented::default(),
        claims: Claims::new(claims),
    };
    let request_id = RequestId::generate(&*ambient.randomness);
    let mut call = Call::new(request_id.clone(), Arc::new(caller), tool.wire_name.as_str(), arguments);
    call.idempotency_key.clone_from(&args.idempotency_key);
    let audit: Arc<dyn AuditSink> = Arc::new(AuditLog);
    let pipeline = Pipeline::new(ambient.clock.clone(), audit);
    // A call without a key needs no store.
    let has_key =
        |parameter: KeyParameter| args.idempotency_key.is_some() || call.arguments.contains_key(parameter.name);
    let (pipeline, store) = if tool.key.is_some_and(has_key) {
        let keyring = compose::keyring(&loaded.settings, &ambient).await?;
        let effects = compose::effects(&keyring, &ambient, &EndpointId::main()).without_handles();
        (pipeline.with_effects(effects), Some(keyring.store))
    } else {
        (pipeline, None)
    };
    let result = pipeline.run(&catalog, call).await;
    pipeline.drain().await;
    if let Some(store) = store {
        store.close().await;
    }
    for named in catalog.sources() {
        named.source.close().await;
    }
    if let Some((credentials, store)) = vaults {
        credentials.settle().await;
        store.close().await;
    }
    match result {
        Ok(outcome) => {
            if let Some(structured) = outcome.structured {
                output::print(&pretty(&Value::Object(structured)));
            } else {
                outcome.content.iter().for_each(|content| output::print(&shown(content)));
            }
            Ok(Exit::Well)
        }
        Err(error) => {
            output::print(&pretty(&Value::Object(error.to_object(request_id.as_str()))));
            Err(Failure { exit: Exit::No, message: format!("{} failed: {}", tool.wire_name, error.code()) })
        }
    }
}

/// What teammates entered for the systems behind, and the store that it is in; `None` where the
/// configuration asks them for nothing, so that a call needs no store.
async fn vaults(settings: &Settings, ambient: &Ambient) -> Result<Option<(UpstreamCredentials, Arc<Store>)>, Failure> {
    if settings.vaults.is_empty() {
        return Ok(None);
    }
    let keyring = compose::keyring(settings, ambient).await?;
    Ok(Some((compose::credentials_for_commands(settings, &keyring, ambient), keyring.store)))
}

/// The operator's own shell may do what the configuration can.
fn all_scopes(scope: &str) -> ScopeSet {
    let mut scopes = ScopeSet::read_and_write();
    // A scope that stands in a tool has been checked.
    let _ = scopes.insert(scope);
    scopes
}

fn arguments(args: &Args, schema: &Map<String, Value>) -> Result<Map<String, Value>, Failure> {
    let mut arguments = object("--json", args.json.as_deref(), "{\"sku\": \"A-1\"}")?;
    for argument in &args.arguments {
        let (name, value) = argument
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("--arg {argument}: write NAME=VALUE, for example --arg sku=A-1")))?;
        arguments.insert(name.to_owned(), read(value, schema.get("properties").and_then(|all| all.get(name))));
    }
    Ok(arguments)
}

/// The JSON object that an option takes; empty where it is not given.
fn object(option: &str, given: Option<&str>, example: &str) -> Result<Map<String, Value>, Failure> {
    match given.map(serde_json::from_str) {
        None => Ok(Map::new()),
        Some(Ok(Value::Object(object))) => Ok(object),
        Some(Ok(_)) => Err(Failure::usage(format!("{option} takes one JSON object, for example '{example}'"))),
        Some(Err(error)) => Err(Failure::usage(format!("{option} is not JSON: {error}"))),
    }
}

/// Text stays text where the schema admits text; else it is read as JSON, if it is any.
fn read(text: &str, schema: Option<&Value>) -> Value {
    let admits = |wanted: &str| match schema.and_then(|schema| schema.get("type")) {
        Some(Value::String(one)) => one == wanted,
        Some(Value::Array(several)) => several.iter().any(|one| one == wanted),
        _ => wanted == "string",
    };
    if admits("string") {
        return Value::from(text);
    }
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn shown(content: &Content) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Image { data, mime_type } | Content::Audio { data, mime_type } => {
            format!("[{mime_type}, {} characters of base64]", data.len())
        }
        Content::Resource { uri, .. } | Content::ResourceLink { uri, .. } => format!("[resource {uri}]"),
    }
}
