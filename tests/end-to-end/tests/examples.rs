//! Every configuration under `examples/`: it loads, its database is made, every way to sign in is
//! taken, its tools are listed with descriptions, and those that only read answer. Nothing is left
//! out: the folder is walked.
//!
//! Each stands as it is but for one thing: the parcel service, which does not exist, is one here
//! that says the same to every request, and so is the authorization server. What needs PostgreSQL is only loaded, and runs whole with
//! the feature `servers`; what is for HTTPS gets a certificate of an authority of the test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::path::{Path, PathBuf};

use bridgehead_end_to_end::{
    foreign::{Issuer, SigningKey},
    oauth::{ALICE, CALLBACK, PASSWORD, Site},
};
use bridgehead_harness::{
    TestServer,
    process::{binary, repository},
};
use reqwest::Url;
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};

/// The parcel service of the examples.
const PARCELS: &str = "http://parcels.internal";
/// In examples whose teammates log in elsewhere.
const PROVIDER: &str = "[auth.oauth.login]";
/// The authorization server of the examples.
const ISSUER: &str = "https://login.internal/realms/staff";
/// The folder whose configurations need a server of somebody else.
const POSTGRES: &str = "examples/postgres";
/// The folder whose configurations need a certificate.
const HTTPS: &str = "examples/https";

/// What a start leaves beside a configuration.
const LEFT_BEHIND: [&str; 5] = ["db", "db-shm", "db-wal", "db-journal", "keys"];

fn configurations(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            configurations(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") && !path.ends_with("Cargo.toml") {
            found.push(path);
        }
    }
}

/// What the comments say to set (`export NAME=VALUE`), and free ports instead of fixed ones.
fn variables(text: &str) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.trim().strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if text.contains(PROVIDER) {
        // Nobody can log in there: a key of ours gets in beside.
        variables.push(("BRIDGEHEAD_AUTH__MODE".to_owned(), "oauth,api_key".to_owned()));
    }
    let mut free = |setting: &str| variables.push((format!("BRIDGEHEAD_SERVER__{setting}"), "127.0.0.1:0".to_owned()));
    free("LISTEN");
    if text.lines().any(|line| line.starts_with("admin_listen")) {
        free("ADMIN_LISTEN");
    }
    variables
}

/// Something in the place of the parcel service: knows everybody, and answers everything alike.
async fn parcel_service() -> String {
    const BODY: &str = r#"{"email": "alice@example.com"}"#;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let length = BODY.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{BODY}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    origin
}

/// A server on a copy of the folder, with the parcel service at `parcels`.
async fn start(path: &Path, parcels: &str, variables: &[(String, String)]) -> TestServer {
    let text = std::fs::read_to_string(path).unwrap();
    let mut builder = TestServer::with(&text.replace(PARCELS, parcels));
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let beside = entry.unwrap().path();
        let extension = beside.extension().unwrap_or_default().to_string_lossy().into_owned();
        if beside.is_file() && !LEFT_BEHIND.contains(&extension.as_str()) {
            let name = beside.file_name().unwrap().to_str().unwrap();
            builder = builder.file(name, &std::fs::read_to_string(&beside).unwrap());
        }
    }
    for (name, value) in variables {
        builder = builder.variable(name, value);
    }
    builder.start().await
}

