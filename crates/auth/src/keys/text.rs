//! What a key looks like: a [`SecretText`] that begins with `bhk_`. Its id names it in listings and
//! logs without revealing it.

use std::{fmt, str::FromStr, sync::Arc};

use bridgehead_core::{Randomness, Secret};

use crate::text::{self, ID_LENGTH, SecretKind, SecretText, SecretTextError};

const PREFIX: &str = SecretKind::ApiKey.prefix();

/// The public part of a key: 12 characters of `0-9A-Za-z` (71 bits).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

/// A text that cannot be the id of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key's id is {ID_LENGTH} letters and digits, as `bridgehead keys list` shows it")]
pub struct KeyIdError;

impl KeyId {
    /// Reads an id.
    ///
    /// # Errors
    /// The text is not 12 characters of `0-9A-Za-z`.
    pub fn parse(text: &str) -> Result<Self, KeyIdError> {
        if text::is_id(text) { Ok(Self(Arc::from(text))) } else { Err(KeyIdError) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as shared text.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl FromStr for KeyId {
    type Err = KeyIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The whole text of a key, well formed and with the right checksum. Whether it was ever issued
/// is another question. `Debug` shows the id alone.
#[derive(Clone)]
pub struct KeyText {
    id: KeyId,
    text: Secret,
}

/// Why a text is not a key. It never says what the text was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// It does not begin as a key does, so it is something else.
    #[error("not a key: keys begin with {PREFIX}")]
    NotAKey,
    /// It begins as a key does, but characters are missing, added or wrong.
    #[error("a damaged key: it was not copied whole, or mistyped")]
    Damaged,
}

impl KeyText {
    /// What every key begins with.
    pub const PREFIX: &'static str = PREFIX;

    /// How many characters (and bytes) a key has.
    pub const LENGTH: usize = SecretText::LENGTH;

    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyTextError`].
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        match SecretText::parse(SecretKind::ApiKey, text) {
            Ok(text) => Ok(Self::of(&text)),
            Err(SecretTextError::OtherKind) => Err(KeyTextError::NotAKey),
            Err(SecretTextError::Damaged) => Err(KeyTextError::Damaged),
        }
    }

    /// A new key that nobody can foretell: every character of id and secret is equally likely.
    #[must_use]
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self::of(&SecretText::generate(SecretKind::ApiKey, randomness))
    }

    fn of(text: &SecretText) -> Self {
        Self { id: KeyId(text.id().clone()), text: text.secret().clone() }
    }

    /// The public part.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// The whole text, as the teammate enters it.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.text
    }
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyText").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bridgehead_core::OsRandomness;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_generated_key_reads_back() {
        let key = KeyText::generate(&OsRandomness);
        let text = key.secret().expose();
        assert_eq!(text.len(), 55);
        assert_eq!(text.len(), KeyText::LENGTH);
        let again = KeyText::parse(text).unwrap();
        assert_eq!(again.id(), key.id());
        assert_eq!(again.secret(), key.secret());
        assert_ne!(KeyText::generate(&OsRandomness).id(), key.id());
    }

    /// The format is a promise: a key that was issued once has to be read for ever.
    #[test]
    fn the_format_does_not_change() {
        let text = "bhk_0123456789AB_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef2DVmS2";
        assert_eq!(KeyText::parse(text).unwrap().id().as_str(), "0123456789AB");
    }

    #[test]
    fn debug_shows_the_id_and_nothing_else() {
        let key = KeyText::generate(&OsRandomness);
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id().as_str()));
        let secret = &key.secret().expose()[PREFIX.len() + ID_LENGTH + 1..];
        assert!(!shown.contains(secret));
    }

    /// A source of randomness that repeats what it is given.
    struct Given(Vec<u8>);

    impl Randomness for Given {
        fn fill(&self, bytes: &mut [u8]) {
            for (byte, given) in bytes.iter_mut().zip(self.0.iter().cycle()) {
                *byte = *given;
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,80}") {
            let _ = KeyText::parse(&text);
            let _ = KeyText::parse(&format!("{PREFIX}{text}"));
            let _ = KeyId::parse(&text);
        }

        #[test]
        fn what_parses_has_the_form(text in "bhk_[0-9A-Za-z_]{0,60}") {
            match KeyText::parse(&text) {
                Ok(key) => {
                    prop_assert_eq!(key.secret().expose(), &text);
                    prop_assert_eq!(text.len(), KeyText::LENGTH);
                }
                Err(error) => prop_assert_eq!(error, KeyTextError::Damaged),
            }
        }

        #[test]
        fn every_generated_key_reads_back(mut bytes in proptest::collection::vec(any::<u8>(), 1..64)) {
            bytes.push(0);
            let key = KeyText::generate(&Given(bytes));
            prop_assert!(KeyText::parse(key.secret().expose()).is_ok());
        }

        /// A wrong character, wherever it stands, is found without asking the store.
        #[test]
        fn one_wrong_character_is_found(bytes in proptest::collection::vec(0_u8..62, 64), at in 0_usize..55, to in any::<char>()) {
            let key = KeyText::generate(&Given(bytes));
            let mut characters: Vec<char> = key.secret().expose().chars().collect();
            prop_assume!(characters[at] != to);
            characters[at] = to;
            prop_assert!(KeyText::parse(&characters.iter().collect::<String>()).is_err());
        }

        #[test]
        fn a_piece_of_a_key_is_not_a_key(bytes in proptest::collection::vec(0_u8..62, 64), length in 0_usize..55) {
            let key = KeyText::generate(&Given(bytes));
            prop_assert!(KeyText::parse(&key.secret().expose()[..length]).is_err());
        }
    }
}
