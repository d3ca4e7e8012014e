//! SQLite: a file.
//!
//! What holds beyond the source in general:
//!
//! - Reads run on connections that cannot write (`SQLITE_OPEN_READONLY` and `query_only`).
//! - TEXT columns are strings; INTEGER columns of STRICT tables are integers, or strings beyond
//!   ±2^53; other columns are any scalar, as SQLite enforces nothing there, unless `columns` says
//!   what they are. BLOB is base64, an infinite real is null.
//! - A database file that is deleted or replaced under the running server is noticed. The journal
//!   mode stays as it is.

mod arguments;
mod command;
mod connect;
mod failure;
mod introspect;
mod page;
mod prepare;
mod seed;
mod value;

#[cfg(test)]
mod tests;

use std::{ops::ControlFlow, path::Path, sync::Arc};

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, Clock};
use futures_util::future::BoxFuture;
use serde_json::Value;
use sqlparser::dialect::SQLiteDialect;
use sqlx::{Connection as _, SqliteConnection, Transaction, sqlite::SqliteRow};

pub(in crate::sql) use introspect::introspect;

use self::{
    command::Command,
    connect::{File, Running},
};
use super::{
    arguments::Bound,
    check::Plan,
    datum::Datum,
    driver::Driver,
    rows::Rows,
    settings::SqlFault,
    source::{after, time_for_change},
    statement::Dialect,
    tool::Tool,
};

/// How SQLite writes its SQL.
pub(super) const DIALECT: Dialect =
    Dialect { grammar: &SQLiteDialect {}, at_sign: true, dollar: true, slices: false, operators: &[] };

/// What can be said of the path without looking at it.
///
/// # Errors
/// It names no file.
pub(super) fn check(path: &Path) -> Result<(), String> {
    let text = path.to_string_lossy();
    if text.is_empty() || text.starts_with(":memory:") {
        return Err("A database in memory is lost at each start, and each connection has another one. Name a file: \
                    url = \"sqlite:NAME.db\"."
            .into());
    }
    Ok(())
}

/// One SQLite file.
pub(super) struct Sqlite {
    file: File,
    clock: Arc<dyn Clock>,
}

impl Sqlite {
    /// Opens the file, made from its seed where there is none and it may be made. `None`: it may
    /// not, and would have to be.
    ///
    /// # Errors
    /// The file or its seed cannot be used.
    pub(super) async fn open(
        path: &Path,
        seed: Option<&Path>,
        clock: Arc<dyn Clock>,
        may_make: bool,
    ) -> Result<Option<Self>, SqlFault> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let at_url = |message: String| SqlFault::new(&["url"], message);
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => match seed {
                Some(_) if !may_make => return Ok(None),
                Some(seed) => seed::seed(&path, seed).await?,
                None => {
                    return Err(at_url(format!(
                        "There is no database {}. Correct the path, or name a `seed`: SQL that makes the database when it is not there.",
                        path.display()
                    )));
                }
            },
            Err(error) => return Err(at_url(format!("{} cannot be looked at: {error}.", path.display()))),
        }
        match File::open(&path).await {
            Ok(file) => Ok(Some(Self { file, clock })),
            Err(error) => {
                Err(at_url(format!("{} cannot be used as a database: {error}. Name a SQLite file.", path.display())))
            }
        }
    }
}

#[async_trait]
impl Driver for Sqlite {
    type Command = Command;
    type Slot = ();

    async fn prepare(&self, plans: Vec<Plan>) -> Result<(Vec<Tool<Self>>, Vec<SqlFault>), String> {
        prepare::all(&self.file, plans).await
    }

    fn argument((): &(), parameter: &Bound, value: &Value) -> Result<Datum, String> {
        arguments::datum(parameter, value)
    }

    async fn read(&self, command: &Command, values: &[Datum], rows: &mut Rows<'_>, _: &Call) -> Result<(), CallError> {
        let pools = self.file.pools().await?;
        let (mut connection, _running) = pools.reader().await.map_err(failure::read)?;
        let full = |row: &SqliteRow| {
            rows.take(row)?;
            Ok(if rows.cut().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        command.run(&mut connection, values, failure::read, full).await.map(drop)
    }

    async fn write(
        &self,
        command: &Command,
        values: &[Datum],
        rows: &mut Rows<'_>,
        call: &Call,
    ) -> Result<u64, CallError> {
        let mut time = after(&*self.clock, time_for_change(&*self.clock, call));
        let pools = self.file.pools().await?;
        let (mut connection, running) = before(&mut time, pools.writer()).await?;
        let (result, sound) = change(&mut connection, &running, &mut time, (command, values), rows).await;
        if !sound {
            // A transaction may still be open on it.
            connection.close_on_drop();
        }
        result
    }

    async fn answers(&self) -> Result<(), String> {
        self.file.answers().await
    }

    async fn close(&self) {
        self.file.close().await;
    }
}

/// Waits for what comes before a change, while there is time.
async fn before<T>(
    time: &mut BoxFuture<'static, ()>,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, CallError> {
    tokio::select! {
        biased;
        result = work => result.map_err(|error| failure::write(error).into()),
        () = time => Err(failure::out_of_time().into()),
    }
}

/// One transaction with one statement. The second part says whether the connection is certainly
/// outside of a transaction in the end.
async fn change(
    connection: &mut SqliteConnection,
    running: &Running,
    time: &mut BoxFuture<'static, ()>,
    (command, values): (&Command, &[Datum]),
    rows: &mut Rows<'_>,
) -> (Result<u64, CallError>, bool) {
    // The lock is taken first: no statement begins that could not write in the end. A BEGIN that
    // is given up is taken back by the driver.
    let mut transaction = match before(time, connection.begin_with("BEGIN IMMEDIATE")).await {
        Ok(transaction) => transaction,
        Err(error) => return (Err(error), true),
    };
    let result = {
        // Every change is made before the first row comes, and all rows are taken.
        let all = |row: &SqliteRow| rows.take(row).map(ControlFlow::Continue);
        let work = command.run(&mut transaction, values, failure::write, all);
        tokio::pin!(work);
        tokio::select! {
            biased;
            result = &mut work => result,
            () = time => {
                running.stop();
                work.await
            }
        }
    };
    running.resume();
    settle(transaction, result).await
}

/// Ends the transaction as the statement did. The second part says whether the connection is
/// certainly outside of a transaction.
async fn settle(
    transaction: Transaction<'_, sqlx::Sqlite>,
    result: Result<u64, CallError>,
) -> (Result<u64, CallError>, bool) {
    match result {
        Ok(affected) => match transaction.commit().await {
            Ok(()) => (Ok(affected), true),
            Err(error) if failure::is_certain(&error) => (Err(failure::write(error).into()), false),
            Err(error) => (Err(failure::uncertain(error).into()), false),
        },
        // SQLite rolls some failures back by itself (an interrupt among them), and then refuses
        // to do it again.
        Err(error) => (Err(error), transaction.rollback().await.is_ok()),
    }
}
