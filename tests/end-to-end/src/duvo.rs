//! A stand-in for Duvo, from its documented behaviour alone: a connection is added once, by URL and kind of
//! authentication; every teammate connects separately; the browser comes back to
//! `https://platform.duvo.ai/v1/oauth/mcp/callback`. How Duvo is built inside is not copied here, only what it sends.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_harness::{
    https::{Answer, Connection as Https, Speak},
    outside::{Ca, Root},
};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::browser::{self, Browser, Person};

/// Where Duvo listens.
pub const HOST: &str = "platform.duvo.ai";
/// The redirect URI that Duvo documents.
pub const CALLBACK: &str = "https://platform.duvo.ai/v1/oauth/mcp/callback";

/// What is picked when a connection is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// No authentication.
    None,
    /// An API key, which each teammate enters.
    Key,
    /// Custom headers, whose values each teammate enters.
    Headers(Vec<&'static str>),
    /// OAuth, where Duvo registers by itself.
    OAuth,
    /// OAuth, with an id and a secret that were pasted.
    OAuthWith {
        /// The client id.
        id: String,
        /// Its secret.
        secret: String,
    },
}

/// What a teammate's connection holds.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Nothing.
    Nothing,
    /// Headers as they are sent.
    Headers(Vec<(&'static str, String)>),
    /// Tokens.
    Tokens {
        /// The access token.
        access: String,
        /// The refresh token.
        refresh: String,
    },
}

/// The platform: its callback, and the way to the one server that it is to reach.
pub struct Platform {
    root: Root,
    host: String,
    /// The server's replicas, which take turns as behind a balancer.
    replicas: Vec<SocketAddr>,
    turn: AtomicUsize,
    /// The port at which the browser finds Duvo.
    pub port: u16,
    arrivals: tokio::sync::Mutex<mpsc::UnboundedReceiver<String>>,
    states: AtomicUsize,
}

/// A connection as it was added, for all teammates.
pub struct Connection<'a> {
    platform: &'a Platform,
    url: Url,
    oauth: Option<OAuth>,
}

/// What was found out when the connection was added.
struct OAuth {
    server: Value,
    resource: String,
    scope: String,
    client_id: String,
    client_secret: Option<String>,
}

impl Platform {
    /// Starts it, with the server `host` at these addresses.
    pub async fn start(ca: &Ca, host: &str, replicas: Vec<SocketAddr>) -> Self {
        let (sender, arrivals) = mpsc::unbounded_channel();
        let sender = Mutex::new(sender);
        let port = ca
            .serve_with(HOST, move |head| {
                let target = head.split(' ').nth(1).unwrap_or_default();
                if target.starts_with("/v1/oauth/mcp/callback?") {
                    // A test that has ended reads no more.
                    let _ = sender.lock().expect("no panic while it is held").send(target.to_owned());
                }
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n<!doctype html><p>Connected."
                    .to_owned()
            })
            .await;
        Self {
            root: ca.root(),
            host: host.to_owned(),
            replicas,
            turn: AtomicUsize::new(0),
            port,
            arrivals: arrivals.into(),
            states: AtomicUsize::new(0),
        }
    }

