//! The authorization endpoint, the consent page and the sign-in (RFC 6749 §3.1, RFC 7636, RFC 8707,
//! RFC 9207).

use bridgehead_auth::users::{FirstAdministrator, LINK_PATH};
use bridgehead_end_to_end::oauth::{
    ALICE, Answer, Browser, CALLBACK, PASSWORD, PUBLIC, Site, challenge, encoded, parameter, query, warehouse,
};
use bridgehead_harness::TestServer;
use serde_json::json;

use crate::table::Table;

pub(crate) async fn rows(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;

    requests(table, &site, &mut browser, &client).await;
    redirects(table, &site, &mut browser).await;
    answers(table, &site, &mut browser, &client).await;
    consent(table, &server, &site, &mut browser, &client).await;
    login(table, &site, &client).await;
    server.stop().await;
    cookies(table).await;
    first_user(table).await;
}

/// A page of ours: an error, and no way to anywhere else.
fn is_a_page(table: &mut Table, id: &'static str, what: &str, answer: &Answer, status: u16) {
    let shown = (answer.status, answer.header("location"), answer.header("content-type"));
    table.is(id, what, shown, (status, String::new(), "text/html; charset=utf-8".to_owned()));
    table.holds(id, what, !answer.text.contains("http-equiv"), "it navigates");
}

async fn requests(table: &mut Table, site: &Site, browser: &mut Browser<'_>, client: &str) {
    let plain = challenge("x");
    for (what, more) in [
        ("no challenge", vec![("code_challenge", "")]),
        ("no method", vec![("code_challenge_method", "")]),
        ("plain", vec![("code_challenge_method", "plain")]),
        ("a short challenge", vec![("code_challenge", &plain[..42])]),
    ] {
        let answer = browser.consent(&query(client, &more)).await;
        is_a_page(table, "A1", what, &answer, 400);
        table.says("A1", what, &answer.text, "PKCE");
    }
    for (what, id) in [("an unknown client", "bhi_AAAAAAAAAAAA"), ("no id of ours", "somebody")] {
        is_a_page(table, "A3", what, &browser.consent(&query(id, &[])).await, 400);
        let anonymous = site.get(&format!("/oauth/authorize?{}", query(id, &[]))).await;
        is_a_page(table, "A3", "before anybody signed in", &anonymous, 400);
    }
    for (what, more) in [
        ("a redirect URI that is not registered", vec![("redirect_uri", "https://evil.example/cb")]),
        ("no response type", vec![("response_type", "")]),
        ("the implicit flow", vec![("response_type", "token")]),
        ("an answer in the fragment", vec![("response_mode", "fragment")]),
        ("a request object", vec![("request", "e30.e30.")]),
        ("no client", vec![("client_id", "")]),
    ] {
        is_a_page(table, "A3", what, &browser.consent(&query(client, &more)).await, 400);
    }
    for name in ["client_id", "redirect_uri", "response_type", "code_challenge", "state", "scope", "resource"] {
        let twice =
            format!("{}&{}", query(client, &[("scope", "tools:read"), ("resource", PUBLIC)]), encoded(&[(name, "x")]));
        let answer = browser.consent(&twice).await;
        is_a_page(table, "A4", name, &answer, 400);
        table.says("A4", name, &answer.text, "more than once");
    }
    let unknown = query(client, &[("prompt", "consent"), ("audience", "x"), ("nonce", "n")]);
    table.is("A4", "unknown parameters", browser.consent(&unknown).await.status, 200);
    let post = browser.post("/oauth/authorize", &[("client_id", client)]).await;
    table.is("A3", "POST", (post.status, post.header("allow")), (405, "GET,HEAD".to_owned()));
}

async fn redirects(table: &mut Table, site: &Site, browser: &mut Browser<'_>) {
    let redirects =
        ["https://client.example/cb?a=%2f", "http://127.0.0.1:3000/cb", "http://localhost/cb", "http://[::1]:1/cb"];
    let metadata = json!({"redirect_uris": redirects, "token_endpoint_auth_method": "none"});
    let client = site.client(metadata).await["client_id"].as_str().unwrap().to_owned();
    for (redirect, status) in [
        (redirects[0], 200),
        ("https://client.example/cb?a=/", 400),
        ("https://client.example/cb?a=%2F", 400),
        ("https://client.example/cb", 400),
        ("https://client.example/cb?a=%2f&b", 400),
        ("https://client.example:443/cb?a=%2f", 400),
        ("https://CLIENT.example/cb?a=%2f", 400),
        ("http://127.0.0.1:3000/cb", 200),
        ("http://127.0.0.1:54321/cb", 200),
        ("http://127.0.0.1/cb", 200),
        ("http://localhost:54321/cb", 200),
        ("http://[::1]:54321/cb", 200),
        ("http://127.0.0.1:3000/other", 400),
        ("http://127.0.0.2:3000/cb", 400),
        ("http://127.0.0.1:3000@evil.example/cb", 400),
        ("http://localhost.evil.example:3000/cb", 400),
        ("https://127.0.0.1:3000/cb", 400),
    ] {
        let answer = browser.consent(&query(&client, &[("redirect_uri", redirect)])).await;
        table.is("A2", redirect, answer.status, status);
    }
    is_a_page(table, "A2", "none of several", &browser.consent(&query(&client, &[("redirect_uri", "")])).await, 400);
    let loopback = browser.consent(&query(&client, &[("redirect_uri", "http://127.0.0.1:9/cb")])).await;
    table.says("A6", "loopback is warned of", &loopback.text, "Any program on this device");
    table.says("A6", "with its port", &loopback.text, "127.0.0.1:9");
}

