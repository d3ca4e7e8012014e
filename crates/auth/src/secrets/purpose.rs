//! Keys for one purpose each: what is signed with them is checked here again, by whichever replica
//! has the same root keys.

use std::fmt;

use subtle::ConstantTimeEq;

use super::{KeyVersion, RootKeys, hmac_sha256};

/// Signs and checks for one purpose, under a key derived from each root key: the first signs, the
/// rest still verify. `Debug` shows the purpose and the root keys' names alone.
#[derive(Clone)]
pub struct PurposeKeys {
    purpose: &'static str,
    first: (KeyVersion, [u8; 32]),
    rest: Vec<(KeyVersion, [u8; 32])>,
}

impl PurposeKeys {
    /// Derives the keys. A purpose is named once for ever: `bridgehead/NAME/v1`.
    #[must_use]
    pub fn derive(roots: &RootKeys, purpose: &'static str) -> Self {
        let derive = |root: &super::RootKey| (root.version.clone(), hmac_sha256(&root.bytes, purpose.as_bytes()));
        Self { purpose, first: derive(&roots.first), rest: roots.rest.iter().map(derive).collect() }
    }

    /// HMAC-SHA256 of the parts under the first key, and the name of its root key. Where one part
    /// ends and the next begins counts.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> (KeyVersion, [u8; 32]) {
        let (version, key) = &self.first;
        (version.clone(), hmac_sha256(key, &message(parts)))
    }

    /// As [`PurposeKeys::sign`], under the key that comes from the root key of that name; `None`
    /// when it is not loaded.
    #[must_use]
    pub fn sign_under(&self, version: &KeyVersion, parts: &[&[u8]]) -> Option<[u8; 32]> {
        let mut keys = std::iter::once(&self.first).chain(&self.rest);
        keys.find(|(name, _)| name == version).map(|(_, key)| hmac_sha256(key, &message(parts)))
    }

    /// Whether the parts were signed under the root key of that name, in constant time.
    #[must_use]
    pub fn verify(&self, version: &KeyVersion, parts: &[&[u8]], signature: &[u8]) -> bool {
        self.sign_under(version, parts).is_some_and(|made| made.ct_eq(signature).into())
    }
}

impl fmt::Debug for PurposeKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions = std::iter::once(&self.first).chain(&self.rest).map(|(version, _)| version.as_str());
        f.debug_tuple("PurposeKeys").field(&self.purpose).field(&versions.collect::<Vec<_>>()).finish()
    }
}

/// The parts, each with its length before it: no two lists are the same bytes.
fn message(parts: &[&[u8]]) -> Vec<u8> {
    let mut message = Vec::new();
    for part in parts {
        // Wide enough for every length there is.
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    #[test]
    fn what_was_signed_is_known_after_a_rotation_and_for_no_other_purpose() {
        let (old, new) = (RootKeys::generate(&Seeded::new(1)), RootKeys::generate(&Seeded::new(2)));
        let before = PurposeKeys::derive(&old, "bridgehead/test/v1");
        let (version, signature) = before.sign(&[b"ab", b"c"]);
        let rotated = PurposeKeys::derive(&new.clone().followed_by(old.clone()), "bridgehead/test/v1");
        assert!(rotated.verify(&version, &[b"ab", b"c"], &signature));
        assert_ne!(rotated.sign(&[b"ab", b"c"]).0, version, "the new one signs");
        for other in [&[b"a".as_slice(), b"bc"][..], &[b"abc"], &[b"ab", b"c", b""], &[]] {
            assert!(!rotated.verify(&version, other, &signature), "{other:?}");
        }
        assert!(!rotated.verify(&version, &[b"ab", b"c"], &signature[..31]));
        let elsewhere = PurposeKeys::derive(&old, "bridgehead/else/v1");
        assert!(!elsewhere.verify(&version, &[b"ab", b"c"], &signature));
        assert_eq!(PurposeKeys::derive(&new, "bridgehead/test/v1").sign_under(&version, &[b"ab", b"c"]), None);
        assert_eq!(format!("{before:?}"), format!("PurposeKeys(\"bridgehead/test/v1\", [\"{version}\"])"));
    }
}
