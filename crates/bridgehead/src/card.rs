//! The card that `serve` prints: all one needs to connect, without reading anything else.

use std::{fmt::Write, net::SocketAddr, path::Path, sync::Arc};

use bridgehead_auth::{
    CallerHeaders, KeyHeader,
    issuer::Preset,
    provider::RedirectUris,
    remote::IssuerUrl,
    users::{FirstAdministrator, LINK_PATH},
};
use bridgehead_core::{Catalog, Secret};

use crate::{
    compose::{Composed, ForeignClients},
    config::{
        Settings,
        settings::{ModeSettings, ProviderSettings, RegistrationPolicy},
    },
};

/// What stands on the card.
pub(crate) struct Facts<'a> {
    pub(crate) settings: &'a Settings,
    /// How keys are made; `None` where no command can.
    pub(crate) config: Option<&'a Path>,
    pub(crate) endpoint_url: String,
    pub(crate) public_url: String,
    pub(crate) loopback: bool,
    pub(crate) admin: Option<SocketAddr>,
    /// Whether HTTPS waits for its first certificate.
    pub(crate) awaits_certificate: bool,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) first: &'a FirstRun,
}

/// What is printed this once: how the first ones get in.
#[derive(Default)]
pub(crate) struct FirstRun {
    /// An API key for whoever started the server.
    pub(crate) key: Option<Secret>,
    /// How the first administrator gets in; `None` where nobody signs in by OAuth.
    pub(crate) administrator: Option<FirstAdministrator>,
    /// How clients get to be known to an authorization server that is not ours, where there is one.
    pub(crate) foreign_clients: Option<ForeignClients>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(
        settings: &'a Settings,
        composed: &Composed,
        config: Option<&'a Path>,
        first: &'a FirstRun,
    ) -> Self {
        Self {
            settings,
            config,
            endpoint_url: composed.app.endpoint_url(),
            public_url: composed.app.public_url().as_str().trim_end_matches('/').to_owned(),
            loopback: composed.address().ip().is_loopback(),
            admin: composed.admin_address(),
            awaits_certificate: composed.awaits_certificate(),
            catalog: composed.endpoint.catalog(),
            first,
        }
    }
}

pub(crate) fn card(facts: &Facts<'_>) -> String {
    let mut text = format!("\n  {}\n\n", facts.settings.name);
    line(&mut text, "URL", &facts.endpoint_url);
    if facts.awaits_certificate {
        line(&mut text, "", "not yet: its certificate is asked for now, and the log says when it is there,");
        line(&mut text, "", "or what keeps the authority from issuing it");
    }
    sign_in(&mut text, facts);
    for named in facts.catalog.sources() {
        let names: Vec<_> = facts
            .catalog
            .entries()
            .iter()
            .filter(|entry| entry.tool.address.source == named.name)
            .map(|entry| entry.tool.wire_name.to_string())
            .collect();
        line(&mut text, "Tools", &format!("{} from {} ({})", names.len(), named.name, named.source.kind()));
        for row in wrapped(&names, 72) {
            line(&mut text, "", &row);
        }
    }
    if let Some(admin) = facts.admin {
        line(&mut text, "Metrics", &format!("http://{admin}/metrics"));
    }
    in_duvo(&mut text, facts);
    text
}

fn line(text: &mut String, label: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {label:<9} {value}");
}

fn sign_in(text: &mut String, facts: &Facts<'_>) {
    let modes = facts.settings.auth.modes();
    if modes.is_empty() {
        line(text, "Sign in", "none: everyone who can reach the URL may call every tool");
    }
    for (index, mode) in modes.iter().enumerate() {
        line(text, if index == 0 { "Sign in" } else { "  or" }, &way_in(mode));
    }
    if let (Some(foreign), Some(clients)) = (facts.settings.auth.foreign_oauth(), &facts.first.foreign_clients) {
        at_another_server(text, &foreign.issuer, clients);
    }
    if modes.iter().any(ModeSettings::is_issued) {
        match &facts.first.key {
            Some(key) => {
                line(text, "Key", key.expose());
                line(text, "", "for you@localhost, good for 24 hours, shown this once");
                commands(text, "More keys", &create_commands(facts));
            }
            None => commands(text, "Keys", &create_commands(facts)),
        }
    }
    if let Some(first) = &facts.first.administrator {
        administrator(text, facts, first);
    }
    if let Some(login) = facts.settings.auth.login() {
        at_the_provider(text, facts, login);
    }
    if let Some(config) = facts.config {
        cut_off(text, modes, config);
    }
}

