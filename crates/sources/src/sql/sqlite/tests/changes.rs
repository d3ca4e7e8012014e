//! Writes: transactions, what the database refuses, time-outs, and the file that goes away.

use super::*;

const STOCK: &str = "
    CREATE TABLE article (sku TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE stock (id INTEGER PRIMARY KEY, sku TEXT NOT NULL REFERENCES article, units INTEGER CHECK (units >= 0)) STRICT;
    CREATE TRIGGER closed BEFORE INSERT ON stock WHEN NEW.units = 13 BEGIN SELECT RAISE(ABORT, 'the counter is closed'); END;
    INSERT INTO article VALUES ('A-1', 'Mug'), ('A-2', 'Bowl');
    INSERT INTO stock VALUES (1, 'A-1', 5), (2, 'A-2', 0);
";

fn tools() -> Vec<SqlToolSettings> {
    vec![
        tool("count", "SELECT count(*) AS n, sum(units) AS units FROM stock", &[]),
        tool(
            "add",
            "INSERT INTO stock (sku, units) VALUES (:sku, :units) RETURNING id, sku, units",
            &[("sku", json!({"type": "string", "required": false})), ("units", integer())],
        ),
        tool("name", "INSERT INTO article VALUES (:sku, :name)", &[("sku", string()), ("name", string())]),
        tool("raise", "UPDATE stock SET units = units + :by", &[("by", integer())]),
        tool("clear", "DELETE FROM stock WHERE units = 0 RETURNING sku", &[]),
        tool("drop_article", "DELETE FROM article WHERE sku = :sku", &[("sku", string())]),
    ]
}

#[tokio::test]
async fn a_write_reports_what_it_did() {
    let place = Place::with(STOCK).await;
    let served = place.serve(tools()).await;
    for (tool, arguments, expected) in [
        (
            "add",
            json!({"sku": "A-2", "units": 4}),
            json!({"affected": 1, "rows": [{"id": 3, "sku": "A-2", "units": 4}]}),
        ),
        ("raise", json!({"by": 1}), json!({"affected": 3})),
        ("raise", json!({"by": -1}), json!({"affected": 3})),
        ("clear", json!({}), json!({"affected": 1, "rows": [{"sku": "A-2"}]})),
        ("clear", json!({}), json!({"affected": 0, "rows": []})),
        ("count", json!({}), json!({"rows": [{"n": 2, "units": 9}], "row_count": 1})),
    ] {
        assert_eq!(served.call(tool, arguments).await.unwrap(), expected, "{tool}");
    }
    use bridgehead_core::Effect;
    let effects = ["add", "raise", "clear"].map(|tool| (served.spec(tool).effect, served.spec(tool).idempotent));
    assert_eq!(effects, [(Effect::Write, false), (Effect::Destructive, false), (Effect::Destructive, false)]);
}

/// A list of rows that is too long does not undo the change.
#[tokio::test]
async fn a_write_with_many_rows_is_complete() {
    let place = Place::with(STOCK).await;
    let mut many = tool(
        "many",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :n)
         INSERT INTO stock (sku, units) SELECT 'A-1', i FROM n WHERE i <> 13 RETURNING units",
        &[("n", integer())],
    );
    many.row_limit = 10;
    let served = place.serve(vec![many, tools().remove(0)]).await;
    let result = served.call("many", json!({"n": 301})).await.unwrap();
    assert_eq!((&result["affected"], result["rows"].as_array().unwrap().len()), (&json!(300), 10));
    assert_eq!(result["_omitted"]["rows"], 290);
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["n"], 302);
}

