//! What an operation does to the world: from its method, unless the description or the operator
//! says otherwise.

use bridgehead_core::Effect;
use serde_json::Value;

/// The member of an operation by which a description says its effect itself: `read`, `write` or
/// `destructive`.
const EXTENSION: &str = "x-bridgehead-effect";

/// The effect, and whether a repeat with the same arguments changes nothing more (RFC 9110 §9.2).
pub(super) fn of(method: &str, operation: &Value, configured: Option<Effect>) -> (Effect, bool) {
    let (effect, idempotent) = match method {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" => (Effect::Read, true),
        "POST" => (Effect::Write, false),
        "PUT" | "DELETE" => (Effect::Destructive, true),
        // PATCH, and whatever comes: what is not known is taken for the worst.
        _ => (Effect::Destructive, false),
    };
    let said = operation.get(EXTENSION).and_then(Value::as_str).and_then(|word| match word {
        "read" => Some(Effect::Read),
        "write" => Some(Effect::Write),
        "destructive" => Some(Effect::Destructive),
        _ => None,
    });
    match configured.or(said) {
        Some(effect) => (effect, idempotent || effect.is_read()),
        None => (effect, idempotent),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_operator_goes_before_the_description_and_that_before_the_method() {
        let none = json!({});
        for (method, effect, idempotent) in [
            ("GET", Effect::Read, true),
            ("HEAD", Effect::Read, true),
            ("POST", Effect::Write, false),
            ("PUT", Effect::Destructive, true),
            ("DELETE", Effect::Destructive, true),
            ("PATCH", Effect::Destructive, false),
        ] {
            assert_eq!(of(method, &none, None), (effect, idempotent), "{method}");
        }
        let search = json!({"x-bridgehead-effect": "read"});
        assert_eq!(of("POST", &search, None), (Effect::Read, true));
        assert_eq!(of("POST", &search, Some(Effect::Destructive)), (Effect::Destructive, false));
    }
}
