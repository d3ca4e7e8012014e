//! `bridgehead keys create|list|revoke`. Works on the store while a server runs on it as well.

use bridgehead_auth::{CreateError, KeyId, KeyRecord, NewKey, Revocation, StoreError};
use bridgehead_core::{EndpointId, ScopeSet};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{ConfigOption, Exit, Failure, Outcome, load, output, with_causes};
use crate::{
    compose::{self, Ambient, Keyring},
    config::settings::{StoreSettings, parse_duration},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key for a teammate and print it, once.
    Create {
        /// Who it is for, best a mail address.
        #[arg(long = "for", value_name = "SUBJECT")]
        subject: String,
        /// How long it is good, for example 90d or 12h. Default: without an end.
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// What it lets them do; may be given more than once. Default: tools:read and tools:write.
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        /// The one header it may arrive in. Default: whichever auth.api_key.header names.
        #[arg(long, value_name = "HEADER")]
        header: Option<String>,
        /// A remark for yourself.
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List all keys, oldest first.
    List {
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key; calls with it are refused from now on.
    Revoke {
        /// The key's id, as `keys list` shows it.
        id: String,
        #[command(flatten)]
        config: ConfigOption,
    },
}

pub(super) async fn run(command: Command) -> Outcome {
    match command {
        Command::Create { subject, expires, scope, header, label, config, json } => {
            let scopes =
                if scope.is_empty() { Ok(ScopeSet::read_and_write()) } else { ScopeSet::parse(&scope.join(" ")) };
            let scopes = scopes.map_err(|error| Failure::usage(error.to_string()))?;
            let (keyring, ambient) = open(&config).await?;
            let expires_at = expires.as_deref().map(|text| expiry(text, ambient.clock.now())).transpose()?;
            let new = NewKey { endpoint: EndpointId::main(), subject, scopes, expires_at, label, header };
            let (record, key) = keyring.keys.create(new).await.map_err(create_failure)?;
            if json {
                let mut object = shown(&record);
                if let Some(object) = object.as_object_mut() {
                    object.insert("key".into(), key.expose().into());
                }
                output::print(&object.to_string());
            } else {
                output::print(key.expose());
                output::say(&created(&record));
            }
            keyring.store.close().await;
            Ok(Exit::Well)
        }
        Command::List { config, json } => {
            let (keyring, ambient) = open(&config).await?;
            let records = keyring.keys.list().await.map_err(store_failure)?;
            keyring.store.close().await;
            if json {
                output::print(&Value::from(records.iter().map(shown).collect::<Vec<_>>()).to_string());
            } else if records.is_empty() {
                output::say("No keys yet. Make one with `bridgehead keys create --for alice@example.com`.");
            } else {
                output::print(&listed(&records, ambient.clock.now()));
            }
            Ok(Exit::Well)
        }
        Command::Revoke { id, config } => {
            let id = KeyId::parse(&id).map_err(|error| Failure::usage(error.to_string()))?;
            let (keyring, _) = open(&config).await?;
            let revoked = keyring.keys.revoke(&id).await.map_err(store_failure)?;
            keyring.store.close().await;
            match revoked {
                Revocation::Revoked => output::say(&format!("{id} is revoked: calls with it are refused from now on.")),
                Revocation::AlreadyRevoked => output::say(&format!("{id} was revoked already.")),
                Revocation::NotFound => {
                    return Err(Failure {
                        exit: Exit::No,
                        message: format!("there is no key {id}; `bridgehead keys list` shows the ids"),
                    });
                }
            }
            Ok(Exit::Well)
        }
    }
}

async fn open(config: &ConfigOption) -> Result<(Keyring, Ambient), Failure> {
    let (_, loaded) = load(config.config.as_deref())?;
    if matches!(loaded.settings.store, StoreSettings::Memory) {
        return Err(Failure::usage(
            "the store is `memory:`, which no other process can see. Set store.url = \"sqlite:bridgehead.db\" to issue keys.",
        ));
    }
    let ambient = Ambient::default();
    Ok((compose::keyring(&loaded.settings, &ambient).await?, ambient))
}

fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    parse_duration(text)
        .ok()
        .and_then(|duration| SignedDuration::try_from(duration).ok())
        .and_then(|duration| now.checked_add(duration).ok())
        .ok_or_else(|| Failure::usage(format!("--expires {text}: write a time such as 90d, 12h or 30m")))
}

fn create_failure(error: CreateError) -> Failure {
    match error {
        CreateError::Store(error) => store_failure(error),
        CreateError::NoFreeId => Failure::outside(error.to_string()),
        CreateError::Subject | CreateError::Label | CreateError::Header(_) | CreateError::Expired { .. } => {
            Failure::usage(error.to_string())
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn store_failure(error: StoreError) -> Failure {
    Failure::outside(with_causes(&error))
}

fn created(record: &KeyRecord) -> String {
    let end = record.expires_at.map_or_else(|| "without an end".to_owned(), |at| format!("good until {at}"));
    format!(
        "Key {} for {}, {end}, with {}. It is shown this once: hand it over on a safe way.",
        record.id, record.subject, record.scopes
    )
}

fn shown(record: &KeyRecord) -> Value {
    json!({
        "id": record.id.as_str(),
        "subject": &*record.subject,
        "scopes": record.scopes.iter().collect::<Vec<_>>(),
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "revoked_at": record.revoked_at,
        "last_used_at": record.last_used_at,
        "label": record.label,
        "header": record.header,
    })
}

fn listed(records: &[KeyRecord], now: Timestamp) -> String {
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            let state = match (record.revoked_at, record.expires_at) {
                (Some(_), _) => "revoked".to_owned(),
                (None, Some(at)) if at <= now => "expired".to_owned(),
                (None, Some(at)) => format!("until {}", day(at)),
                (None, None) => "good".to_owned(),
            };
            let used = record.last_used_at.map_or_else(|| "never".to_owned(), day);
            vec![
                record.id.to_string(),
                record.subject.to_string(),
                state,
                record.scopes.to_string(),
                used,
                record.label.clone().unwrap_or_default(),
            ]
        })
        .collect();
    output::table(&["ID", "FOR", "STATE", "SCOPES", "LAST USED", "LABEL"], &rows)
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}