    /// Adds a connection. With OAuth, Duvo looks at once for what it needs.
    pub async fn add(&self, url: &str, auth: &Auth) -> Connection<'_> {
        let url: Url = url.parse().expect("a URL");
        assert_eq!(url.scheme(), "https", "Duvo takes public HTTPS alone");
        let mut connection = Connection { platform: self, url, oauth: None };
        connection.oauth = match auth {
            Auth::None | Auth::Key | Auth::Headers(_) => None,
            Auth::OAuth => Some(connection.discover(None).await),
            Auth::OAuthWith { id, secret } => Some(connection.discover(Some((id, secret))).await),
        };
        connection
    }

    async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let address = self.replicas[turn % self.replicas.len()];
        let mut https = Https::open(address, &self.host, self.root.clone(), Speak::Http1).await.expect("a handshake");
        https.request(method, path, headers, body).await.expect("an answer")
    }

    async fn get(&self, url: &str) -> Value {
        let url: Url = url.parse().expect("a URL");
        assert_eq!((url.scheme(), url.host_str()), ("https", Some(self.host.as_str())), "{url}");
        let answer = self.request("GET", url.path(), &[("accept", "application/json")], String::new()).await;
        assert_eq!(answer.status(), 200, "{url}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }
}

impl Connection<'_> {
    /// 401, where the metadata are, who the authorization server is, and a client there.
    async fn discover(&self, pasted: Option<(&String, &String)>) -> OAuth {
        let refused = self.post(&[], &initialize()).await;
        assert_eq!(refused.status(), 401, "{}", refused.body);
        let challenge = refused.header("www-authenticate");
        let resource = self.platform.get(&parameter(challenge, "resource_metadata").expect("where to look")).await;
        assert_eq!(resource["resource"], self.url.as_str());
        let issuer = resource["authorization_servers"][0].as_str().expect("an authorization server");
        let server = self.platform.get(&format!("{issuer}/.well-known/oauth-authorization-server")).await;
        assert_eq!(server["issuer"], issuer);
        let (client_id, client_secret) = match pasted {
            Some((id, secret)) => (id.clone(), Some(secret.clone())),
            None => self.register(&server).await,
        };
        OAuth {
            resource: resource["resource"].as_str().expect("a resource").to_owned(),
            scope: parameter(challenge, "scope").expect("scopes"),
            server,
            client_id,
            client_secret,
        }
    }

    async fn register(&self, server: &Value) -> (String, Option<String>) {
        let client = json!({"client_name": "Duvo", "redirect_uris": [CALLBACK], "response_types": ["code"],
            "grant_types": ["authorization_code", "refresh_token"]});
        let path = path(&server["registration_endpoint"]);
        let answer =
            self.platform.request("POST", &path, &[("content-type", "application/json")], client.to_string()).await;
        assert_eq!(answer.status(), 201, "{}", answer.body);
        let client: Value = serde_json::from_str(&answer.body).expect("JSON");
        let secret = client["client_secret"].as_str().map(str::to_owned);
        (client["client_id"].as_str().expect("an id").to_owned(), secret)
    }

    /// The client id, which all teammates share.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.oauth().client_id
    }

    fn oauth(&self) -> &OAuth {
        self.oauth.as_ref().expect("a connection with OAuth")
    }

    /// One teammate connects: their browser goes to the server and comes back. What the browser saw, and the tokens or
    /// the error that came back.
    pub async fn sign_in(
        &self,
        browser: &Browser,
        person: Person,
        answer: browser::Answer,
    ) -> (Value, Result<Credentials, String>) {
        let oauth = self.oauth();
        let state = format!("state-{}", self.platform.states.fetch_add(1, Ordering::Relaxed));
        let verifier = format!("{state}-{}", "v".repeat(43));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut url: Url = text(&oauth.server["authorization_endpoint"]).parse().expect("a URL");
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &oauth.client_id)
            .append_pair("redirect_uri", CALLBACK)
            .append_pair("state", &state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("scope", &oauth.scope)
            .append_pair("resource", &oauth.resource);
        // One at a time: what arrives next is this teammate's.
        let mut arrivals = self.platform.arrivals.lock().await;
        let visit = browser.authorize(person, url.as_str(), answer).await;
        assert!(visit["arrived"].is_string(), "{visit}");
        let arrived = arrivals.recv().await.expect("the callback is open");
        let arrived: Url = format!("https://{HOST}{arrived}").parse().expect("a URL");
        let arrived: HashMap<_, _> = arrived.query_pairs().into_owned().collect();
        assert_eq!(arrived["state"], state);
        assert_eq!(arrived["iss"], text(&oauth.server["issuer"]));
        if let Some(error) = arrived.get("error") {
            return (visit, Err(error.clone()));
        }
        let form = [
            ("grant_type", "authorization_code"),
            ("code", arrived["code"].as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier.as_str()),
            ("resource", oauth.resource.as_str()),
        ];
        let tokens = self.token(&form).await;
        (visit, tokens.map(|tokens| credentials(&tokens)).map_err(|error| error.to_string()))
    }

    /// Tokens for a refresh token, as one of the platform's back ends asks for them.
    ///
    /// # Errors
    /// The error's code.
    pub async fn refresh(&self, credentials: &Credentials) -> Result<Credentials, String> {
        let Credentials::Tokens { refresh, .. } = credentials else { panic!("no tokens: {credentials:?}") };
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        self.token(&form).await.map(|tokens| self::credentials(&tokens))
    }

    async fn token(&self, form: &[(&str, &str)]) -> Result<Value, String> {
        let oauth = self.oauth();
        let mut form: Vec<_> = form.to_vec();
        form.push(("client_id", &oauth.client_id));
        form.extend(oauth.client_secret.iter().map(|secret| ("client_secret", secret.as_str())));
        let body =
            Url::parse_with_params("https://form", &form).expect("a form").query().unwrap_or_default().to_owned();
        let of_form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = self.platform.request("POST", &path(&oauth.server["token_endpoint"]), &of_form, body).await;
        let said: Value = serde_json::from_str(&answer.body).expect("JSON");
        if answer.status() == 200 { Ok(said) } else { Err(text(&said["error"]).to_owned()) }
    }

    /// A call of a tool by an assignment of one teammate: its status, and the result.
    pub async fn call(&self, credentials: &Credentials, tool: &str, arguments: Value) -> (u16, Value) {
        let headers = match credentials {
            Credentials::Nothing => Vec::new(),
            Credentials::Headers(headers) => headers.clone(),
            Credentials::Tokens { access, .. } => vec![("authorization", format!("Bearer {access}"))],
        };
        let params = json!({"name": tool, "arguments": arguments});
        let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params});
        let answer = self.post(&headers, &call).await;
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        (answer.status(), said["result"].clone())
    }

    async fn post(&self, credentials: &[(&str, String)], message: &Value) -> Answer {
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        headers.extend(credentials.iter().map(|(name, value)| (*name, value.as_str())));
        self.platform.request("POST", self.url.path(), &headers, message.to_string()).await
    }
}

fn initialize() -> Value {
    let client = json!({"name": "Duvo", "version": "1"});
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}})
}

fn credentials(tokens: &Value) -> Credentials {
    Credentials::Tokens {
        access: text(&tokens["access_token"]).to_owned(),
        refresh: text(&tokens["refresh_token"]).to_owned(),
    }
}

/// The value of a parameter of a challenge (RFC 9110, section 11.2).
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

fn path(url: &Value) -> String {
    text(url).parse::<Url>().expect("a URL").path().to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text is missing: {value}"))
}
