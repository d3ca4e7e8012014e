//! Registration (RFC 7591, RFC 7592), clients with a metadata document, and those that the operator
//! makes.

use std::time::Duration;

use bridgehead_auth::issuer::{NewClient, Preset};
use bridgehead_end_to_end::oauth::{ALICE, Browser, CALLBACK, PASSWORD, PUBLIC, Site, query, warehouse};
use bridgehead_harness::TestServer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{table::Table, threats_outside::Outside};

pub(crate) async fn rows(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    answers(table, &Site::of(&[&server])).await;
    managed(table, &Site::of(&[&server]).from("198.51.100.1")).await;
    redirects(table, &Site::of(&[&server]).from("198.51.100.2")).await;
    kept(table, &server).await;
    server.stop().await;
    documents(table).await;
    made_by_the_operator(table).await;
}

async fn answers(table: &mut Table, site: &Site) {
    let metadata = json!({
        "client_name": "Duvo",
        "redirect_uris": [CALLBACK],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "application_type": "web",
        "scope": "tools:read",
        "client_uri": "https://duvo.ai/",
        "contacts": ["ops@duvo.ai"],
        "software_id": "duvo",
        "unknown": {"of": "no interest"},
    });
    let answer = site.register(&metadata).await;
    table.is("C1", "201", (answer.status, answer.header("cache-control")), (201, "no-store".to_owned()));
    let registered = answer.json();
    for name in [
        "client_name",
        "redirect_uris",
        "response_types",
        "application_type",
        "scope",
        "client_uri",
        "contacts",
        "software_id",
    ] {
        table.is("C1", name, &registered[name], &metadata[name]);
    }
    table.is("C1", "the method by default", &registered["token_endpoint_auth_method"], &json!("client_secret_basic"));
    table.holds(
        "C1",
        "with a secret",
        registered["client_secret"].as_str().is_some_and(|text| text.starts_with("bhx_")),
        "",
    );
    table.is("C1", "which does not expire", &registered["client_secret_expires_at"], &json!(0));
    table.holds("C1", "since when", registered["client_id_issued_at"].is_i64(), "");
    table.is(
        "C2",
        "refresh_token is among them, asked for or not",
        &registered["grant_types"],
        &json!(["authorization_code", "refresh_token"]),
    );
    let public = site.client(json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"})).await;
    table.is(
        "C1",
        "no secret with none",
        (&public["client_secret"], &public["client_secret_expires_at"]),
        (&Value::Null, &Value::Null),
    );
    for (what, body, error) in [
        ("no JSON", "x".to_owned(), "invalid_client_metadata"),
        ("a list", "[]".to_owned(), "invalid_client_metadata"),
        ("no redirect", "{}".to_owned(), "invalid_redirect_uri"),
        (
            "another flow",
            json!({"redirect_uris": [CALLBACK], "grant_types": ["implicit"]}).to_string(),
            "invalid_client_metadata",
        ),
        (
            "another method",
            json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "tls_client_auth"}).to_string(),
            "invalid_client_metadata",
        ),
        (
            "a number for a name",
            json!({"redirect_uris": [CALLBACK], "client_name": 7}).to_string(),
            "invalid_client_metadata",
        ),
    ] {
        let refused = site.send(Method::POST, "/oauth/register", &[("content-type", "application/json")], body).await;
        table.is("C1", what, (refused.status, refused.error()), (400, error.to_owned()));
    }
    let form = site.post("/oauth/register", &[("redirect_uris", CALLBACK)]).await;
    table.is("C1", "a form", (form.status, form.error()), (400, "invalid_client_metadata".to_owned()));
}

