//! H2: what is remembered, for whom and for how long, over HTTP: what an API says of its answers, a credential
//! of each caller's own, and replicas that share a real Valkey or Redis server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bridgehead_auth::RootKeys;
use bridgehead_core::{
    CacheStore, Freshness, LocalCache, OsRandomness, Outcome, SystemClock,
    cache::{CacheKey, Remembered},
};
use bridgehead_harness::{Replica, TestServer, process::binary, upstream::Upstream, valkey::Valkey as ValkeyServer};
use bridgehead_stores::{Valkey, ValkeyCache, ValkeyUrl, contract};
use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};

const REVISION: &str = "2025-11-25";

async fn call(server: &Replica, key: &str, tool: &str) -> Value {
    let (status, answer) = server.rpc(REVISION, key, "tools/call", json!({"name": tool, "arguments": {}})).await;
    assert_eq!(status, 200, "{answer}");
    answer["result"].clone()
}

/// Whether it is from the cache, how old, and whether its time is over.
fn mark(result: &Value) -> Option<(u64, bool)> {
    let mark = result["_meta"].get("bridgehead/cache")?;
    assert_eq!(mark["hit"], true);
    Some((mark["age_ms"].as_u64().unwrap(), mark["stale"].as_bool().unwrap()))
}

const HEAD: &str = "
[server]
listen = \"127.0.0.1:0\"
[store]
url = \"memory:\"
";

