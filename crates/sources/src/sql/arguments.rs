//! Arguments on their way in: what each parameter publishes, and what a statement gets for it.
//!
//! A boolean is bound as 0 or 1, an array or object as JSON text (for `json_each`), a parameter
//! of type `number` as a real even where the caller wrote no fraction, so that `:x / 2` does not
//! depend on that.

use bridgehead_core::{ArgumentFault, CallError, Refusal};
use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value, json};

use super::{check::type_words, datum::Datum, settings::Parameter};

/// A declared parameter, ready for calls.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) name: String,
    /// What is published: the operator's schema, with null admitted where it is optional.
    pub(super) schema: Map<String, Value>,
    pub(super) required: bool,
    default: Value,
    kind: Kind,
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    AsGiven,
}

/// A format that is checked here, since the compiled schema only notes formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Date,
    DateTime,
}

/// Makes a declared parameter ready.
pub(super) fn bound(parameter: &Parameter) -> Bound {
    let words = type_words(&parameter.schema);
    let kind = match words.iter().copied().find(|&word| word != "null") {
        Some("integer") if words.iter().all(|&word| word == "integer" || word == "null") => Kind::Integer,
        Some("number") if words.iter().all(|&word| word == "number" || word == "null") => Kind::Number,
        _ => Kind::AsGiven,
    };
    let format = match parameter.schema.get("format").and_then(Value::as_str) {
        Some("date") => Some(Format::Date),
        Some("date-time") => Some(Format::DateTime),
        _ => None,
    };
    let default = parameter.schema.get("default").cloned().unwrap_or(Value::Null);
    let required = parameter.required && !parameter.schema.contains_key("default");
    let schema = if required { parameter.schema.clone() } else { nullable(&parameter.schema) };
    Bound { name: parameter.name.clone(), schema, required, default, kind, format }
}

