//! Behind a proxy (T1), with the real binary: whom the log names as the client, whose word about that
//! counts, and that nothing public comes from a request. Forwarding headers by hand, the PROXY
//! protocol by hand, and a real Caddy as its documentation sets it up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::net::{Ipv4Addr, SocketAddr};

use bridgehead_harness::{
    WAREHOUSE_TABLES,
    caddy::Caddy,
    https::{Connection, Speak},
    process::{Served, binary},
};
use proxy_header::{ProxiedAddress, ProxyHeader};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    process::Command,
};

const NAME: &str = "mcp.example.com";
/// Trusted in every configuration here; the others are clients.
const PROXY: Ipv4Addr = Ipv4Addr::LOCALHOST;
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 5);
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

async fn serve(server: &str) -> (Served, SocketAddr, TempDir) {
    let config = format!(
        r#"
name = "Warehouse"
[server]
public_url = "https://{NAME}"
trusted_proxies = ["{PROXY}"]
{server}
[auth]
mode = "api_key"
[sources.stock]
type = "sql"
url = "sqlite:stock.db"
seed = "stock.sql"
tools.all = {{ description = "All articles.", sql = "SELECT sku FROM article" }}
"#
    );
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
    std::fs::write(place.path().join("stock.sql"), WAREHOUSE_TABLES).unwrap();
    let mut command = Command::new(binary("bridgehead"));
    command.args(["--log-format", "json", "serve"]).arg(place.path().join("bridgehead.toml"));
    let served = Served::from(command).await;
    let started = log_line(&served, |line| line["message"] == "listening").await;
    let address = started["address"].as_str().unwrap().parse().unwrap();
    (served, address, place)
}

async fn log_line(served: &Served, is_it: impl Fn(&Value) -> bool) -> Value {
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
    parse(&served.logged(|line| is_it(&parse(line))).await)
}

/// Whom the access log names for the request of this id.
async fn client_of(served: &Served, request_id: &str) -> String {
    let line = log_line(served, |line| line["target"] == "access" && line["request_id"] == request_id).await;
    line["client"].as_str().unwrap().to_owned()
}

/// Sends bytes from an address of this machine; the answer's head and body.
async fn raw(from: Ipv4Addr, to: SocketAddr, bytes: &[u8]) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is refused may be reset; what was read until then counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n{headers}\r\n")
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let lines = answer.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(given, _)| *given == name).map(|(_, value)| value).next().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_forwarding_header_is_believed_from_named_proxies_alone() {
    let (by_x, x, _one) = serve("").await;
    let (by_rfc, rfc, _two) = serve("forwarded = \"rfc7239\"").await;
    let (by_none, none, _three) = serve("forwarded = \"none\"").await;
    let both = "x-forwarded-for: 203.0.113.9\r\nforwarded: for=198.51.100.7\r\n";
    let made_up = "x-forwarded-for: 1.1.1.1, 203.0.113.9\r\nforwarded: for=1.1.1.1, for=198.51.100.7\r\n";
    for (served, address, from, headers, client) in [
        (&by_x, x, PROXY, both, "203.0.113.9"),
        (&by_x, x, PROXY, made_up, "203.0.113.9"),
        (&by_x, x, STRANGER, both, "127.0.0.6"),
        (&by_rfc, rfc, PROXY, both, "198.51.100.7"),
        (&by_rfc, rfc, PROXY, made_up, "198.51.100.7"),
        (&by_rfc, rfc, STRANGER, both, "127.0.0.6"),
        (&by_none, none, PROXY, both, "127.0.0.1"),
    ] {
        let answer = raw(from, address, get(headers).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(client_of(served, header(&answer, "x-request-id")).await, client, "{from} {headers}");
    }
    // Of the host and the scheme nobody is believed.
    let answer = raw(PROXY, x, get("x-forwarded-host: evil.example\r\nx-forwarded-proto: http\r\n").as_bytes()).await;
    assert!(answer.contains(&format!("https://{NAME}/mcp")) && !answer.contains("evil.example"), "{answer}");
    let foreign =
        format!("GET / HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: {NAME}\r\nconnection: close\r\n\r\n");
    let answer = raw(PROXY, x, foreign.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("host_not_allowed"), "{answer}");
    for served in [by_x, by_rfc, by_none] {
        assert_eq!(served.terminate().await, Some(0));
    }
}

#[tokio::test]
async fn the_proxy_protocol_is_spoken_by_named_proxies_alone() {
    let (served, address, _place) = serve("proxy_protocol = true").await;
    let proxied = ProxiedAddress::stream("203.0.113.9:4711".parse().unwrap(), address);
    let with_header = |header: ProxyHeader<'_>| {
        let mut bytes = Vec::new();
        header.encode_v2(&mut bytes).unwrap();
        bytes.extend_from_slice(get("x-forwarded-for: 1.1.1.1\r\n").as_bytes());
        bytes
    };
    let named = with_header(ProxyHeader::with_address(proxied));
    let local = with_header(ProxyHeader::with_local());
    for (from, bytes, client) in [
        (PROXY, named.as_slice(), "203.0.113.9"),
        // A health check of the proxy itself.
        (PROXY, local.as_slice(), "127.0.0.1"),
        // Who is no proxy speaks HTTP from the first byte.
        (STRANGER, get("").as_bytes(), "127.0.0.6"),
    ] {
        let answer = raw(from, address, bytes).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{from}: {answer}");
        assert_eq!(client_of(&served, header(&answer, "x-request-id")).await, client);
    }
    // A proxy without the header, and a stranger with one, get nothing from the server's routes.
    assert_eq!(raw(PROXY, address, get("").as_bytes()).await, "");
    let answer = raw(STRANGER, address, &named).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    assert_eq!(served.terminate().await, Some(0));
}

