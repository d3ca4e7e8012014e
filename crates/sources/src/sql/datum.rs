//! Values as a database holds them, and how each becomes JSON.
//!
//! Every result fits its published schema, whatever the database holds. SQLite may hold any type in
//! any column unless its table is STRICT, and a compound SELECT may mix them even then: the shapes
//! made for it are total, that is, every type but `string` admits strings as well, and a value that
//! does not fit its column's type arrives as text. The shapes called `Only…` are for a database that
//! holds its columns to their types; what does not fit them was changed since the start. Integers
//! beyond ±2^53 are text, since many JSON readers would round them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Number, Value, json};

/// The largest integer that every JSON reader takes as it is.
const MAX_EXACT: i64 = 1 << 53;

/// One value of the database.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
    Json(Value),
    List(Vec<Self>),
    /// Of a type that is not read.
    Foreign,
}

impl Datum {
    /// The value as text: what a person would read.
    fn into_text(self) -> Value {
        match self {
            Self::Null | Self::Foreign => Value::Null,
            Self::Boolean(truth) => truth.to_string().into(),
            Self::Integer(integer) => integer.to_string().into(),
            Self::Real(real) => real_number(real).map_or(Value::Null, |number| number.to_string().into()),
            Self::Text(text) => text.into(),
            Self::Blob(bytes) => BASE64.encode(bytes).into(),
            Self::Json(Value::String(text)) => text.into(),
            Self::Json(Value::Null) => Value::Null,
            other @ (Self::Json(_) | Self::List(_)) => other.into_json().to_string().into(),
        }
    }

    /// The value as a scalar, as it is.
    fn into_scalar(self) -> Value {
        match self {
            Self::Integer(integer) if is_exact(integer) => integer.into(),
            Self::Real(real) => real_number(real).map_or(Value::Null, Value::Number),
            other => other.into_text(),
        }
    }

    /// The value as JSON knows it best.
    fn into_json(self) -> Value {
        match self {
            Self::Boolean(truth) => truth.into(),
            Self::Json(value) => exact(value),
            Self::List(items) => items.into_iter().map(Self::into_json).collect(),
            other => other.into_scalar(),
        }
    }
}

fn is_exact(integer: i64) -> bool {
    (-MAX_EXACT..=MAX_EXACT).contains(&integer)
}

/// JSON has no infinity and no NaN.
fn real_number(real: f64) -> Option<Number> {
    Number::from_f64(real)
}

/// A document with its large integers as text.
fn exact(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            if number.as_i64().is_some_and(is_exact) {
                Value::Number(number)
            } else {
                number.to_string().into()
            }
        }
        Value::Array(items) => items.into_iter().map(exact).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, exact(value))).collect(),
        other => other,
    }
}

/// What a result column is published as, and how its values get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Any scalar, as it is: nothing is known.
    Any,
    /// Text; everything else is written out.
    Text,
    /// An integer: of a STRICT table, or by the operator's word.
    Integer,
    /// Declared as an integer in a table that does not enforce it: as it is.
    MostlyInteger,
    /// A number.
    Number,
    /// A boolean, by the operator's word.
    Boolean,
    /// Declared as a boolean, which SQLite does not enforce: 0 and 1 become false and true.
    MostlyBoolean,
    /// JSON text with an object in it.
    Object,
    /// JSON text with an array in it.
    Array,
    /// Nothing but integers that are exact in JSON.
    OnlyInteger,
    /// Nothing but numbers.
    OnlyNumber,
    /// Nothing but booleans.
    OnlyBoolean,
    /// Nothing but lists of this. Where the database lets a list have lists in it, its items may be
    /// lists as well.
    OnlyList(Box<Self>),
    /// Any JSON value.
    Json,
}

