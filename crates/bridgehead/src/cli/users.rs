//! `bridgehead users add|list|disable|enable|passwd|release|invite`. Works on the store while a server runs
//! on it as well. Links are printed, never sent.

use std::io::{IsTerminal, Read, stdin};

use bridgehead_auth::{
    Issuer, MailAddress, StoreError, User,
    users::{
        AddUserError, LINK_PATH, LONGEST_PASSWORD, LinkError, LinkPurpose, NewUser, OneTimeLink, SetPasswordError,
        UserChange,
    },
};
use bridgehead_core::{ScopeSet, Secret};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{ConfigOption, Exit, Failure, Outcome, load, output, with_causes};
use crate::{
    compose::{self, Ambient, Keyring},
    config::settings::{AuthSettings, PublicUrl, StoreSettings},
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Add a user and print a link, once, by which they choose their password.
    Add {
        /// Their mail address, with which they sign in.
        #[arg(value_name = "EMAIL")]
        address: String,
        /// They may administer users, clients and grants.
        #[arg(long)]
        admin: bool,
        /// What they are called on pages.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The most that they can allow a client to do; may be given more than once. Default: tools:read and
        /// tools:write.
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// List all users, oldest first.
    List {
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Shut a user out: they cannot sign in any more, and their sessions end at once.
    Disable {
        /// Their mail address.
        #[arg(value_name = "EMAIL")]
        address: String,
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Let a user in again who was disabled.
    Enable {
        /// Their mail address.
        #[arg(value_name = "EMAIL")]
        address: String,
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Give a user a password. It is asked for on the terminal, or read from the first line of the input.
    Passwd {
        /// Their mail address.
        #[arg(value_name = "EMAIL")]
        address: String,
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Forget which person of the identity provider has an account, so that another one with the same mail address
    /// can sign in with it: after an account there was made anew. What they had connected is cut off.
    Release {
        /// Their mail address.
        #[arg(value_name = "EMAIL")]
        address: String,
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Print a new link, once, by which a user chooses a password: their first, or another. Older links end.
    Invite {
        /// Their mail address.
        #[arg(value_name = "EMAIL")]
        address: String,
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command) -> Outcome {
    match command {
        Command::Add { address, admin, name, scope, config, json } => {
            let scopes =
                if scope.is_empty() { Ok(ScopeSet::read_and_write()) } else { ScopeSet::parse(&scope.join(" ")) };
            let scopes = scopes.map_err(|error| Failure::usage(error.to_string()))?;
            let opened = open(&config).await?;
            opened.has_passwords()?;
            let user = opened.keyring.users.add(NewUser { address, name, admin, scopes }).await.map_err(add_failure)?;
            let link = opened.keyring.users.invite(&user.address).await.map_err(link_failure)?;
            opened.print_link(&user, &link, json)?;
            opened.end().await
        }
        Command::List { config, json } => {
            let opened = open(&config).await?;
            let users = opened.keyring.users.list().await.map_err(store_failure)?;
            if json {
                output::print(&Value::from(users.iter().map(shown).collect::<Vec<_>>()).to_string());
            } else if users.is_empty() {
                output::say(match opened.auth.login() {
                    None => "No users yet. Add one with `bridgehead users add --admin alice@example.com`.",
                    Some(_) => "Nobody has signed in yet.",
                });
            } else {
                output::print(&listed(&users, opened.auth.login().is_some()));
            }
            opened.end().await
        }
        Command::Disable { address, config } => {
            let (opened, address) = open_for(&config, &address).await?;
            let said = match opened.keyring.users.disable(&address).await.map_err(store_failure)? {
                UserChange::Changed => {
                    let ended = opened.cut_off(&address).await?;
                    format!("{address} is disabled: their sessions have ended, and they cannot sign in.{ended}")
                }
                UserChange::Unchanged => format!("{address} was disabled already."),
                UserChange::NotFound => return Err(no_user(&address)),
            };
            output::say(&said);
            opened.end().await
        }
        Command::Enable { address, config } => {
            let (opened, address) = open_for(&config, &address).await?;
            let said = match opened.keyring.users.enable(&address).await.map_err(store_failure)? {
                UserChange::Changed => format!("{address} may sign in again."),
                UserChange::Unchanged => format!("{address} was not disabled."),
                UserChange::NotFound => return Err(no_user(&address)),
            };
            output::say(&said);
            opened.end().await
        }
        Command::Passwd { address, config } => {
            let (opened, address) = open_for(&config, &address).await?;
            opened.has_passwords()?;
            let user = opened.keyring.users.find(&address).await.map_err(store_failure)?;
            let user = user.ok_or_else(|| no_user(&address))?;
            let password = read_password(&address)?;
            opened.keyring.users.set_password(&address, &password).await.map_err(password_failure)?;
            output::say(&format!("{address} has a new password. Sessions and links of theirs have ended."));
            if user.disabled_at.is_some() {
                output::say(&format!("note: they are disabled; `bridgehead users enable {address}` lets them in."));
            }
            opened.end().await
        }
        Command::Release { address, config } => {
            let (opened, address) = open_for(&config, &address).await?;
            if !opened.keyring.store.identities.release_user(&address).await.map_err(store_failure)? {
                return Err(Failure {
                    exit: Exit::No,
                    message: format!("nobody of an identity provider has signed in as {address}"),
                });
            }
            let ended = opened.cut_off(&address).await?;
            output::say(&format!(
                "{address} is released: whoever signs in next with this mail address has the account.{ended}"
            ));
            opened.end().await
        }
        Command::Invite { address, config, json } => {
            let (opened, address) = open_for(&config, &address).await?;
            opened.has_passwords()?;
            let link = opened.keyring.users.invite(&address).await.map_err(link_failure)?;
            let user = opened.keyring.users.find(&address).await.map_err(store_failure)?;
            let user = user.ok_or_else(|| no_user(&address))?;
            opened.print_link(&user, &link, json)?;
            opened.end().await
        }
    }
}

/// What a command on users works with.
struct Opened {
    keyring: Keyring,
    /// The authorization server, where there is one.
    issuer: Option<Issuer>,
    public_url: Url,
    auth: AuthSettings,
}

impl Opened {
    /// The link on stdout, and what to know of it on stderr.
    fn print_link(&self, user: &User, link: &OneTimeLink, json: bool) -> Result<(), Failure> {
        let url = self.public_url.join(&format!("{LINK_PATH}{}", link.text.expose()));
        let url =
            url.map_err(|error| Failure::usage(format!("server.public_url cannot have a link on it: {error}")))?;
        if json {
            let mut object = shown(user);
            if let Some(object) = object.as_object_mut() {
                object.insert("link".into(), url.as_str().into());
                object.insert("link_expires_at".into(), json!(link.expires_at));
            }
            output::print(&object.to_string());
        } else {
            output::print(url.as_str());
            let chooses = match link.purpose {
                LinkPurpose::PasswordReset(_) => "another password",
                LinkPurpose::Invitation(_) | LinkPurpose::FirstAdministrator => "their password",
            };
            output::say(&format!(
                "With this link {} chooses {chooses}. It works once, until {}, and is shown this once: hand it over on \
                 a safe way.",
                user.address,
                minute(link.expires_at)
            ));
        }
        Ok(())
    }

    /// Users have passwords here, unless they log in at a provider.
    fn has_passwords(&self) -> Result<(), Failure> {
        let Some(login) = self.auth.login() else { return Ok(()) };
        Err(Failure::usage(format!(
            "teammates log in at {}, since auth.oauth.login names it, and become users when they first sign in: add \
             people there. `bridgehead users disable` shuts one out here.",
            login.issuer
        )))
    }

    /// Ends what a user allowed clients to do, and says so.
    async fn cut_off(&self, address: &MailAddress) -> Result<&'static str, Failure> {
        let Some(issuer) = &self.issuer else { return Ok("") };
        let count = issuer.revoke_subject(address.as_str()).await.map_err(store_failure)?;
        Ok(if count == 0 { "" } else { " What they had connected is cut off." })
    }

    async fn end(self) -> Outcome {
        if self.auth.oauth().is_none() {
            output::say("note: auth.mode has no \"oauth\", so nobody is asked to sign in as a user yet.");
        }
        self.keyring.store.close().await;
        Ok(Exit::Well)
    }
}

async fn open(config: &ConfigOption) -> Result<Opened, Failure> {
    let (_, loaded) = load(config.config.as_deref())?;
    let settings = loaded.settings;
    if matches!(settings.store, StoreSettings::Memory) {
        return Err(Failure::usage(
            "the store is `memory:`, which no other process can see. Set store.url = \"sqlite:bridgehead.db\" to add users.",
        ));
    }
    if let Some(foreign) = settings.auth.foreign_oauth() {
        return Err(Failure::usage(format!(
            "teammates sign in at {}, since auth.oauth.issuer names it: add and disable people there. \
             `bridgehead keys revoke --subject NAME` cuts a teammate off here.",
            foreign.issuer
        )));
    }
    let ambient = Ambient::default();
    let keyring = compose::keyring(&settings, &ambient).await?;
    let issuer = compose::issuer_for_commands(&settings, &keyring, &ambient);
    let issuer = issuer.map_err(|error| Failure::usage(error.to_string()))?;
    let public_url = match settings.server.public_url {
        PublicUrl::Given(url) | PublicUrl::SameAsListen(url) => url,
    };
    Ok(Opened { keyring, issuer, public_url, auth: settings.auth })
}

/// A mistyped address is named before anything is opened.
async fn open_for(config: &ConfigOption, address: &str) -> Result<(Opened, MailAddress), Failure> {
    let address = MailAddress::parse(address).map_err(|error| Failure::usage(format!("{address}: {error}")))?;
    Ok((open(config).await?, address))
}

/// Asked for twice on a terminal, without an echo; else the first line of the input. Never an
/// argument, which others on the machine can see.
fn read_password(address: &MailAddress) -> Result<Secret, Failure> {
    let unreadable = |error: std::io::Error| Failure::outside(format!("the password cannot be read: {error}"));
    if stdin().is_terminal() {
        let ask = |question: String| rpassword::prompt_password(question).map(Secret::new).map_err(unreadable);
        let password = ask(format!("New password for {address}: "))?;
        return if ask("Again: ".to_owned())? == password {
            Ok(password)
        } else {
            Err(Failure::usage("the two are not the same; nothing was changed"))
        };
    }
    // One more than is legal, and a line end: what is too long is refused as such.
    let longest = u64::try_from(LONGEST_PASSWORD).unwrap_or(u64::MAX).saturating_add(3);
    let mut text = String::new();
    stdin().lock().take(longest).read_to_string(&mut text).map_err(unreadable)?;
    let password = text.lines().next().unwrap_or_default().to_owned();
    if password.is_empty() {
        return Err(Failure::usage("the input is empty: write the new password into it, or run this on a terminal"));
    }
    Ok(Secret::new(password))
}

fn no_user(address: &MailAddress) -> Failure {
    Failure { exit: Exit::No, message: format!("there is no user {address}; `bridgehead users list` shows who is") }
}

fn add_failure(error: AddUserError) -> Failure {
    match error {
        AddUserError::Store(error) => store_failure(error),
        AddUserError::AddressTaken(address) => Failure {
            exit: Exit::No,
            message: format!("there is a user {address} already; `bridgehead users invite {address}` makes a new link"),
        },
        AddUserError::Address(_) | AddUserError::Name => Failure::usage(error.to_string()),
    }
}

fn link_failure(error: LinkError) -> Failure {
    match error {
        LinkError::Store(error) => store_failure(error),
        LinkError::NotFound(address) => no_user(&address),
        LinkError::Disabled(address) => Failure {
            exit: Exit::No,
            message: format!("{address} is disabled; `bridgehead users enable {address}` comes first"),
        },
    }
}

fn password_failure(error: SetPasswordError) -> Failure {
    match error {
        SetPasswordError::Store(error) => store_failure(error),
        SetPasswordError::NotFound(address) => no_user(&address),
        SetPasswordError::Password(_) => Failure::usage(error.to_string()),
        SetPasswordError::Busy { .. } => Failure::outside(error.to_string()),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn store_failure(error: StoreError) -> Failure {
    Failure::outside(with_causes(&error))
}

fn shown(user: &User) -> Value {
    json!({
        "address": user.address.as_str(),
        "name": user.name,
        "admin": user.admin,
        "scopes": user.scopes.iter().collect::<Vec<_>>(),
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
        "signed_in_at": user.signed_in_at,
        "has_password": user.has_password,
    })
}

/// Where people log in `elsewhere`, nobody waits for a password.
fn listed(users: &[User], elsewhere: bool) -> String {
    let row = |user: &User| {
        let state = match (user.disabled_at, user.has_password) {
            (Some(_), _) => "disabled",
            (None, false) if !elsewhere => "no password yet",
            (None, _) => "good",
        };
        vec![
            user.address.to_string(),
            state.to_owned(),
            if user.admin { "admin" } else { "" }.to_owned(),
            user.scopes.to_string(),
            user.signed_in_at.map_or_else(|| "never".to_owned(), minute),
            user.name.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    output::table(&["USER", "STATE", "ROLE", "SCOPES", "LAST SIGN-IN", "NAME"], &rows)
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
