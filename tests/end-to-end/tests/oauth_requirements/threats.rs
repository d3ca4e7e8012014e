//! The threats: each an attack, and its refusal.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::{Call, CallError, Outcome, Source, ToolSpec, catalog::NamedSource};
use bridgehead_end_to_end::oauth::{
    ALICE, Browser, CALLBACK, PASSWORD, PUBLIC, Site, VERIFIER, configuration, encoded, parameter, query, warehouse,
};
use bridgehead_harness::{TestServer, TestServerBuilder, WAREHOUSE_TABLES};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::table::Table;

/// Another server on the store of this one.
pub(crate) fn same_store(server: &TestServer, public_url: &str, secrets: &str) -> TestServerBuilder {
    let directory = server.directory().display();
    let own = format!("[secrets]\nkeys = [\"file:{directory}/bridgehead.keys\"]");
    let secrets = if secrets.is_empty() { &own } else { secrets };
    let config = configuration("", &format!("mode = \"oauth\"\n{secrets}"))
        .replace(PUBLIC, public_url)
        .replace("sqlite:bridgehead.db", &format!("sqlite:{directory}/bridgehead.db"));
    TestServer::with(&config).file("warehouse.sql", WAREHOUSE_TABLES).seed(7)
}

pub(crate) async fn rows(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    server.user("bob@example.com", PASSWORD, "tools:read").await;
    let site = Site::of(&[&server]);
    let client = site.public_client(CALLBACK).await;
    codes(table, &site, &client).await;
    redirects(table, &Site::of(&[&server]).from("198.51.100.10"), &client).await;
    names(table, &site).await;
    thieves(table, &server, &client).await;
    forms(table, &site, &client).await;
    sessions(table, &site).await;
    same_answers(table, &site, &client).await;
    rebinding(table, &site).await;
    caches(table, &site, &client).await;
    large(table, &server, &site).await;
    guesses(table, &server).await;
    floods(table, &server, &client).await;
    server.stop().await;
    rotation(table).await;
    passthrough(table).await;
}

fn exchange<'a>(client: &'a str, code: &'a str, verifier: &'a str, redirect: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", redirect),
        ("code_verifier", verifier),
    ]
}

async fn codes(table: &mut Table, site: &Site, client: &str) {
    let mut browser = Browser::new(site);
    browser.sign_in(ALICE, PASSWORD).await;
    let thief = site.public_client(CALLBACK).await;
    let code = site.code(&mut browser, client, &[]).await;
    let refused = site.post("/oauth/token", &exchange(&thief, &code, VERIFIER, CALLBACK)).await;
    table.is("X1", "a code of another client", (refused.status, refused.error()), (400, "invalid_grant".to_owned()));
    let injected = site.post("/oauth/token", &exchange(client, &code, &"a".repeat(43), CALLBACK)).await;
    table.is("X1", "a stolen code in the thief's own flow", injected.error(), "invalid_grant");
    let good = site.post("/oauth/token", &exchange(client, &code, VERIFIER, CALLBACK)).await;
    table.is("X1", "its owner, all the same", good.status, 200);
    let access = good.json()["access_token"].as_str().unwrap().to_owned();
    site.post("/oauth/token", &exchange(&thief, &code, VERIFIER, CALLBACK)).await;
    table.holds("X1", "whoever replays it as another client revokes nothing", site.reads(&access).await, "");
    site.post("/oauth/token", &exchange(client, &code, VERIFIER, CALLBACK)).await;
    table.holds("X1", "and as the same client, all", !site.reads(&access).await, "");

    let code = site.code(&mut browser, client, &[]).await;
    let elsewhere = site.post("/oauth/token", &exchange(client, &code, VERIFIER, "https://evil.example/cb")).await;
    table.is("X2", "a code that went somewhere else", elsewhere.error(), "invalid_grant");
    let back = browser.allow(&query(client, &[]), &[]).await;
    table.is("X2", "who answered", parameter(&back, "iss"), Some(PUBLIC.to_owned()));
    let advertised = site.get("/.well-known/oauth-authorization-server").await.json();
    table.is("X2", "as it is advertised", &advertised["issuer"], &json!(PUBLIC));
}

