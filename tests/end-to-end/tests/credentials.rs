//! P2: teammates enter or connect once what is theirs, and each call is made with its caller's own. The
//! system behind has OAuth of its own; two replicas share a store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use bridgehead_end_to_end::{
    crm::{CLIENT_ID, CLIENT_SECRET, Crm, LIFE},
    hunt::{Haystack, Hunted},
    oauth::{ALICE, Answer, Browser, CALLBACK, PASSWORD, PUBLIC, Site, configuration, parameter, query},
};
use bridgehead_harness::{Replica, TestServer, WAREHOUSE_TABLES, process::bridgehead, upstream::Upstream};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

const BOB: &str = "bob@example.com";
/// What Alice enters. It has characters that look different when encoded.
const KEY: &str = "aliKey/7tB+kVq2~xS6Lg==";
const TENANT: &str = "aliTen/1yI+fUc4~gA9=Qd";

struct Servers {
    crm: Crm,
    first: TestServer,
    second: Replica,
}

async fn servers() -> Servers {
    servers_with("").await
}

/// With more in the configuration.
async fn servers_with(more: &str) -> Servers {
    let crm = Crm::start().await;
    let origin = &crm.origin;
    let vaults = format!(
        r#"
[vaults.crm]
title = "the CRM"
oauth = {{ authorization_url = "{origin}/authorize", token_url = "{origin}/token", client_id = "{CLIENT_ID}", client_secret = "{CLIENT_SECRET}" }}

[vaults.erp]
title = "the ERP"
fields = {{ api_key = "Your ERP key", tenant = "Your tenant" }}

[sources.crm]
type = "http"
credential = {{ vault = "crm" }}
[sources.crm.tools.who_am_i]
description = "Says whose connection it is."
request = {{ url = "{origin}/me" }}
[sources.crm.tools.change]
description = "Changes something."
request = {{ method = "POST", url = "{origin}/me", json = {{ a = 1 }} }}

[sources.erp]
type = "http"
credential = {{ vault = "erp", headers = {{ Authorization = "Bearer {{api_key}}", X-Tenant = "{{tenant}}" }} }}
[sources.erp.tools.ask_erp]
description = "Asks the ERP, which repeats what it is sent."
request = {{ url = "{origin}/erp" }}
"#
    );
    let config = configuration("", "mode = \"oauth\"") + &vaults + more;
    let first = TestServer::with(&config).file("warehouse.sql", WAREHOUSE_TABLES).start().await;
    let second = first.replica().await;
    for mail in [ALICE, BOB] {
        first.user(mail, PASSWORD, "tools:read tools:write").await;
    }
    Servers { crm, first, second }
}

impl Servers {
    fn site(&self) -> Site {
        Site::of(&[&self.first, &self.second])
    }

    async fn stop(self) {
        self.second.stop().await;
        self.first.stop().await;
    }
}

/// A teammate who has connected a client, with their browser.
struct Teammate<'s> {
    browser: Browser<'s>,
    token: String,
}

impl<'s> Teammate<'s> {
    async fn of(site: &'s Site, mail: &str) -> Self {
        let client = site.public_client(CALLBACK).await;
        let mut browser = Browser::new(site);
        browser.sign_in(mail, PASSWORD).await;
        let code = site.code(&mut browser, &client, &[]).await;
        let token = site.exchange(&client, &code).await.json()["access_token"].as_str().unwrap().to_owned();
        Self { browser, token }
    }

    /// Presses the button on the page of the CRM; where they are sent.
    async fn begin(&mut self) -> String {
        let page = self.browser.get("/account/credentials/crm").await;
        assert_eq!(page.status, 200, "{}", page.text);
        let csrf = page.hidden("csrf");
        let sent = self.browser.post("/account/credentials/crm/connect", &[("csrf", &csrf)]).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        sent.header("location")
    }

    /// Connects the CRM as the person of that name there.
    async fn connect(&mut self, crm: &Crm, person: &str) -> Answer {
        let url = self.begin().await;
        let back = crm.approve(person, &url).await;
        self.come_back(&back).await
    }

    /// Comes back from the other site, and follows to the page that says how it went.
    async fn come_back(&mut self, back: &Url) -> Answer {
        let path = here(back.as_str());
        let answer = self.browser.get(&path).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let page = answer.header("location");
        assert!(!page.contains("code"), "{page}");
        self.browser.get(&page).await
    }

