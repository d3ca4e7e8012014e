//! Rows on their way out: collected up to the limits, and written as a result that says what was
//! left out.

use bridgehead_core::{CallError, Fault, UpstreamCode, UpstreamFailure, Verdict};
use serde_json::{Map, Value, json};

use super::{
    datum::Datum,
    tool::{Answer, OutputColumn},
};

/// Room for what stands beside the rows in a result: counts, a cursor, the note on what was cut.
const ROOM: usize = 512;

/// A row as a driver gives it.
pub(super) trait Row {
    /// Where a column stands. The table behind a `SELECT *` may have lost it since the start.
    fn place(&self, name: &str) -> Option<usize>;

    /// The value at a place.
    ///
    /// # Errors
    /// It is not what its type says.
    fn value(&self, place: usize) -> Result<Datum, sqlx::Error>;

    /// The value at a place, as it is bound again for the page behind this row.
    ///
    /// # Errors
    /// As [`Row::value`].
    fn key(&self, place: usize) -> Result<Datum, sqlx::Error>;
}

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
    /// The row cannot be read or no longer fits what was published, or it has the same page key as
    /// the one before, so that the next page could not begin behind it.
    pub(super) fn take(&mut self, row: &impl Row) -> Result<(), CallError> {
        let keys = self.key.iter().map(|name| row.place(name).map_or(Ok(Datum::Null), |place| row.key(place)));
        let key = keys.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        let mut object = Map::with_capacity(self.columns.len());
        let places =
            self.places.get_or_insert_with(|| self.columns.iter().map(|column| row.place(&column.name)).collect());
        for (column, place) in self.columns.iter().zip(places.iter()) {
            let datum = place.map_or(Ok(Datum::Null), |place| row.value(place)).map_err(unreadable)?;
            let value = column.shape.convert(datum).ok_or_else(|| changed(&column.name))?;
            object.insert(column.name.clone(), value);
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

    /// What a change answers; the rows go with it. All rows were seen, so what is missing is counted.
    pub(super) fn take_write(&mut self, answer: Answer, affected: u64) -> Map<String, Value> {
        let mut result = Map::new();
        let rows = std::mem::take(&mut self.rows);
        match answer {
            Answer::Affected => {
                result.insert("affected".into(), affected.into());
                if !self.columns.is_empty() {
                    result.insert("rows".into(), rows.into());
                }
            }
            Answer::Rows => {
                let count = rows.len();
                result.insert("rows".into(), rows.into());
                result.insert("row_count".into(), count.into());
            }
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
        // None of these is a key.
        Datum::Boolean(_) | Datum::Json(_) | Datum::List(_) | Datum::Foreign => 0,
    }
}

fn unreadable(error: sqlx::Error) -> CallError {
    Fault::new("reading a row").with_cause(error).into()
}

fn changed(column: &str) -> CallError {
    UpstreamFailure::new(
        UpstreamCode::Failed,
        format!(
            "The column `{column}` no longer has the type that it had when this server started. \
             The operator of this server must restart it."
        ),
    )
    // A change is taken back where its rows cannot be told.
    .with_verdict(Verdict::Undone)
    .into()
}
