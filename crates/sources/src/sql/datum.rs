//! Values as the database holds them, and how each becomes JSON.
//!
//! SQLite may hold any type in any column unless its table is STRICT, and a compound SELECT may
//! mix them even then. So that every result fits its published schema, whatever the database
//! holds, each [`Shape`] is total: every type but `string` admits strings as well, and a value
//! that does not fit its column's type arrives as text. Integers beyond ±2^53 are text for the
//! same reason, since many JSON readers would round them.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Map, Number, Value, json};
use sqlx::{
    Decode, Sqlite, TypeInfo, ValueRef,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteValueRef},
};

/// The largest integer that every JSON reader takes as it is.
const MAX_EXACT: i64 = 1 << 53;

/// One value of the database.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Datum {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl Datum {
    /// Reads a result value. Text that is not UTF-8 is mended, not refused.
    pub(super) fn read(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.is_null() {
            return Ok(Self::Null);
        }
        let kind = value.type_info().name().to_owned();
        match kind.as_str() {
            "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).map(Self::Integer),
            "REAL" => <f64 as Decode<Sqlite>>::decode(value).map(Self::Real),
            "TEXT" => {
                let bytes = <&[u8] as Decode<Sqlite>>::decode(value)?;
                Ok(Self::Text(String::from_utf8_lossy(bytes).into_owned()))
            }
            _ => <Vec<u8> as Decode<Sqlite>>::decode(value).map(Self::Blob),
        }
    }

    /// Appends the value to the arguments of a statement.
    pub(super) fn bind(&self, arguments: &mut SqliteArguments) -> Result<(), BoxDynError> {
        use sqlx::Arguments as _;
        match self {
            Self::Null => arguments.add(None::<i64>),
            Self::Integer(integer) => arguments.add(*integer),
            Self::Real(real) => arguments.add(*real),
            Self::Text(text) => arguments.add(text.clone()),
            Self::Blob(bytes) => arguments.add(bytes.clone()),
        }
    }

    /// The value as text: what a person would read.
    fn into_text(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Integer(integer) => integer.to_string().into(),
            Self::Real(real) => Number::from_f64(real).map_or(Value::Null, |number| number.to_string().into()),
            Self::Text(text) => text.into(),
            Self::Blob(bytes) => BASE64.encode(bytes).into(),
        }
    }

    /// The value as it is.
    fn into_any(self) -> Value {
        match self {
            Self::Integer(integer) if (-MAX_EXACT..=MAX_EXACT).contains(&integer) => integer.into(),
            Self::Real(real) => Number::from_f64(real).map_or(Value::Null, Value::Number),
            other => other.into_text(),
        }
    }
}

/// What a result column is published as, and how its values get there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// What a column is by its declared type, as far as the table holds its columns to it. TEXT
    /// affinity turns numbers into text in any table.
    pub(super) fn from_declared(name: &str, strict: bool) -> Self {
        match (name, strict) {
            ("TEXT", _) | ("BLOB", true) => Self::Text,
            ("INTEGER", true) => Self::Integer,
            ("INTEGER", false) => Self::MostlyInteger,
            ("REAL", _) => Self::Number,
            ("BOOLEAN", _) => Self::MostlyBoolean,
            _ => Self::Any,
        }
    }

    /// The JSON Schema of the column's values.
    pub(super) fn schema(self) -> Map<String, Value> {
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
        };
        Map::from_iter([("type".to_owned(), types)])
    }

    /// The value as this column's schema allows it. Never fails: what does not fit is text.
    pub(super) fn convert(self, datum: Datum) -> Value {
        match self {
            Self::Any | Self::MostlyInteger => datum.into_any(),
            Self::Text => datum.into_text(),
            Self::Integer => integer(datum),
            Self::Number => match datum {
                Datum::Text(text) => match text.trim().parse::<f64>() {
                    Ok(number) if number.is_finite() => number.into(),
                    _ => text.into(),
                },
                other => other.into_any(),
            },
            Self::Boolean => boolean(datum).unwrap_or_else(Datum::into_text),
            Self::MostlyBoolean => boolean(datum).unwrap_or_else(Datum::into_any),
            Self::Object => parsed(datum, Value::is_object),
            Self::Array => parsed(datum, Value::is_array),
        }
    }
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
        Some(integer) if (-MAX_EXACT..=MAX_EXACT).contains(&integer) => integer.into(),
        _ => datum.into_text(),
    }
}

fn boolean(datum: Datum) -> Result<Value, Datum> {
    match &datum {
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
        Datum::Text(text) => serde_json::from_str(text).ok().filter(wanted).unwrap_or_else(|| datum.into_text()),
        _ => datum.into_text(),
    }
}

#[cfg(test)]
mod tests {
    use bridgehead_core::schema::Schema;
    use proptest::prelude::*;

    use super::*;

    const SHAPES: [Shape; 9] = [
        Shape::Any,
        Shape::Text,
        Shape::Integer,
        Shape::MostlyInteger,
        Shape::Number,
        Shape::Boolean,
        Shape::MostlyBoolean,
        Shape::Object,
        Shape::Array,
    ];

    fn any_datum() -> impl Strategy<Value = Datum> {
        prop_oneof![
            Just(Datum::Null),
            any::<i64>().prop_map(Datum::Integer),
            (-3_i64..3).prop_map(Datum::Integer),
            any::<f64>().prop_map(Datum::Real),
            (-1e17..1e17).prop_map(|real: f64| Datum::Real(real.trunc())),
            prop_oneof!["\\PC{0,8}", "[0-9]{1,20}", "[-+]?[0-9]{1,3}(\\.[0-9]{1,2})?", "true|FALSE|inf|NaN|1e999"]
                .prop_map(Datum::Text),
            prop_oneof![Just("{\"a\":[1]}"), Just("[1,null]"), Just("[")].prop_map(|text| Datum::Text(text.to_owned())),
            prop::collection::vec(any::<u8>(), 0..8).prop_map(Datum::Blob),
        ]
    }

    proptest! {
        /// D3: whatever the database holds, what goes out fits what was published.
        #[test]
        fn every_value_fits_every_shape(datum in any_datum()) {
            for shape in SHAPES {
                let value = shape.convert(datum.clone());
                let schema = Schema::compile(&shape.schema()).unwrap();
                prop_assert!(schema.accepts(&value), "{shape:?} {datum:?} {value}");
                prop_assert_eq!(value.is_null(), datum == Datum::Null || matches!(&datum, Datum::Real(real) if !real.is_finite()));
            }
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
        ] {
            assert_eq!(shape.convert(datum.clone()), expected, "{shape:?} {datum:?}");
        }
    }
}
