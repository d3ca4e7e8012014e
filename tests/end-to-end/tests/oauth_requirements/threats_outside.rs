//! What a client points at, and what comes from outside: documents and key sets, assertions, and the
//! log of the real binary.

use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_end_to_end::oauth::{
    ALICE, Browser, CALLBACK, PASSWORD, PUBLIC, Site, VERIFIER, parameter, query, warehouse,
};
use bridgehead_harness::{
    TestServerBuilder,
    outside::{Ca, Names},
    process::{Served, repository},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::table::Table;

/// A host that the server reaches at a public address: whatever it says is what the test wants it to.
pub(crate) struct Outside {
    ca: Arc<Ca>,
    name: &'static str,
    answer: Arc<Mutex<String>>,
}

impl Outside {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { ca: Arc::new(Ca::default()), name, answer: Arc::default() }
    }

    /// A whole answer of the host.
    pub(crate) fn answer(&self, status: &str, content_type: &str, body: &str) -> String {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// What the host says from now on.
    pub(crate) fn serve(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    /// The server, with the way out bent to this host.
    pub(crate) async fn server(&self, builder: TestServerBuilder) -> TestServerBuilder {
        let port = self.ca.serve_as_told(self.name, self.answer.clone()).await;
        let (ca, name) = (self.ca.clone(), self.name);
        builder.way_out(move |net| {
            let names = Names::here(&["private.example"]).and(name, [203, 0, 114, 7].into());
            ca.net(net, names, true).with_detour(move |_| Some(([127, 0, 0, 1], port).into()))
        })
    }
}

pub(crate) async fn rows(table: &mut Table) {
    addresses(table).await;
    assertions(table).await;
    logs(table).await;
}

/// X10: nothing inside is reached by way of a client id or a key set.
async fn addresses(table: &mut Table) {
    let outside = Outside::new("client.example");
    outside.serve(outside.answer("200 OK", "application/json", "{}"));
    let server = outside.server(warehouse("", "mode = \"oauth\"")).await.start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let mut browser = Browser::new(&site);
    browser.sign_in(ALICE, PASSWORD).await;
    for id in [
        "https://127.0.0.1/client.json",
        "https://localhost/client.json",
        "https://[::1]/client.json",
        "https://[::ffff:127.0.0.1]/client.json",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/client.json",
        "https://0x7f.1/client.json",
        "https://2130706433/client.json",
        "https://private.example/client.json",
        "https://nowhere.example/client.json",
        "https://client.example:22/client.json",
    ] {
        let refused = browser.consent(&query(id, &[])).await;
        table.is("X10", id, refused.status, 400);
        let told = ["is at 127.", "not a public address", "refused:"].iter().any(|words| refused.text.contains(words));
        table.holds("X10", "nothing is said of what is there", !told, &refused.text);
    }
    let metadata = |uri: &str| json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri});
    for uri in ["http://client.example/jwks", "https://127.0.0.1/jwks", "file:///etc/passwd"] {
        let answer = site.register(&metadata(uri)).await;
        let status = if answer.status == 201 {
            // A key set is fetched when it is needed.
            let id = answer.json()["client_id"].as_str().unwrap().to_owned();
            let token = signed(&key(), &json!({"alg": "ES256", "kid": "k"}), &claims(&id, "x"));
            asserted(&site, &id, &token).await.0
        } else {
            answer.status
        };
        table.holds("X10", uri, matches!(status, 400 | 401 | 503), &status.to_string());
    }
    server.stop().await;
}

fn key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

fn signed(key: &EcdsaKeyPair, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signing = format!("{}.{}", part(header), part(claims));
    let signature = key.sign(&SystemRandom::new(), signing.as_bytes()).unwrap();
    format!("{signing}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The harness's clock stands at the beginning of 2026.
fn claims(client: &str, id: &str) -> Value {
    json!({"iss": client, "sub": client, "aud": PUBLIC, "jti": id, "iat": 1_767_225_600, "exp": 1_767_225_660})
}

async fn asserted(site: &Site, client: &str, assertion: &str) -> (u16, String) {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", "x"),
        ("code_verifier", VERIFIER),
        ("client_id", client),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion),
    ];
    let answer = site.post("/oauth/token", &pairs).await;
    (answer.status, answer.error())
}

