//! The source itself: opening it, and the way of one call.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_core::{ArgumentFault, Call, CallError, Clock, Outcome, Refusal, Source, ToolSpec};
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction, sqlite::SqliteRow};

use super::{
    check::{self, CURSOR, PAGE_SIZE},
    command::Command,
    connect::{Database, Running},
    datum::Datum,
    failure, page,
    rows::{Cut, Rows},
    seed,
    settings::{SqlFault, SqlSettings},
    tool::{self, Run, Tool},
};

/// Tools in front of one SQLite database.
pub struct SqlSource {
    database: Database,
    tools: Vec<Tool>,
    by_name: BTreeMap<String, usize>,
    clock: Arc<dyn Clock>,
}

impl SqlSource {
    /// Opens the database, making it from its seed where it does not exist, and prepares every
    /// statement.
    ///
    /// # Errors
    /// Everything that is wrong with settings, seed, database and statements, at once. A missing
    /// database is not made while the settings have faults.
    pub async fn open(settings: SqlSettings, clock: Arc<dyn Clock>) -> Result<Self, Vec<SqlFault>> {
        let (plans, mut faults) = check::plans(&settings);
        if faults.iter().any(|fault| fault.path.first().is_some_and(|key| key == "url")) {
            return Err(faults);
        }
        let database = match open_file(&settings, faults.is_empty()).await {
            Ok(Some(database)) => database,
            Ok(None) => return Err(faults),
            Err(fault) => {
                faults.push(fault);
                return Err(faults);
            }
        };
        let mut tools = Vec::new();
        match prepare(&database, plans).await {
            Ok((prepared, found)) => {
                tools = prepared;
                faults.extend(found);
            }
            Err(message) => faults.push(SqlFault::new(&["url"], message)),
        }
        if !faults.is_empty() {
            database.close().await;
            return Err(faults);
        }
        let by_name = tools.iter().enumerate().map(|(index, tool)| (tool.spec.name.clone(), index)).collect();
        Ok(Self { database, tools, by_name, clock })
    }

    fn find(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name).and_then(|index| self.tools.get(*index))
    }

    async fn read(&self, tool: &Tool, command: &Command, limit: usize, call: &Call) -> Result<Outcome, CallError> {
        let values = super::arguments::values(&tool.parameters, &tool.order, &call.arguments)?;
        let mut rows = Rows::new(&tool.columns, &[], limit, call.max_result_bytes);
        self.fetch(command, &values, &mut rows).await?;
        Ok(Outcome::structured(rows.into_read(!tool.parameters.is_empty())))
    }

    async fn page(
        &self,
        tool: &Tool,
        (paged, key, size): (&page::Paged, &[String], usize),
        call: &Call,
    ) -> Result<Outcome, CallError> {
        let arguments = super::arguments::values(&tool.parameters, &tool.order, &call.arguments)?;
        let asked = call.arguments.get(PAGE_SIZE).and_then(serde_json::Value::as_f64);
        // The input schema holds it between 1 and `size`.
        let size = asked.map_or(size, |asked| (asked as usize).clamp(1, size));
        let behind = match call.arguments.get(CURSOR).and_then(serde_json::Value::as_str) {
            Some(cursor) => {
                Some(page::read_cursor(&tool.spec.name, &arguments, key.len(), cursor).ok_or_else(not_a_cursor)?)
            }
            None => None,
        };
        let command = behind.as_ref().map_or(&paged.first, |key| paged.behind(key));
        let mut values = arguments.clone();
        values.push(Datum::Integer(i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1)));
        values.extend(behind.into_iter().flatten());
        let mut rows = Rows::new(&tool.columns, key, size, call.max_result_bytes);
        self.fetch(command, &values, &mut rows).await?;
        let next = rows.cut().map(|_: Cut| page::cursor(&tool.spec.name, &arguments, rows.last_key()));
        Ok(Outcome::structured(rows.into_page(next)))
    }

    /// Runs a read until it ends or the result is full. Dropping the future stops the statement.
    async fn fetch(&self, command: &Command, values: &[Datum], rows: &mut Rows<'_>) -> Result<(), CallError> {
        let pools = self.database.pools().await?;
        let (mut connection, _running) = pools.reader().await.map_err(failure::read)?;
        let full = |row: &SqliteRow| {
            rows.take(row)?;
            Ok(if rows.cut().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        command.run(&mut connection, values, failure::read, full).await.map(drop)
    }

    /// One transaction with one statement. It ends before the call's deadline, so that a caller
    /// who is told of a time-out is also told that nothing was changed.
    async fn write(&self, tool: &Tool, command: &Command, limit: usize, call: &Call) -> Result<Outcome, CallError> {
        let values = super::arguments::values(&tool.parameters, &tool.order, &call.arguments)?;
        let mut rows = Rows::new(&tool.columns, &[], limit, call.max_result_bytes);
        let mut time = self.time_for(call);
        let pools = self.database.pools().await?;
        let (mut connection, running) = before(&mut time, pools.writer()).await?;
        let work = change(&mut connection, &running, &mut time, (command, &values), &mut rows);
        let (result, sound) = work.await;
        if !sound {
            // A transaction may still be open on it.
            connection.close_on_drop();
        }
        result.map(|affected| Outcome::structured(rows.into_write(affected)))
    }

    /// Completes a little before the deadline: what is left is for taking the change back.
    fn time_for(&self, call: &Call) -> BoxFuture<'static, ()> {
        const MOST: Duration = Duration::from_millis(250);
        let Some(deadline) = call.deadline else { return future::pending().boxed() };
        let left = Duration::try_from(deadline.duration_since(self.clock.now())).unwrap_or_default();
        self.clock.sleep(left.saturating_sub(MOST.min(left / 10)))
    }
}

