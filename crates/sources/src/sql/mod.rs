//! A SQLite database as tools: each tool is one parameterised statement from the configuration.
//!
//! What holds:
//!
//! - Nothing from a caller is ever part of SQL text. Named parameters become numbered ones when
//!   the settings are read; values are bound.
//! - A tool is exactly one statement that reads or changes rows. What it does is read from the
//!   statement; reads run on connections that cannot write (`SQLITE_OPEN_READONLY` and
//!   `query_only`), writes in a transaction each.
//! - Every statement is prepared at the start: a misspelt column is a fault of the configuration,
//!   not of a call.
//! - A result fits its output schema whatever the database holds, see `datum.rs`: TEXT columns
//!   are strings; INTEGER columns of STRICT tables are integers, or strings beyond ±2^53; other
//!   columns are any scalar, as SQLite enforces nothing there, unless `columns` says what they
//!   are. BLOB is base64, an infinite real is null, and every column admits null.
//! - A read that nobody waits for is stopped inside SQLite. A write that takes too long is
//!   stopped and rolled back before the call's deadline, so it never stays in doubt.
//! - A database file that is deleted or replaced under the running server is noticed.
//!
//! The journal mode stays as it is. Only SQLite so far; the statement reader, settings and faults
//! know nothing of it but the dialect.

mod arguments;
mod check;
mod command;
mod connect;
mod datum;
mod failure;
mod page;
mod rows;
mod seed;
mod settings;
mod source;
mod statement;
mod tool;

pub use check::check;
pub use settings::{Column, DEFAULT_ROW_LIMIT, Page, Parameter, SqlFault, SqlSettings, SqlToolSettings};
pub use source::SqlSource;
