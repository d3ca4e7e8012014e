//! What is remembered between sending a browser to the provider and its coming back: sealed, in a
//! cookie of that browser, so that any replica can go on and nobody else can.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_core::{Randomness, Secret};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{KeyHash, Sealed, Vault, users::new_visitor};

/// How long somebody may take at the provider (oauth.md: 10 minutes).
pub const LASTS: Duration = Duration::from_secs(10 * 60);
/// How many bytes a cookie may have: browsers drop what is larger than 4096 with its name and attributes.
const LONGEST_COOKIE: usize = 3800;
const WHAT: &str = "sign-in at a provider";
/// How much of `state` names the cookie, so that several sign-ins may be under way.
const NAMED_BY: usize = 8;

/// One sign-in that is under way.
#[derive(Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) state: String,
    pub(super) nonce: String,
    /// `code_verifier` (RFC 7636 §4.1).
    pub(super) verifier: String,
    /// Where the person was headed.
    pub(super) next: String,
    /// In seconds since 1970.
    pub(super) expires_at: i64,
}

/// What tells the cookie of a sign-in from those of others, by the `state` that came back; `None` for
/// one that cannot have been made here.
#[must_use]
pub fn cookie_of(state: &str) -> Option<&str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let made_here = state.len() == crate::users::VISITOR_LENGTH && state.bytes().all(legal);
    made_here.then(|| state.split_at(NAMED_BY).0)
}

impl Attempt {
    pub(super) fn begin(next: &str, now: Timestamp, randomness: &dyn Randomness) -> Self {
        let mut verifier = [0; 32];
        randomness.fill(&mut verifier);
        Self {
            state: new_visitor(randomness),
            nonce: new_visitor(randomness),
            verifier: URL_SAFE_NO_PAD.encode(verifier),
            next: next.to_owned(),
            expires_at: now.saturating_add(LASTS).unwrap_or(Timestamp::MAX).as_second(),
        }
    }

    /// `code_challenge` of the method S256 (RFC 7636 §4.2).
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.verifier))
    }

    /// The cookie's value; `None` where it would be too long for one.
    pub(super) fn seal(&self, vault: &Vault, randomness: &dyn Randomness) -> Option<Secret> {
        let clear = serde_json::to_vec(self).ok()?;
        let text = URL_SAFE_NO_PAD.encode(vault.seal(WHAT, &clear, randomness).as_bytes());
        (text.len() <= LONGEST_COOKIE).then(|| Secret::new(text))
    }

    /// The attempt in a cookie, if it is the one that this `state` is of.
    pub(super) fn open(cookie: &str, state: &str, vault: &Vault) -> Option<Self> {
        let sealed = Sealed::new(URL_SAFE_NO_PAD.decode(cookie).ok()?);
        let attempt: Self = serde_json::from_slice(&vault.open(WHAT, &sealed).ok()?).ok()?;
        (attempt.state == state).then_some(attempt)
    }

    /// Names its use.
    pub(super) fn used(&self) -> KeyHash {
        let mut hash = Sha256::new();
        hash.update(WHAT);
        hash.update([0]);
        hash.update(&self.state);
        KeyHash::new(hash.finalize().into())
    }
}
