//! P2, A2, A3: what is secret is found nowhere but where it is meant: not in logs at any level, not
//! in an answer, a metric, the audit, the store, or what a command says of a configuration.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{path::Path, process::Stdio};

use bridgehead_end_to_end::hunt::{Haystack, Hunted};
use bridgehead_harness::{process::binary, upstream::Upstream};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

/// Variables of the operator, each a secret. They have characters that look different when encoded.
const VARIABLES: [(&str, &str); 5] = [
    ("CRM_TOKEN", "crmTok/9fQ+zLw7~vT2=Ke"),
    ("WEB_TOKEN", "webTok/4hN+bXy1~mC8=Rj"),
    ("WEB_TENANT", "tenSec/6dP+sGk3~uW5=Yx"),
    ("WEB_QUERY", "qrySec/2aM+eHv9~iB4=Zo"),
    ("WEB_BODY", "bdySec/8cJ+rDn5~yF1=Ut"),
];
/// What teammates hand through.
const CALLER_KEY: &str = "ownKey/7tB+kVq2~xS6Lg==";
const CALLER_API: &str = "ownApi/5wE+pZm8~jR3=Nh";
const CALLER_TENANT: &str = "ownTen/1yI+fUc4~gA9=Qd";
/// What was meant for another system, and typed in here.
const FOREIGN: &str = "sk-foreign-3oX8vKe6TqLr0";
const PASSWORD: &str = "pass-1mZ7nWb4HsJc9";

const ECHOES: [&str; 12] = [
    "ok",
    "echo",
    "echo-text",
    "echo-page",
    "echo-header",
    "echo-redirect",
    "echo-broken",
    "echo-escaped",
    "unauthorized",
    "conflict",
    "reset",
    "down",
];

