//! Pages by key order: the statements of a tool with pages, and the cursor that says where the next
//! page begins. How the statements are written is the driver's.
//!
//! A cursor is the key of the last row, as it was in the database, with a checksum over it, the
//! tool and the arguments: it is no secret and no permission, and the checksum only tells a
//! mistyped or misplaced one from a good one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use super::datum::Datum;

/// The two or three statements of a tool with pages. Behind the statement's own parameters they
/// take the number of rows, and then the key of the row before.
#[derive(Debug, Clone)]
pub(super) struct Paged<Command> {
    pub(super) first: Command,
    pub(super) next: Command,
    /// As `next`, for a key with NULL in it, which compares with nothing.
    pub(super) next_after_null: Command,
}

impl<Command> Paged<Command> {
    /// The statement that continues behind `key`.
    pub(super) fn behind(&self, key: &[Datum]) -> &Command {
        if key.contains(&Datum::Null) { &self.next_after_null } else { &self.next }
    }
}

/// A name as it stands in SQL, whatever it is made of.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Writes the cursor that continues behind `key`.
pub(super) fn cursor(tool: &str, arguments: &[Datum], key: &[Datum]) -> String {
    let key: Vec<Value> = key.iter().map(to_json).collect();
    let text = json!([checksum(tool, arguments, &key), key]).to_string();
    BASE64.encode(text)
}

/// Reads a cursor back. `None`: it is not one, or not one of this tool, these arguments and a key
/// of this many columns.
pub(super) fn read_cursor(tool: &str, arguments: &[Datum], columns: usize, cursor: &str) -> Option<Vec<Datum>> {
    let bytes = BASE64.decode(cursor.trim()).ok()?;
    let (sum, key): (u32, Vec<Value>) = serde_json::from_slice(&bytes).ok()?;
    if sum != checksum(tool, arguments, &key) || key.len() != columns {
        return None;
    }
    key.iter().map(from_json).collect()
}

fn checksum(tool: &str, arguments: &[Datum], key: &[Value]) -> u32 {
    let arguments: Vec<Value> = arguments.iter().map(to_json).collect();
    crc32fast::hash(json!([tool, arguments, key]).to_string().as_bytes())
}

/// Exact and unambiguous: a real by its bits, since JSON has no infinity and readers round.
fn to_json(datum: &Datum) -> Value {
    match datum {
        Datum::Null => Value::Null,
        Datum::Integer(integer) => (*integer).into(),
        Datum::Real(real) => json!({"r": format!("{:016x}", real.to_bits())}),
        Datum::Text(text) => text.as_str().into(),
        Datum::Blob(bytes) => json!({"b": BASE64.encode(bytes)}),
        // Neither a key nor an argument is any of these.
        Datum::Boolean(_) | Datum::Json(_) | Datum::List(_) | Datum::Foreign => json!({}),
    }
}

fn from_json(value: &Value) -> Option<Datum> {
    Some(match value {
        Value::Null => Datum::Null,
        Value::Number(number) => Datum::Integer(number.as_i64()?),
        Value::String(text) => Datum::Text(text.clone()),
        Value::Object(object) => match (object.get("r"), object.get("b")) {
            (Some(Value::String(bits)), None) => Datum::Real(f64::from_bits(u64::from_str_radix(bits, 16).ok()?)),
            (None, Some(Value::String(bytes))) => Datum::Blob(BASE64.decode(bytes).ok()?),
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_datum() -> impl Strategy<Value = Datum> {
        prop_oneof![
            Just(Datum::Null),
            any::<i64>().prop_map(Datum::Integer),
            // NaN is NULL in SQLite.
            prop::num::f64::NORMAL.prop_map(Datum::Real),
            Just(Datum::Real(f64::INFINITY)),
            any::<String>().prop_map(Datum::Text),
            prop::collection::vec(any::<u8>(), 0..16).prop_map(Datum::Blob),
        ]
    }

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(
            key in prop::collection::vec(any_datum(), 1..4),
            arguments in prop::collection::vec(any_datum(), 0..3),
        ) {
            let text = cursor("t", &arguments, &key);
            prop_assert_eq!(read_cursor("t", &arguments, key.len(), &text), Some(key.clone()));
            prop_assert_eq!(read_cursor("u", &arguments, key.len(), &text), None);
            prop_assert_eq!(read_cursor("t", &arguments, key.len() + 1, &text), None);
        }

        #[test]
        fn what_is_not_a_cursor_is_told_apart(text in "\\PC{0,60}", at in 0_usize..40, other in "[A-Za-z0-9_-]") {
            prop_assert_eq!(read_cursor("t", &[], 1, &text), None);
            let good = cursor("t", &[], &[Datum::Text("A-1001".into())]);
            let mut bad = good.clone();
            let at = at.min(bad.len() - 1);
            bad.replace_range(at..=at, &other);
            if bad != good {
                prop_assert_eq!(read_cursor("t", &[], 1, &bad), None);
            }
        }
    }
}
