//! Identity providers of other people, each as a process on a free port: `oidc-provider` (npm), which can do what companies'
//! providers do, and `oidc-provider-mock` (PyPI), of another make.

use std::{process::Stdio, time::Duration};

use bridgehead_harness::MovableClock;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::sdk::installed;

/// A running provider. Ends when it is dropped.
pub struct Idp {
    /// Its issuer: `http://localhost:PORT`.
    pub issuer: String,
    control: String,
    http: reqwest::Client,
    /// Its input ends with it, and that ends the provider.
    _process: Child,
}

impl Idp {
    /// Starts `oidc-provider` with these people: `{"alice": {"email": …, "email_verified": true, "groups": ["staff"]}}`. Each
    /// one's password there is `PASSWORD-OF-` and their id.
    pub async fn start(people: &Value) -> Self {
        Self::start_with(json!({"people": people})).await
    }

    /// As [`Idp::start`], with the options at the head of `clients/identity_provider.mjs`.
    pub async fn start_with(options: Value) -> Self {
        let clients = installed("E2E_CLIENTS_DIR");
        // The Node that is installed with it: newer than the oldest that the tests run on, as it wants.
        let mut command = Command::new(clients.join("node_modules/node/bin/node"));
        command.arg(clients.join("identity_provider.mjs")).arg(options.to_string());
        Self::run(command).await
    }

    /// Starts `oidc-provider-mock` with these people.
    pub async fn of_another_make(people: &Value) -> Self {
        let mut command = Command::new(installed("E2E_PYTHON"));
        let script = installed("E2E_CLIENTS_DIR").join("identity_provider_other.py");
        command.arg(script).arg(json!({"people": people}).to_string());
        Self::run(command).await
    }

    async fn run(mut command: Command) -> Self {
        let mut process =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the provider runs");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let line = lines.next_line().await.expect("text").expect("the provider starts");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not what it says first: {line}"));
        let text = |name: &str| said[name].as_str().expect("a text").to_owned();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { issuer: text("issuer"), control: text("control"), http, _process: process }
    }

    /// Makes a client with a secret known there, with these redirect URIs; `more` has further metadata, as
    /// `post_logout_redirect_uris` or other `grant_types`.
    pub async fn client(&self, id: &str, secret: &str, redirect_uris: &[String], more: Value) {
        let mut metadata = json!({"client_id": id, "client_secret": secret, "redirect_uris": redirect_uris});
        let known = metadata.as_object_mut().expect("an object");
        known.extend(more.as_object().cloned().unwrap_or_default());
        self.order("client", &metadata).await;
    }

    /// Changes what is known of a person: `{"groups": []}`, `{"disabled": true}`.
    pub async fn person(&self, id: &str, change: Value) {
        let mut order = change;
        order["id"] = id.into();
        self.order("person", &order).await;
    }

    /// Signs with a new key from now on. The old one stays in the key set where it is kept.
    pub async fn rotate_keys(&self, keep: bool) {
        self.order("rotate", &json!({"keep": keep})).await;
    }

    /// The provider's clock goes so much further ahead of the machine's.
    pub async fn later(&self, by: Duration) {
        self.order("later", &json!({"seconds": by.as_secs()})).await;
    }

    /// The requests that came since this was asked the last time: `POST /token`.
    pub async fn asked(&self) -> Vec<String> {
        serde_json::from_value(self.order("asked", &json!({})).await).expect("a list of texts")
    }

    async fn order(&self, deed: &str, order: &Value) -> Value {
        let url = format!("{}/{deed}", self.control);
        let answer = self.http.post(url).body(order.to_string()).send().await.expect("the provider answers");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        assert!(status.is_success(), "{deed} {order}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// Moves a test's clock to the machine's time, by which other people's programs go.
pub fn to_the_present(clock: &MovableClock) {
    use bridgehead_core::Clock;
    let ahead = Timestamp::now().duration_since(clock.now());
    clock.advance(Duration::try_from(ahead).expect("the tests' time is in the past"));
}
