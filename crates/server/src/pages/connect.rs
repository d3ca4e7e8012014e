//! The connect page (P1): what this server is, and exactly what to enter in Duvo and in other
//! clients, for each way to sign in that it has.

use askama::Template;
use bridgehead_core::Effect;
use bridgehead_lint::Grade;

use super::{
    Site, View,
    guides::{self, Guide},
    paths,
};

/// Where Duvo takes the answer of an authorization server: what has to be registered where clients
/// cannot register themselves.
pub(super) const DUVO_REDIRECT: &str = "https://platform.duvo.ai/v1/oauth/mcp/callback";

/// In front of a command that the operator's shell takes.
const ADMINISTRATOR_RUNS: &str = "An administrator runs";

/// The page at `/`.
#[derive(Debug, Clone, Template)]
#[template(path = "connect.html")]
pub struct Connect {
    /// The server.
    pub site: Site,
    /// What the configuration says of it for agents; plain text.
    pub instructions: Option<String>,
    /// The endpoint's address, as teammates type it.
    pub endpoint_url: String,
    /// From where the address can be reached.
    pub reach: Reach,
    /// The ways to sign in, in the order of the configuration; empty where nobody is asked.
    pub ways_in: Vec<WayIn>,
    /// Whether people have accounts here, at [`paths::ACCOUNT`].
    pub accounts: bool,
    /// Whether they can make API keys for themselves there.
    pub own_keys: bool,
    /// The tools, where the reader may see them.
    pub tools: Option<Vec<ToolLine>>,
}

/// From where the address can be reached, as far as the address tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From outside, over HTTPS.
    Public,
    /// From this machine alone, or without TLS: no platform can.
    Local,
}

/// A way to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WayIn {
    /// A key of each teammate's own.
    ApiKey {
        /// The header it is sent in; `None` for `Authorization: Bearer`.
        header: Option<String>,
        /// Who gave them the key.
        from: ValuesFrom,
    },
    /// Values of each teammate's own, in named headers.
    Headers {
        /// Headers without which nothing works.
        required: Vec<String>,
        /// Headers that may be left out.
        optional: Vec<String>,
        /// Who gave them the values.
        from: ValuesFrom,
    },
    /// OAuth with the built-in authorization server.
    OAuth {
        /// How clients get to be known.
        registration: ClientRegistration,
    },
    /// OAuth with an authorization server of the company's.
    ForeignOAuth {
        /// Its issuer URL.
        issuer: String,
        /// How clients get to be known there.
        registration: ForeignRegistration,
        /// The scopes that it has to know, with blanks between them.
        scopes: String,
    },
}

/// How clients get to be known to an authorization server that is not ours, as far as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignRegistration {
    /// They register themselves.
    ByThemselves,
    /// An administrator there registers each.
    ByHand,
    /// It could not be asked.
    Unknown,
}

/// Who gave a teammate what they enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValuesFrom {
    /// This server.
    Here,
    /// The system behind it.
    SystemBehind,
}

/// How clients get to be known to the built-in authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRegistration {
    /// They register themselves.
    Open,
    /// An operator registers each, and hands out id and secret.
    Closed,
}

/// One tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolLine {
    /// Its wire name.
    pub name: String,
    /// A short name for people.
    pub title: Option<String>,
    /// All that an agent sees of it.
    pub description: String,
    /// What it does to the world.
    pub effect: Effect,
    /// How well it is described for an agent.
    pub grade: Grade,
}

/// What to enter in Duvo for one way to sign in, beside name and URL.
struct DuvoEntry {
    authentication: &'static str,
    /// Further fields, or what has to be done elsewhere: a label and a text to copy.
    more: Vec<(&'static str, String)>,
    /// What each teammate does.
    each: &'static str,
    /// What has to be done before.
    before: Option<&'static str>,
}

impl Connect {
    fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    fn duvo(&self) -> Vec<DuvoEntry> {
        if self.ways_in.is_empty() {
            return vec![DuvoEntry::new("None", "Enters nothing. Whoever can reach the address may use every tool.")];
        }
        self.ways_in.iter().map(|way| DuvoEntry::of(way, self.own_keys)).collect()
    }

