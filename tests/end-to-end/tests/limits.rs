//! H3: bursts do not reach the systems behind, callers learn when to come back and are served then, and
//! replicas count together on a real Valkey or Redis server, which may be killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bridgehead_core::{Clock, SystemClock};
use bridgehead_harness::{
    Replica, TestServer,
    upstream::Upstream,
    valkey::{PASSWORD, Valkey as ValkeyServer},
};
use bridgehead_stores::{Valkey, ValkeyUrl, contract};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

const REVISION: &str = "2026-07-28";
const TICK: Duration = Duration::from_millis(100);

/// Calls a tool; `Ok`, or the error object.
async fn call(server: &Replica, key: &str, tool: &str) -> Result<(), Value> {
    let (status, answer) = server.rpc(REVISION, key, "tools/call", json!({"name": tool, "arguments": {}})).await;
    assert_eq!(status, 200, "{answer}");
    let result = &answer["result"];
    if result["isError"] != true {
        return Ok(());
    }
    let error = result["_meta"]["bridgehead/error"].clone();
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!((text, error["retryable"].as_bool()), (error.clone(), Some(true)), "{answer}");
    Err(error)
}

/// The code, and when to come back in milliseconds.
fn told(result: Result<(), Value>) -> (String, u64) {
    match result {
        Ok(()) => ("ok".to_owned(), 0),
        Err(error) => {
            (error["code"].as_str().unwrap().to_owned(), error["retry_after_ms"].as_u64().unwrap_or_default())
        }
    }
}

fn web(upstream: &Upstream, paths: &[&str], policy: &str) -> String {
    let mut config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"api_key\"\n[store]\nurl = \"memory:\"\n{policy}\n[sources.web]\ntype = \"http\"\n"
    );
    for path in paths {
        let url = format!("{}/{path}", upstream.origin);
        config.push_str(&format!(
            "[sources.web.tools.{path}]\ndescription = \"Reads.\"\nrequest = {{ url = \"{url}\" }}\n"
        ));
    }
    config
}

/// H3: 5,000 calls at once against a system that bears 10 per second. It never sees more, and each call is
/// answered: at once, from the queue, or when its caller comes back at the time that they were told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_5000_calls_reaches_a_system_that_bears_10_per_second_evenly() {
    const CALLS: usize = 5000;
    let upstream = Upstream::start().await;
    let policy = "[policy.\"web.*\"]\nrate_limit = { upstream = \"10/second\", queue = 50 }";
    let server = TestServer::with(&web(&upstream, &["ok"], policy)).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;

    // Those who wait for their turn wait on the clock, which stands; all the others are answered.
    let answered = AtomicUsize::new(0);
    let mut come_back: BTreeMap<u64, usize> = BTreeMap::new();
    let burst = stream::iter(0..CALLS)
        .map(|_| async {
            let answer = call(&server, &key, "ok").await;
            answered.fetch_add(1, Ordering::Relaxed);
            answer
        })
        .buffer_unordered(200);
    let waits_are_over = async {
        while answered.load(Ordering::Relaxed) < CALLS - 50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(upstream.count(), 1, "nobody's turn has come but the first one's");
        for turn in 2..=51 {
            server.clock.advance(TICK);
            upstream.has_seen(turn).await;
            assert_eq!(upstream.count(), turn);
        }
    };
    let (answers, ()) = tokio::join!(burst.collect::<Vec<_>>(), waits_are_over);
    let mut at_once = 0;
    for answer in answers {
        match told(answer) {
            (ok, _) if ok == "ok" => at_once += 1,
            (code, after) => {
                assert_eq!(code, "busy");
                *come_back.entry(after).or_default() += 1;
            }
        }
    }
    assert_eq!((at_once, come_back.len()), (51, CALLS - 51), "each was told a time of their own");

    // Five seconds have passed with those of the queue.
    let mut now = 5000;
    for (turn, (after, count)) in (52..).zip(come_back) {
        assert_eq!(count, 1);
        assert!(after > now && after % 100 == 0, "{after}");
        server.clock.advance(Duration::from_millis(after - now));
        now = after;
        assert_eq!(call(&server, &key, "ok").await, Ok(()), "who comes when they were told is served");
        assert_eq!(upstream.count(), turn);
    }
    assert_eq!((upstream.count(), now), (CALLS, 499_900));
    server.stop().await;
}

