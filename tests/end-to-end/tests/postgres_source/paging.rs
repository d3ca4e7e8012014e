//! Pages: every row once, in order, whatever is in the key.

use proptest::prelude::*;

use super::*;

/// Follows next_cursor to the end.
async fn all_pages(served: &Served, tool: &str, mut arguments: Value) -> (Vec<Value>, usize) {
    let (mut rows, mut pages) = (Vec::new(), 0);
    loop {
        let page = served.call(tool, arguments.clone()).await.unwrap();
        pages += 1;
        assert_eq!(page["row_count"], page["rows"].as_array().unwrap().len());
        rows.extend(page["rows"].as_array().unwrap().iter().cloned());
        if page["next_cursor"].is_null() {
            assert!(page.get("_omitted").is_none(), "the last page is whole");
            return (rows, pages);
        }
        assert!(!page["rows"].as_array().unwrap().is_empty(), "a page with a next one has rows");
        arguments["cursor"] = page["next_cursor"].clone();
    }
}

const NUMBERS: &str = "CREATE TABLE t (i int PRIMARY KEY, word text);
                       INSERT INTO t SELECT i, repeat('w', 100) FROM generate_series(1, 45) AS g(i)";

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let database = Database::with(NUMBERS).await;
    let sql = "SELECT i, word FROM t WHERE i % :step = 0 ORDER BY word DESC -- the key decides\n;";
    let other = paged(tool("other", sql, &[("step", integer())]), &["i"], 20);
    let list = paged(tool("list", sql, &[("step", integer())]), &["i"], 20);
    let served = serve(&database, vec![list, other]).await;
    let (rows, pages) = all_pages(&served, "list", json!({"step": 1})).await;
    assert_eq!((rows.len(), pages), (45, 3));
    assert!(rows.iter().zip(1..).all(|(row, i)| row["i"] == i), "in key order");
    for (arguments, expected) in [
        (json!({"step": 9}), (5, 1)),
        (json!({"step": 1, "page_size": 9}), (45, 5)),
        (json!({"step": 1, "page_size": 1, "cursor": null}), (45, 45)),
        (json!({"step": 100}), (0, 1)),
    ] {
        let (rows, pages) = all_pages(&served, "list", arguments.clone()).await;
        assert_eq!((rows.len(), pages), expected, "{arguments}");
    }
    let cursor = served.call("list", json!({"step": 1})).await.unwrap()["next_cursor"].take();
    for (tool, arguments) in [
        ("list", json!({"step": 1, "page_size": 21})),
        ("list", json!({"step": 2, "cursor": cursor})),
        ("other", json!({"step": 1, "cursor": cursor})),
        ("list", json!({"step": 1, "cursor": "next"})),
    ] {
        assert_eq!(served.call(tool, arguments.clone()).await.unwrap_err().code(), "invalid_arguments", "{arguments}");
    }
}

/// A page that is cut by size goes on where it was cut.
#[tokio::test]
async fn nothing_is_skipped_when_a_page_is_too_large() {
    let database = Database::with(NUMBERS).await;
    let source = open(&database, vec![paged(tool("list", "SELECT * FROM t", &[]), &["i"], 20)]).await.ok().unwrap();
    let served = Served::new(source, PolicyPatch { max_result_bytes: Some(1500), ..PolicyPatch::default() });
    let (rows, pages) = all_pages(&served, "list", json!({})).await;
    assert!(pages > 5);
    assert!(rows.len() == 45 && rows.iter().zip(1..).all(|(row, i)| row["i"] == i), "{rows:?}");
}

#[tokio::test]
async fn a_key_that_rows_share_is_told() {
    let database = Database::with(NUMBERS).await;
    let served = serve(&database, vec![paged(tool("list", "SELECT i / 4 AS k, i FROM t", &[]), &["k"], 20)]).await;
    let error = served.call("list", json!({"page_size": 2})).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_failed", false));
    assert!(error.to_string().contains("page.key"), "{error}");
}

