//! A statement as it is sent: text from the configuration and the database's own names of types,
//! values bound. No caller has a word in the text.

use std::{ops::ControlFlow, sync::Arc};

use bridgehead_core::{CallError, Fault};
use futures_util::TryStreamExt;
use sqlx::{
    Arguments as _, AssertSqlSafe, Either, Error, Executor as _, PgConnection, SqlSafeStr as _, SqlStr,
    postgres::{PgArguments, PgRow, PgTypeInfo},
};

use super::{super::datum::Datum, encode::Argument};

/// One statement, ready to be run any number of times.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Command {
    sql: Arc<str>,
    types: Arc<[PgTypeInfo]>,
    is_kept: bool,
}

/// Why a statement did not run to its end.
pub(super) enum Trouble {
    /// What the driver says.
    Database(Error),
    /// What whoever took the rows says.
    Taking(CallError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl Command {
    /// Takes SQL that comes from the configuration, and the type of each `$N` in it. `has_star`:
    /// whether the number of its columns changes with the tables; such a statement is prepared each
    /// time.
    pub(super) fn new(sql: impl Into<Arc<str>>, types: Vec<PgTypeInfo>, has_star: bool) -> Self {
        Self { sql: sql.into(), types: types.into(), is_kept: !has_star }
    }

    /// The text, as the driver wants it.
    pub(super) fn sql(&self) -> SqlStr {
        AssertSqlSafe(self.sql.clone()).into_sql_str()
    }

    /// The type of each argument.
    pub(super) fn types(&self) -> &[PgTypeInfo] {
        &self.types
    }

    /// Runs the statement and hands each row to `take`, which may say that it is enough. Answers
    /// with the number of rows that were returned or changed; `None`: it was enough, and there is
    /// more to come on this connection.
    pub(super) async fn run(
        &self,
        connection: &mut PgConnection,
        values: &[Datum],
        mut take: impl FnMut(&PgRow) -> Result<ControlFlow<()>, CallError>,
    ) -> Result<Option<u64>, Trouble> {
        let arguments = self.bind(values).map_err(Trouble::Taking)?;
        let query = sqlx::query_with(self.sql(), arguments).persistent(self.is_kept);
        let mut stream = connection.fetch_many(query);
        let mut affected = 0;
        while let Some(item) = stream.try_next().await? {
            match item {
                Either::Left(done) => affected += done.rows_affected(),
                Either::Right(row) => {
                    if take(&row).map_err(Trouble::Taking)?.is_break() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(affected))
    }

    fn bind(&self, values: &[Datum]) -> Result<PgArguments, CallError> {
        let mut arguments = PgArguments::default();
        for (value, type_info) in values.iter().zip(self.types.iter()) {
            arguments
                .add(Argument(value, type_info))
                .map_err(|error| Fault::new("binding an argument").with_cause(Error::Encode(error)))?;
        }
        Ok(arguments)
    }
}
