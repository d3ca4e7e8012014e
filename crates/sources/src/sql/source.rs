//! The source itself: opening it, and the way of one call.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::{
    ArgumentFault, Call, CallError, ClaimedEffect, Clock, Outcome, Recovery, Refusal, Resolution, Source, ToolSpec,
};
use futures_util::{
    FutureExt,
    future::{self, BoxFuture},
};

use super::{
    arguments,
    check::{self, CURSOR, PAGE_SIZE},
    datum::Datum,
    driver::{Change, Driver},
    effects::SWEEP_EVERY,
    page::{self, Paged},
    postgres::Postgres,
    rows::{Cut, Rows},
    settings::{Database, SqlFault, SqlSettings},
    sqlite::Sqlite,
    tool::{Answer, Run, Tool},
};

/// Tools in front of one database.
pub struct SqlSource(Kind);

enum Kind {
    Sqlite(Engine<Sqlite>),
    Postgres(Engine<Postgres>),
}

impl SqlSource {
    /// Opens the database (a SQLite file is made from its seed where it does not exist), prepares every
    /// statement, and makes the table of effects where it is wanted and not there.
    ///
    /// # Errors
    /// Everything that is wrong with settings, seed, database and statements, at once. A missing
    /// database is not made while the settings have faults.
    pub async fn open(settings: SqlSettings, clock: Arc<dyn Clock>) -> Result<Self, Vec<SqlFault>> {
        let (plans, mut faults) = check::plans(&settings);
        if faults.iter().any(|fault| fault.path.first().is_some_and(|key| key == "url")) {
            return Err(faults);
        }
        let keeps_effects = settings.effects_table;
        match &settings.database {
            Database::Sqlite { path, seed } => {
                match Sqlite::open(path, seed.as_deref(), clock, faults.is_empty()).await {
                    Ok(Some(driver)) => Engine::open(driver, plans, keeps_effects, faults).await.map(Kind::Sqlite),
                    Ok(None) => Err(faults),
                    Err(fault) => {
                        faults.push(fault);
                        Err(faults)
                    }
                }
            }
            Database::Postgres { url, session } => match Postgres::open(url, session.clone(), clock) {
                Ok(driver) => Engine::open(driver, plans, keeps_effects, faults).await.map(Kind::Postgres),
                Err(fault) => {
                    faults.push(fault);
                    Err(faults)
                }
            },
        }
        .map(Self)
    }

    fn engine(&self) -> &dyn Source {
        match &self.0 {
            Kind::Sqlite(engine) => engine,
            Kind::Postgres(engine) => engine,
        }
    }

    #[cfg(test)]
    pub(super) fn sqlite(&self) -> Option<&Sqlite> {
        match &self.0 {
            Kind::Sqlite(engine) => Some(&engine.driver),
            Kind::Postgres(_) => None,
        }
    }
}

#[async_trait]
impl Source for SqlSource {
    fn kind(&self) -> &'static str {
        self.engine().kind()
    }

    fn tools(&self) -> Vec<ToolSpec> {
        self.engine().tools()
    }

    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError> {
        self.engine().call(tool, call).await
    }

    fn recovery(&self, tool: &str) -> Recovery {
        self.engine().recovery(tool)
    }

    async fn resolve(&self, tool: &str, effect: &ClaimedEffect) -> Resolution {
        self.engine().resolve(tool, effect).await
    }

    async fn ready(&self) -> Result<(), String> {
        self.engine().ready().await
    }

    async fn close(&self) {
        self.engine().close().await;
    }
}

/// The tools of one database and the way to it.
struct Engine<D: Driver> {
    driver: D,
    tools: Vec<Tool<D>>,
    by_name: BTreeMap<String, usize>,
    keeps_effects: bool,
    /// How many changes have written down their effect since the start.
    kept: AtomicU32,
}

impl<D: Driver> Engine<D> {
    async fn open(
        driver: D,
        plans: Vec<check::Plan>,
        keeps_effects: bool,
        mut faults: Vec<SqlFault>,
    ) -> Result<Self, Vec<SqlFault>> {
        let mut tools = Vec::new();
        match driver.prepare(plans).await {
            Ok((prepared, found)) => {
                tools = prepared;
                faults.extend(found);
            }
            Err(message) => faults.push(SqlFault::new(&["url"], message)),
        }
        // As long as something else is wrong, nothing is made in the database.
        if keeps_effects
            && faults.is_empty()
            && let Err(message) = driver.prepare_effects().await
        {
            faults.push(SqlFault::new(&["effects_table"], message));
        }
        if !faults.is_empty() {
            driver.close().await;
            return Err(faults);
        }
        let by_name = tools.iter().enumerate().map(|(index, tool)| (tool.spec.name.clone(), index)).collect();
        Ok(Self { driver, tools, by_name, keeps_effects, kept: AtomicU32::new(0) })
    }