/// H3, D4: `rate_limited` counts the teammate, with all their keys, and nobody else.
#[tokio::test]
async fn a_teammate_has_one_limit_for_all_their_keys() {
    let upstream = Upstream::start().await;
    let policy = "[policy.default]\nrate_limit = { per_caller = \"60/minute\", burst = 2 }";
    let server = TestServer::with(&web(&upstream, &["ok"], policy)).start().await;
    let (_, one) = server.key("alice@example.com", "tools:read", None).await;
    let (_, other) = server.key("alice@example.com", "tools:read", None).await;
    let (_, bobs) = server.key("bob@example.com", "tools:read", None).await;
    assert_eq!(call(&server, &one, "ok").await, Ok(()));
    assert_eq!(call(&server, &other, "ok").await, Ok(()));
    let error = call(&server, &one, "ok").await.unwrap_err();
    assert_eq!(error["message"], "You call more often than this server allows. Try again in 1 s.");
    assert_eq!((&error["code"], &error["retry_after_ms"]), (&json!("rate_limited"), &json!(1000)));
    assert_eq!(call(&server, &bobs, "ok").await, Ok(()));
    server.clock.advance(Duration::from_millis(999));
    assert_eq!(told(call(&server, &other, "ok").await).0, "rate_limited");
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(call(&server, &other, "ok").await, Ok(()));
    assert_eq!(upstream.count(), 4);
    server.stop().await;
}

/// H3, D4: `circuit_open`, one call that tries, and closed again.
#[tokio::test]
async fn a_system_that_fails_is_left_in_peace_and_tried_by_one() {
    let upstream = Upstream::start().await;
    let policy = "[policy.\"web.*\"]\ncircuit = { failures = 3, open_for = \"30s\" }";
    let server = TestServer::with(&web(&upstream, &["failed", "slow", "ok"], policy)).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    for _ in 0..3 {
        assert_eq!(told(call(&server, &key, "failed").await).0, "upstream_failed");
    }
    assert_eq!(told(call(&server, &key, "ok").await), ("circuit_open".to_owned(), 30_000));
    server.clock.advance(Duration::from_secs(29));
    assert_eq!(told(call(&server, &key, "ok").await), ("circuit_open".to_owned(), 1000));
    assert_eq!(upstream.count(), 3);

    server.clock.advance(Duration::from_secs(1));
    let (tries, others) = tokio::join!(call(&server, &key, "slow"), async {
        upstream.has_seen(4).await;
        let others = [call(&server, &key, "ok").await, call(&server, &key, "ok").await];
        upstream.release();
        others
    });
    assert_eq!(tries, Ok(()));
    assert_eq!(others.map(|other| told(other).0), ["circuit_open", "circuit_open"]);
    assert_eq!(call(&server, &key, "ok").await, Ok(()));
    assert_eq!(upstream.count(), 5);
    server.stop().await;
}

fn open(server: &ValkeyServer, prefix: &str, clock: Arc<dyn Clock>) -> Valkey {
    Valkey::open(&ValkeyUrl::parse(&server.url()).unwrap(), prefix, clock).unwrap()
}

/// H3: what replicas share counts as each process does by itself, to the microsecond.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valkey_keeps_the_contract() {
    let server = ValkeyServer::start();
    let number = AtomicUsize::new(0);
    let make = |clock| {
        let prefix = format!("test-{}", number.fetch_add(1, Ordering::Relaxed));
        std::future::ready(open(&server, &prefix, clock).on_the_clock())
    };
    contract::counters(make).await.unwrap();
}

/// P2: what is said of a server that is not there, or takes another password, shows none.
#[tokio::test]
async fn no_error_shows_the_password() {
    let mut server = ValkeyServer::start();
    let wrong = server.url().replace(PASSWORD, "hunter3-valkey");
    let wrong = Valkey::open(&ValkeyUrl::parse(&wrong).unwrap(), "test", Arc::new(SystemClock)).unwrap();
    let refused = wrong.ready().await.unwrap_err();
    let valkey = open(&server, "test", Arc::new(SystemClock));
    valkey.ready().await.unwrap();
    server.kill();
    let lost = valkey.ready().await.unwrap_err();
    let said = format!("{refused} {refused:?} {lost} {lost:?} {valkey:?}");
    assert!(!said.contains("hunter"), "{said}");
}

