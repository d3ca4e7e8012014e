//! The key that a caller gives, what it is valid for, and what makes two calls the same one.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::ClaimToken;
use crate::{EffectId, EndpointId};

/// How many characters a key may have.
pub const LONGEST_KEY: usize = 255;

/// Integers beyond it have neighbours that JSON's numbers cannot tell apart (RFC 7493 §2.2).
const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// Names one intended effect in the caller's words: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(Arc<str>);

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not 1 to 255 visible ASCII characters without blanks. Use a UUID")]
pub struct IdempotencyKeyError;

impl IdempotencyKey {
    /// Reads a key.
    ///
    /// # Errors
    /// It is empty, too long, or has other characters.
    pub fn parse(text: &str) -> Result<Self, IdempotencyKeyError> {
        if (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(Arc::from(text)))
        } else {
            Err(IdempotencyKeyError)
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whose key it is and for what. The same key of another caller, or for another tool, names another
/// effect. How the caller signed in does not count: a teammate who signs in anew and repeats a call
/// is the same teammate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectOrigin {
    /// Through which endpoint.
    pub endpoint: EndpointId,
    /// Who calls.
    pub subject: Arc<str>,
    /// The tool's address, `SOURCE.TOOL`.
    pub tool: Arc<str>,
}

impl EffectOrigin {
    /// The id of the effect that `key` names here: SHA-256 of origin and key, each with its length.
    #[must_use]
    pub fn effect(&self, key: &IdempotencyKey) -> EffectId {
        self.id(b"bridgehead/effect/v1", key.as_str())
    }

    /// The id of the record behind the handle of a call without a key: it follows from the one claim on it, so
    /// that the record says by itself that it has none.
    #[must_use]
    pub fn handle(&self, claim: &ClaimToken) -> EffectId {
        self.id(b"bridgehead/handle/v1", claim.as_str())
    }

    fn id(&self, of: &[u8], name: &str) -> EffectId {
        let mut hash = Sha256::new();
        hash.update(of);
        for part in [self.endpoint.as_str(), &self.subject, &self.tool, name] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        EffectId::from_digest(&hash.finalize().into())
    }
}

/// SHA-256 of the arguments as canonical JSON (RFC 8785): the order of members and the way numbers
/// are written do not count.
#[must_use]
pub fn arguments_digest(arguments: &Map<String, Value>) -> [u8; 32] {
    let exact = exact(&Value::Object(arguments.clone()));
    // JSON values are finite numbers and maps with text keys: there is nothing to fail.
    let canonical = serde_json_canonicalizer::to_vec(&exact).unwrap_or_default();
    Sha256::digest(canonical).into()
}

/// Integers that a double cannot hold as text, as RFC 8785 appendix D advises: else two neighbours
/// would be the same argument.
fn exact(value: &Value) -> Value {
    match value {
        Value::Number(number) => {
            let inexact = number.as_i64().map(i64::unsigned_abs).or(number.as_u64()).filter(|n| *n > LARGEST_EXACT);
            inexact.map_or_else(|| value.clone(), |_| number.to_string().into())
        }
        Value::Array(list) => list.iter().map(exact).collect(),
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), exact(value))).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(arguments: &Value) -> [u8; 32] {
        arguments_digest(arguments.as_object().unwrap())
    }

    fn origin(endpoint: &str, subject: &str, tool: &str) -> EffectOrigin {
        EffectOrigin { endpoint: EndpointId::parse(endpoint).unwrap(), subject: subject.into(), tool: tool.into() }
    }

    /// D5: the same arguments, however they are written, are the same call; others are another.
    #[test]
    fn arguments_are_the_same_whatever_their_order_and_form() {
        let one = json!({"b": [1, {"y": null, "x": "é"}], "a": 1.0, "\u{10000}": 1e3, "\u{fffd}": 0});
        let same = json!({"\u{fffd}": -0.0, "\u{10000}": 1000, "a": 1, "b": [1.0, {"x": "é", "y": null}]});
        assert_eq!(digest(&one), digest(&same));
        for other in [
            json!({"b": [1, {"y": null}], "a": 1}),
            json!({"b": [{"y": null, "x": "é"}, 1], "a": 1}),
            json!({"n": 9_007_199_254_740_993_u64}),
            json!({"n": 9_007_199_254_740_992_u64}),
            json!({"n": -9_007_199_254_740_993_i64}),
            json!({"n": "9007199254740993 "}),
            json!({}),
        ] {
            assert_eq!(digest(&other), digest(&other.clone()));
            assert_ne!(digest(&one), digest(&other), "{other}");
        }
        assert_ne!(
            digest(&json!({"n": 9_007_199_254_740_993_u64})),
            digest(&json!({"n": 9_007_199_254_740_992_u64})),
            "neighbours that a double cannot tell apart are apart"
        );
    }

    /// The canonical form is that of RFC 8785: a digest that is kept is good for the next version.
    #[test]
    fn the_canonical_form_stays() {
        let canonical = serde_json_canonicalizer::to_string(&exact(&json!({
            "z": 1e21, "e": 4.50, "\r": "\u{20ac}$\u{f}\nA'\"\\", "big": u64::MAX,
        })));
        assert_eq!(
            canonical.unwrap(),
            "{\"\\r\":\"\u{20ac}$\\u000f\\nA'\\\"\\\\\",\"big\":\"18446744073709551615\",\"e\":4.5,\"z\":1e+21}"
        );
    }

    /// D5: a key is one caller's, for one tool of one endpoint.
    #[test]
    fn a_key_names_another_effect_elsewhere() {
        let key = IdempotencyKey::parse("k").unwrap();
        let here = origin("main", "alice", "crm.create");
        let id = here.effect(&key);
        assert_eq!(id, origin("main", "alice", "crm.create").effect(&key));
        for other in [
            origin("other", "alice", "crm.create"),
            origin("main", "bob", "crm.create"),
            origin("main", "alice", "crm.delete"),
            origin("main", "alic", "ecrm.create"),
        ] {
            assert_ne!(other.effect(&key), id, "{other:?}");
        }
        assert_ne!(here.effect(&IdempotencyKey::parse("K").unwrap()), id);
        assert_ne!(here.handle(&ClaimToken::new("k")), id, "no key names the handle of a call without one");
    }

    #[test]
    fn keys_are_short_and_visible() {
        for good in ["k", "0b0c3e8e-3ab5-4f2e-9d3f-1f0c8f6f7a10", &"x".repeat(255)] {
            assert_eq!(IdempotencyKey::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "é", "a\n", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(bad).is_err(), "{bad:?}");
        }
    }
}
