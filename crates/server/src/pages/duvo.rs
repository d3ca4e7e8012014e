//! What to choose and enter in Duvo for each way to sign in (P1), in words. The connect page and the
//! card that `serve` prints say the same, since both say this.

use bridgehead_auth::issuer::Preset;

use super::WayIn;

/// Where in Duvo a connection is added.
pub const DUVO_MENU: &str = "Connections → Add custom MCP";

/// What to choose and enter in Duvo for one way to sign in, beside name and URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuvoEntry {
    /// What an administrator does before anybody can connect.
    pub before: Option<Before>,
    /// What to choose as authentication.
    pub authentication: &'static str,
    /// What is entered beside it.
    pub fields: Vec<Field>,
    /// What each teammate does: a verb and what follows.
    pub each: &'static str,
}

/// What an administrator does before anybody can connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// The deed, as a sentence.
    pub deed: String,
    /// What is entered elsewhere.
    pub fields: Vec<Field>,
    /// Commands that they run beside the server, without the place of the configuration.
    pub commands: Vec<String>,
    /// What they might do instead.
    pub instead: Option<&'static str>,
}

/// A field, and the text to paste there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// What the field is called.
    pub label: &'static str,
    /// The text.
    pub text: String,
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

/// How clients get to be known to the built-in authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRegistration {
    /// They register themselves.
    Open,
    /// An operator registers each, and hands out id and secret.
    Closed,
}

/// Who gave a teammate what they enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValuesFrom {
    /// This server.
    Here,
    /// The system behind it.
    SystemBehind,
}

/// The entries for these ways, in their order; one entry where nobody is asked. `own_keys` says whether
/// teammates make API keys for themselves.
#[must_use]
pub fn duvo(ways_in: &[WayIn], own_keys: bool) -> Vec<DuvoEntry> {
    if ways_in.is_empty() {
        return vec![DuvoEntry::new("None", "enters nothing. Whoever can reach the address may use every tool.")];
    }
    ways_in.iter().map(|way| DuvoEntry::of(way, own_keys)).collect()
}

impl DuvoEntry {
    fn new(authentication: &'static str, each: &'static str) -> Self {
        Self { before: None, authentication, fields: Vec::new(), each }
    }

    fn with(mut self, label: &'static str, text: &str) -> Self {
        self.fields.push(Field { label, text: text.to_owned() });
        self
    }

    fn with_each(self, label: &'static str, headers: &[String]) -> Self {
        headers.iter().fold(self, |entry, header| entry.with(label, header))
    }

    fn after(self, before: Before) -> Self {
        Self { before: Some(before), ..self }
    }

    fn of(way: &WayIn, own_keys: bool) -> Self {
        match way {
            WayIn::ApiKey { header, from } => Self::of_key(header.as_deref(), *from, own_keys),
            WayIn::Headers { required, optional, from } => Self::of_headers(required, optional, *from),
            WayIn::OAuth { registration: ClientRegistration::Open } => Self::new(
                "OAuth, found automatically",
                "signs in on this server and presses Allow. Client id and secret stay empty.",
            ),
            WayIn::OAuth { registration: ClientRegistration::Closed } => Self::new(
                "OAuth, with a client id and a secret",
                "enters the client id and the secret, signs in on this server and presses Allow.",
            )
            .after(Before::runs(
                "An administrator registers Duvo. The command prints the client id and the secret:",
                vec!["bridgehead clients add --preset duvo".to_owned()],
            )),
            WayIn::ForeignOAuth { issuer, registration, scopes } => Self::of_foreign(issuer, *registration, scopes),
        }
    }

    fn of_key(header: Option<&str>, from: ValuesFrom, own_keys: bool) -> Self {
        let each = match from {
            ValuesFrom::Here if own_keys => {
                "enters a key of their own, which they make in their account on this server."
            }
            ValuesFrom::Here => "enters their own key.",
            ValuesFrom::SystemBehind => "enters their own key of the system behind this server.",
        };
        let entry = match header {
            None => Self::new("API key", each),
            Some(header) => Self::new("Custom headers", each).with("Header", header),
        };
        if from == ValuesFrom::Here && !own_keys {
            let deed = "An administrator makes a key for each teammate:";
            entry.after(Before::runs(deed, vec![make_key(None)]))
        } else {
            entry
        }
    }

    fn of_headers(required: &[String], optional: &[String], from: ValuesFrom) -> Self {
        let each = match from {
            ValuesFrom::Here => "enters their own keys, one for each header.",
            ValuesFrom::SystemBehind => "enters their own values of the system behind this server.",
        };
        let entry = Self::new("Custom headers", each).with_each("Header", required).with_each("Optional", optional);
        match from {
            ValuesFrom::Here => {
                let commands = required.iter().map(|header| make_key(Some(header))).collect();
                entry.after(Before::runs("An administrator makes a key for each teammate and header:", commands))
            }
            ValuesFrom::SystemBehind => entry,
        }
    }

    fn of_foreign(issuer: &str, registration: ForeignRegistration, scopes: &str) -> Self {
        let by_hand = |deed: &str, instead| {
            let redirects = Preset::Duvo.redirect_uris().iter().map(|uri| ("Redirect URI", *uri));
            let fields = std::iter::once(("Register at", issuer)).chain(redirects).chain([("Scopes", scopes)]);
            let fields = fields.map(|(label, text)| Field { label, text: text.to_owned() }).collect();
            let before = Before { deed: deed.to_owned(), fields, commands: Vec::new(), instead };
            let each = "enters the client id and the secret, and signs in there.";
            Self::new("OAuth, with a client id and a secret", each).after(before)
        };
        match registration {
            ForeignRegistration::ByThemselves => {
                Self::new("OAuth, found automatically", "signs in there. Client id and secret stay empty.")
                    .with("Signs in at", issuer)
            }
            ForeignRegistration::ByHand => by_hand(
                "An administrator registers a client with the service that does the sign-in, and hands out its id and \
                 secret: applications cannot register there by themselves.",
                Some(
                    "Nobody has to, once this server stands in front of that service: in its configuration, \
                     issuer = \"builtin\" with login = { issuer = … }.",
                ),
            ),
            ForeignRegistration::Unknown => by_hand(
                "The service that does the sign-in cannot be asked at the moment. Unless applications can register \
                 there by themselves, an administrator registers a client there, and hands out its id and secret.",
                None,
            ),
        }
    }
}

impl Before {
    fn runs(deed: &str, commands: Vec<String>) -> Self {
        Self { deed: deed.to_owned(), fields: Vec::new(), commands, instead: None }
    }
}

/// The command that makes a teammate's key, for whichever header or for one.
fn make_key(header: Option<&str>) -> String {
    let header = header.map(|header| format!(" --header {header}")).unwrap_or_default();
    format!("bridgehead keys create --for alice@example.com{header}")
}
