//! Reads: values, limits, the read-only connection, and what happens when nobody waits.

use super::*;

const STOCK: &str = "
    CREATE TABLE stock (sku TEXT PRIMARY KEY, units INTEGER, price REAL, note TEXT) STRICT;
    INSERT INTO stock VALUES ('A-1', 3, 1.5, NULL), ('A-2', 0, 2.0, 'x'), ('B-1', 7, 0.25, 'it''s'), ('C-1', 9, 9.0, '');
";

#[tokio::test]
async fn a_statement_answers_with_typed_rows() {
    let place = Place::with(STOCK).await;
    let sql = "SELECT sku, units, price, note, units > 0 AS available FROM stock WHERE sku = :sku";
    let served = place.serve(vec![tool("find", sql, &[("sku", string())])]).await;
    assert_eq!(
        served.call("find", json!({"sku": "A-1"})).await.unwrap(),
        json!({"rows": [{"sku": "A-1", "units": 3, "price": 1.5, "note": null, "available": 1}], "row_count": 1})
    );
    assert_eq!(served.call("find", json!({"sku": "' OR 1=1 --"})).await.unwrap(), json!({"rows": [], "row_count": 0}));
    assert_eq!(served.call("find", json!({})).await.unwrap_err().code(), "invalid_arguments");
    let spec = served.spec("find");
    assert_eq!((spec.effect, spec.idempotent, spec.open_world), (bridgehead_core::Effect::Read, true, false));
    assert_eq!(
        Value::Object(spec.input_schema),
        json!({"type": "object", "properties": {"sku": string()}, "required": ["sku"], "additionalProperties": false})
    );
}

#[tokio::test]
async fn optional_parameters_are_null_or_their_default() {
    let place = Place::with(STOCK).await;
    let sql = "SELECT sku FROM stock WHERE (:least IS NULL OR units >= :least) AND (units > 0 OR :empty) \
               AND (:skus IS NULL OR sku IN (SELECT value FROM json_each(:skus))) ORDER BY sku";
    let parameters = [
        ("least", json!({"type": "integer", "required": false})),
        ("empty", json!({"type": "boolean", "default": false})),
        ("skus", json!({"type": "array", "items": {"type": "string"}, "required": false})),
    ];
    let served = place.serve(vec![tool("list", sql, &parameters)]).await;
    for (arguments, expected) in [
        (json!({}), vec!["A-1", "B-1", "C-1"]),
        (json!({"least": null, "empty": null, "skus": null}), vec!["A-1", "B-1", "C-1"]),
        (json!({"empty": true}), vec!["A-1", "A-2", "B-1", "C-1"]),
        (json!({"least": 7}), vec!["B-1", "C-1"]),
        (json!({"skus": ["C-1", "A-1", "Z"]}), vec!["A-1", "C-1"]),
    ] {
        let result = served.call("list", arguments.clone()).await.unwrap();
        let skus: Vec<_> = result["rows"].as_array().unwrap().iter().map(|row| row["sku"].clone()).collect();
        assert_eq!(json!(skus), json!(expected), "{arguments}");
    }
}

