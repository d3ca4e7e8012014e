//! One step of an attempt, and the facts that may be known of it. Whatever becomes a fact is cut,
//! freed from control characters and looked through for secrets of our own; of a query only what is
//! on a list.

use std::{borrow::Cow, collections::BTreeMap, net::IpAddr};

use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use crate::keys::holds_own_secret;

/// How many characters a fact has at most.
const LONGEST: usize = 200;
/// How many parameters of a query are looked at.
const MOST_PARAMETERS: usize = 20;
const LONGEST_NAME: usize = 40;
const REMOVED: &str = "(a secret, removed)";

/// The parameters of a request whose value is shown. All others are shown by name alone: codes,
/// verifiers, states, assertions and secrets among them, and what nobody has thought of yet.
const SHOWN_PARAMETERS: [&str; 8] = [
    "response_type",
    "response_mode",
    "scope",
    "code_challenge_method",
    "grant_type",
    "prompt",
    "token_type_hint",
    "client_assertion_type",
];

/// The steps, in the order in which an attempt takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A call was answered with 401 and where to sign in.
    Challenge,
    /// A well-known document was fetched.
    Metadata,
    /// A client registered.
    Registration,
    /// A browser came with a request for authorization.
    Authorize,
    /// Somebody signed in, or tried to.
    SignIn,
    /// Somebody said what the client may do.
    Consent,
    /// The client exchanged its code for tokens.
    Token,
    /// The client called with its token for the first time.
    FirstCall,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Challenge,
        Self::Metadata,
        Self::Registration,
        Self::Authorize,
        Self::SignIn,
        Self::Consent,
        Self::Token,
        Self::FirstCall,
    ];

    /// The word by which people and stores know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Metadata => "metadata",
            Self::Registration => "registration",
            Self::Authorize => "authorize",
            Self::SignIn => "sign-in",
            Self::Consent => "consent",
            Self::Token => "token",
            Self::FirstCall => "first call",
        }
    }

    /// Reads what a store gives back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == word)
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepOutcome {
    /// As it should.
    Done,
    /// It was refused, by us or by the person.
    Refused,
}

impl StepOutcome {
    /// The word by which people and stores know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// Reads what a store gives back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Done, Self::Refused].into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// What may be known of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// The error code that was answered.
    Error,
    /// What was said beside it.
    Description,
    /// What the client calls itself.
    ClientName,
    /// Its id.
    ClientId,
    /// Who signed in.
    Subject,
    /// The host that the browser is sent back to.
    RedirectHost,
    /// Where the request came from.
    Address,
    /// The program it came from, as that says.
    UserAgent,
    /// What was asked for.
    Query,
}

impl Fact {
    const ALL: [Self; 9] = [
        Self::Error,
        Self::Description,
        Self::ClientName,
        Self::ClientId,
        Self::Subject,
        Self::RedirectHost,
        Self::Address,
        Self::UserAgent,
        Self::Query,
    ];

    /// The word by which people and stores know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Description => "description",
            Self::ClientName => "client_name",
            Self::ClientId => "client_id",
            Self::Subject => "subject",
            Self::RedirectHost => "redirect_host",
            Self::Address => "address",
            Self::UserAgent => "user_agent",
            Self::Query => "query",
        }
    }
}

/// Facts, each once, harmless to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Facts(BTreeMap<Fact, String>);

impl Facts {
    /// What is known of this.
    #[must_use]
    pub fn get(&self, fact: Fact) -> Option<&str> {
        self.0.get(&fact).map(String::as_str)
    }

    /// All that is known.
    pub fn iter(&self) -> impl Iterator<Item = (Fact, &str)> {
        self.0.iter().map(|(fact, text)| (*fact, text.as_str()))
    }

    fn set(&mut self, fact: Fact, text: &str) {
        let text = harmless(text);
        if !text.is_empty() {
            self.0.insert(fact, text);
        }
    }

    /// As a store keeps it: a line for each, its word and its text with a tab between them.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines = self.0.iter().map(|(fact, text)| format!("{}\t{text}", fact.as_str()));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Reads what a store gives back. What this version does not know is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut facts = Self::default();
        for (word, text) in text.lines().filter_map(|line| line.split_once('\t')) {
            if let Some(fact) = Fact::ALL.into_iter().find(|fact| fact.as_str() == word) {
                facts.set(fact, text);
            }
        }
        facts
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEvent {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub step: Step,
    /// How it ended.
    pub outcome: StepOutcome,
    /// What is known of it.
    pub facts: Facts,
}

impl TraceEvent {
    /// A step that was taken. When is noted as it is recorded.
    #[must_use]
    pub fn done(step: Step) -> Self {
        Self { at: Timestamp::UNIX_EPOCH, step, outcome: StepOutcome::Done, facts: Facts::default() }
    }

    /// A step that was refused: with the error code that was answered, and what was said beside it.
    #[must_use]
    pub fn refused(step: Step, error: &str, description: &str) -> Self {
        let event = Self { outcome: StepOutcome::Refused, ..Self::done(step) };
        event.with(Fact::Error, error).with(Fact::Description, description)
    }

    /// With something that is known. Nothing that is a secret belongs here; secrets of our own are
    /// taken out.
    #[must_use]
    pub fn with(mut self, fact: Fact, text: &str) -> Self {
        self.facts.set(fact, text);
        self
    }

    /// With where the request came from, and the program that sent it.
    #[must_use]
    pub fn came_from(self, address: IpAddr, user_agent: Option<&str>) -> Self {
        let event = self.with(Fact::Address, &address.to_canonical().to_string());
        event.with(Fact::UserAgent, user_agent.unwrap_or_default())
    }

    /// With the host of a redirect URI, and its scheme where that is a program's own. Nothing else of
    /// it is kept.
    #[must_use]
    pub fn redirect(self, uri: &str) -> Self {
        let host = redirect_host(uri);
        self.with(Fact::RedirectHost, &host)
    }

    /// With the parameters of a request, from a query or a form: the values of those on a list, the
    /// names of all others.
    #[must_use]
    pub fn query(self, query: &str) -> Self {
        let shown: Vec<String> = query.split('&').take(MOST_PARAMETERS).filter_map(parameter).collect();
        self.with(Fact::Query, &shown.join(" "))
    }
}

fn redirect_host(uri: &str) -> Cow<'static, str> {
    let Ok(uri) = uri.parse::<http::Uri>() else { return Cow::Borrowed("(not readable)") };
    match (uri.scheme_str(), uri.host()) {
        (Some("http" | "https"), Some(host)) => host.to_owned().into(),
        (Some(scheme), Some(host)) => format!("{scheme}://{host}").into(),
        _ => Cow::Borrowed("(not readable)"),
    }
}

fn parameter(text: &str) -> Option<String> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_name) {
        return None;
    }
    let value = value.replace('+', " ");
    let value = percent_decode_str(&value).decode_utf8_lossy();
    match name {
        // A URL: what stands behind its path may be anything.
        "resource" => {
            let address = value.split(['?', '#']).next().unwrap_or_default();
            Some(if address.contains('@') {
                "resource=…".to_owned()
            } else {
                format!("resource={}", harmless(address))
            })
        }
        name if SHOWN_PARAMETERS.contains(&name) => Some(format!("{name}={}", harmless(&value))),
        name => Some(format!("{name}=…")),
    }
}

/// A text as it may be stored and shown in a terminal.
fn harmless(text: &str) -> String {
    if holds_own_secret(text) {
        return REMOVED.to_owned();
    }
    // Marks that turn the direction of writing are no control characters, and could hide something.
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let text: String = text.trim().chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
