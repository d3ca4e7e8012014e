//! What names an answer: everything that can make a difference to it, hashed. Two calls share a key only
//! where all of it is the same, letter by letter; what is left out here, callers could see of each other.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::CacheKey;
use crate::{Caller, Claims};

/// What an answer depends on, put together part by part. Each part is hashed with its length, so that
/// none can pass for another one.
pub(crate) struct Material(Sha256);

impl Material {
    pub(crate) fn new(purpose: &str) -> Self {
        Self(Sha256::new()).with(purpose)
    }

    pub(crate) fn with(mut self, part: impl AsRef<[u8]>) -> Self {
        let part = part.as_ref();
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
        self
    }

    /// A value by its canonical form: members in order of their names. Numbers count as they are
    /// written, so that no two integers are taken for each other, as RFC 8785 would beyond ±2^53.
    pub(crate) fn with_json(self, mut value: Value) -> Self {
        value.sort_all_objects();
        self.with(value.to_string())
    }

    /// See [`caller_digest`].
    fn with_caller(self, caller: &Caller) -> Self {
        let Caller { subject, scopes, sign_in, presented, claims } = caller;
        let this = self.with(sign_in.mode()).with(&**subject).with(scopes.to_string()).with_claims(claims);
        let this = this.with(presented.iter().count().to_be_bytes());
        presented.iter().fold(this, |this, (name, value)| this.with(name).with(value.expose()))
    }

    fn with_claims(self, claims: &Claims) -> Self {
        self.with_json(Value::Object(claims.as_map().clone()))
    }

    pub(crate) fn key(self) -> CacheKey {
        CacheKey(self.digest())
    }

    pub(crate) fn digest(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Stands for all that is known of a caller and all that they handed over: what a system behind may be shown.
/// Claims count whole, so a new token is a new start; which of them a tool looks at is not known here.
pub(crate) fn caller_digest(caller: &Caller) -> [u8; 32] {
    Material::new("bridgehead caller/1").with_caller(caller).digest()
}

/// A digest of one value.
pub(crate) fn digest(purpose: &str, value: Value) -> [u8; 32] {
    Material::new(purpose).with_json(value).digest()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Secret;

    #[test]
    fn parts_cannot_pass_for_each_other() {
        let of = |parts: &[&str]| parts.iter().fold(Material::new("t"), |material, part| material.with(part)).key();
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }

    #[test]
    fn the_order_of_members_makes_no_difference_and_every_digit_does() {
        let of = |text: &str| Material::new("t").with_json(serde_json::from_str(text).unwrap()).key();
        assert_eq!(of(r#"{"a": 1, "b": {"c": 2, "d": 3}}"#), of(r#"{"b": {"d": 3, "c": 2}, "a": 1}"#));
        assert_ne!(of(r#"{"a": 9007199254740993}"#), of(r#"{"a": 9007199254740992}"#));
        assert_ne!(of(r#"{"a": [1, 2]}"#), of(r#"{"a": [2, 1]}"#));
        assert_ne!(of(r#"{"a": "1"}"#), of(r#"{"a": 1}"#));
    }

    /// H2: whatever tells two callers apart tells their answers apart.
    #[test]
    fn everything_of_a_caller_makes_a_difference() {
        let claims = |value: Value| Claims::new(value.as_object().unwrap().clone());
        let alice = Caller { subject: "alice".into(), ..Caller::anonymous() };
        let with = |header: &str, value: &str| {
            let presented = alice.presented.clone().with(header, Secret::new(value.to_owned()));
            Caller { presented, ..alice.clone() }
        };
        let callers = [
            alice.clone(),
            Caller { subject: "bob".into(), ..alice.clone() },
            Caller { scopes: crate::ScopeSet::parse("tools:read").unwrap(), ..alice.clone() },
            Caller { sign_in: crate::SignIn::Local, ..alice.clone() },
            Caller { claims: claims(json!({"team": "north"})), ..alice.clone() },
            Caller { claims: claims(json!({"team": "south"})), ..alice.clone() },
            with("x-api-key", "one"),
            with("x-api-key", "two"),
            with("x-tenant", "one"),
        ];
        let keys: std::collections::BTreeSet<_> = callers.iter().map(caller_digest).collect();
        assert_eq!(keys.len(), callers.len());
    }
}
