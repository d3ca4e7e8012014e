//! References within one description (`#/…`, RFC 6901), wherever they may stand. What lies outside
//! was brought in by [`super::bundle`], or stays unresolved with a reason.

use serde_json::Value;

/// How many references may lead to one another.
const MAX_HOPS: usize = 64;

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReferenceError {
    #[error("the reference `{0}` leads to nothing")]
    Missing(String),
    #[error("the reference `{0}` leads to another document, which was not read")]
    External(String),
    #[error("the reference `{0}` leads back to itself")]
    Circular(String),
}

/// Finds what references of one description lead to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver<'d> {
    root: &'d Value,
}

impl<'d> Resolver<'d> {
    pub(super) const fn new(root: &'d Value) -> Self {
        Self { root }
    }

    /// What `value` is in the end: itself, or what its `$ref` leads to, however many steps away.
    pub(super) fn resolve(self, value: &'d Value) -> Result<&'d Value, ReferenceError> {
        self.follow(value, MAX_HOPS)
    }

    /// What `reference` leads to in the end.
    pub(super) fn find(self, reference: &str) -> Result<&'d Value, ReferenceError> {
        self.resolve(self.step(reference, MAX_HOPS)?)
    }

    fn follow(self, value: &'d Value, hops: usize) -> Result<&'d Value, ReferenceError> {
        let mut value = value;
        for left in (0..hops).rev() {
            let Some(reference) = reference_of(value) else { return Ok(value) };
            value = self.step(reference, left)?;
        }
        Err(ReferenceError::Circular(reference_of(value).unwrap_or_default().to_owned()))
    }

    /// One step, which may itself lead through references: `#/components/schemas/A/properties/b`
    /// where A is a reference.
    fn step(self, reference: &str, hops: usize) -> Result<&'d Value, ReferenceError> {
        let Some(fragment) = reference.strip_prefix('#') else {
            return Err(ReferenceError::External(reference.to_owned()));
        };
        let fragment = percent_decode(fragment);
        let missing = || ReferenceError::Missing(reference.to_owned());
        if hops == 0 {
            return Err(ReferenceError::Circular(reference.to_owned()));
        }
        let mut value = self.root;
        if fragment.is_empty() {
            return Ok(value);
        }
        for token in fragment.strip_prefix('/').ok_or_else(missing)?.split('/') {
            let token = token.replace("~1", "/").replace("~0", "~");
            let here = match child(value, &token) {
                Some(child) => Some(child),
                None if reference_of(value).is_some() => child(self.follow(value, hops - 1)?, &token),
                None => None,
            };
            value = here.ok_or_else(missing)?;
        }
        Ok(value)
    }
}

/// The `$ref` of an object; a property that is called `$ref` is none.
pub(super) fn reference_of(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str)
}

/// The last name in a reference: `Pet` of `#/components/schemas/Pet`.
pub(super) fn last_name(reference: &str) -> String {
    percent_decode(reference.rsplit('/').next().unwrap_or(reference)).replace("~1", "/").replace("~0", "~")
}

fn child<'d>(value: &'d Value, token: &str) -> Option<&'d Value> {
    match value {
        Value::Object(members) => members.get(token),
        Value::Array(list) => list.get(token.parse::<usize>().ok()?),
        _ => None,
    }
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_lead_anywhere_within_the_description() {
        let root = json!({
            "paths": {"/a/{id}": {"get": {"parameters": [{"name": "p"}]}}},
            "components": {"schemas": {
                "A": {"properties": {"b": {"type": "string"}, "x/y": 1, "50%": 2, "a~b": 3}},
                "Alias": {"$ref": "#/components/schemas/A"},
                "Loop": {"$ref": "#/components/schemas/Loop"},
                "Ping": {"$ref": "#/components/schemas/Pong"}, "Pong": {"$ref": "#/components/schemas/Ping"},
            }},
        });
        let resolver = Resolver::new(&root);
        for (reference, expected) in [
            ("#/components/schemas/A/properties/b", json!({"type": "string"})),
            ("#/components/schemas/Alias/properties/b/type", json!("string")),
            ("#/components/schemas/A/properties/x~1y", json!(1)),
            ("#/components/schemas/A/properties/50%25", json!(2)),
            ("#/components/schemas/A/properties/a~0b", json!(3)),
            ("#/paths/~1a~1%7Bid%7D/get/parameters/0/name", json!("p")),
        ] {
            assert_eq!(resolver.find(reference), Ok(&expected), "{reference}");
        }
        for (reference, reason) in [
            ("#/components/schemas/None", "leads to nothing"),
            ("other.yaml#/A", "another document"),
            ("#/components/schemas/Loop", "back to itself"),
            ("#/components/schemas/Ping", "back to itself"),
            ("#/components/schemas/Loop/x", "back to itself"),
            ("#anchor", "leads to nothing"),
        ] {
            let error = resolver.find(reference).unwrap_err().to_string();
            assert!(error.contains(reason), "{reference}: {error}");
        }
    }
}
