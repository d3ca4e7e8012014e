//! `bridgehead keys create|list|revoke`. Works on the store while a server runs on it as well.

use bridgehead_auth::{
    BlockError, CreateError, Denial, DeniedSubject, Fingerprint, KeyHeader, KeyId, KeyRecord, NewKey, Readmission,
    Revocation, StoreError,
};
use bridgehead_core::{EndpointId, ScopeSet};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{ConfigOption, Exit, Failure, Outcome, load, output, with_causes};
use crate::{
    compose::{self, Ambient, Keyring},
    config::settings::{AuthSettings, ModeSettings, StoreSettings, parse_duration},
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
        /// The one header it may arrive in; with the mode `headers`, each header has a key of its own. Default:
        /// whichever auth.api_key.header names.
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
    /// List all keys, oldest first, and who is cut off by name.
    List {
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key, or cut a caller off; calls with it, or by them, are refused from now on.
    Revoke {
        /// The key's id as `keys list` shows it; or a caller as the audit names them (`key-…`, or a mail address):
        /// their keys are revoked, and whatever else they sign in with is refused.
        #[arg(value_name = "ID|SUBJECT", required_unless_present = "subject")]
        what: Option<String>,
        /// A caller whose name is neither `key-…` nor a mail address.
        #[arg(long, value_name = "NAME", conflicts_with = "what")]
        subject: Option<String>,
        /// Let a caller who was cut off in again. Revoked keys stay revoked.
        #[arg(long)]
        undo: bool,
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
            let Opened { keyring, ambient, auth } = open(&config).await?;
            let expires_at = expires.as_deref().map(|text| expiry(text, ambient.clock.now())).transpose()?;
            let remark = fits_no_mode(&auth, header.as_deref());
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
            if let Some(remark) = remark {
                output::say(&remark);
            }
            keyring.store.close().await;
            Ok(Exit::Well)
        }
        Command::List { config, json } => {
            let Opened { keyring, ambient, .. } = open(&config).await?;
            let records = keyring.keys.list().await.map_err(store_failure)?;
            let blocked = keyring.blocks.list().await.map_err(store_failure)?;
            let lost = keyring.keys.without_pepper().await.map_err(store_failure)?;
            let lost: Vec<KeyId> = lost.into_iter().map(|record| record.id).collect();
            keyring.store.close().await;
            if json {
                let shown = |record: &KeyRecord| {
                    let mut object = shown(record);
                    if let Some(object) = object.as_object_mut() {
                        object.insert("root_key_missing".into(), lost.contains(&record.id).into());
                    }
                    object
                };
                let entries = records.iter().map(shown).chain(blocked.iter().map(shown_blocked));
                output::print(&Value::from(entries.collect::<Vec<_>>()).to_string());
                return Ok(Exit::Well);
            }
            if records.is_empty() {
                output::say("No keys yet. Make one with `bridgehead keys create --for alice@example.com`.");
            } else {
                output::print(&listed(&records, &lost, ambient.clock.now()));
            }
            if !blocked.is_empty() {
                output::print(&listed_blocked(&blocked, !records.is_empty()));
            }
            Ok(Exit::Well)
        }
        Command::Revoke { what, subject, undo, config } => {
            let target = Target::read(what, subject)?;
            let Opened { keyring, .. } = open(&config).await?;
            let done = match &target {
                Target::Key(_) if undo => Err(Failure::usage(
                    "a key stays revoked. Make a new one with `bridgehead keys create`; --undo is for a caller who was cut off",
                )),
                Target::Key(id) => revoke_key(&keyring, id).await,
                Target::Subject(subject) if undo => let_in(&keyring, subject).await,
                Target::Subject(subject) => cut_off(&keyring, subject).await,
            };
            keyring.store.close().await;
            output::say(&done?);
            Ok(Exit::Well)
        }
    }
}

/// What is revoked.
enum Target {
    Key(KeyId),
    Subject(String),
}

impl Target {
    /// A mistyped id must not become the name of somebody: a name that could be one is asked for
    /// by `--subject`.
    fn read(what: Option<String>, subject: Option<String>) -> Result<Self, Failure> {
        match (what, subject) {
            (_, Some(subject)) => Ok(Self::Subject(subject)),
            (Some(what), None) if Fingerprint::is_subject(&what) || what.contains('@') => Ok(Self::Subject(what)),
            (Some(what), None) => KeyId::parse(&what).map(Self::Key).map_err(|error| {
                Failure::usage(format!(
                    "{error}; a caller is `key-` and 16 of 0-9 a-f, or a mail address. For another name write --subject NAME"
                ))
            }),
            (None, None) => Err(Failure::usage("name a key or a caller")),
        }
    }
}

async fn revoke_key(keyring: &Keyring, id: &KeyId) -> Result<String, Failure> {
    match keyring.keys.revoke(id).await.map_err(store_failure)? {
        Revocation::Revoked => Ok(format!("{id} is revoked: calls with it are refused from now on.")),
        Revocation::AlreadyRevoked => Ok(format!("{id} was revoked already.")),
        Revocation::NotFound => Err(Failure {
            exit: Exit::No,
            message: format!("there is no key {id}; `bridgehead keys list` shows the ids"),
        }),
    }
}

