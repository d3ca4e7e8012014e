//! What the configuration says about a database and its tools, as plain data. Nothing is checked
//! here: [`super::check`] and [`super::SqlSource::open`] do that, and answer with [`SqlFault`]s.

use std::{fmt, path::PathBuf};

use bridgehead_core::Effect;
use serde_json::{Map, Value};

/// How many rows a tool without pages returns at most, where its settings do not say.
pub const DEFAULT_ROW_LIMIT: usize = 200;

/// One SQLite database and the tools in front of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlSettings {
    /// The source's name in the configuration.
    pub name: String,
    /// The database file. A relative path is relative to the working directory of the process.
    pub database: PathBuf,
    /// SQL that is run once, when the database file does not exist.
    pub seed: Option<PathBuf>,
    /// The tools, in the order in which they are listed.
    pub tools: Vec<SqlToolSettings>,
}

/// One tool: one parameterised statement.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlToolSettings {
    /// Its name within the source.
    pub name: String,
    /// A short name for people.
    pub title: Option<String>,
    /// All that an agent sees of it.
    pub description: String,
    /// Exactly one SELECT, VALUES, INSERT, REPLACE, UPDATE or DELETE. Parameters are `:name`,
    /// `@name` or `$name`.
    pub sql: String,
    /// Every parameter that `sql` uses, and no other.
    pub parameters: Vec<Parameter>,
    /// What is known of result columns beyond what the database says.
    pub columns: Vec<Column>,
    /// Cuts the rows of a read into pages.
    pub page: Option<Page>,
    /// How many rows a result without pages has at most.
    pub row_limit: usize,
    /// Makes the effect more careful than what the statement says (`read` < `write` <
    /// `destructive`), never less.
    pub effect: Option<Effect>,
    /// The scope a caller needs; the effect's own where `None`.
    pub scope: Option<String>,
    /// Whether a repeat with the same arguments changes nothing more. `None`: reads do not.
    pub idempotent: Option<bool>,
}

impl SqlToolSettings {
    /// A tool without parameters, pages and notes on its columns.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>, sql: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            sql: sql.into(),
            parameters: Vec::new(),
            columns: Vec::new(),
            page: None,
            row_limit: DEFAULT_ROW_LIMIT,
            effect: None,
            scope: None,
            idempotent: None,
        }
    }
}

/// One parameter of a statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name in the statement, without `:`.
    pub name: String,
    /// JSON Schema 2020-12 of its value. The members `type`, `format` (`date`, `date-time`) and
    /// `default` also say how the value is checked and bound.
    pub schema: Map<String, Value>,
    /// Whether a caller must give it. One with a default is never required.
    pub required: bool,
}

/// What is known of one result column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the result.
    pub name: String,
    /// JSON type of its values: `string`, `integer`, `number`, `boolean`, `object` or `array`.
    /// Values are converted to it; `None`: as the database declares the column.
    pub type_: Option<String>,
    /// What it means.
    pub description: Option<String>,
}

/// Pages in ascending order of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Result columns that together name a row: no two rows have the same values.
    pub key: Vec<String>,
    /// The largest number of rows on one page, and how many there are unless a caller asks for
    /// fewer.
    pub size: usize,
}

/// One thing wrong with the settings, the seed or the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFault {
    /// Keys below the source's own table, for example `tools`, `find_stock`, `sql`.
    pub path: Vec<String>,
    /// What is wrong and how to mend it.
    pub message: String,
}

impl SqlFault {
    pub(super) fn new(path: &[&str], message: impl Into<String>) -> Self {
        Self { path: path.iter().map(|&key| key.to_owned()).collect(), message: message.into() }
    }
}

impl fmt::Display for SqlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.message)
    }
}

impl std::error::Error for SqlFault {}
