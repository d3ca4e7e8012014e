//! Somebody else's database, with NUMERIC and DATETIME columns and NULLs, behind six tools as an
//! integration engineer would write them (S2, D1 to D4). `$E2E_CHINOOK` names the file, which is
//! not part of the repository; every test works on a copy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::fmt::Write;

use bridgehead_core::schema::Schema;
use bridgehead_end_to_end::sdk::{MATRIX, installed, run_matrix};
use bridgehead_harness::{
    TestServer,
    process::{Served, bridgehead, repository},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, SqlitePool};
use tempfile::TempDir;

/// The tools and a copy of the database.
fn chinook() -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    let config = repository().join("tests/end-to-end/tests/chinook/bridgehead.toml");
    std::fs::copy(config, copy.path().join("bridgehead.toml")).unwrap();
    copy_database(copy.path());
    copy
}

/// The bytes alone: the original may be read-only.
fn copy_database(directory: &std::path::Path) {
    let original = installed("E2E_CHINOOK");
    let bytes = std::fs::read(&original).unwrap_or_else(|error| panic!("{}: {error}", original.display()));
    std::fs::write(directory.join("chinook.sqlite"), bytes).unwrap();
}

async fn database(directory: &std::path::Path) -> SqlitePool {
    SqlitePool::connect(&format!("sqlite:{}", directory.join("chinook.sqlite").display())).await.unwrap()
}

async fn rpc(served: &Served, method: &str, params: Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.post(&served.url).bearer_auth(served.key.as_ref().unwrap());
    let response = request.header("content-type", "application/json").body(message.to_string()).send().await.unwrap();
    let mut answer: Value = response.json().await.unwrap();
    answer["result"].take()
}

async fn rows(served: &Served, tool: &str, arguments: Value) -> Vec<Value> {
    let result = rpc(served, "tools/call", json!({"name": tool, "arguments": arguments})).await;
    result["structuredContent"]["rows"].as_array().unwrap_or_else(|| panic!("{tool}: {result}")).clone()
}

#[tokio::test]
async fn the_configuration_is_clean() {
    let copy = chinook();
    let checked = bridgehead(copy.path(), &["config", "check"]).await;
    let complained = String::from_utf8(checked.stderr).unwrap();
    assert_eq!((checked.status.code(), complained.as_str()), (Some(0), ""));
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), "bridgehead.toml: no faults, 6 tools\n");
}

/// Every SDK in every revision follows this plan, so each of them adds one line to invoice 98.
fn plan() -> Value {
    let refused = json!({"invoice_id": 98, "track_id": 999_999});
    json!({
        "list_contains": [
            "find_albums", "list_tracks", "list_customer_invoices", "get_invoice", "list_best_sellers", "add_invoice_line",
        ],
        "calls": [
            {"tool": "find_albums", "arguments": {"artist": "dread zeppelin"}, "expect_structured": {"row_count": 1, "rows": [
                {"artist": "Dread Zeppelin", "album_id": 252, "title": "Un-Led-Ed", "tracks": 1, "seconds": 310},
            ]}},
            {"tool": "list_tracks", "arguments": {"genre": "jazz", "page_size": 1}, "expect_structured": {"row_count": 1, "rows": [
                {"track_id": 63, "name": "Desafinado", "artist": "Antônio Carlos Jobim", "composer": null,
                 "milliseconds": 185_338, "bytes": 5_990_473, "unit_price": 0.99},
            ]}},
            {"tool": "list_tracks", "arguments": {"playlist": "Grunge"}, "expect_structured": {"row_count": 15, "next_cursor": null}},
            {"tool": "list_customer_invoices",
             "arguments": {"email": "luisg@embraer.com.br", "since": "2024-10-28", "until": "2024-12-31"},
             "expect_structured": {"row_count": 1, "rows": [
                {"invoice_id": 327, "invoice_date": "2024-12-07", "customer": "Luís Gonçalves", "billing_state": "SP", "total": 13.86},
            ]}},
            {"tool": "get_invoice", "arguments": {"invoice_id": 2}, "expect_structured": {"row_count": 4}},
            {"tool": "list_best_sellers", "arguments": {"country": "germany", "limit": 1}, "expect_structured": {"rows": [
                {"artist": "Iron Maiden", "copies": 14, "turnover": 13.86, "customers": 1, "last_sold_on": "2021-06-15"},
            ]}},
            {"tool": "add_invoice_line", "arguments": {"invoice_id": 98, "track_id": 2820}, "expect_structured": {"affected": 1, "rows": [
                {"invoice_id": 98, "track_id": 2820, "unit_price": 1.99, "quantity": 1},
            ]}},
            {"tool": "add_invoice_line", "arguments": refused, "expect_error_code": "upstream_rejected"},
            {"tool": "list_customer_invoices", "arguments": {"email": "luisg@embraer.com.br", "since": "2024-02-30"}, "expect_error_code": "invalid_arguments"},
            {"tool": "list_best_sellers", "arguments": {"limit": 1000}, "expect_error_code": "invalid_arguments"},
        ],
        "unknown_tool": "drop_table",
    })
}

