//! What the configuration says about a database and its tools, as plain data. Nothing is checked
//! here: [`super::check`] and [`super::SqlSource::open`] do that, and answer with [`SqlFault`]s.

use std::path::PathBuf;

use bridgehead_core::{Effect, Secret};
use serde_json::{Map, Value};

pub use super::of_caller::{CallerValue, CallerValueError};
pub use crate::{fault::SourceFault as SqlFault, parameter::Parameter};

/// How many rows a tool without pages returns at most, where its settings do not say.
pub const DEFAULT_ROW_LIMIT: usize = 200;

/// One database and the tools in front of it.
#[derive(Debug, Clone, PartialEq)]
pub struct SqlSettings {
    /// The source's name in the configuration.
    pub name: String,
    /// The database.
    pub database: Database,
    /// Whether the database itself remembers effects, in the table `bridgehead_effects`. It is made where
    /// it is not there.
    pub effects_table: bool,
    /// The tools, in the order in which they are listed.
    pub tools: Vec<SqlToolSettings>,
}

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file.
    Sqlite {
        /// The file. A relative path is relative to the working directory of the process.
        path: PathBuf,
        /// SQL that is run once, when the file does not exist.
        seed: Option<PathBuf>,
    },
    /// A database on a PostgreSQL server, version 12 or newer.
    Postgres {
        /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`. What it leaves out is taken from
        /// libpq's variables (`PGHOST`, `PGPASSWORD` …) and password file.
        url: Secret,
        /// What every statement finds under these names with `current_setting`, as the policies of
        /// row level security do: set in its transaction, and gone with it.
        session: Vec<SessionSetting>,
    },
}

/// A setting of the transaction of every statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSetting {
    /// Its name, with a dot in it, for example `app.subject`.
    pub name: String,
    /// What it is set to: text as it is, all else as JSON.
    pub from: CallerValue,
}

/// A parameter that no caller gives: who calls decides.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerParameter {
    /// Its name in the statement.
    pub name: String,
    /// Where its value comes from.
    pub from: CallerValue,
    /// JSON Schema of the value. A caller of whom something else is known cannot call the tool.
    pub schema: Map<String, Value>,
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
    /// Exactly one SELECT, VALUES, INSERT, REPLACE, UPDATE, DELETE or MERGE. Parameters are `:name`;
    /// SQLite also takes `@name` and `$name`.
    pub sql: String,
    /// The parameters that callers give. `sql` uses each of these and of `of_caller`, and no other.
    pub parameters: Vec<Parameter>,
    /// The parameters that who calls decides. They are not published, and an argument of their name
    /// is unknown.
    pub of_caller: Vec<CallerParameter>,
    /// What is known of result columns beyond what the database says.
    pub columns: Vec<Column>,
    /// Cuts the rows of a read into pages.
    pub page: Option<Page>,
    /// How many rows a result without pages has at most.
    pub row_limit: usize,
    /// Makes the effect more careful than what the statement says (`read` < `write` <
    /// `destructive`), never less. On PostgreSQL a SELECT that calls a function which changes
    /// something needs it: it then runs in a transaction that may write.
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
            of_caller: Vec::new(),
            columns: Vec::new(),
            page: None,
            row_limit: DEFAULT_ROW_LIMIT,
            effect: None,
            scope: None,
            idempotent: None,
        }
    }
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