impl Shape {
    /// What a type word of the configuration asks for.
    pub(super) fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "object" => Self::Object,
            "array" => Self::Array,
            _ => return None,
        })
    }

    /// The JSON Schema of the column's values.
    pub(super) fn schema(&self) -> Map<String, Value> {
        let types = match self {
            Self::Any => json!(["string", "number", "null"]),
            Self::Text => json!(["string", "null"]),
            Self::Integer => json!(["integer", "string", "null"]),
            Self::MostlyInteger => json!(["integer", "number", "string", "null"]),
            Self::Number => json!(["number", "string", "null"]),
            Self::Boolean => json!(["boolean", "string", "null"]),
            Self::MostlyBoolean => json!(["boolean", "number", "string", "null"]),
            Self::Object => json!(["object", "string", "null"]),
            Self::Array => json!(["array", "string", "null"]),
            Self::OnlyInteger => json!(["integer", "null"]),
            Self::OnlyNumber => json!(["number", "null"]),
            Self::OnlyBoolean => json!(["boolean", "null"]),
            Self::OnlyList(item) => {
                let mut item = item.schema();
                if let Some(Value::Array(types)) = item.get_mut("type") {
                    types.push("array".into());
                }
                return Map::from_iter([
                    ("type".to_owned(), json!(["array", "null"])),
                    ("items".to_owned(), item.into()),
                ]);
            }
            Self::Json => return Map::new(),
        };
        Map::from_iter([("type".to_owned(), types)])
    }

    /// The value as this column's schema allows it. `None`: the column is no longer what it was.
    pub(super) fn convert(&self, datum: Datum) -> Option<Value> {
        if datum == Datum::Foreign {
            return None;
        }
        Some(match self {
            Self::Any | Self::MostlyInteger => datum.into_scalar(),
            Self::Text => datum.into_text(),
            Self::Integer => integer(datum),
            Self::Number => match datum {
                Datum::Text(text) => match text.trim().parse::<f64>() {
                    Ok(number) if number.is_finite() => number.into(),
                    _ => text.into(),
                },
                other => other.into_scalar(),
            },
            Self::Boolean => boolean(datum).unwrap_or_else(Datum::into_text),
            Self::MostlyBoolean => boolean(datum).unwrap_or_else(Datum::into_scalar),
            Self::Object => parsed(datum, Value::is_object),
            Self::Array => parsed(datum, Value::is_array),
            Self::OnlyInteger => match datum {
                Datum::Null => Value::Null,
                Datum::Integer(integer) if is_exact(integer) => integer.into(),
                _ => return None,
            },
            Self::OnlyNumber => match datum {
                Datum::Null | Datum::Integer(_) | Datum::Real(_) => match datum.into_scalar() {
                    Value::String(_) => return None,
                    number => number,
                },
                _ => return None,
            },
            Self::OnlyBoolean => match datum {
                Datum::Null => Value::Null,
                Datum::Boolean(truth) => truth.into(),
                _ => return None,
            },
            Self::OnlyList(item) => match datum {
                Datum::Null => Value::Null,
                Datum::List(items) => return list(item, items),
                _ => return None,
            },
            Self::Json => datum.into_json(),
        })
    }
}

/// Converts the items; a list among them is one more dimension.
fn list(item: &Shape, items: Vec<Datum>) -> Option<Value> {
    let convert = |datum| match datum {
        Datum::List(items) => list(item, items),
        datum => item.convert(datum),
    };
    items.into_iter().map(convert).collect()
}

fn integer(datum: Datum) -> Value {
    let exact = match &datum {
        Datum::Integer(integer) => Some(*integer),
        // The bound keeps the cast exact.
        Datum::Real(real) if real.fract() == 0.0 && real.abs() <= MAX_EXACT as f64 => Some(*real as i64),
        Datum::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    match exact {
        Some(integer) if is_exact(integer) => integer.into(),
        _ => datum.into_text(),
    }
}

fn boolean(datum: Datum) -> Result<Value, Datum> {
    match &datum {
        Datum::Boolean(truth) => Ok((*truth).into()),
        Datum::Integer(0) => Ok(false.into()),
        Datum::Integer(1) => Ok(true.into()),
        Datum::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false.into()),
        Datum::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true.into()),
        Datum::Null => Ok(Value::Null),
        _ => Err(datum),
    }
}

fn parsed(datum: Datum, wanted: fn(&Value) -> bool) -> Value {
    match &datum {
        Datum::Text(text) => {
            let document = serde_json::from_str(text).ok().filter(wanted);
            document.map_or_else(|| datum.into_text(), exact)
        }
        Datum::Json(value) if wanted(value) => datum.into_json(),
        Datum::List(_) if wanted(&json!([])) => datum.into_json(),
        _ => datum.into_text(),
    }
}

#[cfg(test)]
mod tests {
    use bridgehead_core::schema::Schema;
    use proptest::prelude::*;

    use super::*;

    /// Those that take whatever comes.
    const TOTAL: [Shape; 10] = [
        Shape::Any,
        Shape::Text,
        Shape::Integer,
        Shape::MostlyInteger,
        Shape::Number,
        Shape::Boolean,
        Shape::MostlyBoolean,
        Shape::Object,
        Shape::Array,
        Shape::Json,
    ];

    fn strict() -> [Shape; 6] {
        let list = |item| Shape::OnlyList(Box::new(item));
        [
            Shape::OnlyInteger,
            Shape::OnlyNumber,
            Shape::OnlyBoolean,
            list(Shape::OnlyInteger),
            list(Shape::Text),
            list(Shape::Json),
        ]
    }