/// The real binary, all of whose output is kept.
struct Watched {
    url: String,
    admin: String,
    key: Option<String>,
    child: Child,
    card: String,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("bridgehead"));
    command.args(arguments).current_dir(directory).envs(VARIABLES).stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Watched {
    async fn start(directory: &Path, log: &[&str]) -> Self {
        let mut command = program(directory, &[log, &["serve", "bridgehead.toml"]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let stderr = tokio::spawn(async move {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).await.unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut card = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            card.push_str(&line);
            card.push('\n');
            if line.contains("Elsewhere") {
                break;
            }
        }
        let stdout = tokio::spawn(async move {
            let mut rest = String::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                rest.push_str(&line);
                rest.push('\n');
            }
            rest
        });
        let entry = |label: &str| {
            card.lines().find_map(|line| line.trim_start().strip_prefix(label)).map(|value| value.trim().to_owned())
        };
        let Some(url) = entry("URL ") else { panic!("no card: {card}{}", stderr.await.unwrap()) };
        let (admin, key) = (entry("Metrics ").unwrap(), entry("Key "));
        Self { url, admin, key, child, card, stdout, stderr }
    }

    /// Ends it, and hands its output over, but for the one line that shows the key of the first run.
    async fn end(mut self, haystack: &mut Haystack) {
        let metrics = reqwest::Client::builder().no_proxy().build().unwrap().get(&self.admin).send().await.unwrap();
        haystack.add("metrics", metrics.text().await.unwrap());
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        assert_eq!(self.child.wait().await.unwrap().code(), Some(0));
        let is_key = |line: &&str| line.trim_start().starts_with("Key ");
        assert!(self.card.lines().filter(is_key).count() <= 1, "{}", self.card);
        let card: Vec<&str> = self.card.lines().filter(|line| !is_key(line)).collect();
        haystack.add("stdout", card.join("\n"));
        haystack.add("stdout", self.stdout.await.unwrap());
        haystack.add("stderr", self.stderr.await.unwrap());
    }
}

/// Runs a command to its end. What it prints on stdout is handed back and kept only if `keep`.
async fn run(directory: &Path, arguments: &[&str], keep: bool, haystack: &mut Haystack) -> (Option<i32>, String) {
    let output = program(directory, arguments).output().await.unwrap();
    let what = format!("`{}`", arguments.join(" "));
    haystack.add(&what, &output.stderr);
    if keep {
        haystack.add(&what, &output.stdout);
    }
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The variables, and what was made or sent by callers.
fn hunted(more: &[(&str, &str)]) -> Vec<Hunted> {
    VARIABLES.iter().chain(more).map(|(name, secret)| Hunted::new(name, secret)).collect()
}

/// What is secret of a key that was issued here: its id is not.
fn secret_part(key: &str) -> &str {
    key.rsplit('_').next().unwrap()
}

/// An API and requests of two sources, and the API's description. `credentials` are theirs.
fn sources(upstream: &Upstream, credentials: [&str; 2]) -> (String, String) {
    let mut paths = serde_json::Map::new();
    let mut tools = String::new();
    for path in ECHOES {
        let operation = |method: &str| {
            json!({"operationId": format!("{method}_{path}"), "summary": "Tries it.",
                "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}}})
        };
        paths.insert(format!("/{path}"), json!({"get": operation("get"), "post": operation("post")}));
        let origin = if path == "down" { &upstream.down } else { &upstream.origin };
        let (query, body) = ("${WEB_QUERY}", "${WEB_BODY}");
        tools.push_str(&format!(
            "[sources.web.tools.send_{path}]\ndescription = \"Sends it.\"\n[sources.web.tools.send_{path}.request]\n\
             method = \"POST\"\nurl = \"{origin}/{path}?key={query}\"\nheaders = {{ X-Tenant = \"${{WEB_TENANT}}\" }}\n\
             json = {{ password = \"{body}\" }}\n"
        ));
    }
    let description = json!({"openapi": "3.1.0", "info": {"title": "CRM", "version": "1"}, "paths": paths});
    let config = format!(
        "name = \"Secrets\"\nserver.listen = \"127.0.0.1:0\"\nserver.admin_listen = \"127.0.0.1:0\"\n\
         [sources.crm]\ntype = \"openapi\"\nprefix = \"crm\"\nspec = \"crm.json\"\nbase_url = \"{}\"\ncredential = {}\n\
         [sources.web]\ntype = \"http\"\nprefix = \"web\"\ncredential = {}\n{tools}",
        upstream.origin, credentials[0], credentials[1]
    );
    (config, description.to_string())
}

/// Sends a request and keeps the whole answer.
async fn send(what: &str, request: RequestBuilder, haystack: &mut Haystack) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let (status, head) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
    let body = answer.text().await.unwrap();
    haystack.add(what, format!("{status} {head}\n{body}"));
    (status, body)
}

fn message(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// Lists the tools and calls each with this sign-in; how many requests reached the system behind.
async fn call_all(url: &str, sign_in: &[(&str, String)], haystack: &mut Haystack) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |revision: &str, method: &str, params: &Value| {
        let mut request = client.post(url).header("content-type", "application/json");
        request = request.header("accept", "application/json, text/event-stream");
        request = request.header("mcp-protocol-version", revision.to_owned());
        for (name, value) in sign_in {
            request = request.header(*name, value);
        }
        request.body(message(method, params))
    };
    let (status, body) = send("tools/list", post("2025-11-25", "tools/list", &json!({})), haystack).await;
    assert_eq!(status, 200, "{body}");
    let listed: Value = serde_json::from_str(&body).unwrap();
    let names: Vec<&str> =
        listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3 * ECHOES.len(), "{body}");
    for name in names {
        let params = json!({"name": name, "arguments": {}});
        let (status, body) = send(name, post("2025-11-25", "tools/call", &params), haystack).await;
        assert_eq!(status, 200, "{name}: {body}");
        let is_error = serde_json::from_str::<Value>(&body).unwrap()["result"]["isError"] == true;
        // The API is up at `/down`, too.
        let is_ok = name.ends_with("_ok") || (name.starts_with("crm_") && name.ends_with("_down"));
        assert_eq!(is_error, !is_ok, "{name}: {body}");
    }
}

/// Sign-ins that are refused, each with something secret in it.
async fn knock(url: &str, attempts: &[(&str, &str, String)], haystack: &mut Haystack) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (what, name, value) in attempts {
        let request = client.post(url).header("content-type", "application/json").header(*name, value);
        let (status, body) = send(what, request.body(message("ping", &json!({}))), haystack).await;
        assert!(matches!(status, 400 | 401), "{what}: {status} {body}");
    }
}

fn add_files(directory: &Path, haystack: &mut Haystack) {
    let mut stores = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("bridgehead.db") {
            stores += 1;
            haystack.add(&name, std::fs::read(&path).unwrap());
        }
    }
    assert!(stores > 0);
}

