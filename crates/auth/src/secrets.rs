//! The root keys of `[secrets] keys`: where peppers (and, in time, the issuer's and the vault's
//! keys) come from. The first root key signs, the rest still verify, so a key is rotated by
//! putting a new one in front.
//!
//! The text holds one root key or more, each as `bhs_` and 43 characters of base64url (32 random
//! bytes), apart by line ends, blanks or commas; `#` begins a comment that goes to the end of
//! the line. No root key is ever used itself: each purpose has its own key derived from it
//! (HMAC-SHA256 of the purpose's name, as in the expand step of HKDF, RFC 5869 §2.3), and so has
//! the short name ([`KeyVersion`]) that is stored beside what was made with it.

mod file;
mod fingerprint;
mod issuer;
mod pepper;
mod purpose;
#[cfg(test)]
mod tests;
mod vault;

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_core::{Randomness, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use file::{LoadedKeys, SecretsWarning};
pub use fingerprint::{Fingerprint, Fingerprints};
pub use issuer::IssuerKeys;
pub use pepper::{KeyHash, Peppers};
pub use purpose::PurposeKeys;
pub use vault::{Sealed, Unopenable, Vault};

pub(crate) use issuer::IssuerKey;

/// What every root key begins with.
pub(crate) const PREFIX: &str = "bhs_";
const VERSION_PURPOSE: &str = "bridgehead/version/v1";

/// Names a root key without revealing it: 8 hexadecimal digits, derived from the key itself, so
/// that the same key has the same name wherever its line stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyVersion(Arc<str>);

impl KeyVersion {
    /// Reads the name of a root key, as a store gives it back; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let legal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 8 && text.bytes().all(legal)).then(|| Self(Arc::from(text)))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why there are no root keys to work with. No message repeats what stood in the text.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SecretsError {
    /// Something in the text is not a root key.
    #[error("{origin}:{line}: {what}")]
    Malformed {
        /// The file's name, or what else names the text.
        origin: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong and how to mend it.
        what: String,
    },
    /// There is no root key in the text.
    #[error(
        "{origin}: there is no root key in it. Each is one line, `{PREFIX}` and 43 more characters; \
         `bridgehead serve` makes such a file where there is none yet"
    )]
    Empty {
        /// The file's name, or what else names the text.
        origin: String,
    },
    /// The file cannot be read or made.
    #[error("{path}: cannot {doing} the file with the root keys: {cause}")]
    File {
        /// The file.
        path: String,
        /// What was tried: `read` or `make`.
        doing: &'static str,
        /// What the system said.
        #[source]
        cause: Arc<std::io::Error>,
    },
}

/// One root key: 32 random bytes.
#[derive(Clone)]
struct RootKey {
    bytes: [u8; 32],
    version: KeyVersion,
}

impl RootKey {
    fn new(bytes: [u8; 32]) -> Self {
        let digest = hmac_sha256(&bytes, VERSION_PURPOSE.as_bytes());
        let version: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { bytes, version: KeyVersion(version.into()) }
    }

    fn parse(token: &str) -> Result<Self, String> {
        let Some(encoded) = token.strip_prefix(PREFIX) else {
            return Err(format!(
                "this is not a root key: it has to begin with `{PREFIX}`. Put `#` before what is meant as a comment"
            ));
        };
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.map(Self::new).ok_or_else(|| {
            format!(
                "this root key is damaged: after `{PREFIX}` come 43 characters of base64url (A-Z a-z 0-9 - _), here \
                 stand {} that cannot be read. Copy it again, whole",
                encoded.chars().count()
            )
        })
    }
}

/// The root keys, at least one. `Debug` shows their names alone.
#[derive(Clone)]
pub struct RootKeys {
    first: RootKey,
    rest: Vec<RootKey>,
}

impl RootKeys {
    /// Reads root keys from text, for example from an environment variable. `origin` names the
    /// text in errors. A key that stands there twice counts once.
    ///
    /// # Errors
    /// [`SecretsError::Malformed`] with the line, or [`SecretsError::Empty`].
    pub fn parse(origin: &str, text: &str) -> Result<Self, SecretsError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default();
            let tokens = content.split(|c: char| c.is_whitespace() || c == ',').filter(|token| !token.is_empty());
            for token in tokens {
                let key = RootKey::parse(token).map_err(|what| SecretsError::Malformed {
                    origin: origin.to_owned(),
                    line: index + 1,
                    what,
                })?;
                keys.push(key);
            }
        }
        Self::from_list(keys).ok_or_else(|| SecretsError::Empty { origin: origin.to_owned() })
    }

    /// One new root key that nobody can foretell.
    #[must_use]
    pub fn generate(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0_u8; 32];
        randomness.fill(&mut bytes);
        Self { first: RootKey::new(bytes), rest: Vec::new() }
    }

    /// These keys and then those of `others`: for a configuration that names several files. The
    /// first of all signs.
    #[must_use]
    pub fn followed_by(self, others: Self) -> Self {
        let Self { first, rest } = self;
        let list = rest.into_iter().chain(std::iter::once(others.first)).chain(others.rest);
        Self { rest: distinct(&first, list), first }
    }

    /// The text of a file with these keys, comments included: what [`RootKeys::parse`] reads.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let mut text = String::from(
            "# Bridgehead's root keys. Whoever has them can check guesses at the API keys in the store; without them\n\
             # no key that was issued is accepted any more. Keep this file secret, and keep a copy of it.\n\
             # The first key signs, the rest still verify: to rotate, put a new one in front.\n",
        );
        for key in self.iter() {
            text.push_str(PREFIX);
            text.push_str(&URL_SAFE_NO_PAD.encode(key.bytes));
            text.push('\n');
        }
        Secret::new(text)
    }

    /// The names of the keys, the signing one first.
    pub fn versions(&self) -> impl Iterator<Item = &KeyVersion> {
        self.iter().map(|key| &key.version)
    }

    fn from_list(keys: Vec<RootKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        let first = keys.next()?;
        Some(Self { rest: distinct(&first, keys), first })
    }

    fn iter(&self) -> impl Iterator<Item = &RootKey> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

fn distinct(first: &RootKey, rest: impl Iterator<Item = RootKey>) -> Vec<RootKey> {
    let mut kept: Vec<RootKey> = Vec::new();
    for key in rest {
        if key.bytes != first.bytes && kept.iter().all(|other| other.bytes != key.bytes) {
            kept.push(key);
        }
    }
    kept
}

impl fmt::Debug for RootKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RootKeys").field(&self.versions().map(KeyVersion::as_str).collect::<Vec<_>>()).finish()
    }
}

/// HMAC-SHA256 (RFC 2104). A key shorter than the hash's block is filled up with zeros there
/// (§2); doing so here leaves no error to handle.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte = *key;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message);
    mac.finalize().into_bytes().into()
}
