//! Values on their way in: JSON in the binary form of the type that the statement takes.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Number, Value};
use sqlx::{
    Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo},
};

use super::{
    super::{arguments::whole, datum::Datum},
    calendar,
    kind::Kind,
};

/// A value as a parameter of this kind: its bytes, or NULL.
///
/// # Errors
/// What is wrong with the value.
pub(super) fn datum(kind: &Kind, value: &Value) -> Result<Datum, String> {
    Ok(match bytes(kind, value)? {
        Some(bytes) => Datum::Blob(bytes),
        None => Datum::Null,
    })
}

/// `None`: NULL.
fn bytes(kind: &Kind, value: &Value) -> Result<Option<Vec<u8>>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let read = |read: Option<Vec<u8>>, wanted: &str| read.ok_or_else(|| format!("{value} is not {wanted}."));
    Ok(Some(match kind {
        Kind::Boolean => vec![boolean(value)?.into()],
        Kind::Int2 => (integer(value, i16::MIN.into(), i16::MAX.into())? as i16).to_be_bytes().to_vec(),
        Kind::Int4 => (integer(value, i32::MIN.into(), i32::MAX.into())? as i32).to_be_bytes().to_vec(),
        Kind::Oid => (integer(value, 0, u32::MAX.into())? as u32).to_be_bytes().to_vec(),
        Kind::Int8 => integer(value, i64::MIN, i64::MAX)?.to_be_bytes().to_vec(),
        Kind::Float4 => (real(value)? as f32).to_be_bytes().to_vec(),
        Kind::Float8 => real(value)?.to_be_bytes().to_vec(),
        Kind::Text => text(value).into_bytes(),
        Kind::Numeric | Kind::Interval | Kind::Network | Kind::Void => {
            return Err("is given as text.".into());
        }
        Kind::Uuid => read(uuid(value), "a UUID, e.g. 9b2e1c1e-5d0a-4f0e-9d57-3f6c1b1f0a11")?,
        Kind::Bytes => read(value.as_str().and_then(|text| BASE64.decode(text).ok()), "base64")?,
        Kind::Date => {
            let date = value.as_str().and_then(calendar::read_date).map(|days| days.to_be_bytes().to_vec());
            read(date, "a date. Write YYYY-MM-DD, e.g. 2026-11-20")?
        }
        Kind::Time => {
            let time = value.as_str().and_then(calendar::read_time_of_day).map(|micros| micros.to_be_bytes().to_vec());
            read(time, "a time of day. Write HH:MM:SS, e.g. 08:30:00")?
        }
        Kind::Timestamp | Kind::TimestampTz => {
            let time = value.as_str().and_then(calendar::read_time).map(|micros| micros.to_be_bytes().to_vec());
            read(time, "a time. Write RFC 3339, e.g. 2026-11-20T08:30:00Z")?
        }
        Kind::Json => value.to_string().into_bytes(),
        Kind::Jsonb => [vec![1], value.to_string().into_bytes()].concat(),
        Kind::List { item, oid } => list(item, *oid, value)?,
    }))
}

fn boolean(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text == "true" => Ok(true),
        Value::String(text) if text == "false" => Ok(false),
        _ => Err(format!("{value} is not true or false.")),
    }
}

/// Integers that are not exact in JSON may come as text, as they go out.
fn integer(value: &Value, least: i64, most: i64) -> Result<i64, String> {
    let given = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(|real| whole(real).ok())),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    given
        .filter(|given| (least..=most).contains(given))
        .ok_or_else(|| format!("{value} is not an integer between {least} and {most}."))
}

fn real(value: &Value) -> Result<f64, String> {
    let given = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    given.ok_or_else(|| format!("{value} is not a number."))
}

/// A string as it is, all else as JSON writes it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // A decimal that JSON Schema takes for an integer, such as 3.0.
        Value::Number(number) => short(number),
        other => other.to_string(),
    }
}

fn short(number: &Number) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn uuid(value: &Value) -> Option<Vec<u8>> {
    let digits: String = value.as_str()?.trim().chars().filter(|&character| character != '-').collect();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uuid.then(|| u128::from_str_radix(&digits, 16).ok()).flatten().map(|number| number.to_be_bytes().to_vec())
}

/// A list of one dimension.
fn list(item: &Kind, oid: u32, value: &Value) -> Result<Vec<u8>, String> {
    let Value::Array(items) = value else { return Err(format!("{value} is not a list.")) };
    let count = i32::try_from(items.len()).map_err(|_| "The list is too long.".to_owned())?;
    let has_nulls = i32::from(items.iter().any(Value::is_null));
    let mut list = Vec::new();
    for number in [i32::from(count > 0), has_nulls] {
        list.extend(number.to_be_bytes());
    }
    list.extend(oid.to_be_bytes());
    if count > 0 {
        list.extend(count.to_be_bytes());
        list.extend(1_i32.to_be_bytes());
    }
    for value in items {
        match bytes(item, value)? {
            None => list.extend((-1_i32).to_be_bytes()),
            Some(bytes) => {
                let length = i32::try_from(bytes.len()).map_err(|_| "An item is too long.".to_owned())?;
                list.extend(length.to_be_bytes());
                list.extend(bytes);
            }
        }
    }
    Ok(list)
}

