//! A system behind with OAuth of its own: it knows its people by a cookie, approves by itself whatever
//! they are sent for, gives refresh tokens that are good once, and counts. A refresh token that is used
//! again ends the whole connection, as RFC 9700 §4.14.2 advises.
//!
//! | path | answer |
//! |---|---|
//! | `/authorize` | 302 back with a code, for whoever has the cookie `person` |
//! | `/token` | tokens for a code with its PKCE verifier, or for a refresh token |
//! | `/me` | whose access token it is, and all of `Authorization`; 401 to others |

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use url::{Url, form_urlencoded};

use crate::oauth::{challenge, encoded};

/// Who the server under test is to it.
pub const CLIENT_ID: &str = "bridgehead";
/// The client's secret.
pub const CLIENT_SECRET: &str = "crmSec/7yH+bQx4~kW9=Pd";
/// How many seconds an access token is good, as it says.
pub const LIFE: u64 = 300;

#[derive(Default)]
struct State {
    made: usize,
    /// Whose, the redirect URI, and the challenge.
    codes: HashMap<String, (String, String, String)>,
    access: HashMap<String, String>,
    refresh: HashMap<String, String>,
    spent: HashSet<String>,
    secrets: Vec<String>,
    requests: Vec<String>,
}

/// The system, on a port of its own; gone when dropped.
pub struct Crm {
    /// For example `http://127.0.0.1:40123`.
    pub origin: String,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Crm {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::<Mutex<State>>::default();
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move { serve(stream, &state).await.ok() });
            }
        });
        Self { origin, state, serving }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }

    /// How many requests for tokens with this grant type there have been.
    #[must_use]
    pub fn asked_for(&self, grant_type: &str) -> usize {
        self.state().requests.iter().filter(|request| *request == grant_type).count()
    }

    /// All codes and tokens that it ever gave.
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        self.state().secrets.clone()
    }

    /// Ends all that this person has connected.
    pub fn revoke(&self, person: &str) {
        let mut state = self.state();
        state.access.retain(|_, owner| owner != person);
        state.refresh.retain(|_, owner| owner != person);
    }

    /// Forgets this person's access tokens, and not the refresh token.
    pub fn forget_access(&self, person: &str) {
        self.state().access.retain(|_, owner| owner != person);
    }

    /// Sends this person's browser to `url`; where it is sent back to.
    pub async fn approve(&self, person: &str, url: &str) -> Url {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        let request = client.expect("a client").get(url).header("cookie", format!("person={person}"));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 302);
        Url::parse(answer.headers()["location"].to_str().expect("text")).expect("a URL")
    }
}

impl Drop for Crm {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let (head, body) = loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                break (head.to_owned(), body.to_owned());
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    };
    let answer = state.lock().expect("no panic while it is held").answer(&head, &body);
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

impl State {
    /// Long enough to be told from other text.
    fn secret(&mut self, kind: &str, person: &str) -> String {
        self.made += 1;
        let secret = format!("{kind}/{:016x}+{}", self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15), person.len());
        self.secrets.push(secret.clone());
        secret
    }

    fn answer(&mut self, head: &str, body: &str) -> String {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let url = Url::parse("http://crm.example").and_then(|base| base.join(target)).expect("a target");
        match url.path() {
            "/authorize" => self.authorize(&url, head),
            "/token" => self.token(head, body),
            _ => {
                let presented = header(head, "authorization").unwrap_or_default();
                let owner = self.access.get(presented.strip_prefix("Bearer ").unwrap_or_default());
                match owner {
                    Some(person) => json_answer("200 OK", &json!({"person": person, "method": head.split(' ').next()})),
                    None => json_answer("401 Unauthorized", &json!({"message": format!("Unknown token {presented}")})),
                }
            }
        }
    }

    fn authorize(&mut self, url: &Url, head: &str) -> String {
        let asked: HashMap<_, _> = url.query_pairs().into_owned().collect();
        let person = header(head, "cookie").and_then(|cookie| cookie.strip_prefix("person="));
        let is_right = asked["client_id"] == CLIENT_ID && asked["code_challenge_method"] == "S256";
        let (Some(person), true) = (person, is_right) else {
            return json_answer("400 Bad Request", &json!({}));
        };
        let code = self.secret("code", person);
        let redirect = asked["redirect_uri"].clone();
        self.codes.insert(code.clone(), (person.to_owned(), redirect.clone(), asked["code_challenge"].clone()));
        let query = encoded(&[("code", &code), ("state", &asked["state"])]);
        format!("HTTP/1.1 302 Found\r\nlocation: {redirect}?{query}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    }

    fn token(&mut self, head: &str, body: &str) -> String {
        let asked: HashMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let grant_type = asked.get("grant_type").cloned().unwrap_or_default();
        self.requests.push(grant_type.clone());
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{}", encode(CLIENT_SECRET))));
        if header(head, "authorization") != Some(&basic) {
            return json_answer("401 Unauthorized", &json!({"error": "invalid_client"}));
        }
        let person = match grant_type.as_str() {
            "authorization_code" => self.codes.remove(&asked["code"]).and_then(|(person, redirect, wanted)| {
                let is_right = redirect == asked["redirect_uri"] && wanted == challenge(&asked["code_verifier"]);
                is_right.then_some(person)
            }),
            _ => {
                let token = &asked["refresh_token"];
                if self.spent.contains(token) {
                    self.refresh.clear();
                    self.access.clear();
                }
                self.spent.insert(token.clone());
                self.refresh.remove(token)
            }
        };
        let Some(person) = person else {
            return json_answer("400 Bad Request", &json!({"error": "invalid_grant"}));
        };
        let (access, refresh) = (self.secret("access", &person), self.secret("refresh", &person));
        // Tokens from before are good until their end, as with most authorization servers: RFC 6749 §6 asks for no more.
        self.access.insert(access.clone(), person.clone());
        self.refresh.insert(refresh.clone(), person);
        let tokens =
            json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": LIFE});
        json_answer("200 OK", &tokens)
    }
}

fn json_answer(status: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