    async fn enter(&mut self, api_key: &str, tenant: &str) -> Answer {
        let page = self.browser.get("/account/credentials/erp").await;
        let csrf = page.hidden("csrf");
        let pairs = [("csrf", csrf.as_str()), ("api_key", api_key), ("tenant", tenant)];
        self.browser.post("/account/credentials/erp", &pairs).await
    }
}

/// A URL of the server, as its path.
fn here(url: &str) -> String {
    url.strip_prefix(PUBLIC).unwrap_or_else(|| panic!("elsewhere: {url}")).to_owned()
}

/// The result of a call.
async fn call(site: &Site, token: &str, tool: &str) -> Value {
    let answer = site.call(Some(token), tool, json!({})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["result"].clone()
}

/// The error of a call that failed.
fn error(result: &Value) -> &Value {
    assert_eq!(result["isError"], true, "{result}");
    &result["_meta"]["bridgehead/error"]
}

#[tokio::test]
async fn each_call_carries_its_callers_own_token_and_many_renew_it_once() {
    let servers = servers().await;
    let site = servers.site();
    let (mut alice, mut bob) = (Teammate::of(&site, ALICE).await, Teammate::of(&site, BOB).await);
    let result = call(&site, &alice.token, "who_am_i").await;
    let error = error(&result);
    assert_eq!((&error["code"], &error["retryable"]), (&json!("credential_required"), &json!(false)));
    let url = error["details"]["url"].as_str().unwrap();
    assert_eq!(url, format!("{PUBLIC}/account/credentials/crm"));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(url) && message.contains(ALICE) && message.contains("the CRM"), "{message}");

    let page = alice.browser.get(&here(url)).await;
    assert!(page.text.contains(&format!("<p class=\"host\"><bdi>{ALICE}</bdi></p>")), "{}", page.text);
    let page = alice.connect(&servers.crm, "alice").await;
    assert!(page.text.contains("That is in place."), "{}", page.text);
    bob.connect(&servers.crm, "robert").await;
    for (teammate, person) in [(&alice, "alice"), (&bob, "robert")] {
        assert_eq!(call(&site, &teammate.token, "who_am_i").await["structuredContent"]["person"], person);
    }
    assert_eq!(call(&site, &alice.token, "change").await["structuredContent"]["method"], "POST");

    // On both replicas, with refresh tokens that are good once.
    servers.first.clock.advance(Duration::from_secs(LIFE - 30));
    let results = join_all((0..50).map(|_| call(&site, &alice.token, "who_am_i"))).await;
    assert!(results.iter().all(|result| result["structuredContent"]["person"] == "alice"), "{results:?}");
    assert_eq!(servers.crm.asked_for("refresh_token"), 1);
    assert_eq!(call(&site, &bob.token, "who_am_i").await["structuredContent"]["person"], "robert");
    assert_eq!(servers.crm.asked_for("refresh_token"), 2, "his is another one");
    servers.stop().await;
}

#[tokio::test]
async fn a_token_that_was_revoked_leads_back_to_the_page() {
    let servers = servers().await;
    let site = servers.site();
    let mut alice = Teammate::of(&site, ALICE).await;
    alice.connect(&servers.crm, "alice").await;

    // The access token alone: a read goes on by itself, a change is left to the caller.
    servers.first.clock.advance(Duration::from_secs(61));
    servers.crm.forget_access("alice");
    assert_eq!(call(&site, &alice.token, "who_am_i").await["structuredContent"]["person"], "alice");
    servers.first.clock.advance(Duration::from_secs(61));
    servers.crm.forget_access("alice");
    let result = call(&site, &alice.token, "change").await;
    assert_eq!(error(&result)["code"], "upstream_unauthorized");
    assert_eq!(error(&result)["retryable"], true, "{result}");
    assert_eq!(call(&site, &alice.token, "change").await["structuredContent"]["person"], "alice");

    servers.crm.revoke("alice");
    for _ in 0..2 {
        let result = call(&site, &alice.token, "who_am_i").await;
        assert_eq!(error(&result)["code"], "credential_required");
        assert_eq!(error(&result)["details"]["url"], format!("{PUBLIC}/account/credentials/crm"));
        assert!(!result.to_string().contains("access/"), "the system behind repeats the token: {result}");
    }
    let page = alice.browser.get("/account/credentials/crm").await;
    assert!(page.text.contains("did not accept it"), "{}", page.text);
    assert!(alice.browser.get("/account").await.text.contains("Not good any more"));
    alice.connect(&servers.crm, "alice").await;
    assert_eq!(call(&site, &alice.token, "who_am_i").await["structuredContent"]["person"], "alice");

    let csrf = alice.browser.get("/account/credentials/crm").await.hidden("csrf");
    alice.browser.post("/account/credentials/crm/remove", &[("csrf", &csrf)]).await;
    let result = call(&site, &alice.token, "who_am_i").await;
    assert_eq!(error(&result)["code"], "credential_required");
    servers.stop().await;
}

