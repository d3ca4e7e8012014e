//! D4: each code of the reference is provoked here by a call over HTTP, and a new one without such a call fails this
//! test. None of the answers has in it what stands behind: SQL, panics, places in the code, credentials.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_core::{
    Call, CallError, Effect, Outcome, OwnCode, Refusal, Source, ToolSpec, UpstreamCode, catalog::NamedSource,
};
use bridgehead_end_to_end::{
    hunt::{Haystack, Hunted},
    oauth::{Site, configuration},
};
use bridgehead_harness::{Replica, TestServer, WAREHOUSE_TABLES, upstream::Upstream};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

const REVISION: &str = "2026-07-28";
const CREDENTIAL: &str = "webTok/4hN+bXy1~mC8=Rj";
/// What a function says when it falls over.
const PANIC: &str = "the index is 7 and the length 3";

/// What each path of the system behind makes of a read.
const ANSWERS: [(&str, UpstreamCode); 11] = [
    ("down", UpstreamCode::Unavailable),
    ("busy", UpstreamCode::Busy),
    ("too-many", UpstreamCode::RateLimited),
    ("reset", UpstreamCode::ConnectionLost),
    ("echo", UpstreamCode::Rejected),
    ("unauthorized", UpstreamCode::Unauthorized),
    ("forbidden", UpstreamCode::Forbidden),
    ("missing", UpstreamCode::NotFound),
    ("conflict", UpstreamCode::Conflict),
    ("html", UpstreamCode::InvalidResponse),
    ("echo-text", UpstreamCode::Failed),
];

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
mode = "api_key"
[store]
url = "sqlite:bridgehead.db"
[policy.default]
timeout = "10m"
max_result_bytes = "2MiB"
[policy."late.*"]
timeout = "30s"
[policy."one.*"]
rate_limit = { concurrency = 1, queue = 0 }
[policy."frail.*"]
circuit = { failures = 1, open_for = "30s" }
[policy."stock.rare"]
rate_limit = { per_caller = "1/day", burst = 1 }

[sources.stock]
type = "sql"
url = "sqlite:stock.db"
seed = "stock.sql"
[sources.stock.tools.rare]
description = "Reads."
sql = "SELECT 1 AS one"
[sources.stock.tools.unpack]
description = "Reads JSON."
sql = "SELECT json_extract(:text, '$.hidden_member') AS member"
parameters.text = { type = "string", description = "JSON." }
[sources.stock.tools.set_units]
description = "Sets the units of A-1 in the north."
sql = "UPDATE stock SET units = :units WHERE sku = 'A-1' AND location = 'NORTH'"
idempotent = false
parameters.units = { type = "integer", description = "How many." }
"#;

/// One source for each path: what a system asks of us is for all of its tools.
fn web(upstream: &Upstream) -> String {
    let source = |name: &str, method: &str, url: &str| {
        format!(
            "[sources.{name}]\ntype = \"http\"\ncredential = {{ header = \"X-Api-Key\", value = \"{CREDENTIAL}\" }}\n\
             [sources.{name}.tools.{name}]\ndescription = \"Asks.\"\nrequest = {{ method = \"{method}\", url = \"{url}\" }}\n"
        )
    };
    let mut text = String::new();
    for (path, _) in ANSWERS {
        let origin = if path == "down" { &upstream.down } else { &upstream.origin };
        text.push_str(&source(&path.replace('-', "_"), "GET", &format!("{origin}/{path}")));
    }
    for (name, method, path) in [
        ("late", "GET", "slow"),
        ("one", "GET", "slow"),
        ("slow", "GET", "slow"),
        ("frail", "GET", "failed"),
        ("order", "POST", "reset"),
    ] {
        text.push_str(&source(name, method, &format!("{}/{path}", upstream.origin)));
    }
    text
}

/// Functions that do what a configuration cannot say.
#[derive(Default)]
struct Functions {
    started: Notify,
    go_on: Notify,
}

