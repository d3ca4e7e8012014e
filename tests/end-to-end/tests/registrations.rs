//! Registrations as real clients send them, with the answers they get (A4): golden pairs in `registrations/`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::path::{Path, PathBuf};

use bridgehead_end_to_end::teammates;
use bridgehead_harness::Replica;
use serde_json::{Value, json};

/// The table in which each client has a row; those with a secret need one, and can use no other answer.
const CLIENTS: [(&str, HasSecret); 12] = [
    ("chatgpt", HasSecret::No),
    ("claude", HasSecret::Yes),
    ("claude-code", HasSecret::No),
    ("copilot-studio", HasSecret::Yes),
    ("cursor", HasSecret::No),
    ("duvo", HasSecret::Yes),
    ("inspector", HasSecret::No),
    ("mcp-remote", HasSecret::No),
    ("python-sdk", HasSecret::Yes),
    ("rmcp", HasSecret::No),
    ("typescript-sdk", HasSecret::Yes),
    ("vs-code", HasSecret::No),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum HasSecret {
    Yes,
    No,
}

fn file(name: &str, what: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("registrations/{name}.{what}.json"))
}

fn read(name: &str, what: &str) -> Value {
    let text = std::fs::read_to_string(file(name, what)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

async fn register(server: &Replica, request: &Value) -> (reqwest::header::HeaderMap, Value) {
    let url = format!("{}/oauth/register", server.origin);
    let answer = server.client().post(url).json(request).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert_eq!(status, 201, "{request}: {text}");
    (headers, serde_json::from_str(&text).unwrap())
}

/// What differs from one registration to the next, by its kind.
fn normalised(server: &Replica, mut answer: Value) -> Value {
    let id = answer["client_id"].as_str().unwrap().to_owned();
    for (member, prefix) in [("client_id", "bhi_"), ("client_secret", "bhx_"), ("registration_access_token", "bhg_")] {
        if let Some(text) = answer[member].as_str() {
            assert!(text.starts_with(prefix) && text.len() >= 16, "{member}: {text}");
            answer[member] = format!("{prefix}…").into();
        }
    }
    let uri = answer["registration_client_uri"].as_str().unwrap();
    let uri = uri.replace(&server.origin, "https://mcp.example.com").replace(&id, "bhi_…");
    answer["registration_client_uri"] = uri.into();
    answer
}

/// Everything that a client sends comes back, but what it gets beyond that, and what this server does not do.
fn comes_back(name: &str, request: &Value, answer: &Value) {
    for (member, sent) in request.as_object().unwrap() {
        match member.as_str() {
            // A grant type that is not here is left out (RFC 7591, section 3.2.1), and so is a scope.
            "grant_types" => assert_eq!(answer[member], json!(["authorization_code", "refresh_token"]), "{name}"),
            "scope" if name == "mcp-remote" => {}
            _ => assert_eq!(&answer[member], sent, "{name}: {member}"),
        }
    }
}

#[tokio::test]
async fn every_client_gets_the_answer_that_it_needs() {
    let server = teammates::start().await;
    let files = std::fs::read_dir(file("duvo", "request").parent().unwrap()).unwrap();
    let requests = files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().ends_with(".request.json"));
    assert_eq!(requests.count(), CLIENTS.len(), "each file has a row in the table");
    let mut ids = std::collections::HashSet::new();
    for (name, has_secret) in CLIENTS {
        let request = read(name, "request");
        let (headers, answer) = register(&server, &request).await;
        assert!(ids.insert(answer["client_id"].clone()), "{name}: an id of its own");
        assert_eq!(headers["cache-control"], "no-store", "{name}");
        assert_eq!(headers["access-control-allow-origin"], "*", "{name}");
        comes_back(name, &request, &answer);
        let method = answer["token_endpoint_auth_method"].as_str().unwrap();
        assert_eq!(method != "none", has_secret == HasSecret::Yes, "{name}: {method}");
        assert_eq!(answer["client_secret"].is_string(), has_secret == HasSecret::Yes, "{name}: a secret or `none`");
        assert_eq!(answer["client_secret_expires_at"].is_number(), has_secret == HasSecret::Yes, "{name}");
        is_managed(&server, name, &answer).await;

        let actual = normalised(&server, answer);
        if std::env::var("UPDATE_GOLDEN").is_ok() {
            std::fs::write(file(name, "response"), format!("{actual:#}\n")).unwrap();
        }
        let golden = format!("{name}.response.json");
        assert_eq!(read(name, "response"), actual, "{golden} differs; run once with UPDATE_GOLDEN=1 and look");
    }
    server.stop().await;
}

/// RFC 7592: read with its own token alone, and then removed.
async fn is_managed(server: &Replica, name: &str, answer: &Value) {
    let uri = answer["registration_client_uri"].as_str().unwrap();
    let token = answer["registration_access_token"].as_str().unwrap();
    let unsigned = server.client().get(uri).send().await.unwrap();
    assert_eq!(unsigned.status(), 401, "{name}");
    let read: Value = server.client().get(uri).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    for member in ["client_id", "redirect_uris", "token_endpoint_auth_method"] {
        assert_eq!(read[member], answer[member], "{name}: {member}");
    }
    let removed = server.client().delete(uri).bearer_auth(token).send().await.unwrap();
    assert_eq!(removed.status(), 204, "{name}");
    let gone = server.client().get(uri).bearer_auth(token).send().await.unwrap();
    assert_eq!(gone.status(), 401, "{name}");
}
