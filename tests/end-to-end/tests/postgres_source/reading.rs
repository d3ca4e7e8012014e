//! Reads: limits, what cannot be changed, time-outs, and a server or a table that goes away.

use super::*;

#[tokio::test]
async fn a_statement_answers_with_typed_rows() {
    let database = Database::with(STOCK).await;
    let sql = "SELECT sku, units, price, note, units > 0 AS available FROM stock WHERE sku = :sku -- by number";
    let served = serve(&database, vec![tool("find", sql, &[("sku", string())])]).await;
    assert_eq!(
        served.call("find", json!({"sku": "A-2"})).await.unwrap(),
        json!({"rows": [{"sku": "A-2", "units": 0, "price": "12.00", "note": "it's", "available": false}], "row_count": 1})
    );
    assert_eq!(served.call("find", json!({"sku": "' OR 1=1 --"})).await.unwrap(), json!({"rows": [], "row_count": 0}));
    assert_eq!(served.call("find", json!({})).await.unwrap_err().code(), "invalid_arguments");
    let spec = served.spec("find");
    assert_eq!((spec.effect, spec.idempotent, spec.open_world), (bridgehead_core::Effect::Read, true, false));
    assert_eq!(served.source.ready().await, Ok(()));
    served.source.close().await;
}

#[tokio::test]
async fn a_result_that_is_cut_says_so_and_the_order_stays() {
    let database = Database::empty().await;
    let sql = "SELECT i, repeat('x', 100) AS x FROM generate_series(1, 500) AS g(i) WHERE i >= :from ORDER BY i DESC";
    let mut limited = tool("limited", sql, &[("from", integer())]);
    limited.row_limit = 10;
    let large = tool("large", sql, &[("from", integer())]);
    let source = open(&database, vec![limited, large]).await.ok().unwrap();
    let served = Served::new(source, PolicyPatch { max_result_bytes: Some(2048), ..PolicyPatch::default() });
    let result = served.call("limited", json!({"from": 5})).await.unwrap();
    assert_eq!((&result["row_count"], &result["rows"][9]["i"]), (&json!(10), &json!(491)));
    assert!(result["_omitted"]["next"].as_str().unwrap().starts_with("Only the first 10 rows"));
    let exact = served.call("limited", json!({"from": 491})).await.unwrap();
    assert_eq!((&exact["row_count"], exact.get("_omitted")), (&json!(10), None));
    for _ in 0..20 {
        let result = served.call("large", json!({"from": 1})).await.unwrap();
        let count = result["rows"].as_array().unwrap().len();
        assert!(count > 5 && result["row_count"] == count && result.to_string().len() <= 2048, "{result}");
        assert!(result["_omitted"]["next"].as_str().unwrap().contains("too large"));
    }
}

/// A SELECT that calls what changes something is stopped, unless the operator says that it may.
#[tokio::test]
async fn a_read_cannot_write_whatever_it_calls() {
    let database = Database::with(&format!(
        "{STOCK} CREATE SEQUENCE numbers;
         CREATE FUNCTION take(s text) RETURNS int LANGUAGE sql AS
           $$ UPDATE stock SET units = units - 1 WHERE sku = s RETURNING units $$;"
    ))
    .await;
    let take = |name: &str| tool(name, "SELECT take(:sku) AS units", &[("sku", string())]);
    let mut allowed = take("allowed");
    allowed.effect = Some(bridgehead_core::Effect::Destructive);
    let tools = vec![
        take("hidden"),
        tool("next", "SELECT nextval('numbers') AS n", &[]),
        tool("lock", "SELECT sku FROM stock FOR UPDATE", &[]),
        tool("setting", "SELECT set_config('transaction_read_only', 'off', true) AS s", &[]),
        allowed,
    ];
    let served = serve(&database, tools).await;
    for name in ["hidden", "next", "lock"] {
        let error =
            served.call(name, if name == "hidden" { json!({"sku": "A-1"}) } else { json!({}) }).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_failed", false), "{name} {error}");
        assert!(
            error.to_string().contains("read-only transaction") && error.to_string().contains("`effect`"),
            "{error}"
        );
    }
    assert!(served.call("setting", json!({})).await.is_err());
    assert_eq!(
        served.call("allowed", json!({"sku": "A-1"})).await.unwrap(),
        json!({"rows": [{"units": 4}], "row_count": 1})
    );
}

/// The statement itself ends, not only the waiting: more of them than there are connections, and
/// one is free afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_takes_too_long_is_stopped_on_the_server() {
    let database = Database::with(STOCK).await;
    let sleep = tool("sleep", "SELECT pg_sleep(600) AS nothing", &[]);
    let source = open(&database, vec![sleep, tool("one", "SELECT 1 AS one", &[])]).await.ok().unwrap();
    let served = Served::with(source, "stock.sleep", timeout(300));
    for result in join_all((0..12).map(|_| served.call("sleep", json!({})))).await {
        let error = result.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("timed_out", true), "{error}");
    }
    for result in join_all((0..12).map(|_| served.call("one", json!({})))).await {
        assert_eq!(result.unwrap()["rows"], json!([{"one": 1}]));
    }
    assert_eq!(sleeping(&database).await, 0);
}

/// A client that goes away long before the time-out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_nobody_waits_for_is_stopped_on_the_server() {
    let database = Database::with(STOCK).await;
    let served = serve(&database, vec![tool("sleep", "SELECT pg_sleep(600) AS nothing", &[])]).await;
    let mut other = database.connect().await;
    {
        let call = served.call("sleep", json!({}));
        tokio::pin!(call);
        // Each look at the server takes its time, and the call gets on meanwhile.
        while sleeping_on(&mut other).await == 0 {
            assert!(futures_util::poll!(&mut call).is_pending());
        }
    }
    while sleeping_on(&mut other).await > 0 {}
}

