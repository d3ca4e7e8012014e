//! The schema of the SQLite store. A file with steps that this version does not know was made by a
//! newer one and is refused.

use std::path::Path;

use sqlx::{ConnectOptions, Connection, SqliteConnection, migrate::MigrateError, sqlite::SqliteConnectOptions};

use bridgehead_auth::StoreError;

use super::error::{corrupt, is_busy, refused, store_error, unsuitable};
use crate::migrate::{self, Step};

/// Every step, in order. Add to the end.
const STEPS: &[Step] = &[
    (1, "api key", include_str!("migrations/0001_api_key.sql")),
    (2, "denied subject", include_str!("migrations/0002_denied_subject.sql")),
    (3, "acme", include_str!("migrations/0003_acme.sql")),
    (4, "people", include_str!("migrations/0004_people.sql")),
    (5, "issuer", include_str!("migrations/0005_issuer.sql")),
    (6, "identity", include_str!("migrations/0006_identity.sql")),
    (7, "credential", include_str!("migrations/0007_credential.sql")),
    (8, "effect", include_str!("migrations/0008_effect.sql")),
    (9, "void effect", include_str!("migrations/0009_void_effect.sql")),
];

/// Where the steps that were done are remembered.
const TABLE: &str = "_sqlx_migrations";

/// `BRDG`: marks the file as ours (<https://www.sqlite.org/fileformat2.html#application_id>).
const APPLICATION_ID: i64 = 0x4252_4447;

/// How often switching to WAL is tried. Each attempt waits for the writer that was in the way of
/// the last one.
const WAL_ATTEMPTS: usize = 100;

/// Brings the file up to date and into WAL mode. Of several processes at once one does the work
/// and the others find it done.
pub(super) async fn prepare(path: &Path, options: &SqliteConnectOptions) -> Result<(), StoreError> {
    let mut connection = options.connect().await.map_err(|error| store_error(path, error))?;
    // In this order, so that another program's file is left as it is.
    let prepared = match steps(path, &mut connection).await {
        Ok(()) => switch_to_wal(&mut connection).await.map_err(|error| store_error(path, error)),
        refused => refused,
    };
    let closed = connection.close().await;
    prepared?;
    closed.map_err(|error| store_error(path, error))
}

/// The mode is kept in the file, so that this does something once in a file's life. SQLite does
/// not wait for others here, as it does everywhere else, but says at once that it is busy.
async fn switch_to_wal(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut result = Ok(());
    for _ in 0..WAL_ATTEMPTS {
        result = sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await.map(|_mode| ());
        match &result {
            Err(sqlx::Error::Database(error)) if is_busy(&**error) => {
                connection.begin_with("BEGIN IMMEDIATE").await?.commit().await?;
            }
            _ => return result,
        }
    }
    result
}

async fn steps(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = |error| store_error(path, error);
    // The lock is taken before anything is looked at: sqlx itself takes none on SQLite.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let marked: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *transaction).await.map_err(failed)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *transaction).await.map_err(failed)?;
    if marked != APPLICATION_ID {
        if marked != 0 || tables > 0 {
            return Err(unsuitable(
                path,
                "the file is another program's database. Name a file of its own in [store] url; it is made when missing",
            ));
        }
        sqlx::query("PRAGMA application_id = 0x42524447").execute(&mut *transaction).await.map_err(failed)?;
    }
    migrate::apply(&mut *transaction, TABLE, STEPS).await.map_err(|error| migration_error(path, error))?;
    transaction.commit().await.map_err(failed)
}

fn migration_error(path: &Path, error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => unsuitable(
            path,
            format!(
                "it was made by a newer version of Bridgehead: step {version} of its schema is not known here. \
                 Start that version, or name another file in [store] url"
            ),
        ),
        MigrateError::VersionMismatch(version) => corrupt(
            path,
            format!("step {version} of its schema is not the one that this version has. Restore a backup"),
            Some(MigrateError::VersionMismatch(version)),
        ),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => store_error(path, error),
        other => refused(path, "its schema cannot be brought up to date", other),
    }
}