    fn find(&self, name: &str) -> Option<&Tool<D>> {
        self.by_name.get(name).and_then(|index| self.tools.get(*index))
    }

    async fn read(
        &self,
        tool: &Tool<D>,
        (command, limit): (&D::Command, usize),
        call: &Call,
    ) -> Result<Outcome, CallError> {
        let values = arguments::values(tool, call)?;
        let mut rows = Rows::new(&tool.columns, &[], limit, call.max_result_bytes);
        self.driver.read(command, &values, &mut rows, call).await?;
        Ok(Outcome::structured(rows.into_read(!tool.parameters.is_empty())))
    }

    async fn page(
        &self,
        tool: &Tool<D>,
        (paged, key, size): (&Paged<D::Command>, &[String], usize),
        call: &Call,
    ) -> Result<Outcome, CallError> {
        let arguments = arguments::values(tool, call)?;
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
        self.driver.read(command, &values, &mut rows, call).await?;
        let next = rows.cut().map(|_: Cut| page::cursor(&tool.spec.name, &arguments, rows.last_key()));
        Ok(Outcome::structured(rows.into_page(next)))
    }

    async fn write(
        &self,
        tool: &Tool<D>,
        (command, limit, answer): (&D::Command, usize, Answer),
        call: &Call,
    ) -> Result<Outcome, CallError> {
        let values = arguments::values(tool, call)?;
        let mut rows = Rows::new(&tool.columns, &[], limit, call.max_result_bytes);
        let effect = call.effect.as_ref().filter(|_| self.keeps_effects);
        let change = Change { command, values: &values, answer, effect, call };
        let outcome = self.driver.write(&change, &mut rows).await?;
        if effect.is_some() && self.kept.fetch_add(1, Ordering::Relaxed).is_multiple_of(SWEEP_EVERY) {
            self.driver.sweep_effects().await;
        }
        Ok(outcome)
    }
}

#[async_trait]
impl<D: Driver> Source for Engine<D> {
    fn kind(&self) -> &'static str {
        "sql"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        self.tools.iter().map(|tool| tool.spec.clone()).collect()
    }

    async fn call(&self, name: &str, call: &Call) -> Result<Outcome, CallError> {
        let tool = self.find(name).ok_or_else(|| Refusal::UnknownTool { name: name.to_owned() })?;
        match &tool.run {
            Run::Read { command, row_limit } => self.read(tool, (command, *row_limit), call).await,
            Run::Page { paged, key, size } => self.page(tool, (paged, key, *size), call).await,
            Run::Write { command, row_limit, answer } => self.write(tool, (command, *row_limit, *answer), call).await,
        }
    }

    fn recovery(&self, name: &str) -> Recovery {
        let changes = self.find(name).is_some_and(|tool| matches!(tool.run, Run::Write { .. }));
        Recovery { sends_key: false, resolves: self.keeps_effects && changes }
    }

    async fn resolve(&self, name: &str, effect: &ClaimedEffect) -> Resolution {
        if self.recovery(name).resolves { self.driver.resolve(effect).await } else { Resolution::Unknown }
    }

    async fn ready(&self) -> Result<(), String> {
        self.driver.answers().await
    }

    async fn close(&self) {
        self.driver.close().await;
    }
}

/// How long a call may still take; `None`: as long as it likes.
pub(super) fn time_left(clock: &dyn Clock, call: &Call) -> Option<Duration> {
    let deadline = call.deadline?;
    Some(Duration::try_from(deadline.duration_since(clock.now())).unwrap_or_default())
}

/// How long the work of a change may take: what is left then is for taking it back.
pub(super) fn time_for_change(clock: &dyn Clock, call: &Call) -> Option<Duration> {
    const MOST: Duration = Duration::from_millis(250);
    time_left(clock, call).map(|left| left.saturating_sub(MOST.min(left / 10)))
}

/// Completes after this time.
pub(super) fn after(clock: &dyn Clock, time: Option<Duration>) -> BoxFuture<'static, ()> {
    time.map_or_else(|| future::pending().boxed(), |time| clock.sleep(time))
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
