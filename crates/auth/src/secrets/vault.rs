//! The vault: seals what has to be kept and read again (private keys, credentials of an ACME
//! account), so that whoever has the store without the root keys has nothing. What need only be
//! compared is hashed instead ([`super::Peppers`]).

use std::fmt;

use bridgehead_core::Randomness;
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};

use super::{KeyVersion, RootKey, RootKeys, hmac_sha256};

const PURPOSE: &str = "bridgehead/vault/v1";
/// What sealed bytes begin with.
const FORMAT: u8 = 1;
const VERSION_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;

/// Sealed bytes: `1`, the name of the root key (8 bytes), a nonce (24), and what was sealed under
/// XChaCha20-Poly1305 with its tag. `Debug` shows the length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes sealed bytes, as a store gives them back.
    #[must_use]
    pub const fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes, for a store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name of the root key that it was sealed under; `None` where it is damaged.
    #[must_use]
    pub fn root_key(&self) -> Option<KeyVersion> {
        let name = self.0.get(1..=VERSION_BYTES)?;
        std::str::from_utf8(name).ok().and_then(KeyVersion::parse)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Why something cannot be read again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unopenable {
    /// The root key that it was sealed under is not loaded.
    #[error("it was sealed under the root key {}, which is not among secrets.keys any more", .0.as_str())]
    NoKey(KeyVersion),
    /// It was changed, is cut short, or was sealed as something else.
    #[error("it is damaged, or was not sealed as what it is read as")]
    Damaged,
    /// It was sealed by a newer version.
    #[error("it was sealed by a newer version of Bridgehead")]
    Newer,
}

/// Seals and opens, under a key derived from each root key. The first one seals.
#[derive(Clone)]
pub struct Vault {
    first: Key,
    rest: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    version: KeyVersion,
    cipher: XChaCha20Poly1305,
}

impl Key {
    fn derive(root: &RootKey) -> Self {
        let key = hmac_sha256(&root.bytes, PURPOSE.as_bytes());
        Self { version: root.version.clone(), cipher: XChaCha20Poly1305::new(&key.into()) }
    }
}

impl Vault {
    /// Derives the keys.
    #[must_use]
    pub fn derive(roots: &RootKeys) -> Self {
        Self { first: Key::derive(&roots.first), rest: roots.rest.iter().map(Key::derive).collect() }
    }

    /// The name of the root key that seals.
    #[must_use]
    pub const fn first_root_key(&self) -> &KeyVersion {
        &self.first.version
    }

    /// Seals `clear` as `what`, which has to be said again to open it: `acme account/https://…`, so
    /// that one thing cannot be put in the place of another.
    #[must_use]
    pub fn seal(&self, what: &str, clear: &[u8], randomness: &dyn Randomness) -> Sealed {
        // As long as this, random nonces do not repeat (draft-irtf-cfrg-xchacha §3.1).
        let mut nonce = [0_u8; NONCE_BYTES];
        randomness.fill(&mut nonce);
        let mut sealed = vec![FORMAT];
        sealed.extend_from_slice(self.first.version.as_str().as_bytes());
        let payload = Payload { msg: clear, aad: &bound_to(&sealed, what) };
        // Fails for more than 256 GiB alone, and opening says so of what was not sealed.
        let body = self.first.cipher.encrypt(&nonce.into(), payload).unwrap_or_default();
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Sealed(sealed)
    }

    /// Opens what was sealed as `what`.
    ///
    /// # Errors
    /// [`Unopenable`].
    pub fn open(&self, what: &str, sealed: &Sealed) -> Result<Vec<u8>, Unopenable> {
        let (head, rest) = sealed.0.split_at_checked(1 + VERSION_BYTES).ok_or(Unopenable::Damaged)?;
        let (format, version) = head.split_first().ok_or(Unopenable::Damaged)?;
        if *format != FORMAT {
            return Err(if *format > FORMAT { Unopenable::Newer } else { Unopenable::Damaged });
        }
        let version = std::str::from_utf8(version).ok().and_then(KeyVersion::parse).ok_or(Unopenable::Damaged)?;
        let (nonce, body) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(Unopenable::Damaged)?;
        let mut keys = std::iter::once(&self.first).chain(&self.rest);
        let key = keys.find(|key| key.version == version).ok_or(Unopenable::NoKey(version))?;
        let payload = Payload { msg: body, aad: &bound_to(head, what) };
        key.cipher.decrypt(&(*nonce).into(), payload).map_err(|_| Unopenable::Damaged)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("root_keys", &(self.rest.len() + 1)).finish_non_exhaustive()
    }
}

fn bound_to(head: &[u8], what: &str) -> Vec<u8> {
    [head, what.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    const CLEAR: &[u8] = b"-----BEGIN PRIVATE KEY-----";

    fn contains(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn what_is_sealed_opens_as_what_it_is_and_shows_nothing() {
        let randomness = Seeded::new(1);
        let vault = Vault::derive(&RootKeys::generate(&randomness));
        let sealed = vault.seal("key of a.example", CLEAR, &randomness);
        assert_eq!(vault.open("key of a.example", &sealed).unwrap(), CLEAR);
        assert_eq!(vault.open("key of b.example", &sealed), Err(Unopenable::Damaged));
        assert!(!contains(sealed.as_bytes(), b"PRIVATE"));
        assert_ne!(vault.seal("key of a.example", CLEAR, &randomness), sealed, "each time under a new nonce");
        assert_eq!(vault.open("nothing", &vault.seal("nothing", b"", &randomness)).unwrap(), b"");
        let shown = format!("{vault:?} {sealed:?}");
        assert_eq!(shown, format!("Vault {{ root_keys: 1, .. }} Sealed({} bytes)", 1 + 8 + 24 + CLEAR.len() + 16));
    }

    /// What lies in stores has to be read by every version to come.
    #[test]
    fn what_was_sealed_once_can_always_be_opened() {
        let roots = RootKeys::parse("test", "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
        let sealed = Vault::derive(&roots).seal("a", b"b", &Seeded::new(7));
        let digits: String = sealed.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            digits,
            "01636436376665306614d71c02cbda11f6fe6169eb2c4e30e6f8afc735f82fcd9d585e3fe2f7779d87722d678457a0cbb044"
        );
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let randomness = Seeded::new(1);
        let vault = Vault::derive(&RootKeys::generate(&randomness));
        let sealed = vault.seal("what", CLEAR, &randomness);
        for index in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[index] ^= 1;
            assert!(vault.open("what", &changed).is_err(), "byte {index}");
            assert!(vault.open("what", &Sealed::new(sealed.0[..index].to_vec())).is_err(), "cut at {index}");
        }
        let mut newer = sealed;
        newer.0[0] = FORMAT + 1;
        assert_eq!(vault.open("what", &newer), Err(Unopenable::Newer));
    }

    #[test]
    fn a_rotated_root_key_still_opens_and_a_lost_one_is_named() {
        let randomness = Seeded::new(1);
        let (old, new) = (RootKeys::generate(&randomness), RootKeys::generate(&randomness));
        let version = old.versions().next().unwrap().clone();
        let sealed = Vault::derive(&old).seal("what", CLEAR, &randomness);
        let rotated = Vault::derive(&new.clone().followed_by(old));
        assert_eq!(rotated.open("what", &sealed).unwrap(), CLEAR);
        assert_eq!((sealed.root_key().as_ref(), rotated.first_root_key() == &version), (Some(&version), false));
        let lost = Vault::derive(&new);
        assert_eq!(lost.open("what", &sealed), Err(Unopenable::NoKey(version)));
        let sealed_anew = rotated.seal("what", CLEAR, &randomness);
        assert_eq!(lost.open("what", &sealed_anew).unwrap(), CLEAR, "the first key seals");
        assert_eq!(sealed_anew.root_key().as_ref(), Some(rotated.first_root_key()));
        assert_eq!(Sealed::new(b"\x01short".to_vec()).root_key(), None);
    }
}
