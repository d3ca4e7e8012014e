//! Writes: transactions, what the database refuses, locks, and time-outs.

use super::*;

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
    let database = Database::with(STOCK).await;
    let served = serve(&database, tools()).await;
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

/// A list of rows that is too long does not undo the change; what a WITH changes counts as well.
#[tokio::test]
async fn a_write_with_many_rows_is_complete() {
    let database = Database::with(&format!("{STOCK} CREATE TABLE gone (sku text, kept tstzrange)")).await;
    let mut many = tool(
        "many",
        "INSERT INTO stock (sku, units) SELECT 'A-1', i FROM generate_series(100, 99 + :n) AS g(i) RETURNING units",
        &[("n", integer())],
    );
    many.row_limit = 10;
    let keep = "WITH removed AS (DELETE FROM stock WHERE sku = :sku RETURNING sku) \
                INSERT INTO gone SELECT sku, tstzrange(now(), NULL) FROM removed RETURNING sku, kept::text AS kept";
    let note = tool("note", "INSERT INTO gone VALUES ('x', '[2026-01-01,2026-02-01)') RETURNING sku, kept", &[]);
    let served = serve(&database, vec![many, tool("keep", keep, &[("sku", string())]), note, tools().remove(0)]).await;
    let result = served.call("many", json!({"n": 300})).await.unwrap();
    assert_eq!((&result["affected"], result["rows"].as_array().unwrap().len()), (&json!(300), 10));
    assert_eq!(result["_omitted"]["rows"], 290);
    assert_eq!(served.rows("count", json!({})).await[0]["n"], 302);
    assert_eq!(served.call("keep", json!({"sku": "A-1"})).await.unwrap()["affected"], 301);
    assert_eq!(
        served.call("note", json!({})).await.unwrap(),
        json!({"affected": 1, "rows": [{"sku": "x", "kept": "[\"2026-01-01 00:00:00+00\",\"2026-02-01 00:00:00+00\")"}]})
    );
}

/// D4: a rule of the database is not a fault of the server, and repeating makes no sense.
#[tokio::test]
async fn what_the_database_refuses_is_rejected_and_changes_nothing() {
    let database = Database::with(&format!(
        "{STOCK} CREATE TABLE booking (hall text, during int4range, EXCLUDE USING gist (during WITH &&));
         INSERT INTO booking VALUES ('N', '[1,5)');
         CREATE TABLE late (sku text CONSTRAINT known REFERENCES article DEFERRABLE INITIALLY DEFERRED)"
    ))
    .await;
    let mut tools = tools();
    tools.push(tool("book", "INSERT INTO booking VALUES ('N', :during)", &[("during", string())]));
    tools.push(tool("late", "INSERT INTO late VALUES (:sku)", &[("sku", string())]));
    let served = serve(&database, tools).await;
    for (tool, arguments, kind, name, words) in [
        ("raise", json!({"by": -1}), json!("check"), json!("no_less_than_nothing"), "check constraint"),
        (
            "add",
            json!({"sku": "Z", "units": 1}),
            json!("foreign_key"),
            json!("stock_sku_fkey"),
            "Key (sku)=(Z) is not present",
        ),
        (
            "drop_article",
            json!({"sku": "A-1"}),
            json!("foreign_key"),
            json!("stock_sku_fkey"),
            "still referenced from table \"stock\"",
        ),
        ("add", json!({"units": 1}), json!("not_null"), json!(null), "\"sku\""),
        (
            "name",
            json!({"sku": "A-3", "name": "Mug"}),
            json!("unique"),
            json!("article_name_key"),
            "Key (name)=(Mug) already exists",
        ),
        ("book", json!({"during": "[2,3)"}), json!("exclusion"), json!("booking_during_excl"), "overlaps"),
        // Found at COMMIT alone.
        ("late", json!({"sku": "Z"}), json!("foreign_key"), json!("known"), "is not present in table \"article\""),
        ("add", json!({"sku": "A-1", "units": 13}), json!(null), json!(null), "the counter is closed"),
        ("raise", json!({"by": 2147483647}), json!(null), json!(null), "integer out of range"),
        ("book", json!({"during": "soon"}), json!(null), json!(null), "malformed range literal"),
    ] {
        let error = served.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_rejected", false), "{tool} {error}");
        let details = error.details().unwrap();
        assert_eq!((&details["constraint"], &details["name"]), (&kind, &name), "{tool} {details}");
        assert!(error.to_string().contains(words) && error.to_string().contains("Nothing was changed"), "{error}");
        assert!(!error.to_string().contains("Failing row"), "a row may hold what is nobody's business: {error}");
    }
    assert_eq!(served.rows("count", json!({})).await, json!([{"n": 2, "units": 5}]));
    assert_eq!(served.call("raise", json!({"by": 1})).await.unwrap(), json!({"affected": 2}));
}

/// A write that is too slow is taken back before the deadline: never in doubt, so a retry is fine.
#[tokio::test]
async fn a_write_that_takes_too_long_is_taken_back() {
    let database = Database::with(STOCK).await;
    let mut tools = tools();
    tools.push(tool("slow", "INSERT INTO stock (sku, units) SELECT 'A-1', 1 FROM pg_sleep(600)", &[]));
    let served = Served::new(open(&database, tools).await.ok().unwrap(), timeout(500));
    for _ in 0..2 {
        let error = served.call("slow", json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("timed_out", true), "{error}");
        assert!(error.to_string().contains("Nothing was changed"), "{error}");
    }
    assert_eq!(served.rows("count", json!({})).await, json!([{"n": 2, "units": 5}]));
    assert_eq!(served.call("raise", json!({"by": 1})).await.unwrap(), json!({"affected": 2}));
}