/// One argument as it is bound: with exactly the type that the statement was prepared for.
pub(super) struct Argument<'a>(pub(super) &'a Datum, pub(super) &'a PgTypeInfo);

impl Encode<'_, Postgres> for Argument<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self.0 {
            Datum::Null => return Ok(IsNull::Yes),
            Datum::Blob(bytes) => buffer.extend(bytes),
            // The number of rows.
            Datum::Integer(integer) => buffer.extend(integer.to_be_bytes()),
            other => return Err(format!("no argument of PostgreSQL is {other:?}").into()),
        }
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.1.clone())
    }
}

impl Type<Postgres> for Argument<'_> {
    fn type_info() -> PgTypeInfo {
        <str as Type<Postgres>>::type_info()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::sql::postgres::decode;

    fn list(item: Kind) -> Kind {
        Kind::List { item: Box::new(item), oid: 0 }
    }

    /// What goes in comes out as it was.
    #[test]
    fn values_have_the_form_of_their_type() {
        for (kind, value, expected) in [
            (Kind::Boolean, json!(true), json!(true)),
            (Kind::Int2, json!(-7), json!(-7)),
            (Kind::Int4, json!(7.0), json!(7)),
            (Kind::Int8, json!("9007199254740993"), json!("9007199254740993")),
            (Kind::Int8, json!(i64::MIN), json!(i64::MIN.to_string())),
            (Kind::Oid, json!(u32::MAX), json!(u32::MAX)),
            (Kind::Float4, json!(0.1), json!(0.1)),
            (Kind::Float8, json!("1e-7"), json!(1e-7)),
            (Kind::Text, json!("it's"), json!("it's")),
            (Kind::Text, json!(3.0), json!("3")),
            (Kind::Text, json!({"a": 1}), json!("{\"a\":1}")),
            (Kind::Uuid, json!("9B2E1C1E-5D0A-4F0E-9D57-3F6C1B1F0A11"), json!("9b2e1c1e-5d0a-4f0e-9d57-3f6c1b1f0a11")),
            (Kind::Bytes, json!("AP8="), json!("AP8=")),
            (Kind::Date, json!("2024-02-29"), json!("2024-02-29")),
            (Kind::Time, json!("23:59:59.5"), json!("23:59:59.5")),
            (Kind::TimestampTz, json!("2026-11-20T09:30:00+01:00"), json!("2026-11-20T08:30:00Z")),
            (Kind::Timestamp, json!("2026-11-20T08:30:00"), json!("2026-11-20T08:30:00")),
            (Kind::Json, json!("a"), json!("a")),
            (Kind::Jsonb, json!({"a": [1, null]}), json!({"a": [1, null]})),
            (list(Kind::Text), json!(["a", null, ""]), json!(["a", null, ""])),
            (list(Kind::Int4), json!([]), json!([])),
            (list(Kind::Jsonb), json!([[1], {}]), json!([[1], {}])),
        ] {
            let Ok(Datum::Blob(bytes)) = datum(&kind, &value) else { panic!("{kind:?} {value}") };
            let read = decode::datum(&kind, &bytes).and_then(|datum| kind.shape().convert(datum));
            assert_eq!(read, Some(expected), "{kind:?} {value}");
        }
        assert_eq!(datum(&Kind::Int4, &Value::Null), Ok(Datum::Null));
    }

    #[test]
    fn what_is_not_of_the_type_is_refused() {
        for (kind, value) in [
            (Kind::Boolean, json!(1)),
            (Kind::Int2, json!(40_000)),
            (Kind::Int4, json!(1.5)),
            (Kind::Int4, json!("1; DROP TABLE t")),
            (Kind::Int8, json!(u64::MAX)),
            (Kind::Oid, json!(-1)),
            (Kind::Float8, json!("much")),
            (Kind::Uuid, json!("no")),
            (Kind::Uuid, json!("+b2e1c1e-5d0a-4f0e-9d57-3f6c1b1f0a11")),
            (Kind::Bytes, json!("*")),
            (Kind::Date, json!("tomorrow")),
            (Kind::TimestampTz, json!(1_750_000_000)),
            (list(Kind::Int4), json!(1)),
            (list(Kind::Int4), json!([[1]])),
        ] {
            assert!(datum(&kind, &value).is_err(), "{kind:?} {value}");
        }
    }

    proptest! {
        #[test]
        fn reals_come_back_as_they_were(real in prop::num::f64::NORMAL) {
            let Ok(Datum::Blob(bytes)) = datum(&Kind::Float8, &json!(real)) else { panic!() };
            prop_assert_eq!(decode::datum(&Kind::Float8, &bytes), Some(Datum::Real(real)));
        }

        #[test]
        fn no_value_makes_it_panic(text in "\\PC{0,40}") {
            for kind in [Kind::Uuid, Kind::Date, Kind::Time, Kind::TimestampTz, Kind::Bytes, Kind::Int8, Kind::Float4] {
                let _ = datum(&kind, &json!(text));
            }
        }
    }
}
