//! Tokens that a form carries, so that no other site can post it (CSRF): signed, bound to the browser
//! and to what the form is for, and good for a while. Nothing is stored, so a form that one replica
//! rendered can be posted to another.

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_core::{Clock, Randomness};
use jiff::{SignedDuration, Timestamp};

use super::Session;
use crate::{KeyVersion, PurposeKeys, RootKeys};

const PURPOSE: &str = "bridgehead/csrf/v1";
const NONCE_LENGTH: usize = 16;

/// How long a form may stay open before it is posted.
const LASTS: SignedDuration = SignedDuration::from_hours(1);

/// How many characters the value of a visitor's cookie has.
pub const VISITOR_LENGTH: usize = 22;

/// A value for the cookie of a browser that nobody has signed in with yet: 22 characters of
/// base64url, which nobody can foretell. It is good for nothing but binding forms to the browser.
#[must_use]
pub fn new_visitor(randomness: &dyn Randomness) -> String {
    let mut bytes = [0_u8; NONCE_LENGTH];
    randomness.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Which browser a form was rendered for.
#[derive(Clone, PartialEq, Eq)]
pub struct CsrfBinding(Binding);

#[derive(Clone, PartialEq, Eq)]
enum Binding {
    Session(Arc<str>),
    Visitor(String),
}

impl CsrfBinding {
    /// One that somebody is signed in with.
    #[must_use]
    pub fn session(session: &Session) -> Self {
        Self(Binding::Session(session.id.clone()))
    }

    /// One that has a visitor's cookie with this value; `None` for a value that [`new_visitor`]
    /// cannot have made.
    #[must_use]
    pub fn visitor(cookie: &str) -> Option<Self> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let made_here = cookie.len() == VISITOR_LENGTH && cookie.bytes().all(legal);
        made_here.then(|| Self(Binding::Visitor(cookie.to_owned())))
    }

    const fn kind(&self) -> &'static [u8] {
        match &self.0 {
            Binding::Session(_) => b"session",
            Binding::Visitor(_) => b"visitor",
        }
    }

    fn value(&self) -> &[u8] {
        match &self.0 {
            Binding::Session(id) => id.as_bytes(),
            Binding::Visitor(cookie) => cookie.as_bytes(),
        }
    }
}

impl fmt::Debug for CsrfBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Binding::Session(_) => "CsrfBinding(session)",
            Binding::Visitor(_) => "CsrfBinding(visitor)",
        })
    }
}

/// Why a form is not taken, in words for whoever posted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CsrfError {
    /// The token is missing, of another browser, of another form, or was never made here.
    #[error(
        "This form was not made for this browser, or you signed in anew since. Go back, load the page again and send it once more."
    )]
    Invalid,
    /// It was open for too long.
    #[error("This form was open for too long. Go back, load the page again and send it once more.")]
    Expired,
}

/// Makes and checks the tokens.
#[derive(Clone)]
pub struct CsrfTokens {
    keys: PurposeKeys,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for CsrfTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfTokens").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl CsrfTokens {
    /// Derives the keys.
    #[must_use]
    pub fn derive(roots: &RootKeys, clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        Self { keys: PurposeKeys::derive(roots, PURPOSE), clock, randomness }
    }

    /// A new token for one form, another each time. `purpose` is whatever must not be exchanged
    /// between rendering and posting: the name of the form, and with a consent the whole request.
    /// The text is ASCII and fits into an attribute as it is.
    #[must_use]
    pub fn issue(&self, binding: &CsrfBinding, purpose: &[&str]) -> String {
        let expires = self.clock.now().checked_add(LASTS).unwrap_or(Timestamp::MAX).as_second();
        let nonce = new_visitor(&*self.randomness);
        let expires = expires.to_string();
        let (version, signature) = self.keys.sign(&parts(&expires, &nonce, binding, purpose));
        format!("{version}.{expires}.{nonce}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Checks the token that a form came with.
    ///
    /// # Errors
    /// [`CsrfError`].
    pub fn check(&self, token: &str, binding: &CsrfBinding, purpose: &[&str]) -> Result<(), CsrfError> {
        let fields: Vec<&str> = token.splitn(4, '.').collect();
        let [version, expires, nonce, signature] = fields[..] else { return Err(CsrfError::Invalid) };
        let version = KeyVersion::parse(version).ok_or(CsrfError::Invalid)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| CsrfError::Invalid)?;
        if !self.keys.verify(&version, &parts(expires, nonce, binding, purpose), &signature) {
            return Err(CsrfError::Invalid);
        }
        let expires: i64 = expires.parse().map_err(|_| CsrfError::Invalid)?;
        if expires <= self.clock.now().as_second() { Err(CsrfError::Expired) } else { Ok(()) }
    }
}

fn parts<'a>(expires: &'a str, nonce: &'a str, binding: &'a CsrfBinding, purpose: &[&'a str]) -> Vec<&'a [u8]> {
    let fixed = [expires.as_bytes(), nonce.as_bytes(), binding.kind(), binding.value()];
    fixed.into_iter().chain(purpose.iter().map(|part| part.as_bytes())).collect()
}
