//! The client that asks, as a person may safely see it: its name is a stranger's text, and where
//! the answer goes counts for more than what it calls itself. Judges no redirect URI: that is the
//! issuer's.

use std::fmt;

use url::{Host, Url};

/// The client that wants to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// What it calls itself.
    pub name: ClientName,
    /// What is known of who it is.
    pub identity: Identity,
}

/// What is known of who a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// It registered itself (RFC 7591): anybody can, under any name.
    SelfRegistered,
    /// Its metadata document was fetched from this host, which thereby stands for it.
    Domain {
        /// Host of the client id, in ASCII (an internationalised name as `xn--…`).
        host: String,
    },
    /// An operator of this server registered it.
    Preregistered,
}

/// How many characters of a client's name are shown.
const LONGEST_NAME: usize = 60;
/// How many marks may stand on one letter: more of them climb over the lines around.
const MARKS: usize = 2;

/// What a client calls itself, made harmless: one line of at most 60 characters, without control
/// and formatting characters (those that reorder, hide or join text among them), without private
/// characters that fonts draw as logos, without ticks and locks, and without quotation marks, since
/// the pages quote it.
/// Escaping is the template's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName(String);

impl ClientName {
    /// Takes any text. What remains empty becomes `unnamed client`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut name = String::new();
        let (mut length, mut marks, mut space) = (0, 0, false);
        // However long the text: no more of it is read than could ever be shown.
        for character in text.chars().take(LONGEST_NAME * 64) {
            if character.is_whitespace() {
                space = true;
                continue;
            }
            if is_unseen(character) || character.is_control() || is_quotation_mark(character) || is_seal(character) {
                continue;
            }
            marks = if is_mark(character) { marks + 1 } else { 0 };
            if marks > MARKS {
                continue;
            }
            if std::mem::take(&mut space) && !name.is_empty() {
                name.push(' ');
                length += 1;
            }
            if length >= LONGEST_NAME {
                name.truncate(name.trim_end().len());
                name.push('…');
                break;
            }
            name.push(character);
            length += 1;
        }
        if name.is_empty() {
            name.push_str("unnamed client");
        }
        Self(name)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is not seen but changes what is: default-ignorable code points (Unicode, UAX #44), line
/// and paragraph separators, and the private areas.
const fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{2800}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffd}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

const fn is_quotation_mark(character: char) -> bool {
    matches!(character,
        '"' | '«' | '»' | '\u{201c}'..='\u{201f}' | '\u{2039}' | '\u{203a}' | '\u{2e42}' | '\u{300c}'..='\u{300f}'
        | '\u{301d}'..='\u{301f}' | '\u{ff02}' | '\u{275d}' | '\u{275e}' | '\u{1f676}'..='\u{1f678}')
}

/// Ticks, locks and shields: signs with which pages say that something was checked.
const fn is_seal(character: char) -> bool {
    matches!(
        character,
        '\u{2611}' | '\u{26a0}' | '\u{2705}' | '\u{2713}' | '\u{2714}' | '\u{1f50f}'
            ..='\u{1f513}' | '\u{1f5f8}' | '\u{1f5f9}' | '\u{1f6e1}'
    )
}

/// Marks that stand on, under or around the letter before (the blocks of combining marks).
const fn is_mark(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Where a client's answer goes: what a person has to recognise before they allow anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A site on the internet.
    Site {
        /// Host and, unless it is the scheme's own, port; in ASCII.
        host: String,
    },
    /// A program on the person's own device that listens for it (RFC 8252 §7.3).
    Loopback {
        /// Host and port as in the redirect URI, for example `127.0.0.1:33418`.
        host: String,
    },
    /// A program on the person's own device that claimed a scheme of its own (RFC 8252 §7.1).
    App {
        /// The scheme, for example `cursor`.
        scheme: String,
    },
}

impl Destination {
    /// Reads where a redirect URI leads.
    #[must_use]
    pub fn of(redirect: &Url) -> Self {
        let scheme = redirect.scheme();
        let Some(host) = redirect.host().filter(|_| matches!(scheme, "http" | "https")) else {
            return Self::App { scheme: scheme.to_owned() };
        };
        let loopback = match &host {
            Host::Domain(name) => *name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        let host = match redirect.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        if loopback { Self::Loopback { host } } else { Self::Site { host } }
    }

    /// What is shown of it: a host, or the scheme with its colon.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Site { host } | Self::Loopback { host } => host.clone(),
            Self::App { scheme } => format!("{scheme}:"),
        }
    }