/// Cuts a caller off whichever way they sign in: their keys are revoked, and their name is
/// refused where it is not a key of ours that gives it.
async fn cut_off(keyring: &Keyring, subject: &str) -> Result<String, Failure> {
    let denial = keyring.blocks.block(subject).await.map_err(block_failure)?;
    let mut revoked = 0_usize;
    for record in keyring.keys.list().await.map_err(store_failure)? {
        if &*record.subject == subject.trim() {
            let revocation = keyring.keys.revoke(&record.id).await.map_err(store_failure)?;
            revoked += usize::from(revocation == Revocation::Revoked);
        }
    }
    let keys = match revoked {
        0 => String::new(),
        1 => " One key of theirs is revoked.".to_owned(),
        more => format!(" {more} keys of theirs are revoked."),
    };
    Ok(match denial {
        Denial::Denied => format!("{subject} is cut off: calls of theirs are refused from now on.{keys}"),
        Denial::AlreadyDenied => format!("{subject} was cut off already.{keys}"),
    })
}

async fn let_in(keyring: &Keyring, subject: &str) -> Result<String, Failure> {
    match keyring.blocks.unblock(subject).await.map_err(block_failure)? {
        Readmission::Allowed => Ok(format!("{subject} is let in again. Keys of theirs that were revoked stay so.")),
        Readmission::NotDenied => Err(Failure {
            exit: Exit::No,
            message: format!("{subject} is not cut off; `bridgehead keys list` shows who is"),
        }),
    }
}

/// What to say of a key that no mode of the configuration would take.
fn fits_no_mode(auth: &AuthSettings, header: Option<&str>) -> Option<String> {
    let header = header.map(KeyHeader::parse).transpose().ok()?;
    let takes = |mode: &ModeSettings| match mode {
        _ if !mode.is_issued() => false,
        ModeSettings::ApiKey(settings) => header.as_ref().is_none_or(|header| *header == settings.header),
        ModeSettings::Headers(settings) => {
            let mut headers = settings.headers.required().iter().chain(settings.headers.optional());
            header.as_ref().is_some_and(|header| headers.any(|other| other == header))
        }
        ModeSettings::OAuth(_) | ModeSettings::ForeignOAuth(_) => false,
    };
    if auth.modes().iter().any(takes) {
        return None;
    }
    let wanted = auth.modes().iter().filter(|mode| mode.is_issued()).flat_map(|mode| match mode {
        ModeSettings::ApiKey(settings) => vec![settings.header.title()],
        ModeSettings::Headers(settings) => settings.headers.required().iter().map(KeyHeader::title).collect(),
        ModeSettings::OAuth(_) | ModeSettings::ForeignOAuth(_) => Vec::new(),
    });
    let wanted: Vec<_> = wanted.map(|header| format!("--header {header}")).collect();
    Some(match (wanted.is_empty(), header) {
        (true, _) => "warning: [auth] asks nobody for a key that was issued here: this one opens nothing.".to_owned(),
        (false, None) => format!(
            "warning: [auth] wants a key for each header, so this one opens nothing. Make one with {}.",
            wanted.join(", one with ")
        ),
        (false, Some(header)) => format!(
            "warning: [auth] takes no key in the header {}, so this one opens nothing. Make one with {}.",
            header.title(),
            wanted.join(" or ")
        ),
    })
}

/// What a command on keys works with.
struct Opened {
    keyring: Keyring,
    ambient: Ambient,
    auth: AuthSettings,
}

async fn open(config: &ConfigOption) -> Result<Opened, Failure> {
    let (_, loaded) = load(config.config.as_deref())?;
    if matches!(loaded.settings.store, StoreSettings::Memory) {
        return Err(Failure::usage(
            "the store is `memory:`, which no other process can see. Set store.url = \"sqlite:bridgehead.db\" to issue keys.",
        ));
    }
    let ambient = Ambient::default();
    let keyring = compose::keyring(&loaded.settings, &ambient).await?;
    Ok(Opened { keyring, ambient, auth: loaded.settings.auth })
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

fn block_failure(error: BlockError) -> Failure {
    match error {
        BlockError::Store(error) => store_failure(error),
        BlockError::Subject => Failure::usage(error.to_string()),
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

fn shown_blocked(blocked: &DeniedSubject) -> Value {
    json!({ "blocked_subject": &*blocked.subject, "blocked_at": blocked.denied_at })
}

fn listed_blocked(blocked: &[DeniedSubject], after_keys: bool) -> String {
    let rows: Vec<_> = blocked.iter().map(|one| vec![one.subject.to_string(), day(one.denied_at)]).collect();
    let table = output::table(&["CUT OFF", "SINCE"], &rows);
    if after_keys { format!("\n{table}") } else { table }
}

/// `lost` are the keys that cannot be checked: their root key is not in `[secrets] keys`.
fn listed(records: &[KeyRecord], lost: &[KeyId], now: Timestamp) -> String {
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            let state = match (record.revoked_at, record.expires_at) {
                (Some(_), _) => "revoked".to_owned(),
                (None, Some(at)) if at <= now => "expired".to_owned(),
                (None, _) if lost.contains(&record.id) => "root key missing".to_owned(),
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