/// H2: what is remembered of a teammate's calls was made with what they had in the vault at the time. Once that
/// is another one, or gone, it is not given any more, whichever replica remembers it.
#[tokio::test]
async fn what_was_made_with_a_former_credential_is_not_given_any_more() {
    let desk = Upstream::start().await;
    let servers = servers_with(&format!(
        r#"
[policy."crm.who_am_i"]
cache = {{ ttl = "1h", stale_if_error = "1h" }}
[policy."desk.*"]
cache = {{ ttl = "1h", stale_if_error = "1h" }}
[sources.desk]
type = "http"
credential = {{ vault = "erp", headers = {{ Authorization = "Bearer {{api_key}}" }} }}
[sources.desk.tools.ask_desk]
description = "Asks the desk, which says whom its answer is for."
request = {{ url = "{}/saying" }}
"#,
        desk.origin
    ))
    .await;
    let (near, far) = (Site::of(&[&servers.first]), Site::of(&[&servers.second]));
    let (mut alice, mut bob) = (Teammate::of(&near, ALICE).await, Teammate::of(&near, BOB).await);
    let is_kept = |result: &Value| result["_meta"].get("bridgehead/cache").is_some();
    // What each replica answers the first time and the second: the same, and then it is remembered.
    let answers = async |token: &str, tool: &str| {
        let mut said = Vec::new();
        for site in [&near, &far] {
            let (first, second) = (call(site, token, tool).await, call(site, token, tool).await);
            assert!(!is_kept(&first) && is_kept(&second), "{first} {second}");
            let [first, second] = [first, second].map(|result| result["structuredContent"].clone());
            assert_eq!(first, second);
            said.push(first.get("person").or(first.get("to")).unwrap().as_str().unwrap().to_owned());
        }
        said
    };
    let required = async |token: &str, tool: &str| {
        for site in [&near, &far] {
            assert_eq!(error(&call(site, token, tool).await)["code"], "credential_required");
        }
    };

    bob.enter("bobs-key", TENANT).await;
    for key in [KEY, "another-key", KEY] {
        alice.enter(key, TENANT).await;
        assert_eq!(answers(&alice.token, "ask_desk").await, [format!("Bearer {key}"), format!("Bearer {key}")]);
    }
    assert_eq!(answers(&bob.token, "ask_desk").await, ["Bearer bobs-key", "Bearer bobs-key"]);
    let revoke = ["credentials", "revoke", "--for", ALICE, "--vault", "erp"];
    assert!(bridgehead(servers.first.directory(), &revoke).await.status.success());
    required(&alice.token, "ask_desk").await;
    assert!(is_kept(&call(&near, &bob.token, "ask_desk").await), "nobody else's");

    for person in ["alice", "alice-of-another-account"] {
        alice.connect(&servers.crm, person).await;
        assert_eq!(answers(&alice.token, "who_am_i").await, [person, person]);
    }
    // The CRM ends the connection. That is heard of with the next call that reaches it, and then by both.
    servers.crm.revoke("alice-of-another-account");
    servers.first.clock.advance(Duration::from_secs(61));
    assert!(is_kept(&call(&near, &alice.token, "who_am_i").await), "nobody has said so yet");
    assert_eq!(error(&call(&near, &alice.token, "change").await)["code"], "credential_required");
    required(&alice.token, "who_am_i").await;
    alice.connect(&servers.crm, "alice").await;
    assert_eq!(answers(&alice.token, "who_am_i").await, ["alice", "alice"]);
    let csrf = alice.browser.get("/account/credentials/crm").await.hidden("csrf");
    alice.browser.post("/account/credentials/crm/remove", &[("csrf", &csrf)]).await;
    required(&alice.token, "who_am_i").await;
    servers.stop().await;
}

