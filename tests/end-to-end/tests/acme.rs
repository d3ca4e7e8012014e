//! Certificates over ACME, from a real authority (T3): issued by both challenges, renewed, shared by
//! replicas, and what the operator is told when the authority does not issue one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, OnceLock},
    time::Duration,
};

use bridgehead_auth::{CertificateId, LeaseOutcome};
use bridgehead_core::Clock;
use bridgehead_harness::{
    MovableClock, Replica, TestServer, TestServerBuilder, WAREHOUSE_TABLES,
    https::{Connection, Speak},
    pebble::{EXTERNAL_ACCOUNT, Pebble, VALIDITY_SECONDS},
    postgres::Database,
};
use bridgehead_stores::{Store, StoreUrl};
use serde_json::json;

const CONFIG: &str = r#"
name = "Warehouse"
[server]
listen = "127.0.0.1:0"
public_url = "https://NAME"
[server.tls]
http_listen = "127.0.0.1:0"
acme = { email = "ops@example.com", directory = "DIRECTORY", directory_root = "pebble.pem", MORE }
[store]
url = "STORE"
[secrets]
keys = ["file:bridgehead.keys"]
[auth]
mode = "api_key"
[sources.stock]
type = "sql"
url = "sqlite:stock.db"
seed = "stock.sql"
[sources.stock.tools.find_stock]
description = "Units of one article on hand, per location."
sql = "SELECT location, units FROM stock WHERE sku = :sku"
parameters.sku = { type = "string", description = "Stock keeping unit" }
"#;

const TLS_ALPN: &str = r#"challenge = "tls-alpn-01""#;
const HTTP: &str = r#"challenge = "http-01""#;
const SQLITE: &str = "sqlite:bridgehead.db";

fn config(pebble: &Pebble, name: &str, more: &str, store: &str) -> String {
    let config = CONFIG.replace("NAME", name).replace("DIRECTORY", &pebble.directory);
    config.replace("MORE", more).replace("STORE", store)
}

fn server(pebble: &Pebble, config: &str) -> TestServerBuilder {
    TestServer::with(config).file("stock.sql", WAREHOUSE_TABLES).file("pebble.pem", &pebble.https_root)
}

/// The authority's doors lead to this server.
fn lead_to(pebble: &Pebble, replica: &Replica) {
    pebble.tls_door.lead_to(replica.address);
    pebble.http_door.lead_to(replica.http_address.unwrap());
}

/// Moves the clock by one second for each look, until the look finds something. A second of the
/// server's passes in a fifth of one of the authority's, which has a clock of its own.
async fn until<T>(clock: &MovableClock, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        clock.advance(Duration::from_secs(1));
    }
    panic!("in five minutes: {what}. The log:\n{}", Log::all());
}

/// Moves the clock ten times, and lets the server do each time what it would do.
async fn pass(clock: &MovableClock, step: Duration) {
    for _ in 0..10 {
        clock.advance(step);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A connection to the server by its name, with a certificate that the authority's root vouches for.
async fn connect(pebble: &Pebble, address: SocketAddr, name: &str) -> Option<Connection> {
    Connection::open(address, name, pebble.root().await, Speak::Http1).await.ok()
}

async fn connected(pebble: &Pebble, clock: &MovableClock, address: SocketAddr, name: &str) -> Connection {
    until(clock, "no certificate", async || connect(pebble, address, name).await).await
}

async fn health(replica: &Replica) -> u16 {
    let url = format!("http://{}/healthz", replica.http_address.unwrap());
    replica.client().get(url).send().await.unwrap().status().as_u16()
}

async fn call(connection: &mut Connection, key: &str) -> (u16, String) {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "find_stock", "arguments": {"sku": "A-1"}}});
    let bearer = format!("Bearer {key}");
    let answer = connection.send("/mcp", &[("authorization", &bearer)], Some(call.to_string())).await.unwrap();
    (answer.status(), answer.body)
}

/// What all servers of this program log.
struct Log;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl Log {
    fn keep() {
        static KEPT: OnceLock<()> = OnceLock::new();
        KEPT.get_or_init(|| {
            tracing_subscriber::fmt().with_ansi(false).with_writer(|| Self).init();
        });
    }

    fn all() -> String {
        String::from_utf8_lossy(&LINES.lock().unwrap()).into_owned()
    }

