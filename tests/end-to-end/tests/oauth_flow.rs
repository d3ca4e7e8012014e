//! A4: a teammate connects a client with nothing but the URL, over real sockets and on two replicas in
//! turn; and what they can do about it afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_auth::{
    issuer::GrantsOf,
    users::{FirstAdministrator, LINK_PATH, NewUser},
};
use bridgehead_core::ScopeSet;
use bridgehead_end_to_end::oauth::{ALICE, Browser, CALLBACK, PASSWORD, PUBLIC, Site, parameter, query, warehouse};
use bridgehead_harness::{Replica, TestServer};
use serde_json::json;

struct Servers {
    first: TestServer,
    second: Replica,
}

/// Two replicas on one SQLite store, and Alice.
async fn servers() -> Servers {
    let first = warehouse("", "mode = \"oauth\"").start().await;
    let second = first.replica().await;
    first.user(ALICE, PASSWORD, "tools:read tools:write").await;
    Servers { first, second }
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

/// Nothing but the URL: from the challenge to the tool's answer, each step found by the one before it
/// and answered by another replica.
#[tokio::test]
async fn a_teammate_connects_with_nothing_but_the_url() {
    let servers = servers().await;
    let site = servers.site();
    let challenged = site.rpc(None, "initialize", json!({})).await;
    assert_eq!(challenged.status, 401);
    let challenge = challenged.header("www-authenticate");
    let metadata = challenge.split("resource_metadata=\"").nth(1).unwrap().split('"').next().unwrap();
    let resource = site.get(metadata.strip_prefix(PUBLIC).unwrap()).await.json();
    assert_eq!(resource["resource"], format!("{PUBLIC}/mcp"));
    let issuer = resource["authorization_servers"][0].as_str().unwrap();
    assert_eq!(issuer, PUBLIC);
    let server = site.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(server["issuer"], issuer);
    let path = |name: &str| server[name].as_str().unwrap().strip_prefix(PUBLIC).unwrap().to_owned();
    assert_eq!(path("registration_endpoint"), "/oauth/register");

    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    let query = query(&client, &[("resource", &format!("{PUBLIC}/mcp")), ("scope", "tools:read tools:write")]);
    let sent = browser.get(&format!("{}?{query}", path("authorization_endpoint"))).await;
    assert_eq!(sent.status, 303);
    let login = browser.get(&sent.header("location")).await;
    assert!(login.text.contains("platform.duvo.ai"), "the host of the redirect is shown: {}", login.text);
    let next = login.hidden("next");
    let signed_in = browser.post("/login", &[("mail", ALICE), ("password", PASSWORD), ("next", &next)]).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.text);
    let consent = browser.get(&signed_in.header("location")).await;
    assert!(consent.text.contains("Unverified"), "{}", consent.text);
    let back = browser.decide(&consent, "allow", &["tools:write"]).await.goes_back_to();
    assert_eq!(format!("{}{}", back.origin().ascii_serialization(), back.path()), CALLBACK);
    assert_eq!(parameter(&back, "state").unwrap(), "s-1");
    assert_eq!(parameter(&back, "iss").unwrap(), PUBLIC);

    let tokens = site.exchange(&client, &parameter(&back, "code").unwrap()).await;
    assert_eq!((tokens.status, tokens.header("cache-control").as_str()), (200, "no-store"), "{}", tokens.text);
    let tokens = tokens.json();
    assert_eq!(tokens["scope"], "tools:read tools:write");
    let access = tokens["access_token"].as_str().unwrap();
    assert!(site.reads(access).await && site.reads(access).await, "on both replicas");

    let refreshed = site.refresh(&client, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    let refreshed = refreshed.json();
    let access = refreshed["access_token"].as_str().unwrap();
    assert!(site.reads(access).await);

    let revoked = site.post("/oauth/revoke", &[("client_id", &client), ("token", access)]).await;
    assert_eq!((revoked.status, revoked.text.as_str()), (200, ""));
    for _ in 0..2 {
        let refused = site.rpc(Some(access), "tools/list", json!({})).await;
        assert_eq!(refused.status, 401);
        assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    servers.stop().await;
}

/// A teammate who does not want it: the client is told, and nothing is issued.
#[tokio::test]
async fn a_teammate_denies() {
    let servers = servers().await;
    let site = servers.site();
    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    let page = browser.consent(&query(&client, &[])).await;
    let back = browser.decide(&page, "deny", &["tools:write"]).await.goes_back_to();
    assert!(back.as_str().starts_with(CALLBACK));
    assert_eq!(parameter(&back, "error").unwrap(), "access_denied");
    assert_eq!(
        (parameter(&back, "state").unwrap().as_str(), parameter(&back, "iss").unwrap().as_str()),
        ("s-1", PUBLIC)
    );
    assert_eq!(parameter(&back, "code"), None);
    let grants = servers.first.issuer().grants(&GrantsOf::Everybody).await.unwrap();
    assert!(grants.is_empty());
    servers.stop().await;
}

/// The write box unticked: tools that write are shown and refused, with all that is needed in the
/// challenge; asked for again, they are allowed.
#[tokio::test]
async fn a_client_that_may_only_read_is_told_how_to_get_more() {
    let servers = servers().await;
    let site = servers.site();
    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    let back = browser.allow(&query(&client, &[]), &[]).await;
    let tokens = site.exchange(&client, &parameter(&back, "code").unwrap()).await.json();
    assert_eq!(tokens["scope"], "tools:read");
    let access = tokens["access_token"].as_str().unwrap();
    assert!(site.reads(access).await);
    let listed = site.rpc(Some(access), "tools/list", json!({})).await.json();
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 2, "those that a step-up unlocks as well");
    let set = json!({"sku": "A-1", "location": "NORTH", "units": 19});
    let refused = site.call(Some(access), "set_units", set.clone()).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let challenge = refused.header("www-authenticate");
    for part in ["error=\"insufficient_scope\"", "scope=\"tools:read tools:write\"", "resource_metadata=\""] {
        assert!(challenge.contains(part), "{challenge}");
    }
    let back = browser.allow(&query(&client, &[("scope", "tools:read tools:write")]), &["tools:write"]).await;
    let tokens = site.exchange(&client, &parameter(&back, "code").unwrap()).await.json();
    let written = site.call(tokens["access_token"].as_str(), "set_units", set).await;
    assert_eq!((written.status, &written.json()["result"]["isError"]), (200, &json!(false)), "{}", written.text);
    servers.stop().await;
}

/// Wrong passwords, and unknown people, read the same; the right one works afterwards, on whichever
/// replica.
#[tokio::test]
async fn a_wrong_password_is_refused() {
    let servers = servers().await;
    let site = servers.site();
    let mut browser = Browser::new(&site);
    let wrong = browser.post("/login", &[("mail", ALICE), ("password", "incorrect horse")]).await;
    let unknown = browser.post("/login", &[("mail", "nobody@example.com"), ("password", "incorrect horse")]).await;
    assert_eq!((wrong.status, unknown.status), (403, 403));
    assert_eq!(wrong.text.replace(ALICE, ""), unknown.text.replace("nobody@example.com", ""));
    assert_eq!((wrong.header("set-cookie"), &browser.cookie), (String::new(), &None));
    browser.sign_in("Alice@Example.com", PASSWORD).await;
    assert_eq!(browser.get("/account").await.status, 200);
    servers.stop().await;
}

/// An empty server: the first administrator by the link of the card, a teammate by an invitation.
#[tokio::test]
async fn people_come_in_by_links() {
    let first = warehouse("", "mode = \"oauth\"").start().await;
    let second = first.replica().await;
    let site = Site::of(&[&first, &second]);
    let FirstAdministrator::Link(link) = first.users.first_administrator().await.unwrap() else { panic!() };
    let FirstAdministrator::Link(same) = second.users.first_administrator().await.unwrap() else { panic!() };
    assert_eq!(link.text.expose(), same.text.expose(), "one link for all replicas");
    let mut browser = Browser::new(&site);
    let page = browser.get(&format!("{LINK_PATH}{}", link.text.expose())).await;
    assert_eq!((page.status, page.hidden("token").as_str()), (200, link.text.expose()));
    let chosen =
        |mail, repeat| [("token", link.text.expose()), ("mail", mail), ("password", PASSWORD), ("repeat", repeat)];
    for (mail, repeat) in [("not a mail address", PASSWORD), (ALICE, "something else")] {
        let again = browser.post("/login/link", &chosen(mail, repeat)).await;
        assert_eq!(again.status, 422, "{}", again.text);
    }
    let signed_in = browser.post("/login/link", &chosen(ALICE, PASSWORD)).await;
    assert_eq!((signed_in.status, signed_in.header("location").as_str()), (303, "/account"), "{}", signed_in.text);
    assert!(browser.get("/account").await.text.contains(ALICE));
    let used = browser.get(&format!("{LINK_PATH}{}", link.text.expose())).await;
    assert_eq!(used.status, 410, "{}", used.text);
    assert!(matches!(second.users.first_administrator().await.unwrap(), FirstAdministrator::NotNeeded));

    let bob =
        NewUser { address: "bob@example.com".into(), name: None, admin: false, scopes: ScopeSet::read_and_write() };
    let bob = first.users.add(bob).await.unwrap();
    let link = first.users.invite(&bob.address).await.unwrap();
    let mut browser = Browser::new(&site);
    let page = browser.get(&format!("{LINK_PATH}{}", link.text.expose())).await;
    assert!(page.text.contains("bob@example.com"), "{}", page.text);
    let pairs = [("token", link.text.expose()), ("mail", ALICE), ("password", PASSWORD), ("repeat", PASSWORD)];
    assert_eq!(browser.post("/login/link", &pairs).await.status, 303);
    let account = browser.get("/account").await;
    assert!(account.text.contains("bob@example.com") && !account.text.contains(ALICE), "the link says whose it is");
    assert_eq!(browser.get("/login/link?token=bhl_x").await.status, 404);
    second.stop().await;
    first.stop().await;
}

/// The account page: what is connected is listed and cut off, by its owner alone.
#[tokio::test]
async fn a_teammate_cuts_a_client_off() {
    let servers = servers().await;
    let site = servers.site();
    servers.first.user("bob@example.com", PASSWORD, "tools:read").await;
    let client = site.public_client(CALLBACK).await;
    let tokens = site.connect(&client).await;
    let access = tokens["access_token"].as_str().unwrap();
    let mut alice = Browser::new(&site);
    alice.sign_in(ALICE, PASSWORD).await;
    let account = alice.get("/account").await;
    assert!(account.text.contains("platform.duvo.ai"), "{}", account.text);
    let (grant, csrf) = (account.hidden("grant"), account.hidden("csrf"));

    let mut bob = Browser::new(&site);
    bob.sign_in("bob@example.com", PASSWORD).await;
    let page = bob.get("/account").await;
    assert!(!page.text.contains("name=\"grant\""), "nothing of Alice's");
    let others = [("grant", grant.as_str()), ("csrf", &page.hidden("csrf"))];
    assert_eq!(bob.post("/account/connections/revoke", &others).await.status, 303);
    assert!(site.reads(access).await, "Bob cannot cut off what is Alice's");

    let pairs = [("grant", grant.as_str()), ("csrf", csrf.as_str())];
    let revoked = alice.post("/account/connections/revoke", &pairs).await;
    assert_eq!(revoked.status, 303, "{}", revoked.text);
    let account = alice.get(&revoked.header("location")).await;
    assert!(account.text.contains("is cut off") && !account.text.contains("name=\"grant\""), "{}", account.text);
    for _ in 0..2 {
        assert_eq!(site.rpc(Some(access), "tools/list", json!({})).await.status, 401);
    }
    assert_eq!(site.refresh(&client, tokens["refresh_token"].as_str().unwrap()).await.error(), "invalid_grant");
    servers.stop().await;
}

/// Keys, password and sign-out, beside the mode `api_key`.
#[tokio::test]
async fn an_account_in_the_hands_of_its_owner() {
    let first = warehouse("", "mode = [\"oauth\", \"api_key\"]").start().await;
    let second = first.replica().await;
    first.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&first, &second]);
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    let csrf = browser.get("/account").await.hidden("csrf");
    let make = |days| [("csrf", csrf.clone()), ("label", "Laptop".to_owned()), ("days", days)];
    let borrowed = |pairs: &[(&'static str, String)]| pairs.to_vec();
    let post = async |browser: &mut Browser<'_>, path: &str, pairs: Vec<(&'static str, String)>| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post(path, &pairs).await
    };
    assert_eq!(post(&mut browser, "/account/keys", borrowed(&make("8".into()))).await.status, 422);
    let made = post(&mut browser, "/account/keys", borrowed(&make("90".into()))).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let key = made.text.split("bhk_").nth(1).unwrap().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
    let key = format!("bhk_{}", key.unwrap());
    assert!(site.reads(&key).await, "the key opens the endpoint beside OAuth");
    let account = browser.get("/account").await;
    assert!(account.text.contains("Laptop") && !account.text.contains(&key), "it is shown once");
    let revoked =
        post(&mut browser, "/account/keys/revoke", vec![("csrf", csrf.clone()), ("key", account.hidden("key"))]).await;
    assert_eq!(revoked.status, 303);
    assert!(browser.get(&revoked.header("location")).await.text.contains("is revoked"));
    assert_eq!(site.rpc(Some(&key), "tools/list", json!({})).await.status, 401);

    let mut elsewhere = Browser::new(&site);
    elsewhere.sign_in(ALICE, PASSWORD).await;
    let change = |current: &str, new: &str, repeat: &str| {
        vec![("csrf", csrf.clone()), ("current", current.into()), ("password", new.into()), ("repeat", repeat.into())]
    };
    const NEW: &str = "staple battery horse correct";
    for wrong in
        [change("not mine, I think", NEW, NEW), change(PASSWORD, NEW, "other"), change(PASSWORD, "short", "short")]
    {
        assert_eq!(post(&mut browser, "/account/password", wrong).await.status, 422);
    }
    let changed = post(&mut browser, "/account/password", change(PASSWORD, NEW, NEW)).await;
    assert_eq!(changed.status, 303, "{}", changed.text);
    let account = browser.get(&changed.header("location")).await;
    assert!(account.text.contains("Your password is changed"), "{}", account.text);
    assert_eq!(elsewhere.get("/account").await.status, 303, "other sessions have ended");

    let old = browser.cookie.clone();
    let out = post(&mut browser, "/account/sign-out", vec![("csrf", account.hidden("csrf"))]).await;
    assert_eq!((out.status, browser.cookie.clone()), (303, None));
    assert!(browser.get(&out.header("location")).await.text.contains("You are signed out"));
    browser.cookie = old;
    assert_eq!(browser.get("/account").await.header("location"), "/login?next=/account", "the old cookie is nobody's");
    second.stop().await;
    first.stop().await;
}