async fn sleeping(database: &Database) -> i64 {
    sleeping_on(&mut database.connect().await).await
}

async fn sleeping_on(connection: &mut sqlx::PgConnection) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
         AND query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

/// The tables may change while the server runs; results go on fitting what was published.
#[tokio::test]
async fn a_table_that_changes_does_not_break_its_tools() {
    let database = Database::with(STOCK).await;
    let sql = "SELECT * FROM stock WHERE sku = 'A-2'";
    let touch = tool("touch", "UPDATE stock SET units = units WHERE sku = 'A-2' RETURNING *", &[]);
    let served = serve(&database, vec![tool("all", sql, &[]), paged(tool("page", sql, &[]), &["id"], 5), touch]).await;
    let before = json!([{"id": 2, "sku": "A-2", "units": 0, "price": "12.00", "note": "it's"}]);
    for change in [
        "ALTER TABLE stock ADD COLUMN colour text DEFAULT 'red'",
        "ALTER TABLE stock ALTER note TYPE varchar(99)",
        "ALTER TABLE stock ALTER sku TYPE varchar(20)",
    ] {
        for tool in ["all", "page", "touch"] {
            assert_eq!(served.rows(tool, json!({})).await, before, "{tool} before {change}");
        }
        database.run(change).await;
        for tool in ["all", "page", "touch"] {
            assert_eq!(served.rows(tool, json!({})).await, before, "{tool} after {change}");
        }
    }
    database.run("ALTER TABLE stock DROP COLUMN price").await;
    let without = json!([{"id": 2, "sku": "A-2", "units": 0, "price": null, "note": "it's"}]);
    assert_eq!(served.rows("touch", json!({})).await, without);
    let error = served.call("all", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("rows.price does not exist"), "{error}");
    database.run("ALTER TABLE stock ADD price numeric; ALTER TABLE stock DROP CONSTRAINT no_less_than_nothing; ALTER TABLE stock ALTER units TYPE text").await;
    for tool in ["all", "touch"] {
        let error = served.call(tool, json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_failed", false), "{error}");
        assert!(error.to_string().contains("`units` no longer has the type"), "{error}");
    }
    database.run("DROP TABLE stock").await;
    let error = served.call("all", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("relation \"stock\" does not exist"), "{error}");
}

/// An administrator ends every connection; the next calls get new ones.
#[tokio::test]
async fn connections_that_were_ended_are_made_anew() {
    let database = Database::with(STOCK).await;
    let served = serve(&database, vec![tool("one", "SELECT 1 AS one", &[])]).await;
    for _ in 0..3 {
        for result in join_all((0..8).map(|_| served.call("one", json!({})))).await {
            assert_eq!(result.unwrap()["rows"], json!([{"one": 1}]));
        }
        database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").await;
    }
    assert_eq!(served.source.ready().await, Ok(()));
}

/// A server that is restarted: while it is down, calls are told so, and not that time is up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_connections_is_unavailable_until_it_is_back() {
    let database = Database::with(STOCK).await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    let way = Way::open(free, &database);
    let url = database.url().replace(&format!(":{}/", database.port()), &format!(":{}/", address.port()));
    let tools = vec![
        tool("one", "SELECT 1 AS one", &[]),
        tool("clear", "DELETE FROM stock WHERE sku = :s", &[("s", string())]),
    ];
    let served = Served::new(open_url(&url, tools).await.ok().unwrap(), PolicyPatch::default());
    served.call("one", json!({})).await.unwrap();
    way.close().await;
    for (tool, arguments) in [("one", json!({})), ("clear", json!({"s": "A-1"}))] {
        let error = served.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_unavailable", true), "{error}");
        assert!(!error.to_string().contains("127.0.0.1") && !error.to_string().contains(PASSWORD), "{error}");
    }
    assert!(served.source.ready().await.is_err());
    let way = Way::open(tokio::net::TcpListener::bind(address).await.unwrap(), &database);
    assert_eq!(served.rows("one", json!({})).await, json!([{"one": 1}]));
    way.close().await;
}

/// A way to the server that can be closed.
struct Way(tokio::task::JoinHandle<()>);

impl Way {
    fn open(listener: tokio::net::TcpListener, database: &Database) -> Self {
        let port = database.port();
        Self(tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }))
    }

    async fn close(self) {
        self.0.abort();
        assert!(self.0.await.unwrap_err().is_cancelled());
    }
}

/// D4: nobody is told where the database is, or how to get in.
#[tokio::test]
async fn a_database_that_goes_away_is_unavailable() {
    let database = Database::with(STOCK).await;
    let served = serve(
        &database,
        vec![
            tool("one", "SELECT 1 AS one", &[]),
            tool("clear", "DELETE FROM stock WHERE sku = :s", &[("s", string())]),
        ],
    )
    .await;
    served.call("one", json!({})).await.unwrap();
    database.remove().await;
    for (tool, arguments) in [("one", json!({})), ("clear", json!({"s": "A-1"}))] {
        let error = served.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_unavailable", false), "{error}");
        let shown = error.to_string();
        assert!(
            !shown.contains(&database.name) && !shown.contains("127.0.0.1") && !shown.contains(PASSWORD),
            "{shown}"
        );
    }
    assert!(served.source.ready().await.is_err());
}
