//! What SQLite's errors mean to an agent: come back, mend the arguments, or tell the operator.
//! SQLite's own words hold no secret; the path of the file stays in the log.

use std::{io, time::Duration};

use bridgehead_core::{UpstreamCode, UpstreamFailure, Verdict};
use serde_json::json;
use sqlx::Error;

/// When a call that met a lock may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Primary result codes (<https://www.sqlite.org/rescode.html>).
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const INTERRUPT: i32 = 9;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const AUTH: i32 = 23;
    pub(super) const NOTADB: i32 = 26;
    /// Extended: the file was moved away under an open connection.
    pub(super) const READONLY_DBMOVED: i32 = 1032;
}

/// The database file cannot be looked at.
pub(super) fn gone(error: io::Error) -> UpstreamFailure {
    UpstreamFailure::new(
        UpstreamCode::Unavailable,
        "The database is not there: its file is missing or cannot be read. Tell the operator of this server.",
    )
    .with_cause(error)
}

/// A read failed.
pub(super) fn read(error: Error) -> UpstreamFailure {
    failure(error, "")
}

/// A write failed, and was rolled back. What the database has refused it will refuse again; all else
/// may go well another time.
pub(super) fn write(error: Error) -> UpstreamFailure {
    let failure = failure(error, " Nothing was changed.");
    if failure.code == UpstreamCode::Rejected { failure } else { failure.with_verdict(Verdict::Undone) }
}

/// The time of a write was up before it was done, and it was rolled back.
pub(super) fn out_of_time() -> UpstreamFailure {
    UpstreamFailure::new(
        UpstreamCode::TimedOut,
        "The change took longer than this tool may take, and was taken back. Nothing was changed. \
         Try again later, or change less at once.",
    )
    .with_verdict(Verdict::Undone)
}

/// The end of a transaction failed in a way that leaves open whether it was written.
pub(super) fn uncertain(error: Error) -> UpstreamFailure {
    UpstreamFailure::new(
        UpstreamCode::Failed,
        "The database failed while the change was being written, and it is not certain whether it took effect. \
         Look at what it should have changed before you call again.",
    )
    .with_cause(error)
}

/// Whether SQLite certainly wrote nothing when a COMMIT failed like this.
pub(super) fn is_certain(error: &Error) -> bool {
    matches!(result_code(error).map(|code| code & 0xff), Some(code::BUSY | code::LOCKED | code::CONSTRAINT))
}

/// What the database said, or else what happened on the way to it.
pub(super) fn words(error: &Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

/// The extended result code.
fn result_code(error: &Error) -> Option<i32> {
    error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse().ok())
}

fn failure(error: Error, note: &str) -> UpstreamFailure {
    let Some(extended) = result_code(&error) else { return of_the_way(error, note) };
    let said = words(&error);
    let new = |code, message: String| UpstreamFailure::new(code, message);
    match (extended, extended & 0xff) {
        (_, code::BUSY | code::LOCKED) => new(
            UpstreamCode::Busy,
            format!("The database is busy with another change.{note} Try again in {} s.", RETRY_AFTER.as_secs()),
        )
        .with_retry_after(RETRY_AFTER),
        (_, code::CONSTRAINT | code::MISMATCH) => refused(extended, &said, note),
        (_, code::INTERRUPT) => out_of_time(),
        (_, code::FULL) => new(
            UpstreamCode::Unavailable,
            format!("There is no room left for the database.{note} Tell the operator of this server."),
        )
        .not_retryable(),
        (code::READONLY_DBMOVED, _) | (_, code::CANTOPEN | code::IOERR | code::PERM | code::AUTH) => new(
            UpstreamCode::Unavailable,
            format!("The database file cannot be read.{note} Tell the operator of this server."),
        ),
        (_, code::NOTADB | code::CORRUPT) => new(
            UpstreamCode::Unavailable,
            format!("The database file is damaged, or is not a database.{note} Tell the operator of this server."),
        )
        .not_retryable(),
        (_, code::READONLY) => new(
            UpstreamCode::Failed,
            format!("The server may not write to the database.{note} Tell the operator of this server."),
        ),
        _ => new(UpstreamCode::Failed, format!("The database reported: {said}.{note}")),
    }
    .with_cause(error)
}

/// A rule of the database, by the kind of constraint.
fn refused(extended: i32, said: &str, note: &str) -> UpstreamFailure {
    let (kind, hint) = match extended {
        275 => ("check", "A value, or what would come of it, is outside of what the database allows."),
        787 => (
            "foreign_key",
            "An argument names something that does not exist, or something else still refers to what would go.",
        ),
        1299 => ("not_null", "A value is missing that the database needs."),
        1555 | 2067 | 2579 => ("unique", "There is a row with these values already."),
        1811 => ("trigger", "This is a rule of the database."),
        3091 | code::MISMATCH => ("type", "A value has another type than its column."),
        _ => ("constraint", "This is a rule of the database."),
    };
    UpstreamFailure::new(
        UpstreamCode::Rejected,
        format!("The database refused this: {said}. {hint}{note} Change the arguments before you call again."),
    )
    .with_details(json!({"constraint": kind, "message": said}))
}

/// Errors on the way to the database, not of it.
fn of_the_way(error: Error, note: &str) -> UpstreamFailure {
    match error {
        Error::PoolTimedOut => UpstreamFailure::new(
            UpstreamCode::Busy,
            format!("Too many calls are using the database.{note} Try again in {} s.", RETRY_AFTER.as_secs()),
        )
        .with_retry_after(RETRY_AFTER),
        Error::Io(_) | Error::PoolClosed | Error::WorkerCrashed => {
            UpstreamFailure::new(UpstreamCode::Unavailable, format!("The database cannot be reached.{note} Try again."))
        }
        _ => UpstreamFailure::new(
            UpstreamCode::Failed,
            format!("The database answered what cannot be read.{note} Tell the operator of this server."),
        ),
    }
    .with_cause(error)
}
