//! What a statement of SQLite gets for a value.
//!
//! A boolean is bound as 0 or 1, an array or object as JSON text (for `json_each`), a parameter
//! of type `number` as a real even where the caller wrote no fraction, so that `:x / 2` does not
//! depend on that.

use serde_json::Value;

use super::super::{
    arguments::{Bound, Kind, whole},
    datum::Datum,
};

/// The value as SQLite knows it.
///
/// # Errors
/// An integer is too large.
pub(super) fn datum(parameter: &Bound, value: &Value) -> Result<Datum, String> {
    Ok(match value {
        Value::Null => Datum::Null,
        Value::Bool(truth) => Datum::Integer((*truth).into()),
        Value::String(text) => Datum::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Datum::Text(value.to_string()),
        Value::Number(number) => {
            let real = number.as_f64().unwrap_or(f64::NAN);
            match (parameter.kind, number.as_i64()) {
                (Kind::Number, _) => Datum::Real(real),
                (_, Some(integer)) => Datum::Integer(integer),
                (Kind::Integer, None) => Datum::Integer(whole(real)?),
                (Kind::AsGiven, None) => Datum::Real(real),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sql::{Parameter, arguments::bound};

    fn given(schema: &Value, value: &Value) -> Result<Datum, String> {
        let schema = schema.as_object().unwrap().clone();
        datum(&bound(&Parameter { name: "p".into(), schema, required: true }), value)
    }

    #[test]
    fn values_are_bound_by_type() {
        for (schema, value, expected) in [
            (json!({"type": "integer"}), json!(7), Datum::Integer(7)),
            (json!({"type": "integer"}), json!(7.0), Datum::Integer(7)),
            (json!({"type": "number"}), json!(7), Datum::Real(7.0)),
            (json!({"type": "boolean"}), json!(true), Datum::Integer(1)),
            (json!({"type": "array"}), json!([1, "a"]), Datum::Text("[1,\"a\"]".into())),
            (json!({"type": ["integer", "string"]}), json!(1.5), Datum::Real(1.5)),
            (json!({}), json!("a"), Datum::Text("a".into())),
            (json!({"type": "string", "format": "date"}), json!("2026-02-28"), Datum::Text("2026-02-28".into())),
            (json!({"type": "boolean"}), json!(false), Datum::Integer(0)),
            (json!({"type": "string"}), Value::Null, Datum::Null),
        ] {
            assert_eq!(given(&schema, &value), Ok(expected), "{schema} {value}");
        }
        assert!(given(&json!({"type": "integer"}), &json!(u64::MAX)).is_err());
    }
}
