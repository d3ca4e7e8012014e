//! PostgreSQL, version 12 or newer.
//!
//! What holds beyond the source in general:
//!
//! - A read is a transaction with `READ ONLY`, which stops functions that would change something,
//!   and a change is a transaction with COMMIT. Both have the call's own time for their
//!   `statement_timeout`. When nobody waits any longer the connection is closed, which servers from
//!   version 14 on notice within a second.
//! - What is not certain is said: COMMIT was sent, and no answer came. All failures before that
//!   changed nothing.
//! - Parameters have the types that the statement gives them (`kind.rs`); those whose binary form is
//!   not known here go as text through a cast. JSON of the matching type is taken, integers and
//!   decimals also as strings, a list for an array, any value for json and jsonb, base64 for bytea.
//! - Columns are published by their types: smallint and integer as integers; bigint as integers, or
//!   strings beyond ±2^53; real and double precision as numbers (NaN and infinity are null); numeric
//!   as a string with every digit; json and jsonb as any JSON value (decimals in them are read as
//!   doubles); arrays as lists, of any number of dimensions, as PostgreSQL has it; date as
//!   YYYY-MM-DD; timestamptz as RFC 3339 in UTC; timestamp as the same without a zone; interval as an
//!   ISO 8601 duration; bytea as base64; all else as the text that PostgreSQL writes.
//! - Sessions have the time zone UTC. A source may set others of a name of its own to what is known of
//!   the caller, for row level security: within each transaction, so that they end with it.

mod begin;
mod calendar;
mod command;
mod connect;
mod decode;
mod effects;
mod encode;
mod failure;
mod introspect;
mod kind;
mod page;
mod parameters;
mod prepare;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, ClaimedEffect, Clock, Outcome, Resolution, Secret};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use sqlparser::dialect::PostgreSqlDialect;
use sqlx::{Connection as _, PgConnection, Transaction, postgres::PgRow};

pub(super) use self::begin::check_session;
use self::{
    begin::{Begin, Known},
    command::{Command, Trouble},
    connect::{Server, Session},
    kind::Kind,
};
use super::{
    arguments::Bound,
    check::Plan,
    datum::Datum,
    driver::{Change, Driver},
    effects::{Row, unkept},
    rows::{Cut, Rows},
    settings::{SessionSetting, SqlFault},
    source::{after, time_for_change, time_left},
    statement::Dialect,
    tool::Tool,
};
pub(in crate::sql) use introspect::introspect;

/// How PostgreSQL writes its SQL.
pub(super) const DIALECT: Dialect =
    Dialect { grammar: &PostgreSqlDialect {}, at_sign: false, dollar: false, slices: true, operators: &['@', '?'] };

/// How long a COMMIT may take before nothing certain is known of it.
const COMMIT_TIME: Duration = Duration::from_secs(10);

/// How long an effect is asked for: as long as whoever may be in the middle of it has.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be said of the URL without using it.
///
/// # Errors
/// It names no database.
pub(super) fn check(url: &Secret) -> Result<(), String> {
    connect::options(url).map(drop)
}

/// One database on a server.
pub(super) struct Postgres {
    server: Server,
    /// What every transaction is told of its caller.
    session: Vec<SessionSetting>,
    clock: Arc<dyn Clock>,
}

impl Postgres {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// The URL cannot be read.
    pub(super) fn open(url: &Secret, session: Vec<SessionSetting>, clock: Arc<dyn Clock>) -> Result<Self, SqlFault> {
        let options = connect::options(url).map_err(|message| SqlFault::new(&["url"], message))?;
        Ok(Self { server: Server::new(options), session, clock })
    }
}

#[async_trait]
impl Driver for Postgres {
    type Command = Command;
    type Slot = Kind;

    async fn prepare(&self, plans: Vec<Plan>) -> Result<(Vec<Tool<Self>>, Vec<SqlFault>), String> {
        let mut connection = self.server.connect().await.map_err(|error| {
            format!(
                "The database cannot be reached: {}. See that the server runs, and that host, port, user, password, \
                 database and `sslmode` in the URL are right.",
                failure::words(&error)
            )
        })?;
        let prepared = prepare::all(&mut connection, plans).await;
        // It has done its work; whether it says goodbye is all the same.
        let _ = connection.close().await;
        Ok(prepared)
    }