async fn redirects(table: &mut Table, site: &Site, client: &str) {
    for uri in [
        "http://evil.example/cb",
        "https://evil.example/cb#x",
        "https://user:password@evil.example/cb",
        "https://platform.duvo.ai@evil.example/cb",
        "https://evil.example\\@platform.duvo.ai/cb",
        "https://evil.example/c\nb",
        "https://evil.example/c b",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "blob:https://evil.example/x",
        "about:blank",
        "//evil.example/cb",
        "/cb",
        "https:evil.example",
        "",
    ] {
        let refused = site.register(&json!({"redirect_uris": [uri], "token_endpoint_auth_method": "none"})).await;
        table.is("X3", uri, (refused.status, refused.error()), (400, "invalid_redirect_uri".to_owned()));
    }
    for next in [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil",
        "",
    ] {
        let answer =
            Browser::new(site).post("/login", &[("mail", ALICE), ("password", PASSWORD), ("next", next)]).await;
        table.is("X3", next, (answer.status, answer.header("location")), (303, "/account".to_owned()));
    }
    let more = query(client, &[("redirect_uri", "https://evil.example/cb")]);
    let sent = site.get(&format!("/oauth/authorize?{more}")).await;
    table.is("X3", "a redirect URI of nobody", (sent.status, sent.header("location")), (400, String::new()));
    table.holds("X3", "no link to it either", !sent.text.contains("href=\"https://evil"), &sent.text);
}

async fn names(table: &mut Table, site: &Site) {
    let mut browser = Browser::new(site);
    browser.sign_in(ALICE, PASSWORD).await;
    let redirect = "https://platform.xn--duv-ued.ai/v1/oauth/mcp/callback";
    let metadata = json!({"client_name": "Duv\u{43e} \u{2705}", "redirect_uris": [redirect], "token_endpoint_auth_method": "none"});
    let id = site.client(metadata).await["client_id"].as_str().unwrap().to_owned();
    let page = browser.consent(&query(&id, &[("redirect_uri", redirect)])).await;
    table.says("X5", "the host in ASCII, and large", &page.text, "<p class=\"host\">platform.xn--duv-ued.ai</p>");
    table.says("X5", "remarked on", &page.text, "letters of another alphabet");
    table.says("X5", "unverified, whatever its name says", &page.text, "Unverified");
    table.holds("X5", "no seal of its own", !page.text.contains('\u{2705}'), "");
}

async fn thieves(table: &mut Table, server: &TestServer, client: &str) {
    let second = server.replica().await;
    let site = Site::of(&[server, &second]);
    let tokens = site.connect(client).await;
    let stolen = tokens["refresh_token"].as_str().unwrap();
    let (one, other) = tokio::join!(site.refresh(client, stolen), site.refresh(client, stolen));
    let same = one.json()["refresh_token"] == other.json()["refresh_token"];
    table.holds(
        "X6",
        "two replicas at once give the same",
        one.status == 200 && same,
        &format!("{} {}", one.text, other.text),
    );
    let owner = site.refresh(client, one.json()["refresh_token"].as_str().unwrap()).await;
    table.is("X6", "the owner goes on", owner.status, 200);
    let thief = site.refresh(client, stolen).await;
    table.is("X6", "the thief is found out", thief.error(), "invalid_grant");
    let access = owner.json()["access_token"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        table.is(
            "X6",
            "and nothing of it is good any more",
            site.rpc(Some(&access), "tools/list", json!({})).await.status,
            401,
        );
    }
    second.stop().await;
}