async fn managed(table: &mut Table, site: &Site) {
    let registered = site.client(json!({"client_name": "Duvo", "redirect_uris": [CALLBACK]})).await;
    let other = site.client(json!({"redirect_uris": [CALLBACK]})).await;
    let path = registered["registration_client_uri"].as_str().unwrap().strip_prefix(PUBLIC).unwrap();
    let bearer = |answer: &Value| format!("Bearer {}", answer["registration_access_token"].as_str().unwrap());
    let (own, others) = (bearer(&registered), bearer(&other));
    let send = async |method: Method, token: &str| {
        let headers = [("authorization", token), ("content-type", "application/json")];
        site.send(method, path, &headers[usize::from(token.is_empty())..], "{}").await
    };
    for method in [Method::GET, Method::DELETE, Method::PUT] {
        for (what, token, challenge) in [
            ("without a token", "", "Bearer realm=\"registration\""),
            ("with another's token", others.as_str(), "Bearer realm=\"registration\", error=\"invalid_token\""),
        ] {
            let refused = send(method.clone(), token).await;
            table.is("C2", what, (refused.status, refused.header("www-authenticate")), (401, challenge.to_owned()));
        }
    }
    let shown = send(Method::GET, &own).await;
    table.is("C2", "GET", (shown.status, shown.header("cache-control")), (200, "no-store".to_owned()));
    table.is("C2", "it is the same", &shown.json()["client_name"], &json!("Duvo"));
    table.is("C2", "without the secret", &shown.json()["client_secret"], &Value::Null);
    let changed = send(Method::PUT, &own).await;
    table.is("C2", "PUT", (changed.status, changed.header("allow")), (405, "GET, HEAD, DELETE".to_owned()));
    table.says("C2", "with a reason", &changed.text, "register again");
    let posted = send(Method::POST, &own).await;
    table.is("C2", "POST", posted.status, 405);
    table.is("C2", "DELETE", send(Method::DELETE, &own).await.status, 204);
    table.is("C2", "and it is gone", send(Method::GET, &own).await.status, 401);
}

async fn redirects(table: &mut Table, site: &Site) {
    let register = async |uris: &[&str]| {
        site.register(&json!({"redirect_uris": uris, "token_endpoint_auth_method": "none"})).await
    };
    let cursor = [
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "http://localhost:8787/callback",
    ];
    table.is("C3", "Cursor's three", register(&cursor).await.status, 201);
    for uri in [
        "vscode://ms.mcp/callback",
        "https://vscode.dev/redirect",
        "http://127.0.0.1:33418/",
        "com.example.app:/callback",
    ] {
        table.is("C3", uri, register(&[uri]).await.status, 201);
    }
    for bad in ["http://evil.example/cb", "javascript:alert(1)", "https://user@evil.example/cb"] {
        let refused = register(&[CALLBACK, bad, cursor[1]]).await;
        table.is("C3", bad, (refused.status, refused.error()), (400, "invalid_redirect_uri".to_owned()));
        table.says("C3", "which one", &refused.text, "redirect_uris[1]");
    }
}

/// Last on its server, since it moves the clock.
async fn kept(table: &mut Table, server: &TestServer) {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let site = Site::of(&[server]).from("198.51.100.3");
    let mut ids = Vec::new();
    let limit = server.issuer().settings().limits.registrations_per_address.count;
    for _ in 0..limit {
        ids.push(site.public_client(CALLBACK).await);
    }
    let refused = site.register(&json!({"redirect_uris": [CALLBACK]})).await;
    table.is("C4", "one more than the limit within an hour", refused.status, 429);
    table.holds(
        "C4",
        "with the time to wait",
        refused.header("retry-after").parse::<u64>().is_ok_and(|wait| (1..=3600).contains(&wait)),
        &refused.header("retry-after"),
    );
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    table.is("C4", "no two alike", distinct.len(), ids.len());
    server.clock.advance(29 * DAY);
    server.issuer().sweep().await.unwrap();
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    table.is("C4", "an unused one after 29 days", browser.consent(&query(&ids[0], &[])).await.status, 200);
    let code = site.code(&mut browser, &ids[1], &[]).await;
    let tokens = site.exchange(&ids[1], &code).await.json();
    server.clock.advance(DAY + Duration::from_secs(1));
    server.issuer().sweep().await.unwrap();
    browser.sign_in(ALICE, PASSWORD).await;
    table.is("C4", "after 30", browser.consent(&query(&ids[2], &[])).await.status, 400);
    table.is("C4", "one with an open flow stays", browser.consent(&query(&ids[0], &[])).await.status, 200);
    server.clock.advance(28 * DAY);
    let refreshed = site.refresh(&ids[1], tokens["refresh_token"].as_str().unwrap()).await.json();
    server.clock.advance(29 * DAY);
    server.issuer().sweep().await.unwrap();
    let refreshed = site.refresh(&ids[1], refreshed["refresh_token"].as_str().unwrap()).await;
    table.is("C4", "one with a live grant stays", refreshed.status, 200);
}

