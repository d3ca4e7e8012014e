//! An authorization server that is not ours, as a test wants it: documents and keys that it changes, an
//! introspection that it fills, and every fault on demand. It signs nobody in; its tokens are the
//! test's to sign.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the issuer does from now on.
#[derive(Debug, Default)]
pub struct Behaviour {
    /// Every connection is closed without an answer.
    pub down: bool,
    /// Each document is answered with this status instead.
    pub status: Option<u16>,
    /// Its key set.
    pub keys: Vec<Value>,
    /// How long the key set says that it may be kept; nothing where empty.
    pub cache_control: String,
    /// Metadata beside or instead of the usual; `null` takes a member out.
    pub metadata: Map<String, Value>,
    /// What introspection answers for a token; `{"active": false}` for any other.
    pub tokens: BTreeMap<String, Value>,
    /// Who may introspect: id and secret.
    pub client: Option<(String, String)>,
}

/// The issuer, on a port of its own; gone when dropped.
pub struct Issuer {
    /// Its identifier: `http://localhost:PORT`.
    pub url: String,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

struct State {
    url: String,
    behaviour: Mutex<Behaviour>,
    asked: Mutex<Vec<String>>,
}

impl Issuer {
    /// Starts one with this key.
    pub async fn start(key: &SigningKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://localhost:{}", listener.local_addr().expect("an address").port());
        let behaviour = Mutex::new(Behaviour { keys: vec![key.jwk()], ..Behaviour::default() });
        let state = Arc::new(State { url: url.clone(), behaviour, asked: Mutex::default() });
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                // A client that goes away in the middle is no matter.
                tokio::spawn(async move { state.serve(stream).await.ok() });
            }
        });
        Self { url, state, serving }
    }

    /// Changes what it does.
    pub fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state.behaviour.lock().expect("no panic while it is held"));
    }

    /// What was asked for since this was last called: method and path.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.asked.lock().expect("no panic while it is held"))
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some((head, body)) = read(&mut stream).await? else { return Ok(()) };
        let mut words = head.split(' ');
        let line = format!("{} {}", words.next().unwrap_or_default(), words.next().unwrap_or_default());
        self.asked.lock().expect("no panic while it is held").push(line.clone());
        let answer = self.answer(&line, &head, &body);
        if let Some(answer) = answer {
            stream.write_all(answer.as_bytes()).await?;
        }
        stream.shutdown().await
    }

    fn answer(&self, line: &str, head: &str, body: &str) -> Option<String> {
        let behaviour = self.behaviour.lock().expect("no panic while it is held");
        if behaviour.down {
            return None;
        }
        if let Some(status) = behaviour.status {
            return Some(whole(status, "", &json!({"error": "server_error"})));
        }
        let cache_control = match behaviour.cache_control.as_str() {
            "" => String::new(),
            text => format!("cache-control: {text}\r\n"),
        };
        Some(match line {
            "GET /.well-known/oauth-authorization-server" => whole(200, "", &self.metadata(&behaviour)),
            "GET /keys" => whole(200, &cache_control, &json!({"keys": behaviour.keys})),
            "POST /introspect" => introspection(&behaviour, head, body),
            _ => whole(404, "", &json!({"error": "not_found"})),
        })
    }

    fn metadata(&self, behaviour: &Behaviour) -> Value {
        let mut metadata = json!({
            "issuer": self.url,
            "authorization_endpoint": format!("{}/authorize", self.url),
            "token_endpoint": format!("{}/token", self.url),
            "jwks_uri": format!("{}/keys", self.url),
            "introspection_endpoint": format!("{}/introspect", self.url),
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        });
        let members = metadata.as_object_mut().expect("an object");
        members.extend(behaviour.metadata.clone());
        members.retain(|_, value| !value.is_null());
        metadata
    }
}

fn introspection(behaviour: &Behaviour, head: &str, body: &str) -> String {
    let known = behaviour.client.as_ref().is_some_and(|(id, secret)| {
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.any(|(name, value)| name.eq_ignore_ascii_case("authorization") && value == basic)
    });
    if !known {
        return whole(401, "", &json!({"error": "invalid_client"}));
    }
    let token = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "token");
    let token = token.map(|(_, token)| token.into_owned()).unwrap_or_default();
    whole(200, "", behaviour.tokens.get(&token).unwrap_or(&json!({"active": false})))
}

fn whole(status: u16, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Head and body; `None` where the client went away before.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().filter_map(|line| line.split_once(':'));
            let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let length = length.next().and_then(|(_, length)| length.trim().parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Ok(Some((head.to_owned(), body.to_owned())));
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// A key that signs tokens by ES256.
pub struct SigningKey {
    kid: &'static str,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    /// A new one.
    #[must_use]
    pub fn new(kid: &'static str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key");
        Self { kid, pair }
    }

    /// Its public half (RFC 7517).
    #[must_use]
    pub fn jwk(&self) -> Value {
        // Uncompressed: 4, x, y.
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256", "x": x, "y": y})
    }

    /// The header of a token that it signs, as RFC 9068 has it.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": self.kid})
    }

    /// A token with that header.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&self.header(), claims)
    }

    /// A token with any header, signed by ES256 whatever that says.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token that is signed by HS256 with the public key as secret: what whoever believes the header
    /// would take (RFC 8725 §2.1).
    #[must_use]
    pub fn confused(&self, claims: &Value) -> String {
        let message = message(&json!({"alg": "HS256", "typ": "at+jwt", "kid": self.kid}), claims);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.pair.public_key().as_ref());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&secret, message.as_bytes())))
    }
}

/// A token without signature.
#[must_use]
pub fn unsigned(claims: &Value) -> String {
    format!("{}.", message(&json!({"alg": "none", "typ": "at+jwt"}), claims))
}

fn message(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}
