//! The endpoint as a protected resource (RFC 6750, RFC 9728).

use bridgehead_end_to_end::oauth::{ALICE, Browser, CALLBACK, PASSWORD, PUBLIC, Site, parameter, query, warehouse};
use reqwest::Method;
use serde_json::json;

use crate::table::Table;

const CHALLENGE: &str = "Bearer realm=\"Warehouse\", \
    resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", scope=\"tools:read tools:write\"";

pub(crate) async fn rows(table: &mut Table) {
    let server = warehouse("", "mode = [\"oauth\", \"api_key\"]").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let client = site.public_client(CALLBACK).await;
    let tokens = site.connect(&client).await;
    let access = tokens["access_token"].as_str().unwrap().to_owned();

    side_by_side(table, &site, &access, &server.key(ALICE, "tools:read", None).await.1).await;
    challenges(table, &site, &client, &access).await;
    places(table, &site).await;
    endpoint(table, &site, &access).await;
    server.stop().await;

    without_oauth(table).await;
    narrowed(table).await;
    another_resource(table).await;
}

async fn without_oauth(table: &mut Table) {
    let server = warehouse("", "mode = \"api_key\"\n[auth.api_key]\nheader = \"X-Api-Key\"").start().await;
    let site = Site::of(&[&server]);
    let refused = site.rpc(None, "tools/list", json!({})).await;
    table.is("R1", "a key mode's challenge", refused.header("www-authenticate"), "Bearer realm=\"Warehouse\"");
    table.says("R1", "the body names the header", &refused.text, "X-Api-Key");
    for path in [
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/oauth/token",
        "/login",
    ] {
        let answer = site.get(path).await;
        table.is("R1", path, (answer.status, answer.header("content-type")), (404, "application/json".to_owned()));
    }
    server.stop().await;
}

async fn side_by_side(table: &mut Table, site: &Site, access: &str, key: &str) {
    table.holds("R1", "a token opens it", site.reads(access).await, "");
    table.holds("R1", "a key opens it", site.reads(key).await, "");
    let damaged_key = site.rpc(Some(&format!("{key}x")), "tools/list", json!({})).await;
    table.is("R1", "a key is judged as a key", damaged_key.error(), "damaged");
    let damaged = site.rpc(Some(&format!("{access}x")), "tools/list", json!({})).await;
    table.is("R1", "a token is judged as a token", damaged.error(), "damaged_token");
}

async fn challenges(table: &mut Table, site: &Site, client: &str, access: &str) {
    let bare = site.rpc(None, "tools/list", json!({})).await;
    table.is("R2", "no credentials", (bare.status, bare.header("www-authenticate")), (401, CHALLENGE.to_owned()));
    for (what, token) in [
        ("no token of ours", "eyJhbGciOiJub25lIn0.e30."),
        ("a token that nobody issued", "bha_AAAAAAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("half a token", &access[..access.len() - 1]),
    ] {
        let refused = site.rpc(Some(token), "tools/list", json!({})).await;
        table.is("R2", what, refused.status, 401);
        let start = format!("{CHALLENGE}, error=\"invalid_token\", error_description=\"");
        table.holds(
            "R2",
            what,
            refused.header("www-authenticate").starts_with(&start),
            &refused.header("www-authenticate"),
        );
    }
    for (what, value) in [("a token alone", access), ("nothing behind Bearer", "Bearer "), ("two words", "Bearer a b")]
    {
        let headers = [("authorization", value), ("content-type", "application/json")];
        let refused = site.send(Method::POST, "/mcp", &headers, "{}").await;
        table.is("R2", what, refused.status, 400);
        table.says("R2", what, &refused.header("www-authenticate"), "error=\"invalid_request\"");
    }
    let twice = [("authorization", "Bearer a"), ("authorization", "Bearer b")];
    table.is("R2", "two tokens", site.send(Method::POST, "/mcp", &twice, "{}").await.status, 400);

    let mut browser = Browser::new(site);
    browser.sign_in(ALICE, PASSWORD).await;
    let back = browser.allow(&query(client, &[]), &[]).await;
    let read = site.exchange(client, &parameter(&back, "code").unwrap()).await.json();
    let set = json!({"sku": "A-1", "location": "NORTH", "units": 1});
    let refused = site.call(read["access_token"].as_str(), "set_units", set).await;
    let insufficient = "Bearer realm=\"Warehouse\", \
        resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
        error=\"insufficient_scope\", scope=\"tools:read tools:write\"";
    table.is("R2", "too little", (refused.status, refused.header("www-authenticate")), (403, insufficient.to_owned()));
    table.is("R3", "write can be left out", read["scope"].as_str(), Some("tools:read"));
    table.is(
        "R3",
        "a request without scope asks for all",
        bare.header("www-authenticate").contains("tools:read tools:write"),
        true,
    );
    let writes = browser.allow(&query(client, &[("scope", "tools:write")]), &["tools:write"]).await;
    let writes = site.exchange(client, &parameter(&writes, "code").unwrap()).await.json();
    table.is("R3", "write implies read", writes["scope"].as_str(), Some("tools:read tools:write"));

    for (method, revision) in
        [("initialize", "2025-06-18"), ("tools/list", "2025-03-26"), ("server/discover", "2026-07-28")]
    {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}).to_string();
        let headers =
            [("content-type", "application/json"), ("mcp-protocol-version", revision), ("mcp-method", method)];
        let refused = site.send(Method::POST, "/mcp", &headers, message).await;
        table.is("R4", method, (refused.status, refused.header("www-authenticate")), (401, CHALLENGE.to_owned()));
    }
}

