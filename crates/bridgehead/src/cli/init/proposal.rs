//! The file as it is proposed: commented TOML around one source.

use std::fmt::Write as _;

use super::text::{quoted, snake};

/// What a proposal begins with.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Opening {
    /// What teammates know the server by.
    pub(in crate::cli) name: String,
    /// How they sign in.
    pub(in crate::cli) auth: SignIn,
    /// Where the server is reached from outside, where that is known.
    pub(in crate::cli) public_url: Option<String>,
}

/// How teammates sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum SignIn {
    /// A key each, made here.
    ApiKey,
    /// By OAuth, with the built-in authorization server.
    OAuth,
    /// Nobody is asked.
    Open,
}

/// A source as it is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ProposedSource {
    /// Its table of the configuration and those of its tools, comments included.
    pub(in crate::cli) toml: String,
    /// How many tools it makes.
    pub(in crate::cli) tools: usize,
    /// What whoever starts the server should know, one sentence each.
    pub(in crate::cli) notes: Vec<String>,
}

/// A name for a source, made of any text: `[a-z][a-z0-9_]*`, at most 24 characters.
pub(in crate::cli) fn source_name(text: &str) -> String {
    let name = snake(text);
    let name: String = name.trim_start_matches(|c: char| !c.is_ascii_lowercase()).chars().take(24).collect();
    let name = name.trim_end_matches('_');
    if name.is_empty() { "source".to_owned() } else { name.to_owned() }
}

/// The whole file.
pub(in crate::cli) fn configuration(opening: &Opening, source: &ProposedSource) -> String {
    let mut toml = String::new();
    let Opening { name, auth, public_url } = opening;
    let _ = writeln!(
        toml,
        "# Written by `bridgehead init`: a proposal, yours to change. `bridgehead config check` names every fault with its\n\
         # line, `bridgehead tools` shows what an agent will see, `bridgehead call TOOL` tries one. Relative paths are\n\
         # relative to this file. All settings: docs/reference/configuration.md.\n\n\
         name = {}\n\
         # What an agent should know of the whole system: units, time zones, which tool comes first.\n\
         # instructions = \"…\"\n\n\
         [server]\n\
         listen = \"127.0.0.1:8080\"                 # $PORT takes its place where a host sets it",
        quoted(name)
    );
    match public_url {
        Some(url) => {
            let _ = writeln!(toml, "public_url = {}  # what teammates type, without the path /mcp", quoted(url));
        }
        None => toml.push_str(
            "# public_url = \"https://mcp.example.com\"  # needed as soon as it is reached from elsewhere, e.g. from Duvo\n",
        ),
    }
    toml.push_str("\n[auth]\n");
    toml.push_str(match auth {
        SignIn::ApiKey => {
            "# Each teammate enters a key of their own, which `bridgehead keys create --for MAIL` makes. With \"oauth\" they sign\n\
             # in with a browser instead, and need nothing but the URL.\n\
             mode = \"api_key\"\n"
        }
        SignIn::OAuth => {
            "# Teammates sign in with a browser and need nothing but the URL. The first start prints a link for the first\n\
             # administrator; `bridgehead users add MAIL` invites the others.\n\
             mode = \"oauth\"\n"
        }
        SignIn::Open => {
            "# Anybody who reaches the server may call every tool. \"api_key\" or \"oauth\" ask who is calling.\n\
             mode = \"open\"\n"
        }
    });
    toml.push_str(
        "\n[store]\n\
         url = \"sqlite:bridgehead.db\"             # Bridgehead's own state, apart from the system behind; postgres://… for replicas\n\n\
         [policy.default]\n\
         timeout = \"30s\"\n\n",
    );
    toml.push_str(&source.toml);
    toml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_by_whatever_there_is() {
        for (text, name) in [
            ("Parcels API (v1)", "parcels_api_v1"),
            ("a very long title of an API", "a_very_long_title_of_an"),
            ("chinook", "chinook"),
            ("2024-Shop", "shop"),
            ("ÄÖ", "source"),
            ("", "source"),
        ] {
            assert_eq!(source_name(text), name);
        }
    }
}
