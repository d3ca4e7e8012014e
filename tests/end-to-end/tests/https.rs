//! HTTPS that ends in the server (T1, T3): versions, a certificate that is swapped under load, what
//! a wrong file is answered with, the listener for HTTP, the certificate for trying.
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
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bridgehead_harness::{
    TestServer, WAREHOUSE_TABLES,
    https::{Connection, Speak},
    outside::{Ca, Issued},
    process::{Served, bridgehead},
};
use serde_json::{Value, json};

const NAME: &str = "mcp.example.com";

const CONFIG: &str = r#"
name = "Warehouse"
[server]
listen = "127.0.0.1:0"
public_url = "https://mcp.example.com"
[server.tls]
certificate = "cert.pem"
key = "key.pem"
http_listen = "127.0.0.1:0"
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

async fn server(issued: &Issued) -> TestServer {
    TestServer::with(CONFIG)
        .file("stock.sql", WAREHOUSE_TABLES)
        .file("cert.pem", &issued.certificate)
        .file("key.pem", &issued.key)
        .start()
        .await
}

fn call(tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"sku": "A-1"}}})
        .to_string()
}

/// Units in all, from the answer to [`call`]: JSON, or the event of a stream where the clock was moved
/// by ten seconds while the call ran.
fn units(body: &str) -> i64 {
    let message = body.lines().rev().find_map(|line| line.strip_prefix("data:")).unwrap_or(body);
    let answer: Value = serde_json::from_str(message.trim()).unwrap_or_else(|_| panic!("{body}"));
    let rows = answer["result"]["structuredContent"]["rows"].as_array().unwrap_or_else(|| panic!("{body}"));
    rows.iter().map(|row| row["units"].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn a_tool_is_called_over_tls_1_2_and_1_3_by_http_1_and_2() {
    let ca = Ca::default();
    let server = server(&ca.issue(&[NAME], 2040)).await;
    assert_eq!(server.url, "https://mcp.example.com/mcp");
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let bearer = format!("Bearer {key}");
    for speak in [Speak::Http1, Speak::Http2, Speak::OldTls] {
        let mut connection = Connection::open(server.address, NAME, ca.root(), speak).await.unwrap();
        let answer = connection.send("/mcp", &[("authorization", &bearer)], Some(call("find_stock"))).await.unwrap();
        assert_eq!((answer.status(), units(&answer.body)), (200, 25), "{speak:?}: {answer:?}");
        let nobody = connection.send("/mcp", &[], Some(call("find_stock"))).await.unwrap();
        assert_eq!(nobody.status(), 401, "{speak:?}");
    }
    server.stop().await;
}

/// While eight clients call without a pause, each on a connection that it keeps and on new ones, the
/// files change three times. Nobody loses a call, and new connections see the new certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_swapped_under_load_and_nobody_notices() {
    let ca = Arc::new(Ca::default());
    let server = server(&ca.issue(&[NAME], 2040)).await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let bearer = format!("Bearer {key}");
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for index in 0..8 {
        let (ca, bearer, stop, answered, address) =
            (ca.clone(), bearer.clone(), stop.clone(), answered.clone(), server.address);
        let speak = if index % 2 == 0 { Speak::Http1 } else { Speak::Http2 };
        clients.push(tokio::spawn(async move {
            let mut kept = Connection::open(address, NAME, ca.root(), speak).await.unwrap();
            while !stop.load(Ordering::Relaxed) {
                let mut fresh = Connection::open(address, NAME, ca.root(), speak).await.unwrap();
                for connection in [&mut kept, &mut fresh] {
                    let headers = [("authorization", bearer.as_str())];
                    let answer = connection.send("/mcp", &headers, Some(call("find_stock"))).await.unwrap();
                    assert_eq!((answer.status(), units(&answer.body)), (200, 25), "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        }));
    }
    let mut shown = vec![shown(&server, &ca).await];
    for year in [2041, 2042, 2043] {
        let before = answered.load(Ordering::Relaxed);
        replace(server.directory(), &ca.issue(&[NAME], year));
        // The files are looked at whenever the clock has moved by some seconds. Calls end by the same
        // clock, so each of those that run needs time between two moves.
        let new = 'moved: loop {
            server.clock.advance(Duration::from_secs(5));
            for _ in 0..20 {
                let now = self::shown(&server, &ca).await;
                if !shown.contains(&now) {
                    break 'moved now;
                }
            }
        };
        shown.push(new);
        while answered.load(Ordering::Relaxed) < before + 50 {
            tokio::task::yield_now().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    server.stop().await;
}

/// What a new connection is shown.
async fn shown(server: &TestServer, ca: &Ca) -> Vec<u8> {
    Connection::open(server.address, NAME, ca.root(), Speak::Http1).await.unwrap().shown.to_vec()
}

/// First the certificate, then the key, as most programs do it: between the two they do not fit.
fn replace(directory: &Path, issued: &Issued) {
    std::fs::write(directory.join("cert.pem"), &issued.certificate).unwrap();
    std::fs::write(directory.join("key.pem"), &issued.key).unwrap();
}

#[tokio::test]
async fn files_that_do_not_fit_together_are_not_shown() {
    let ca = Ca::default();
    let server = server(&ca.issue(&[NAME], 2040)).await;
    let before = shown(&server, &ca).await;
    let directory = server.directory().to_owned();
    let good = ca.issue(&[NAME], 2041);
    // A certificate whose key is another's; no certificate at all; a file that is gone.
    let wrong: [&dyn Fn(); 3] = [
        &|| std::fs::write(directory.join("cert.pem"), &good.certificate).unwrap(),
        &|| std::fs::write(directory.join("cert.pem"), "nonsense").unwrap(),
        &|| std::fs::remove_file(directory.join("cert.pem")).unwrap(),
    ];
    for break_it in wrong {
        break_it();
        let sleepers = server.clock.sleepers();
        server.clock.advance(Duration::from_secs(5));
        // The next look waits on the clock once this one is over.
        server.clock.has_sleepers(sleepers).await;
        assert_eq!(shown(&server, &ca).await, before);
    }
    replace(&directory, &good);
    loop {
        server.clock.advance(Duration::from_secs(5));
        tokio::task::yield_now().await;
        if shown(&server, &ca).await != before {
            break;
        }
    }
    server.stop().await;
}

/// Connections that begin and go no further end by themselves: here after ten seconds.
#[tokio::test]
async fn who_does_not_shake_hands_is_shown_the_door() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = server(&Ca::default().issue(&[NAME], 2040)).await;
    // Nothing at all, and the first bytes of a TLS record.
    let silent = async |sent: &'static [u8]| {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"");
    };
    tokio::join!(silent(b""), silent(b"\x16\x03\x01\x02\x00"));
    server.stop().await;
}

#[tokio::test]
async fn http_is_sent_on_to_https_and_serves_nothing() {
    let ca = Ca::default();
    let server = server(&ca.issue(&[NAME], 2040)).await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let origin = format!("http://{}", server.http_address.unwrap());
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    // The host is the configured one, whatever was asked for.
    for (path, host) in [("/", NAME), ("/account?x=1", "evil.example"), ("//evil.example/", NAME)] {
        let answer = client.get(format!("{origin}{path}")).header("host", host).send().await.unwrap();
        assert_eq!(answer.status(), 308, "{path}");
        assert_eq!(answer.headers()["location"], format!("https://mcp.example.com{path}"), "{path}");
    }
    let answer = client.post(format!("{origin}/mcp")).bearer_auth(&key).body(call("find_stock")).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"], "https_required");
    assert!(body["message"].as_str().unwrap().contains("https://mcp.example.com"), "{body}");
    let health = client.get(format!("{origin}/healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    server.stop().await;
}

#[tokio::test]
async fn files_without_a_certificate_are_named_with_their_line_before_anything_is_served() {
    let ca = Ca::default();
    let place = tempfile::tempdir().unwrap();
    let issued = ca.issue(&[NAME], 2040);
    let other = ca.issue(&[NAME], 2040);
    std::fs::write(place.path().join("bridgehead.toml"), CONFIG).unwrap();
    std::fs::write(place.path().join("stock.sql"), WAREHOUSE_TABLES).unwrap();
    let write = |certificate: &str, key: &str| {
        std::fs::write(place.path().join("cert.pem"), certificate).unwrap();
        std::fs::write(place.path().join("key.pem"), key).unwrap();
    };
    let check = async || {
        let output = bridgehead(place.path(), &["config", "check", "bridgehead.toml"]).await;
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (code, said) = check().await;
    assert_eq!(code, Some(1));
    assert!(
        said.contains("bridgehead.toml:7:15: server.tls.certificate: ") && said.contains("cannot be read"),
        "{said}"
    );
    for (certificate, key, setting, words) in [
        ("nonsense", issued.key.as_str(), "7:15: server.tls.certificate", "holds no certificate in PEM form"),
        (&issued.certificate, "nonsense", "8:7: server.tls.key", "holds no private key in PEM form"),
        (&issued.certificate, &other.key, "7:15: server.tls.certificate", "is not that of the certificate"),
    ] {
        write(certificate, key);
        let (code, said) = check().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&format!("bridgehead.toml:{setting}: ")) && said.contains(words), "{said}");
        assert!(!said.contains("nonsense"), "what stands in a key file is nobody's business: {said}");
    }
    write(&issued.certificate, &issued.key);
    let (code, said) = check().await;
    assert_eq!(code, Some(0), "{said}");
    // It can be shown, and its owner is told what clients will say of it.
    let expired = ca.issue(&["other.example"], 2020);
    write(&expired.certificate, &expired.key);
    let (code, said) = check().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("it has expired on 2020-01-01") && said.contains("it is not for mcp.example.com"), "{said}");
}

#[tokio::test]
async fn a_certificate_for_trying_has_to_be_asked_for_in_words() {
    let place = tempfile::tempdir().unwrap();
    let config = "auth.mode = \"open\"\n[sources.stock]\ntype = \"sql\"\nurl = \"sqlite:stock.db\"\nseed = \"stock.sql\"\n\
         tools.all = { description = \"All articles.\", sql = \"SELECT sku FROM article\" }\n";
    std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
    std::fs::write(place.path().join("stock.sql"), WAREHOUSE_TABLES).unwrap();
    let mut command = tokio::process::Command::new(bridgehead_harness::process::binary("bridgehead"));
    command.args(["serve", "--self-signed-for-local-testing"]).arg(place.path().join("bridgehead.toml"));
    let served = Served::from(command).await;
    assert!(served.url.starts_with("https://127.0.0.1:"), "{}", served.url);
    served.logged(|line| line.contains("nobody trusts: for trying on this machine alone")).await;
    let address = served.url.trim_start_matches("https://").trim_end_matches("/mcp").parse().unwrap();
    // A client that trusts others has nothing to do with it.
    let refused = Connection::open(address, "localhost", Ca::default().root(), Speak::Http1).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("certificate")));
    assert_eq!(served.terminate().await, Some(0));
}
