//! Consent: who asks, where the answer goes, as whom, and what it would be allowed to do.

use askama::Template;
use bridgehead_core::Secret;

use super::{Client, Destination, Forms, Identity, LocalPath, Site, View, paths};

/// The page on which a teammate allows or denies a client.
///
/// Fields of the form, posted to [`paths::CONSENT`]: hidden `query` and `csrf`, `scope` once for
/// each ticked box, and `decision` (`allow` or `deny`) by the pressed button. Reading is part of
/// every grant and has no box; it is not among the posted scopes.
#[derive(Debug, Clone, Template)]
#[template(path = "consent.html")]
pub struct Consent {
    /// The server.
    pub site: Site,
    /// Who asks.
    pub client: Client,
    /// Where the answer goes.
    pub destination: Destination,
    /// As whom they are signed in: a mail address.
    pub user: String,
    /// The page on which somebody else signs in and comes back here.
    pub other_user: LocalPath,
    /// What they may grant beside reading, in the order it is shown.
    pub optional: Vec<OptionalScope>,
    /// What they have not entered or connected yet for systems behind.
    pub missing: Vec<MissingCredential>,
    /// The authorization request's query, as it came; the form hands it back.
    pub query: String,
    /// The form's token.
    pub csrf: Secret,
}

/// Something that calls in the teammate's name will need, and that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingCredential {
    /// What people call the system behind.
    pub title: String,
    /// The page on which it is entered, from which they come back here.
    pub page: LocalPath,
}

/// A scope that the teammate may leave out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalScope {
    /// The scope's token, for example `tools:write`.
    pub scope: String,
    /// Whether the box is ticked when the page opens.
    pub ticked: bool,
}

impl OptionalScope {
    /// Whether this is the scope of the tools that change something.
    fn is_write(&self) -> bool {
        self.scope == "tools:write"
    }
}

impl View for Consent {
    fn forms(&self) -> Forms {
        Forms::MayLeave
    }
}
