//! One way to authenticate is a [`Mode`]; those that the configuration names stand in a list
//! ([`Modes`]) and are asked in order. A mode looks at headers and at nothing else: a token in
//! the query string (RFC 6750 §2.3) is not looked at, so it never gets anybody in.

pub mod api_key;
pub mod foreign;
pub mod handed_through;
pub mod headers;
pub mod oauth;
pub mod open;

#[cfg(test)]
mod headers_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upstream_tests;

use async_trait::async_trait;
use bridgehead_core::{Caller, ScopeSet};
use http::{HeaderMap, HeaderName, HeaderValue, header};

pub use handed_through::HandedThrough;

use crate::{Denied, Malformation, RejectionKind, keys::title};

/// One way to authenticate.
#[async_trait]
pub trait Mode: Send + Sync + 'static {
    /// The word used in the configuration, logs and metrics.
    fn name(&self) -> &'static str;

    /// One sentence for a teammate who sent nothing: what to send, and in which header.
    fn asks_for(&self) -> String;

    /// What this mode adds to the challenge beside `realm`, as names and values; the quotes are
    /// put around them later. Key and header modes add nothing: a `resource_metadata` there would
    /// send clients into OAuth.
    fn challenge(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// What scopes are called where this mode's callers ask for them.
    fn asked_for_as(&self, scopes: &ScopeSet) -> ScopeSet {
        scopes.clone()
    }

    /// Says who is calling; `Ok(None)` when the request presents nothing of this mode's.
    ///
    /// # Errors
    /// [`Denied`]. What may be another mode's ([`Denied::Unrecognised`], [`Denied::Incomplete`] and
    /// whatever the system behind does not take for its own) lets the next one have a look.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Caller>, Denied>;
}

/// Nobody was let in: all that an answer needs.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// Which status it is.
    pub kind: RejectionKind,
    /// The value of `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3); always visible ASCII.
    pub www_authenticate: Option<String>,
    /// For the teammate: what is wrong and how to mend it.
    pub message: String,
    /// Why, for the log; its source is the internal cause.
    pub denied: Denied,
}

/// The modes of an endpoint, in the order in which they are asked.
pub struct Modes {
    realm: String,
    modes: Vec<Box<dyn Mode>>,
}

impl std::fmt::Debug for Modes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modes").field("realm", &self.realm).field("modes", &self.names()).finish()
    }
}

impl Modes {
    /// A list of modes. `realm` is the server's name, for the challenge. An empty list lets
    /// nobody in.
    #[must_use]
    pub fn new(realm: impl Into<String>, modes: Vec<Box<dyn Mode>>) -> Self {
        Self { realm: realm.into(), modes }
    }

