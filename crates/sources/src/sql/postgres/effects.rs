//! The table of effects in a PostgreSQL database.
//!
//! Whoever writes an effect down, or asks for it, first takes the advisory lock of its id, which
//! PostgreSQL gives back when the transaction has ended and what it did can be seen by all. So a repeat
//! waits for a transaction that is under way, whoever began it and however it ends; and one of a server
//! that died, in which nothing comes any more, ends soon (`idle_in_transaction_session_timeout`).

use sqlx::{AssertSqlSafe, Error, Executor as _, PgConnection, Row as _};

use super::{
    super::effects::{Kept, Row, TABLE},
    failure,
};

/// How many rows are cleared away at once.
const SWEEP: u32 = 1000;

/// Ends a transaction in which nothing comes for so long: between two statements of ours is no time at
/// all, unless the server is gone or stands still.
pub(super) const ENDS_WHEN_IDLE: &str = "; SET LOCAL idle_in_transaction_session_timeout = '10s'";

const COLUMNS: &str = "effect_id, digest, outcome, done_at, keep_until";

/// Makes the table where it is not there, and sees that this user may do with it what has to be done.
///
/// # Errors
/// What is in the way, and how to mend that.
pub(super) async fn prepare(connection: &mut PgConnection) -> Result<(), String> {
    let words = |error: Error| format!("The table {TABLE} cannot be looked at: {}.", failure::words(&error));
    let setting = sqlx::query_scalar("SELECT current_setting('transaction_read_only')");
    let read_only: String = setting.fetch_one(&mut *connection).await.map_err(words)?;
    if read_only == "on" {
        return Err(
            "The database can only be read here, so no effect can be written down in it. Name the server that \
                    takes changes, or leave `effects_table` out."
                .into(),
        );
    }
    if !is_there(connection).await.map_err(words)? {
        let made = connection.execute(sqlx::raw_sql(AssertSqlSafe(definition()))).await;
        // Another replica may have been quicker.
        if let Err(error) = made
            && !is_there(connection).await.map_err(words)?
        {
            return Err(format!(
                "The table {TABLE} cannot be made: {}. Let a user who may make it run: {} GRANT SELECT, INSERT, DELETE ON \
                 {TABLE} TO the user of this URL; or leave `effects_table` out.",
                failure::words(&error),
                definition(),
            ));
        }
    }
    for sql in checks() {
        if let Err(error) = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await {
            return Err(format!(
                "The table {TABLE} cannot be used: {}. It must be made by: {} The user of this URL needs SELECT, INSERT \
                 and DELETE on it.",
                failure::words(&error),
                definition(),
            ));
        }
    }
    Ok(())
}

async fn is_there(connection: &mut PgConnection) -> Result<bool, Error> {
    let sql = format!("SELECT to_regclass('{TABLE}') IS NOT NULL");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await
}

fn definition() -> String {
    format!(
        "CREATE TABLE {TABLE} (effect_id text PRIMARY KEY, digest bytea NOT NULL, outcome text NOT NULL, \
         done_at timestamptz NOT NULL, keep_until timestamptz NOT NULL); \
         CREATE INDEX {TABLE}_keep_until ON {TABLE} (keep_until);"
    )
}

/// Looks at columns, at the key that keeps two rows of one effect apart, and at rights; does nothing.
fn checks() -> [String; 3] {
    [
        format!("EXPLAIN SELECT digest, outcome FROM {TABLE} WHERE effect_id = ''"),
        format!(
            "EXPLAIN INSERT INTO {TABLE} ({COLUMNS}) VALUES ('', ''::bytea, '', now(), now()) \
             ON CONFLICT (effect_id) DO NOTHING"
        ),
        format!(
            "EXPLAIN DELETE FROM {TABLE} WHERE effect_id IN (SELECT effect_id FROM {TABLE} WHERE keep_until <= now())"
        ),
    ]
}

/// What is there of this effect, once every other transaction that had to do with it has ended. The
/// lock is held until this transaction ends.
pub(super) async fn find(connection: &mut PgConnection, id: &str) -> Result<Option<Kept>, Error> {
    // 64 bits of the id. Two effects that share them wait for each other, and that is all.
    let lock = id.get(..16).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    let query = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock.cast_signed()).persistent(false);
    query.execute(&mut *connection).await?;
    // A statement of its own, so that it sees what was done while the lock was waited for.
    let sql = format!("SELECT digest, outcome FROM {TABLE} WHERE effect_id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).persistent(false).fetch_optional(connection).await?;
    row.map(|row| Ok(Kept { digest: row.try_get(0)?, outcome: row.try_get(1)? })).transpose()
}

/// Writes one down.
pub(super) async fn keep(connection: &mut PgConnection, row: &Row<'_>) -> Result<(), Error> {
    let sql = format!(
        "INSERT INTO {TABLE} ({COLUMNS}) VALUES ($1, $2, $3, to_timestamp($4::bigint), to_timestamp($5::bigint))"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    let query = query.bind(row.id).bind(row.digest).bind(&row.outcome).bind(row.done_at).bind(row.keep_until);
    query.execute(connection).await.map(drop)
}

/// Clears away what is not kept any longer at `now` (seconds since 1970); what others are clearing away
/// is left to them.
pub(super) async fn sweep(connection: &mut PgConnection, now: i64) -> Result<(), Error> {
    let sql = format!(
        "DELETE FROM {TABLE} WHERE effect_id IN (SELECT effect_id FROM {TABLE} \
         WHERE keep_until <= to_timestamp($1::bigint) LIMIT {SWEEP} FOR UPDATE SKIP LOCKED)"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(now).persistent(false).execute(connection).await.map(drop)
}
