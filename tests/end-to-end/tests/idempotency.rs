//! D5 over HTTP: where a call may have its idempotency key, what is refused as one, and whose it is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_harness::TestServer;
use serde_json::{Value, json};

const REVISIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
const NEWEST: &str = REVISIONS[3];
const IN_META: &str = "bridgehead/idempotency_key";

const TABLES: &str = "
CREATE TABLE purchase (id INTEGER PRIMARY KEY, sku TEXT NOT NULL) STRICT;
CREATE TABLE offer (id INTEGER PRIMARY KEY, sku TEXT NOT NULL) STRICT;
";

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
mode = "api_key"
[store]
url = "memory:"
[sources.shop]
type = "sql"
url = "sqlite:shop.db"
seed = "shop.sql"
[sources.shop.tools.order]
description = "Orders one article."
sql = "INSERT INTO purchase (sku) VALUES (:sku) RETURNING id"
parameters.sku = { type = "string", description = "The article." }
[sources.shop.tools.offer]
description = "Offers one article."
sql = "INSERT INTO offer (sku) VALUES (:sku) RETURNING id"
parameters.sku = { type = "string", description = "The article." }
[sources.shop.tools.count]
description = "Counts what was ordered and offered."
sql = "SELECT (SELECT count(*) FROM purchase) AS ordered, (SELECT count(*) FROM offer) AS offered"
"#;

struct Shop {
    server: TestServer,
    alice: String,
    bob: String,
}

impl Shop {
    async fn open() -> Self {
        let server = TestServer::with(CONFIG).file("shop.sql", TABLES).start().await;
        let (_, alice) = server.key("alice@example.com", "tools:write", None).await;
        let (_, bob) = server.key("bob@example.com", "tools:write", None).await;
        Self { server, alice, bob }
    }

    /// A call with this beside its name: arguments, `_meta`.
    async fn call(&self, (revision, key): (&str, &str), tool: &str, mut params: Value) -> Value {
        params["name"] = tool.into();
        let (status, answer) = self.server.rpc(revision, key, "tools/call", params).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    async fn order(&self, params: Value) -> Value {
        self.call((NEWEST, &self.alice), "order", params).await
    }

    async fn counts(&self) -> (u64, u64) {
        let answer = self.call((NEWEST, &self.alice), "count", json!({"arguments": {}})).await;
        let row = &answer["result"]["structuredContent"]["rows"][0];
        (row["ordered"].as_u64().unwrap(), row["offered"].as_u64().unwrap())
    }
}

/// What was ordered or offered, and whether the answer was given before.
fn done(answer: &Value) -> (u64, bool) {
    let result = &answer["result"];
    assert_eq!(result["isError"], false, "{answer}");
    let id = result["structuredContent"]["rows"][0]["id"].as_u64().unwrap();
    (id, result["_meta"]["bridgehead/replayed"] == true)
}

fn refused(answer: &Value) -> (&str, &Value) {
    let error = &answer["result"]["_meta"]["bridgehead/error"];
    (error["code"].as_str().unwrap_or_else(|| panic!("{answer}")), &error["details"]["faults"][0]["path"])
}

#[tokio::test]
async fn a_key_may_stand_in_the_arguments_or_in_meta_in_every_revision() {
    let shop = Shop::open().await;
    for (number, revision) in (1..).zip(REVISIONS) {
        let (within, beside) = (json!({"sku": "A-1", "idempotency_key": revision}), json!({IN_META: revision}));
        let ways = [
            json!({"arguments": {"sku": "A-1"}, "_meta": beside}),
            json!({"arguments": within}),
            json!({"arguments": within, "_meta": beside}),
        ];
        for (repeats, way) in ways.into_iter().enumerate() {
            let answer = shop.call((revision, &shop.alice), "order", way).await;
            assert_eq!(done(&answer), (number, repeats > 0), "{revision}: {answer}");
        }
    }
    let none = json!({"arguments": {"sku": "A-1"}, "_meta": {IN_META: null}});
    assert_eq!(done(&shop.order(none).await), (5, false), "null is no key");
    assert_eq!(shop.counts().await, (5, 0));
    shop.server.stop().await;
}

#[tokio::test]
async fn what_is_no_key_is_refused_and_nothing_is_done() {
    let shop = Shop::open().await;
    let path = json!("/idempotency_key");
    for bad in ["", " ", "two words", "é", "a\nb", "\u{7f}", &"x".repeat(256)] {
        let within = shop.order(json!({"arguments": {"sku": "A-1", "idempotency_key": bad}})).await;
        let beside = shop.order(json!({"arguments": {"sku": "A-1"}, "_meta": {IN_META: bad}})).await;
        for answer in [within, beside] {
            assert_eq!(refused(&answer), ("invalid_arguments", &path), "{bad:?}");
        }
    }
    for bad in [json!(7), json!(true), json!(["k"]), json!({"k": 1})] {
        let within = shop.order(json!({"arguments": {"sku": "A-1", "idempotency_key": bad}})).await;
        assert_eq!(refused(&within), ("invalid_arguments", &path), "{bad}");
        let beside = shop.order(json!({"arguments": {"sku": "A-1"}, "_meta": {IN_META: bad}})).await;
        assert_eq!(beside["error"]["code"], -32602, "{beside}");
    }
    let two = json!({"arguments": {"sku": "A-1", "idempotency_key": "k"}, "_meta": {IN_META: "other"}});
    assert_eq!(refused(&shop.order(two).await), ("invalid_arguments", &path));
    assert_eq!(shop.counts().await, (0, 0));

    let longest = "~".repeat(255);
    let order = || json!({"arguments": {"sku": "A-1", "idempotency_key": longest}});
    assert_eq!(done(&shop.order(order()).await), (1, false));
    assert_eq!(done(&shop.order(order()).await), (1, true));
    shop.server.stop().await;
}

#[tokio::test]
async fn a_key_is_one_callers_for_one_tool_and_one_set_of_arguments() {
    let shop = Shop::open().await;
    let with = |sku: &str| json!({"arguments": {"sku": sku}, "_meta": {IN_META: "k"}});
    assert_eq!(done(&shop.order(with("A-1")).await), (1, false));
    let other = shop.order(with("B-2")).await;
    assert_eq!(refused(&other).0, "idempotency_conflict");
    assert!(!other.to_string().contains("A-1"), "what was ordered under the key is not told: {other}");
    assert_eq!(done(&shop.call((NEWEST, &shop.bob), "order", with("B-2")).await), (2, false), "Bob's is his own");
    assert_eq!(done(&shop.call((NEWEST, &shop.alice), "offer", with("B-2")).await), (1, false), "and each tool's");
    assert_eq!(done(&shop.order(with("A-1")).await), (1, true));
    assert_eq!(shop.counts().await, (2, 1));
    shop.server.stop().await;
}
