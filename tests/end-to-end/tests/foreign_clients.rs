//! Real clients through a real Chromium at an authorization server of other people, `oidc-provider`, with this server as
//! its resource server alone (A6, A5): from 401 to a tool call, registered by themselves and by hand; through the end of
//! an access token and a change of keys, up to the moment at which the teammate is cut off here.
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
    idp::{self, Idp},
    signing_in::{Callback, Client, Script},
    teammates,
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

/// Longer than an access token lives, and clocks may be apart.
const LATER: u64 = 17 * 60;
const SECRET: &str = "a secret of thirty-two characters";

/// How clients get to be known at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registration {
    ByThemselves,
    ByHand,
}

/// The provider, and a server whose teammates sign in there.
struct Desk {
    idp: Idp,
    server: TestServer,
    browser: Browser,
}

impl Desk {
    async fn open(registration: Registration, options: Value, settings: &str) -> Self {
        let mut options = options;
        // Their name there is their mail address, so that audit and blocks read well.
        options["people"] =
            json!({ALICE.mail: {"password": ALICE.password, "email": ALICE.mail, "email_verified": true}});
        options["registration"] = (registration == Registration::ByThemselves).into();
        let idp = Idp::start_with(options).await;
        let server = teammates::start_with(&format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:bridgehead.db\"\n\
             [auth]\nmode = \"oauth\"\n[auth.oauth]\nissuer = \"{}\"\n{settings}\n",
            idp.issuer,
        ))
        .await;
        idp::to_the_present(&server.clock);
        Self { idp, server, browser: Browser::start(&[]).await }
    }

    /// How a client is known: not at all, or by an id and a secret.
    async fn identity(&self, registration: Registration) -> Value {
        if registration == Registration::ByThemselves {
            return json!({});
        }
        let redirect_uris = ["http://127.0.0.1/callback", "http://localhost/oauth/callback"].map(str::to_owned);
        self.idp.client("by-hand", SECRET, &redirect_uris, json!({"application_type": "native"})).await;
        json!({"client_id": "by-hand", "client_secret": SECRET, "issuer": self.idp.issuer})
    }

    async fn later(&self, seconds: u64) {
        self.server.clock.advance(Duration::from_secs(seconds));
        self.idp.later(Duration::from_secs(seconds)).await;
    }
}

