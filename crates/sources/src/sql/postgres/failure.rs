//! What PostgreSQL's errors mean to an agent: come back, mend the arguments, or tell the operator.
//! Of the way to the server nothing is told: no host, no user, no password.

use std::time::Duration;

use bridgehead_core::{UpstreamCode, UpstreamFailure, Verdict};
use serde_json::{Value, json};
use sqlx::{
    Error,
    postgres::{PgDatabaseError, PgSeverity},
};

/// When a call that met a lock, or a server that has no room, may come back.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where in a call something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum During {
    Read,
    Change,
}

impl During {
    /// What became of the change.
    const fn note(self) -> &'static str {
        match self {
            Self::Read => "",
            Self::Change => " Nothing was changed.",
        }
    }
}

/// A read failed.
pub(super) fn read(error: Error) -> UpstreamFailure {
    failure(error, During::Read)
}

/// A change failed before COMMIT was sent, or was certainly rolled back by it. What the database has
/// refused it will refuse again; all else may go well another time.
pub(super) fn write(error: Error) -> UpstreamFailure {
    let failure = failure(error, During::Change);
    if failure.code == UpstreamCode::Rejected { failure } else { failure.with_verdict(Verdict::Undone) }
}

/// The time of a change was up before it was done, and it was rolled back.
pub(super) fn out_of_time() -> UpstreamFailure {
    UpstreamFailure::new(
        UpstreamCode::TimedOut,
        "The change took longer than this tool may take, and was taken back. Nothing was changed. \
         Try again later, or change less at once.",
    )
    .with_verdict(Verdict::Undone)
}

/// Nothing certain came back after COMMIT was sent.
pub(super) fn uncertain() -> UpstreamFailure {
    UpstreamFailure::new(
        UpstreamCode::ConnectionLost,
        "The connection to the database broke while the change was being written, and it is not certain whether it \
         took effect. Look at what it should have changed before you call again.",
    )
    .not_retryable()
}

/// Whether the server certainly took everything back when a COMMIT failed like this: it says so,
/// and goes on. When it shuts down or the connection breaks, it may have written before.
pub(super) fn is_certain(error: &Error) -> bool {
    server_error(error).is_some_and(|error| {
        let ends = ["08", "57P", "40003", "XX"].iter().any(|class| error.code().starts_with(class));
        matches!(error.severity(), PgSeverity::Error) && !ends
    })
}

/// Whether a statement only has to be prepared anew: the tables have changed since it was, or a
/// pooler in between gave us another session.
pub(super) fn is_stale(error: &Error) -> bool {
    server_error(error).is_some_and(|error| match error.code() {
        "26000" => true,
        "0A000" => error.routine() == Some("RevalidateCachedQuery"),
        _ => false,
    })
}

/// What the server said, or else what happened on the way to it.
pub(super) fn words(error: &Error) -> String {
    server_error(error).map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

pub(super) fn server_error(error: &Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref())
}

fn failure(error: Error, during: During) -> UpstreamFailure {
    let failure = match server_error(&error) {
        Some(said) => of_the_server(said, during),
        None => of_the_way(&error, during.note()),
    };
    failure.with_cause(error)
}

/// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
fn of_the_server(said: &PgDatabaseError, during: During) -> UpstreamFailure {
    let note = during.note();
    let (code, message) = (said.code(), said.message());
    let new = |code, message: String| UpstreamFailure::new(code, message);
    match (code.get(..2).unwrap_or_default(), code) {
        ("23" | "44", _) => refused(said, note),
        ("22" | "P0", _) => new(
            UpstreamCode::Rejected,
            format!("The database refused this: {message}.{note} Change the arguments before you call again."),
        )
        .with_details(json!({"message": message})),
        (_, "42501") => new(
            UpstreamCode::Forbidden,
            format!(
                "The database does not allow this: {message}.{note} The operator of this server can ask for the right to it."
            ),
        ),
        ("40", _) | (_, "55P03" | "55006") => new(
            UpstreamCode::Busy,
            format!("The database is busy with another change.{note} Try again in {} s.", RETRY_AFTER.as_secs()),
        )
        .with_retry_after(RETRY_AFTER),
        (_, "53300" | "53400") => no_room(note),
        (_, "53100") => new(
            UpstreamCode::Unavailable,
            format!("There is no room left for the database.{note} Tell the operator of this server."),
        )
        .not_retryable(),
        (_, "57014") => match during {
            During::Change => out_of_time(),
            During::Read => new(
                UpstreamCode::TimedOut,
                "The database stopped the statement, which took longer than this tool may take. Ask for less, or try \
                 again later."
                    .into(),
            ),
        },
        ("28", _) | (_, "3D000") => new(
            UpstreamCode::Unavailable,
            format!("The database does not let this server in.{note} Tell the operator of this server."),
        )
        .not_retryable(),
        ("08" | "53" | "57", _) => {
            new(UpstreamCode::Unavailable, format!("The database cannot be reached.{note} Try again."))
        }
        (_, "25006") => new(
            UpstreamCode::Failed,
            match during {
                During::Read => format!(
                    "The statement of this tool changes something, and this tool is a read: {message}. Nothing was \
                     changed. The operator of this server can set its `effect`."
                ),
                During::Change => {
                    format!("The database can only be read: {message}.{note} Tell the operator of this server.")
                }
            },
        ),
        _ => new(UpstreamCode::Failed, format!("The database reported: {message}.{note}")),
    }
}

/// A rule of the database, by the kind of constraint.
fn refused(said: &PgDatabaseError, note: &str) -> UpstreamFailure {
    let (kind, hint) = match said.code() {
        "23502" => ("not_null", "A value is missing that the database needs."),
        "23503" => (
            "foreign_key",
            "An argument names something that does not exist, or something else still refers to what would go.",
        ),
        "23505" => ("unique", "There is a row with these values already."),
        "23514" => ("check", "A value, or what would come of it, is outside of what the database allows."),
        "23P01" => ("exclusion", "It overlaps with what is there already."),
        _ => ("constraint", "This is a rule of the database."),
    };
    let mut details = json!({"constraint": kind, "message": said.message()});
    let mut put = |name: &str, value: Option<&str>| {
        if let (Some(value), Value::Object(details)) = (value, &mut details) {
            details.insert(name.to_owned(), value.into());
        }
    };
    put("name", said.constraint());
    put("table", said.table());
    put("column", said.column());
    // For these it names the key alone; for others, the whole row.
    let key = matches!(kind, "foreign_key" | "unique").then(|| said.detail()).flatten();
    put("detail", key);
    let detail = key.map_or_else(String::new, |key| format!(" {key}"));
    UpstreamFailure::new(
        UpstreamCode::Rejected,
        format!(
            "The database refused this: {}.{detail} {hint}{note} Change the arguments before you call again.",
            said.message()
        ),
    )
    .with_details(details)
}

fn no_room(note: &str) -> UpstreamFailure {
    UpstreamFailure::new(
        UpstreamCode::Busy,
        format!("Too many calls are using the database.{note} Try again in {} s.", RETRY_AFTER.as_secs()),
    )
    .with_retry_after(RETRY_AFTER)
}

/// Errors on the way to the database, not of it.
fn of_the_way(error: &Error, note: &str) -> UpstreamFailure {
    match error {
        Error::PoolTimedOut => no_room(note),
        Error::Io(_) | Error::Tls(_) | Error::PoolClosed | Error::WorkerCrashed | Error::BeginFailed => {
            UpstreamFailure::new(UpstreamCode::Unavailable, format!("The database cannot be reached.{note} Try again."))
        }
        _ => UpstreamFailure::new(
            UpstreamCode::Failed,
            format!("The database answered what cannot be read.{note} Tell the operator of this server."),
        ),
    }
}