/// D3, and the house's rule on values that JSON readers would round.
#[tokio::test]
async fn whatever_a_column_holds_fits_its_schema() {
    let place = Place::with(
        "CREATE TABLE loose (id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, f BOOLEAN, d DATE, n, m DECIMAL(10,2));
         INSERT INTO loose VALUES (1, 1, 1.5, 'a', x'00ff', 1, '2026-01-01', 1, 1.25),
           (2, 'many', 'much', x'41', 'text', 'maybe', 20260101, x'00', 'x'),
           (3, 9007199254740993, 9e999, 7, 1, 7, NULL, -9007199254740993, 1),
           (4, 1.5, -9e999, 1.5, 1.5, 0, 1.5, 1e300, NULL);
         CREATE TABLE strict (i INTEGER, j INT, r REAL, t TEXT, b BLOB, a ANY) STRICT;
         INSERT INTO strict VALUES (9007199254740993, -1, 9e999, 'a', x'00', x'01'), (1, NULL, 2, NULL, NULL, 1.5);",
    )
    .await;
    let mut overridden = tool("overridden", "SELECT i, r, t, b, f, n FROM loose ORDER BY id", &[]);
    overridden.columns =
        [("i", "integer"), ("r", "number"), ("t", "string"), ("b", "string"), ("f", "boolean"), ("n", "integer")]
            .map(|(name, word)| column(name, Some(word)))
            .into();
    let served = place
        .serve(vec![
            tool("loose", "SELECT * FROM loose ORDER BY id", &[]),
            tool("strict", "SELECT * FROM strict ORDER BY i", &[]),
            tool("mixed", "SELECT i AS x FROM strict UNION ALL SELECT 'total' UNION ALL SELECT 1.5", &[]),
            overridden,
        ])
        .await;
    let rows = |result: Value| result["rows"].clone();
    assert_eq!(
        rows(served.call("loose", json!({})).await.unwrap()),
        json!([
            {"id": 1, "i": 1, "r": 1.5, "t": "a", "b": "AP8=", "f": true, "d": "2026-01-01", "n": 1, "m": 1.25},
            {"id": 2, "i": "many", "r": "much", "t": "QQ==", "b": "text", "f": "maybe", "d": 20260101, "n": "AA==", "m": "x"},
            {"id": 3, "i": "9007199254740993", "r": null, "t": "7", "b": 1, "f": 7, "d": null, "n": "-9007199254740993", "m": 1},
            {"id": 4, "i": 1.5, "r": null, "t": "1.5", "b": 1.5, "f": false, "d": 1.5, "n": 1e300, "m": null},
        ])
    );
    assert_eq!(
        rows(served.call("strict", json!({})).await.unwrap()),
        json!([
            {"i": 1, "j": null, "r": 2.0, "t": null, "b": null, "a": 1.5},
            {"i": "9007199254740993", "j": -1, "r": null, "t": "a", "b": "AA==", "a": "AQ=="},
        ])
    );
    assert_eq!(
        rows(served.call("mixed", json!({})).await.unwrap()),
        json!([{"x": "9007199254740993"}, {"x": 1}, {"x": "total"}, {"x": "1.5"}])
    );
    assert_eq!(
        rows(served.call("overridden", json!({})).await.unwrap())[1],
        json!({"i": "many", "r": "much", "t": "QQ==", "b": "text", "f": "maybe", "n": "AA=="})
    );
    for (tool, name, types) in [
        ("loose", "i", json!(["integer", "number", "string", "null"])),
        ("loose", "t", json!(["string", "null"])),
        ("loose", "n", json!(["string", "number", "null"])),
        ("strict", "i", json!(["integer", "string", "null"])),
        ("strict", "b", json!(["string", "null"])),
        ("strict", "a", json!(["string", "number", "null"])),
    ] {
        assert_eq!(served.column(tool, name), json!({"type": types}), "{tool} {name}");
    }
    assert_eq!(
        served.column("overridden", "f"),
        json!({"type": ["boolean", "string", "null"], "description": "The f."})
    );
}

#[tokio::test]
async fn a_result_that_is_cut_says_so() {
    let place = Place::with(
        "CREATE TABLE t (i INTEGER, x TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)
         INSERT INTO t SELECT i, printf('%.*c', 100, 'x') FROM n;",
    )
    .await;
    let mut limited = tool("limited", "SELECT i FROM t WHERE i >= :from ORDER BY i", &[("from", integer())]);
    limited.row_limit = 10;
    let served = Served::new(
        place.open(vec![limited, tool("large", "SELECT i, x FROM t ORDER BY i", &[])]).await.ok().unwrap(),
        PolicyPatch { max_result_bytes: Some(2048), ..PolicyPatch::default() },
    );
    let result = served.call("limited", json!({"from": 5})).await.unwrap();
    assert_eq!((&result["row_count"], &result["rows"][9]["i"]), (&json!(10), &json!(14)));
    let note = result["_omitted"]["next"].as_str().unwrap();
    assert!(note.starts_with("Only the first 10 rows") && note.contains("Narrow the arguments"), "{note}");
    let exact = served.call("limited", json!({"from": 491})).await.unwrap();
    assert_eq!((&exact["row_count"], exact.get("_omitted")), (&json!(10), None));
    let result = served.call("large", json!({})).await.unwrap();
    let count = result["rows"].as_array().unwrap().len();
    assert!(count > 5 && result["row_count"] == count && result.to_string().len() <= 2048, "{result}");
    assert!(result["_omitted"]["next"].as_str().unwrap().contains("too large"));
}