/// D4: a rule of the database is not a fault of the server, and repeating makes no sense.
#[tokio::test]
async fn what_the_database_refuses_is_rejected_and_changes_nothing() {
    let place = Place::with(STOCK).await;
    let served = place.serve(tools()).await;
    for (tool, arguments, kind, words) in [
        ("raise", json!({"by": -1}), "check", "CHECK constraint failed"),
        ("add", json!({"sku": "Z", "units": 1}), "foreign_key", "FOREIGN KEY constraint failed"),
        ("drop_article", json!({"sku": "A-1"}), "foreign_key", "FOREIGN KEY constraint failed"),
        ("add", json!({"units": 1}), "not_null", "stock.sku"),
        ("name", json!({"sku": "A-3", "name": "Mug"}), "unique", "article.name"),
        ("name", json!({"sku": "A-1", "name": "Cup"}), "unique", "article.sku"),
        ("add", json!({"sku": "A-1", "units": 13}), "trigger", "the counter is closed"),
    ] {
        let error = served.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_rejected", false), "{tool} {error}");
        let details = error.details().unwrap();
        assert_eq!(details["constraint"], kind, "{tool} {error}");
        assert!(details["message"].as_str().unwrap().contains(words), "{details}");
        assert!(error.to_string().contains(words) && error.to_string().contains("Nothing was changed"), "{error}");
    }
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"], json!([{"n": 2, "units": 5}]));
    // The connection that writes is none the worse for it.
    assert_eq!(served.call("raise", json!({"by": 1})).await.unwrap(), json!({"affected": 2}));
}

/// ON CONFLICT ROLLBACK ends the transaction behind our back.
#[tokio::test]
async fn a_statement_that_rolls_back_by_itself_leaves_a_sound_connection() {
    let place = Place::with(STOCK).await;
    let mut tools = tools();
    tools.push(tool("put", "INSERT OR ROLLBACK INTO article VALUES (:sku, 'Cup')", &[("sku", string())]));
    let served = place.serve(tools).await;
    for _ in 0..3 {
        assert_eq!(served.call("put", json!({"sku": "A-1"})).await.unwrap_err().code(), "upstream_rejected");
    }
    assert_eq!(served.call("put", json!({"sku": "A-3"})).await.unwrap(), json!({"affected": 1}));
    assert_eq!(served.call("raise", json!({"by": 1})).await.unwrap(), json!({"affected": 2}));
}

/// D5: the key of a change that was taken back is fresh again, unless the database has said no.
#[tokio::test]
async fn what_was_taken_back_was_not_done() {
    use bridgehead_core::Verdict::{Definite, Undone};
    let place = Place::with(STOCK).await;
    let served = place.serve(tools()).await;
    let verdict = |error: CallError| match error {
        CallError::Upstream(failure) => failure.verdict,
        other => panic!("{other:?}"),
    };
    assert_eq!(verdict(served.call("raise", json!({"by": -1})).await.unwrap_err()), Definite);
    place.run("DROP TABLE stock").await;
    assert_eq!(verdict(served.call("raise", json!({"by": 1})).await.unwrap_err()), Undone);
    for failure in [failure::write(sqlx::Error::WorkerCrashed), failure::out_of_time()] {
        assert_eq!(failure.verdict, Undone, "{failure}");
    }
    assert_eq!(failure::uncertain(sqlx::Error::WorkerCrashed).verdict, bridgehead_core::Verdict::InDoubt);
}

/// A write that is too slow is taken back before the deadline: never in doubt, so a retry is fine.
#[tokio::test]
async fn a_write_that_takes_too_long_is_taken_back() {
    let place = Place::with(STOCK).await;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 20 UNION ALL SELECT i + 1 FROM n) \
                   INSERT INTO stock (sku, units) SELECT 'A-1', i FROM n";
    let mut tools = tools();
    tools.push(tool("endless", endless, &[]));
    let source = place.open(tools).await.ok().unwrap();
    let patch = PolicyPatch { timeout: Some(Duration::from_secs(1)), ..PolicyPatch::default() };
    let served = Served::new(source, patch);
    for _ in 0..2 {
        let error = served.call("endless", json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("timed_out", true), "{error}");
        assert!(error.to_string().contains("Nothing was changed"), "{error}");
    }
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"], json!([{"n": 2, "units": 5}]));
    assert_eq!(served.call("raise", json!({"by": 1})).await.unwrap(), json!({"affected": 2}));
}

