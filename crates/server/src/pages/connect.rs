//! The connect page (P1): what this server is, exactly what to enter in Duvo and in other clients for each
//! way to sign in that it has, and its tools for whoever may see them.

use askama::Template;
use bridgehead_core::Effect;
use bridgehead_lint::Grade;
use url::{Host, Url};

use super::{
    Scripts, Site, ToolList, View,
    duvo::{self, ClientRegistration, DUVO_MENU, DuvoEntry, ForeignRegistration, ValuesFrom},
    guides::{self, Guide},
    paths, tools,
};

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
    /// What each teammate enters or connects for systems behind.
    pub vaults: Vec<VaultLine>,
    /// Who is looking.
    pub visitor: Visitor,
    /// Whether teammates can make API keys for themselves in their account.
    pub own_keys: bool,
    /// The tools, where the reader may see them.
    pub tools: Option<ToolList>,
}

/// Who looks at the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visitor {
    /// Anybody: nobody signs in on the pages of this server.
    Anybody,
    /// Somebody who has not signed in.
    SignedOut,
    /// A teammate.
    Teammate {
        /// Their mail address.
        address: String,
    },
}

/// From where the address can be reached, as far as the address tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From outside, over HTTPS.
    Public,
    /// From this machine alone, or without TLS: no platform can.
    Local,
}

impl Reach {
    /// A platform calls from the internet, over HTTPS.
    #[must_use]
    pub fn of(public_url: &Url) -> Self {
        let loopback = match public_url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => true,
        };
        if public_url.scheme() == "https" && !loopback { Self::Public } else { Self::Local }
    }
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

/// A system behind, for which each teammate has a credential of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultLine {
    /// What people call the system.
    pub title: String,
    /// Where they enter it, on this server.
    pub path: String,
}

/// The script of the page, which puts a button beside each value to copy it. The page says all it has to say
/// without it.
pub const COPY_SCRIPT: &str = include_str!("../../templates/copy.js");

impl Connect {
    fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    fn duvo(&self) -> Vec<DuvoEntry> {
        duvo::duvo(&self.ways_in, self.own_keys)
    }

    /// The entry, where there is but one.
    const fn only<'e>(&self, entries: &'e [DuvoEntry]) -> Option<&'e DuvoEntry> {
        match entries {
            [entry] => Some(entry),
            _ => None,
        }
    }

    fn guides(&self) -> Vec<Guide> {
        guides::all(self)
    }

    /// Whether the reader would see tools if they signed in.
    fn asks_to_sign_in(&self) -> bool {
        self.tools.is_none() && self.visitor == Visitor::SignedOut
    }
}

impl View for Connect {
    fn scripts(&self) -> Scripts {
        Scripts::Own
    }
}