/// The same schema, admitting null.
fn nullable(schema: &Map<String, Value>) -> Map<String, Value> {
    const NOTES: [&str; 7] = ["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"];
    const COMBINING: [&str; 7] = ["anyOf", "oneOf", "allOf", "not", "const", "$ref", "if"];
    if COMBINING.iter().any(|word| schema.contains_key(*word)) {
        let (mut notes, inner): (Map<_, _>, Map<_, _>) =
            schema.clone().into_iter().partition(|(member, _)| NOTES.contains(&member.as_str()));
        notes.insert("anyOf".into(), json!([inner, {"type": "null"}]));
        return notes;
    }
    let mut schema = schema.clone();
    let words = type_words(&schema);
    if !words.is_empty() && !words.contains(&"null") {
        let types: Vec<&str> = words.into_iter().chain(["null"]).collect();
        schema.insert("type".into(), json!(types));
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    schema
}

/// What the statement gets for each of its numbered parameters, in order.
///
/// # Errors
/// [`Refusal::InvalidArguments`] for what the input schema cannot say.
pub(super) fn values(
    parameters: &[Bound],
    order: &[String],
    arguments: &Map<String, Value>,
) -> Result<Vec<Datum>, CallError> {
    let mut faults = Vec::new();
    let values = order
        .iter()
        .map(|name| {
            let Some(parameter) = parameters.iter().find(|parameter| &parameter.name == name) else {
                return Datum::Null;
            };
            parameter.value(arguments.get(name)).unwrap_or_else(|message| {
                faults.push(ArgumentFault { path: format!("/{name}"), message });
                Datum::Null
            })
        })
        .collect();
    if faults.is_empty() { Ok(values) } else { Err(Refusal::InvalidArguments(faults).into()) }
}

impl Bound {
    fn value(&self, given: Option<&Value>) -> Result<Datum, String> {
        let value = match given {
            None | Some(Value::Null) => &self.default,
            Some(value) => value,
        };
        Ok(match value {
            Value::Null => Datum::Null,
            Value::Bool(truth) => Datum::Integer((*truth).into()),
            Value::String(text) => {
                self.check_format(text)?;
                Datum::Text(text.clone())
            }
            Value::Array(_) | Value::Object(_) => Datum::Text(value.to_string()),
            Value::Number(number) => {
                let real = number.as_f64().unwrap_or(f64::NAN);
                match (self.kind, number.as_i64()) {
                    (Kind::Number, _) => Datum::Real(real),
                    (_, Some(integer)) => Datum::Integer(integer),
                    (Kind::Integer, None) => Datum::Integer(whole(real)?),
                    (Kind::AsGiven, None) => Datum::Real(real),
                }
            }
        })
    }

    fn check_format(&self, text: &str) -> Result<(), String> {
        // jiff reads more than RFC 3339 writes; a date counts if it is written back the same.
        match self.format {
            Some(Format::Date) if text.parse::<Date>().is_ok_and(|date| date.to_string() == text) => Ok(()),
            Some(Format::Date) => Err(format!("`{text}` is not a date. Write YYYY-MM-DD, e.g. 2026-11-20.")),
            Some(Format::DateTime) if text.parse::<Timestamp>().is_ok() => Ok(()),
            Some(Format::DateTime) => {
                Err(format!("`{text}` is not a time. Write RFC 3339 with an offset, e.g. 2026-11-20T08:30:00Z."))
            }
            None => Ok(()),
        }
    }
}

/// A number that JSON Schema takes for an integer, such as 3.0, as an integer.
fn whole(real: f64) -> Result<i64, String> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    if real.fract() == 0.0 && real.abs() <= LIMIT {
        Ok(real as i64)
    } else {
        Err(format!("The integer must be between {} and {}.", i64::MIN, i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use bridgehead_core::schema::Schema;

    use super::*;

    fn parameter(schema: Value, required: bool) -> Bound {
        let schema = schema.as_object().unwrap().clone();
        bound(&Parameter { name: "p".into(), schema, required })
    }

    #[test]
    fn values_are_bound_by_type() {
        for (schema, given, expected) in [
            (json!({"type": "integer"}), json!(7), Datum::Integer(7)),
            (json!({"type": "integer"}), json!(7.0), Datum::Integer(7)),
            (json!({"type": "number"}), json!(7), Datum::Real(7.0)),
            (json!({"type": "boolean"}), json!(true), Datum::Integer(1)),
            (json!({"type": "array"}), json!([1, "a"]), Datum::Text("[1,\"a\"]".into())),
            (json!({"type": ["integer", "string"]}), json!(1.5), Datum::Real(1.5)),
            (json!({}), json!("a"), Datum::Text("a".into())),
            (json!({"type": "string", "format": "date"}), json!("2026-02-28"), Datum::Text("2026-02-28".into())),
        ] {
            assert_eq!(parameter(schema.clone(), true).value(Some(&given)), Ok(expected), "{schema} {given}");
        }
    }

    #[test]
    fn what_a_schema_cannot_say_is_refused() {
        for (schema, given) in [
            (json!({"type": "integer"}), json!(u64::MAX)),
            (json!({"type": "string", "format": "date"}), json!("23.11.2026")),
            (json!({"type": "string", "format": "date"}), json!("2026-02-30")),
            (json!({"type": "string", "format": "date"}), json!("20260228")),
            (json!({"type": "string", "format": "date-time"}), json!("2026-02-28")),
        ] {
            assert!(parameter(schema.clone(), true).value(Some(&given)).is_err(), "{schema} {given}");
        }
    }

    /// Absent, null and the default: what is published accepts what is bound.
    #[test]
    fn optional_parameters_admit_null() {
        for schema in [
            json!({"type": "string", "enum": ["a"]}),
            json!({"type": ["string", "integer"]}),
            json!({"anyOf": [{"type": "string"}, {"type": "integer"}], "description": "d"}),
            json!({"const": 3, "description": "d"}),
            json!({"description": "d"}),
        ] {
            let bound = parameter(schema.clone(), false);
            assert!(Schema::compile(&bound.schema).unwrap().accepts(&Value::Null), "{schema}");
            assert_eq!(bound.value(None), Ok(Datum::Null));
            assert_eq!(bound.schema.get("description"), schema.get("description"));
        }
        let with_default = parameter(json!({"type": "boolean", "default": false}), true);
        assert!(!with_default.required);
        assert_eq!(with_default.value(Some(&Value::Null)), Ok(Datum::Integer(0)));
        assert_eq!(with_default.value(None), Ok(Datum::Integer(0)));
    }
}