/// Another program holds the lock: the caller is told before its deadline, and nothing is in doubt.
#[tokio::test]
async fn a_lock_of_another_program_is_waited_for_within_the_deadline() {
    let database = Database::with(STOCK).await;
    let served = Served::new(open(&database, tools()).await.ok().unwrap(), timeout(500));
    let mut other = database.connect().await;
    sqlx::raw_sql("BEGIN; UPDATE stock SET units = 7").execute(&mut other).await.unwrap();
    let error = served.call("raise", json!({"by": 1})).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("timed_out", true), "{error}");
    assert_eq!(served.rows("count", json!({})).await[0]["units"], 5, "readers do not mind");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(served.call("raise", json!({"by": 1})).await.unwrap(), json!({"affected": 2}));
}

/// Two that wait for each other: one is told to come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_with_others_are_busy_and_worth_a_retry() {
    let database = Database::with(&format!(
        "{STOCK} CREATE FUNCTION give_way() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$;"
    ))
    .await;
    let mut conflict = tool("conflict", "SELECT give_way() AS nothing", &[]);
    conflict.effect = Some(bridgehead_core::Effect::Write);
    let nowait = "WITH held AS (SELECT id FROM stock FOR UPDATE NOWAIT) UPDATE stock SET units = 1 FROM held WHERE stock.id = held.id";
    let both = "WITH first AS (SELECT id FROM stock WHERE id = 2 FOR UPDATE), later AS (SELECT pg_advisory_xact_lock(7) FROM first) \
                UPDATE stock SET units = 1 FROM later WHERE id = 1";
    let served = serve(&database, vec![conflict, tool("nowait", nowait, &[]), tool("both", both, &[])]).await;
    let mut other = database.connect().await;
    sqlx::raw_sql("BEGIN; SELECT id FROM stock WHERE id = 1 FOR UPDATE").execute(&mut other).await.unwrap();
    for tool in ["conflict", "nowait"] {
        let error = served.call(tool, json!({})).await.unwrap_err();
        assert_eq!(
            (error.code(), error.retryable(), error.retry_after()),
            ("upstream_busy", true, Some(Duration::from_secs(1))),
            "{tool} {error}"
        );
        assert!(error.to_string().contains("Nothing was changed"), "{error}");
    }
    // We hold 2 and wait for 1, the other holds 1 and waits for 2.
    let (ours, theirs) = tokio::join!(served.call("both", json!({})), async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut other).await.unwrap() == 0 {}
        sqlx::raw_sql("UPDATE stock SET units = 2 WHERE id = 2").execute(&mut other).await
    });
    match (ours, theirs) {
        (Err(error), Ok(_)) => assert_eq!((error.code(), error.retryable()), ("upstream_busy", true), "{error}"),
        (Ok(_), Err(error)) => assert!(error.to_string().contains("deadlock"), "{error}"),
        both => panic!("nobody gave way: {both:?}"),
    }
}

#[tokio::test]
async fn what_the_user_may_not_do_is_forbidden() {
    let database = Database::with(&format!(
        "{STOCK} CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk;
         CREATE TABLE private (a int)"
    ))
    .await;
    let mut tools = tools();
    tools.push(tool("secret", "SELECT a FROM private", &[]));
    let served =
        Served::new(open_url(&database.url_as("clerk", "clerk"), tools).await.ok().unwrap(), PolicyPatch::default());
    assert_eq!(served.rows("count", json!({})).await[0]["n"], 2);
    for (tool, arguments) in [("raise", json!({"by": 1})), ("secret", json!({}))] {
        let error = served.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_forbidden", false), "{error}");
        assert!(error.to_string().contains("permission denied for table"), "{error}");
    }
}

/// COMMIT was sent, and the answer got lost: nobody says that nothing was changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_during_commit_leaves_doubt_and_says_so() {
    let database = Database::with(&format!(
        "{STOCK} CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER linger AFTER UPDATE ON stock DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION linger();"
    ))
    .await;
    let served = serve(&database, tools()).await;
    let mut other = database.connect().await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
               AND query = 'COMMIT' AND state = 'active'";
    let (result, ()) = tokio::join!(served.call("raise", json!({"by": 1})), async {
        while sqlx::query_scalar::<_, i64>(end).fetch_one(&mut other).await.unwrap() == 0 {}
    });
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_connection_lost", false), "{error}");
    assert!(error.to_string().contains("not certain") && !error.to_string().contains("Nothing was changed"), "{error}");
}

/// The connection breaks before COMMIT is sent: the server takes everything back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_before_commit_changes_nothing() {
    let database = Database::with(STOCK).await;
    let mut tools = tools();
    tools.push(tool("slow", "UPDATE stock SET units = 99 FROM pg_sleep(600)", &[]));
    let served = serve(&database, tools).await;
    let mut other = database.connect().await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() \
               AND query LIKE 'UPDATE stock SET units = 99%' AND state = 'active'";
    let (result, ()) = tokio::join!(served.call("slow", json!({})), async {
        while sqlx::query_scalar::<_, i64>(end).fetch_one(&mut other).await.unwrap() == 0 {}
    });
    let error = result.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_unavailable", true), "{error}");
    assert!(error.to_string().contains("Nothing was changed"), "{error}");
    assert_eq!(served.rows("count", json!({})).await, json!([{"n": 2, "units": 5}]));
}

/// More writes at once than there are connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_at_once_all_succeed() {
    let database = Database::with(STOCK).await;
    let served = serve(&database, tools()).await;
    for result in join_all((0..40).map(|_| served.call("raise", json!({"by": 1})))).await {
        assert_eq!(result.unwrap(), json!({"affected": 2}));
    }
    assert_eq!(served.rows("count", json!({})).await[0]["units"], 85);
}
