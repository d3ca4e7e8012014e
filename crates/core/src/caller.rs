//! Who is calling: the subject, what they may do and how they signed in.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Secret;

/// A set of OAuth scope tokens (RFC 6749 §3.3). Order does not matter; printing is sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(BTreeSet<String>);

/// Why a scope could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope: a scope is one word of visible ASCII characters without \" and \\, for example tools:read"
)]
pub struct ScopeError(pub String);

impl ScopeSet {
    /// Reads scope tokens separated by spaces.
    ///
    /// # Errors
    /// A token with a character that RFC 6749 §3.3 does not allow.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        text.split_ascii_whitespace().map(Self::token).collect::<Result<_, _>>().map(Self)
    }

    fn token(token: &str) -> Result<String, ScopeError> {
        let legal = |b: u8| b == 0x21 || (0x23..=0x5b).contains(&b) || (0x5d..=0x7e).contains(&b);
        if !token.is_empty() && token.bytes().all(legal) {
            Ok(token.to_owned())
        } else {
            Err(ScopeError(token.to_owned()))
        }
    }

    /// The two scopes that all tools need unless they name others.
    #[must_use]
    pub fn read_and_write() -> Self {
        Self(["tools:read", "tools:write"].into_iter().map(str::to_owned).collect())
    }

    /// Whether this set grants `scope`. `tools:write` implies `tools:read`.
    #[must_use]
    pub fn grants(&self, scope: &str) -> bool {
        self.0.contains(scope) || (scope == "tools:read" && self.0.contains("tools:write"))
    }

    /// What both sets grant.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let granted_by = |one: &Self, scope: &&String| one.grants(scope);
        let here = self.0.iter().filter(|scope| granted_by(other, scope));
        let there = other.0.iter().filter(|scope| granted_by(self, scope));
        Self(here.chain(there).cloned().collect())
    }

    /// Adds one scope token.
    ///
    /// # Errors
    /// As [`ScopeSet::parse`].
    pub fn insert(&mut self, scope: &str) -> Result<(), ScopeError> {
        self.0.insert(Self::token(scope)?);
        Ok(())
    }

    /// The tokens in sorted order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether no scope is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

/// How a caller proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// Nobody was asked (`auth.mode = "open"`).
    Open,
    /// A key issued by Bridgehead; the id names the key without revealing it.
    IssuedKey {
        /// Public part of the key.
        key_id: Arc<str>,
    },
    /// A key of the system behind, handed through and judged there.
    UpstreamKey,
    /// Header values, issued here or handed through.
    Headers,
    /// An access token that the built-in authorization server issued.
    OAuth {
        /// The client that acts for the teammate.
        client_id: Arc<str>,
        /// What the teammate allowed it, as `bridgehead grants list` shows it.
        grant_id: Arc<str>,
    },
    /// An access token that an authorization server of the company's issued.
    ForeignOAuth {
        /// The client that acts for the teammate, where the token names it.
        client_id: Option<Arc<str>>,
    },
    /// A call from the operator's own shell (`bridgehead call`), which no mode judged.
    Local,
}

impl SignIn {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn mode(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::IssuedKey { .. } | Self::UpstreamKey => "api_key",
            Self::Headers => "headers",
            Self::OAuth { .. } | Self::ForeignOAuth { .. } => "oauth",
            Self::Local => "local",
        }
    }
}

/// What a caller handed over for the system behind: header names in lower case, and their values.
/// `Debug` shows the names alone. Reaches only those sources whose credential is the caller's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presented(BTreeMap<String, Secret>);

impl Presented {
    /// Adds a header; a second value of the same name takes the place of the first.
    #[must_use]
    pub fn with(mut self, header: &str, value: Secret) -> Self {
        self.0.insert(header.to_ascii_lowercase(), value);
        self
    }

    /// The headers, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether nothing was handed over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What whoever signed the caller in says of them beside their name: the claims of an access or ID
/// token (RFC 7519 §4), by claim name. Empty where the mode knows no more than a name. `Debug` shows
/// the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims(Arc<Map<String, Value>>);

impl Claims {
    /// Takes claims that were verified.
    #[must_use]
    pub fn new(claims: Map<String, Value>) -> Self {
        Self(Arc::new(claims))
    }

    /// The claim of that name; `None` also for one that is `null`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// All of them, by name.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claims").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The teammate, as the mode knows them: usually a mail address.
    pub subject: Arc<str>,
    /// What they may do.
    pub scopes: ScopeSet,
    /// How they signed in.
    pub sign_in: SignIn,
    /// What they handed over for the system behind.
    pub presented: Presented,
    /// What is known of them beside their name.
    pub claims: Claims,
}

impl Caller {
    /// The caller of a server without authentication: everybody is this one.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            subject: Arc::from("anonymous"),
            scopes: ScopeSet::read_and_write(),
            sign_in: SignIn::Open,
            presented: Presented::default(),
            claims: Claims::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn write_implies_read_and_nothing_else() {
        let scopes = ScopeSet::parse("tools:write").unwrap();
        assert!(scopes.grants("tools:read") && scopes.grants("tools:write") && !scopes.grants("admin"));
        assert!(!ScopeSet::parse("tools:read").unwrap().grants("tools:write"));
    }

    #[test]
    fn common_is_what_both_grant() {
        let rows = [
            ("tools:read tools:write", "tools:write", "tools:read tools:write"),
            ("tools:write", "tools:read", "tools:read"),
            ("tools:read a", "tools:read b", "tools:read"),
            ("a", "b", ""),
            ("", "tools:write", ""),
        ];
        for (one, other, common) in rows {
            let (one, other) = (ScopeSet::parse(one).unwrap(), ScopeSet::parse(other).unwrap());
            assert_eq!(one.common(&other).to_string(), common);
            assert_eq!(other.common(&one).to_string(), common);
        }
    }

    #[test]
    fn scopes_print_sorted_and_refuse_quotes() {
        assert_eq!(ScopeSet::parse("b  a b").unwrap().to_string(), "a b");
        assert_eq!(ScopeSet::parse("a\"b").unwrap_err(), ScopeError("a\"b".into()));
    }
}