/// Bob sends Alice his links and his forms. She signs in as herself, and he gets nothing of hers, nor she
/// anything of his.
#[tokio::test]
async fn a_stolen_link_collects_nothing() {
    let servers = servers().await;
    let site = servers.site();
    let (mut alice, mut bob) = (Teammate::of(&site, ALICE).await, Teammate::of(&site, BOB).await);
    let result = call(&site, &bob.token, "ask_erp").await;
    let link = here(error(&result)["details"]["url"].as_str().unwrap());

    let mut fresh = Browser::new(&site);
    let sent = fresh.get(&link).await;
    assert_eq!((sent.status, sent.header("location").as_str()), (303, "/login?next=%2Faccount%2Fcredentials%2Ferp"));
    let page = alice.browser.get(&link).await;
    assert!(page.text.contains(ALICE) && !page.text.contains(BOB), "{}", page.text);
    assert_eq!(alice.enter(KEY, TENANT).await.status, 303);
    let result = call(&site, &bob.token, "ask_erp").await;
    assert_eq!(error(&result)["code"], "credential_required", "what she entered is hers");

    // A form of his, posted by her browser; and hers, without a session.
    let of_bob = bob.browser.get(&link).await.hidden("csrf");
    let pairs = [("csrf", of_bob.as_str()), ("api_key", "x-bobs-key"), ("tenant", "x-bobs-tenant")];
    assert_eq!(alice.browser.post(&link, &pairs).await.status, 400);
    assert_eq!(alice.browser.post_from("https://evil.example", &link, &pairs).await.status, 403);
    assert_eq!(Browser::new(&site).post(&link, &pairs).await.status, 403);
    // One of her own forms of another vault is not good here either.
    let of_crm = alice.browser.get("/account/credentials/crm").await.hidden("csrf");
    let pairs = [("csrf", of_crm.as_str()), ("api_key", "x"), ("tenant", "y")];
    assert_eq!(alice.browser.post(&link, &pairs).await.status, 400);

    // His way back from the CRM in her browser, with his person there; and hers in his.
    let url = bob.begin().await;
    let back = servers.crm.approve("mallory", &url).await;
    assert!(alice.come_back(&back).await.text.contains("was not begun here"));
    assert!(bob.come_back(&back).await.text.contains("was not begun here"), "that was its one time");
    let url = bob.begin().await;
    let back = servers.crm.approve("alice", &url).await;
    assert!(alice.come_back(&back).await.text.contains("was not begun here"));
    for teammate in [&alice, &bob] {
        let result = call(&site, &teammate.token, "who_am_i").await;
        assert_eq!(error(&result)["code"], "credential_required");
    }
    assert_eq!(servers.crm.asked_for("authorization_code"), 0, "no code was spent");
    assert_eq!(alice.browser.get("/account/credentials/nothing").await.status, 404);
    let next = alice.browser.get("/account/credentials/erp?next=https://evil.example/&saved=").await;
    assert!(!next.text.contains("evil.example"), "{}", next.text);
    servers.stop().await;
}