/// Everything that a client is told through Caddy names the public URL, and the log names the client.
#[tokio::test]
async fn behind_a_real_caddy() {
    let (served, address, _place) = serve("").await;
    let caddy = Caddy::start(NAME, &format!("  reverse_proxy {address}")).await;
    assert_eq!(served.url, format!("https://{NAME}/mcp"));
    let key = served.key.clone().unwrap();
    let bearer = format!("Bearer {key}");
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "all", "arguments": {}}});
    let spoofed = [
        ("x-forwarded-for", "203.0.113.66"),
        ("forwarded", "for=203.0.113.66"),
        ("x-real-ip", "203.0.113.66"),
        ("x-forwarded-host", "evil.example"),
    ];
    for speak in [Speak::Http1, Speak::Http2] {
        let mut connection =
            Connection::open_from(CLIENT, caddy.address, NAME, caddy.root.clone(), speak).await.unwrap();
        let with_key: Vec<_> = spoofed.iter().copied().chain([("authorization", bearer.as_str())]).collect();
        for (path, headers, body, status) in [
            ("/mcp", &with_key, Some(call.to_string()), 200),
            ("/mcp/", &with_key, Some(call.to_string()), 200),
            ("/mcp", &spoofed.to_vec(), Some(call.to_string()), 401),
            ("/mcp", &with_key, None, 405),
            ("/", &spoofed.to_vec(), None, 200),
            ("/readyz", &spoofed.to_vec(), None, 200),
            ("/nowhere", &spoofed.to_vec(), None, 404),
            ("/.well-known/oauth-protected-resource", &spoofed.to_vec(), None, 404),
        ] {
            let answer = connection.send(path, headers, body).await.unwrap();
            assert_eq!(answer.status(), status, "{path}: {answer:?}");
            // The namespace of SVG is a name, and no address.
            let page = answer.body.replace("http://www.w3.org/2000/svg", "");
            let whole = format!("{:?} {page}", answer.head.headers);
            for inside in [address.to_string().as_str(), "evil.example", "203.0.113.66", "http://"] {
                assert!(!whole.contains(inside), "{path} tells {inside}: {whole}");
            }
            if path == "/" {
                assert!(answer.body.contains(&format!("https://{NAME}/mcp")), "{whole}");
            }
            assert_eq!(client_of(&served, answer.header("x-request-id")).await, CLIENT.to_string(), "{path}");
        }
        // A redirect would drop the key.
        let answer = connection.send("/mcp/", &with_key, Some(call.to_string())).await.unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(body["result"]["structuredContent"]["rows"].as_array().unwrap().len(), 3, "{body}");
    }
    assert_eq!(served.terminate().await, Some(0));
}
