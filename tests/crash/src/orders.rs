//! Orders in a database that the servers write to themselves, by SQL with `effects_table`.

use std::{collections::HashMap, path::PathBuf};

use bridgehead_harness::postgres::Database;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::shop::Orders;

/// Nothing here keeps an intent from being ordered twice. Some transactions take their time, at the statement and at
/// the commit, so that a kill meets them there.
const ON_POSTGRES: &str = "
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY, intent bigint NOT NULL, units int NOT NULL CHECK (units < 100));
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.12) WHERE NEW.intent % 7 = 0; RETURN NULL; END $$;
    CREATE TRIGGER at_the_statement AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION dawdle();
    CREATE CONSTRAINT TRIGGER at_the_commit AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle();";

/// Without functions to wait in, a statement that has to count for a while.
const ON_SQLITE: &str = "
    CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, intent INTEGER NOT NULL, units INTEGER NOT NULL CHECK (units < 100));
    CREATE VIEW many AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i FROM n;
    CREATE TRIGGER dawdle AFTER INSERT ON orders WHEN NEW.intent % 7 = 0 BEGIN SELECT count(*) FROM many; END;";

/// A database of orders.
pub(crate) enum Table {
    Sqlite(PathBuf),
    Postgres(Database),
}

impl Table {
    /// A fresh one in a file.
    pub(crate) async fn sqlite(path: PathBuf) -> Self {
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = options.connect().await.expect("a database");
        sqlx::raw_sql(ON_SQLITE).execute(&mut connection).await.expect("a table");
        connection.close().await.expect("an orderly end");
        Self::Sqlite(path)
    }

    /// A fresh one on the server of the tests.
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(Database::with(ON_POSTGRES).await)
    }

    /// As a configuration has it.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(database) => database.url(),
        }
    }

    /// The orders that were made for an intent.
    pub(crate) async fn orders_of(&self, intent: u64) -> Vec<i64> {
        let rows = self.rows(&format!("SELECT intent, id FROM orders WHERE intent = {intent} ORDER BY id")).await;
        rows.into_iter().map(|(_, id)| id).collect()
    }

    /// All of them.
    pub(crate) async fn orders(&self) -> Orders {
        let mut orders: Orders = HashMap::new();
        for (intent, id) in self.rows("SELECT intent, id FROM orders ORDER BY id").await {
            orders.entry(u64::try_from(intent).expect("an intent")).or_default().push(id);
        }
        orders
    }

    async fn rows(&self, sql: &str) -> Vec<(i64, i64)> {
        let query = sqlx::query_as(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Sqlite(path) => {
                let mut connection: SqliteConnection =
                    SqliteConnectOptions::new().filename(path).connect().await.expect("the database");
                query.fetch_all(&mut connection).await.expect("rows")
            }
            Self::Postgres(database) => {
                let mut connection: PgConnection = database.connect().await;
                let query = sqlx::query_as(AssertSqlSafe(sql.to_owned()));
                query.fetch_all(&mut connection).await.expect("rows")
            }
        }
    }
}