/// The command shows who has what and nothing of it, seals it anew, and takes it away.
#[tokio::test]
async fn the_command_shows_who_has_what_and_takes_it_away() {
    let servers = servers().await;
    let site = servers.site();
    let mut alice = Teammate::of(&site, ALICE).await;
    alice.connect(&servers.crm, "alice").await;
    assert_eq!(alice.enter(KEY, TENANT).await.status, 303);
    let run = async |arguments: &[&str]| {
        let output = bridgehead(servers.first.directory(), &[&["credentials"], arguments].concat()).await;
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for arguments in [&["list"][..], &["list", "--for", "ALICE@example.com"]] {
        let (code, listed, _) = run(arguments).await;
        assert_eq!(code, Some(0));
        let rows: Vec<Vec<&str>> =
            listed.lines().skip(1).map(|line| line.split_whitespace().take(4).collect()).collect();
        assert_eq!(rows, [["crm", ALICE, "good", "oauth"], ["erp", ALICE, "good", "fields"]], "{listed}");
    }
    let (code, listed, _) = run(&["list", "--json"]).await;
    let rows: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((code, &rows[1]["vault"], &rows[1]["subject"]), (Some(0), &json!("erp"), &json!(ALICE)));
    for secret in [KEY, TENANT] {
        assert!(!listed.contains(secret), "{listed}");
    }
    let (code, listed, said) = run(&["list", "--for", BOB]).await;
    assert_eq!((code, listed.as_str()), (Some(0), ""));
    assert!(said.contains("Nobody has entered or connected anything"), "{said}");

    let (code, resealed, _) = run(&["reseal", "--json"]).await;
    let resealed: Value = serde_json::from_str(&resealed).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(
        (&resealed["current"], &resealed["resealed"], &resealed["unreadable"]),
        (&json!(2), &json!(0), &json!([]))
    );

    let revoke = ["revoke", "--for", ALICE, "--vault", "erp"];
    let (code, _, said) = run(&revoke).await;
    assert_eq!(code, Some(0));
    assert!(said.contains(&format!("What {ALICE} had for erp is forgotten here.")), "{said}");
    assert_eq!(error(&call(&site, &alice.token, "ask_erp").await)["code"], "credential_required");
    assert_eq!(call(&site, &alice.token, "who_am_i").await["structuredContent"]["person"], "alice");
    let (code, _, said) = run(&revoke).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("has nothing to revoke"), "{said}");
    servers.stop().await;
}

/// While somebody connects a client they are offered to see to what is missing, and come back; nothing
/// forces them.
#[tokio::test]
async fn consent_offers_what_is_missing() {
    let servers = servers().await;
    let site = servers.site();
    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    let consent = browser.consent(&query(&client, &[])).await;
    assert!(consent.text.contains("Set up <bdi>the CRM</bdi>"), "{}", consent.text);
    let way = consent.text.split("href=\"/account/credentials/erp?").nth(1).unwrap().split('"').next().unwrap();
    let page = browser.get(&format!("/account/credentials/erp?{}", way.replace("&#38;", "&"))).await;
    let (csrf, next) = (page.hidden("csrf"), page.hidden("next"));
    assert!(next.starts_with("/oauth/authorize?"), "{next}");
    let pairs = [("csrf", csrf.as_str()), ("next", next.as_str()), ("api_key", KEY), ("tenant", TENANT)];
    let saved = browser.post("/account/credentials/erp", &pairs).await;
    let page = browser.get(&saved.header("location")).await;
    assert!(page.text.contains("Go on</a>") && !page.text.contains(KEY), "{}", page.text);
    let consent = browser.get(&next).await;
    assert!(!consent.text.contains("the ERP") && consent.text.contains("the CRM"), "{}", consent.text);
    let back = browser.decide(&consent, "allow", &[]).await.goes_back_to();
    assert!(parameter(&back, "code").is_some(), "without the CRM as well");
    servers.stop().await;
}

