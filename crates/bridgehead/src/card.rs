//! The card that `serve` prints: all one needs to connect, without reading anything else.

use std::{fmt::Write, net::SocketAddr, path::Path, sync::Arc};

use bridgehead_core::{Catalog, Secret};

use crate::{
    compose::Composed,
    config::{
        Settings,
        settings::{AuthSettings, ModeSettings},
    },
};

/// What stands on the card.
pub(crate) struct Facts<'a> {
    pub(crate) settings: &'a Settings,
    /// How keys are made; `None` where no command can.
    pub(crate) config: Option<&'a Path>,
    pub(crate) endpoint_url: String,
    pub(crate) loopback: bool,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) first_key: Option<&'a Secret>,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(
        settings: &'a Settings,
        composed: &Composed,
        config: Option<&'a Path>,
        first_key: Option<&'a Secret>,
    ) -> Self {
        Self {
            settings,
            config,
            endpoint_url: composed.app.endpoint_url(),
            loopback: composed.address().ip().is_loopback(),
            admin: composed.admin_address(),
            catalog: composed.endpoint.catalog(),
            first_key,
        }
    }
}

pub(crate) fn card(facts: &Facts<'_>) -> String {
    let mut text = format!("\n  {}\n\n", facts.settings.name);
    line(&mut text, "URL", &facts.endpoint_url);
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
    match &facts.settings.auth {
        AuthSettings::Open => line(text, "Sign in", "none: everyone who can reach the URL may call every tool"),
        AuthSettings::SignIn(modes) => {
            for mode in modes {
                match mode {
                    ModeSettings::ApiKey(settings) if settings.header.is_bearer() => {
                        line(text, "Sign in", "API key, sent as `Authorization: Bearer KEY`");
                    }
                    ModeSettings::ApiKey(settings) => {
                        line(text, "Sign in", &format!("API key, sent in the header `{}`", settings.header.title()));
                    }
                }
            }
            match facts.first_key {
                Some(key) => {
                    line(text, "Key", key.expose());
                    line(text, "", "for you@localhost, good for 24 hours, shown this once");
                    line(text, "More keys", &create_command(facts));
                }
                None => line(text, "Keys", &create_command(facts)),
            }
        }
    }
}

fn create_command(facts: &Facts<'_>) -> String {
    match facts.config {
        Some(config) => format!("bridgehead keys create --for alice@example.com -c {}", config.display()),
        None => "made by the program that runs this server".to_owned(),
    }
}

fn in_duvo(text: &mut String, facts: &Facts<'_>) {
    line(text, "In Duvo", &format!("Connections → Add custom MCP → name `{}`, URL as above", facts.settings.name));
    let method = match &facts.settings.auth {
        AuthSettings::Open => "authentication: None".to_owned(),
        AuthSettings::SignIn(modes) => match modes.first() {
            Some(ModeSettings::ApiKey(settings)) if !settings.header.is_bearer() => {
                format!(
                    "authentication: Custom headers, with `{}`; each teammate enters their own key",
                    settings.header.title()
                )
            }
            _ => "authentication: API key; each teammate enters their own key".to_owned(),
        },
    };
    line(text, "", &method);
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
