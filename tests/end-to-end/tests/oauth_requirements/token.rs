//! The token, revocation and introspection endpoints (RFC 6749 §3.2, RFC 7009, RFC 7662).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_end_to_end::oauth::{
    ALICE, Browser, CALLBACK, PASSWORD, PUBLIC, Site, VERIFIER, parameter, query, warehouse,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::table::Table;

pub(crate) async fn rows(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    forms(table, &site, &client).await;
    clients(table, &site, &mut browser).await;
    codes(table, &site, &mut browser, &client).await;
    refresh(table, &site, &mut browser, &client).await;
    given_back(table, &site, &mut browser).await;
    lifetimes(table, &server.clock, &site, &client).await;
    server.stop().await;
}

fn code_pairs<'a>(client: &'a str, code: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("client_id", client),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

/// With one parameter in the place of another of its name.
fn with<'a>(pairs: &[(&'a str, &'a str)], name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    pairs.iter().copied().filter(|(other, _)| *other != name).chain([(name, value)]).collect()
}

async fn forms(table: &mut Table, site: &Site, client: &str) {
    let as_json = json!({"grant_type": "authorization_code", "client_id": client}).to_string();
    let refused = site.send(Method::POST, "/oauth/token", &[("content-type", "application/json")], as_json).await;
    table.is("T1", "JSON", (refused.status, refused.error()), (400, "invalid_request".to_owned()));
    for (what, pairs, status, error) in [
        ("nothing", vec![], 400, "invalid_request"),
        ("no grant type", vec![("client_id", client)], 400, "invalid_request"),
        ("a password grant", vec![("grant_type", "password"), ("client_id", client)], 400, "unsupported_grant_type"),
        ("no client", vec![("grant_type", "refresh_token"), ("refresh_token", "x")], 401, "invalid_client"),
        (
            "an unknown client",
            vec![("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "bhi_AAAAAAAAAAAA")],
            401,
            "invalid_client",
        ),
        ("no code", vec![("grant_type", "authorization_code"), ("client_id", client)], 400, "invalid_request"),
        ("no code of ours", code_pairs(client, "x"), 400, "invalid_grant"),
        ("a parameter twice", [code_pairs(client, "x"), vec![("code", "y")]].concat(), 400, "invalid_request"),
    ] {
        let refused = site.post("/oauth/token", &pairs).await;
        table.is("T1", what, (refused.status, refused.error()), (status, error.to_owned()));
        let headers = (refused.header("content-type"), refused.header("cache-control"));
        table.is("T1", what, headers, ("application/json".to_owned(), "no-store".to_owned()));
    }
    let got = site.get("/oauth/token").await;
    table.is("T1", "GET", (got.status, got.header("allow")), (405, "POST".to_owned()));
    let asks = [("origin", "https://inspector.example"), ("access-control-request-method", "POST")];
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/register"] {
        let preflight = site.send(Method::OPTIONS, path, &asks, "").await;
        table.is(
            "T1",
            "a preflight",
            (preflight.status, preflight.header("access-control-allow-origin")),
            (200, "*".to_owned()),
        );
        let posted = site.post_with(path, &[asks[0]], &[]).await;
        table.is("T1", "any page may read it", posted.header("access-control-allow-origin"), "*");
        table.is("T1", "and never with cookies", posted.header("access-control-allow-credentials"), "");
    }
}

/// The ways in which a client proves who it is.
async fn clients(table: &mut Table, site: &Site, browser: &mut Browser<'_>) {
    let registered = site.client(json!({"redirect_uris": [CALLBACK]})).await;
    let (id, secret) = (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let basic = |id: &str, secret: &str| format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let code = site.code(browser, id, &[]).await;
    let pairs = code_pairs(id, &code);
    let other = site.client(json!({"redirect_uris": [CALLBACK]})).await;
    let wrong = other["client_secret"].as_str().unwrap();
    for (what, header, secret_pair, status) in [
        ("no secret", None, None, 401),
        ("another's secret in the body", None, Some(wrong), 401),
        ("another's secret in the header", Some(basic(id, wrong)), None, 401),
        ("another's id in the header", Some(basic(other["client_id"].as_str().unwrap(), wrong)), None, 400),
        ("both ways at once", Some(basic(id, secret)), Some(secret), 400),
        ("no Basic", Some("Basic !".to_owned()), None, 401),
    ] {
        let headers: Vec<_> = header.iter().map(|value| ("authorization", value.as_str())).collect();
        let all: Vec<_> = pairs.iter().copied().chain(secret_pair.map(|secret| ("client_secret", secret))).collect();
        let refused = site.post_with("/oauth/token", &headers, &all).await;
        table.is("T1", what, refused.status, status);
        let challenge = refused.header("www-authenticate");
        table.is("T1", what, challenge.starts_with("Basic"), header.is_some() && status == 401);
    }
    let by_header = site.post_with("/oauth/token", &[("authorization", &basic(id, secret))], &pairs).await;
    table.is("T1", "none of which used the code up; by the header", by_header.status, 200);
    let code = site.code(browser, id, &[]).await;
    let pairs = [code_pairs(id, &code), vec![("client_secret", secret)]].concat();
    table.is("T1", "by the body, where Basic is registered", site.post("/oauth/token", &pairs).await.status, 200);
}

async fn codes(table: &mut Table, site: &Site, browser: &mut Browser<'_>, client: &str) {
    let code = site.code(browser, client, &[]).await;
    let pairs = code_pairs(client, &code);
    for (name, value, error) in [
        ("redirect_uri", "https://platform.duvo.ai/other", "invalid_grant"),
        ("code_verifier", "another-verifier-of-43-characters-and-then-some", "invalid_grant"),
        ("code_verifier", "", "invalid_request"),
        ("resource", "https://other.example.com/mcp", "invalid_target"),
    ] {
        let refused = site.post("/oauth/token", &with(&pairs, name, value)).await;
        table.is("T1", name, (refused.status, refused.error()), (400, error.to_owned()));
    }
    // OAuth 2.1 §10.2: who proves the flow by PKCE need not repeat it.
    let tokens = site.post("/oauth/token", &with(&pairs, "redirect_uri", "")).await;
    table.is("T1", "none of which used the code up; without redirect_uri", tokens.status, 200);
    let tokens = tokens.json();
    table.is("T2", "the type", &tokens["token_type"], &json!("Bearer"));
    table.is("T2", "15 minutes", &tokens["expires_in"], &json!(900));
    let access = tokens["access_token"].as_str().unwrap();
    table.holds("T2", "good", site.reads(access).await, "");
    let replayed = site.post("/oauth/token", &pairs).await;
    table.is("T2", "once", (replayed.status, replayed.error()), (400, "invalid_grant".to_owned()));
    table.is(
        "T2",
        "a replay revokes the access token",
        site.rpc(Some(access), "tools/list", json!({})).await.error(),
        "revoked_token",
    );
    let refreshed = site.refresh(client, tokens["refresh_token"].as_str().unwrap()).await;
    table.is("T2", "and the refresh token", refreshed.error(), "invalid_grant");
}

async fn refresh(table: &mut Table, site: &Site, browser: &mut Browser<'_>, client: &str) {
    let fresh = async |browser: &mut Browser<'_>| -> Value {
        let code = site.code(browser, client, &[]).await;
        site.exchange(client, &code).await.json()
    };
    let text = |answer: &Value, name: &str| answer[name].as_str().unwrap().to_owned();
    let tokens = fresh(browser).await;
    let first = text(&tokens, "refresh_token");
    let one = site.refresh(client, &first).await.json();
    let other = site.refresh(client, &first).await.json();
    let second = text(&one, "refresh_token");
    table.holds("T3", "it rotates", second != first, "the same");
    table.is("T3", "racing holders get the same", text(&other, "refresh_token"), second.clone());
    for (what, tokens) in [("the first access token", &tokens), ("the second", &one), ("the racing one's", &other)] {
        table.holds("T3", what, site.reads(&text(tokens, "access_token")).await, "");
    }
    table.is("T3", "scope is told", &one["scope"], &json!("tools:read tools:write"));
    let third = site.refresh(client, &second).await.json();
    let reused = site.refresh(client, &first).await;
    table.is("T3", "after the successor's use", (reused.status, reused.error()), (400, "invalid_grant".to_owned()));
    let after = site.refresh(client, &text(&third, "refresh_token")).await;
    table.is("T3", "the family is revoked", after.error(), "invalid_grant");
    table.is(
        "T3",
        "its access tokens as well",
        site.rpc(Some(&text(&third, "access_token")), "tools/list", json!({})).await.status,
        401,
    );

    let tokens = fresh(browser).await;
    let pairs = |token: &str, scope: &str| {
        [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token), ("scope", scope)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let post = async |pairs: [(String, String); 4]| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        site.post("/oauth/token", &pairs).await
    };
    let narrow = post(pairs(&text(&tokens, "refresh_token"), "tools:read")).await.json();
    table.is("T3", "narrower", &narrow["scope"], &json!("tools:read"));
    let whole = site.refresh(client, &text(&narrow, "refresh_token")).await.json();
    table.is("T3", "and back to all that was allowed", &whole["scope"], &json!("tools:read tools:write"));
    let back = browser.allow(&query(client, &[]), &[]).await;
    let reading = site.exchange(client, &parameter(&back, "code").unwrap()).await.json();
    for scope in ["tools:read tools:write", "tools:write"] {
        let wide = post(pairs(&text(&reading, "refresh_token"), scope)).await;
        table.is("T3", "wider", (wide.status, wide.error()), (400, "invalid_scope".to_owned()));
    }
    let unknown = post(pairs(&text(&reading, "refresh_token"), "tools:read admin")).await.json();
    table.is("T3", "with one that is not known", &unknown["scope"], &json!("tools:read"));
    let stranger = site.public_client(CALLBACK).await;
    let stolen = site.refresh(&stranger, &text(&whole, "refresh_token")).await;
    table.is("T3", "another client", stolen.error(), "invalid_grant");
    table.is(
        "T3",
        "which changes nothing for its owner",
        site.refresh(client, &text(&whole, "refresh_token")).await.status,
        200,
    );
}

async fn given_back(table: &mut Table, site: &Site, browser: &mut Browser<'_>) {
    let registered =
        site.client(json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "client_secret_post"})).await;
    let (id, secret) = (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let proof = [("client_id", id), ("client_secret", secret)];
    let fresh = async |browser: &mut Browser<'_>| -> Value {
        let code = site.code(browser, id, &[]).await;
        site.post("/oauth/token", &[code_pairs(id, &code), vec![("client_secret", secret)]].concat()).await.json()
    };
    let tokens = fresh(browser).await;
    let access = tokens["access_token"].as_str().unwrap();
    let look =
        async |token: &str| site.post("/oauth/introspect", &[&proof[..], &[("token", token)]].concat()).await.json();
    let seen = look(access).await;
    for (name, value) in [
        ("active", json!(true)),
        ("scope", json!("tools:read tools:write")),
        ("sub", json!(ALICE)),
        ("client_id", json!(id)),
        ("iss", json!(PUBLIC)),
        ("aud", json!("https://mcp.example.com/mcp")),
    ] {
        table.is("T4", name, &seen[name], &value);
    }
    table.is("T4", "no token of ours", look("x").await, json!({"active": false}));
    let anonymous = site.post("/oauth/introspect", &[("token", access)]).await;
    table.is("T4", "by nobody", (anonymous.status, anonymous.error()), (401, "invalid_client".to_owned()));
    let public = site.public_client(CALLBACK).await;
    let refused = site.post("/oauth/introspect", &[("token", access), ("client_id", &public)]).await;
    table.is(
        "T4",
        "by a client without a secret",
        (refused.status, refused.error()),
        (401, "invalid_client".to_owned()),
    );
    let foreign = site.post("/oauth/revoke", &[("client_id", &public), ("token", access)]).await;
    table.is("T4", "another client gives it back", foreign.status, 200);
    table.holds("T4", "which changes nothing", site.reads(access).await, "");
    let unknown = site.post("/oauth/revoke", &[&proof[..], &[("token", "x")]].concat()).await;
    table.is("T4", "an unknown token", (unknown.status, unknown.text), (200, String::new()));
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let revoked = site
        .post("/oauth/revoke", &[&proof[..], &[("token", refresh), ("token_type_hint", "access_token")]].concat())
        .await;
    table.is(
        "T4",
        "the refresh token",
        (revoked.status, revoked.header("cache-control")),
        (200, "no-store".to_owned()),
    );
    table.is("T4", "takes the access token along", site.rpc(Some(access), "tools/list", json!({})).await.status, 401);
    table.is("T4", "and it is not active", look(access).await, json!({"active": false}));
}