#[async_trait]
impl Source for Functions {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        let mut large = ToolSpec::new("large", "Does something and has much to say of it.");
        (large.effect, large.idempotent) = (Effect::Write, false);
        let reads = [
            ("falls", "Falls over at last."),
            ("asks", "Asks a model something."),
            ("of_team", "Reads what is the team's."),
        ];
        std::iter::once(large).chain(reads.map(|(name, what)| ToolSpec::new(name, what))).collect()
    }

    async fn call(&self, tool: &str, _: &Call) -> Result<Outcome, CallError> {
        match tool {
            "large" => Ok(Outcome::text("x".repeat(1_200_000))),
            "asks" => Err(Refusal::ClientLacks { capability: "sampling".into() }.into()),
            // As a parameter with `from` does; with an identity provider's claims in `identity_provider.rs`.
            "of_team" => Err(Refusal::LacksClaim { claim: "team".into(), fault: "It is not there.".into() }.into()),
            _ => {
                self.started.notify_one();
                self.go_on.notified().await;
                panic!("{PANIC}");
            }
        }
    }
}

/// The codes that were answered so far, and all the answers.
#[derive(Default)]
struct Answered {
    codes: BTreeSet<&'static str>,
    answers: Haystack,
}

impl Answered {
    /// Takes down an answer that must have this code, in the place where its form has it.
    fn is(&mut self, code: &'static str, answer: &Value) {
        let places = ["/result/_meta/bridgehead~1error/code", "/error/data/code"];
        let told = places.iter().find_map(|place| answer.pointer(place)).and_then(Value::as_str);
        // The protocol has a form of its own for this one.
        let lacks = answer["error"]["code"] == -32021 && answer["error"]["data"]["requiredCapabilities"].is_object();
        let told = if lacks { Some(OwnCode::ClientLacksCapability.as_str()) } else { told };
        assert_eq!(told, Some(code), "{answer}");
        self.codes.insert(code);
        self.answers.add(code, answer.to_string());
    }

    fn own(&mut self, code: OwnCode, answer: &Value) {
        self.is(code.as_str(), answer);
    }

    /// All codes there are, and nothing of what stands behind them.
    fn is_all(&self) {
        let all: BTreeSet<_> =
            OwnCode::ALL.map(OwnCode::as_str).into_iter().chain(UpstreamCode::ALL.map(UpstreamCode::as_str)).collect();
        assert_eq!(self.codes, all, "each code of the list has to be provoked here");
        let behind = [
            ("a credential", CREDENTIAL),
            ("SQL", "json_extract(:text"),
            ("SQL", "UPDATE stock SET"),
            ("a column of the store", "upstream_header"),
            ("a panic", PANIC),
            ("a panic", "panicked at"),
            ("a place in the code", "error_codes.rs"),
            ("a backtrace", "stack backtrace"),
        ];
        let hunted = behind.map(|(name, secret)| Hunted::new(name, secret));
        let found = self.answers.finds(&hunted);
        assert!(found.is_empty(), "{}", found.join("\n"));
        assert!(!self.answers.finds(&[Hunted::new("what is there", "There is no order 7")]).is_empty());
    }
}

async fn call(server: &Replica, key: &str, tool: &str, arguments: Value) -> Value {
    server.rpc(REVISION, key, "tools/call", json!({"name": tool, "arguments": arguments})).await.1
}

/// A call that has begun, told by `begins`, and became a task.
async fn task(server: &TestServer, key: &str, tool: &str, begins: impl Future<Output = ()>) -> Value {
    let time_goes_by = async {
        begins.await;
        server.clock.advance(Duration::from_secs(1));
    };
    let (created, ()) =
        tokio::join!(server.rpc_with_tasks(key, "tools/call", json!({"name": tool, "arguments": {}})), time_goes_by);
    let id = created["result"]["taskId"].as_str();
    id.unwrap_or_else(|| panic!("it became no task: {created}")).into()
}