async fn documents(table: &mut Table) {
    const ID: &str = "https://client.example/mcp.json";
    let document = |more: Value| {
        let mut document = json!({"client_id": ID, "client_name": "Claude", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document.to_string()
    };
    let outside = Outside::new("client.example");
    let server = outside.server(warehouse("", "mode = \"oauth\"")).await.start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    for (what, answer) in [
        ("not found", outside.answer("404 Not Found", "application/json", &document(json!({})))),
        ("a redirect", outside.answer("302 Found\r\nlocation: https://client.example/other", "application/json", "")),
        ("HTML", outside.answer("200 OK", "text/html", &document(json!({})))),
        ("no JSON", outside.answer("200 OK", "application/json", "x")),
        (
            "more than 5 KB",
            outside.answer("200 OK", "application/json", &document(json!({"filler": "x".repeat(5200)}))),
        ),
        (
            "another's",
            outside.answer(
                "200 OK",
                "application/json",
                &document(json!({"client_id": "https://client.example/other.json"})),
            ),
        ),
        ("a secret", outside.answer("200 OK", "application/json", &document(json!({"client_secret": "x"})))),
        (
            "a method with a secret",
            outside.answer(
                "200 OK",
                "application/json",
                &document(json!({"token_endpoint_auth_method": "client_secret_basic"})),
            ),
        ),
        (
            "a bad redirect",
            outside.answer("200 OK", "application/json", &document(json!({"redirect_uris": ["http://evil.example/"]}))),
        ),
    ] {
        outside.serve(answer);
        table.is("C5", what, browser.consent(&query(ID, &[])).await.status, 400);
    }
    outside.serve(outside.answer("200 OK", "application/json", &document(json!({}))));
    let page = browser.consent(&query(ID, &[])).await;
    table.is("C5", "a good one, at once: no error was kept", page.status, 200);
    table.says("C5", "its host stands for it", &page.text, "Verified by client.example");
    outside.serve(outside.answer("500 Internal Server Error", "text/plain", ""));
    let tokens = site.connect(ID).await;
    table.holds(
        "C5",
        "a copy outlives a host that is down",
        site.reads(tokens["access_token"].as_str().unwrap()).await,
        "",
    );
    for id in [
        "http://client.example/mcp.json",
        "https://client.example",
        "https://client.example/",
        "https://client.example/a/../mcp.json",
        "https://user@client.example/mcp.json",
        "https://client.example/mcp.json#x",
        "https://client.example/%2e%2e/mcp.json",
    ] {
        table.is("C5", id, browser.consent(&query(id, &[])).await.status, 400);
    }
    server.stop().await;
}

async fn made_by_the_operator(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"\n[auth.oauth]\nregistration = \"closed\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let new = NewClient { preset: Some(Preset::Duvo), ..NewClient::default() };
    let (client, secret) = server.issuer().add_client(new).await.unwrap();
    let (id, secret) = (client.id.to_string(), secret.unwrap());
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    let page = browser.consent(&query(&id, &[])).await;
    table.says("C6", "the operator's word", &page.text, "Known here");
    table.says("C6", "Duvo's redirect", &page.text, "platform.duvo.ai");
    let code = site.code(&mut browser, &id, &[]).await;
    let pairs = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("client_secret", secret.expose()),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", bridgehead_end_to_end::oauth::VERIFIER),
    ];
    let tokens = site.post("/oauth/token", &pairs).await;
    table.is("C6", "id and secret are enough", tokens.status, 200);
    table.holds("C6", "and the tool answers", site.reads(tokens.json()["access_token"].as_str().unwrap()).await, "");
    let refused = site.register(&json!({"redirect_uris": [CALLBACK]})).await;
    table.is(
        "C6",
        "nobody registers by themselves",
        (refused.status, refused.error()),
        (403, "access_denied".to_owned()),
    );
    let metadata = site.get("/.well-known/oauth-authorization-server").await.json();
    table.is(
        "C6",
        "nor is it advertised",
        (&metadata["registration_endpoint"], &metadata["client_id_metadata_document_supported"]),
        (&Value::Null, &json!(false)),
    );
    table.is(
        "C6",
        "nor by a document",
        browser.consent(&query("https://client.example/mcp.json", &[])).await.status,
        400,
    );
    server.issuer().revoke_client(&client.id).await.unwrap();
    table.is("C6", "revoked, it connects nobody", browser.consent(&query(&id, &[])).await.status, 400);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", id.as_str()),
        ("client_secret", secret.expose()),
        ("refresh_token", tokens.json()["refresh_token"].as_str().unwrap_or_default()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let refresh: Vec<_> = refresh.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    table.is("C6", "nor keeps anything", site.post("/oauth/token", &refresh).await.error(), "invalid_client");
    server.stop().await;
}
