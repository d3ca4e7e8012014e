//! Peppers: what a stored hash needs beside the secret, and the store does not have.

use std::fmt;

use bridgehead_core::Secret;
use subtle::ConstantTimeEq;

use super::{KeyVersion, RootKey, RootKeys, hmac_sha256};

const PURPOSE: &str = "bridgehead/pepper/v1";

/// HMAC-SHA256 of a key's text under a pepper. Compared in constant time; `Debug` shows nothing.
#[derive(Clone, Copy, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Takes the 32 bytes of a hash, as a store gives them back.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes, for a store.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for KeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

/// The peppers under which keys are hashed, one derived from each root key. Whoever has the
/// store without them cannot even check a guess.
#[derive(Clone)]
pub struct Peppers {
    first: Pepper,
    rest: Vec<Pepper>,
}

#[derive(Clone)]
struct Pepper {
    version: KeyVersion,
    bytes: [u8; 32],
}

impl Pepper {
    fn derive(root: &RootKey) -> Self {
        Self { version: root.version.clone(), bytes: hmac_sha256(&root.bytes, PURPOSE.as_bytes()) }
    }
}

impl Peppers {
    /// Derives the peppers.
    #[must_use]
    pub fn derive(roots: &RootKeys) -> Self {
        Self { first: Pepper::derive(&roots.first), rest: roots.rest.iter().map(Pepper::derive).collect() }
    }

    /// Hashes a secret under the first pepper: for what is stored from now on.
    #[must_use]
    pub fn hash(&self, secret: &Secret) -> (KeyVersion, KeyHash) {
        (self.first.version.clone(), hash(&self.first, secret))
    }

    /// Hashes a secret under the pepper of that name; `None` when its root key is not loaded.
    #[must_use]
    pub fn hash_under(&self, version: &KeyVersion, secret: &Secret) -> Option<KeyHash> {
        self.iter().find(|pepper| pepper.version == *version).map(|pepper| hash(pepper, secret))
    }

    /// Whether the root key of that name is loaded.
    #[must_use]
    pub fn knows(&self, version: &KeyVersion) -> bool {
        self.iter().any(|pepper| pepper.version == *version)
    }

    fn iter(&self) -> impl Iterator<Item = &Pepper> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl fmt::Debug for Peppers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peppers").field(&self.iter().map(|pepper| pepper.version.as_str()).collect::<Vec<_>>()).finish()
    }
}

fn hash(pepper: &Pepper, secret: &Secret) -> KeyHash {
    KeyHash::new(hmac_sha256(&pepper.bytes, secret.expose().as_bytes()))
}