#[tokio::test]
async fn each_code_is_answered_over_http_without_what_stands_behind() {
    let (upstream, functions, mut answered) =
        (Upstream::start().await, Arc::new(Functions::default()), Answered::default());
    let own = NamedSource { name: "own".into(), prefix: String::new(), source: functions.clone() };
    let config = format!("{CONFIG}{}", web(&upstream));
    let server = TestServer::with(&config).file("stock.sql", WAREHOUSE_TABLES).source(own).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read tools:write", None).await;

    of_the_caller(&server, &key, &mut answered).await;
    of_the_system_behind(&server, &key, &upstream, &mut answered).await;
    of_time_and_places(&server, &key, &upstream, &mut answered).await;
    of_tasks(&server, &key, (&upstream, &functions), &mut answered).await;
    of_keys(&server, &key, &mut answered).await;
    counters_that_are_lost(&upstream, &mut answered).await;
    a_credential_that_is_not_there(&upstream, &mut answered).await;
    upstream.release();
    on_the_way_down(server, &key, &mut answered).await;
    answered.is_all();
}

async fn of_the_caller(server: &TestServer, key: &str, answered: &mut Answered) {
    let (_, reading) = server.key("bob@example.com", "tools:read", None).await;
    answered.own(OwnCode::UnknownTool, &call(server, key, "no_such_tool", json!({})).await);
    answered.own(OwnCode::NotPermitted, &call(server, &reading, "set_units", json!({"units": 1})).await);
    answered.own(OwnCode::InvalidArguments, &call(server, key, "set_units", json!({"units": "many"})).await);
    answered.own(OwnCode::ClientLacksCapability, &call(server, key, "asks", json!({})).await);
    answered.own(OwnCode::CallerLacksClaim, &call(server, key, "of_team", json!({})).await);
    call(server, key, "rare", json!({})).await;
    answered.own(OwnCode::RateLimited, &call(server, key, "rare", json!({})).await);
}

async fn of_the_system_behind(server: &TestServer, key: &str, upstream: &Upstream, answered: &mut Answered) {
    for (path, code) in ANSWERS {
        answered.is(code.as_str(), &call(server, key, &path.replace('-', "_"), json!({})).await);
    }
    let broken = call(server, key, "unpack", json!({"text": "{no JSON"})).await;
    answered.is(UpstreamCode::Failed.as_str(), &broken);
    call(server, key, "frail", json!({})).await;
    let before = upstream.count();
    answered.own(OwnCode::CircuitOpen, &call(server, key, "frail", json!({})).await);
    assert_eq!(upstream.count(), before, "it is left in peace");
}

async fn of_time_and_places(server: &TestServer, key: &str, upstream: &Upstream, answered: &mut Answered) {
    let before = upstream.count();
    let time_is_up = async {
        upstream.has_seen(before + 1).await;
        server.clock.advance(Duration::from_secs(30));
    };
    let (late, ()) = tokio::join!(call(server, key, "late", json!({})), time_is_up);
    answered.is(UpstreamCode::TimedOut.as_str(), &late);

    let second = async {
        upstream.has_seen(before + 2).await;
        call(server, key, "one", json!({})).await
    };
    tokio::select! {
        first = call(server, key, "one", json!({})) => panic!("nobody has let it go on: {first}"),
        second = second => answered.own(OwnCode::Busy, &second),
    }
}

async fn of_tasks(
    server: &TestServer,
    key: &str,
    (upstream, functions): (&Upstream, &Functions),
    answered: &mut Answered,
) {
    let before = upstream.count();
    let id = task(server, key, "slow", upstream.has_seen(before + 1)).await;
    server.rpc_with_tasks(key, "tasks/cancel", json!({"taskId": id})).await;
    let fetched = call(server, key, "bridgehead_result", json!({"handle": id})).await;
    answered.own(OwnCode::Cancelled, &fetched);

    let id = task(server, key, "falls", functions.started.notified()).await;
    functions.go_on.notify_one();
    let fetched = call(server, key, "bridgehead_result", json!({"handle": id})).await;
    answered.own(OwnCode::Internal, &fetched);
    let failed = server.rpc_with_tasks(key, "tasks/get", json!({"taskId": id})).await;
    assert_eq!(failed["result"]["status"], "failed", "{failed}");
    assert_eq!(failed["result"]["error"]["data"]["code"], OwnCode::Internal.as_str(), "{failed}");
    answered.answers.add("a task that failed", failed.to_string());
}

