//! What reaches the system behind in each way of signing in (A2, A3, P2): over real sockets on both
//! sides, with every request to the upstream recorded whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_harness::{
    TestServer,
    upstream::{Recorded, Upstream},
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// A server with one HTTP source; `auth` and `credential` are the case's.
async fn server(auth: &str, credential: &str, upstream: &Upstream) -> TestServer {
    let origin = &upstream.origin;
    let config = format!(
        "name = \"CRM\"\n[server]\nlisten = \"127.0.0.1:0\"\n{auth}\n[store]\nurl = \"sqlite:bridgehead.db\"\n\
         [sources.crm]\ntype = \"http\"\n{credential}\n\
         [sources.crm.tools.look]\ndescription = \"Looks at one customer.\"\n\
         request = {{ url = \"{origin}/ok/{{id}}\" }}\n\
         parameters.id = {{ type = \"string\", description = \"Which\" }}\n"
    );
    TestServer::with(&config).start().await
}

fn call() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look", "arguments": {"id": "7"}}})
        .to_string()
}

/// What every client of MCP sends, and a little of what a browser or a proxy may add.
fn with_client_headers(request: RequestBuilder) -> RequestBuilder {
    request
        .header("mcp-protocol-version", "2025-11-25")
        .header("mcp-session-id", "client-session")
        .header("cookie", "theirs=1")
        .header("x-forwarded-for", "192.0.2.7")
        .body(call())
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = with_client_headers(request).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Nothing of the client's own request reaches the upstream but what is meant for it.
fn only(request: &Recorded, expected: &[(&str, &str)]) {
    for (name, value) in expected {
        assert_eq!(request.header(name), Some(*value), "{}", request.head);
    }
    let allowed = ["host", "accept", "accept-encoding", "user-agent", "content-length", "content-type"];
    for line in request.head.lines().skip(1) {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        let meant = expected.iter().any(|(expected, _)| *expected == name);
        assert!(meant || allowed.contains(&name.as_str()), "`{line}` has no business there");
    }
}

#[tokio::test]
async fn an_issued_key_never_leaves_and_the_fixed_credential_goes() {
    let upstream = Upstream::start().await;
    let fixed = "credential = { header = \"X-Api-Key\", value = \"system-secret\" }";
    let server = server("[auth]\nmode = \"api_key\"", fixed, &upstream).await;
    let (_, key) = server.key("alice@example.com", "tools:read", None).await;
    let (status, body) = answer(server.post().bearer_auth(&key)).await;
    assert_eq!((status, &body["result"]["structuredContent"]["name"]), (200, &json!("Mug")), "{body}");
    let requests = upstream.take();
    assert_eq!(requests.len(), 1);
    only(&requests[0], &[("x-api-key", "system-secret")]);
    assert!(!requests[0].head.contains(&key));
    assert_eq!(requests[0].path(), "/ok/7");
    // Refused sign-ins reach nothing.
    assert_eq!(answer(server.post().bearer_auth("bhk_wrong")).await.0, 401);
    assert_eq!(upstream.take().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_the_system_behind_is_handed_through_after_the_probe() {
    let upstream = Upstream::start().await;
    let auth = "[auth]\nmode = \"api_key\"\n[auth.api_key]\nverify = \"upstream\"\n\
                probe = { source = \"crm\", method = \"GET\", path = \"/me\", subject = \"/email\" }";
    let server = server(auth, "credential = { from = \"caller\" }", &upstream).await;
    let (status, body) = answer(server.post().bearer_auth("their-own-key")).await;
    assert_eq!(status, 200, "{body}");
    let requests = upstream.take();
    assert_eq!(requests.iter().map(Recorded::path).collect::<Vec<_>>(), ["/me", "/ok/7"]);
    for request in &requests {
        only(request, &[("authorization", "Bearer their-own-key")]);
    }
    // Remembered for minutes: the second call asks for nothing again.
    assert_eq!(answer(server.post().bearer_auth("their-own-key")).await.0, 200);
    assert_eq!(upstream.take().iter().map(Recorded::path).collect::<Vec<_>>(), ["/ok/7"]);
    // Missing: nothing is asked. A key of ours: refused, and never sent on.
    assert_eq!(answer(server.post()).await.0, 401);
    assert_eq!(
        answer(server.post().bearer_auth("bhk_aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbcccccc")).await.0,
        401
    );
    assert_eq!(upstream.take().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_the_system_behind_refuses_is_refused_at_sign_in() {
    let upstream = Upstream::start().await;
    let auth = "[auth]\nmode = \"api_key\"\n[auth.api_key]\nverify = \"upstream\"\n\
                probe = { source = \"crm\", path = \"/unauthorized\", subject = \"/email\" }";
    let server = server(auth, "credential = { from = \"caller\" }", &upstream).await;
    let (status, body) = answer(server.post().bearer_auth("revoked-there")).await;
    assert_eq!(status, 401, "{body}");
    assert_eq!(upstream.take().iter().map(Recorded::path).collect::<Vec<_>>(), ["/unauthorized"], "no call followed");
    server.stop().await;
}

#[tokio::test]
async fn headers_of_each_teammate_are_handed_through_as_they_came() {
    let upstream = Upstream::start().await;
    let auth = "[auth]\nmode = \"headers\"\n[auth.headers]\nrequired = [\"X-Api-Key\", \"X-Tenant\"]\noptional = [\"X-Region\"]\nverify = \"upstream\"";
    let server = server(auth, "credential = { from = \"caller\" }", &upstream).await;
    let (status, body) = answer(server.post().header("x-api-key", "k-1").header("x-tenant", "acme")).await;
    assert_eq!(status, 200, "{body}");
    only(&upstream.take()[0], &[("x-api-key", "k-1"), ("x-tenant", "acme")]);
    let all = server
        .post()
        .header("x-api-key", "k-2")
        .header("x-tenant", "acme")
        .header("x-region", "eu")
        .header("x-other", "no");
    assert_eq!(answer(all).await.0, 200);
    only(&upstream.take()[0], &[("x-api-key", "k-2"), ("x-tenant", "acme"), ("x-region", "eu")]);
    let (status, body) = answer(server.post().header("x-api-key", "k-1")).await;
    assert_eq!(status, 401);
    assert!(body["message"].as_str().unwrap().contains("X-Tenant"), "{body}");
    assert_eq!(upstream.take().len(), 0);
    server.stop().await;
}

/// Side by side: each caller's own goes only with their own call.
#[tokio::test]
async fn side_by_side_each_caller_has_their_own() {
    let upstream = Upstream::start().await;
    let auth = "[auth]\nmode = [\"api_key\", \"headers\"]\n[auth.api_key]\nverify = \"upstream\"\n[auth.headers]\nrequired = [\"X-Api-Key\"]\nverify = \"upstream\"";
    let server = server(auth, "credential = { from = \"caller\" }", &upstream).await;
    assert_eq!(answer(server.post().bearer_auth("alices")).await.0, 200);
    only(&upstream.take()[0], &[("authorization", "Bearer alices")]);
    assert_eq!(answer(server.post().header("x-api-key", "bobs")).await.0, 200);
    only(&upstream.take()[0], &[("x-api-key", "bobs")]);
    server.stop().await;
}