/// One row that is larger than the limit is still there; the pipeline shortens its texts.
#[tokio::test]
async fn one_row_that_is_too_large_is_shortened() {
    let place =
        Place::with("CREATE TABLE t (x TEXT); INSERT INTO t VALUES (printf('%.*c', 10000, 'x')), ('second')").await;
    let served = Served::new(
        place.open(vec![tool("large", "SELECT x FROM t", &[])]).await.ok().unwrap(),
        PolicyPatch { max_result_bytes: Some(2048), ..PolicyPatch::default() },
    );
    let result = served.call("large", json!({})).await.unwrap();
    assert!(result["rows"][0]["x"].as_str().unwrap().ends_with("[cut]") && result["row_count"] == 1, "{result}");
}

/// The statement itself ends, not only the waiting: more of them than there are readers, and a
/// reader is free afterwards.
#[tokio::test]
async fn a_read_that_nobody_waits_for_is_stopped() {
    let place = Place::with(STOCK).await;
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n";
    let source =
        place.open(vec![tool("endless", endless, &[]), tool("one", "SELECT 1 AS one", &[])]).await.ok().unwrap();
    let patch = PolicyPatch { timeout: Some(Duration::from_millis(50)), ..PolicyPatch::default() };
    let served = Served::with(source, "stock.endless", patch);
    let calls = (0..20).map(|_| served.call("endless", json!({})));
    for result in future::join_all(calls).await {
        let error = result.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("timed_out", true));
    }
    // Each of these would wait behind an endless statement if one were left.
    for result in future::join_all((0..20).map(|_| served.call("one", json!({})))).await {
        assert_eq!(result.unwrap()["rows"], json!([{"one": 1}]));
    }
    served.source.close().await;
}

#[tokio::test]
async fn the_reading_connections_cannot_write() {
    let place = Place::with(STOCK).await;
    let source = place.open(vec![]).await.ok().unwrap();
    let pools = source.sqlite().unwrap().file.pools().await.unwrap();
    let (mut connection, _running) = pools.reader().await.unwrap();
    for sql in ["DELETE FROM stock", "CREATE TABLE x (a)", "CREATE TEMP TABLE x (a)", "PRAGMA user_version = 7"] {
        let error = sqlx::query(sql).execute(&mut *connection).await.unwrap_err();
        assert!(error.to_string().contains("readonly"), "{sql}: {error}");
    }
}

/// The tables may change while the server runs; results go on fitting what was published.
#[tokio::test]
async fn a_table_that_changes_does_not_break_its_tools() {
    let place = Place::with(STOCK).await;
    let sql = "SELECT * FROM stock WHERE sku = 'A-2'";
    let page = paged(tool("page", sql, &[]), &["sku"], 5);
    let touch = tool("touch", "UPDATE stock SET units = units WHERE sku = 'A-2' RETURNING *", &[]);
    let served = place.serve(vec![tool("all", sql, &[]), page, touch]).await;
    let before = json!([{"sku": "A-2", "units": 0, "price": 2.0, "note": "x"}]);
    for tool in ["all", "page", "touch"] {
        assert_eq!(served.call(tool, json!({})).await.unwrap()["rows"], before, "{tool}");
    }
    place.run("ALTER TABLE stock ADD COLUMN colour TEXT DEFAULT 'red'").await;
    for tool in ["all", "page", "touch"] {
        assert_eq!(served.call(tool, json!({})).await.unwrap()["rows"], before, "{tool}");
    }
    place.run("ALTER TABLE stock DROP COLUMN price").await;
    let after = json!([{"sku": "A-2", "units": 0, "price": null, "note": "x"}]);
    for tool in ["all", "touch"] {
        assert_eq!(served.call(tool, json!({})).await.unwrap()["rows"], after, "{tool}");
    }
    let error = served.call("page", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("no such column: page.price"), "{error}");
    place.run("DROP TABLE stock").await;
    let error = served.call("all", json!({})).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_failed", false));
    assert!(error.to_string().contains("no such table: stock"), "{error}");
}

#[tokio::test]
async fn texts_that_are_no_utf8_are_mended() {
    let place =
        Place::with("CREATE TABLE t (x TEXT); INSERT INTO t VALUES (CAST(x'41ff' AS TEXT)), ('a' || char(0) || 'b')")
            .await;
    let served = place.serve(vec![tool("all", "SELECT x FROM t", &[])]).await;
    assert_eq!(served.call("all", json!({})).await.unwrap()["rows"], json!([{"x": "A\u{fffd}"}, {"x": "a\u{0}b"}]));
}