async fn answers(table: &mut Table, site: &Site, browser: &mut Browser<'_>, client: &str) {
    let back = browser.allow(&query(client, &[("state", "a b&c=d#é")]), &[]).await;
    table.is("A4", "iss on success", parameter(&back, "iss"), Some(PUBLIC.to_owned()));
    table.is("A4", "state as it came", parameter(&back, "state"), Some("a b&c=d#é".to_owned()));
    let page = browser.consent(&query(client, &[])).await;
    let back = browser.decide(&page, "deny", &[]).await.goes_back_to();
    table.is("A3", "Deny", parameter(&back, "error"), Some("access_denied".to_owned()));
    table.is("A4", "iss on error", parameter(&back, "iss"), Some(PUBLIC.to_owned()));
    table.is("A3", "Deny makes no code", parameter(&back, "code"), None);
    for (scope, granted) in [
        ("openid email profile", "tools:read tools:write"),
        ("tools:read openid", "tools:read"),
        ("tools:read offline_access", "tools:read"),
    ] {
        let back = browser.allow(&query(client, &[("scope", scope)]), &["tools:write", "admin"]).await;
        let tokens = site.exchange(client, &parameter(&back, "code").unwrap()).await.json();
        table.is("A4", scope, tokens["scope"].as_str(), Some(granted));
    }
    for resource in [
        "",
        "https://mcp.example.com",
        "https://mcp.example.com/",
        "https://mcp.example.com/mcp",
        "https://mcp.example.com/mcp/",
    ] {
        let code = site.code(browser, client, &[("resource", resource)]).await;
        let tokens = site.exchange(client, &code).await.json();
        table.holds("A5", resource, site.reads(tokens["access_token"].as_str().unwrap()).await, "");
    }
    for resource in
        ["https://other.example.com/mcp", "https://mcp.example.com/other", "https://mcp.example.com/mcp#x", "mcp"]
    {
        let answer = browser.consent(&query(client, &[("resource", resource)])).await;
        is_a_page(table, "A5", resource, &answer, 400);
        table.says("A5", resource, &answer.text, "another server");
    }
    let confidential = site.client(json!({"redirect_uris": [CALLBACK]})).await;
    let (id, secret) = (confidential["client_id"].as_str().unwrap(), confidential["client_secret"].as_str().unwrap());
    let code = site.code(browser, id, &[("resource", PUBLIC)]).await;
    let mut pairs =
        vec![("grant_type", "authorization_code"), ("client_id", id), ("client_secret", secret), ("code", &code)];
    pairs.extend([("redirect_uri", CALLBACK), ("code_verifier", bridgehead_end_to_end::oauth::VERIFIER)]);
    let wrong: Vec<_> = pairs.iter().copied().chain([("resource", "https://other.example.com/")]).collect();
    let refused = site.post("/oauth/token", &wrong).await;
    table.is(
        "A5",
        "another resource at the token endpoint",
        (refused.status, refused.error()),
        (400, "invalid_target".to_owned()),
    );
    let tokens = site.post("/oauth/token", &pairs).await.json();
    let look = [("token", tokens["access_token"].as_str().unwrap()), ("client_id", id), ("client_secret", secret)];
    let introspected = site.post("/oauth/introspect", &look).await.json();
    table.is("A5", "the audience is the exact URL", &introspected["aud"], &json!("https://mcp.example.com/mcp"));
}

