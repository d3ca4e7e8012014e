//! The whole server on PostgreSQL, store and source: two replicas, over HTTP (H1, S2, T2).

use bridgehead_harness::TestServer;

use super::*;

const CONFIG: &str = r#"
name = "Warehouse"
[server]
listen = "127.0.0.1:0"
[secrets]
keys = ["file:bridgehead.keys"]
[auth]
mode = "api_key"
[store]
url = "${STORE}"
[sources.stock]
type = "sql"
url = "${STOCK}"
[sources.stock.tools.find_stock]
description = "Units of one article on hand."
sql = "SELECT units, price FROM stock WHERE sku = :sku"
parameters.sku = { type = "string", description = "Stock keeping unit, e.g. A-1." }
[sources.stock.tools.add_stock]
description = "Adds units of one article."
sql = "UPDATE stock SET units = units + :units WHERE sku = :sku RETURNING units"
parameters.sku = { type = "string", description = "Stock keeping unit, e.g. A-1." }
parameters.units = { type = "integer", description = "How many more." }
[sources.stock.tools.count_slowly]
description = "Counts, and takes its time."
sql = "SELECT count(*) AS n, pg_sleep(600) AS waited FROM stock"
[policy."stock.count_slowly"]
timeout = "300ms"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_keys_and_serve_the_same_database() {
    let (store, stock) = (Database::empty().await, Database::with(STOCK).await);
    let server = TestServer::with(CONFIG).variable("STORE", &store.url()).variable("STOCK", &stock.url()).start().await;
    let replica = server.replica().await;
    let (record, key) = server.key("alice@example.com", "tools:read tools:write", None).await;
    let call = |name: &'static str, arguments: Value| {
        let params = json!({"name": name, "arguments": arguments});
        replica.rpc("2025-11-25", &key, "tools/call", params)
    };
    let (status, answer) = call("find_stock", json!({"sku": "A-1"})).await;
    let result = &answer["result"];
    assert_eq!(
        (status, &result["structuredContent"]["rows"]),
        (200, &json!([{"units": 5, "price": "9.50"}])),
        "{answer}"
    );
    let (_, answer) = call("add_stock", json!({"sku": "A-1", "units": 2})).await;
    assert_eq!(answer["result"]["structuredContent"], json!({"affected": 1, "rows": [{"units": 7}]}), "{answer}");
    let (_, answer) = call("add_stock", json!({"sku": "A-1", "units": -100})).await;
    assert_eq!(answer["result"]["_meta"]["bridgehead/error"]["details"]["name"], "no_less_than_nothing", "{answer}");
    // Our clock stands, so it is the database that ends this one.
    let (_, answer) = call("count_slowly", json!({})).await;
    let error = &answer["result"]["_meta"]["bridgehead/error"];
    assert_eq!((&error["code"], &error["retryable"]), (&json!("timed_out"), &json!(true)), "{answer}");
    assert!(error["message"].as_str().unwrap().starts_with("The database stopped the statement"), "{answer}");
    server.revoke(&record).await;
    let (status, answer) = call("find_stock", json!({"sku": "A-1"})).await;
    assert_eq!(status, 401, "{answer}");
    replica.stop().await;
    server.stop().await;
}