/// A client that can open URLs is asked to, in the form of its revision; every other one reads the link.
#[tokio::test]
async fn clients_that_can_open_urls_are_asked_to() {
    let servers = servers().await;
    let site = servers.site();
    let alice = Teammate::of(&site, ALICE).await;
    let send = async |revision: &str, session: Option<&str>, method: &str, params: Value| {
        let bearer = format!("Bearer {}", alice.token);
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", revision),
            ("authorization", bearer.as_str()),
        ];
        headers.extend(session.map(|id| ("mcp-session-id", id)));
        if revision == "2026-07-28" {
            headers.extend([("mcp-method", method), ("mcp-name", "who_am_i")]);
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        site.send(Method::POST, "/mcp", &headers, message.to_string()).await
    };
    let url = format!("{PUBLIC}/account/credentials/crm");
    let hello = |capabilities: Value| json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "t", "version": "1"}});
    let call = json!({"name": "who_am_i", "arguments": {}});

    let able = send("2025-11-25", None, "initialize", hello(json!({"elicitation": {"url": {}}}))).await;
    let able = able.header("mcp-session-id");
    let answer = send("2025-11-25", Some(&able), "tools/call", call.clone()).await.json();
    assert_eq!(answer["error"]["code"], -32042, "{answer}");
    let asked = &answer["error"]["data"]["elicitations"][0];
    assert_eq!((&asked["mode"], &asked["url"]), (&json!("url"), &json!(url)), "{answer}");
    assert!(asked["elicitationId"].as_str().is_some_and(|id| !id.is_empty()), "{answer}");

    let unable = send("2025-11-25", None, "initialize", hello(json!({"elicitation": {"form": {}}}))).await;
    for (revision, session) in
        [("2025-11-25", unable.header("mcp-session-id")), ("2025-06-18", able.clone()), ("2025-11-25", String::new())]
    {
        let answer =
            send(revision, Some(session.as_str()).filter(|id| !id.is_empty()), "tools/call", call.clone()).await;
        assert_eq!(error(&answer.json()["result"])["details"]["url"], url);
    }

    let with = |capabilities: Value, more: Value| {
        let mut params = json!({"name": "who_am_i", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": capabilities}});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let able = json!({"elicitation": {"url": {}}});
    let answer = send("2026-07-28", None, "tools/call", with(able.clone(), json!({}))).await.json();
    assert_eq!(answer["result"]["resultType"], "input_required", "{answer}");
    let (name, asked) = answer["result"]["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!((&asked["method"], &asked["params"]["url"]), (&json!("elicitation/create"), &json!(url)));
    let answered = json!({"inputResponses": {name: {"action": "accept"}}});
    let answer = send("2026-07-28", None, "tools/call", with(able, answered)).await.json();
    assert_eq!(error(&answer["result"])["code"], "credential_required", "once is enough");
    let answer = send("2026-07-28", None, "tools/call", with(json!({}), json!({}))).await.json();
    assert_eq!(error(&answer["result"])["details"]["url"], url);
    servers.stop().await;
}

/// Takes what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Nothing that was entered, given or spent stands in clear in the store, in a page, in an answer or in
/// the log, at any level.
#[tokio::test]
async fn nothing_is_found_in_clear() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone());
    // For all threads: with one of this thread alone, an event that another test meets first is logged nowhere from then
    // on. What the others log is searched as well.
    tracing_subscriber::util::SubscriberInitExt::init(subscriber.finish());
    let servers = servers().await;
    let site = servers.site();
    let mut haystack = Haystack::default();
    let mut alice = Teammate::of(&site, ALICE).await;
    haystack.add("page", alice.connect(&servers.crm, "alice").await.text);
    haystack.add("page", alice.enter(KEY, TENANT).await.text);
    for page in ["/account", "/account/credentials/erp", "/account/credentials/crm"] {
        haystack.add("page", alice.browser.get(page).await.text);
    }
    haystack.add("answer", call(&site, &alice.token, "ask_erp").await.to_string());
    servers.first.clock.advance(Duration::from_secs(LIFE));
    haystack.add("answer", call(&site, &alice.token, "who_am_i").await.to_string());
    servers.crm.revoke("alice");
    servers.first.clock.advance(Duration::from_secs(61));
    haystack.add("answer", call(&site, &alice.token, "who_am_i").await.to_string());
    assert_eq!(servers.crm.asked_for("refresh_token"), 2, "one was given, and one refused");
    let _ = alice.begin().await;
    for file in ["bridgehead.db", "bridgehead.db-wal"] {
        haystack.add("store", std::fs::read(servers.first.directory().join(file)).unwrap());
    }
    let hunted: Vec<Hunted> = [("the key", KEY), ("the tenant", TENANT), ("the client's secret", CLIENT_SECRET)]
        .into_iter()
        .map(|(name, secret)| Hunted::new(name, secret))
        .chain(servers.crm.secrets().iter().map(|secret| Hunted::new(secret.split('/').next().unwrap(), secret)))
        .collect();
    assert!(hunted.len() >= 8, "a code, and two pairs of tokens");
    servers.stop().await;
    haystack.add("log", log.0.lock().unwrap().as_slice());
    assert!(haystack.text("log").contains("credential_connected"), "the audit knows of it");
    for what in ["store", "log"] {
        assert!(haystack.text(what).contains(ALICE), "the hunt can find something in the {what}");
    }
    assert!(haystack.text("answer").contains("[redacted]"), "the ERP does repeat what it is sent");
    let found = haystack.finds(&hunted);
    assert!(found.is_empty(), "{}\n{}", found.len(), found.join("\n"));
}