/// P2: whoever is cut off by name is refused at once, on every replica.
#[tokio::test]
async fn a_teammate_is_cut_off_by_name() {
    let servers = servers().await;
    let site = servers.site();
    let tokens = site.connect(&site.public_client(CALLBACK).await).await;
    let access = tokens["access_token"].as_str();
    servers.first.block(ALICE).await;
    for _ in 0..2 {
        let refused = site.rpc(access, "tools/list", json!({})).await;
        assert_eq!((refused.status, refused.error().as_str()), (401, "blocked"));
    }
    servers.stop().await;
}

/// The operator reads an attempt as a story, whichever replica saw which step.
#[tokio::test]
async fn the_trace_tells_the_story() {
    let servers = servers().await;
    let site = servers.site();
    assert_eq!(site.rpc(None, "initialize", json!({})).await.status, 401);
    assert_eq!(site.get("/.well-known/oauth-protected-resource/mcp").await.status, 200);
    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    let query = query(&client, &[]);
    let login = browser.consent(&query).await.header("location");
    let next = browser.get(&login).await.hidden("next");
    browser.post("/login", &[("mail", ALICE), ("password", "wrong"), ("next", &next)]).await;
    browser.post("/login", &[("mail", ALICE), ("password", PASSWORD), ("next", &next)]).await;
    let back = browser.allow(&query, &["tools:write"]).await;
    let tokens = site.exchange(&client, &parameter(&back, "code").unwrap()).await.json();
    assert!(site.reads(tokens["access_token"].as_str().unwrap()).await);
    servers.first.trace.settle().await;
    servers.second.trace.settle().await;
    let attempts = servers.first.trace.attempts().await.unwrap();
    let story = bridgehead_auth::trace::render(&attempts);
    assert_eq!(attempts.len(), 1, "{story}");
    assert!(story.contains(&format!("\"Duvo\" ({client}) for {ALICE}: connected")), "{story}");
    for step in ["challenge", "metadata", "registration", "authorize", "sign-in", "consent", "token", "first call"] {
        assert!(story.contains(&format!("{step:<12}  done")), "{step}: {story}");
    }
    assert!(story.contains("sign-in       refused") && !story.contains(tokens["access_token"].as_str().unwrap()));
    servers.stop().await;
}

/// Where the mode is another, nothing of this is there, and clients are not led into it.
#[tokio::test]
async fn without_the_mode_there_is_nothing() {
    let server = warehouse("", "mode = \"api_key\"").start().await;
    let site = Site::of(&[&server]);
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/mcp/.well-known/openid-configuration",
        "/oauth/authorize",
        "/login",
        "/account",
    ] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"), "{path}");
    }
    assert_eq!(site.post("/oauth/token", &[]).await.error(), "not_found");
    assert!(!site.rpc(None, "tools/list", json!({})).await.header("www-authenticate").contains("resource_metadata"));
    let front = site.get("/").await;
    assert!(front.status == 200 && front.text.contains(&format!("{PUBLIC}/mcp")), "{}", front.text);
    server.stop().await;
}