/// Keys that are issued here, credentials that the operator gave.
async fn issued(log: &[&str]) {
    let upstream = Upstream::start().await;
    let place = tempfile::tempdir().unwrap();
    let (config, description) = sources(
        &upstream,
        [
            "{ header = \"Authorization\", value = \"Bearer ${CRM_TOKEN}\" }",
            "{ header = \"X-Api-Key\", value = \"${WEB_TOKEN}\" }",
        ],
    );
    std::fs::write(place.path().join("bridgehead.toml"), format!("auth.mode = \"api_key\"\n{config}")).unwrap();
    std::fs::write(place.path().join("crm.json"), description).unwrap();
    let mut haystack = Haystack::default();
    let served = Watched::start(place.path(), log).await;
    let first = served.key.clone().unwrap();
    let keys = async |arguments: &[&str], keep, haystack: &mut Haystack| {
        run(place.path(), &[log, &["keys"], arguments].concat(), keep, haystack).await
    };
    let (code, made) = keys(&["create", "--for", "bob@example.com"], false, &mut haystack).await;
    assert_eq!(code, Some(0));
    let made = made.trim().to_owned();
    let (_, made_json) = keys(&["create", "--for", "carol@example.com", "--json"], false, &mut haystack).await;
    let made_json: Value = serde_json::from_str(&made_json).unwrap();
    let for_carol = made_json["key"].as_str().unwrap().to_owned();

    for key in [&first, &made] {
        call_all(&served.url, &[("authorization", format!("Bearer {key}"))], &mut haystack).await;
    }
    keys(&["list"], true, &mut haystack).await;
    keys(&["list", "--json"], true, &mut haystack).await;
    let (code, _) = keys(&["revoke", "carol@example.com"], true, &mut haystack).await;
    assert_eq!(code, Some(0));
    let mut mistyped = made.clone();
    mistyped.pop();
    let url = format!("{}?key={made}&access_token={FOREIGN}", served.url);
    let basic = base64_of(&format!("bob:{PASSWORD}"));
    let attempts = [
        ("a revoked key", "authorization", format!("Bearer {for_carol}")),
        ("a mistyped key", "authorization", format!("Bearer {mistyped}")),
        ("a key with more behind it", "authorization", format!("Bearer {made}{made}")),
        ("a key without its scheme", "authorization", made.clone()),
        ("a foreign key", "authorization", format!("Bearer {FOREIGN}")),
        ("a foreign key alone", "authorization", FOREIGN.to_owned()),
        ("a password", "authorization", format!("Basic {basic}")),
        ("a key elsewhere", "x-api-key", made.clone()),
        ("a key as a cookie", "cookie", format!("key={made}")),
    ];
    knock(&served.url, &attempts, &mut haystack).await;
    knock(&url, &[("a key in the query", "x-nothing", "x".to_owned())], &mut haystack).await;

    for arguments in [&["tools"][..], &["call", "web_send_echo"], &["call", "crm_get_echo"], &["config", "check"]] {
        run(place.path(), &[log, arguments].concat(), true, &mut haystack).await;
    }
    let recorded = upstream.take();
    served.end(&mut haystack).await;
    add_files(place.path(), &mut haystack);
    let root = std::fs::read_to_string(place.path().join("bridgehead.keys")).unwrap();
    let hunted = hunted(&[
        ("the first key", secret_part(&first)),
        ("a key", secret_part(&made)),
        ("a revoked key", secret_part(&for_carol)),
        ("a foreign key", FOREIGN),
        ("a password", PASSWORD),
        ("the root key", root.split_once("bhs_").unwrap().1.lines().next().unwrap()),
    ]);
    // Each is where it is meant, and no key of ours has left.
    let sent = format!("{recorded:?}");
    let there: Vec<bool> = hunted.iter().map(|one| one.is_in(sent.as_bytes())).collect();
    assert_eq!(there, [true, true, true, true, true, false, false, false, false, false, false]);
    verdict(&haystack, &hunted);
}