/// What the SDKs of other people see, and what the database has afterwards.
#[tokio::test]
async fn the_sdks_of_other_people_read_and_write() {
    let copy = chinook();
    let served = Served::start(&copy.path().join("bridgehead.toml")).await;
    run_matrix(copy.path(), &served, &plan()).await;
    assert_eq!(served.terminate().await, Some(0));

    let database = database(copy.path()).await;
    let added: Vec<(i64, i64, i64, f64, i64)> = sqlx::query_as(
        "SELECT InvoiceLineId, InvoiceId, TrackId, UnitPrice, Quantity FROM InvoiceLine WHERE InvoiceLineId > 2240 ORDER BY 1",
    )
    .fetch_all(&database)
    .await
    .unwrap();
    let runs = MATRIX.iter().map(|(_, revisions)| revisions.len()).sum::<usize>();
    let expected: Vec<_> = (2241_i64..).take(runs).map(|line| (line, 98, 2820, 1.99, 1)).collect();
    assert_eq!(added, expected, "one line for each of {runs} runs, and none of the refused ones");
    let (total,): (f64,) =
        sqlx::query_as("SELECT Total FROM Invoice WHERE InvoiceId = 98").fetch_one(&database).await.unwrap();
    assert!((total - 3.98).abs() < f64::EPSILON, "the billed total stays: {total}");
}

/// Tool, arguments, column, types that are published for it, and the value of the first row.
fn types() -> Vec<(&'static str, Value, &'static str, &'static str, Value)> {
    let (album, track) = (json!({"artist": "Dread Zeppelin"}), json!({"genre": "jazz", "page_size": 1}));
    let (mails, line) = (json!({"email": "ftremblay@gmail.com"}), json!({"invoice_id": 2}));
    let seller = json!({"country": "Germany", "limit": 1});
    vec![
        // Integers: of a column, of a key, counted, summed and divided.
        ("find_albums", album.clone(), "album_id", "integer string null", json!(252)),
        ("find_albums", album.clone(), "tracks", "integer string null", json!(1)),
        ("find_albums", album.clone(), "seconds", "integer string null", json!(310)),
        ("list_tracks", track.clone(), "bytes", "integer string null", json!(5_990_473)),
        ("list_best_sellers", seller.clone(), "copies", "integer string null", json!(14)),
        // Declared INTEGER in a table that does not enforce it.
        ("get_invoice", line.clone(), "quantity", "integer number string null", json!(1)),
        ("get_invoice", line.clone(), "track_id", "integer number string null", json!(6)),
        // NUMERIC(10,2), by the configuration's word and without it; multiplied and summed.
        ("list_tracks", track.clone(), "unit_price", "number string null", json!(0.99)),
        ("list_customer_invoices", mails.clone(), "total", "number string null", json!(0.99)),
        ("get_invoice", line.clone(), "unit_price", "string number null", json!(0.99)),
        ("get_invoice", line.clone(), "invoice_total", "string number null", json!(3.96)),
        ("get_invoice", line.clone(), "amount", "number string null", json!(0.99)),
        ("list_best_sellers", seller.clone(), "turnover", "number string null", json!(13.86)),
        // Dates: cut to the day, as it is stored, and the greatest of several.
        ("list_customer_invoices", mails.clone(), "invoice_date", "string null", json!("2025-09-20")),
        ("get_invoice", line.clone(), "invoice_date", "string number null", json!("2021-01-02 00:00:00")),
        ("list_best_sellers", seller, "last_sold_on", "string null", json!("2021-06-15")),
        // Text, with and without a value.
        ("find_albums", album, "title", "string null", json!("Un-Led-Ed")),
        ("list_customer_invoices", mails.clone(), "customer", "string null", json!("François Tremblay")),
        ("list_customer_invoices", mails, "company", "string null", Value::Null),
        ("list_tracks", track, "composer", "string null", Value::Null),
        ("get_invoice", line, "composer", "string null", json!("Angus Young, Malcolm Young, Brian Johnson")),
    ]
}

