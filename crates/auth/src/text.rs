//! What the secrets look like that are made here: a prefix that says which kind it is, 12
//! characters of id, `_`, 32 characters of secret, and 6 characters of checksum. The prefix lets
//! scanners find a leaked one, the id finds its record without revealing it, and the checksum tells
//! a damaged copy from an unknown one without a look at the store. Whether one was ever issued is
//! not known here.

use std::{fmt, sync::Arc};

use bridgehead_core::{Randomness, Secret};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(crate) const ID_LENGTH: usize = 12;
const SECRET_LENGTH: usize = 32;
const CHECKSUM_LENGTH: usize = 6;

/// The kinds of secrets that are made here. Root keys have a form of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// An API key: `bhk_`.
    ApiKey,
    /// An access token: `bha_`.
    AccessToken,
    /// A refresh token: `bhr_`.
    RefreshToken,
    /// An authorization code: `bhc_`.
    AuthorizationCode,
    /// The secret of an OAuth client: `bhx_`.
    ClientSecret,
    /// What reads and removes a client's registration (RFC 7592): `bhg_`.
    RegistrationToken,
    /// A link that works once: `bhl_`.
    OneTimeLink,
    /// A browser session: `bhw_`.
    Session,
}

impl SecretKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ApiKey,
        Self::AccessToken,
        Self::RefreshToken,
        Self::AuthorizationCode,
        Self::ClientSecret,
        Self::RegistrationToken,
        Self::OneTimeLink,
        Self::Session,
    ];

    /// What every one of this kind begins with: three letters and `_`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "bhk_",
            Self::AccessToken => "bha_",
            Self::RefreshToken => "bhr_",
            Self::AuthorizationCode => "bhc_",
            Self::ClientSecret => "bhx_",
            Self::RegistrationToken => "bhg_",
            Self::OneTimeLink => "bhl_",
            Self::Session => "bhw_",
        }
    }
}

/// Why a text is not a secret of the kind that is asked for. It never says what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretTextError {
    /// It does not begin as this kind does, so it is something else.
    #[error("it begins as something else does")]
    OtherKind,
    /// It begins as this kind does, but characters are missing, added or wrong.
    #[error("it was not copied whole, or mistyped")]
    Damaged,
}

/// The whole text of a secret, well formed and with the right checksum. `Debug` shows kind and id
/// alone.
#[derive(Clone)]
pub struct SecretText {
    kind: SecretKind,
    id: Arc<str>,
    text: Secret,
}

impl SecretText {
    /// How many characters (and bytes) each has.
    pub const LENGTH: usize = 4 + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

    /// Reads a secret of this kind.
    ///
    /// # Errors
    /// [`SecretTextError`].
    pub fn parse(kind: SecretKind, text: &str) -> Result<Self, SecretTextError> {
        let rest = text.strip_prefix(kind.prefix()).ok_or(SecretTextError::OtherKind)?;
        let well_formed = || {
            if text.len() != Self::LENGTH {
                return None;
            }
            let (id, tail) = rest.split_once('_')?;
            let (body, checksum) = text.split_at_checked(Self::LENGTH - CHECKSUM_LENGTH)?;
            (is_id(id) && is_base62(tail) && self::checksum(body) == checksum).then(|| Arc::from(id))
        };
        let id = well_formed().ok_or(SecretTextError::Damaged)?;
        Ok(Self { kind, id, text: Secret::new(text.to_owned()) })
    }

    /// A new secret that nobody can foretell: every character of id and secret is equally likely.
    #[must_use]
    pub fn generate(kind: SecretKind, randomness: &dyn Randomness) -> Self {
        Self::put_together(kind, random_id(randomness), &random_base62(randomness, SECRET_LENGTH))
    }

    /// The secret with this id whose other characters are derived from `bytes`: the same bytes give
    /// the same text, and whoever cannot foretell the bytes cannot foretell the text. `None` where
    /// the id is not 12 characters of `0-9A-Za-z`.
    #[must_use]
    pub fn derived(kind: SecretKind, id: &str, bytes: &[u8; 32]) -> Option<Self> {
        is_id(id).then(|| Self::put_together(kind, Arc::from(id), &base62(*bytes)))
    }

    fn put_together(kind: SecretKind, id: Arc<str>, secret: &str) -> Self {
        let mut text = format!("{}{id}_{secret}", kind.prefix());
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self { kind, id, text: Secret::new(text) }
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        self.kind
    }

    /// The public part: 12 characters of `0-9A-Za-z` (71 bits).
    #[must_use]
    pub const fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The whole text.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretText").field("kind", &self.kind).field("id", &self.id).finish_non_exhaustive()
    }
}

/// A new id that does not meet another by chance: 12 characters of `0-9A-Za-z`.
#[must_use]
pub(crate) fn random_id(randomness: &dyn Randomness) -> Arc<str> {
    random_base62(randomness, ID_LENGTH).into()
}

/// Whether a text is 12 characters of `0-9A-Za-z`.
#[must_use]
pub(crate) fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && is_base62(text)
}

fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn digit(value: u32) -> Option<char> {
    ALPHABET.get(usize::try_from(value).ok()?).copied().map(char::from)
}

