//! Pages: every row once, in order, whatever is in the key.

use proptest::prelude::*;

use super::*;

/// Follows next_cursor to the end.
async fn all_pages(served: &Served, tool: &str, arguments: Value) -> (Vec<Value>, usize) {
    let (mut rows, mut pages) = (Vec::new(), 0);
    let mut arguments = arguments;
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

async fn numbers() -> Place {
    Place::with(
        "CREATE TABLE t (i INTEGER PRIMARY KEY, word TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 45)
         INSERT INTO t SELECT i, printf('%.*c', 100, 'w') FROM n;",
    )
    .await
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end() {
    let place = numbers().await;
    let sql = "SELECT i, word FROM t WHERE i % :step = 0 ORDER BY word DESC -- the key decides\n;";
    let served = place.serve(vec![paged(tool("list", sql, &[("step", integer())]), &["i"], 20)]).await;
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
    for arguments in [json!({"step": 1, "page_size": 0}), json!({"step": 1, "page_size": 21})] {
        assert_eq!(served.call("list", arguments).await.unwrap_err().code(), "invalid_arguments");
    }
}

/// A page that is cut by size goes on where it was cut.
#[tokio::test]
async fn nothing_is_skipped_when_a_page_is_too_large() {
    let place = numbers().await;
    let source = place.open(vec![paged(tool("list", "SELECT * FROM t", &[]), &["i"], 20)]).await.ok().unwrap();
    let served = Served::new(source, PolicyPatch { max_result_bytes: Some(1500), ..PolicyPatch::default() });
    let first = served.call("list", json!({})).await.unwrap();
    assert!(first["_omitted"]["next"].as_str().unwrap().contains("next_cursor"), "{first}");
    assert!(first.to_string().len() <= 1500);
    let (rows, pages) = all_pages(&served, "list", json!({})).await;
    assert!(rows.iter().zip(1..).all(|(row, i)| row["i"] == i) && rows.len() == 45 && pages > 3);
}

#[tokio::test]
async fn a_cursor_of_something_else_is_refused_with_a_hint() {
    let place = numbers().await;
    let step = [("step", json!({"type": "integer", "default": 1}))];
    let served = place
        .serve(vec![
            paged(tool("list", "SELECT i FROM t WHERE i % :step = 0", &step), &["i"], 20),
            paged(tool("other", "SELECT i FROM t WHERE i % :step = 0", &step), &["i"], 20),
        ])
        .await;
    let cursor = served.call("list", json!({})).await.unwrap()["next_cursor"].as_str().unwrap().to_owned();
    assert!(served.call("list", json!({"cursor": cursor, "step": 1, "page_size": 3})).await.is_ok());
    let mut tampered = cursor.clone();
    tampered.replace_range(4..5, if &cursor[4..5] == "A" { "B" } else { "A" });
    for (tool, arguments) in [
        ("list", json!({"cursor": "next"})),
        ("list", json!({"cursor": ""})),
        ("list", json!({"cursor": tampered})),
        ("list", json!({"cursor": cursor, "step": 2})),
        ("other", json!({"cursor": cursor})),
    ] {
        let error = served.call(tool, arguments.clone()).await.unwrap_err();
        assert_eq!(error.code(), "invalid_arguments", "{arguments}");
        assert!(error.to_string().contains("/cursor: is no cursor of this tool"), "{error}");
    }
}

/// Rows would be lost between two pages, so it is an error and not a shorter list.
#[tokio::test]
async fn a_key_that_rows_share_is_told() {
    let place = numbers().await;
    let served = place.serve(vec![paged(tool("list", "SELECT i / 4 AS k, i FROM t", &[]), &["k"], 20)]).await;
    let error = served.call("list", json!({"page_size": 2})).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_failed", false));
    assert!(error.to_string().contains("page.key"), "{error}");
    assert!(served.call("list", json!({"page_size": 3})).await.is_ok(), "a page may end between two keys");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every row once, in SQLite's own order: NULLs, numbers, texts and blobs in one key of two
    /// columns.
    #[test]
    fn every_row_comes_once_in_order(
        keys in prop::collection::btree_set((key_literal(), key_literal()), 0..40),
        size in 1_usize..7,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::with("CREATE TABLE t (id INTEGER PRIMARY KEY, \"a\"\"b\", c)").await;
            let values: Vec<String> = keys.iter().map(|(a, c)| format!("({a}, {c})")).collect();
            if !values.is_empty() {
                place.run(&format!("INSERT INTO t (\"a\"\"b\", c) VALUES {}", values.join(", "))).await;
            }
            let sql = "SELECT id, \"a\"\"b\", c FROM t ORDER BY id DESC";
            let whole = tool("whole", "SELECT id FROM t ORDER BY \"a\"\"b\", c", &[]);
            let served = place.serve(vec![paged(tool("list", sql, &[]), &["a\"b", "c"], size), whole]).await;
            let (rows, _) = all_pages(&served, "list", json!({})).await;
            let ids: Vec<Value> = rows.iter().map(|row| json!({"id": row["id"]})).collect();
            assert_eq!(json!(ids), served.call("whole", json!({})).await.unwrap()["rows"]);
        });
    }
}

/// Distinct values in SQLite's eyes: no 1 beside 1.0.
fn key_literal() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "NULL",
        "-9223372036854775808",
        "-1",
        "0",
        "1",
        "0.5",
        "9e999",
        "-9e999",
        "9007199254740993",
        "''",
        "'1'",
        "'a'",
        "'A'",
        "'it''s'",
        "'ä'",
        "x''",
        "x'00ff'",
    ])
}