async fn forms(table: &mut Table, site: &Site, client: &str) {
    let (mut alice, mut bob) = (Browser::new(site), Browser::new(site));
    alice.sign_in(ALICE, PASSWORD).await;
    bob.sign_in("bob@example.com", PASSWORD).await;
    let asked = query(client, &[]);
    let page = alice.consent(&asked).await;
    let csrf = page.hidden("csrf");
    let others = bob.consent(&asked).await.hidden("csrf");
    let another = alice.consent(&query(client, &[("state", "other")])).await.hidden("csrf");
    let account = alice.get("/account").await.hidden("csrf");
    for (what, token) in [
        ("none", ""),
        ("of another session", others.as_str()),
        ("of another request", &another),
        ("of another form", &account),
        ("changed", &csrf[..csrf.len() - 1]),
    ] {
        let refused = alice.post("/oauth/consent", &[("query", &asked), ("csrf", token), ("decision", "allow")]).await;
        table.is(
            "X8",
            what,
            (refused.status, refused.text.contains("class=\"button\" href=\"https://platform")),
            (400, false),
        );
    }
    let pairs = [("query", asked.as_str()), ("csrf", &csrf), ("decision", "allow")];
    for origin in [
        "https://evil.example",
        "null",
        "http://mcp.example.com",
        "https://mcp.example.com.evil.example",
        "https://mcp.example.com:8443",
    ] {
        for (path, pairs) in [
            ("/oauth/consent", &pairs[..]),
            ("/login", &[("mail", ALICE), ("password", PASSWORD)]),
            ("/account/sign-out", &[("csrf", account.as_str())]),
            ("/login/link", &[("token", "bhl_x")]),
        ] {
            let refused = alice.post_from(origin, path, pairs).await;
            table.is(
                "X8",
                &format!("{path} from {origin}"),
                (refused.status, refused.header("set-cookie")),
                (403, String::new()),
            );
        }
    }
    let cookie = alice.cookie.clone().unwrap();
    let across = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    table.is(
        "X8",
        "from another site, as the browser says",
        site.post_with("/oauth/consent", &across, &pairs).await.status,
        403,
    );
    let signed_out = Browser::new(site).post("/oauth/consent", &pairs).await;
    table.is("X8", "by nobody", signed_out.status, 403);
    table.holds("X8", "a form of our own is taken", alice.decide(&page, "allow", &[]).await.status == 200, "");
    for path in ["/login", "/account", "/", &format!("/oauth/authorize?{asked}")] {
        let shown = alice.get(path).await;
        let headers = (
            shown.header("x-frame-options"),
            shown.header("content-security-policy").contains("frame-ancestors 'none'"),
        );
        table.is("X8", &format!("{path} in a frame"), headers, ("DENY".to_owned(), true));
    }
    let foreign =
        site.send(Method::GET, "/account", &[("origin", "https://evil.example"), ("cookie", &cookie)], "").await;
    table.is("X8", "no page is read by another site", foreign.header("access-control-allow-origin"), "");
    let csrf = alice.consent(&asked).await.hidden("csrf");
    let undecided = alice.post("/oauth/consent", &[("query", &asked), ("csrf", &csrf)]).await;
    table.is("X8", "no button was pressed", undecided.status, 400);
}

async fn sessions(table: &mut Table, site: &Site) {
    let mut attacker = Browser::new(site);
    attacker.sign_in("bob@example.com", PASSWORD).await;
    let planted = attacker.cookie.clone();
    let mut victim = Browser::with(site, planted.clone());
    victim.sign_in(ALICE, PASSWORD).await;
    table.holds("X9", "signing in makes a new one", victim.cookie != planted, "the same");
    table.is("X9", "the planted one is over", attacker.get("/account").await.status, 303);
    let mut made_up = Browser::with(site, Some(format!("__Host-bridgehead=bhw_{}", "A".repeat(51))));
    table.is("X9", "one that nobody issued", made_up.get("/account").await.status, 303);
    let value = victim.cookie.clone().unwrap().split_once('=').unwrap().1.to_owned();
    let mut plain = Browser::with(site, Some(format!("bridgehead={value}")));
    table.is("X9", "under a name that any host of the domain can set", plain.get("/account").await.status, 303);
    let mut twice = Browser::with(site, Some(format!("{}; {}", victim.cookie.clone().unwrap(), planted.unwrap())));
    table.is("X9", "two at once", twice.get("/account").await.status, 303);
}