#[tokio::test]
async fn every_column_has_its_type() {
    let copy = chinook();
    let served = Served::start(&copy.path().join("bridgehead.toml")).await;
    let listed = rpc(&served, "tools/list", json!({})).await;
    for (tool, arguments, column, published, value) in types() {
        let described = listed["tools"].as_array().unwrap().iter().find(|listed| listed["name"] == tool).unwrap();
        let column_schema = &described["outputSchema"]["properties"]["rows"]["items"]["properties"][column];
        let words: Vec<_> = column_schema["type"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(words.join(" "), published, "{tool}.{column}");
        let rows = rows(&served, tool, arguments).await;
        assert_eq!(rows[0][column], value, "{tool}.{column}");
    }
    served.terminate().await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let copy = chinook();
    let served = Served::start(&copy.path().join("bridgehead.toml")).await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let arguments = json!({"genre": "jazz", "cursor": cursor});
        let result = rpc(&served, "tools/call", json!({"name": "list_tracks", "arguments": arguments})).await;
        let page = &result["structuredContent"];
        seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["track_id"].as_i64().unwrap()));
        pages += 1;
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let database = database(copy.path()).await;
    let expected: Vec<(i64,)> =
        sqlx::query_as("SELECT TrackId FROM Track WHERE GenreId = 2 ORDER BY 1").fetch_all(&database).await.unwrap();
    assert_eq!(seen, expected.into_iter().map(|(id,)| id).collect::<Vec<_>>());
    assert_eq!((seen.len(), pages), (130, 3));
    served.terminate().await;
}

/// A configuration with one tool for each table, which gives all its columns in pages.
async fn tables(database: &SqlitePool) -> (String, Vec<(String, String)>) {
    let names: Vec<(String,)> = sqlx::query_as(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .fetch_all(database)
    .await
    .unwrap();
    let mut config = String::from(
        "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"api_key\"\n[policy.default]\nmax_result_bytes = \"4MiB\"\n\
         [sources.chinook]\ntype = \"sql\"\nurl = \"sqlite:chinook.sqlite\"\n",
    );
    let mut queries = Vec::new();
    for (table,) in names {
        let columns: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, pk FROM pragma_table_info(?)").bind(&table).fetch_all(database).await.unwrap();
        let key: Vec<_> = columns.iter().filter(|(_, key)| *key > 0).map(|(name, _)| name.as_str()).collect();
        write!(
            config,
            "[sources.chinook.tools.{table}]\ndescription = \"All rows of {table}.\"\n\
             sql = \"SELECT * FROM [{table}]\"\npage = {{ key = {key:?}, size = 700 }}\n"
        )
        .unwrap();
        let members: Vec<_> = columns.iter().map(|(name, _)| format!("'{name}', [{name}]")).collect();
        let query = format!("SELECT json_object({}) FROM [{table}] ORDER BY {}", members.join(", "), key.join(", "));
        queries.push((table, query));
    }
    (config, queries)
}

/// D3: every row of every table, as `SELECT *` gives it, is the JSON that SQLite itself makes of
/// it, and fits the published schema.
#[tokio::test]
async fn every_row_of_every_table_arrives_as_it_is() {
    let copy = chinook();
    let database = database(copy.path()).await;
    let (config, queries) = tables(&database).await;
    // The database stands elsewhere than the test server's own directory.
    let config = config.replace("sqlite:chinook.sqlite", &format!("sqlite:{}/chinook.sqlite", copy.path().display()));
    let server = TestServer::with(&config).start().await;
    let (_, key) = server.key("you@localhost", "tools:read", None).await;
    let (_, listed) = server.rpc("2025-11-25", &key, "tools/list", json!({})).await;
    let mut rows_in_all = 0;
    for (table, query) in &queries {
        let tools = listed["result"]["tools"].as_array().unwrap();
        let tool = tools.iter().find(|tool| &tool["name"] == table).unwrap();
        let schema = Schema::compile(tool["outputSchema"].as_object().unwrap()).unwrap();
        let (mut seen, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let params = json!({"name": table, "arguments": {"cursor": cursor}});
            let (_, answer) = server.rpc("2025-11-25", &key, "tools/call", params).await;
            let page = &answer["result"]["structuredContent"];
            assert!(schema.accepts(page), "{table}: {}", answer["result"]["content"]);
            assert_eq!(page.get("_omitted"), None, "{table}");
            seen.extend(page["rows"].as_array().unwrap().iter().cloned());
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        let expected: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(query.clone())).fetch_all(&database).await.unwrap();
        assert_eq!(seen.len(), expected.len(), "{table}");
        for (row, (text,)) in seen.iter().zip(&expected) {
            assert_eq!(row, &serde_json::from_str::<Value>(text).unwrap(), "{table}");
        }
        rows_in_all += seen.len();
    }
    assert_eq!((queries.len(), rows_in_all), (11, 15_607));
    server.stop().await;
}