/// What one caller sends to sign in: headers with their values.
type SignIn = Vec<(&'static str, String)>;

/// Every way to sign in that an example has, by what stands in it.
async fn sign_ins(server: &TestServer, text: &str, issuer: Option<&(Issuer, SigningKey)>) -> Vec<SignIn> {
    let (has, scopes) = (|line: &str| text.lines().any(|it| it.trim() == line), scopes(text));
    let key = async |header| server.key_in(header, "you@localhost", &scopes, None).await.1;
    let (is_upstream, own) = (has("verify = \"upstream\""), || "of-the-system-behind".to_owned());
    let mut ways = Vec::new();
    if let Some((issuer, key)) = issuer {
        let claims =
            json!({"iss": issuer.url, "aud": server.url, "sub": "you", "scope": scopes, "exp": 4_102_444_800_i64});
        ways.push(vec![("authorization", format!("Bearer {}", key.token(&claims)))]);
    } else if text.lines().any(|line| line.starts_with("mode = \"oauth\"")) && !text.contains(PROVIDER) {
        server.user(ALICE, PASSWORD, &scopes).await;
        let site = Site::of(&[server]);
        let tokens = site.connect(&site.public_client(CALLBACK).await).await;
        ways.push(vec![("authorization", format!("Bearer {}", tokens["access_token"].as_str().unwrap()))]);
    } else if has("mode = \"headers\"") && is_upstream {
        ways.push(vec![("x-api-key", own()), ("x-tenant", own())]);
    } else if has("mode = \"headers\"") {
        ways.push(vec![("x-api-key", key(Some("X-Api-Key")).await), ("x-tenant", key(Some("X-Tenant")).await)]);
    } else if has("mode = [\"api_key\", \"headers\"]") {
        ways.push(vec![("authorization", format!("Bearer {}", key(None).await))]);
        ways.push(vec![("x-parcels-key", own())]);
    } else if is_upstream {
        ways.push(vec![("authorization", format!("Bearer {}", own()))]);
    } else {
        // Of `open` and `api_key`, in each place where an example may want it.
        let key = key(None).await;
        ways.push(vec![("authorization", format!("Bearer {key}")), ("x-api-key", key)]);
    }
    ways
}

async fn rpc(server: &TestServer, sign_in: &SignIn, method: &str, params: Value) -> Value {
    // The URL of an example may be one of the internet.
    let url = format!("{}{}", server.origin, Url::parse(&server.url).unwrap().path());
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut request = server.client().post(url).header("content-type", "application/json");
    for (name, value) in sign_in {
        request = request.header(*name, value);
    }
    let response = request.body(message.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200, "{method} as {sign_in:?}");
    let mut answer: Value = response.json().await.unwrap();
    answer["result"].take()
}

/// Arguments for every required parameter, from its examples; `None` where one has no example.
fn example_arguments(schema: &Value) -> Option<Map<String, Value>> {
    let names = schema["required"].as_array().cloned().unwrap_or_default();
    let argument = |name: &Value| {
        let name = name.as_str().unwrap();
        Some((name.to_owned(), schema["properties"][name]["examples"].get(0)?.clone()))
    };
    names.iter().map(argument).collect()
}

/// The scopes of every key, and those that tools of this configuration ask for.
fn scopes(text: &str) -> String {
    let own = text.lines().filter_map(|line| line.strip_prefix("scope = \"")?.strip_suffix('"'));
    ["tools:read", "tools:write"].into_iter().chain(own).collect::<Vec<_>>().join(" ")
}

/// Lists and calls; how many tools there are, and how many calls were answered.
async fn look_at_tools(server: &TestServer, sign_in: &SignIn) -> (usize, usize) {
    let listed = rpc(server, sign_in, "tools/list", json!({})).await;
    let tools = listed["tools"].as_array().unwrap();
    assert!(!tools.is_empty());
    let mut answered = 0;
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        assert!(tool["description"].as_str().unwrap().len() > 20, "{name} has no description");
        for (parameter, schema) in tool["inputSchema"]["properties"].as_object().into_iter().flatten() {
            assert!(schema["description"].is_string(), "{name}.{parameter} has no description");
        }
        if tool["annotations"]["readOnlyHint"] == true
            && let Some(arguments) = example_arguments(&tool["inputSchema"])
        {
            let result = rpc(server, sign_in, "tools/call", json!({"name": name, "arguments": arguments})).await;
            // Where each teammate brings what is theirs, nobody has yet.
            let waits = result["_meta"]["bridgehead/error"]["code"] == "credential_required";
            assert!(waits || result["isError"] != true, "{name}: {result}");
            answered += usize::from(!waits);
        }
    }
    (tools.len(), answered)
}

/// What `bridgehead config check` of the real binary says of the copy: stdout and stderr.
async fn config_check(server: &TestServer, variables: &[(String, String)]) -> (String, String) {
    let output = Command::new(binary("bridgehead"))
        .args(["config", "check"])
        .current_dir(server.directory())
        .env_clear()
        .envs(variables.iter().cloned())
        .output()
        .await
        .unwrap();
    let (said, complained) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}{complained}");
    (said, complained)
}