/// What is not known and what is wrong are answered alike, so that there is nothing to be learnt.
async fn same_answers(table: &mut Table, site: &Site, client: &str) {
    let tokens = site.connect(client).await;
    let access = tokens["access_token"].as_str().unwrap();
    let real = bridgehead_auth::SecretText::parse(bridgehead_auth::SecretKind::AccessToken, access).unwrap();
    let forged = |id: &str| {
        let text =
            bridgehead_auth::SecretText::derived(bridgehead_auth::SecretKind::AccessToken, id, &[7; 32]).unwrap();
        text.secret().expose().to_owned()
    };
    let known = site.rpc(Some(&forged(real.id())), "tools/list", json!({})).await;
    let unknown = site.rpc(Some(&forged("AAAAAAAAAAAA")), "tools/list", json!({})).await;
    table.is("X11", "a known id with a wrong secret", (known.status, known.text), (unknown.status, unknown.text));
    let registered = site.client(json!({"redirect_uris": [CALLBACK]})).await;
    let pairs = |id: &str| {
        [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_secret", "wrong"), ("client_id", id)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let post = async |id: &str| {
        let pairs = pairs(id);
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = site.post("/oauth/token", &pairs).await;
        (answer.status, answer.text)
    };
    table.is(
        "X11",
        "a client with a wrong secret",
        post(registered["client_id"].as_str().unwrap()).await,
        post("bhi_AAAAAAAAAAAA").await,
    );
}

async fn rebinding(table: &mut Table, site: &Site) {
    for path in ["/mcp", "/", "/login", "/.well-known/oauth-authorization-server", "/oauth/authorize", "/account"] {
        let refused = site.send(Method::GET, path, &[("host", "evil.example")], "").await;
        table.is("X13", path, (refused.status, refused.error()), (403, "host_not_allowed".to_owned()));
    }
    for (method, path) in
        [(Method::POST, "/oauth/token"), (Method::POST, "/oauth/register"), (Method::OPTIONS, "/oauth/token")]
    {
        let refused = site.send(method, path, &[("host", "evil.example")], "").await;
        table.is("X13", path, refused.status, 403);
    }
    let refused = site.send(Method::POST, "/mcp", &[("origin", "https://evil.example")], "{}").await;
    table.is(
        "X13",
        "a foreign page at the endpoint",
        (refused.status, refused.error()),
        (403, "origin_not_allowed".to_owned()),
    );
}

async fn caches(table: &mut Table, site: &Site, client: &str) {
    let tokens = site.connect(client).await;
    let access = tokens["access_token"].as_str();
    let mut browser = Browser::new(site);
    browser.sign_in(ALICE, PASSWORD).await;
    let listed = site.rpc(access, "tools/list", json!({})).await;
    let called = site.call(access, "find_stock", json!({"sku": "A-1"})).await;
    let refused = site.rpc(None, "tools/list", json!({})).await;
    let account = browser.get("/account").await;
    let front = browser.get("/").await;
    for (what, answer) in [
        ("tools/list", &listed),
        ("tools/call", &called),
        ("a refusal", &refused),
        ("the account", &account),
        ("the connect page", &front),
    ] {
        let cached = answer.header("cache-control");
        table.holds("X17", what, cached.contains("no-store") || cached.contains("no-cache"), &cached);
    }
    table.says("X17", "tools are shown to who is signed in", &front.text, "find_stock");
    table.holds("X17", "and to nobody else", !site.get("/").await.text.contains("find_stock"), "");
}

async fn large(table: &mut Table, server: &TestServer, site: &Site) {
    let body = encoded(&[("token", &"x".repeat(70_000))]);
    let form = [("content-type", "application/x-www-form-urlencoded"), ("origin", PUBLIC)];
    for path in [
        "/oauth/token",
        "/oauth/revoke",
        "/oauth/introspect",
        "/login",
        "/login/link",
        "/oauth/consent",
        "/oauth/register",
    ] {
        let refused = site.send(Method::POST, path, &form, body.clone()).await;
        table.is("X18", path, refused.status, 413);
    }
    for (path, pairs) in
        [("/oauth/token", [("client_id", "x"), ("grant_type", "y")]), ("/login", [("mail", "x"), ("password", "y")])]
    {
        let long = "x".repeat(20_000);
        let pairs = [pairs[0], (pairs[1].0, long.as_str())];
        let refused = site.post(path, &pairs).await;
        table.holds("X18", path, matches!(refused.status, 400 | 401 | 403), &refused.status.to_string());
    }
    let asleep = server.clock.sleepers();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /oauth/token HTTP/1.1\r\nhost: mcp.example.com\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ngrant_type";
    slow.write_all(head.as_bytes()).await.unwrap();
    server.clock.has_sleepers(asleep + 1).await;
    server.clock.advance(Duration::from_secs(30));
    let mut answer = vec![0; 64];
    let length = slow.read(&mut answer).await.unwrap();
    table.says("X18", "half a form and then silence", &String::from_utf8_lossy(&answer[..length]), "HTTP/1.1 408 ");
}

/// Moves the clock.
async fn guesses(table: &mut Table, server: &TestServer) {
    let from = |address: &str| Site::of(&[server]).from(address);
    let guess = async |site: &Site, mail: &str, password: &str| {
        Browser::new(site).post("/login", &[("mail", mail), ("password", password)]).await
    };
    server.clock.advance(Duration::from_secs(2 * 60 * 60));
    for count in 0..6 {
        let site = from(&format!("198.51.100.{}", 100 + count));
        table.is("X7", "a wrong guess", guess(&site, ALICE, "wrong").await.status, 403);
    }
    let late = guess(&from("198.51.100.120"), ALICE, PASSWORD).await;
    table.is(
        "X7",
        "after six, from wherever, not even the right one is looked at",
        (late.status, late.header("retry-after").is_empty()),
        (429, false),
    );
    let other = guess(&from("198.51.100.121"), "bob@example.com", PASSWORD).await;
    table.is("X7", "others are not kept out", other.status, 303);
    server.clock.advance(Duration::from_secs(late.header("retry-after").parse().unwrap()));
    table.is(
        "X7",
        "and neither is the owner for long",
        guess(&from("198.51.100.122"), ALICE, PASSWORD).await.status,
        303,
    );
    let stuffing = from("198.51.100.200");
    let mut refused = 0;
    for count in 0..25 {
        let answer = guess(&stuffing, &format!("user{count}@example.com"), "wrong").await;
        refused += u32::from(answer.status == 429);
    }
    table.holds("X7", "one address tries many names", refused >= 4, &refused.to_string());
}

async fn floods(table: &mut Table, server: &TestServer, client: &str) {
    server.clock.advance(Duration::from_secs(2 * 60 * 60));
    let metadata = json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
    let mut statuses = Vec::new();
    let limit = server.issuer().settings().limits.registrations.count;
    for count in 0..=limit {
        let site = Site::of(&[server]).from(&format!("203.{}.{}.7", count / 250, count % 250));
        statuses.push(site.register(&metadata).await.status);
    }
    table.is(
        "X4",
        "as many as the limit, from many addresses",
        statuses.iter().filter(|status| **status == 201).count(),
        limit as usize,
    );
    table.is("X4", "and no more", statuses.last().copied(), Some(429));
    let site = Site::of(&[server]);
    let tokens = site.connect(client).await;
    table.holds(
        "X4",
        "who is registered connects all the same",
        site.reads(tokens["access_token"].as_str().unwrap()).await,
        "",
    );
}

/// X15: a new root key signs, the old one still verifies; without it, what it made is refused and
/// nothing breaks.
async fn rotation(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let client = site.public_client(CALLBACK).await;
    let tokens = site.connect(&client).await;
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let directory = server.directory().display().to_string();
    let both = format!("[secrets]\nkeys = [\"file:{directory}/new.keys\", \"file:{directory}/bridgehead.keys\"]");
    let rotated = same_store(&server, PUBLIC, &both).start().await;
    let new = Site::of(&[&rotated]);
    table.holds("X15", "an old access token", new.reads(access).await, "");
    let mut again = Browser::with(&new, browser.cookie.clone());
    table.is("X15", "an old session", again.get("/account").await.status, 200);
    let refreshed = new.refresh(&client, refresh).await;
    table.is("X15", "an old refresh token", refreshed.status, 200);
    table.is(
        "X15",
        "its race",
        new.refresh(&client, refresh).await.json()["refresh_token"].clone(),
        refreshed.json()["refresh_token"].clone(),
    );
    let lost = format!("[secrets]\nkeys = [\"file:{directory}/new.keys\"]");
    let without = same_store(&server, PUBLIC, &lost).start().await;
    let site = Site::of(&[&without]);
    table.is("X15", "without the old key", site.rpc(Some(access), "tools/list", json!({})).await.status, 401);
    let mut again = Browser::with(&site, browser.cookie.clone());
    table.is("X15", "its session", again.get("/account").await.status, 303);
    table.holds(
        "X15",
        "what was made since is good",
        site.reads(refreshed.json()["access_token"].as_str().unwrap()).await,
        "",
    );
    without.stop().await;
    rotated.stop().await;
    server.stop().await;
}

/// What a source sees of whoever calls.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

#[async_trait]
impl Source for Seen {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        vec![ToolSpec::new("look", "Looks something up.")]
    }

    async fn call(&self, _: &str, call: &Call) -> Result<Outcome, CallError> {
        let presented: Vec<_> = call.caller.presented.iter().map(|(name, _)| name.to_owned()).collect();
        self.0.lock().unwrap().push(format!("{} {presented:?}", call.caller.subject));
        Ok(Outcome::text("seen"))
    }
}

async fn passthrough(table: &mut Table) {
    let seen = Arc::new(Seen::default());
    let source = NamedSource { name: "seen".into(), prefix: String::new(), source: seen.clone() };
    let server = warehouse("", "mode = \"oauth\"").source(source).start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let tokens = site.connect(&site.public_client(CALLBACK).await).await;
    let called = site.call(tokens["access_token"].as_str(), "look", json!({})).await;
    table.is("X16", "a call", called.status, 200);
    let lines = seen.0.lock().unwrap().clone();
    table.is("X16", "the source sees who it is, and nothing to hand on", lines, vec![format!("{ALICE} []")]);
    server.stop().await;
}