/// Two tools of one database; one is refused while the shared counters are lost.
fn shared(server: &ValkeyServer) -> String {
    let url = server.url();
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
[auth]
mode = "api_key"
[store]
url = "sqlite:store.db"
[shared]
url = "{url}"
[policy."stock.open"]
rate_limit = {{ per_caller = "4/day" }}
[policy."stock.closed"]
rate_limit = {{ per_caller = "4/day" }}
on_shared_loss = "closed"
[sources.stock]
type = "sql"
url = "sqlite:stock.db"
seed = "stock.sql"
tools.open = {{ description = "Reads.", sql = "SELECT 1 AS one" }}
tools.closed = {{ description = "Reads.", sql = "SELECT 1 AS one" }}
"#
    )
}

async fn started(server: &ValkeyServer) -> (TestServer, Replica, String) {
    let one = TestServer::with(&shared(server)).file("stock.sql", "CREATE TABLE t (n INTEGER) STRICT;").start().await;
    let other = one.replica().await;
    let (_, key) = one.key("alice@example.com", "tools:read", None).await;
    (one, other, key)
}

/// H3: four calls a day are four, whichever replica they reach.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_a_limit() {
    let server = ValkeyServer::start();
    let (one, other, key) = started(&server).await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        for replica in [&*one, &other] {
            codes.push(told(call(replica, &key, "open").await).0);
        }
    }
    assert_eq!(codes, ["ok", "ok", "ok", "ok", "rate_limited", "rate_limited", "rate_limited", "rate_limited"]);
    other.stop().await;
    one.stop().await;
}

async fn readyz(server: &Replica) -> (u16, Value) {
    let answer = server.client().get(format!("{}/readyz", server.origin)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// H3, D4: while the shared counters are lost, each replica counts for itself or refuses
/// (`limits_unavailable`), as the policy says; no replica is taken out of service; and they heal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_live_through_the_loss_of_what_they_share() {
    let mut server = ValkeyServer::start();
    let (one, other, key) = started(&server).await;
    for tool in ["open", "closed"] {
        assert_eq!(call(&one, &key, tool).await, Ok(()));
    }
    assert_eq!(
        readyz(&one).await,
        (200, json!({"status": "ready", "checks": {"store": "ok", "source stock": "ok", "shared": "ok"}}))
    );

    server.kill();
    let lost = ("limits_unavailable".to_owned(), 5000);
    assert_eq!(told(call(&one, &key, "closed").await), lost);
    for replica in [&*one, &other] {
        let mut codes = Vec::new();
        for _ in 0..5 {
            codes.push(told(call(replica, &key, "open").await).0);
        }
        assert_eq!(codes, ["ok", "ok", "ok", "ok", "rate_limited"]);
        assert_eq!(told(call(replica, &key, "closed").await), lost);
    }
    let (status, shown) = readyz(&one).await;
    assert_eq!((status, &shown["checks"]["shared"]), (200, &json!("lost")));

    server.start_again();
    // So long nobody asks again.
    one.clock.advance(Duration::from_secs(1));
    let mut codes = Vec::new();
    for _ in 0..3 {
        for replica in [&*one, &other] {
            codes.push(told(call(replica, &key, "closed").await).0);
        }
    }
    assert_eq!(codes, ["ok", "ok", "ok", "ok", "rate_limited", "rate_limited"], "they count together again");
    other.stop().await;
    one.stop().await;
}

/// H3: a server that takes questions and never answers holds nobody up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_holds_nobody_up() {
    let server = ValkeyServer::start();
    let (one, other, key) = started(&server).await;
    assert_eq!(call(&one, &key, "closed").await, Ok(()));
    server.hang().await;
    assert_eq!(told(call(&one, &key, "closed").await).0, "limits_unavailable");
    assert_eq!(call(&one, &key, "open").await, Ok(()));
    other.stop().await;
    one.stop().await;
}