    /// Lines with all of these in them.
    fn lines(words: &[&str]) -> Vec<String> {
        let all = Self::all();
        all.lines().filter(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_issued_by_tls_alpn_01_and_a_tool_called_under_it() {
    const NAME: &str = "alpn.example.com";
    Log::keep();
    let pebble = Pebble::start().await;
    let server = server(&pebble, &config(&pebble, NAME, TLS_ALPN, SQLITE)).start().await;
    assert_eq!(health(&server).await, 200, "health is served before there is a certificate");
    assert!(connect(&pebble, server.address, NAME).await.is_none());
    lead_to(&pebble, &server);
    let mut connection = connected(&pebble, &server.clock, server.address, NAME).await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let (status, body) = call(&mut connection, &key).await;
    assert!(status == 200 && body.contains("NORTH"), "{body}");
    assert!(pebble.tls_door.knocks() > 0 && pebble.http_door.knocks() == 0);
    assert!(Log::lines(&[NAME, "there is no certificate yet"]).len() == 1, "{}", Log::all());

    // What was obtained is shown by the next process at once, and the authority is not asked.
    let (orders, shown) = (pebble.orders(), connection.shown.clone());
    let next = server.replica().await;
    let again = connect(&pebble, next.address, NAME).await.unwrap();
    assert_eq!((again.shown, pebble.orders(), pebble.accounts()), (shown, orders, 1));
    next.stop().await;

    // Nobody can read a private key out of the store.
    let mut has_certificate = false;
    for file in ["bridgehead.db", "bridgehead.db-wal"] {
        let Ok(bytes) = std::fs::read(server.directory().join(file)) else { continue };
        has_certificate |= contains(&bytes, b"BEGIN CERTIFICATE");
        // PKCS#8 of a P-256 key, in DER and in base64url, as the account's is written.
        for key in [
            &b"\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x6d"[..],
            b"key_pkcs8",
            b"MIGHAgE",
            b"PRIVATE KEY",
        ] {
            assert!(!contains(&bytes, key), "{file} has {}", String::from_utf8_lossy(key));
        }
    }
    assert!(has_certificate, "what was searched is where it would be");
    server.stop().await;
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_issued_by_http_01_for_all_names() {
    const NAMES: [&str; 2] = ["http.example.com", "also.example.com"];
    Log::keep();
    let pebble = Pebble::start().await;
    let more = format!(r#"{HTTP}, domains = ["{}", "{}"]"#, NAMES[0], NAMES[1]);
    let server = server(&pebble, &config(&pebble, NAMES[0], &more, "memory:")).start().await;
    lead_to(&pebble, &server);
    for name in NAMES {
        connected(&pebble, &server.clock, server.address, name).await;
    }
    assert!(pebble.http_door.knocks() > 0 && pebble.tls_door.knocks() == 0);
    assert_eq!(pebble.orders(), 1);
    let unknown = format!("http://{}/.well-known/acme-challenge/never-issued", server.http_address.unwrap());
    assert_eq!(server.client().get(unknown).send().await.unwrap().status().as_u16(), 404);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_at_two_thirds_of_its_life_and_not_before() {
    const NAME: &str = "renewed.example.com";
    Log::keep();
    let pebble = Pebble::start().await;
    let server = server(&pebble, &config(&pebble, NAME, TLS_ALPN, SQLITE)).start().await;
    lead_to(&pebble, &server);
    let first = connected(&pebble, &server.clock, server.address, NAME).await;
    let (_, parsed) = x509_parser::parse_x509_certificate(&first.shown).unwrap();
    let not_before = jiff::Timestamp::from_second(parsed.validity().not_before.timestamp()).unwrap();
    let move_to = |share: f64| {
        let life = jiff::SignedDuration::from_secs((VALIDITY_SECONDS as f64 * share) as i64);
        let left = (not_before + life).duration_since(server.clock.now());
        server.clock.advance(left.try_into().unwrap());
    };
    move_to(0.6);
    pass(&server.clock, Duration::from_secs(60)).await;
    assert_eq!(pebble.orders(), 1);
    move_to(0.67);
    let renewed = until(&server.clock, "not renewed", async || {
        connect(&pebble, server.address, NAME).await.filter(|now| now.shown != first.shown)
    })
    .await;
    assert_ne!(renewed.shown, first.shown);
    assert_eq!((pebble.orders(), pebble.accounts()), (2, 1), "the account is kept");
    // The authority's clock has not moved: its certificate looks old already. It is not asked again.
    server.clock.advance(Duration::from_secs(50 * 60));
    pass(&server.clock, Duration::from_secs(10)).await;
    assert_eq!(pebble.orders(), 2);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_be_reached_is_told_why_left_alone_for_a_while_and_issued_one_once_mended() {
    const NAME: &str = "unreachable.example.com";
    Log::keep();
    let pebble = Pebble::start().await;
    pebble.dns.lead_to(None);
    let server = server(&pebble, &config(&pebble, NAME, TLS_ALPN, SQLITE)).start().await;
    lead_to(&pebble, &server);
    let failures = || Log::lines(&["ERROR", NAME, "issued no certificate"]);
    until(&server.clock, "no failure", async || (failures().len() == 1).then_some(())).await;
    let told = &failures()[0];
    assert!(told.contains("A or AAAA record") && told.contains("localhost"), "{told}");
    assert_eq!(health(&server).await, 200, "the server stays up");

    // The name exists, and nobody listens there.
    pebble.dns.lead_to(Some(Ipv4Addr::new(127, 0, 0, 9)));
    let before = server.clock.now();
    until(&server.clock, "no second failure", async || (failures().len() == 2).then_some(())).await;
    assert!(server.clock.now().duration_since(before) > jiff::SignedDuration::from_secs(60), "it waited a while");
    let told = &failures()[1];
    assert!(told.contains("port 443 can be reached from the internet") && told.contains("failures=2"), "{told}");
    assert_eq!(pebble.orders(), 2, "one order for each attempt");

    // A replica that is started now waits as well.
    let replica = server.replica().await;
    pebble.dns.lead_to(Some(Ipv4Addr::LOCALHOST));
    server.clock.advance(Duration::from_secs(100));
    pass(&server.clock, Duration::from_secs(10)).await;
    assert_eq!(pebble.orders(), 2, "nobody asks before it is time");
    server.clock.advance(Duration::from_secs(10 * 60));
    connected(&pebble, &server.clock, server.address, NAME).await;
    connected(&pebble, &server.clock, replica.address, NAME).await;
    assert_eq!(pebble.orders(), 3);
    replica.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_in_the_midst_of_an_order_loses_nothing() {
    const NAME: &str = "restarted.example.com";
    Log::keep();
    let pebble = Pebble::start().await;
    let server = server(&pebble, &config(&pebble, NAME, TLS_ALPN, SQLITE)).start().await;
    // The authority stands before the door when the first process ends.
    until(&server.clock, "no knock", async || (pebble.tls_door.knocks() > 0).then_some(())).await;
    let next = server.replica().await;
    server.begin_stop();
    lead_to(&pebble, &next);
    connected(&pebble, &server.clock, next.address, NAME).await;
    assert_eq!(pebble.accounts(), 1, "the account is kept");
    next.stop().await;
}

/// The process that had the order was killed: nobody gave its lease back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_lease_is_waited_for_no_longer_than_a_minute() {
    const NAME: &str = "killed.example.com";
    Log::keep();
    let pebble = Pebble::start().await;
    let database = Database::empty().await;
    let url: StoreUrl = database.url().parse().unwrap();
    let store = Store::open(&url).await.unwrap();
    let id = CertificateId::new(&pebble.directory, &[NAME.to_owned()]);
    let now = MovableClock::default().now();
    let taken = store.certificates.take_lease(&id, "dead", now, now + Duration::from_secs(60)).await.unwrap();
    assert_eq!(taken, LeaseOutcome::Taken);
    store.close().await;
    let server = server(&pebble, &config(&pebble, NAME, TLS_ALPN, &database.url())).start().await;
    lead_to(&pebble, &server);
    let ordered = until(&server.clock, "no order", async || (pebble.orders() > 0).then(|| server.clock.now())).await;
    let waited = ordered.duration_since(now).as_secs();
    assert!((60..=80).contains(&waited), "{waited} s");
    connected(&pebble, &server.clock, server.address, NAME).await;
    server.stop().await;
}

async fn two_replicas_make_one_order(pebble: &Pebble, name: &str, store: &str, challenge: &str) {
    let server = server(pebble, &config(pebble, name, challenge, store)).start().await;
    let other = server.replica().await;
    // Whoever ordered, the authority stands before a door by now.
    let knocks = || pebble.tls_door.knocks() + pebble.http_door.knocks();
    until(&server.clock, "no knock", async || (knocks() > 0).then_some(())).await;
    let orderers = Log::lines(&[name, "a certificate is ordered"]).len();
    assert_eq!(orderers, 1, "{}", Log::all());
    lead_to(pebble, &other);
    let one = connected(pebble, &server.clock, server.address, name).await;
    let two = connected(pebble, &server.clock, other.address, name).await;
    assert_eq!(one.shown, two.shown, "both show the same certificate");
    assert_eq!(pebble.orders(), 1, "{}", pebble.log());
    other.stop().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_on_postgres_one_orders_and_both_show_it() {
    Log::keep();
    let database = Database::empty().await;
    let pebble = Pebble::start().await;
    two_replicas_make_one_order(&pebble, "postgres.example.com", &database.url(), TLS_ALPN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_replicas_on_sqlite_one_orders_and_both_show_it() {
    Log::keep();
    let pebble = Pebble::start().await;
    two_replicas_make_one_order(&pebble, "sqlite.example.com", SQLITE, HTTP).await;
}

/// The replica that ordered is not the one that the authority meets.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_replica_answers_the_authority() {
    Log::keep();
    let pebble = Pebble::start().await;
    for (name, challenge) in [("one.example.com", TLS_ALPN), ("two.example.com", HTTP)] {
        pebble.tls_door.hold();
        pebble.http_door.hold();
        let knocks = || pebble.tls_door.knocks() + pebble.http_door.knocks();
        let before = knocks();
        let server = server(&pebble, &config(&pebble, name, challenge, SQLITE)).start().await;
        until(&server.clock, "no knock", async || (knocks() > before).then_some(())).await;
        // Started when the order was made already: it cannot be the one that has it.
        let other = server.replica().await;
        lead_to(&pebble, &other);
        let one = connected(&pebble, &server.clock, server.address, name).await;
        let two = connected(&pebble, &server.clock, other.address, name).await;
        assert_eq!(one.shown, two.shown);
        other.stop().await;
        server.stop().await;
    }
    assert_eq!(pebble.orders(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_are_bound_where_the_authority_wants_it() {
    const NAME: &str = "bound.example.com";
    Log::keep();
    let pebble = Pebble::with_external_accounts().await;
    let unbound = server(&pebble, &config(&pebble, "unbound.example.com", TLS_ALPN, "memory:")).start().await;
    let refused = || Log::lines(&["ERROR", "unbound.example.com", "external_account"]);
    until(&unbound.clock, "no refusal", async || (!refused().is_empty()).then_some(())).await;
    unbound.stop().await;

    let (id, key) = EXTERNAL_ACCOUNT;
    let more = format!(r#"{TLS_ALPN}, external_account = {{ key_id = "{id}", hmac_key = "{key}" }}"#);
    let server = server(&pebble, &config(&pebble, NAME, &more, SQLITE)).start().await;
    lead_to(&pebble, &server);
    connected(&pebble, &server.clock, server.address, NAME).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_names_are_another_order_by_the_same_account() {
    const NAMES: [&str; 2] = ["first.example.com", "second.example.com"];
    Log::keep();
    let pebble = Pebble::start().await;
    let server = server(&pebble, &config(&pebble, NAMES[0], TLS_ALPN, SQLITE)).start().await;
    lead_to(&pebble, &server);
    connected(&pebble, &server.clock, server.address, NAMES[0]).await;
    let more = format!(r#"{TLS_ALPN}, domains = ["{}", "{}"]"#, NAMES[0], NAMES[1]);
    let file = server.directory().join("bridgehead.toml");
    std::fs::write(file, config(&pebble, NAMES[0], &more, SQLITE)).unwrap();
    let next = server.replica().await;
    lead_to(&pebble, &next);
    connected(&pebble, &server.clock, next.address, NAMES[1]).await;
    assert_eq!((pebble.orders(), pebble.accounts()), (2, 1));
    next.stop().await;
    server.stop().await;
}