/// Keys and headers that callers hand through; unless `probed`, callers are known by a hash of them.
async fn handed_through(log: &[&str], probed: bool) {
    let upstream = Upstream::start().await;
    let place = tempfile::tempdir().unwrap();
    let (config, description) = sources(&upstream, ["{ from = \"caller\" }", "{ from = \"caller\" }"]);
    let probe = if probed { "probe = { source = \"crm\", path = \"/me\", subject = \"/email\" }" } else { "" };
    let auth = format!(
        "[auth]\nmode = [\"api_key\", \"headers\"]\n[auth.api_key]\nverify = \"upstream\"\n{probe}\n[auth.headers]\n\
         required = [\"X-Api-Key\"]\noptional = [\"X-Own-Tenant\"]\nverify = \"upstream\"\n{probe}\n"
    );
    let (head, rest) = config.split_at(config.find("[sources").unwrap());
    std::fs::write(place.path().join("bridgehead.toml"), format!("{head}{auth}{rest}")).unwrap();
    std::fs::write(place.path().join("crm.json"), description).unwrap();
    let mut haystack = Haystack::default();
    let served = Watched::start(place.path(), log).await;
    let by_key = [("authorization", format!("Bearer {CALLER_KEY}"))];
    let by_headers = [("x-api-key", CALLER_API.to_owned()), ("x-own-tenant", CALLER_TENANT.to_owned())];
    for sign_in in [&by_key[..], &by_headers[..]] {
        call_all(&served.url, sign_in, &mut haystack).await;
    }
    let attempts = [
        ("a password", "authorization", format!("Basic {}", base64_of(&format!("bob:{PASSWORD}")))),
        ("half of the headers", "x-own-tenant", CALLER_TENANT.to_owned()),
        ("a key without its scheme", "authorization", CALLER_KEY.to_owned()),
    ];
    knock(&served.url, &attempts, &mut haystack).await;
    let recorded = upstream.take();
    assert_eq!(recorded.iter().any(|request| request.path() == "/me"), probed);
    served.end(&mut haystack).await;
    assert_eq!(haystack.text("stderr").contains("alice@example.com"), probed, "the audit knows callers by name");
    add_files(place.path(), &mut haystack);
    let hunted = hunted(&[
        ("a caller's key", CALLER_KEY),
        ("a caller's header", CALLER_API),
        ("a caller's other header", CALLER_TENANT),
        ("a password", PASSWORD),
    ]);
    let sent = format!("{recorded:?}");
    let there: Vec<bool> = hunted.iter().map(|one| one.is_in(sent.as_bytes())).collect();
    assert_eq!(there, [false, false, true, true, true, true, true, true, false]);
    verdict(&haystack, &hunted);
}

fn verdict(haystack: &Haystack, hunted: &[Hunted]) {
    for (what, words) in [("stderr", "audit"), ("stderr", "access"), ("metrics", "bridgehead_tool_calls")] {
        assert!(haystack.text(what).contains(words), "{what} says nothing of {words}");
    }
    assert!(haystack.bytes() > 300_000, "{}", haystack.bytes());
    let control = Hunted::new("what is there", "web.send_echo-broken");
    assert!(!haystack.finds(&[control]).is_empty(), "the hunt finds nothing at all");
    let found = haystack.finds(hunted);
    assert!(found.is_empty(), "{}\n{}", found.len(), found.join("\n"));
}