async fn consent(table: &mut Table, server: &TestServer, site: &Site, browser: &mut Browser<'_>, client: &str) {
    let first = browser.consent(&query(client, &[])).await;
    let second = browser.consent(&query(client, &[])).await;
    table.holds("A6", "a token for each render", first.hidden("csrf") != second.hidden("csrf"), "the same");
    let policy = first.header("content-security-policy");
    table.says("A6", "no frames", &policy, "frame-ancestors 'none'");
    table.is("A6", "no frames", first.header("x-frame-options"), "DENY");
    table.says("A6", "nothing from elsewhere", &policy, "default-src 'none'");
    table.holds("A7", "no form-action", !policy.contains("form-action"), &policy);
    table.says("A6", "the host of the redirect", &first.text, "<p class=\"host\">platform.duvo.ai</p>");
    table.says("A6", "self-registered", &first.text, "Unverified");
    table.is("A6", "not cached", first.header("cache-control"), "no-store");
    let hostile = json!({
        "client_name": "<script>alert(1)</script>\u{202e}\u{0} Duvo",
        "logo_uri": "https://evil.example/logo.png",
        "client_uri": "https://evil.example/",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
    });
    let registered = site.client(hostile).await;
    let page = browser.consent(&query(registered["client_id"].as_str().unwrap(), &[])).await;
    table.holds("A6", "a name is text", !page.text.contains("<script") && !page.text.contains('\u{202e}'), &page.text);
    table.holds("A6", "no logo is loaded", !page.text.contains("evil.example"), &page.text);
    browser.decide(&second, "allow", &["tools:write"]).await;
    let again = browser.consent(&query(client, &[])).await;
    table.is(
        "A6",
        "asked again, however often it was allowed",
        (again.status, again.text.contains("decision")),
        (200, true),
    );
    server.user("carol@example.com", PASSWORD, "tools:read").await;
    let mut carol = Browser::new(site);
    carol.sign_in("carol@example.com", PASSWORD).await;
    let page = carol.consent(&query(client, &[])).await;
    table.holds("A6", "nobody gives more than they have", !page.text.contains("tools:write"), &page.text);
    let back = carol.decide(&page, "allow", &["tools:write"]).await.goes_back_to();
    let tokens = site.exchange(client, &parameter(&back, "code").unwrap()).await.json();
    table.is("A6", "not even by hand", tokens["scope"].as_str(), Some("tools:read"));
}

async fn login(table: &mut Table, site: &Site, client: &str) {
    let mut browser = Browser::new(site);
    let sent = browser.consent(&query(client, &[])).await;
    table.is(
        "A8",
        "whoever is not signed in",
        (sent.status, sent.header("referrer-policy")),
        (303, "same-origin".to_owned()),
    );
    let page = browser.get(&sent.header("location")).await;
    table.is("A8", "the page", (page.status, page.header("referrer-policy")), (200, "same-origin".to_owned()));
    let pairs = [("mail", ALICE), ("password", PASSWORD), ("next", &page.hidden("next"))];
    let signed_in = browser.post("/login", &pairs).await;
    table.is(
        "A8",
        "back to the request",
        (signed_in.status, signed_in.header("location")),
        (303, format!("/oauth/authorize?{}", query(client, &[]))),
    );
    let cookie = signed_in.header("set-cookie");
    for part in ["__Host-bridgehead=bhw_", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
        table.says("A8", "the cookie", &cookie, part);
    }
    let old = browser.cookie.clone();
    browser.sign_in(ALICE, PASSWORD).await;
    table.holds("A8", "another session each time", browser.cookie != old, "the same");
    browser.cookie = old;
    table.is("A8", "and the old one is over", browser.get("/account").await.status, 303);
    let mut stranger = Browser::new(site);
    let wrong = stranger.post("/login", &[("mail", ALICE), ("password", "wrong")]).await;
    let unknown = stranger.post("/login", &[("mail", "nobody@example.com"), ("password", "wrong")]).await;
    table.is(
        "A8",
        "unknown people",
        (unknown.status, unknown.text.replace("nobody@example.com", ALICE)),
        (wrong.status, wrong.text),
    );
}

/// On http loopback, where browsers take no `__Host-` cookie.
async fn cookies(table: &mut Table) {
    let config = "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"oauth\"\n[store]\nurl = \"sqlite:bridgehead.db\"\n\
        [sources.db]\ntype = \"sql\"\nurl = \"sqlite:db.db\"\nseed = \"db.sql\"\ntools.find = { description = \"Finds.\", sql = \"SELECT 1 AS one\" }\n";
    let server = TestServer::with(config).file("db.sql", "CREATE TABLE t (x INTEGER)").start().await;
    server.user(ALICE, PASSWORD, "tools:read").await;
    let site = Site::of(&[&server]);
    let mut browser = Browser::new(&site);
    let origin = server.origin.clone();
    let answer = browser.post_from(&origin, "/login", &[("mail", ALICE), ("password", PASSWORD)]).await;
    let cookie = answer.header("set-cookie");
    table.is("A8", "signing in on loopback", answer.status, 303);
    table.holds("A8", "a plain name", cookie.starts_with("bridgehead=bhw_") && !cookie.contains("Secure"), &cookie);
    server.stop().await;
}

async fn first_user(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    let site = Site::of(&[&server]);
    for (mail, password) in [("admin", "admin"), ("admin@example.com", "password"), ("", "")] {
        let refused = Browser::new(&site).post("/login", &[("mail", mail), ("password", password)]).await;
        table.is("A8", "no password to begin with", refused.status, 403);
    }
    let FirstAdministrator::Link(link) = server.users.first_administrator().await.unwrap() else { panic!() };
    let page = site.get(&format!("{LINK_PATH}{}", link.text.expose())).await;
    table.is("A8", "the first one's link", (page.status, page.hidden("token")), (200, link.text.expose().to_owned()));
    server.clock.advance(std::time::Duration::from_secs(3600));
    let late = site.get(&format!("{LINK_PATH}{}", link.text.expose())).await;
    table.is("A8", "an hour later", late.status, 410);
    server.stop().await;
}