/// A key without NULL goes by its index; where NULL may come in, none is lost.
#[tokio::test]
async fn an_index_is_used_where_it_can_be() {
    let database = Database::with(
        "CREATE TABLE big (a int NOT NULL, b int NOT NULL, n int, PRIMARY KEY (a, b)); CREATE TABLE few (a int PRIMARY KEY);
         INSERT INTO big SELECT i / 10, i % 10, nullif(i % 3, 0) FROM generate_series(0, 19999) AS g(i);
         INSERT INTO few VALUES (1), (2); ANALYZE big; ANALYZE few",
    )
    .await;
    let served = serve(
        &database,
        vec![
            paged(tool("indexed", "SELECT a, b FROM big", &[]), &["a", "b"], 100),
            paged(
                tool(
                    "outer_join",
                    "SELECT big.a, big.b, few.a AS f FROM big LEFT JOIN few USING (a) WHERE big.a < 5",
                    &[],
                ),
                &["f", "a", "b"],
                7,
            ),
            paged(tool("nullable", "SELECT n, a, b FROM big WHERE a < 5", &[]), &["n", "a", "b"], 7),
        ],
    )
    .await;
    for tool in ["outer_join", "nullable"] {
        let (rows, _) = all_pages(&served, tool, json!({})).await;
        assert_eq!(rows.len(), 50, "{tool}");
    }
    let (rows, _) = all_pages(&served, "indexed", json!({})).await;
    assert_eq!(rows.len(), 20_000);
    database.run("SELECT pg_stat_force_next_flush()").await;
    let mut connection = database.connect().await;
    // 200 pages of 100 rows: each read from where it begins, not from the first row.
    let read: i64 =
        sqlx::query_scalar("SELECT sum(idx_tup_read)::int8 FROM pg_stat_user_indexes WHERE relname = 'big'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert!(read < 60_000, "{read} rows were read from indexes");
}

/// Every row once, in PostgreSQL's own order: NULL, NaN, decimals, times and texts in a key of
/// several columns.
#[test]
fn every_row_comes_once_in_order() {
    const TABLE: &str =
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, \"a\"\"b\" numeric, c text, \"At\" timestamptz)";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (database, served) = runtime.block_on(async {
        let database = Database::with(TABLE).await;
        let sql = "SELECT id, \"a\"\"b\", c, \"At\" FROM t ORDER BY id DESC";
        let whole = tool("whole", "SELECT id FROM t ORDER BY \"a\"\"b\", c, \"At\"", &[]);
        let served = serve(&database, vec![paged(tool("list", sql, &[]), &["a\"b", "c", "At"], 7), whole]).await;
        (database, served)
    });
    let keys = prop::collection::btree_set((number(), text(), moment()), 0..40);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(40));
    let outcome = runner.run(&(keys, 1_usize..7), |(keys, size)| {
        runtime.block_on(async {
            let values: Vec<String> = keys.iter().map(|(a, c, at)| format!("({a}, {c}, {at})")).collect();
            let insert = match values.is_empty() {
                true => String::new(),
                false => format!("INSERT INTO t (\"a\"\"b\", c, \"At\") VALUES {}", values.join(", ")),
            };
            database.run(&format!("DELETE FROM t; {insert}")).await;
            let (rows, _) = all_pages(&served, "list", json!({"page_size": size})).await;
            let ids: Vec<Value> = rows.iter().map(|row| json!({"id": row["id"]})).collect();
            prop_assert_eq!(json!(ids), served.rows("whole", json!({})).await);
            Ok(())
        })
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

fn number() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "NULL",
        "'NaN'",
        "-1.5",
        "0",
        "0.5",
        "9007199254740993",
        "'Infinity'",
        "0.00000000000001",
    ])
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["NULL", "''", "'a'", "'A'", "'it''s'", "'ä'", "'1'"])
}

fn moment() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["NULL", "'-infinity'", "'infinity'", "'2026-11-20T08:30:00.000001Z'", "'0044-03-15 BC'"])
}
