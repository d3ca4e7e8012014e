//! The card that `serve` prints: all one needs to connect, without reading anything else.

mod duvo;
#[cfg(test)]
mod tests;

use std::{fmt::Write, net::SocketAddr, path::Path, sync::Arc};

use bridgehead_auth::{
    CallerHeaders, KeyHeader, ResourceServer,
    provider::RedirectUris,
    users::{FirstAdministrator, LINK_PATH},
};
use bridgehead_core::{Catalog, Secret};
use bridgehead_lint::Grade;
use bridgehead_server::{
    ConnectParts,
    pages::{self, ForeignRegistration, Reach, ToolGroup, WayIn},
};

use crate::{
    compose::{Composed, ForeignClients, connect},
    config::{
        Settings,
        settings::{ModeSettings, ProviderSettings, RegistrationPolicy},
    },
};

/// So wide is what stands beside a label.
const WIDTH: usize = 90;
/// More tools are not graded for the card: each is looked at beside all others, and a start has no second to
/// spare for that.
const GRADED_AT_MOST: usize = 200;
/// More tools of a source are not named.
const NAMED_AT_MOST: usize = 60;

/// What stands on the card.
pub(crate) struct Facts<'a> {
    pub(crate) settings: &'a Settings,
    /// How keys are made; `None` where no command can.
    pub(crate) config: Option<&'a Path>,
    pub(crate) endpoint_url: String,
    pub(crate) public_url: String,
    pub(crate) reach: Reach,
    pub(crate) admin: Option<SocketAddr>,
    /// Whether HTTPS waits for its first certificate.
    pub(crate) awaits_certificate: bool,
    /// What the connect page says as well.
    pub(crate) connect: ConnectParts,
    /// Whether teammates make API keys for themselves.
    pub(crate) own_keys: bool,
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
            reach: Reach::of(composed.app.public_url()),
            admin: composed.admin_address(),
            awaits_certificate: composed.awaits_certificate(),
            connect: connect_parts(settings, composed.resource.as_deref(), first),
            own_keys: connect::teammates_make_keys(&settings.auth),
            catalog: composed.endpoint.catalog(),
            first,
        }
    }
}

/// As the connect page has them, with what the authorization server said at the start.
fn connect_parts(settings: &Settings, resource: Option<&ResourceServer>, first: &FirstRun) -> ConnectParts {
    let mut parts = connect::parts(settings, resource);
    for way in &mut parts.ways_in {
        if let WayIn::ForeignOAuth { registration, .. } = way {
            *registration = match &first.foreign_clients {
                Some(ForeignClients::ByThemselves) => ForeignRegistration::ByThemselves,
                Some(ForeignClients::ByHand) => ForeignRegistration::ByHand,
                Some(ForeignClients::Unknown(_)) | None => ForeignRegistration::Unknown,
            };
        }
    }
    parts
}

pub(crate) fn card(facts: &Facts<'_>) -> String {
    let mut text = format!("\n  {}\n\n", facts.settings.name);
    line(&mut text, "URL", &facts.endpoint_url);
    if facts.awaits_certificate {
        line(&mut text, "", "not yet: its certificate is asked for now, and the log says when it is there,");
        line(&mut text, "", "or what keeps the authority from issuing it");
    }
    sign_in(&mut text, facts);
    tools(&mut text, facts);
    if let Some(admin) = facts.admin {
        line(&mut text, "Metrics", &format!("http://{admin}/metrics"));
    }
    duvo::in_duvo(&mut text, facts);
    text
}

fn line(text: &mut String, label: &str, value: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "  {label:<9} {value}");
}

fn tools(text: &mut String, facts: &Facts<'_>) {
    let entries = facts.catalog.entries();
    let graded = if entries.len() > GRADED_AT_MOST { Vec::new() } else { pages::graded(&facts.catalog) };
    for named in facts.catalog.sources() {
        let of_source = entries.iter().filter(|entry| entry.tool.address.source == named.name);
        let names: Vec<_> = of_source.map(|entry| entry.tool.wire_name.as_str()).collect();
        let grades = graded.iter().find(|group| group.source == named.name).map(grades).unwrap_or_default();
        line(text, "Tools", &format!("{} from {} ({}){grades}", names.len(), named.name, named.source.kind()));
        for row in filled(&names.iter().take(NAMED_AT_MOST).copied().collect::<Vec<_>>().join(", "), WIDTH) {
            line(text, "", &row);
        }
        if let Some(more) = names.len().checked_sub(NAMED_AT_MOST).filter(|more| *more > 0) {
            line(text, "", &format!("and {more} more: `{}` lists them", command("bridgehead tools", facts.config)));
        }
    }
    let is_poor = |group: &ToolGroup| group.tools.iter().any(|tool| tool.grade <= Grade::D);
    if let (true, Some(config)) = (graded.iter().any(is_poor), facts.config) {
        line(text, "", &format!("`{}` says what to improve", command("bridgehead lint", Some(config))));
    }
}

/// The grades of a source's tools, and what they cost.
fn grades(group: &ToolGroup) -> String {
    let grades: Vec<String> = group.grades().iter().map(|(grade, count)| format!("{count} {grade}")).collect();
    format!("; grades: {}; ~{} tokens", grades.join(", "), group.tokens())
}

fn sign_in(text: &mut String, facts: &Facts<'_>) {
    let modes = facts.settings.auth.modes();
    if modes.is_empty() {
        line(text, "Sign in", "none: everyone who can reach the URL may call every tool");
    }
    for (index, mode) in modes.iter().enumerate() {
        line(text, if index == 0 { "Sign in" } else { "  or" }, &way_in(mode));
    }
    if let (Some(foreign), Some(ForeignClients::Unknown(why))) =
        (facts.settings.auth.foreign_oauth(), &facts.first.foreign_clients)
    {
        let host = foreign.issuer.host();
        line(text, "Not yet", &format!("{host} cannot be asked: nobody can sign in until it answers"));
        line(text, "", &format!("({why})."));
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
        line(text, "Cut off", &command(&format!("bridgehead keys revoke {what}"), Some(config)));
        line(text, "", &format!("{name} is the caller as the audit in the log names them"));
    };
    if modes.iter().any(|mode| matches!(mode, ModeSettings::ForeignOAuth(_))) {
        // What an issuer calls somebody has any form, also that of a key's id.
        said("--subject NAME", "NAME");
    } else if modes.iter().any(ModeSettings::is_handed_through) {
        said("SUBJECT", "SUBJECT");
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
        line(text, "Teammates", &command("bridgehead users add alice@example.com", Some(config)));
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
        command(&format!("bridgehead keys create --for alice@example.com{header}"), Some(config))
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

/// A command that takes the configuration, with its place.
fn command(words: &str, config: Option<&Path>) -> String {
    match config {
        Some(config) => format!("{words} -c {}", config.display()),
        None => words.to_owned(),
    }
}

/// A text in rows of at most `width` characters, unless a word is longer.
fn filled(text: &str, width: usize) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match rows.last_mut() {
            Some(row) if row.chars().count() + word.chars().count() < width => {
                row.push(' ');
                row.push_str(word);
            }
            _ => rows.push(word.to_owned()),
        }
    }
    rows
}
