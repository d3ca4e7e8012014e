//! The header in which an API takes an idempotency key of its own, found among the parameters of an
//! operation with effects (D5). An agent does not fill it in: Bridgehead sends it, and repeats a call
//! in doubt on the strength of it.

use bridgehead_core::schema::Schema;
use serde_json::Value;

use super::{
    parameter::{Location, Parameter},
    schema::Context,
    settings::Shaping,
};
use crate::fault::SourceFault;

/// Names that do not say what they are (PayPal, Oracle Cloud), in lower case.
const KNOWN: [&str; 2] = ["paypal-request-id", "opc-retry-token"];
/// What the names of all others have in them: `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header),
/// `X-Idempotency-Key`, `Idempotence-Key`, `I-Twilio-Idempotency-Token`, `X-Idempotence-UUID` …
const STEM: &str = "idempoten";
/// What they end with, so that `X-Idempotency-Expiry` is none of them.
const ENDS: [&str; 6] = ["key", "token", "id", "uuid", "idempotency", "idempotence"];

/// A key as Bridgehead sends it, to be held against the parameter's schema.
const SAMPLE: &str = "6d1f0a52-9c3e-4b7d-8a41-0f5e2c7b9d36";

/// The header of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyHeader {
    pub(super) name: String,
    /// Whether the API takes no call without it.
    pub(super) required: bool,
}

impl KeyHeader {
    /// Takes the parameter out of the others; `None` where there is none that takes a key of ours.
    /// `notes` gets one that has the name and takes something else: that one stays an argument.
    pub(super) fn take(
        context: &Context<'_>,
        parameters: &mut Vec<Parameter<'_>>,
        notes: &mut Vec<String>,
    ) -> Option<Self> {
        let index = parameters.iter().position(|one| one.location == Location::Header && is_key(one.name))?;
        let parameter = parameters.get(index)?;
        if !takes_a_uuid(context, parameter) {
            let name = parameter.name;
            notes.push(format!("its header `{name}` takes no UUID, so Bridgehead does not fill it in"));
            return None;
        }
        let taken = parameters.remove(index);
        Some(Self { name: taken.name.to_owned(), required: taken.required })
    }

    /// The shaping of the tool without what it says of this header, which is no argument: hiding it is
    /// what is done anyhow, and one value for all calls would make one effect of them.
    pub(super) fn left_out(&self, key: &str, shaping: &Shaping, faults: &mut Vec<SourceFault>) -> Shaping {
        let mut shaping = shaping.clone();
        let argument = super::names::of_property(&self.name);
        shaping.hide.retain(|name| *name != argument);
        if shaping.set.remove(&argument).is_some() {
            let message = format!(
                "`{}` is the API's idempotency key, by which it takes a second call for a repeat of the first. With one \
                 value for all calls, all but the first would do nothing. Remove this: Bridgehead sends the right one.",
                self.name
            );
            faults.push(SourceFault::new(&["tools", key, "set", &argument], message));
        }
        shaping
    }
}

fn is_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    KNOWN.contains(&name.as_str()) || name.contains(STEM) && ENDS.iter().any(|end| name.ends_with(end))
}

/// As far as the schema can be read by itself.
fn takes_a_uuid(context: &Context<'_>, parameter: &Parameter<'_>) -> bool {
    parameter.schema.iter().all(|part| {
        let part = context.resolver.resolve(part).unwrap_or(part);
        let schema = part.as_object().map(Schema::compile_input);
        // What does not compile is the input schema's business, which is cut to what does.
        schema.and_then(Result::ok).is_none_or(|schema| schema.accepts(&Value::from(SAMPLE)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_apis_use_are_known_and_their_neighbours_are_not() {
        for name in [
            "Idempotency-Key",
            "idempotency-key",
            "X-Idempotency-Key",
            "x-amz-pay-idempotency-key",
            "Cko-Idempotency-Key",
            "Idempotence-Key",
            "X-Idempotence-UUID",
            "I-Twilio-Idempotency-Token",
            "X-Idempotency",
            "IdempotencyId",
            "PayPal-Request-Id",
            "opc-retry-token",
        ] {
            assert!(is_key(name), "{name}");
        }
        for name in ["X-Request-Id", "X-Idempotency-Expiry", "Idempotency-Key-Ttl", "If-Match", "Api-Key", "X-Token"] {
            assert!(!is_key(name), "{name}");
        }
    }
}