    /// Whether it is a site on the internet.
    pub(super) fn is_site(&self) -> bool {
        matches!(self, Self::Site { .. })
    }

    /// Whether the host has letters beyond ASCII, and could look like another one.
    pub(super) fn is_internationalised(&self) -> bool {
        matches!(self, Self::Site { host } if host.split('.').any(|label| label.starts_with("xn--")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned() {
        let rows = [
            ("Claude", "Claude"),
            ("  Claude \t\n Code ", "Claude Code"),
            ("", "unnamed client"),
            ("\u{202e}\u{200b} \u{0}", "unnamed client"),
            ("Du\u{200b}vo\u{202e}evil\u{2066}", "Duvoevil"),
            ("Duvo\u{1b}[31m", "Duvo[31m"),
            ("Duvo” (verified) “", "Duvo (verified)"),
            ("\"Duvo\" «by» ‹us›", "Duvo by us"),
            ("\u{f8ff} Apple", "Apple"),
            ("H\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}i", "H\u{300}\u{301}i"),
            ("\u{e0041}tag", "tag"),
            ("Duvo \u{2705} verified \u{1f512}", "Duvo verified"),
            ("プラットフォーム", "プラットフォーム"),
            ("עוזר", "עוזר"),
        ];
        for (text, name) in rows {
            assert_eq!(ClientName::new(text).as_str(), name, "{text:?}");
        }
    }

    #[test]
    fn names_are_bounded() {
        assert_eq!(ClientName::new(&"a".repeat(60)).as_str(), "a".repeat(60));
        assert_eq!(ClientName::new(&"a".repeat(61)).as_str(), format!("{}…", "a".repeat(60)));
        let long = "e\u{301}\u{200b}".repeat(1_000_000);
        assert!(ClientName::new(&long).as_str().chars().count() <= 60 * 3 + 1);
        assert_eq!(ClientName::new(&format!("{}b", "\u{200b}".repeat(1_000_000))).as_str(), "unnamed client");
    }

    #[test]
    fn destinations_say_where_it_goes() {
        let rows = [
            ("https://platform.duvo.ai/v1/oauth/mcp/callback", "platform.duvo.ai", "site"),
            ("https://platform.duvo.ai:8443/x", "platform.duvo.ai:8443", "site"),
            ("https://platform.duvo.ai@evil.example/", "evil.example", "site"),
            ("https://127.0.0.1.evil.example/", "127.0.0.1.evil.example", "site"),
            ("https://localhost.evil.example/", "localhost.evil.example", "site"),
            ("http://127.0.0.1:33418/callback", "127.0.0.1:33418", "loopback"),
            ("http://localhost/callback", "localhost", "loopback"),
            ("http://[::1]:8080/", "[::1]:8080", "loopback"),
            ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor:", "app"),
            ("com.example.app:/callback", "com.example.app:", "app"),
        ];
        for (redirect, shown, kind) in rows {
            let destination = Destination::of(&Url::parse(redirect).unwrap());
            let is = match destination {
                Destination::Site { .. } => "site",
                Destination::Loopback { .. } => "loopback",
                Destination::App { .. } => "app",
            };
            assert_eq!((destination.shown().as_str(), is), (shown, kind), "{redirect}");
        }
    }

    /// A host that only looks like a known one shows as what it is, and is remarked on.
    #[test]
    fn look_alikes_show_in_ascii() {
        let destination = Destination::of(&Url::parse("https://platform.duv\u{43e}.ai/").unwrap());
        assert!(destination.shown().contains("xn--") && destination.is_internationalised());
        assert!(!Destination::of(&Url::parse("https://platform.duvo.ai/").unwrap()).is_internationalised());
    }
}
