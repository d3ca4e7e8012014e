//! A statement as it is sent: text from the configuration, values bound. No caller has a word in
//! the text.

use std::{ops::ControlFlow, sync::Arc};

use bridgehead_core::{CallError, Fault, UpstreamFailure};
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Either, Error, Executor as _, SqlSafeStr as _, SqlStr, SqliteConnection,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::{super::datum::Datum, value};

/// One statement, ready to be run any number of times.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Command {
    sql: Arc<str>,
    has_star: bool,
}

impl Command {
    /// Takes SQL that comes from the configuration; `has_star`: whether it may have a `*` for
    /// columns.
    pub(super) fn new(sql: impl Into<Arc<str>>, has_star: bool) -> Self {
        Self { sql: sql.into(), has_star }
    }

    /// The text, as the driver wants it.
    pub(super) fn sql(&self) -> SqlStr {
        AssertSqlSafe(self.sql.clone()).into_sql_str()
    }

    /// Runs the statement and hands each row to `take`, which may say that it is enough. Answers
    /// with the number of rows that were changed.
    ///
    /// # Errors
    /// What `failure` makes of the database's error, or the error of `take`.
    pub(super) async fn run(
        &self,
        connection: &mut SqliteConnection,
        values: &[Datum],
        failure: fn(Error) -> UpstreamFailure,
        mut take: impl FnMut(&SqliteRow) -> Result<ControlFlow<()>, CallError>,
    ) -> Result<u64, CallError> {
        let arguments = bind(values)?;
        if self.has_star {
            // The driver (sqlx-sqlite 0.9) counts the columns before SQLite notices that the
            // tables have changed, and its thread panics when there are more in the end. Looking
            // at the schema first makes SQLite notice.
            let look = sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1");
            look.execute(&mut *connection).await.map_err(failure)?;
        }
        let query = sqlx::query_with(self.sql(), arguments).persistent(!self.has_star);
        let mut stream = connection.fetch_many(query);
        while let Some(item) = stream.try_next().await.map_err(failure)? {
            match item {
                Either::Left(done) => return Ok(done.rows_affected()),
                Either::Right(row) => {
                    if take(&row)?.is_break() {
                        return Ok(0);
                    }
                }
            }
        }
        // Without its last word the statement did not end: the driver's thread is gone.
        Err(failure(Error::WorkerCrashed).into())
    }
}

fn bind(values: &[Datum]) -> Result<SqliteArguments, CallError> {
    let mut arguments = SqliteArguments::default();
    for datum in values {
        value::bind(datum, &mut arguments)
            .map_err(|error| Fault::new("binding an argument").with_cause(Error::Encode(error)))?;
    }
    Ok(arguments)
}