/// CRC-32 (IEEE) in base 62, most significant first; 62^6 is larger than 2^32.
fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = Vec::with_capacity(CHECKSUM_LENGTH);
    for _ in 0..CHECKSUM_LENGTH {
        digits.extend(digit(rest % 62));
        rest /= 62;
    }
    digits.iter().rev().collect()
}

/// Six bits decide on a character; 62 and 63 are thrown away, so that none is more likely than
/// another.
fn random_base62(randomness: &dyn Randomness, length: usize) -> String {
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        randomness.fill(&mut bytes);
        text.extend(bytes.iter().filter_map(|byte| digit(u32::from(byte & 0x3f))).take(length - text.len()));
    }
    text
}

/// The bytes that a text was derived from, where they are below 62^32 as one number; `None` for a text
/// that no 32 bytes give.
#[must_use]
pub(crate) fn underived(text: &SecretText) -> Option<[u8; 32]> {
    let digits = text.text.expose().get(4 + ID_LENGTH + 1..SecretText::LENGTH - CHECKSUM_LENGTH)?;
    let mut bytes = [0_u8; 32];
    for digit in digits.bytes() {
        let mut carry = u32::try_from(ALPHABET.iter().position(|one| *one == digit)?).ok()?;
        for byte in bytes.iter_mut().rev() {
            let value = u32::from(*byte) * 62 + carry;
            // The low eight bits of it; the rest is carried.
            *byte = u8::try_from(value & 0xff).ok()?;
            carry = value >> 8;
        }
    }
    Some(bytes)
}

/// The last [`SECRET_LENGTH`] digits of the bytes, taken as one big-endian number, in base 62. That
/// number is so much larger than 62^32 that no text is noticeably more likely than another.
fn base62(mut bytes: [u8; 32]) -> String {
    let mut digits = Vec::with_capacity(SECRET_LENGTH);
    for _ in 0..SECRET_LENGTH {
        let mut remainder = 0_u32;
        for byte in &mut bytes {
            let value = remainder * 256 + u32::from(*byte);
            // Below 256, since the remainder is below 62.
            *byte = u8::try_from(value / 62).unwrap_or_default();
            remainder = value % 62;
        }
        digits.extend(digit(remainder));
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use bridgehead_core::OsRandomness;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_kind_reads_back_as_itself_and_as_no_other() {
        let prefixes: BTreeSet<_> = SecretKind::ALL.into_iter().map(SecretKind::prefix).collect();
        assert_eq!(prefixes.len(), SecretKind::ALL.len());
        for kind in SecretKind::ALL {
            let made = SecretText::generate(kind, &OsRandomness);
            let text = made.secret().expose();
            assert!(text.starts_with(kind.prefix()) && text.len() == SecretText::LENGTH, "{kind:?}");
            for other in SecretKind::ALL {
                match SecretText::parse(other, text) {
                    Ok(read) => assert!(other == kind && read.id() == made.id() && read.secret() == made.secret()),
                    Err(error) => assert!(other != kind && error == SecretTextError::OtherKind),
                }
            }
        }
    }

    /// A successor that two replicas derive has to be the same text, today and after an update.
    #[test]
    fn what_is_derived_does_not_change() {
        let bytes = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let one = SecretText::derived(SecretKind::RefreshToken, "0123456789AB", &bytes).unwrap();
        assert_eq!(one.secret().expose(), "bhr_0123456789AB_jlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf2TrFN4");
        let low = SecretText::derived(SecretKind::RefreshToken, "0123456789AB", &{
            let mut bytes = [0; 32];
            bytes[31] = 63;
            bytes
        });
        assert!(low.unwrap().secret().expose().contains("_00000000000000000000000000000011"));
        for id in ["", "0123456789A", "0123456789ABC", "0123456789A_"] {
            assert!(SecretText::derived(SecretKind::RefreshToken, id, &bytes).is_none(), "{id}");
        }
    }

    #[test]
    fn debug_shows_kind_and_id_and_nothing_else() {
        let made = SecretText::generate(SecretKind::Session, &OsRandomness);
        assert_eq!(format!("{made:?}"), format!("SecretText {{ kind: Session, id: {:?}, .. }}", made.id()));
    }

    #[test]
    fn every_character_of_the_alphabet_comes_up_equally_often() {
        let mut seen = BTreeMap::<char, u32>::new();
        for character in random_base62(&OsRandomness, 62_000).chars() {
            *seen.entry(character).or_default() += 1;
        }
        assert_eq!(seen.len(), 62);
        assert!(seen.values().all(|count| (700..1_300).contains(count)), "{seen:?}");
    }

    proptest! {
        #[test]
        fn every_derived_text_reads_back(bytes in any::<[u8; 32]>()) {
            let derived = SecretText::derived(SecretKind::RefreshToken, "abcdefghijkl", &bytes).unwrap();
            let read = SecretText::parse(SecretKind::RefreshToken, derived.secret().expose()).unwrap();
            prop_assert_eq!(&**read.id(), "abcdefghijkl");
        }

        #[test]
        fn other_bytes_are_another_text(one in any::<[u8; 32]>(), other in any::<[u8; 32]>()) {
            prop_assume!(one != other);
            prop_assert_ne!(base62(one), base62(other));
        }
    }
}
