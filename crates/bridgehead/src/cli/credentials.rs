//! `bridgehead credentials list|revoke|reseal`: what teammates entered or connected for systems behind.
//! Works on the store while a server runs on it as well, and shows nothing of what is kept.

use bridgehead_auth::{
    KeyVersion, UpstreamCredentials,
    credentials::{CredentialRecord, Removal, Resealed},
    users::MailAddress,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    ConfigOption, Exit, Failure, Outcome,
    clients::{minute, store_failure},
    load, output,
};
use crate::{
    compose::{self, Ambient, Keyring},
    config::settings::StoreSettings,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List who has entered or connected what, by vault.
    List {
        /// Only what this teammate has.
        #[arg(long = "for", value_name = "SUBJECT")]
        subject: Option<String>,
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Forget what a teammate entered or connected; their next call asks them for it again.
    Revoke {
        /// Whose.
        #[arg(long = "for", value_name = "SUBJECT")]
        subject: String,
        /// Only for this vault, as the configuration calls it.
        #[arg(long, value_name = "NAME")]
        vault: Option<String>,
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Seal everything anew under the first root key, after a new one was put in front of `secrets.keys`
    /// and all servers were restarted with it. Says what an old one is still needed for.
    Reseal {
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command) -> Outcome {
    match command {
        Command::List { subject, config, json } => {
            let opened = Opened::open(&config).await?;
            let mut records = opened.credentials.list().await.map_err(store_failure)?;
            if let Some(subject) = subject.as_deref().map(named) {
                records.retain(|record| *record.subject == *subject);
            }
            if json {
                output::print(&Value::from(records.iter().map(shown).collect::<Vec<_>>()).to_string());
            } else if records.is_empty() {
                output::say("Nobody has entered or connected anything for a system behind.");
            } else {
                output::print(&listed(&records));
            }
            opened.end(Exit::Well).await
        }
        Command::Revoke { subject, vault, config } => {
            let opened = Opened::open(&config).await?;
            let said = revoke(&opened.credentials, &named(&subject), vault.as_deref()).await;
            opened.end(Exit::Well).await?;
            output::say(&said?);
            Ok(Exit::Well)
        }
        Command::Reseal { config, json } => {
            let opened = Opened::open(&config).await?;
            let resealed = opened.credentials.reseal().await.map_err(store_failure)?;
            let old = opened.old_root_keys().await?;
            if json {
                output::print(&resealed_as_json(&resealed, &old).to_string());
            } else {
                output::say(&resealed_in_words(&resealed, &old));
            }
            let exit = if resealed.unreadable.is_empty() { Exit::Well } else { Exit::No };
            opened.end(exit).await
        }
    }
}

/// What the commands work with.
struct Opened {
    credentials: UpstreamCredentials,
    keyring: Keyring,
    now: Timestamp,
}

impl Opened {
    async fn open(config: &ConfigOption) -> Result<Self, Failure> {
        let (_, loaded) = load(config.config.as_deref())?;
        let settings = loaded.settings;
        if matches!(settings.store, StoreSettings::Memory) {
            return Err(Failure::usage(
                "the store is `memory:`, which no other process can see. Set store.url = \"sqlite:bridgehead.db\".",
            ));
        }
        let ambient = Ambient::default();
        let keyring = compose::keyring(&settings, &ambient).await?;
        let credentials = compose::credentials_for_commands(&settings, &keyring, &ambient);
        Ok(Self { credentials, keyring, now: ambient.clock.now() })
    }

    /// The root keys behind the first one, each with the good API keys that were made under it: these
    /// cannot be made anew.
    async fn old_root_keys(&self) -> Result<Vec<OldRootKey>, Failure> {
        let keys = self.keyring.keys.list().await.map_err(store_failure)?;
        let is_good = |expires_at: Option<Timestamp>| expires_at.is_none_or(|end| end > self.now);
        let count = |version: &KeyVersion| {
            let good = keys.iter().filter(|key| key.revoked_at.is_none() && is_good(key.expires_at));
            good.filter(|key| key.pepper_version == *version).count()
        };
        let old = self.keyring.root_keys().skip(1);
        Ok(old.map(|name| OldRootKey { name: name.clone(), api_keys: count(name) }).collect())
    }

    async fn end(self, exit: Exit) -> Outcome {
        self.keyring.store.close().await;
        Ok(exit)
    }
}

/// A root key that does not seal any more.
struct OldRootKey {
    name: KeyVersion,
    /// How many good API keys it still verifies.
    api_keys: usize,
}

/// Who signs in is known by a mail address in lower case, however it is typed.
fn named(subject: &str) -> String {
    MailAddress::parse(subject).map_or_else(|_| subject.trim().to_owned(), |address| address.to_string())
}

async fn revoke(credentials: &UpstreamCredentials, subject: &str, vault: Option<&str>) -> Result<String, Failure> {
    let mut removed = Vec::new();
    for record in credentials.list().await.map_err(store_failure)? {
        let is_meant = *record.subject == *subject && vault.is_none_or(|vault| *record.vault == *vault);
        if is_meant && credentials.remove(&record.vault, subject).await.map_err(store_failure)? == Removal::Removed {
            removed.push(record.vault.to_string());
        }
    }
    if removed.is_empty() {
        let message = format!("{subject} has nothing to revoke; `bridgehead credentials list` shows who has what");
        return Err(Failure { exit: Exit::No, message });
    }
    Ok(format!(
        "What {subject} had for {} is forgotten here. The systems behind still know it: revoke it there as well.",
        removed.join(", ")
    ))
}

fn root_key(record: &CredentialRecord) -> String {
    record.sealed.root_key().map_or_else(|| "damaged".to_owned(), |name| name.to_string())
}

fn shown(record: &CredentialRecord) -> Value {
    json!({
        "vault": &*record.vault,
        "subject": &*record.subject,
        "kind": record.kind.as_str(),
        "state": state(record),
        "entered_at": record.entered_at,
        "renewed_at": record.renewed_at,
        "expires_at": record.expires_at,
        "refused_at": record.refused_at,
        "root_key": record.sealed.root_key().map(|name| name.to_string()),
    })
}

const fn state(record: &CredentialRecord) -> &'static str {
    if record.refused_at.is_some() { "not accepted" } else { "good" }
}

fn listed(records: &[CredentialRecord]) -> String {
    let row = |record: &CredentialRecord| {
        vec![
            record.vault.to_string(),
            record.subject.to_string(),
            state(record).to_owned(),
            record.kind.as_str().to_owned(),
            minute(record.entered_at),
            minute(record.renewed_at),
            root_key(record),
        ]
    };
    let rows: Vec<_> = records.iter().map(row).collect();
    output::table(&["VAULT", "FOR", "STATE", "KIND", "ENTERED", "RENEWED", "ROOT KEY"], &rows)
}

fn resealed_as_json(resealed: &Resealed, old: &[OldRootKey]) -> Value {
    let unreadable = resealed.unreadable.iter().map(shown).collect::<Vec<_>>();
    let needed = old.iter().map(|key| json!({"root_key": key.name.as_str(), "api_keys": key.api_keys}));
    json!({
        "root_key": resealed.root_key.as_str(),
        "current": resealed.current,
        "resealed": resealed.resealed,
        "unreadable": unreadable,
        "old_root_keys": needed.collect::<Vec<_>>(),
    })
}

fn resealed_in_words(resealed: &Resealed, old: &[OldRootKey]) -> String {
    let all = resealed.current + resealed.resealed;
    let mut text = format!(
        "{all} of {} are sealed under the root key {}, {} of them anew.",
        all + resealed.unreadable.len(),
        resealed.root_key,
        resealed.resealed
    );
    for record in &resealed.unreadable {
        text.push_str(&format!(
            "\n{} of {} cannot be read: it was sealed under the root key {}, which is not in `secrets.keys`. Put it \
             back, or have them enter it anew.",
            record.vault,
            record.subject,
            root_key(record)
        ));
    }
    if old.is_empty() {
        text.push_str("\nThere is no older root key.");
    }
    for OldRootKey { name, api_keys } in old {
        let needed = match api_keys {
            0 => "no API key needs it any more".to_owned(),
            1 => "one good API key was made under it, and opens nothing without it: make it anew first".to_owned(),
            more => {
                format!("{more} good API keys were made under it, and open nothing without it: make them anew first")
            }
        };
        text.push_str(&format!("\nThe root key {name} is not needed for credentials any more; {needed}."));
    }
    if !old.is_empty() {
        text.push_str(
            "\nWhen an old one is taken out, whoever signed in or connected a client under it and has not been back \
             since does so once more, and a certificate over ACME is ordered anew.",
        );
    }
    text
}
