//! What a password has to be, and the form in which one is kept.

use std::{fmt, sync::Arc};

use bridgehead_core::Secret;

use super::MailAddress;

/// How many characters a password has at least.
pub const SHORTEST_PASSWORD: usize = 12;
/// How many bytes a password has at most.
pub const LONGEST_PASSWORD: usize = 1024;

/// Why a password is not taken, in words for the person who chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Too short.
    #[error(
        "A password has at least {SHORTEST_PASSWORD} characters, of any kind. A few words in a row are easy to remember."
    )]
    TooShort,
    /// Too long.
    #[error("A password has at most {LONGEST_PASSWORD} bytes. Choose a shorter one.")]
    TooLong,
    /// The first thing that somebody else would try.
    #[error("Your mail address is the first thing that somebody else would try. Choose another password.")]
    IsAddress,
    /// One character, again and again.
    #[error("One character again and again is soon guessed. Choose another password.")]
    Monotonous,
}

/// Length, and not the first thing that comes to mind: rules on which characters have to be in it
/// make passwords worse (NIST SP 800-63B §5.1.1.2).
///
/// # Errors
/// [`PasswordFault`].
pub fn check_password(password: &Secret, address: &MailAddress) -> Result<(), PasswordFault> {
    let text = password.expose();
    if text.len() > LONGEST_PASSWORD {
        return Err(PasswordFault::TooLong);
    }
    if text.chars().count() < SHORTEST_PASSWORD {
        return Err(PasswordFault::TooShort);
    }
    if text.trim().eq_ignore_ascii_case(address.as_str()) {
        return Err(PasswordFault::IsAddress);
    }
    let mut characters = text.chars();
    let first = characters.next();
    if characters.all(|other| Some(other) == first) {
        return Err(PasswordFault::Monotonous);
    }
    Ok(())
}

/// The hash of a password with all that is needed to check it: a PHC string
/// (`$argon2id$v=19$m=…,t=…,p=…$SALT$HASH`). `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Arc<str>);

impl PasswordHash {
    /// Takes a PHC string, as a store gives it back. Whether it is one comes out when it is used.
    #[must_use]
    pub fn new(phc: &str) -> Self {
        Self(phc.into())
    }

    /// The PHC string, for a store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_and_no_kind_of_character_is_asked_for() {
        let address = MailAddress::parse("alice@example.com").unwrap();
        let check = |text: &str| check_password(&Secret::new(text.to_owned()), &address);
        for good in
            ["correct horse", "aaaaaaaaaaab", "            b", "ёлка зелёная", "000000000001", &"ab".repeat(512)]
        {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, fault) in [
            ("", PasswordFault::TooShort),
            ("elevenchars", PasswordFault::TooShort),
            ("ёлкаёлкаёлк", PasswordFault::TooShort),
            (&"ab".repeat(513), PasswordFault::TooLong),
            (" Alice@Example.com", PasswordFault::IsAddress),
            ("ааааааааааааааа", PasswordFault::Monotonous),
        ] {
            assert_eq!(check(bad), Err(fault), "{bad}");
        }
    }
}
