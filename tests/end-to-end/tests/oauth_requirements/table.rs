//! The requirements, and what was tried of each.

use std::fmt::Debug;

/// Id and words of every requirement and threat. The ids begin with their section: `R` resource server,
/// `M` metadata, `A` authorize, `T` token, `C` client registration, `X` threats.
pub(crate) const REQUIREMENTS: &[(&str, &str)] = &[
    (
        "R1",
        "Without oauth among the modes: no resource_metadata, and a JSON 404 at the well-known places; side by side, keys are told from tokens",
    ),
    (
        "R2",
        "401 with resource_metadata and scope; bare without credentials, invalid_token for a bad one, 403 insufficient_scope with all scopes, 400 for a malformed one",
    ),
    (
        "R3",
        "The first challenge and scopes_supported name all scopes that the tools need; initial_scopes narrows the challenge and a request without scope",
    ),
    ("R4", "An anonymous initialize, server/discover or tools/list is 401"),
    ("R5", "Protected resource metadata at three places, JSON, CORS *, the exact resource, no offline_access"),
    (
        "R6",
        "A token for another resource is refused; a token in the query is; the client's token never goes to the system behind",
    ),
    ("R7", "Public URLs come from the configuration, never from Host; /mcp and /mcp/ answer without a redirect"),
    ("R8", "An authenticated GET is 405 with Allow; an anonymous one is 401"),
    ("R9", "Nothing but JSON under /.well-known/; unknown names there are a JSON 404"),
    ("M1", "One document at every place of the authorization server's metadata; the issuer is the bare origin"),
    ("M2", "S256, code, iss, metadata documents and the ways in which clients prove themselves are advertised"),
    (
        "M3",
        "offline_access in the authorization server's metadata only; a refresh token for whoever registered that grant type",
    ),
    ("A1", "PKCE with S256 for every client"),
    ("A2", "redirect_uri is compared as it is written, except the port of loopback addresses"),
    (
        "A3",
        "An unknown client, a bad redirect URI and every error before a person acted are a page here; Deny is access_denied at the client",
    ),
    ("A4", "iss on success and on error; repeated parameters are refused; unknown ones and unknown scopes are ignored"),
    (
        "A5",
        "resource: absent and the origin with and without / mean the endpoint, another is invalid_target, and the audience is the exact URL",
    ),
    (
        "A6",
        "The consent page: a token for each render, no frames, the redirect's host, self-registered clients marked, hostile names harmless, no remote logo, loopback warned of, never skipped",
    ),
    ("A7", "No form-action on the form that ends at the client"),
    (
        "A8",
        "Login: 303, Referrer-Policy same-origin, a new session each time, __Host- cookies and plain ones on http loopback, the same answer for unknown people, the first one by a link",
    ),
    ("T1", "Form-encoded in, JSON and no-store out, invalid_client is 401; all is checked before the code is used up"),
    (
        "T2",
        "Codes live 60 seconds and once; a replay revokes what came of it; access tokens live 15 minutes, refresh tokens 30 days from each use with an end",
    ),
    (
        "T3",
        "Refresh tokens rotate, racing holders get the same one, a later reuse revokes the family; scope may narrow and never widen, and is always told",
    ),
    ("T4", "Revocation and introspection; what is revoked is refused at once"),
    (
        "C1",
        "201, no-store, all metadata echoed, client_secret_expires_at with each secret, client_secret_basic by default, no secret with none",
    ),
    (
        "C2",
        "registration_client_uri: GET and DELETE work with that registration's own token, PUT is refused with a reason; refresh_token among the grant types",
    ),
    ("C3", "One bad redirect among good ones refuses all; schemes of editors are allowed"),
    (
        "C4",
        "Registration is limited per address, ids differ, an unused one lives 30 days, one with a live grant or an open flow stays",
    ),
    (
        "C5",
        "Metadata documents: https with a path, checked as text, 200 only, 5 KB, public addresses, kept copies, no errors kept, no secrets",
    ),
    ("C6", "Clients that the operator makes, with a preset for Duvo; nobody else where registration is closed"),
    ("X1", "code injection and replay"),
    ("X2", "mix-up"),
    ("X3", "redirect tricks and open redirects"),
    ("X4", "registration floods"),
    ("X5", "look-alike names on the consent page"),
    ("X6", "refresh theft and refresh race"),
    ("X7", "brute force and credential stuffing"),
    ("X8", "CSRF and clickjacking"),
    ("X9", "session fixation"),
    ("X10", "SSRF by metadata documents and key sets"),
    ("X11", "timing of key comparison: what differs by time would differ by answer as well"),
    ("X12", "secrets in logs, URLs and panics"),
    ("X13", "DNS rebinding"),
    ("X14", "algorithm confusion in client assertions"),
    ("X15", "key rotation"),
    ("X16", "token passthrough"),
    ("X17", "cached answers crossing callers"),
    ("X18", "slow and oversized requests"),
];

/// The sections, by the letter of their ids.
const SECTIONS: &[(char, &str)] = &[
    ('R', "Resource server"),
    ('M', "Metadata"),
    ('A', "Authorize"),
    ('T', "Token"),
    ('C', "Registration"),
    ('X', "Threats"),
];

/// One thing that was tried.
struct Row {
    id: &'static str,
    fault: Option<String>,
}

/// What was tried, and what came of it.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    broken: Vec<String>,
}

impl Table {
    /// One request and the exact answer.
    pub(crate) fn is<A: Debug + PartialEq<E>, E: Debug>(
        &mut self,
        id: &'static str,
        what: &str,
        actual: A,
        expected: E,
    ) {
        let fault =
            (actual != expected).then(|| format!("{id}: {what}\n  expected {expected:?}\n  is       {actual:?}"));
        self.add(id, fault);
    }

    /// Something that holds of an answer.
    pub(crate) fn holds(&mut self, id: &'static str, what: &str, holds: bool, shown: &str) {
        self.add(id, (!holds).then(|| format!("{id}: {what}\n  {shown}")));
    }

    /// A text that stands in an answer.
    pub(crate) fn says(&mut self, id: &'static str, what: &str, text: &str, part: &str) {
        self.holds(id, what, text.contains(part), &format!("{part:?} is not in {text:?}"));
    }

    fn add(&mut self, id: &'static str, fault: Option<String>) {
        assert!(REQUIREMENTS.iter().any(|(other, _)| *other == id), "{id} is no requirement");
        self.rows.push(Row { id, fault });
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn rows_of(&self, id: &str) -> usize {
        self.rows.iter().filter(|row| row.id == id).count()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.rows.iter().filter_map(|row| row.fault.clone()).chain(self.broken.clone()).collect()
    }

    /// The rest of a section could not be tried.
    pub(crate) fn broke_off(&mut self, section: &str) {
        let last = self.rows.last().map_or("-", |row| row.id);
        self.broken.push(format!("the section {section} broke off after a row of {last}"));
    }

    /// The lines of README.md.
    pub(crate) fn counts(&self) -> Vec<String> {
        let count = |letter: char| {
            let requirements = REQUIREMENTS.iter().filter(|(id, _)| id.starts_with(letter)).count();
            (requirements, self.rows.iter().filter(|row| row.id.starts_with(letter)).count())
        };
        let line = |name: &str, (requirements, rows): (usize, usize)| format!("| {name} | {requirements} | {rows} |");
        let mut lines: Vec<_> = SECTIONS.iter().map(|(letter, name)| line(name, count(*letter))).collect();
        lines.push(line("all", (REQUIREMENTS.len(), self.rows())));
        lines
    }
}
