//! Input and output schemas, compiled once when a catalog is built.

use std::sync::Arc;

use jsonschema::{Draft, ValidationError, Validator, error::ValidationErrorKind};
use serde_json::{Map, Value, json};

use crate::ArgumentFault;

/// How many faults of one call are named; the rest is counted.
const MAX_FAULTS: usize = 20;

/// A compiled JSON Schema (2020-12).
#[derive(Clone)]
pub struct Schema(Arc<Validator>);

/// A schema that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(String);

impl Schema {
    /// Compiles the schema of a result. `format` is a remark there (JSON Schema 2020-12 §7): a
    /// result is not refused for it. References to other documents are refused: nothing is fetched.
    ///
    /// # Errors
    /// The schema is not a valid JSON Schema 2020-12, or refers outside of itself.
    pub fn compile(schema: &Map<String, Value>) -> Result<Self, SchemaError> {
        Self::build(schema, false)
    }

    /// Compiles the schema of arguments: what `format` says of them is checked as well, so that a
    /// date that is none is named here and not by the system behind.
    ///
    /// # Errors
    /// As [`Schema::compile`].
    pub fn compile_input(schema: &Map<String, Value>) -> Result<Self, SchemaError> {
        Self::build(schema, true)
    }

    fn build(schema: &Map<String, Value>, formats: bool) -> Result<Self, SchemaError> {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(formats)
            .build(&Value::Object(schema.clone()))
            .map(|validator| Self(Arc::new(validator)))
            .map_err(|error| SchemaError(error.to_string()))
    }

    /// Whether `value` satisfies the schema.
    #[must_use]
    pub fn accepts(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    /// Everything that is wrong with `value`, each fault with its path, for whoever sent it.
    #[must_use]
    pub fn faults(&self, value: &Value) -> Vec<ArgumentFault> {
        self.found(value, |error| error.to_string())
    }

    /// The same of a result, for the log: without what stands in it, which is nobody's there.
    #[must_use]
    pub fn drift(&self, value: &Value) -> Vec<ArgumentFault> {
        self.found(value, |error| error.masked().to_string())
    }

    fn found(&self, value: &Value, words: impl Fn(&ValidationError<'_>) -> String) -> Vec<ArgumentFault> {
        let mut faults: Vec<_> = self.0.iter_errors(value).map(|error| fault(&error, &words)).collect();
        if faults.len() > MAX_FAULTS {
            let rest = faults.len() - MAX_FAULTS;
            faults.truncate(MAX_FAULTS);
            faults.push(ArgumentFault { path: String::new(), message: format!("and {rest} more") });
        }
        faults
    }
}

/// Puts a validator's finding into the words of the one who has to mend it.
fn fault(error: &ValidationError<'_>, words: impl Fn(&ValidationError<'_>) -> String) -> ArgumentFault {
    let path = error.instance_path().to_string();
    let message = match error.kind() {
        ValidationErrorKind::Required { property } => {
            format!("{} is required and missing", property.as_str().unwrap_or_default())
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            format!("unknown: {}. Use only the names in the input schema", unexpected.join(", "))
        }
        _ => words(error),
    };
    ArgumentFault { path, message }
}

/// What every output schema of ours allows beside its own members: a note on what was cut.
/// Serialised by the shape step and by sources that cut by themselves.
#[must_use]
pub fn omitted_property() -> Value {
    json!({
        "type": "object",
        "description": "Present only when the result was too large and something was left out.",
        "properties": {
            "rows": {"type": "integer", "description": "How many elements were left out of lists."},
            "bytes": {"type": "integer", "description": "How many bytes of JSON were left out."},
            "next": {"type": "string", "description": "How to get what was left out."},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(value: Value) -> Schema {
        Schema::compile(value.as_object().unwrap()).unwrap()
    }

    /// D4: every fault is named with its path.
    #[test]
    fn all_faults_are_named_with_their_paths() {
        let schema = schema(json!({
            "type": "object", "additionalProperties": false, "required": ["sku"],
            "properties": {"sku": {"type": "string"}, "units": {"type": "integer", "minimum": 1}},
        }));
        let faults = schema.faults(&json!({"units": 0, "colour": "red"}));
        let lines: Vec<_> = faults.iter().map(|f| format!("{} {}", f.path, f.message)).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines.iter().any(|l| l.contains("sku is required")), "{lines:?}");
        assert!(lines.iter().any(|l| l.starts_with("/units ")), "{lines:?}");
        assert!(lines.iter().any(|l| l.contains("colour")), "{lines:?}");
    }

    #[test]
    fn formats_are_checked_in_arguments_alone() {
        let schema = json!({"type": "object", "properties": {"day": {"type": "string", "format": "date"}, "to": {"type": "string", "format": "email"}}});
        let schema = schema.as_object().unwrap();
        let wrong = json!({"day": "23.11.2026", "to": "nobody"});
        assert_eq!(Schema::compile_input(schema).unwrap().faults(&wrong).len(), 2);
        assert!(Schema::compile(schema).unwrap().accepts(&wrong));
        assert!(Schema::compile_input(schema).unwrap().accepts(&json!({"day": "2026-11-23", "to": "a@example.com"})));
    }

    #[test]
    fn references_to_other_documents_are_refused() {
        let outside = json!({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/x.json"}}});
        assert!(Schema::compile(outside.as_object().unwrap()).is_err());
    }
}