async fn connects_refreshes_and_is_cut_off(script: Script, registration: Registration) {
    let desk = Desk::open(registration, json!({}), "").await;
    let identity = desk.identity(registration).await;
    let what = format!("{script:?}, registered {registration:?}");
    let mut client = Client::start(script, &desk.server.url, &identity, &desk.browser, ALICE);

    let first = client.call("find_stock", json!({"sku": "A-1"}), true).await;
    assert_eq!(first["result"]["row_count"], 2, "{what}: {first}");
    assert_eq!(first["sign_ins"], 1, "{what}: {first}");
    let asked = desk.idp.asked().await;
    let registered = asked.iter().any(|line| line == "POST /reg");
    assert_eq!(registered, registration == Registration::ByThemselves, "{what}: {asked:?}");

    // The old key is withdrawn at once: whoever renews gets a token by the new one.
    desk.idp.rotate_keys(false).await;
    desk.later(LATER).await;
    client.later(LATER);
    let change = json!({"sku": "A-1", "location": "NORTH", "change": 1});
    let second = client.call("adjust_stock", change, false).await;
    assert_eq!(second["result"]["affected"], 1, "{what}: {second}");
    assert_eq!(second["sign_ins"], 1, "{what}: nobody is asked again: {second}");
    assert_ne!(first["token"], second["token"], "{what}");

    let token = second["token"].as_str().unwrap();
    assert_eq!(teammates::call(&desk.server, token, "find_stock", json!({"sku": "A-1"})).await.0, 200, "{what}");
    desk.server.block(ALICE.mail).await;
    let (status, challenge, _) = teammates::call(&desk.server, token, "find_stock", json!({"sku": "A-1"})).await;
    assert_eq!(status, 401, "{what}");
    assert!(challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
    let third = client.call("find_stock", json!({"sku": "A-1"}), false).await;
    assert!(third["refused"].is_string(), "{what}: {third}");
    desk.server.stop().await;
}

#[tokio::test]
async fn the_typescript_sdk_1_signs_in_there() {
    for registration in [Registration::ByThemselves, Registration::ByHand] {
        connects_refreshes_and_is_cut_off(Script::TypescriptV1, registration).await;
    }
}

#[tokio::test]
async fn the_typescript_sdk_2_signs_in_there() {
    for registration in [Registration::ByThemselves, Registration::ByHand] {
        connects_refreshes_and_is_cut_off(Script::TypescriptV2, registration).await;
    }
}

#[tokio::test]
async fn the_python_sdk_signs_in_there() {
    for registration in [Registration::ByThemselves, Registration::ByHand] {
        connects_refreshes_and_is_cut_off(Script::Python, registration).await;
    }
}

#[tokio::test]
async fn mcp_remote_signs_in_there() {
    for registration in [Registration::ByThemselves, Registration::ByHand] {
        connects_refreshes_and_is_cut_off(Script::McpRemote, registration).await;
    }
}

/// Signs in with the client of rmcp, and calls the tool that reads before and after a renewal.
async fn with_rmcp(desk: &Desk, registration: Registration) {
    let identity = desk.identity(registration).await;
    let callback = Callback::listen().await;
    let mut state = OAuthState::new(desk.server.url.as_str(), None).await.unwrap();
    let request = AuthorizationRequest::new(callback.url.as_str());
    let request = match registration {
        Registration::ByThemselves => request.with_client_name("rmcp"),
        Registration::ByHand => request
            .with_preregistered_client(identity["client_id"].as_str().unwrap())
            .with_client_secret(identity["client_secret"].as_str().unwrap()),
    };
    state.start_authorization(request).await.unwrap();
    let url = state.get_authorization_url().await.unwrap();
    let (visit, arrived) = tokio::join!(desk.browser.authorize(ALICE, &url, Answer::Allow), callback.arrived());
    assert!(visit["arrived"].is_string(), "{registration:?}: {visit}");
    state.handle_callback_url(&arrived).await.unwrap();
    let http = AuthClient::new(reqwest::Client::default(), state.into_authorization_manager().unwrap());
    let config = StreamableHttpClientTransportConfig::with_uri(desk.server.url.clone());
    let client = ().serve(StreamableHttpClientTransport::with_client(http.clone(), config)).await.unwrap();
    let find = || {
        let mut params = CallToolRequestParams::new("find_stock");
        params.arguments = json!({"sku": "A-1"}).as_object().cloned();
        client.call_tool(params)
    };
    let first = find().await.unwrap_or_else(|error| panic!("{registration:?}: {error:?}"));
    assert_eq!(first.structured_content.unwrap()["row_count"], 2, "{registration:?}");
    let token = http.get_access_token().await.unwrap();

    // By its own clock the token is still good: it learns from the 401 that it is not.
    desk.later(LATER).await;
    assert_eq!(find().await.unwrap().structured_content.unwrap()["row_count"], 2, "{registration:?}");
    assert_ne!(http.get_access_token().await.unwrap(), token, "{registration:?}");
    desk.server.block(ALICE.mail).await;
    assert!(find().await.is_err(), "{registration:?}");
}

#[tokio::test]
async fn the_client_of_rmcp_signs_in_there() {
    for registration in [Registration::ByThemselves, Registration::ByHand] {
        let desk = Desk::open(registration, json!({"algorithm": "ES256"}), "algorithms = [\"ES256\"]").await;
        with_rmcp(&desk, registration).await;
        desk.server.stop().await;
    }
}

/// RFC 7662: the provider's tokens are opaque, and it judges each.
#[tokio::test]
async fn opaque_tokens_are_introspected_there() {
    let settings = format!("introspection = {{ client_id = \"bridgehead\", client_secret = \"{SECRET}\" }}");
    let desk = Desk::open(Registration::ByThemselves, json!({"access_tokens": "opaque"}), &settings).await;
    let own = json!({"grant_types": [], "response_types": [], "redirect_uris": []});
    desk.idp.client("bridgehead", SECRET, &[], own).await;
    with_rmcp(&desk, Registration::ByThemselves).await;
    let asked = desk.idp.asked().await;
    assert!(asked.iter().any(|line| line == "POST /token/introspection"), "{asked:?}");
    desk.server.stop().await;
}
