//! What PostgreSQL reports, in words for the operator. The URL is not repeated: it may hold a
//! password.

use std::{error::Error, sync::Arc};

use bridgehead_auth::{StoreError, error::Cause};

use super::NAME;

fn cause(error: impl Error + Send + Sync + 'static) -> Cause {
    Arc::new(error)
}

pub(super) fn refused(what: impl Into<String>, error: impl Error + Send + Sync + 'static) -> StoreError {
    StoreError::Unavailable { store: NAME.into(), what: what.into(), cause: Some(cause(error)) }
}

pub(super) fn unsuitable(what: impl Into<String>) -> StoreError {
    StoreError::Unsuitable { store: NAME.into(), what: what.into() }
}

pub(super) fn corrupt(what: impl Into<String>, error: Option<impl Error + Send + Sync + 'static>) -> StoreError {
    StoreError::Corrupt { store: NAME.into(), what: what.into(), cause: error.map(cause) }
}

/// SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(super) fn sql_state(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(Into::into)
}

/// Which of the three it is.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let state = match &error {
        sqlx::Error::Database(_) => sql_state(&error).unwrap_or_default(),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
            return corrupt("a row in it cannot be read. Restore a backup", Some(error));
        }
        sqlx::Error::PoolTimedOut => {
            return refused("the server cannot be reached, or no connection came free in time", error);
        }
        sqlx::Error::PoolClosed => return refused("it is closed, since the server is stopping", error),
        _ => return refused("the connection to the server failed. See that it runs and can be reached", error),
    };
    match (state.get(..2).unwrap_or_default(), state.as_str()) {
        ("28", _) => refused("the server does not accept user and password. Correct [store] url", error),
        (_, "3D000") => refused("the server has no database of this name. Make it, or correct [store] url", error),
        (_, "42501" | "3F000") => refused(
            "the user of [store] url lacks a right: it has to make tables once, and to read and write them",
            error,
        ),
        (_, "25006") => refused("the database can only be read. Name the server that takes writes", error),
        (_, "53300") => refused("the server has no room for more connections", error),
        (_, "53100") => refused("the server's disk is full. Make room", error),
        ("42", _) => {
            corrupt("tables or columns in it are not as this version made them. Restore a backup", Some(error))
        }
        (_, "57014" | "55P03") => {
            refused("another process holds a lock in it. Look for one that works for long", error)
        }
        ("40" | "53" | "57" | "08", _) => refused("the server is stopping, starting or has no room", error),
        _ => refused("PostgreSQL refused", error),
    }
}