    fn guides(&self) -> Vec<Guide> {
        guides::all(self)
    }
}

impl DuvoEntry {
    fn new(authentication: &'static str, each: &'static str) -> Self {
        Self { authentication, more: Vec::new(), each, before: None }
    }

    fn with(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.more.push((label, text.into()));
        self
    }

    fn with_each(self, label: &'static str, headers: &[String]) -> Self {
        headers.iter().fold(self, |entry, header| entry.with(label, header))
    }

    /// The command that makes a teammate's key, for whichever header or for one.
    fn with_key_for(self, header: Option<&str>) -> Self {
        let header = header.map(|header| format!(" --header {header}")).unwrap_or_default();
        self.with(ADMINISTRATOR_RUNS, format!("bridgehead keys create --for alice@example.com{header}"))
    }

    fn of(way: &WayIn, own_keys: bool) -> Self {
        match way {
            WayIn::ApiKey { header, from } => {
                let each = match from {
                    ValuesFrom::Here if own_keys => "Enters a key of their own, which they make in their account here.",
                    ValuesFrom::Here => "Enters their own key.",
                    ValuesFrom::SystemBehind => "Enters their own key of the system behind this server.",
                };
                let entry = match header {
                    None => Self::new("API key", each),
                    Some(header) => Self::new("Custom headers", each).with("Header", header),
                };
                if *from == ValuesFrom::Here && !own_keys { entry.with_key_for(None) } else { entry }
            }
            WayIn::Headers { required, optional, from } => {
                let each = match from {
                    ValuesFrom::Here => "Enters their own keys, one for each header.",
                    ValuesFrom::SystemBehind => "Enters their own values of the system behind this server.",
                };
                let entry = Self::new("Custom headers", each)
                    .with_each("Header", required)
                    .with_each("Header, optional", optional);
                match from {
                    ValuesFrom::Here => required.iter().fold(entry, |entry, header| entry.with_key_for(Some(header))),
                    ValuesFrom::SystemBehind => entry,
                }
            }
            WayIn::OAuth { registration: ClientRegistration::Open } => Self::new(
                "OAuth, found automatically",
                "Signs in here and presses Allow. No client id and no secret is needed.",
            ),
            WayIn::OAuth { registration: ClientRegistration::Closed } => Self::new(
                "OAuth, with a client id and a secret",
                "Enters the client id and the secret that this prints, signs in here and presses Allow.",
            )
            .with(ADMINISTRATOR_RUNS, "bridgehead clients add --preset duvo"),
            WayIn::ForeignOAuth { issuer, registration, scopes } => Self::of_foreign(issuer, *registration, scopes),
        }
    }

    fn of_foreign(issuer: &str, registration: ForeignRegistration, scopes: &str) -> Self {
        let (authentication, each) = match registration {
            ForeignRegistration::ByThemselves => {
                ("OAuth, found automatically", "Signs in there. No client id and no secret is needed.")
            }
            ForeignRegistration::ByHand | ForeignRegistration::Unknown => {
                ("OAuth, with a client id and a secret", "Enters the client id and the secret, and signs in there.")
            }
        };
        let entry = Self::new(authentication, each).with("Sign-in by", issuer);
        let before = match registration {
            ForeignRegistration::ByThemselves => return entry,
            ForeignRegistration::ByHand => {
                "Before that, an administrator registers a client with the service that does the sign-in, with this \
                 redirect URI and these scopes, and hands out its id and secret: applications cannot register there by \
                 themselves. They could here, if this server stood in front of it: in its configuration, \
                 issuer = \"builtin\" with login = { issuer = … }."
            }
            ForeignRegistration::Unknown => {
                "The service that does the sign-in cannot be asked at the moment. Unless applications can register \
                 there by themselves, an administrator registers a client there before, with this redirect URI and these \
                 scopes, and hands out its id and secret."
            }
        };
        let entry = entry.with("Redirect URI", DUVO_REDIRECT).with("Scopes", scopes);
        Self { before: Some(before), ..entry }
    }
}

impl View for Connect {}
