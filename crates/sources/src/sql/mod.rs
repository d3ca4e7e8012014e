//! A SQL database as tools: each tool is one parameterised statement from the configuration.
//!
//! What holds for each kind of database:
//!
//! - Nothing from a caller is ever part of SQL text. Named parameters become numbered ones when
//!   the settings are read; values are bound.
//! - A tool is exactly one statement that reads or changes rows. What it does is read from the
//!   statement; a read cannot write, whatever it calls, and a write is a transaction of its own.
//! - Every statement is prepared at the start: a misspelt column is a fault of the configuration,
//!   not of a call.
//! - A result fits its output schema whatever the database holds, see `datum.rs`. Every column
//!   admits null.
//! - What a statement knows of who calls (`of_caller.rs`) comes from how they signed in. No argument
//!   can set it, and where it is not known nothing runs.
//! - A read that nobody waits for is stopped inside the database. A write that takes too long is
//!   stopped and rolled back before the call's deadline, so it stays in doubt only where the
//!   connection breaks during COMMIT; with `effects_table`, not even there, see `effects.rs`.
//!
//! What differs is in a folder per database, behind `driver.rs`: `sqlite/` and `postgres/`, each of
//! which says at its beginning what else holds for it.

mod arguments;
mod check;
mod datum;
mod driver;
mod effects;
mod introspect;
mod of_caller;
mod page;
mod postgres;
mod rows;
mod settings;
mod source;
mod sqlite;
mod statement;
mod tool;

pub use check::check;
pub use introspect::{Reference, Table, TableColumn, identifier, introspect};
pub use settings::{
    CallerParameter, CallerValue, CallerValueError, Column, DEFAULT_ROW_LIMIT, Database, Page, Parameter,
    SessionSetting, SqlFault, SqlSettings, SqlToolSettings,
};
pub use source::SqlSource;
