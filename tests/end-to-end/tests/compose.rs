//! The pair of `deploy/compose` as it stands there (H1, T1), with a real Caddy and the real binary on this machine: the
//! site of the Caddyfile, the configuration, and the variables of the compose file but for addresses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::net::Ipv4Addr;

use bridgehead_harness::{
    caddy::Caddy,
    https::{Connection, Speak},
    process::{Served, binary, repository},
};
use serde_json::{Value, json};
use tokio::process::Command;

const NAME: &str = "mcp.example.com";
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 7);

#[tokio::test]
async fn a_call_passes_through_both_and_the_log_names_the_client() {
    let place = tempfile::tempdir().unwrap();
    let folder = repository().join("deploy/compose");
    for file in ["bridgehead.toml", "shop.sql"] {
        std::fs::copy(folder.join("config").join(file), place.path().join(file)).unwrap();
    }
    let mut command = Command::new(binary("bridgehead"));
    command
        .args(["--log-format", "json", "serve"])
        .arg(place.path().join("bridgehead.toml"))
        .env("BRIDGEHEAD_SOURCES__SHOP__URL", "sqlite:shop.db")
        .env("BRIDGEHEAD_PUBLIC_URL", format!("https://{NAME}"))
        .env("BRIDGEHEAD_FORWARDED", "x-forwarded")
        .env("BRIDGEHEAD_TRUSTED_PROXIES", "127.0.0.1");
    let served = Served::from(command).await;
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default();
    let started = parse(&served.logged(|line| parse(line)["message"] == "listening").await);

    let caddyfile = std::fs::read_to_string(folder.join("Caddyfile")).unwrap();
    let (_, site) = caddyfile.split_once("{$DOMAIN} {\n").unwrap();
    let site =
        site.trim_end().strip_suffix('}').unwrap().replace("bridgehead:8080", started["address"].as_str().unwrap());
    let caddy = Caddy::start(NAME, &site).await;
    let root = caddy.root.clone();
    let mut connection = Connection::open_from(CLIENT, caddy.address, NAME, root, Speak::Http2).await.unwrap();
    let bearer = format!("Bearer {}", served.key.as_ref().unwrap());
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_articles"}});
    let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", "203.0.113.66")];
    let answer = connection.send("/mcp", &headers, Some(call.to_string())).await.unwrap();
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["result"]["structuredContent"]["row_count"], 3, "{answer:?}");
    let id = answer.header("x-request-id");
    let logged = served.logged(|line| parse(line)["target"] == "access" && parse(line)["request_id"] == id).await;
    assert_eq!(parse(&logged)["client"], CLIENT.to_string());
    // Caddy asks whether it can be served, every few seconds.
    served.logged(|line| parse(line)["target"] == "access" && parse(line)["path"] == "/readyz").await;
    assert_eq!(served.terminate().await, Some(0));
}
