//! What a statement may know of who calls: their name, and what whoever signed them in says of them.
//! No argument has a word in it, and what is not known is refused rather than left out: a NULL in the
//! place of a team would open, or hide, rows by chance.

use std::{borrow::Cow, fmt, str::FromStr};

use bridgehead_core::{CallError, Caller, Refusal, SignIn, schema::Schema};
use serde_json::Value;

use super::{
    arguments::{self, Bound},
    settings::{CallerParameter, Parameter},
};
use crate::parameter::type_words;

/// Something that is known of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallerValue {
    /// `caller.subject`: the teammate, as their sign-in names them.
    Subject,
    /// `caller.claims.…`: a claim, by the names on the way to it. Never empty.
    Claim(Vec<String>),
}

/// A text that names nothing that is known of callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("names nothing that is known of a caller")]
pub struct CallerValueError;

impl FromStr for CallerValue {
    type Err = CallerValueError;

    /// `caller.subject`; `caller.claims.realm_access.roles`, with dots between names; or, for names
    /// with dots in them, `caller.claims` and a JSON Pointer (RFC 6901):
    /// `caller.claims/https:~1~1example.com~1team`.
    fn from_str(text: &str) -> Result<Self, CallerValueError> {
        if text == "caller.subject" {
            return Ok(Self::Subject);
        }
        let path = text.strip_prefix("caller.claims").ok_or(CallerValueError)?;
        let names: Vec<String> = match path.split_at_checked(1) {
            Some((".", dotted)) => dotted.split('.').map(str::to_owned).collect(),
            Some(("/", pointer)) => pointer.split('/').map(unescaped).collect::<Option<_>>().ok_or(CallerValueError)?,
            _ => return Err(CallerValueError),
        };
        if names.iter().any(String::is_empty) { Err(CallerValueError) } else { Ok(Self::Claim(names)) }
    }
}

/// One name of a JSON Pointer (RFC 6901 §4).
fn unescaped(name: &str) -> Option<String> {
    let escapes = name.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    escapes.then(|| name.replace("~1", "/").replace("~0", "~"))
}

impl fmt::Display for CallerValue {
    /// The claim, with dots between the names; `sub` for the subject, as in a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject => f.write_str("sub"),
            Self::Claim(names) => f.write_str(&names.join(".")),
        }
    }
}

impl CallerValue {
    /// The value for this caller.
    ///
    /// # Errors
    /// [`Refusal::LacksClaim`].
    pub(super) fn of<'c>(&self, caller: &'c Caller) -> Result<Cow<'c, Value>, CallError> {
        let found = match self {
            // All who are let in without a name have the same one.
            Self::Subject => (caller.sign_in != SignIn::Open).then(|| Cow::Owned(Value::from(&*caller.subject))),
            Self::Claim(names) => {
                let (first, rest) = names.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
                let claim = rest.iter().fold(caller.claims.get(first), |value, name| value?.as_object()?.get(name));
                claim.filter(|value| !value.is_null()).map(Cow::Borrowed)
            }
        };
        found.ok_or_else(|| self.refuse("nothing of it"))
    }

    /// As the text of a setting: a string as it is, all else as JSON.
    ///
    /// # Errors
    /// As [`CallerValue::of`].
    pub(super) fn text_of(&self, caller: &Caller) -> Result<String, CallError> {
        let value = self.of(caller)?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// The refusal of a call whose sign-in says `what` in the place of what is needed.
    pub(super) fn refuse(&self, what: &str) -> CallError {
        let fault = format!("This tool works with the claim `{self}` of its caller, and this sign-in says {what}.");
        Refusal::LacksClaim { claim: self.to_string(), fault }.into()
    }
}

/// A parameter that who calls decides, ready for calls.
#[derive(Clone)]
pub(super) struct OfCaller {
    pub(super) bound: Bound,
    pub(super) from: CallerValue,
    schema: Schema,
}

impl fmt::Debug for OfCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfCaller").field("name", &self.bound.name).field("from", &self.from).finish_non_exhaustive()
    }
}

impl OfCaller {
    /// `None`: its schema is none, which the checks of parameters name.
    pub(super) fn new(settings: &CallerParameter) -> Option<Self> {
        let schema = Schema::compile_input(&settings.schema).ok()?;
        Some(Self { bound: arguments::bound(&declared(settings)), from: settings.from.clone(), schema })
    }