/// A tool whose answer has these headers.
fn saying(upstream: &Upstream, headers: &[(&str, &str)]) -> String {
    let query: Vec<_> = headers.iter().map(|(name, value)| format!("{} = {}", json!(name), json!(value))).collect();
    format!(
        "{HEAD}
[auth]
mode = \"api_key\"
[policy.\"web.*\"]
cache = {{ ttl = \"60s\", stale_if_error = \"10s\" }}
[sources.web]
type = \"http\"
[sources.web.tools.read]
description = \"Reads.\"
request = {{ url = \"{}/saying\", query = {{ {} }} }}
",
        upstream.origin,
        query.join(", ")
    )
}

/// RFC 9111: for how many seconds the second call is answered from the cache, and what happens then.
#[tokio::test]
async fn what_an_api_says_of_its_answers_holds() {
    const TAG: (&str, &str) = ("etag", "\"v1\"");
    const DATE: (&str, &str) = ("last-modified", "Wed, 31 Dec 2025 12:00:00 GMT");
    for (headers, kept, is_asked) in [
        (&[][..], 60, None),
        (&[("cache-control", "max-age=7")], 7, None),
        (&[("cache-control", "max-age=7, private")], 7, None),
        (&[("cache-control", "max-age=3600")], 60, None),
        (&[("cache-control", "max-age=20"), ("age", "5")], 15, None),
        (&[("cache-control", "max-age=0, s-maxage=30")], 0, None),
        (&[("cache-control", "no-store, max-age=7")], 0, None),
        (&[("cache-control", "no-cache")], 0, None),
        (&[("expires", "0")], 0, None),
        (&[("vary", "*")], 0, None),
        (&[("vary", "accept")], 60, None),
        (&[("cache-control", "max-age=7"), TAG], 7, Some(("if-none-match", TAG.1))),
        (&[("cache-control", "no-cache"), TAG], 0, Some(("if-none-match", TAG.1))),
        (&[DATE], 60, Some(("if-modified-since", DATE.1))),
    ] {
        let upstream = Upstream::start().await;
        let server = TestServer::with(&saying(&upstream, headers)).start().await;
        let (_, key) = server.key("alice@example.com", "tools:read", None).await;
        let first = call(&server, &key, "read").await;
        assert!(mark(&first).is_none() && first["isError"] != true, "{headers:?}: {first}");
        if kept > 0 {
            server.clock.advance(Duration::from_millis(kept * 1000 - 1));
            let hit = call(&server, &key, "read").await;
            assert_eq!((hit["structuredContent"].clone(), upstream.count()), (first["structuredContent"].clone(), 1));
            assert!(mark(&hit).is_some_and(|(age, stale)| age >= kept * 1000 - 1 && !stale), "{headers:?}: {hit}");
            server.clock.advance(Duration::from_millis(1));
        }
        let _ = upstream.take();
        let again = call(&server, &key, "read").await;
        let asked = upstream.take();
        let [request] = asked.as_slice() else { panic!("{headers:?}: {again}") };
        match is_asked {
            Some((name, value)) => {
                assert_eq!((request.header(name), mark(&again)), (Some(value), Some((0, false))), "{headers:?}");
                assert_eq!(again["structuredContent"], first["structuredContent"], "304 has no content of its own");
            }
            None => assert_eq!((request.header("if-none-match"), mark(&again)), (None, None), "{headers:?}"),
        }
        server.stop().await;
    }
}

/// Each caller hands on a key of their own, and two of them never share an answer, though all else is the
/// same.
#[tokio::test]
async fn callers_with_keys_of_the_system_behind_share_nothing() {
    let upstream = Upstream::start().await;
    let config = format!(
        "{HEAD}
[auth]
mode = \"api_key\"
api_key.verify = \"upstream\"
[policy.\"web.*\"]
cache = {{ ttl = \"60s\" }}
[sources.web]
type = \"http\"
credential = {{ from = \"caller\" }}
[sources.web.tools.read]
description = \"Reads.\"
request = {{ url = \"{}/saying\" }}
",
        upstream.origin
    );
    let server = TestServer::with(&config).start().await;
    for (key, count) in
        [("key-of-alice", 1), ("key-of-bob", 2), ("key-of-alice", 2), ("key-of-bob", 2), ("key-of-alic", 3)]
    {
        let result = call(&server, key, "read").await;
        assert_eq!(result["structuredContent"]["to"], format!("Bearer {key}"));
        assert_eq!(upstream.count(), count);
    }
    server.stop().await;
}

/// What cannot be meant is said before anything is served.
#[test]
fn faults_of_policies_are_named() {
    let place = tempfile::tempdir().unwrap();
    let config = format!(
        "{HEAD}
[auth]
mode = \"api_key\"
api_key.verify = \"upstream\"
[policy.\"web.mine\"]
cache = {{ ttl = \"1m\", shared = true }}
[policy.\"web.read\"]
cache = {{ ttl = \"1m\", invalidated_by = [\"web.change\", \"web.reed\", \"web.read\"] }}
[policy.\"web.change\"]
cache = {{ ttl = \"1m\" }}
[sources.web]
type = \"http\"
credential = {{ from = \"caller\" }}
[sources.web.tools.mine]
description = \"Reads.\"
request = {{ url = \"http://erp.internal/mine\" }}
[sources.web.tools.read]
description = \"Reads.\"
request = {{ url = \"http://erp.internal/read\" }}
[sources.web.tools.change]
description = \"Changes.\"
request = {{ method = \"POST\", url = \"http://erp.internal/change\" }}
"
    );
    let check = |config: &str| {
        std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
        let mut command = Command::new(binary("bridgehead"));
        let output = command.args(["config", "check"]).current_dir(place.path()).env_clear().output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = check(&config);
    assert_eq!(code, Some(1), "{said}");
    let at = said.lines().find(|line| line.contains("sources.web.tools.mine: ")).unwrap_or_default();
    assert!(
        at.contains("its answers depend on who calls") && said.contains("`cache.shared` would give them"),
        "{said}"
    );
    let (code, said) = check(&config.replace(", shared = true", ""));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("policy.\"web.change\".cache: no tool that only reads"), "{said}");
    for (index, is_wrong) in [(0, false), (1, true), (2, true)] {
        assert_eq!(said.contains(&format!("cache.invalidated_by[{index}]: no tool that changes")), is_wrong, "{said}");
    }
    let served = config.replace(", shared = true", "").replace(", \"web.reed\", \"web.read\"", "");
    let (code, said) = check(&served.replace("[policy.\"web.change\"]\ncache = { ttl = \"1m\" }\n", ""));
    assert_eq!(code, Some(0), "{said}");
}

fn open(server: &ValkeyServer, prefix: &str, roots: &RootKeys) -> Arc<dyn CacheStore> {
    let valkey = Valkey::open(&ValkeyUrl::parse(&server.url()).unwrap(), prefix, Arc::new(SystemClock)).unwrap();
    Arc::new(ValkeyCache::new(valkey, roots, Arc::new(OsRandomness)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_cache_keeps_the_contract() {
    contract::cache_store(|| async {
        let cache: Arc<dyn CacheStore> = Arc::new(LocalCache::new(Arc::new(SystemClock), 1 << 20));
        cache
    })
    .await
    .unwrap();
    let (server, roots, number) = (ValkeyServer::start(), RootKeys::generate(&OsRandomness), AtomicUsize::new(0));
    contract::cache_store(|| {
        let prefix = format!("test-{}", number.fetch_add(1, Ordering::Relaxed));
        std::future::ready(open(&server, &prefix, &roots))
    })
    .await
    .unwrap();
}

/// Everything that stands on the server, names and values.
fn dump(server: &ValkeyServer) -> Vec<u8> {
    let mut all = server.answer(&["KEYS", "*"]);
    for name in String::from_utf8(all.clone()).unwrap().lines() {
        all.extend(server.answer(&["GET", name]));
    }
    all
}

const STOCK: &str = "CREATE TABLE stock (units INTEGER NOT NULL, note TEXT NOT NULL) STRICT;
INSERT INTO stock VALUES (7, 'hunter2-of-the-warehouse');";

/// Two replicas share answers and their end; who has the server alone reads nothing; while it is away, every
/// call reaches the source, and a write of that time is not forgotten about.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_share_answers_and_their_end() {
    let mut shared = ValkeyServer::start();
    let config = format!(
        r#"
[server]
listen = "127.0.0.1:0"
[secrets]
keys = ["file:bridgehead.keys"]
[auth]
mode = "api_key"
[store]
url = "sqlite:store.db"
[shared]
url = "{}"
[policy."stock.read"]
cache = {{ ttl = "10m", invalidated_by = ["stock.take"] }}
[sources.stock]
type = "sql"
url = "sqlite:stock.db"
seed = "stock.sql"
tools.read = {{ description = "Reads.", sql = "SELECT units, note FROM stock" }}
tools.take = {{ description = "Takes one.", sql = "UPDATE stock SET units = units - 1" }}
"#,
        shared.url()
    );
    let server = TestServer::with(&config).file("stock.sql", STOCK).start().await;
    let replica = server.replica().await;
    let (of_alice, alice) = server.key("alice@example.com", "tools:read tools:write", None).await;
    let (_, bob) = server.key("bob@example.com", "tools:read", None).await;
    let read = async |server: &Replica, key: &str| {
        let result = call(server, key, "read").await;
        (result["structuredContent"]["rows"][0]["units"].as_u64().unwrap(), mark(&result).is_some())
    };
    assert_eq!(read(&server, &alice).await, (7, false));
    assert_eq!(read(&replica, &alice).await, (7, true), "another replica has it as well");
    assert_eq!(read(&replica, &bob).await, (7, false), "another caller has not");
    let stands = dump(&shared);
    let has = |text: &'static str| stands.windows(text.len()).any(|window| window == text.as_bytes());
    // The tool's name is no secret, and one answer stands for each caller.
    assert!(has("main/stock.read") && stands.windows(8).filter(|window| window == b":answer:").count() == 2);
    let clear = ["hunter2", "alice", "bob", "units", "rows"].map(has);
    assert_eq!(clear, [false; 5], "{}", String::from_utf8_lossy(&stands));
    call(&replica, &alice, "take").await;
    assert_eq!((read(&server, &alice).await, read(&server, &bob).await), ((6, false), (6, false)));
    assert_eq!(read(&replica, &alice).await, (6, true));

    shared.kill();
    call(&server, &alice, "take").await;
    assert_eq!(read(&server, &alice).await, (5, false));
    assert_eq!(read(&server, &alice).await, (5, false), "there is no cache now");
    shared.start_again();
    // It is left alone for a moment after it did not answer.
    server.clock.advance(Duration::from_secs(2));
    assert_eq!(read(&server, &alice).await, (5, false));
    assert_eq!((read(&server, &alice).await, read(&replica, &alice).await), ((5, true), (5, true)));

    // H2: who may not call any more is not answered from memory either.
    server.revoke(&of_alice).await;
    let (status, _) = server.rpc(REVISION, &alice, "tools/call", json!({"name": "read", "arguments": {}})).await;
    assert_eq!(status, 401);
    replica.stop().await;
    server.stop().await;
}

/// A server that was killed comes up with what it saved last. Answers from before a write must not come back
/// with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_up_with_an_older_state_is_not_believed() {
    const TOOL: &str = "main/stock.read";
    let (mut server, roots) = (ValkeyServer::start(), RootKeys::generate(&OsRandomness));
    let key = CacheKey::new([7; 32]);
    let cache = open(&server, "b", &roots);
    let before = cache.look(TOOL, &key).await.unwrap();
    let now = Timestamp::UNIX_EPOCH;
    let answer = Remembered {
        outcome: Outcome::default(),
        made_at: now,
        kept_at: now,
        fresh_until: now,
        stale_until: now,
        said: Freshness::default(),
    };
    cache.keep(TOOL, (&key, before.generation), Arc::new(answer), Duration::from_secs(600)).await.unwrap();
    assert!(cache.look(TOOL, &key).await.unwrap().answer.is_some());
    assert_eq!(server.answer(&["SAVE"]), b"OK\n");
    cache.forget(&[TOOL.into()]).await.unwrap();
    server.start_again();
    assert!(dump(&server).windows(8).any(|window| window == b":answer:"), "it is there again");
    // Another process, which knows nothing of the write.
    let after = open(&server, "b", &roots).look(TOOL, &key).await.unwrap();
    assert!(after.answer.is_none() && after.generation != before.generation);
}

/// One question for all who ask the same at the same time, and what comes of it when the API is gone later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_are_one_request_and_outlive_the_api() {
    let upstream = Upstream::start().await;
    let config = format!(
        "{HEAD}
[auth]
mode = \"api_key\"
[policy.\"web.*\"]
timeout = \"30s\"
cache = {{ ttl = \"60s\", stale_if_error = \"10m\" }}
[sources.web]
type = \"http\"
[sources.web.tools.slow]
description = \"Reads.\"
request = {{ url = \"{}/slow\" }}
",
        upstream.origin
    );
    let server = TestServer::with(&config).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let calls = futures_util::stream::iter(0..1000).map(|_| call(&server, &key, "slow"));
    let calls = calls.buffer_unordered(1000).collect::<Vec<_>>();
    let answers = async {
        upstream.has_seen(1).await;
        upstream.release();
    };
    let (answers, ()) = tokio::join!(calls, answers);
    let first = &answers[0]["structuredContent"];
    assert!(first.is_object() && answers.iter().all(|answer| &answer["structuredContent"] == first));
    assert_eq!((answers.len(), upstream.count()), (1000, 1));

    drop(upstream);
    server.clock.advance(Duration::from_secs(61));
    let stale = call(&server, &key, "slow").await;
    assert_eq!((&stale["structuredContent"], mark(&stale).map(|(_, stale)| stale)), (first, Some(true)));
    server.clock.advance(Duration::from_secs(600));
    assert_eq!(call(&server, &key, "slow").await["isError"], true, "that has an end as well");
    server.stop().await;
}