/// How those are cut off who have no key of ours.
fn cut_off(text: &mut String, modes: &[ModeSettings], config: &Path) {
    let mut said = |what: &str, name: &str| {
        line(text, "Cut off", &format!("bridgehead keys revoke {what} -c {}", config.display()));
        line(text, "", &format!("{name} is the caller as the audit in the log names them"));
    };
    if modes.iter().any(|mode| matches!(mode, ModeSettings::ForeignOAuth(_))) {
        // What an issuer calls somebody has any form, also that of a key's id.
        said("--subject NAME", "NAME");
    } else if modes.iter().any(ModeSettings::is_handed_through) {
        said("SUBJECT", "SUBJECT");
    }
}

/// What has to be done at an authorization server that is not ours, before anybody can connect.
fn at_another_server(text: &mut String, issuer: &IssuerUrl, clients: &ForeignClients) {
    let redirects = |text: &mut String| Preset::Duvo.redirect_uris().iter().for_each(|uri| line(text, "", uri));
    match clients {
        ForeignClients::ByThemselves => {}
        ForeignClients::ByHand => {
            line(text, "Before", &format!("{} registers no client by itself: register one there, with", issuer.host()));
            redirects(text);
            line(text, "", "as its redirect URI. To enter nothing, let clients register here and teammates log in");
            line(
                text,
                "",
                &format!("there: issuer = \"builtin\" and login = {{ issuer = \"{issuer}\", client_id = … }}"),
            );
        }
        ForeignClients::Unknown(why) => {
            line(text, "Not yet", &format!("{} cannot be asked: nobody can sign in until it answers", issuer.host()));
            line(text, "", &format!("({why})."));
            line(text, "", "Unless clients register there by themselves, register one there, with");
            redirects(text);
            line(text, "", "as its redirect URI.");
        }
    }
}

/// How the first administrator gets in, and everybody after them.
fn administrator(text: &mut String, facts: &Facts<'_>, first: &FirstAdministrator) {
    match first {
        FirstAdministrator::Link(link) => {
            line(text, "First", &format!("{}{LINK_PATH}{}", facts.public_url, link.text.expose()));
            let until = link.expires_at.strftime("%H:%M UTC");
            line(
                text,
                "",
                &format!("whoever opens this link becomes the first administrator; good once, until {until}"),
            );
        }
        FirstAdministrator::Elsewhere { expires_at } => {
            let until = expires_at.strftime("%H:%M UTC");
            line(text, "First", "another replica made the link for the first administrator and printed it");
            line(text, "", &format!("(with another root key; it is good until {until})"));
        }
        FirstAdministrator::NotNeeded => {}
    }
    if let Some(config) = facts.config {
        line(text, "Teammates", &format!("bridgehead users add alice@example.com -c {}", config.display()));
    }
}

/// Where teammates log in, and what has to be registered there.
fn at_the_provider(text: &mut String, facts: &Facts<'_>, login: &ProviderSettings) {
    line(text, "Log in", &format!("at {}; there is no list of people here", login.issuer));
    let RedirectUris { sign_in, sign_out } = RedirectUris::of(&facts.public_url);
    line(text, "", &format!("registered there as `{}`, with these redirect URIs:", login.client.id));
    line(text, "", &sign_in);
    line(text, "", &format!("{sign_out} (after signing out)"));
}

/// How one signs in by a mode, with the headers it wants.
fn way_in(mode: &ModeSettings) -> String {
    match mode {
        ModeSettings::ApiKey(settings) => {
            let key = if mode.is_issued() { "API key" } else { "API key of the system behind" };
            if settings.header.is_bearer() {
                format!("{key}, sent as `Authorization: Bearer KEY`")
            } else {
                format!("{key}, sent in the header `{}`", settings.header.title())
            }
        }
        ModeSettings::Headers(settings) => {
            let whose =
                if mode.is_issued() { "each with the API key made for it" } else { "with values of the system behind" };
            format!("headers {}, {whose}", named(&settings.headers))
        }
        ModeSettings::OAuth(settings) => match settings.registration {
            RegistrationPolicy::Open => "OAuth: enter nothing but the URL; each teammate signs in".to_owned(),
            RegistrationPolicy::Closed => {
                "OAuth, for clients made with `bridgehead clients add`; each teammate signs in".to_owned()
            }
        },
        ModeSettings::ForeignOAuth(settings) => format!("OAuth at {}; each teammate signs in there", settings.issuer),
    }
}

