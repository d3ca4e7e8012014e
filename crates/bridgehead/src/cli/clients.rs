//! `bridgehead clients add|list|revoke`: OAuth clients that the operator makes, for platforms that
//! cannot introduce themselves, or where they may not. Works on the store while a server runs on it as
//! well.

use bridgehead_auth::{
    Issuer, Revocation, StoreError,
    issuer::{AddClientError, ClientId, ClientKind, ClientRecord, NewClient, Preset},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ConfigOption, Exit, Failure, Outcome, load, output, with_causes};
use crate::{
    compose::{self, Ambient, Keyring},
    config::{Settings, settings::StoreSettings},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a client and print its id and secret, once.
    Add {
        /// The platform it is for, whose redirect URIs are known.
        #[arg(long, value_enum)]
        preset: Option<Platform>,
        /// Where it takes answers; may be given more than once. With a preset, beside the platform's own.
        #[arg(long = "redirect", value_name = "URI", required_unless_present = "preset")]
        redirects: Vec<String>,
        /// What teammates are told it is called. Default: the platform's name.
        #[arg(long, value_name = "NAME", required_unless_present = "preset")]
        name: Option<String>,
        /// It has no secret: a program on people's own devices could not keep one.
        #[arg(long)]
        public: bool,
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List the clients that were made here, oldest first.
    List {
        /// Also those that registered themselves, or have a metadata document.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a client: whatever teammates allowed it ends at once, and nobody can connect it any more.
    Revoke {
        /// Its id, as `clients list` shows it.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        config: ConfigOption,
    },
}

/// The platforms of `--preset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Platform {
    Duvo,
    Claude,
    Chatgpt,
}

impl Platform {
    const fn preset(self) -> Preset {
        match self {
            Self::Duvo => Preset::Duvo,
            Self::Claude => Preset::Claude,
            Self::Chatgpt => Preset::ChatGpt,
        }
    }

    /// Where id and secret are entered.
    const fn where_to_paste(self) -> &'static str {
        match self {
            Self::Duvo => {
                "In Duvo: Connections → Add custom MCP, authentication OAuth; paste both into `Client ID` and \
                 `Client secret`. Each teammate then signs in."
            }
            Self::Claude => {
                "In Claude: Customize → Connectors → Add custom connector; choose an OAuth client of your own, and \
                 paste both into `OAuth Client ID` and `OAuth Client Secret`."
            }
            Self::Chatgpt => {
                "In ChatGPT: chatgpt.com/plugins → + → Add custom MCP server, authentication OAuth; paste both where it \
                 asks for a client that was registered by hand."
            }
        }
    }
}

pub(super) async fn run(command: Command) -> Outcome {
    match command {
        Command::Add { preset, redirects, name, public, config, json } => {
            let opened = Opened::open(&config).await?;
            let new = NewClient { preset: preset.map(Platform::preset), name, redirect_uris: redirects, public };
            let (client, secret) = opened.issuer.add_client(new).await.map_err(add_failure)?;
            let secret = secret.as_ref().map(bridgehead_core::Secret::expose);
            if json {
                let mut object = shown(&client);
                if let Some(object) = object.as_object_mut() {
                    object.insert("client_secret".into(), json!(secret));
                }
                output::print(&object.to_string());
            } else {
                output::print(&format!("Client ID      {}", client.id));
                output::print(&format!("Client secret  {}", secret.unwrap_or("(none: leave it empty)")));
                if let Some(platform) = preset {
                    output::say(platform.where_to_paste());
                }
                if secret.is_some() {
                    output::say("The secret is shown this once: hand it over on a safe way.");
                }
            }
            opened.end().await
        }
        Command::List { all, config, json } => {
            let opened = Opened::open(&config).await?;
            let mut kinds = vec![ClientKind::PreRegistered];
            if all {
                kinds.extend([ClientKind::Registered, ClientKind::Document]);
            }
            let mut clients = Vec::new();
            for kind in kinds {
                clients.extend(opened.issuer.clients(kind).await.map_err(store_failure)?);
            }
            if json {
                output::print(&Value::from(clients.iter().map(shown).collect::<Vec<_>>()).to_string());
            } else if clients.is_empty() {
                output::say(
                    "No clients were made here. Platforms that register themselves need none; for Duvo without \
                     registration run `bridgehead clients add --preset duvo`.",
                );
            } else {
                output::print(&listed(&clients));
            }
            opened.end().await
        }
        Command::Revoke { id, config } => {
            let Some(id) = ClientId::parse(&id) else {
                return Err(Failure::usage(format!("{id} is no client's id: `bridgehead clients list` shows them")));
            };
            let opened = Opened::open(&config).await?;
            let revocation = opened.issuer.revoke_client(&id).await.map_err(store_failure)?;
            let said = match revocation {
                Revocation::Revoked => {
                    Ok(format!("{id} is revoked: its connections have ended, and nobody can make one."))
                }
                Revocation::AlreadyRevoked => Ok(format!("{id} was revoked already.")),
                Revocation::NotFound => Err(Failure {
                    exit: Exit::No,
                    message: format!("there is no client {id}; `bridgehead clients list --all` shows the ids"),
                }),
            };
            opened.end().await?;
            output::say(&said?);
            Ok(Exit::Well)
        }
    }
}

