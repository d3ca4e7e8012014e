//! What SQLite reports, in words for the operator.

use std::{error::Error, path::Path, sync::Arc};

use bridgehead_auth::{StoreError, error::Cause};
use sqlx::error::DatabaseError;

fn name(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn cause(error: impl Error + Send + Sync + 'static) -> Cause {
    Arc::new(error)
}

pub(super) fn unavailable(path: &Path, what: impl Into<String>) -> StoreError {
    StoreError::Unavailable { store: name(path), what: what.into(), cause: None }
}

pub(super) fn refused(path: &Path, what: impl Into<String>, error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable { store: name(path), what: what.into(), cause: Some(cause(error)) }
}

pub(super) fn unsuitable(path: &Path, what: impl Into<String>) -> StoreError {
    StoreError::Unsuitable { store: name(path), what: what.into() }
}

pub(super) fn corrupt(
    path: &Path,
    what: impl Into<String>,
    error: Option<impl Error + Send + Sync + 'static>,
) -> StoreError {
    StoreError::Corrupt { store: name(path), what: what.into(), cause: error.map(cause) }
}

/// SQLite's primary result code (<https://www.sqlite.org/rescode.html>).
fn primary_code(error: &dyn DatabaseError) -> Option<i32> {
    let extended: i32 = error.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether another process holds the lock.
pub(super) fn is_busy(error: &dyn DatabaseError) -> bool {
    matches!(primary_code(error), Some(5 | 6))
}

/// Which of the three it is, by SQLite's result code.
pub(super) fn store_error(path: &Path, error: sqlx::Error) -> StoreError {
    let code = match &error {
        sqlx::Error::Database(reported) => primary_code(&**reported),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            return corrupt(path, "a row in it cannot be read. Restore a backup", Some(error));
        }
        sqlx::Error::PoolTimedOut => {
            return refused(path, "it is too busy: no connection came free in time", error);
        }
        sqlx::Error::PoolClosed => return refused(path, "it is closed, since the server is stopping", error),
        _ => None,
    };
    match code {
        Some(5 | 6) => refused(path, "another process holds its lock. Look for one that writes for long", error),
        Some(8) => {
            refused(path, "it is read-only. Give the server the right to write the file and its directory", error)
        }
        Some(10) => refused(path, "the disk reported an error. Look at the system's log", error),
        Some(13) => refused(path, "the disk is full. Make room", error),
        Some(3 | 14 | 23) => refused(
            path,
            "the file cannot be opened. Look whether it is there, and whether the server may read and write it and its directory",
            error,
        ),
        Some(11) => corrupt(path, "SQLite finds the file damaged. Restore a backup", Some(error)),
        Some(26) => corrupt(path, "the file is no SQLite database. Name another in [store] url", Some(error)),
        Some(1) => {
            corrupt(path, "tables or columns in it are not as this version made them. Restore a backup", Some(error))
        }
        Some(_) | None => refused(path, "SQLite refused", error),
    }
}