    fn argument(kind: &Kind, _: &Bound, value: &Value) -> Result<Datum, String> {
        encode::datum(kind, value)
    }

    async fn read(
        &self,
        command: &Command,
        values: &[Datum],
        rows: &mut Rows<'_>,
        call: &Call,
    ) -> Result<(), CallError> {
        let known = Known::of(&call.caller, &self.session)?;
        let mut session = self.server.session(&*self.clock).await.map_err(failure::read)?;
        let begin = Begin::new("READ ONLY", time_left(&*self.clock, call), known);
        let mut read = read(&mut session, &begin, (command, values), rows).await;
        if matches!(&read, Err(Trouble::Database(error)) if failure::is_stale(error)) {
            session.connection.clear_cached_statements().await.map_err(failure::read)?;
            read = self::read(&mut session, &begin, (command, values), rows).await;
        }
        match read {
            Ok(is_sound) => {
                session.is_sound = is_sound;
                Ok(())
            }
            Err(Trouble::Database(error)) => {
                session.is_sound = failure::server_error(&error).is_some();
                Err(failure::read(error).into())
            }
            Err(Trouble::Taking(error)) => Err(error),
        }
    }

    async fn write(&self, change: &Change<'_, Command>, rows: &mut Rows<'_>) -> Result<Outcome, CallError> {
        let time = time_for_change(&*self.clock, change.call);
        let known = Known::of(&change.call.caller, &self.session)?;
        let mut is_over = after(&*self.clock, time);
        let mut session = tokio::select! {
            biased;
            session = self.server.session(&*self.clock) => session.map_err(failure::write)?,
            () = &mut is_over => return Err(failure::out_of_time().into()),
        };
        let begin =
            Begin::new("READ WRITE", time, known).further(change.effect.map_or("", |_| effects::ENDS_WHEN_IDLE));
        let mut result = self.transact(&mut session, &begin, change, rows, &mut is_over).await;
        if matches!(&result, Err(Trouble::Database(error)) if failure::is_stale(error)) {
            session.connection.clear_cached_statements().await.map_err(failure::write)?;
            result = self.transact(&mut session, &begin, change, rows, &mut is_over).await;
        }
        match result {
            Ok(outcome) => Ok(outcome),
            Err(Trouble::Database(error)) => Err(failure::write(error).into()),
            Err(Trouble::Taking(error)) => Err(error),
        }
    }

    async fn prepare_effects(&self) -> Result<(), String> {
        let words = |error| format!("The database cannot be reached: {}.", failure::words(&error));
        let mut connection = self.server.connect().await.map_err(words)?;
        let prepared = effects::prepare(&mut connection).await;
        let _ = connection.close().await;
        prepared
    }

    async fn resolve(&self, effect: &ClaimedEffect) -> Resolution {
        let asked = async {
            let mut session = self.server.session(&*self.clock).await?;
            // Not a mode in which the table would look as it did before the lock was waited for.
            let begin = Begin::new("ISOLATION LEVEL READ COMMITTED READ ONLY", Some(PATIENCE), Known::default());
            let mut transaction = begin.on(&mut session.connection).await?;
            let kept = effects::find(&mut transaction, effect.id.as_str()).await?;
            transaction.rollback().await?;
            session.is_sound = true;
            Ok::<_, sqlx::Error>(kept)
        };
        tokio::select! {
            kept = asked => match kept {
                Ok(Some(kept)) => kept.resolution(effect),
                Ok(None) => Resolution::NotDone,
                Err(error) => {
                    tracing::warn!(effect = %effect.id, failure = %failure::read(error), "the table of effects could not be asked");
                    Resolution::Unknown
                }
            },
            () = self.clock.sleep(2 * PATIENCE) => Resolution::Unknown,
        }
    }