/// X14: an assertion is signed with the client's own key, or it proves nothing. A good one comes as far
/// as the code, which there is none.
async fn assertions(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    let site = Site::of(&[&server]);
    let (own, other) = (key(), key());
    let public = own.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&public[1..33]), URL_SAFE_NO_PAD.encode(&public[33..]));
    let jwks =
        json!({"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k", "x": x, "y": y}]});
    let metadata = json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks});
    let id = site.client(metadata).await["client_id"].as_str().unwrap().to_owned();
    let header = json!({"alg": "ES256", "kid": "k"});
    let refused = (401, "invalid_client".to_owned());
    let good = signed(&own, &header, &claims(&id, "1"));
    table.is("X14", "a good one", asserted(&site, &id, &good).await, (400, "invalid_grant".to_owned()));
    table.is("X14", "the same again", asserted(&site, &id, &good).await, refused.clone());
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", encoded(&json!({"alg": "none"})), encoded(&claims(&id, "2")));
    table.is("X14", "none", asserted(&site, &id, &none).await, refused.clone());
    let signing = format!("{}.{}", encoded(&json!({"alg": "HS256", "kid": "k"})), encoded(&claims(&id, "3")));
    for secret in [public, x.as_bytes()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signing.as_bytes());
        let confused = format!("{signing}.{}", URL_SAFE_NO_PAD.encode(tag));
        table.is("X14", "HS256 under the public key", asserted(&site, &id, &confused).await, refused.clone());
    }
    let with = |name: &str, value: Value, id_of: &str| {
        let mut claims = claims(&id, id_of);
        claims[name] = value;
        claims
    };
    for (what, token) in [
        ("another key", signed(&other, &header, &claims(&id, "4"))),
        (
            "a key in the header",
            signed(
                &other,
                &json!({"alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": y}}),
                &claims(&id, "5"),
            ),
        ),
        ("for another server", signed(&own, &header, &with("aud", json!("https://other.example.com"), "6"))),
        ("for another client", signed(&own, &header, &with("sub", json!("bhi_AAAAAAAAAAAA"), "7"))),
        ("expired", signed(&own, &header, &with("exp", json!(1_767_225_000), "8"))),
        ("good for years", signed(&own, &header, &with("exp", json!(1_900_000_000), "9"))),
        ("without an id", signed(&own, &header, &with("jti", Value::Null, "10"))),
        ("ES384", signed(&own, &json!({"alg": "ES384", "kid": "k"}), &claims(&id, "11"))),
        ("critical", signed(&own, &json!({"alg": "ES256", "kid": "k", "crit": ["x"], "x": 1}), &claims(&id, "12"))),
    ] {
        table.is("X14", what, asserted(&site, &id, &token).await, refused.clone());
    }
    server.stop().await;
}

/// X12: the whole way with the real binary, and then its log.
async fn logs(table: &mut Table) {
    let directory = tempfile::tempdir().unwrap();
    let example = repository().join("examples/warehouse");
    std::fs::copy(example.join("warehouse.sql"), directory.path().join("warehouse.sql")).unwrap();
    let config = std::fs::read_to_string(example.join("bridgehead.toml")).unwrap();
    let config = config.replace("mode = \"api_key\"", "mode = \"oauth\"");
    let path = directory.path().join("bridgehead.toml");
    std::fs::write(&path, config).unwrap();
    let served = Served::start_with(&path, &[("BRIDGEHEAD_LOG", "debug")]).await;
    let origin = served.url.strip_suffix("/mcp").unwrap().to_owned();
    let site = Site::at(&origin);
    let link =
        served.card.split("/login/link?token=").nth(1).expect("a link on the card").split_whitespace().next().unwrap();
    let mut browser = Browser::new(&site);
    let pairs = [("token", link), ("mail", ALICE), ("password", PASSWORD), ("repeat", PASSWORD)];
    let signed_in = browser.post_from(&origin, "/login/link", &pairs).await;
    table.is("X12", "the binary signs its first administrator in", signed_in.status, 303);
    let registered = site.client(json!({"redirect_uris": [CALLBACK]})).await;
    let (id, secret) = (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let page = browser.consent(&query(id, &[])).await;
    let (asked, csrf) = (page.hidden("query"), page.hidden("csrf"));
    let decided = [("query", asked.as_str()), ("csrf", &csrf), ("decision", "allow"), ("scope", "tools:write")];
    let back = browser.post_from(&origin, "/oauth/consent", &decided).await.goes_back_to();
    let code = parameter(&back, "code").unwrap();
    let exchange = [
        ("grant_type", "authorization_code"),
        ("client_id", id),
        ("client_secret", secret),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let tokens = site.post("/oauth/token", &exchange).await;
    table.is("X12", "and gives tokens", tokens.status, 200);
    let tokens = tokens.json();
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    let called = site.call(Some(access), "list_suppliers", json!({})).await;
    table.is("X12", "and calls", called.status, 200);
    // Refusals are logged as well.
    site.post("/oauth/token", &exchange).await;
    browser.post_from("https://evil.example", "/login", &[("mail", ALICE), ("password", "a wrong password")]).await;
    browser.post_from(&origin, "/login", &[("mail", ALICE), ("password", "a wrong password")]).await;
    site.rpc(Some(&format!("{access}x")), "tools/list", json!({})).await;
    let cookie = browser.cookie.clone().unwrap();
    let session = cookie.split_once('=').unwrap().1.to_owned();
    served.logged(|line| line.contains("/mcp") && line.contains("401")).await;
    let log = served.log().join("\n");
    table.says("X12", "there is a log", &log, "/oauth/token");
    for (what, text) in [
        ("the link", link),
        ("the password", PASSWORD),
        ("a wrong password", "a wrong password"),
        ("the session", session.as_str()),
        ("the client's secret", secret),
        ("the registration's token", registered["registration_access_token"].as_str().unwrap()),
        ("the code", code.as_str()),
        ("the access token", access),
        ("the refresh token", refresh),
        ("the verifier", VERIFIER),
        ("the form's token", csrf.as_str()),
    ] {
        table.holds("X12", what, !log.contains(text), "it is in the log");
    }
    table.is("X12", "an orderly end", served.terminate().await, Some(0));
}
