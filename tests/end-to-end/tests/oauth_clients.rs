//! Real clients through a real Chromium, from 401 to a tool call, no step by hand (A4, A5, P2): each as it is known by
//! registration, by a metadata document and by an id and secret made before; through the end of an access token, and up
//! to the moment at which the teammate cuts it off on the account page.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::time::Duration;

use bridgehead_end_to_end::{
    browser::{ALICE, Answer, Browser},
    signing_in::{Callback, Client, Script},
    teammates::{self, DOCUMENT},
};
use bridgehead_harness::TestServer;
use rmcp::{
    ServiceExt,
    model::CallToolRequestParams,
    transport::{
        AuthClient, StreamableHttpClientTransport,
        auth::{AuthorizationRequest, OAuthState},
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};

/// Longer than an access token lives.
const LATER: u64 = 16 * 60;

/// The ways in which a client can be known, and what the account page calls it then.
async fn identities(server: &TestServer, own_name: &'static str) -> Vec<(Value, &'static str)> {
    let uris = ["http://127.0.0.1/callback", "http://localhost/oauth/callback"];
    let made_before = teammates::preregister(server, "Made before", &uris).await;
    vec![(json!({}), own_name), (json!({"metadata_url": DOCUMENT}), "Documented"), (made_before, "Made before")]
}

async fn connects_refreshes_and_is_cut_off(script: Script, own_name: &'static str) {
    let server = teammates::start().await;
    let browser = Browser::start(&[]).await;
    for (identity, name) in identities(&server, own_name).await {
        let what = format!("{script:?} as {name}");
        let mut client = Client::start(script, &server.url, &identity, &browser, ALICE);

        let first = client.call("find_stock", json!({"sku": "A-1"}), true).await;
        assert_eq!(first["result"]["row_count"], 2, "{what}: {first}");
        assert_eq!(first["sign_ins"], 1, "{what}: {first}");

        server.clock.advance(Duration::from_secs(LATER));
        client.later(LATER);
        let change = json!({"sku": "A-1", "location": "NORTH", "change": 1});
        let second = client.call("adjust_stock", change, false).await;
        assert_eq!(second["result"]["affected"], 1, "{what}: {second}");
        assert_eq!(second["sign_ins"], 1, "{what}: nobody is asked again after 15 minutes: {second}");
        assert_ne!(first["token"], second["token"], "{what}");

        let token = second["token"].as_str().unwrap();
        assert_eq!(teammates::call(&server, token, "find_stock", json!({"sku": "A-1"})).await.0, 200, "{what}");
        let said = browser.disconnect(ALICE, &server.origin, name).await;
        assert!(said.contains("is cut off"), "{what}: {said}");
        let (status, challenge, _) = teammates::call(&server, token, "find_stock", json!({"sku": "A-1"})).await;
        assert_eq!(status, 401, "{what}");
        assert!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
        let third = client.call("find_stock", json!({"sku": "A-1"}), false).await;
        assert!(third["refused"].is_string(), "{what}: {third}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_typescript_sdk_1_signs_in() {
    connects_refreshes_and_is_cut_off(Script::TypescriptV1, "TypeScript SDK 1").await;
}

#[tokio::test]
async fn the_typescript_sdk_2_signs_in() {
    connects_refreshes_and_is_cut_off(Script::TypescriptV2, "TypeScript SDK 2").await;
}

#[tokio::test]
async fn the_python_sdk_signs_in() {
    connects_refreshes_and_is_cut_off(Script::Python, "Python SDK").await;
}

#[tokio::test]
async fn mcp_remote_signs_in() {
    connects_refreshes_and_is_cut_off(Script::McpRemote, "MCP CLI Proxy").await;
}

/// As the Inspector is one. What a page of another site may ask and read is Chromium's to say.
#[tokio::test]
async fn a_client_that_is_a_page_signs_in() {
    let browser = Browser::start(&[]).await;
    let allowed = format!("[server]\nlisten = \"127.0.0.1:0\"\nallowed_origins = [\"{}\"]\n", browser.url);
    let server = teammates::start_with(&format!("{allowed}[auth]\nmode = \"oauth\"\n")).await;
    let call = json!({"name": "find_stock", "arguments": {"sku": "A-1"}});
    let visit = browser.inspect(ALICE, &server.url, &call).await;
    assert_eq!(visit["client"]["result"]["row_count"], 2, "{visit}");
    assert!(visit["consent"]["text"].as_str().unwrap().contains("A page"), "{visit}");
    server.stop().await;
}

fn known(identity: &Value, request: AuthorizationRequest) -> AuthorizationRequest {
    if let Some(document) = identity["metadata_url"].as_str() {
        return request.with_client_metadata_url(document);
    }
    match identity["client_id"].as_str() {
        Some(id) => {
            request.with_preregistered_client(id).with_client_secret(identity["client_secret"].as_str().unwrap())
        }
        None => request.with_client_name("rmcp"),
    }
}

#[tokio::test]
async fn the_client_of_rmcp_signs_in() {
    let server = teammates::start().await;
    let browser = Browser::start(&[]).await;
    for (identity, name) in identities(&server, "rmcp").await {
        let callback = Callback::listen().await;
        let mut state = OAuthState::new(server.url.as_str(), None).await.unwrap();
        let request = known(&identity, AuthorizationRequest::new(callback.url.as_str()));
        state.start_authorization(request).await.unwrap();
        let url = state.get_authorization_url().await.unwrap();
        let (visit, arrived) = tokio::join!(browser.authorize(ALICE, &url, Answer::Allow), callback.arrived());
        assert!(visit["arrived"].is_string(), "{name}: {visit}");
        state.handle_callback_url(&arrived).await.unwrap();
        let manager = state.into_authorization_manager().unwrap();

        let http = AuthClient::new(reqwest::Client::default(), manager);
        let config = StreamableHttpClientTransportConfig::with_uri(server.url.clone());
        let transport = StreamableHttpClientTransport::with_client(http.clone(), config);
        let client = ().serve(transport).await.unwrap();
        let find = || {
            let mut params = CallToolRequestParams::new("find_stock");
            params.arguments = json!({"sku": "A-1"}).as_object().cloned();
            client.call_tool(params)
        };
        assert_eq!(find().await.unwrap().structured_content.unwrap()["row_count"], 2, "{name}");
        let first = http.get_access_token().await.unwrap();

        // By its own clock the token is still good: it learns from the 401 that it is not.
        server.clock.advance(Duration::from_secs(LATER));
        assert_eq!(find().await.unwrap().structured_content.unwrap()["row_count"], 2, "{name}");
        assert_ne!(http.get_access_token().await.unwrap(), first, "{name}");

        browser.disconnect(ALICE, &server.origin, name).await;
        assert!(find().await.is_err(), "{name}");
    }
    server.stop().await;
}
