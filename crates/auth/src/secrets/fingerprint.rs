//! Fingerprints: keyed hashes of what a caller hands over for the system behind. They name the
//! caller where nobody else does, and stand for the value wherever something is remembered about
//! it. They are not for checking a value: that is done by the system behind.

use std::{fmt, sync::Arc};

use bridgehead_core::Secret;

use super::{RootKey, RootKeys, hmac_sha256};

const PURPOSE: &str = "bridgehead/fingerprint/v1";

/// How many bytes of a fingerprint are in a caller's name.
const NAMED_BYTES: usize = 8;

/// HMAC-SHA256 of what was handed over, under a key that only this server has. `Debug` shows the
/// caller's name alone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// What the name of every caller begins with that is made of a fingerprint.
    pub const SUBJECT_PREFIX: &'static str = "key-";

    /// The caller's name: `key-` and 16 hexadecimal digits.
    #[must_use]
    pub fn subject(&self) -> Arc<str> {
        let digits: String = self.0.iter().take(NAMED_BYTES).map(|byte| format!("{byte:02x}")).collect();
        format!("{}{digits}", Self::SUBJECT_PREFIX).into()
    }

    /// Whether a text has the form of a caller's name that is made of a fingerprint.
    #[must_use]
    pub fn is_subject(text: &str) -> bool {
        let legal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.strip_prefix(Self::SUBJECT_PREFIX)
            .is_some_and(|digits| digits.len() == NAMED_BYTES * 2 && digits.bytes().all(legal))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.subject())
    }
}

/// Makes fingerprints, under a key derived from each root key.
#[derive(Clone)]
pub struct Fingerprints {
    first: [u8; 32],
    rest: Vec<[u8; 32]>,
}

impl Fingerprints {
    /// Derives the keys.
    #[must_use]
    pub fn derive(roots: &RootKeys) -> Self {
        let derive = |root: &RootKey| hmac_sha256(&root.bytes, PURPOSE.as_bytes());
        Self { first: derive(&roots.first), rest: roots.rest.iter().map(derive).collect() }
    }

    /// The fingerprint of some headers under the first root key. Their order counts; an empty
    /// name stands for a value that is the same in whichever header it arrives.
    #[must_use]
    pub fn of<'h>(&self, headers: impl IntoIterator<Item = (&'h str, &'h Secret)>) -> Fingerprint {
        Fingerprint(hmac_sha256(&self.first, &message(headers)))
    }

    /// As [`Fingerprints::of`], under every root key, the first one first: what was remembered
    /// under an older one is found as long as that is loaded.
    #[must_use]
    pub fn all_of<'h>(&self, headers: impl IntoIterator<Item = (&'h str, &'h Secret)>) -> Vec<Fingerprint> {
        let message = message(headers);
        let keys = std::iter::once(&self.first).chain(&self.rest);
        keys.map(|key| Fingerprint(hmac_sha256(key, &message))).collect()
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprints").field("root_keys", &(self.rest.len() + 1)).finish_non_exhaustive()
    }
}

/// Names and values, each with its length before it: no two lists of headers are the same bytes.
fn message<'h>(headers: impl IntoIterator<Item = (&'h str, &'h Secret)>) -> Vec<u8> {
    let mut message = Vec::new();
    for (name, value) in headers {
        for text in [name, value.expose()] {
            // Wide enough for every length there is.
            message.extend_from_slice(&(text.len() as u64).to_be_bytes());
            message.extend_from_slice(text.as_bytes());
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    /// Who was cut off once has to stay so: names do not change.
    #[test]
    fn what_is_derived_does_not_change() {
        let roots = RootKeys::parse("test", "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
        let fingerprint = Fingerprints::derive(&roots).of([("", &secret("crm-key"))]);
        assert_eq!(&*fingerprint.subject(), "key-6a8ad40031f73821");
        assert!(Fingerprint::is_subject(&fingerprint.subject()));
    }

    #[test]
    fn other_values_names_and_borders_are_other_fingerprints() {
        let fingerprints = Fingerprints::derive(&RootKeys::generate(&Seeded::new(1)));
        let (a, ab, b, bc, c) = (secret("a"), secret("ab"), secret("b"), secret("bc"), secret("c"));
        let lists: Vec<Vec<(&str, &Secret)>> = vec![
            vec![],
            vec![("", &a)],
            vec![("x", &a)],
            vec![("x", &ab), ("y", &c)],
            vec![("x", &a), ("y", &bc)],
            vec![("xa", &b), ("y", &c)],
        ];
        let made: std::collections::HashSet<_> =
            lists.iter().map(|list| fingerprints.of(list.iter().copied())).collect();
        assert_eq!(made.len(), lists.len());
        let other = Fingerprints::derive(&RootKeys::generate(&Seeded::new(2)));
        assert_ne!(other.of([("", &a)]), fingerprints.of([("", &a)]), "nobody else can make them");
    }

    #[test]
    fn an_older_root_key_finds_its_names_again() {
        let (old, new) = (RootKeys::generate(&Seeded::new(1)), RootKeys::generate(&Seeded::new(2)));
        let value = secret("crm-key");
        let before = Fingerprints::derive(&old).of([("", &value)]);
        let rotated = Fingerprints::derive(&new.followed_by(old));
        let all = rotated.all_of([("", &value)]);
        assert_eq!(all, [rotated.of([("", &value)]), before]);
    }

    #[test]
    fn nothing_but_the_name_is_shown() {
        let fingerprints = Fingerprints::derive(&RootKeys::generate(&Seeded::new(1)));
        let fingerprint = fingerprints.of([("", &secret("hunter2"))]);
        let shown = format!("{fingerprint:?} {fingerprints:?}");
        assert_eq!(shown, format!("Fingerprint({}) Fingerprints {{ root_keys: 1, .. }}", fingerprint.subject()));
    }

    #[test]
    fn a_name_is_told_from_others() {
        for text in ["", "key-", "key-0123", "key-0123456789ABCDEF", "key-0123456789abcdefg", "alice@example.com"] {
            assert!(!Fingerprint::is_subject(text), "{text}");
        }
    }
}
