//! SQLite's values, in and out.

use sqlx::{
    Column as _, Decode, Row as _, Sqlite, TypeInfo as _, ValueRef as _,
    error::BoxDynError,
    sqlite::{SqliteArguments, SqliteRow, SqliteValueRef},
};

use super::super::{
    datum::{Datum, Shape},
    rows::Row,
};

impl Row for SqliteRow {
    fn place(&self, name: &str) -> Option<usize> {
        self.columns().iter().position(|column| column.name() == name)
    }

    fn value(&self, place: usize) -> Result<Datum, sqlx::Error> {
        self.try_get_raw(place).and_then(|value| read(value).map_err(sqlx::Error::Decode))
    }

    fn key(&self, place: usize) -> Result<Datum, sqlx::Error> {
        self.value(place)
    }
}

/// Reads a result value. Text that is not UTF-8 is mended, not refused.
fn read(value: SqliteValueRef<'_>) -> Result<Datum, BoxDynError> {
    if value.is_null() {
        return Ok(Datum::Null);
    }
    let kind = value.type_info().name().to_owned();
    match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).map(Datum::Integer),
        "REAL" => <f64 as Decode<Sqlite>>::decode(value).map(Datum::Real),
        "TEXT" => {
            let bytes = <&[u8] as Decode<Sqlite>>::decode(value)?;
            Ok(Datum::Text(String::from_utf8_lossy(bytes).into_owned()))
        }
        _ => <Vec<u8> as Decode<Sqlite>>::decode(value).map(Datum::Blob),
    }
}

/// Appends a value to the arguments of a statement.
pub(super) fn bind(datum: &Datum, arguments: &mut SqliteArguments) -> Result<(), BoxDynError> {
    use sqlx::Arguments as _;
    match datum {
        Datum::Null => arguments.add(None::<i64>),
        Datum::Integer(integer) => arguments.add(*integer),
        Datum::Real(real) => arguments.add(*real),
        Datum::Text(text) => arguments.add(text.clone()),
        Datum::Blob(bytes) => arguments.add(bytes.clone()),
        Datum::Boolean(_) | Datum::Json(_) | Datum::List(_) | Datum::Foreign => {
            Err("no argument of SQLite is of this kind".into())
        }
    }
}

/// What a column is by its declared type, as far as the table holds its columns to it. TEXT
/// affinity turns numbers into text in any table.
pub(super) fn shape(declared: &str, strict: bool) -> Shape {
    match (declared, strict) {
        ("TEXT", _) | ("BLOB", true) => Shape::Text,
        ("INTEGER", true) => Shape::Integer,
        ("INTEGER", false) => Shape::MostlyInteger,
        ("REAL", _) => Shape::Number,
        ("BOOLEAN", _) => Shape::MostlyBoolean,
        _ => Shape::Any,
    }
}