/// Names of headers: `X-Api-Key`, `X-Tenant`, `X-Region` (optional).
fn named(headers: &CallerHeaders) -> String {
    let required = headers.required().iter().map(|header| format!("`{}`", header.title()));
    let optional = headers.optional().iter().map(|header| format!("`{}` (optional)", header.title()));
    required.chain(optional).collect::<Vec<_>>().join(", ")
}

fn commands(text: &mut String, label: &str, commands: &[String]) {
    for (index, command) in commands.iter().enumerate() {
        line(text, if index == 0 { label } else { "" }, command);
    }
}

/// How keys are made: one command for the mode `api_key`, one for each header of `headers`.
fn create_commands(facts: &Facts<'_>) -> Vec<String> {
    let Some(config) = facts.config else {
        return vec!["made by the program that runs this server".to_owned()];
    };
    let create = |header: Option<&KeyHeader>| {
        let header = header.map(|header| format!(" --header {}", header.title())).unwrap_or_default();
        format!("bridgehead keys create --for alice@example.com{header} -c {}", config.display())
    };
    let of_mode = |mode: &ModeSettings| match mode {
        ModeSettings::ApiKey(_) => vec![create(None)],
        ModeSettings::Headers(settings) => {
            settings.headers.required().iter().map(|header| create(Some(header))).collect()
        }
        ModeSettings::OAuth(_) | ModeSettings::ForeignOAuth(_) => Vec::new(),
    };
    facts.settings.auth.modes().iter().filter(|mode| mode.is_issued()).flat_map(of_mode).collect()
}

/// What to choose and enter in Duvo for a mode.
fn method(mode: &ModeSettings, first: &FirstRun) -> String {
    let own = if mode.is_handed_through() { " of the system behind" } else { "" };
    match mode {
        ModeSettings::ApiKey(settings) if settings.header.is_bearer() => {
            format!("API key; each teammate enters their own key{own}")
        }
        ModeSettings::ApiKey(settings) => {
            format!("Custom headers, with `{}`; each teammate enters their own key{own}", settings.header.title())
        }
        ModeSettings::Headers(settings) => {
            let what = if mode.is_issued() { "keys, one for each header" } else { "values" };
            format!("Custom headers, with {}; each teammate enters their own {what}{own}", named(&settings.headers))
        }
        ModeSettings::OAuth(settings) => match settings.registration {
            RegistrationPolicy::Open => "OAuth; client id and secret stay empty; each teammate signs in".to_owned(),
            RegistrationPolicy::Closed => {
                "OAuth, with the id and secret that `bridgehead clients add --preset duvo` prints".to_owned()
            }
        },
        ModeSettings::ForeignOAuth(settings) => match &first.foreign_clients {
            Some(ForeignClients::ByThemselves) => {
                "OAuth; client id and secret stay empty; each teammate signs in there".to_owned()
            }
            Some(ForeignClients::ByHand | ForeignClients::Unknown(_)) | None => {
                format!("OAuth, with the id and secret of a client that you register at {}", settings.issuer.host())
            }
        },
    }
}

fn in_duvo(text: &mut String, facts: &Facts<'_>) {
    line(text, "In Duvo", &format!("Connections → Add custom MCP → name `{}`, URL as above", facts.settings.name));
    let modes = facts.settings.auth.modes();
    if modes.is_empty() {
        line(text, "", "authentication: None");
    }
    for (index, mode) in modes.iter().enumerate() {
        let label = if index == 0 { "authentication" } else { "or" };
        line(text, "", &format!("{label}: {}", method(mode, facts.first)));
    }
    if facts.loopback && facts.endpoint_url.starts_with("http://") {
        line(text, "", "Duvo calls from the internet, over HTTPS: this address is for this machine alone.");
        line(text, "", "Put a TLS proxy in front and set server.public_url to the address it has outside.");
    }
}

/// Words with commas between them, in rows of at most `width` characters.
fn wrapped(words: &[String], width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let word = if index + 1 < words.len() { format!("{word},") } else { word.clone() };
        match rows.last_mut() {
            Some(row) if row.len() + word.len() < width => {
                row.push(' ');
                row.push_str(&word);
            }
            _ => rows.push(word),
        }
    }
    rows
}
