//! The table of effects in a SQLite file.
//!
//! SQLite has one writer at a time, and what a writer that died has left is taken back by the next one.
//! So whoever holds the lock sees everything that was ever changed, and nobody is in the middle of it.

use sqlx::{AssertSqlSafe, Error, Executor as _, Row as _, SqliteConnection};

use super::super::effects::{Kept, Row, TABLE};

/// How many rows are cleared away at once.
const SWEEP: u32 = 1000;

/// Makes the table where it is not there; also in a file that took the place of the one before.
pub(super) async fn make(connection: &mut SqliteConnection) -> Result<(), Error> {
    for sql in [
        format!(
            "CREATE TABLE IF NOT EXISTS {TABLE} (effect_id TEXT PRIMARY KEY NOT NULL, digest BLOB NOT NULL, \
             outcome TEXT NOT NULL, done_at INTEGER NOT NULL, keep_until INTEGER NOT NULL)"
        ),
        format!("CREATE INDEX IF NOT EXISTS {TABLE}_keep_until ON {TABLE} (keep_until)"),
    ] {
        connection.execute(sqlx::query(AssertSqlSafe(sql))).await?;
    }
    Ok(())
}

/// Whether the table can be used as it is; it may be one of the operator's own making.
pub(super) async fn look(connection: &mut SqliteConnection) -> Result<(), Error> {
    // Fails without the columns, and without the key that keeps two rows of one effect apart.
    let insert =
        format!("INSERT INTO {TABLE} ({COLUMNS}) SELECT '', '', '', 0, 0 WHERE 0 ON CONFLICT (effect_id) DO NOTHING");
    connection.execute(sqlx::query(AssertSqlSafe(insert))).await.map(drop)
}

const COLUMNS: &str = "effect_id, digest, outcome, done_at, keep_until";

/// What is there of this effect.
pub(super) async fn find(connection: &mut SqliteConnection, id: &str) -> Result<Option<Kept>, Error> {
    let sql = format!("SELECT digest, outcome FROM {TABLE} WHERE effect_id = ?1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id.to_owned()).fetch_optional(connection).await?;
    row.map(|row| Ok(Kept { digest: row.try_get(0)?, outcome: row.try_get(1)? })).transpose()
}

/// Writes one down.
pub(super) async fn keep(connection: &mut SqliteConnection, row: &Row<'_>) -> Result<(), Error> {
    let sql = format!("INSERT INTO {TABLE} ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)");
    let query = sqlx::query(AssertSqlSafe(sql))
        .bind(row.id.to_owned())
        .bind(row.digest.to_vec())
        .bind(row.outcome.clone())
        .bind(row.done_at)
        .bind(row.keep_until);
    query.execute(connection).await.map(drop)
}

/// Clears away what is not kept any longer at `now` (seconds since 1970).
pub(super) async fn sweep(connection: &mut SqliteConnection, now: i64) -> Result<(), Error> {
    let sql = format!(
        "DELETE FROM {TABLE} WHERE effect_id IN (SELECT effect_id FROM {TABLE} WHERE keep_until <= ?1 LIMIT {SWEEP})"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(now).execute(connection).await.map(drop)
}
