//! A person with Chromium: `clients/browser.mjs`, driven from Rust and by the scripts of clients.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::sdk::installed;

/// Somebody who signs in, with a browser profile of their own.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// Their mail address, which is the subject of their grants.
    pub mail: &'static str,
    /// Their password.
    pub password: &'static str,
    /// Who they are at an identity provider; `None` for the same as here.
    pub directory: Option<Directory>,
}

/// Somebody at an identity provider.
#[derive(Debug, Clone, Copy)]
pub struct Directory {
    /// By which name they sign in there.
    pub name: &'static str,
    /// And with which password.
    pub password: &'static str,
    /// They press Cancel there.
    pub cancels: bool,
}

/// Two teammates.
pub const ALICE: Person =
    Person { mail: "alice@example.com", password: "correct horse battery staple", directory: None };
/// The other one.
pub const BOB: Person = Person { mail: "bob@example.com", password: "a quiet evening by the harbour", directory: None };

impl Person {
    /// As the scripts take them.
    #[must_use]
    pub fn to_json(self) -> Value {
        let directory = self.directory.map(
            |Directory { name, password, cancels }| json!({"name": name, "password": password, "cancels": cancels}),
        );
        json!({"profile": self.mail, "mail": self.mail, "password": self.password, "directory": directory})
    }
}

/// What somebody does on the consent page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Allows what is asked for.
    Allow,
    /// Allows reading alone.
    AllowReading,
    /// Denies.
    Deny,
}

/// A running Chromium. Ends when it is dropped.
pub struct Browser {
    /// Where the scripts of clients find it.
    pub url: String,
    client: reqwest::Client,
    /// Its input ends with it, and that ends the browser.
    _driver: Child,
}

impl Browser {
    /// Starts one to which each of these names leads to a port of this machine, and no other name anywhere.
    pub async fn start(names: &[(&str, u16)]) -> Self {
        let rules = names.iter().map(|(name, port)| format!("MAP {name} 127.0.0.1:{port}"));
        let mut driver = Command::new("node")
            .arg(installed("E2E_CLIENTS_DIR").join("browser.mjs"))
            .args(rules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node runs");
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let url = lines.next_line().await.expect("text").expect("Chromium starts");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { url, client, _driver: driver }
    }

    /// Opens an authorization URL, signs in if asked to, answers the consent page, and follows to the client.
    pub async fn authorize(&self, person: Person, url: &str, answer: Answer) -> Value {
        let mut order = json!({"url": url, "person": person.to_json()});
        match answer {
            Answer::Allow => {}
            Answer::AllowReading => order["keep"] = json!([]),
            Answer::Deny => order["answer"] = "deny".into(),
        }
        self.order("authorize", &order).await
    }

    /// Cuts a client off on the account page at this origin; what the page says then.
    pub async fn disconnect(&self, person: Person, origin: &str, client: &str) -> String {
        let order = json!({"url": format!("{origin}/account"), "person": person.to_json(), "client": client});
        self.order("disconnect", &order).await["text"].as_str().expect("a text").to_owned()
    }

    /// Opens a client that is a page of [`Browser::url`], lets it connect to the endpoint at `url` and call a tool; what the
    /// person met, and what the client shows.
    pub async fn inspect(&self, person: Person, url: &str, call: &Value) -> Value {
        self.order("inspect", &json!({"url": url, "person": person.to_json(), "call": call})).await
    }

    /// Opens a one-time link and chooses the password; what the page says then.
    pub async fn choose_password(&self, person: Person, link: &str) -> String {
        let order = json!({"url": link, "person": person.to_json()});
        self.order("choose", &order).await["text"].as_str().expect("a text").to_owned()
    }

    /// Signs out on the account page at this origin, and wherever that leads; where it ends, and what is said there.
    pub async fn sign_out(&self, person: Person, origin: &str) -> Value {
        self.order("sign_out", &json!({"url": format!("{origin}/account"), "person": person.to_json()})).await
    }

    async fn order(&self, deed: &str, order: &Value) -> Value {
        let url = format!("{}/{deed}", self.url);
        let answer = self.client.post(url).body(order.to_string()).send().await.expect("the browser answers");
        let status = answer.status();
        let text = answer.text().await.expect("text");
        assert!(status.is_success(), "{deed} {order}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }
}
