//! Parameters that the operator declares: what is published of them, and which value counts.

use bridgehead_core::schema::Schema;
use jiff::{Timestamp, civil::Date};
use serde_json::{Map, Value, json};

use crate::fault::SourceFault;

/// One declared parameter of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// JSON Schema 2020-12 of its value. The members `type`, `format` (`date`, `date-time`) and
    /// `default` also say how the value is checked and sent on.
    pub schema: Map<String, Value>,
    /// Whether a caller must give it. One with a default is never required.
    pub required: bool,
}

/// A declared parameter, ready for calls.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) name: String,
    /// What is published: the operator's schema, with null admitted where it is optional.
    pub(crate) schema: Map<String, Value>,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
    pub(crate) format: Option<Format>,
    default: Value,
}

/// What the schema says of the type, as far as it matters for sending a value on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Number,
    AsGiven,
}

/// A format that is checked here, since the compiled schema only notes formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Date,
    DateTime,
}

/// Makes a declared parameter ready.
pub(crate) fn bound(parameter: &Parameter) -> Bound {
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

impl Bound {
    /// Whether there is a value in every call.
    pub(crate) fn is_always_there(&self) -> bool {
        self.required || !self.default.is_null()
    }

    /// Whether its values may be lists or objects.
    pub(crate) fn may_be_nested(&self) -> bool {
        let words = type_words(&self.schema);
        words.is_empty() || words.iter().any(|word| matches!(*word, "array" | "object"))
    }

    /// Whether its values may be lists, and nothing else that is nested.
    pub(crate) fn may_be_list(&self) -> bool {
        let words = type_words(&self.schema);
        words.contains(&"array") && !words.contains(&"object")
    }

    /// The value that counts: what was given, or the default.
    ///
    /// # Errors
    /// It has not the format that the schema asks for.
    pub(crate) fn value<'a>(&'a self, given: Option<&'a Value>) -> Result<&'a Value, String> {
        let value = match given {
            None | Some(Value::Null) => &self.default,
            Some(value) => value,
        };
        if let Value::String(text) = value {
            self.check_format(text)?;
        }
        Ok(value)
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
pub(crate) fn whole(real: f64) -> Result<i64, String> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    if real.fract() == 0.0 && real.abs() <= LIMIT {
        Ok(real as i64)
    } else {
        Err(format!("The integer must be between {} and {}.", i64::MIN, i64::MAX))
    }
}

/// What is wrong with declared parameters by themselves; `at` is the path of the tool.
pub(crate) fn faults(parameters: &[Parameter], at: &[&str]) -> Vec<SourceFault> {
    let mut faults = Vec::new();
    for (index, parameter) in parameters.iter().enumerate() {
        let mut fault = |below: &[&str], message: String| {
            let path: Vec<&str> =
                at.iter().chain(&["parameters", parameter.name.as_str()]).chain(below).copied().collect();
            faults.push(SourceFault::new(&path, message));
        };
        if parameters.iter().take(index).any(|earlier| earlier.name == parameter.name) {
            fault(&[], "Two parameters have this name. Rename one of them.".into());
        }
        match Schema::compile(&parameter.schema) {
            Err(error) => fault(&[], format!("This is not a JSON Schema: {error}")),
            Ok(schema) => {
                if let Some(default) = parameter.schema.get("default").filter(|default| !schema.accepts(default)) {
                    fault(
                        &["default"],
                        format!("The default {default} does not fit the parameter's own schema. Mend one of the two."),
                    );
                }
            }
        }
    }
    faults
}

/// The input schema of a tool with these parameters and no others.
pub(crate) fn input_schema(parameters: &[Bound]) -> Map<String, Value> {
    let properties: Map<String, Value> =
        parameters.iter().map(|p| (p.name.clone(), Value::Object(p.schema.clone()))).collect();
    let required: Vec<&str> = parameters.iter().filter(|p| p.required).map(|p| p.name.as_str()).collect();
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema.insert("additionalProperties".into(), false.into());
    schema
}

/// The same schema, admitting null.
pub(crate) fn nullable(schema: &Map<String, Value>) -> Map<String, Value> {
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

/// The member `type` of a schema, as words.
pub(crate) fn type_words(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(word)) => vec![word],
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
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
    fn what_a_schema_cannot_say_is_refused() {
        for (schema, given) in [
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
            assert_eq!(bound.value(None), Ok(&Value::Null));
            assert_eq!(bound.schema.get("description"), schema.get("description"));
        }
        let with_default = parameter(json!({"type": "boolean", "default": false}), true);
        assert!(!with_default.required);
        assert_eq!(with_default.value(Some(&Value::Null)), Ok(&json!(false)));
        assert_eq!(with_default.value(None), Ok(&json!(false)));
    }
}