/// D1: what is shown as an example is well described; each tool is an A or a B.
async fn is_graded_well(server: &TestServer, variables: &[(String, String)]) {
    let output = Command::new(binary("bridgehead"))
        .args(["lint", "--min-grade", "B"])
        .current_dir(server.directory())
        .env_clear()
        .envs(variables.iter().cloned())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

/// One example from start to end; how many calls were answered.
async fn run(path: &Path, parcels: &str, variables: &[(String, String)]) -> usize {
    let text = std::fs::read_to_string(path).unwrap();
    let mut variables = variables.to_vec();
    let issuer = if text.contains(ISSUER) {
        let key = SigningKey::new("key");
        let issuer = Issuer::start(&key).await;
        variables.push(("BRIDGEHEAD_AUTH__OAUTH__ISSUER".to_owned(), issuer.url.clone()));
        Some((issuer, key))
    } else {
        None
    };
    let server = start(path, parcels, &variables).await;
    let (mut tools, mut answered) = (0, 0);
    for sign_in in sign_ins(&server, &text, issuer.as_ref()).await {
        let (listed, more) = look_at_tools(&server, &sign_in).await;
        tools = listed;
        answered += more;
    }
    // The database is made by now, so every statement is tried on it.
    let (said, complained) = config_check(&server, &variables).await;
    let count = if tools == 1 { "1 tool".to_owned() } else { format!("{tools} tools") };
    assert!(said.trim_end().ends_with(&format!("no faults, {count}")), "{said}");
    let meant = text.contains("url = \"memory:\"");
    assert_eq!(complained.contains("warning"), meant, "{complained}");
    is_graded_well(&server, &variables).await;
    server.stop().await;
    answered
}

/// The configurations of one folder, in order.
fn of(folder: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    configurations(&repository().join(folder), &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "{folder}");
    paths
}

#[tokio::test]
async fn every_configuration_loads_and_its_tools_answer() {
    let elsewhere = [HTTPS, POSTGRES].map(|folder| repository().join(folder));
    let mut paths = of("examples");
    paths.retain(|path| elsewhere.iter().all(|folder| !path.starts_with(folder)));
    let parcels = parcel_service().await;
    let mut answered = 0;
    for path in &paths {
        // Shown where the test fails.
        println!("{}", path.display());
        let variables = variables(&std::fs::read_to_string(path).unwrap());
        answered += run(path, &parcels, &variables).await;
    }
    assert!(paths.len() >= 20, "only {paths:?}");
    assert!(answered >= paths.len(), "only {answered} calls were answered");
}

/// Without PostgreSQL the statements are not tried: this says only that the files are in order.
#[test]
fn the_configurations_for_postgresql_load() {
    for path in of(POSTGRES) {
        let text = std::fs::read_to_string(&path).unwrap();
        bridgehead_harness::load(&path, &variables(&text));
    }
}

/// With ACME this says only that the file is in order; `acme.rs` beside this has an authority.
#[test]
fn the_configurations_for_https_load() {
    for path in of(HTTPS) {
        let text = std::fs::read_to_string(&path).unwrap();
        bridgehead_harness::load(&path, &variables(&text));
    }
}

#[tokio::test]
async fn the_configuration_with_a_certificate_from_files_serves_https() {
    use bridgehead_harness::{
        https::{Connection, Speak},
        outside::Ca,
    };

    let path = repository().join(HTTPS).join("files.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let place = tempfile::tempdir().unwrap();
    let ca = Ca::default();
    let issued = ca.issue(&["mcp.example.com"], 2040);
    for (file, contents) in [("cert.pem", &issued.certificate), ("key.pem", &issued.key)] {
        std::fs::write(place.path().join(file), contents).unwrap();
    }
    let mut variables = variables(&text);
    for (setting, value) in [
        ("CERTIFICATE", place.path().join("cert.pem").to_str().unwrap()),
        ("KEY", place.path().join("key.pem").to_str().unwrap()),
        ("HTTP_LISTEN", "127.0.0.1:0"),
    ] {
        variables.push((format!("BRIDGEHEAD_SERVER__TLS__{setting}"), value.to_owned()));
    }
    let server = start(&path, "", &variables).await;
    let (_, key) = server.key("you@localhost", "tools:read", None).await;
    let mut connection = Connection::open(server.address, "mcp.example.com", ca.root(), Speak::Http2).await.unwrap();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_articles", "arguments": {}}});
    let bearer = format!("Bearer {key}");
    let answer = connection.send("/mcp", &[("authorization", &bearer)], Some(call.to_string())).await.unwrap();
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(body["result"]["structuredContent"]["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{body}");
    server.stop().await;
}

#[cfg(feature = "servers")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configurations_for_postgresql_answer() {
    use bridgehead_harness::postgres::Database;

    let path = repository().join(POSTGRES).join("bridgehead.toml");
    let tables = std::fs::read_to_string(repository().join(POSTGRES).join("shop.sql")).unwrap();
    let (shop, store) = (Database::with(&tables).await, Database::empty().await);
    let mut variables = variables(&std::fs::read_to_string(&path).unwrap());
    for (name, value) in &mut variables {
        match name.as_str() {
            "SHOP_DATABASE" => *value = shop.url(),
            "SHOP_STORE" => *value = store.url(),
            _ => {}
        }
    }
    assert_eq!(run(&path, "", &variables).await, 1);
}

/// A list that forgets an option is worse than none.
#[test]
fn the_table_of_options_names_every_file() {
    let folder = repository().join("examples/options");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut paths = Vec::new();
    configurations(&folder, &mut paths);
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(table.contains(&format!("[{name}]({name})")), "examples/options/README.md leaves out {name}");
    }
}
