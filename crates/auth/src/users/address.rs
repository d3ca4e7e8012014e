//! The mail address by which a user is known. It is checked for its form; whether anybody reads
//! mail there is not.

use std::{fmt, str::FromStr, sync::Arc};

const LONGEST: usize = 254;
const LONGEST_LOCAL_PART: usize = 64;
const LONGEST_LABEL: usize = 63;

/// A mail address in lower case: a dot-atom of ASCII, `@`, and a host name (RFC 5321 §4.1.2 without
/// quoted parts and address literals). Letters beyond ASCII are refused, since two that look alike
/// would be two users.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailAddress(Arc<str>);

/// A text that is no mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is not a mail address: write it like alice@example.com, with plain letters, digits and .-_+, and at most \
     {LONGEST} characters"
)]
pub struct MailAddressError;

impl MailAddress {
    /// Reads an address; blanks around it are left away, and its letters become lower case.
    ///
    /// # Errors
    /// The text is no mail address.
    pub fn parse(text: &str) -> Result<Self, MailAddressError> {
        let text = text.trim();
        let legal = |(local, host): (&str, &str)| text.len() <= LONGEST && is_local_part(local) && is_host(host);
        if text.split_once('@').is_some_and(legal) {
            Ok(Self(text.to_ascii_lowercase().into()))
        } else {
            Err(MailAddressError)
        }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address as shared text: the subject of whoever signs in with it.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

fn is_local_part(text: &str) -> bool {
    let atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    text.len() <= LONGEST_LOCAL_PART && text.split('.').all(atom)
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split('.').all(label)
}

impl FromStr for MailAddress {
    type Err = MailAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_is_one_address() {
        for (text, address) in [
            ("alice@example.com", "alice@example.com"),
            (" Alice@Example.COM\n", "alice@example.com"),
            ("a.b+c_d-e@mail.example.co.uk", "a.b+c_d-e@mail.example.co.uk"),
            ("you@localhost", "you@localhost"),
            ("O'Brien@xn--bcher-kva.example", "o'brien@xn--bcher-kva.example"),
        ] {
            assert_eq!(MailAddress::parse(text).unwrap().as_str(), address);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longer = format!("alice@{}example.com", "a.".repeat(125));
        for text in [
            "",
            "@",
            "alice",
            "alice@",
            "@example.com",
            "a@b@c",
            "al ice@example.com",
            "alice@exa mple.com",
            "alice@example..com",
            "alice@.example.com",
            "alice@example.com.",
            ".a@example.com",
            "a..b@example.com",
            "alice@-example.com",
            "\"a\"@example.com",
            "alice@[127.0.0.1]",
            "аlice@example.com",
            "alice@exämple.com",
            "alice@example.com\0",
            "alice@exa_mple.com",
            "<alice@example.com>",
            &long,
            &longer,
        ] {
            assert!(MailAddress::parse(text).is_err(), "{text:?}");
        }
    }
}
