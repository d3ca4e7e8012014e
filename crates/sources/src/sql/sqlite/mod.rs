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
mod effects;
mod failure;
mod introspect;
mod page;
mod prepare;
mod seed;
mod value;

#[cfg(test)]
mod tests;

use std::{ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, ClaimedEffect, Clock, Outcome, Resolution};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
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
    driver::{Change, Driver},
    effects::{Row, TABLE, unkept},
    rows::Rows,
    settings::SqlFault,
    source::{after, time_for_change},
    statement::Dialect,
    tool::Tool,
};

/// How SQLite writes its SQL.
pub(super) const DIALECT: Dialect =
    Dialect { grammar: &SQLiteDialect {}, at_sign: true, dollar: true, slices: false, operators: &[] };

/// How long an effect is asked for: longer than SQLite waits for a lock.
const PATIENCE: Duration = Duration::from_secs(10);

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

    async fn write(&self, change: &Change<'_, Command>, rows: &mut Rows<'_>) -> Result<Outcome, CallError> {
        let mut time = after(&*self.clock, time_for_change(&*self.clock, change.call));
        let pools = self.file.pools().await?;
        let (mut connection, running) = before(&mut time, pools.writer()).await?;
        let now = self.clock.now();
        let (result, sound) = transact(&mut connection, &running, &mut time, (change, now), rows).await;
        if !sound {
            // A transaction may still be open on it.
            connection.close_on_drop();
        }
        result
    }

    async fn prepare_effects(&self) -> Result<(), String> {
        let words = |error: sqlx::Error| {
            format!(
                "The table {TABLE} cannot be made or used: {}. Let this server write to the database; a table of that \
                 name that is already there must be the one that it made.",
                failure::words(&error)
            )
        };
        let pools = self.file.pools().await.map_err(|failure| failure.message)?;
        let (mut connection, _running) = pools.writer().await.map_err(words)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(words)?;
        effects::make(&mut transaction).await.map_err(words)?;
        effects::look(&mut transaction).await.map_err(words)?;
        transaction.commit().await.map_err(words)
    }

    async fn resolve(&self, effect: &ClaimedEffect) -> Resolution {
        let asked = async {
            let pools = self.file.pools().await?;
            let (mut connection, _running) = pools.writer().await.map_err(failure::read)?;
            // With the lock nobody is in the middle of a change.
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failure::read)?;
            effects::make(&mut transaction).await.map_err(failure::read)?;
            effects::find(&mut transaction, effect.id.as_str()).await.map_err(failure::read)
        };
        tokio::select! {
            found = asked => match found {
                Ok(Some(kept)) => kept.resolution(effect),
                Ok(None) => Resolution::NotDone,
                Err(failure) => {
                    tracing::warn!(effect = %effect.id, %failure, "the table of effects could not be asked");
                    Resolution::Unknown
                }
            },
            () = self.clock.sleep(PATIENCE) => Resolution::Unknown,
        }
    }

    async fn sweep_effects(&self) {
        let swept = async {
            let pools = self.file.pools().await?;
            let (mut connection, _running) = pools.writer().await.map_err(failure::write)?;
            effects::sweep(&mut connection, self.clock.now().as_second()).await.map_err(failure::write)
        };
        if let Err(failure) = swept.await {
            tracing::warn!(%failure, "the table of effects was not cleared up");
        }
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
async fn transact(
    connection: &mut SqliteConnection,
    running: &Running,
    time: &mut BoxFuture<'static, ()>,
    (change, now): (&Change<'_, Command>, Timestamp),
    rows: &mut Rows<'_>,
) -> (Result<Outcome, CallError>, bool) {
    // The lock is taken first: no statement begins that could not write in the end. A BEGIN that
    // is given up is taken back by the driver.
    let mut transaction = match before(time, connection.begin_with("BEGIN IMMEDIATE")).await {
        Ok(transaction) => transaction,
        Err(error) => return (Err(error), true),
    };
    let result = {
        let work = make(&mut transaction, change, now, rows);
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

/// Makes the change, unless it was made before.
async fn make(
    connection: &mut SqliteConnection,
    change: &Change<'_, Command>,
    now: Timestamp,
    rows: &mut Rows<'_>,
) -> Result<Outcome, CallError> {
    if let Some(effect) = change.effect {
        effects::make(connection).await.map_err(unkept)?;
        if let Some(kept) = effects::find(connection, effect.id.as_str()).await.map_err(unkept)? {
            return kept.answer(effect, &change.call.wire_name);
        }
    }
    // Every change is made before the first row comes, and all rows are taken.
    let all = |row: &SqliteRow| rows.take(row).map(ControlFlow::Continue);
    let affected = change.command.run(connection, change.values, failure::write, all).await?;
    let outcome = Outcome::structured(rows.take_write(change.answer, affected));
    if let Some(effect) = change.effect {
        effects::keep(connection, &Row::new(effect, &outcome, now)?).await.map_err(unkept)?;
    }
    Ok(outcome)
}

/// Ends the transaction as the statement did. The second part says whether the connection is
/// certainly outside of a transaction.
async fn settle(
    transaction: Transaction<'_, sqlx::Sqlite>,
    result: Result<Outcome, CallError>,
) -> (Result<Outcome, CallError>, bool) {
    match result {
        Ok(outcome) => match transaction.commit().await {
            Ok(()) => (Ok(outcome), true),
            Err(error) if failure::is_certain(&error) => (Err(failure::write(error).into()), false),
            Err(error) => (Err(failure::uncertain(error).into()), false),
        },
        // SQLite rolls some failures back by itself (an interrupt among them), and then refuses
        // to do it again.
        Err(error) => (Err(error), transaction.rollback().await.is_ok()),
    }
}