#[async_trait]
impl Source for SqlSource {
    fn kind(&self) -> &'static str {
        "sql"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec.clone()).collect()
    }

    async fn call(&self, name: &str, call: &Call) -> Result<Outcome, CallError> {
        let tool = self.find(name).ok_or_else(|| Refusal::UnknownTool { name: name.to_owned() })?;
        match &tool.run {
            Run::Read { command, row_limit } => self.read(tool, command, *row_limit, call).await,
            Run::Page { paged, key, size } => self.page(tool, (paged, key, *size), call).await,
            Run::Write { command, row_limit } => self.write(tool, command, *row_limit, call).await,
        }
    }

    async fn ready(&self) -> Result<(), String> {
        self.database.answers().await
    }

    async fn close(&self) {
        self.database.close().await;
    }
}

/// The database file, made from its seed where there is none and it may be made.
async fn open_file(settings: &SqlSettings, may_make: bool) -> Result<Option<Database>, SqlFault> {
    let path = std::path::absolute(&settings.database).unwrap_or_else(|_| settings.database.clone());
    let at_url = |message: String| SqlFault::new(&["url"], message);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => match &settings.seed {
            Some(_) if !may_make => return Ok(None),
            Some(file) => seed::seed(&path, file).await?,
            None => {
                return Err(at_url(format!(
                    "There is no database {}. Correct the path, or name a `seed`: SQL that makes the database when it is not there.",
                    path.display()
                )));
            }
        },
        Err(error) => return Err(at_url(format!("{} cannot be looked at: {error}.", path.display()))),
    }
    Database::open(&path).await.map(Some).map_err(|error| {
        at_url(format!("{} cannot be used as a database: {error}. Name a SQLite file.", path.display()))
    })
}

/// Prepares the statements of all tools, on a connection that cannot write.
async fn prepare(database: &Database, plans: Vec<check::Plan>) -> Result<(Vec<Tool>, Vec<SqlFault>), String> {
    let words = |error: sqlx::Error| {
        let said = failure::words(&error);
        format!("The database cannot be read: {said}. Name a SQLite file that this server may read.")
    };
    let pools = database.pools().await.map_err(|failure| failure.message)?;
    let (mut connection, _running) = pools.reader().await.map_err(words)?;
    let encoding: String = sqlx::query_scalar("PRAGMA encoding").fetch_one(&mut *connection).await.map_err(words)?;
    if encoding != "UTF-8" {
        return Err(format!(
            "The database keeps its texts as {encoding}, which cannot be read here. \
             Make a copy in UTF-8: sqlite3 OLD .dump | sqlite3 NEW."
        ));
    }
    let strict = tool::strict_tables(&mut connection).await.map_err(words)?;
    let (mut tools, mut faults) = (Vec::new(), Vec::new());
    for plan in plans {
        match tool::prepare(&mut connection, plan, &strict).await {
            Ok(tool) => tools.push(tool),
            Err(found) => faults.extend(found),
        }
    }
    Ok((tools, faults))
}

fn not_a_cursor() -> CallError {
    Refusal::InvalidArguments(vec![ArgumentFault {
        path: format!("/{CURSOR}"),
        message: "is no cursor of this tool for these arguments. Give next_cursor of the page before unchanged and \
                  with the same arguments, or leave it out to begin again."
            .into(),
    }])
    .into()
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
    transaction: Transaction<'_, Sqlite>,
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

#[cfg(test)]
mod tests;
