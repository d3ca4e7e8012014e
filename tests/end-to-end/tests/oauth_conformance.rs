//! The official conformance suite where teammates sign in by OAuth (A4, T2): its scenarios for authorization servers, with
//! Chromium in front of the URL that it prints, and both sets of requirements behind tokens.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::{net::TcpListener, process::Stdio, sync::Arc};

use bridgehead_auth::issuer::NewClient;
use bridgehead_conformance_server::tools;
use bridgehead_core::catalog::NamedSource;
use bridgehead_end_to_end::{
    browser::{ALICE, Answer, Browser},
    conformance::{self, SETS, run_set, suite},
    proxy, teammates,
};
use bridgehead_harness::{Replica, TestServer};
use bridgehead_sources::native::NativeSource;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};

/// Runs the scenarios for authorization servers as one client, and signs in where the suite says.
async fn as_client(server: &Replica, browser: &Browser, client: &str, set: &str) {
    // The suite opens its callback on a port that it is told; a free one is free a moment later.
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().to_string();
    let mut arguments = vec!["authorization", "--url", &server.origin, "--resource", &server.url, "--port", &port];
    arguments.extend(["--spec-version", set, "--client-id", client]);
    let mut command = conformance::command(&arguments);
    let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (mut said, mut visits) = (String::new(), 0);
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.starts_with(&format!("{}/oauth/authorize?", server.origin)) {
            let visit = browser.authorize(ALICE, &line, Answer::Allow).await;
            assert!(visit["arrived"].is_string(), "{set}: {visit}");
            visits += 1;
        }
        said += &line;
        said.push('\n');
    }
    assert_eq!(process.wait().await.unwrap().code(), Some(0), "{set}:\n{said}");
    assert_eq!(visits, 1, "{set}: the suite asked nobody to sign in:\n{said}");
    let scenarios = ["authorization-server-metadata-endpoint", "authorization-code-grant"];
    assert!(scenarios.iter().all(|scenario| said.contains(scenario)), "{set}:\n{said}");
    assert!(!said.contains("FAILURE") && !said.contains("WARNING") && !said.contains("SKIPPED"), "{set}:\n{said}");
}

/// Without a secret both: the suite keeps one to itself wherever the metadata offer `none`.
#[tokio::test]
async fn the_authorization_server_conforms() {
    let server = teammates::start().await;
    let browser = Browser::start(&[]).await;
    let redirect = "http://127.0.0.1/callback";
    let metadata = json!({"client_name": "Suite", "redirect_uris": [redirect], "token_endpoint_auth_method": "none"});
    let registration = format!("{}/oauth/register", server.origin);
    let registered = server.client().post(registration).json(&metadata).send().await.unwrap();
    let registered: Value = registered.json().await.unwrap();
    let new =
        NewClient { preset: None, name: Some("Suite".into()), redirect_uris: vec![redirect.into()], public: true };
    let (made_before, _) = server.issuer().add_client(new).await.unwrap();
    for set in SETS {
        for client in [registered["client_id"].as_str().unwrap(), made_before.id.as_str()] {
            as_client(&server, &browser, client, set).await;
        }
    }
    server.stop().await;
}

/// The suite cannot send credentials, so a proxy adds the header.
#[tokio::test]
async fn both_sets_hold_behind_tokens() {
    let source =
        NamedSource { name: "conformance".into(), prefix: String::new(), source: Arc::new(NativeSource::new(tools())) };
    let config = "name = \"Conformance\"\n[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"oauth\"\n\
                  [store]\nurl = \"sqlite:bridgehead.db\"\n";
    let server = TestServer::with(config).source(source).start().await;
    server.user(ALICE.mail, ALICE.password, "tools:read tools:write").await;
    let browser = Browser::start(&[]).await;
    let token = teammates::token(&server, &browser, ALICE).await;
    let proxy = proxy::start(&server.url, &token).await;
    for set in SETS {
        run_set(&proxy, set).await;
    }
    let without = ["server", "--url", &server.url, "--scenario", "tools-list", "--spec-version", "2025-11-25"];
    let (code, said) = suite(&without).await;
    assert_ne!(code, Some(0), "without the proxy the token is missing, so the suite must fail:\n{said}");
    server.stop().await;
}