    fn any_document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a-z]{1,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn any_datum() -> impl Strategy<Value = Datum> {
        let leaf = prop_oneof![
            Just(Datum::Null),
            any::<bool>().prop_map(Datum::Boolean),
            any::<i64>().prop_map(Datum::Integer),
            (-3_i64..3).prop_map(Datum::Integer),
            any::<f64>().prop_map(Datum::Real),
            (-1e17..1e17).prop_map(|real: f64| Datum::Real(real.trunc())),
            prop_oneof!["\\PC{0,8}", "[0-9]{1,20}", "[-+]?[0-9]{1,3}(\\.[0-9]{1,2})?", "true|FALSE|inf|NaN|1e999"]
                .prop_map(Datum::Text),
            prop_oneof![Just("{\"a\":[1]}"), Just("[1,null]"), Just("[")].prop_map(|text| Datum::Text(text.to_owned())),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(Datum::Blob),
            any_document().prop_map(Datum::Json),
        ];
        leaf.prop_recursive(2, 12, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Datum::List))
    }

    fn is_nothing(datum: &Datum) -> bool {
        matches!(datum, Datum::Null | Datum::Json(Value::Null))
            || matches!(datum, Datum::Real(real) if !real.is_finite())
    }

    proptest! {
        /// D3: whatever the database holds, what goes out fits what was published.
        #[test]
        fn every_value_fits_every_shape(datum in any_datum()) {
            for shape in TOTAL {
                let value = shape.convert(datum.clone()).unwrap();
                let schema = Schema::compile(&shape.schema()).unwrap();
                prop_assert!(schema.accepts(&value), "{shape:?} {datum:?} {value}");
                prop_assert_eq!(value.is_null(), is_nothing(&datum));
            }
            for shape in strict() {
                let Some(value) = shape.convert(datum.clone()) else { continue };
                let schema = Schema::compile(&shape.schema()).unwrap();
                prop_assert!(schema.accepts(&value), "{shape:?} {datum:?} {value}");
            }
        }
    }

    #[test]
    fn a_column_that_has_changed_is_noticed() {
        for (shape, datum) in [
            (Shape::OnlyInteger, Datum::Text("1".into())),
            (Shape::OnlyInteger, Datum::Integer(i64::MAX)),
            (Shape::OnlyNumber, Datum::Boolean(true)),
            (Shape::OnlyBoolean, Datum::Integer(1)),
            (Shape::OnlyList(Box::new(Shape::OnlyInteger)), Datum::Integer(1)),
            (Shape::OnlyList(Box::new(Shape::OnlyInteger)), Datum::List(vec![Datum::Text("1".into())])),
            (Shape::Text, Datum::Foreign),
        ] {
            assert_eq!(shape.convert(datum.clone()), None, "{shape:?} {datum:?}");
        }
    }

    #[test]
    fn values_are_converted() {
        let text = |text: &str| Datum::Text(text.to_owned());
        for (shape, datum, expected) in [
            (Shape::Any, Datum::Integer(1 << 53), json!(9_007_199_254_740_992_i64)),
            (Shape::Any, Datum::Integer((1 << 53) + 1), json!("9007199254740993")),
            (Shape::Any, Datum::Real(1.5), json!(1.5)),
            (Shape::Any, Datum::Real(f64::INFINITY), Value::Null),
            (Shape::Any, Datum::Blob(vec![0, 255]), json!("AP8=")),
            (Shape::Text, Datum::Integer(7), json!("7")),
            (Shape::Integer, Datum::Real(3.0), json!(3)),
            (Shape::Integer, Datum::Real(3.5), json!("3.5")),
            (Shape::Integer, text(" 42 "), json!(42)),
            (Shape::Integer, text("many"), json!("many")),
            (Shape::MostlyInteger, Datum::Real(3.5), json!(3.5)),
            (Shape::Number, text("12.50"), json!(12.5)),
            (Shape::Number, text("inf"), json!("inf")),
            (Shape::Boolean, Datum::Integer(1), json!(true)),
            (Shape::Boolean, Datum::Integer(2), json!("2")),
            (Shape::MostlyBoolean, Datum::Integer(2), json!(2)),
            (Shape::Object, text("{\"a\":1}"), json!({"a": 1})),
            (Shape::Object, text("[1]"), json!("[1]")),
            (Shape::Array, text("[1]"), json!([1])),
            (Shape::Array, text("[9007199254740993]"), json!(["9007199254740993"])),
            (Shape::Array, Datum::List(vec![Datum::Boolean(true), Datum::Null]), json!([true, null])),
            (Shape::Object, Datum::Json(json!({"a": u64::MAX})), json!({"a": "18446744073709551615"})),
            (Shape::Text, Datum::Json(json!({"a": 1})), json!("{\"a\":1}")),
            (Shape::Text, Datum::Json(json!("a")), json!("a")),
            (Shape::Json, Datum::Json(json!({"a": [1, "b", null]})), json!({"a": [1, "b", null]})),
            (Shape::Boolean, Datum::Boolean(false), json!(false)),
            (Shape::OnlyNumber, Datum::Real(f64::NAN), Value::Null),
            (
                Shape::OnlyList(Box::new(Shape::OnlyInteger)),
                Datum::List(vec![Datum::List(vec![Datum::Integer(1)]), Datum::List(vec![Datum::Null])]),
                json!([[1], [null]]),
            ),
        ] {
            assert_eq!(shape.convert(datum.clone()), Some(expected), "{shape:?} {datum:?}");
        }
    }
}