async fn narrowed(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"\n[auth.oauth]\ninitial_scopes = [\"tools:read\"]").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let bare = site.rpc(None, "tools/list", json!({})).await;
    table.says("R3", "initial_scopes narrows the challenge", &bare.header("www-authenticate"), "scope=\"tools:read\"");
    let metadata = site.get("/.well-known/oauth-protected-resource/mcp").await.json();
    table.is("R3", "and not what is supported", &metadata["scopes_supported"], &json!(["tools:read", "tools:write"]));
    let client = site.public_client(CALLBACK).await;
    table.is(
        "R3",
        "a request without scope gets it",
        site.connect(&client).await["scope"].as_str(),
        Some("tools:read"),
    );
    server.stop().await;
}

async fn places(table: &mut Table, site: &Site) {
    let expected = json!({
        "resource": "https://mcp.example.com/mcp",
        "authorization_servers": ["https://mcp.example.com"],
        "scopes_supported": ["tools:read", "tools:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Warehouse",
    });
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/mcp/.well-known/oauth-protected-resource",
    ] {
        let answer = site.get(path).await;
        table.is("R5", path, (answer.status, answer.json()), (200, expected.clone()));
        table.is("R5", path, answer.header("content-type"), "application/json");
        let foreign = site.send(Method::GET, path, &[("origin", "https://inspector.example")], "").await;
        table.is("R5", "any page may read it", foreign.header("access-control-allow-origin"), "*");
        table.is("R5", "and never with cookies", foreign.header("access-control-allow-credentials"), "");
        let head = site.send(Method::HEAD, path, &[], "").await;
        table.is("R5", "HEAD", (head.status, head.text), (200, String::new()));
        let asks = [
            ("origin", "https://inspector.example"),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "mcp-protocol-version"),
        ];
        let preflight = site.send(Method::OPTIONS, path, &asks, "").await;
        table.is(
            "R5",
            "a preflight",
            (preflight.status, preflight.header("access-control-allow-origin")),
            (200, "*".to_owned()),
        );
        table.says("R5", "a preflight", &preflight.header("access-control-allow-headers"), "mcp-protocol-version");
    }
    for path in [
        "/.well-known/",
        "/.well-known/jwks.json",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/oauth-authorization-server/mcp/x",
    ] {
        let answer = site.get(path).await;
        table.is(
            "R9",
            path,
            (answer.status, answer.header("content-type"), answer.error()),
            (404, "application/json".to_owned(), "not_found".to_owned()),
        );
    }
}

async fn endpoint(table: &mut Table, site: &Site, access: &str) {
    let in_query = format!("/mcp?access_token={access}");
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let refused = site.send(Method::POST, &in_query, &[("content-type", "application/json")], message.clone()).await;
    table.is("R6", "a token in the query", (refused.status, refused.error()), (401, "missing".to_owned()));

    for host in ["localhost:1", "127.0.0.1"] {
        let answer = site.send(Method::GET, "/.well-known/oauth-protected-resource", &[("host", host)], "").await;
        table.is(
            "R7",
            "asked for under another name",
            &answer.json()["resource"],
            &json!("https://mcp.example.com/mcp"),
        );
        let server = site.send(Method::GET, "/.well-known/oauth-authorization-server", &[("host", host)], "").await;
        table.is("R7", "asked for under another name", &server.json()["issuer"], &json!(PUBLIC));
    }
    let forwarded = [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http")];
    let answer = site.send(Method::GET, "/.well-known/oauth-authorization-server", &forwarded, "").await;
    table.is("R7", "forwarded headers change nothing", &answer.json()["issuer"], &json!(PUBLIC));
    let bearer = format!("Bearer {access}");
    for path in ["/mcp", "/mcp/"] {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        table.is("R7", path, site.send(Method::POST, path, &headers, message.clone()).await.status, 200);
        let got = site.send(Method::GET, path, &headers, "").await;
        table.is("R8", "an authenticated GET", (got.status, got.header("allow")), (405, "POST, OPTIONS".to_owned()));
        let anonymous = site.get(path).await;
        table.is(
            "R8",
            "an anonymous GET",
            (anonymous.status, anonymous.header("www-authenticate")),
            (401, CHALLENGE.to_owned()),
        );
    }
}

/// Another server on the same store, with the same root keys and another address outside.
async fn another_resource(table: &mut Table) {
    let here = warehouse("", "mode = \"oauth\"").start().await;
    here.user(ALICE, PASSWORD, "tools:read").await;
    let site = Site::of(&[&here]);
    let tokens = site.connect(&site.public_client(CALLBACK).await).await;
    let access = tokens["access_token"].as_str().unwrap();
    let elsewhere = crate::threats::same_store(&here, "https://other.example.com", "").start().await;
    let refused = Site::of(&[&elsewhere]).rpc(Some(access), "tools/list", json!({})).await;
    table.is(
        "R6",
        "a token for another resource",
        (refused.status, refused.error()),
        (401, "unknown_token".to_owned()),
    );
    table.holds("R6", "and here it is good", site.reads(access).await, "");
    elsewhere.stop().await;
    here.stop().await;
}