async fn of_keys(server: &TestServer, key: &str, answered: &mut Answered) {
    call(server, key, "set_units", json!({"units": 1, "idempotency_key": "k"})).await;
    let other = call(server, key, "set_units", json!({"units": 2, "idempotency_key": "k"})).await;
    answered.own(OwnCode::IdempotencyConflict, &other);
    answered.own(OwnCode::EffectInDoubt, &call(server, key, "order", json!({"idempotency_key": "k"})).await);
    let large = call(server, key, "large", json!({"idempotency_key": "k"})).await;
    assert_eq!(large["result"]["isError"], false, "{}", large["result"]["_meta"]);
    answered.own(OwnCode::AnswerNotKept, &call(server, key, "large", json!({"idempotency_key": "k"})).await);

    let store = format!("sqlite:{}", server.directory().join("bridgehead.db").display());
    let mut store = SqliteConnection::connect(&store).await.unwrap();
    sqlx::query("ALTER TABLE effect RENAME TO lost").execute(&mut store).await.unwrap();
    let unclaimed = call(server, key, "set_units", json!({"units": 3, "idempotency_key": "other"})).await;
    answered.own(OwnCode::IdempotencyUnavailable, &unclaimed);
}

/// Nobody listens where the shared counters should be.
async fn counters_that_are_lost(upstream: &Upstream, answered: &mut Answered) {
    let shared = upstream.down.replace("http", "redis");
    let policy = "[policy.default]\nrate_limit = { per_caller = \"4/day\" }\non_shared_loss = \"closed\"";
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"api_key\"\n[store]\nurl = \"memory:\"\n[shared]\nurl = \
         \"{shared}\"\n{policy}\n[sources.web]\ntype = \"http\"\ntools.ask = {{ description = \"Asks.\", request = {{ url = \
         \"{}/ok\" }} }}\n",
        upstream.origin
    );
    let server = TestServer::with(&config).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    answered.own(OwnCode::LimitsUnavailable, &call(&server, &key, "ask", json!({})).await);
    server.stop().await;
}

async fn a_credential_that_is_not_there(upstream: &Upstream, answered: &mut Answered) {
    let erp = format!(
        "[vaults.erp]\nfields = {{ api_key = \"Your ERP key\" }}\n[sources.erp]\ntype = \"http\"\ncredential = {{ vault = \
         \"erp\", header = \"X-Api-Key\", value = \"{{api_key}}\" }}\ntools.ask_erp = {{ description = \"Asks.\", request = {{ \
         url = \"{}/ok\" }} }}\n",
        upstream.origin
    );
    let config = configuration("", "mode = [\"api_key\", \"oauth\"]") + &erp;
    let server = TestServer::with(&config).file("warehouse.sql", WAREHOUSE_TABLES).start().await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let answer = Site::of(&[&*server]).call(Some(&key), "ask_erp", json!({})).await;
    answered.own(OwnCode::CredentialRequired, &answer.json());
    server.stop().await;
}

/// A request whose body comes when the server is on its way down already.
async fn on_the_way_down(server: TestServer, key: &str, answered: &mut Answered) {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "set_units", "arguments": {"units": 4}}});
    let call = call.to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\naccept: \
         application/json, text/event-stream\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        server.address,
        call.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut goes_on = [0; 25];
    stream.read_exact(&mut goes_on).await.unwrap();
    assert_eq!(goes_on, *b"HTTP/1.1 100 Continue\r\n\r\n", "it was let in, and its body is waited for");
    server.begin_stop();
    // Once another one is turned away at the door, no more calls begin.
    let another = reqwest::Client::builder().no_proxy().build().unwrap();
    let refused = another.get(format!("{}/nothing", server.origin)).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    stream.write_all(call.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    answered.own(OwnCode::ShuttingDown, &serde_json::from_str(body).unwrap());
    server.stop().await;
}
