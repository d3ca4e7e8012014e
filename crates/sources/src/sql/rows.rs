//! Rows on their way out: collected up to the limits, and written as a result that says what was
//! left out.

use bridgehead_core::{CallError, Fault, UpstreamCode, UpstreamFailure};
use serde_json::{Map, Value, json};
use sqlx::{Column as _, Row as _, sqlite::SqliteRow};

use super::{datum::Datum, tool::OutputColumn};

/// Room for what stands beside the rows in a result: counts, a cursor, the note on what was cut.
const ROOM: usize = 512;

/// Why rows are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The result has as many rows as it may have.
    Rows,
    /// The result has as many bytes as it may have.
    Bytes,
}

/// The rows of one result.
pub(super) struct Rows<'a> {
    columns: &'a [OutputColumn],
    /// Where each column stands in the rows of the database; looked up at the first row.
    places: Option<Vec<Option<usize>>>,
    max_rows: usize,
    room: usize,
    rows: Vec<Value>,
    /// Names of key columns, and their values in the last row that was kept.
    key: &'a [String],
    last_key: Vec<Datum>,
    cut: Option<Cut>,
    missing: u64,
    missing_bytes: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(columns: &'a [OutputColumn], key: &'a [String], max_rows: usize, max_bytes: usize) -> Self {
        Self {
            columns,
            places: None,
            max_rows,
            room: max_bytes.saturating_sub(ROOM),
            rows: Vec::new(),
            key,
            last_key: Vec::new(),
            cut: None,
            missing: 0,
            missing_bytes: 0,
        }
    }

    pub(super) const fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Takes one row. The first one is always kept; where it alone is too large, the pipeline
    /// shortens its texts.
    ///
    /// # Errors
    /// The row cannot be read, or it has the same page key as the one before, so that the next
    /// page could not begin behind it.
    pub(super) fn take(&mut self, row: &SqliteRow) -> Result<(), CallError> {
        let key = self.key.iter().map(|name| read(row, place(row, name))).collect::<Result<Vec<_>, _>>()?;
        let mut object = Map::with_capacity(self.columns.len());
        let places =
            self.places.get_or_insert_with(|| self.columns.iter().map(|column| place(row, &column.name)).collect());
        for (column, place) in self.columns.iter().zip(places.iter()) {
            object.insert(column.name.clone(), column.shape.convert(read(row, *place)?));
        }
        let row = Value::Object(object);
        let bytes = row.to_string().len() + 1;
        // The cursor is the key once more, in base64.
        let needed = bytes + key.iter().map(size).sum::<usize>() * 4 / 3;
        let cut = match self.cut {
            Some(cut) => Some(cut),
            None if self.rows.len() >= self.max_rows => Some(Cut::Rows),
            None if needed > self.room && !self.rows.is_empty() => Some(Cut::Bytes),
            None => None,
        };
        if let Some(cut) = cut {
            if !key.is_empty() && self.missing == 0 && key == self.last_key {
                return Err(UpstreamFailure::new(
                    UpstreamCode::Failed,
                    format!(
                        "Two rows have the same page key ({}), so no page can begin between them. \
                         The operator of this server must add a column to `page.key`.",
                        self.key.join(", ")
                    ),
                )
                .into());
            }
            self.cut = Some(cut);
            self.missing += 1;
            self.missing_bytes += bytes;
            return Ok(());
        }
        self.room = self.room.saturating_sub(bytes);
        self.rows.push(row);
        self.last_key = key;
        Ok(())
    }

    /// The key of the last row that was kept.
    pub(super) fn last_key(&self) -> &[Datum] {
        &self.last_key
    }

    /// `rows` and `row_count`, with a note where the statement was stopped early. How many rows
    /// there would have been is not known.
    pub(super) fn into_read(self, has_parameters: bool) -> Map<String, Value> {
        let count = self.rows.len();
        let mut result = Map::new();
        result.insert("rows".into(), self.rows.into());
        result.insert("row_count".into(), count.into());
        if let Some(cut) = self.cut {
            let reason = match cut {
                Cut::Rows => format!("Only the first {count} rows are here, and there are more."),
                Cut::Bytes => format!("Only the first {count} rows are here: all of them would be too large."),
            };
            let mend = if has_parameters {
                "Narrow the arguments so that fewer rows match."
            } else {
                "This tool cannot return the others; its operator can give it pages or a parameter."
            };
            result.insert("_omitted".into(), json!({"next": format!("{reason} {mend}")}));
        }
        result
    }

    /// `rows`, `row_count` and `next_cursor`.
    pub(super) fn into_page(self, next_cursor: Option<String>) -> Map<String, Value> {
        let count = self.rows.len();
        let mut result = Map::new();
        result.insert("rows".into(), self.rows.into());
        result.insert("row_count".into(), count.into());
        result.insert("next_cursor".into(), next_cursor.into());
        if self.cut == Some(Cut::Bytes) {
            let next = "The page ends early, as more rows would be too large. Nothing is lost: call again with cursor = next_cursor.";
            result.insert("_omitted".into(), json!({"next": next}));
        }
        result
    }

    /// `affected`, and `rows` where the statement returns any. All rows were seen, so what is
    /// missing is counted.
    pub(super) fn into_write(self, affected: u64) -> Map<String, Value> {
        let mut result = Map::new();
        result.insert("affected".into(), affected.into());
        if !self.columns.is_empty() {
            result.insert("rows".into(), self.rows.into());
        }
        if self.cut.is_some() {
            result.insert(
                "_omitted".into(),
                json!({
                    "rows": self.missing,
                    "bytes": self.missing_bytes,
                    "next": "The change is complete; only its list of rows is cut. Read the others with another tool.",
                }),
            );
        }
        result
    }
}

/// How many bytes a key column may take in a cursor.
fn size(datum: &Datum) -> usize {
    match datum {
        Datum::Null => 8,
        Datum::Integer(_) | Datum::Real(_) => 32,
        // Quotes and control characters are escaped.
        Datum::Text(text) => Value::from(text.as_str()).to_string().len() + 4,
        Datum::Blob(bytes) => bytes.len() * 4 / 3 + 16,
    }
}

/// Where a column stands. The table behind a `SELECT *` may have lost it since the start.
fn place(row: &SqliteRow, name: &str) -> Option<usize> {
    row.columns().iter().position(|column| column.name() == name)
}

fn read(row: &SqliteRow, place: Option<usize>) -> Result<Datum, CallError> {
    let Some(place) = place else { return Ok(Datum::Null) };
    row.try_get_raw(place)
        .and_then(|value| Datum::read(value).map_err(sqlx::Error::Decode))
        .map_err(|error| Fault::new("reading a row").with_cause(error).into())
}