/// Last, since it moves the clock.
async fn lifetimes(table: &mut Table, clock: &bridgehead_harness::MovableClock, site: &Site, client: &str) {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = Duration::from_secs;
    let mut browser = Browser::new(site);
    browser.sign_in(ALICE, PASSWORD).await;
    let code = site.code(&mut browser, client, &[]).await;
    clock.advance(seconds(59));
    let tokens = site.exchange(client, &code).await;
    table.is("T2", "a code after 59 seconds", tokens.status, 200);
    let code = site.code(&mut browser, client, &[]).await;
    clock.advance(seconds(60));
    table.is("T2", "and after 60", site.exchange(client, &code).await.error(), "invalid_grant");
    let tokens = tokens.json();
    let access = tokens["access_token"].as_str().unwrap();
    clock.advance(seconds(15 * 60 - 61));
    table.holds("T2", "a token after 14:59", site.reads(access).await, "");
    clock.advance(seconds(1));
    table.is("T2", "and after 15:00", site.rpc(Some(access), "tools/list", json!({})).await.error(), "expired_token");
    let renewed = site.refresh(client, tokens["refresh_token"].as_str().unwrap()).await.json();
    let mut refresh = renewed["refresh_token"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        clock.advance(seconds(30 * DAY - 1));
        let next = site.refresh(client, &refresh).await;
        table.is("T2", "a refresh token within 30 days of its last use", next.status, 200);
        refresh = next.json()["refresh_token"].as_str().unwrap().to_owned();
    }
    clock.advance(seconds(29 * DAY));
    let last = site.refresh(client, &refresh).await;
    table.is("T2", "179 days after the sign-in", last.status, 200);
    clock.advance(seconds(2 * DAY));
    let over = site.refresh(client, last.json()["refresh_token"].as_str().unwrap()).await;
    table.is("T2", "181 days after it, however often it was used", over.error(), "invalid_grant");
    // The client has been cleared away meanwhile.
    let client = &site.public_client(CALLBACK).await;
    let tokens = site.connect(client).await;
    clock.advance(seconds(30 * DAY));
    let late = site.refresh(client, tokens["refresh_token"].as_str().unwrap()).await;
    table.is("T2", "30 days without a use", late.error(), "invalid_grant");
    let client = &site.public_client(CALLBACK).await;
    let mut browser = Browser::new(site);
    browser.sign_in(ALICE, PASSWORD).await;
    let page = browser.consent(&query(client, &[])).await;
    clock.advance(seconds(60 * 60));
    let late = browser.decide(&page, "allow", &[]).await;
    table.is(
        "T2",
        "a consent page that was open for an hour",
        (late.status, late.text.contains("open for too long")),
        (400, true),
    );
}