    /// The value for this caller.
    ///
    /// # Errors
    /// [`Refusal::LacksClaim`]; the value is not repeated.
    pub(super) fn value<'c>(&self, caller: &'c Caller) -> Result<Cow<'c, Value>, CallError> {
        let value = self.from.of(caller)?;
        if self.schema.accepts(&value) {
            return Ok(value);
        }
        let wanted = type_words(&self.bound.schema).join(" or ");
        Err(self.from.refuse(&format!("something else than the `{wanted}` that is needed")))
    }
}

/// The parameter as the checks of all parameters know it.
pub(super) fn declared(settings: &CallerParameter) -> Parameter {
    Parameter { name: settings.name.clone(), schema: settings.schema.clone(), required: true }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bridgehead_core::Claims;
    use serde_json::json;

    use super::*;

    fn caller() -> Caller {
        let claims = json!({
            "team": "north", "groups": ["a", "b"], "level": 3, "nothing": null,
            "realm_access": {"roles": ["clerk"]}, "https://example.com/team": "south", "a~b": true,
        });
        Caller {
            subject: "alice@example.com".into(),
            sign_in: SignIn::IssuedKey { key_id: Arc::from("k") },
            claims: Claims::new(claims.as_object().unwrap().clone()),
            ..Caller::anonymous()
        }
    }

    #[test]
    fn a_path_leads_to_what_is_known() {
        for (text, expected) in [
            ("caller.subject", json!("alice@example.com")),
            ("caller.claims.team", json!("north")),
            ("caller.claims.realm_access.roles", json!(["clerk"])),
            ("caller.claims/realm_access/roles", json!(["clerk"])),
            ("caller.claims/https:~1~1example.com~1team", json!("south")),
            ("caller.claims/a~0b", json!(true)),
        ] {
            let value: CallerValue = text.parse().unwrap();
            assert_eq!(*value.of(&caller()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_path_is_told_apart() {
        for text in [
            "",
            "subject",
            "caller",
            "caller.name",
            "caller.subject.x",
            "caller.claims",
            "caller.claims.",
            "caller.claims.a..b",
            "caller.claims/",
            "caller.claims/a~2",
            "caller.claimsteam",
            "caller.presented.authorization",
        ] {
            assert_eq!(text.parse::<CallerValue>(), Err(CallerValueError), "{text}");
        }
    }

    /// P2: what is not known of a caller is refused, with a code of its own.
    #[test]
    fn what_is_not_known_is_refused() {
        for (text, caller, claim) in [
            ("caller.subject", Caller::anonymous(), "sub"),
            ("caller.claims.team", Caller::anonymous(), "team"),
            ("caller.claims.nothing", caller(), "nothing"),
            ("caller.claims.team.name", caller(), "team.name"),
            ("caller.claims.realm_access.groups", caller(), "realm_access.groups"),
        ] {
            let error = text.parse::<CallerValue>().unwrap().of(&caller).map(|_| ()).unwrap_err();
            assert_eq!((error.code(), error.retryable()), ("caller_lacks_claim", false), "{text}");
            assert_eq!(error.details(), Some(json!({ "claim": claim })));
        }
    }

    #[test]
    fn a_claim_of_another_type_is_refused_without_its_value() {
        let strings = json!({"type": "array", "items": {"type": "string"}});
        for (path, schema, fits) in [
            ("caller.claims.groups", strings.clone(), true),
            ("caller.claims.level", json!({"type": "integer"}), true),
            ("caller.claims.team", strings, false),
            ("caller.claims.groups", json!({"type": "string"}), false),
            ("caller.claims.groups", json!({"type": "array", "items": {"type": "integer"}}), false),
            ("caller.claims.level", json!({"type": "string"}), false),
        ] {
            let schema = schema.as_object().unwrap().clone();
            let settings = CallerParameter { name: "p".into(), from: path.parse().unwrap(), schema };
            let caller = caller();
            let value = OfCaller::new(&settings).unwrap().value(&caller);
            assert_eq!(value.is_ok(), fits, "{path}");
            if let Err(error) = value {
                assert_eq!(error.code(), "caller_lacks_claim");
                assert!(!error.to_string().contains("north"), "{error}");
            }
        }
    }
}
