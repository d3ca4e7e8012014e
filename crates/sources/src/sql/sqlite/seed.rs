//! Makes the database from its seed when the file does not exist.
//!
//! The seed runs on a file of another name, which takes the right one when it is complete: a seed
//! that fails leaves nothing behind, and of two processes that start at once one comes first and
//! the other takes what is there. The seed runs as `sqlite3 FILE < SEED` would run it, so a dump
//! with a transaction and pragmas of its own works too.

use std::{fs::File, io, path::Path};

use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tempfile::TempPath;

use super::{super::settings::SqlFault, failure};

/// Makes `database` from `seed`, unless another process did in the meantime.
pub(super) async fn seed(database: &Path, seed: &Path) -> Result<(), SqlFault> {
    let at_seed = |message: String| SqlFault::new(&["seed"], message);
    let at_url = |error: io::Error| {
        SqlFault::new(
            &["url"],
            format!(
                "{} cannot be made: {error}. Its directory must exist, and the server must be allowed to write there.",
                database.display()
            ),
        )
    };
    let sql = tokio::fs::read_to_string(seed).await.map_err(|error| {
        at_seed(format!("{} cannot be read: {error}. Name a text file with SQL in it.", seed.display()))
    })?;
    let directory = database.parent().unwrap_or(Path::new("."));
    let draft = tempfile::Builder::new()
        .prefix(".bridgehead-seed-")
        .suffix(".db")
        .tempfile_in(directory)
        .map_err(at_url)?
        .into_temp_path();
    run(&draft, sql).await.map_err(|message| at_seed(format!("{}: {message}", seed.display())))?;
    let database = database.to_owned();
    let kept = tokio::task::spawn_blocking(move || keep(draft, &database)).await;
    kept.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(at_url)
}

async fn run(draft: &Path, sql: String) -> Result<(), String> {
    let options = SqliteConnectOptions::new()
        .filename(draft)
        .create_if_missing(false)
        // Nobody reads a draft, and it is thrown away unless it is complete: `keep` syncs it then.
        .journal_mode(SqliteJournalMode::Memory)
        .synchronous(SqliteSynchronous::Off)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| failure::words(&error))?;
    let ran = statements(&mut connection, sql).await;
    let closed = connection.close().await.map_err(|error| failure::words(&error));
    ran.and(closed)
}

async fn statements(connection: &mut SqliteConnection, sql: String) -> Result<(), String> {
    let mut done = 0_usize;
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).execute_many(&mut *connection);
    while results
        .try_next()
        .await
        .map_err(|error| format!("statement {} failed: {}. No database was made.", done + 1, failure::words(&error)))?
        .is_some()
    {
        done += 1;
    }
    drop(results);
    sqlx::raw_sql("BEGIN; ROLLBACK")
        .execute(connection)
        .await
        .map(drop)
        .map_err(|_| "a transaction is begun and not committed. Add COMMIT; at the end. No database was made.".into())
}

/// Gives the complete draft its name, unless the name is taken.
fn keep(draft: TempPath, database: &Path) -> io::Result<()> {
    File::open(&draft)?.sync_all()?;
    match draft.persist_noclobber(database) {
        Ok(()) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
