//! The keys with which the issuer derives refresh tokens, one from each root key. Not for hashing
//! what is stored: that is what peppers are for.

use std::fmt;

use super::{KeyVersion, RootKey, RootKeys, hmac_sha256};

const PURPOSE: &str = "bridgehead/issuer/v1";

/// Derives what every replica has to come to by itself. `Debug` shows the keys' names alone.
#[derive(Clone)]
pub struct IssuerKeys {
    first: IssuerKey,
    rest: Vec<IssuerKey>,
}

#[derive(Clone)]
pub(crate) struct IssuerKey {
    version: KeyVersion,
    bytes: [u8; 32],
}

impl IssuerKey {
    fn derive(root: &RootKey) -> Self {
        Self { version: root.version.clone(), bytes: hmac_sha256(&root.bytes, PURPOSE.as_bytes()) }
    }

    /// Which root key it comes from.
    pub(crate) const fn version(&self) -> &KeyVersion {
        &self.version
    }

    /// HMAC-SHA256 of some parts, each with its length before it: no two lists of parts are the
    /// same bytes.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut message = Vec::new();
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part);
        }
        hmac_sha256(&self.bytes, &message)
    }
}

impl IssuerKeys {
    /// Derives the keys.
    #[must_use]
    pub fn derive(roots: &RootKeys) -> Self {
        Self { first: IssuerKey::derive(&roots.first), rest: roots.rest.iter().map(IssuerKey::derive).collect() }
    }

    /// The one that derives from now on.
    pub(crate) const fn first(&self) -> &IssuerKey {
        &self.first
    }

    /// The one of that name; `None` when its root key is not loaded.
    pub(crate) fn named(&self, version: &KeyVersion) -> Option<&IssuerKey> {
        self.iter().find(|key| key.version == *version)
    }

    /// All of them, the first one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &IssuerKey> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("IssuerKeys").field(&self.iter().map(|key| key.version.as_str()).collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    /// Replicas of different releases have to come to the same tokens.
    #[test]
    fn what_is_derived_does_not_change() {
        let roots = RootKeys::parse("test", "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
        let keys = IssuerKeys::derive(&roots);
        assert_eq!(format!("{keys:?}"), "IssuerKeys([\"cd67fe0f\"])");
        let mac = keys.first().mac(&[b"family", b"generation"]);
        assert_eq!(URL_SAFE_NO_PAD.encode(mac), "7iOUwW6-xpYjA7QrEGtbuKdT9tw-RW5xNUg-ntb9W7E");
        assert_ne!(mac, keys.first().mac(&[b"familygeneration"]));
        assert!(keys.named(keys.first().version()).is_some());
        assert!(keys.named(&KeyVersion::parse("00000000").unwrap()).is_none());
    }
}