fn base64_of(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

#[tokio::test]
async fn issued_keys_and_fixed_credentials() {
    for log in [&["--log", "debug"][..], &["--log", "trace"], &["--log", "trace", "--log-format", "json"]] {
        issued(log).await;
    }
}

#[tokio::test]
async fn what_callers_hand_through() {
    for (log, probed) in [("debug", true), ("trace", true), ("trace", false)] {
        handed_through(&["--log", log], probed).await;
    }
}

/// What is wrong is named, and its line; what stands there is not repeated where it may be secret.
#[tokio::test]
async fn faults_beside_a_secret() {
    let place = tempfile::tempdir().unwrap();
    let literal = "litSec/0gT+wNx6~dE7=Vp";
    let hunted = hunted(&[("a secret in the file", literal), ("a password", PASSWORD)]);
    let around = |credential: &str| {
        format!(
            "auth.mode = \"api_key\"\n[sources.web]\ntype = \"http\"\n{credential}\n[sources.web.tools.look]\n\
             description = \"Looks.\"\nrequest = {{ url = \"https://erp.example/\" }}\n"
        )
    };
    let tool = |request: &str| {
        format!(
            "auth.mode = \"api_key\"\n[sources.web]\ntype = \"http\"\n[sources.web.tools.look]\n\
             description = \"Looks.\"\nrequest = {{ {request} }}\n"
        )
    };
    let sql = |url: &str| {
        format!(
            "auth.mode = \"api_key\"\n[sources.db]\ntype = \"sql\"\nurl = \"{url}\"\n[sources.db.tools.look]\n\
             description = \"Looks.\"\nsql = \"SELECT 1\"\n"
        )
    };
    let faulty = [
        around(&format!("credential = {{ header = \"no header\", value = \"{literal}\" }}")),
        around("credential = { header = \"no header\", value = \"${CRM_TOKEN}\" }"),
        around(&format!("credential = {{ header = \"Authorization\", value = \"{literal}\", valeu = 1 }}")),
        around(&format!("credential = {{ header = \"Authorization\", valeu = \"{literal}\" }}")),
        around(&format!("credential = {{ header = 7, value = \"{literal}\" }}")),
        around(&format!("credential = {{ header = \"Authorization\", value = [\"{literal}\"] }}")),
        around(&format!("credential = \"{literal}\"")),
        around("credential = \"${CRM_TOKEN}\""),
        around(&format!("credential = {{ header = \"Authorization\", value = \"{literal}")),
        around(&format!("credential = {{ header = \"Authorization\", value = \"{literal}\" \"x\" }}")),
        around(&format!("credential = {{ header = \"Authorization\", value = {literal} }}")),
        around(&format!("credential = {{ header = \"Authorization\", value = \"{literal}${{NOT_SET}}\" }}")),
        around("credential = { from = \"${CRM_TOKEN}\" }"),
        tool(&format!("url = \"https://erp.example/\", headers = {{ X-Key = \"{literal}\\n\" }}")),
        tool(&format!("url = \"https://erp.example/\", headers = {{ X-Key = \"{literal}{{nothing}}\" }}")),
        tool("url = \"https://erp.example/\", headers = { X-Key = \"${WEB_TENANT}{\" }"),
        tool(&format!("url = \"https://erp.example/\", headers = {{ X-Key = [\"{literal}\"] }}")),
        tool("url = \"https://erp.example:port/?key=${WEB_QUERY}\""),
        tool("url = \"https://erp.example/{nothing}?key=${WEB_QUERY}\""),
        tool("url = \"ftp://erp.example/?key=${WEB_QUERY}\""),
        tool("url = \"https://erp.example/\", json = { a = \"${WEB_BODY}{nothing}\" }"),
        format!("secrets.keys = [\"bhs_{literal}\"]\n{}", around("")),
        format!("secrets.keys = [\"${{CRM_TOKEN}}\"]\n{}", around("")),
        format!("secrets.keys = \"{literal}\"\n{}", around("")),
        format!("store.url = \"mongodb://bridge:{PASSWORD}@db.example/x\"\n{}", around("")),
        format!("store.url = \"postgres://bridge:{PASSWORD}@db.example:port/x\"\n{}", around("")),
        format!("store.url = \"postgres//bridge:{PASSWORD}@db.example/x\"\n{}", around("")),
        sql(&format!("mongodb://bridge:{PASSWORD}@db.example/x")),
        sql(&format!("postgres://bridge:{PASSWORD}@db.example:port/x")),
        sql(&format!("postgres://bridge:{PASSWORD}@127.0.0.1:1/x?nothing={PASSWORD}")),
        format!("{literal}\n{}", around("")),
    ];
    let mut haystack = Haystack::default();
    for (number, config) in faulty.iter().enumerate() {
        let file = format!("faulty-{number}.toml");
        std::fs::write(place.path().join(&file), config).unwrap();
        for arguments in [&["config", "check"][..], &["tools", "-c"]] {
            let arguments = [&["--log", "trace"], arguments, &[file.as_str()]].concat();
            let (code, _) = run(place.path(), &arguments, true, &mut haystack).await;
            assert_ne!(code, Some(0), "{config}");
        }
    }
    let found = haystack.finds(&hunted);
    assert!(found.is_empty(), "{}\n{}", found.len(), found.join("\n"));
}