    async fn sweep_effects(&self) {
        let swept = async {
            let mut session = self.server.session(&*self.clock).await?;
            effects::sweep(&mut session.connection, self.clock.now().as_second()).await?;
            session.is_sound = true;
            Ok::<_, sqlx::Error>(())
        };
        let swept = tokio::select! {
            swept = swept => swept.map_err(|error| failure::write(error).message),
            () = self.clock.sleep(PATIENCE) => Err("it took too long".to_owned()),
        };
        if let Err(failure) = swept {
            tracing::warn!(failure, "the table of effects was not cleared up");
        }
    }

    async fn answers(&self) -> Result<(), String> {
        self.server.answers(&*self.clock).await
    }

    async fn close(&self) {
        self.server.close().await;
    }
}

/// One transaction that can only read. The answer is whether the connection can be used again: it
/// cannot where rows are left on it that nobody wants.
async fn read(
    session: &mut Session,
    begin: &Begin,
    (command, values): (&Command, &[Datum]),
    rows: &mut Rows<'_>,
) -> Result<bool, Trouble> {
    let mut transaction = begin.on(&mut session.connection).await?;
    let full = |row: &PgRow| {
        rows.take(row)?;
        // The last row of all that were asked for says that there are more; then it is the end.
        Ok(if rows.cut() == Some(Cut::Bytes) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let done = command.run(&mut transaction, values, full).await?;
    // Dropping it queues the ROLLBACK, which nobody has to wait for.
    Ok(done.is_some())
}

/// Makes the change, unless it was made before.
async fn make(
    connection: &mut PgConnection,
    change: &Change<'_, Command>,
    now: Timestamp,
    rows: &mut Rows<'_>,
) -> Result<Outcome, Trouble> {
    let failed = |error| Trouble::Taking(unkept(error).into());
    if let Some(effect) = change.effect
        && let Some(kept) = effects::find(connection, effect.id.as_str()).await.map_err(failed)?
    {
        return kept.answer(effect, &change.call.wire_name).map_err(Trouble::Taking);
    }
    // Every change is made before the last row comes, and all rows are taken.
    let all = |row: &PgRow| rows.take(row).map(ControlFlow::Continue);
    let affected = change.command.run(connection, change.values, all).await?;
    let outcome = Outcome::structured(rows.take_write(change.answer, affected.unwrap_or_default()));
    if let Some(effect) = change.effect {
        let row = Row::new(effect, &outcome, now).map_err(Trouble::Taking)?;
        effects::keep(connection, &row).await.map_err(failed)?;
    }
    Ok(outcome)
}

impl Postgres {
    /// One transaction with one statement.
    async fn transact(
        &self,
        session: &mut Session,
        begin: &Begin,
        change: &Change<'_, Command>,
        rows: &mut Rows<'_>,
        is_over: &mut BoxFuture<'static, ()>,
    ) -> Result<Outcome, Trouble> {
        let now = self.clock.now();
        let Session { connection, is_sound } = session;
        let work = async {
            let mut transaction = begin.on(connection).await?;
            let result = make(&mut transaction, change, now, rows).await;
            Ok::<_, Trouble>((transaction, result))
        };
        let (transaction, result) = tokio::select! {
            biased;
            done = work => done?,
            // The connection is closed, and the server takes everything back.
            () = is_over => return Err(Trouble::Taking(failure::out_of_time().into())),
        };
        match result {
            Ok(outcome) => {
                self.commit(transaction).await?;
                *is_sound = true;
                Ok(outcome)
            }
            Err(trouble) => {
                *is_sound = transaction.rollback().await.is_ok();
                Err(trouble)
            }
        }
    }

    async fn commit(&self, transaction: Transaction<'_, sqlx::Postgres>) -> Result<(), Trouble> {
        let committed = tokio::select! {
            biased;
            committed = transaction.commit() => committed,
            () = self.clock.sleep(COMMIT_TIME) => return Err(Trouble::Taking(failure::uncertain().into())),
        };
        committed.map_err(|error| match failure::is_certain(&error) {
            true => Trouble::Database(error),
            false => Trouble::Taking(failure::uncertain().with_cause(error).into()),
        })
    }
}