    /// The names of the modes, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.modes.iter().map(|mode| mode.name()).collect()
    }

    /// What a teammate has to send, one sentence for each mode.
    #[must_use]
    pub fn asks_for(&self) -> String {
        self.modes.iter().map(|mode| mode.asks_for()).collect::<Vec<_>>().join(" Or: ")
    }

    /// Says who is calling. The first mode that knows wins; the first that refuses what was
    /// presented as its own beyond doubt ends the search. Where none knows, the refusal is told
    /// that came nearest.
    ///
    /// # Errors
    /// [`Rejection`].
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Rejection> {
        let mut nearest = Denied::Missing;
        for mode in &self.modes {
            match mode.authenticate(headers).await {
                Ok(Some(caller)) => return Ok(caller),
                Ok(None) => {}
                Err(denied) if denied.doubt().is_none() => return Err(self.reject(denied)),
                Err(denied) if denied.doubt() > nearest.doubt() => nearest = denied,
                Err(_) => {}
            }
        }
        Err(self.reject(nearest))
    }

    /// The answer to a refusal.
    #[must_use]
    pub fn reject(&self, denied: Denied) -> Rejection {
        let cause = |error: &dyn std::error::Error| error.source().map(ToString::to_string);
        match &denied {
            Denied::StoreUnavailable(error) => {
                tracing::error!(%error, cause = cause(error), "nobody can be signed in");
            }
            Denied::JudgeUnavailable(error) => {
                tracing::error!(%error, cause = cause(error), "a caller cannot be signed in");
            }
            Denied::IssuerUnavailable(error) => {
                tracing::error!(%error, "a caller cannot be signed in: look whether the issuer of [auth.oauth] is up");
            }
            _ => {}
        }
        let mut message = denied.to_string();
        // Which of several ways was meant is not known where none of them fitted.
        let unclear = self.modes.len() > 1 && denied.doubt().is_some() && denied.kind() != RejectionKind::Unavailable;
        if !self.modes.is_empty() && (unclear || matches!(denied, Denied::Missing)) {
            message.push(' ');
            message.push_str(&self.asks_for());
        }
        let kind = denied.kind();
        let www_authenticate = (kind != RejectionKind::Unavailable).then(|| self.challenge(&denied));
        Rejection { kind, www_authenticate, message, denied }
    }

    /// The value of `WWW-Authenticate` for a caller whose scopes do not suffice (RFC 6750 §3.1, 403).
    /// `needed` is all that they should ask for at once: what they have, and what is missing.
    #[must_use]
    pub fn insufficient_scope(&self, needed: &ScopeSet) -> String {
        let mut challenge = Challenge::new(&self.realm);
        for (name, value) in self.modes.iter().flat_map(|mode| mode.challenge()).filter(|(name, _)| *name != "scope") {
            challenge.add(name, &value);
        }
        challenge.add("error", "insufficient_scope");
        let named = self.modes.iter().fold(needed.clone(), |scopes, mode| mode.asked_for_as(&scopes));
        challenge.add("scope", &named.to_string());
        challenge.0
    }

    fn challenge(&self, denied: &Denied) -> String {
        let mut challenge = Challenge::new(&self.realm);
        for (name, value) in self.modes.iter().flat_map(|mode| mode.challenge()) {
            challenge.add(name, &value);
        }
        if let Some(error) = denied.error() {
            challenge.add("error", error);
            challenge.add("error_description", &denied.to_string());
        }
        challenge.0
    }
}

/// A challenge of the scheme `Bearer` (RFC 6750 §3) in the making.
struct Challenge(String);

impl Challenge {
    fn new(realm: &str) -> Self {
        Self(format!("Bearer realm={}", quoted(realm)))
    }

    fn add(&mut self, name: &str, value: &str) {
        self.0.push_str(", ");
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&quoted(value));
    }
}

/// A quoted string (RFC 9110 §5.6.4). What is not visible ASCII becomes `?`, and quotes and
/// backslashes, which RFC 6750 §3 keeps out of a description, become `'` and `/`: not every
/// client undoes an escape.
fn quoted(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|character| match character {
            '"' => '\'',
            '\\' => '/',
            ' '..='~' => character,
            _ => '?',
        })
        .collect();
    format!("\"{inner}\"")
}

/// The text of a header that may stand once; an empty one counts as none.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Denied> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(Malformation::Repeated { header: title(name.as_str()) }.into());
    }
    let text = first.map(HeaderValue::to_str).transpose();
    let text = text.map_err(|_not_ascii| Malformation::NotText { header: title(name.as_str()) })?;
    Ok(text.map(str::trim).filter(|text| !text.is_empty()))
}

/// The bearer token of a request (RFC 6750 §2.1); `None` without one, or with another scheme.
/// `prefix` is what a token of this mode begins with, to tell a teammate who left `Bearer` out.
fn bearer<'h>(headers: &'h HeaderMap, prefix: &str) -> Result<Option<&'h str>, Denied> {
    let Some(value) = single(headers, &header::AUTHORIZATION)? else { return Ok(None) };
    if value.starts_with(prefix) {
        return Err(Malformation::NoScheme.into());
    }
    let (scheme, token) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim();
    if token.is_empty() {
        return Err(Malformation::NoToken.into());
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if !token.trim_end_matches('=').bytes().all(legal) {
        return Err(Malformation::NotAToken.into());
    }
    Ok(Some(token))
}