/// What a command on clients or grants works with.
pub(super) struct Opened {
    pub(super) issuer: Issuer,
    pub(super) keyring: Keyring,
    pub(super) now: Timestamp,
}

impl Opened {
    pub(super) async fn open(config: &ConfigOption) -> Result<Self, Failure> {
        let (_, loaded) = load(config.config.as_deref())?;
        let settings: Settings = loaded.settings;
        if matches!(settings.store, StoreSettings::Memory) {
            return Err(Failure::usage(
                "the store is `memory:`, which no other process can see. Set store.url = \"sqlite:bridgehead.db\".",
            ));
        }
        if let Some(foreign) = settings.auth.foreign_oauth() {
            return Err(Failure::usage(format!(
                "clients, and what teammates have connected, are kept by {}, since auth.oauth.issuer names it: look, \
                 register and revoke there. `bridgehead keys revoke --subject NAME` cuts a teammate off here.",
                foreign.issuer
            )));
        }
        if settings.auth.oauth().is_none() {
            return Err(Failure::usage(
                "auth.mode does not name \"oauth\", so there are no clients and nothing is connected",
            ));
        }
        let ambient = Ambient::default();
        let keyring = compose::keyring(&settings, &ambient).await?;
        let issuer = compose::issuer_for_commands(&settings, &keyring, &ambient);
        let issuer = issuer.map_err(|error| Failure::usage(error.to_string()))?;
        let issuer = issuer.ok_or_else(|| Failure::usage("auth.mode does not name \"oauth\""))?;
        Ok(Self { issuer, keyring, now: ambient.clock.now() })
    }

    pub(super) async fn end(self) -> Outcome {
        self.keyring.store.close().await;
        Ok(Exit::Well)
    }
}

fn add_failure(error: AddClientError) -> Failure {
    match error {
        AddClientError::Store(error) => store_failure(error),
        AddClientError::NoFreeId => Failure::outside(error.to_string()),
        AddClientError::ChatGptRedirect => Failure::usage(format!("{error}: --redirect URI")),
        AddClientError::Name | AddClientError::RedirectUris(_) => Failure::usage(error.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(super) fn store_failure(error: StoreError) -> Failure {
    Failure::outside(with_causes(&error))
}

/// How a client came to be known, in a word.
const fn origin(kind: ClientKind) -> &'static str {
    match kind {
        ClientKind::PreRegistered => "made here",
        ClientKind::Registered => "registered itself",
        ClientKind::Document => "metadata document",
    }
}

fn shown(client: &ClientRecord) -> Value {
    json!({
        "client_id": client.id.as_str(),
        "origin": origin(client.kind),
        "name": client.metadata.client_name,
        "redirect_uris": client.metadata.redirect_uris,
        "token_endpoint_auth_method": client.metadata.token_endpoint_auth_method.as_str(),
        "created_at": client.created_at,
        "last_seen_at": client.last_seen_at,
        "revoked_at": client.revoked_at,
    })
}

fn listed(clients: &[ClientRecord]) -> String {
    let row = |client: &ClientRecord| {
        vec![
            client.id.to_string(),
            if client.revoked_at.is_some() { "revoked" } else { "good" }.to_owned(),
            origin(client.kind).to_owned(),
            client.last_seen_at.map_or_else(|| "never".to_owned(), minute),
            client.metadata.client_name.as_deref().map(printable).unwrap_or_default(),
            client.metadata.redirect_uris.join(" "),
        ]
    };
    let rows: Vec<_> = clients.iter().map(row).collect();
    output::table(&["ID", "STATE", "ORIGIN", "LAST SEEN", "NAME", "REDIRECTS"], &rows)
}

/// What a client calls itself must not move the cursor of a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '?' } else { character }).take(60).collect()
}

pub(super) fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}