/// Another program holds the lock: the caller is told before its deadline, and nothing is in doubt.
#[tokio::test]
async fn a_lock_of_another_program_is_waited_for_within_the_deadline() {
    let place = Place::with(STOCK).await;
    let source = place.open(tools()).await.ok().unwrap();
    let patch = PolicyPatch { timeout: Some(Duration::from_millis(500)), ..PolicyPatch::default() };
    let served = Served::new(source, patch);
    let mut other = SqliteConnectOptions::new().filename(place.database()).connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = served.call("raise", json!({"by": 1})).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("timed_out", true), "{error}");
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["units"], 5, "readers do not mind");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
}

#[tokio::test]
async fn busy_and_locked_say_when_to_come_back() {
    let place = Place::with(STOCK).await;
    let options = SqliteConnectOptions::new().filename(place.database()).busy_timeout(Duration::ZERO);
    let (mut one, mut two) = (options.connect().await.unwrap(), options.connect().await.unwrap());
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut one).await.unwrap();
    let error = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut two).await.unwrap_err();
    let error = CallError::from(failure::write(error));
    assert_eq!(
        (error.code(), error.retryable(), error.retry_after()),
        ("upstream_busy", true, Some(Duration::from_secs(1)))
    );
    assert!(error.to_string().contains("Nothing was changed"), "{error}");
}

/// Writes of many callers come one after the other, and none meets the lock of another.
#[tokio::test]
async fn writes_at_once_all_succeed() {
    let place = Place::with(STOCK).await;
    let served = place.serve(tools()).await;
    for result in future::join_all((0..40).map(|_| served.call("raise", json!({"by": 1})))).await {
        assert_eq!(result.unwrap(), json!({"affected": 2}));
    }
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["units"], 85);
}

/// SQLite would go on with a deleted file, into nowhere.
#[tokio::test]
async fn a_file_that_goes_away_is_noticed_and_not_made_anew() {
    let place = Place::with(STOCK).await;
    let served = place.serve(tools()).await;
    assert_eq!(served.source.ready().await, Ok(()));
    served.call("raise", json!({"by": 1})).await.unwrap();
    std::fs::remove_file(place.database()).unwrap();
    for (tool, arguments) in [("count", json!({})), ("raise", json!({"by": 1}))] {
        let error = served.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_unavailable", true));
        assert!(!error.to_string().contains(place.directory.path().to_str().unwrap()), "{error}");
    }
    let error = served.source.ready().await.unwrap_err();
    assert!(error.contains("missing"), "{error}");
    assert!(!place.database().exists());
    // A restored copy is served from the next call on.
    place.run(STOCK).await;
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"], json!([{"n": 2, "units": 5}]));
    assert_eq!(served.call("raise", json!({"by": 2})).await.unwrap(), json!({"affected": 2}));
    assert_eq!(served.source.ready().await, Ok(()));
}

#[tokio::test]
async fn a_file_that_is_put_in_its_place_is_noticed() {
    let place = Place::with(STOCK).await;
    let served = place.serve(tools()).await;
    served.call("raise", json!({"by": 1})).await.unwrap();
    make(&place.file("new.db"), STOCK).await;
    std::fs::rename(place.file("new.db"), place.database()).unwrap();
    assert_eq!(served.call("raise", json!({"by": 10})).await.unwrap(), json!({"affected": 2}));
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["units"], 25);
    std::fs::remove_file(place.database()).unwrap();
    std::fs::write(place.database(), "no database at all, only a text that is long enough to look at").unwrap();
    let error = served.call("count", json!({})).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_unavailable", false), "{error}");
    assert!(served.source.ready().await.is_err());
}

#[tokio::test]
async fn a_database_in_wal_mode_is_read_and_written() {
    let place = Place::with(&format!("PRAGMA journal_mode = WAL; {STOCK}")).await;
    let served = place.serve(tools()).await;
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["units"], 5);
    assert_eq!(served.call("raise", json!({"by": 1})).await.unwrap(), json!({"affected": 2}));
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["units"], 7);
    served.source.close().await;
}
