//! Clients that sign assertions (`private_key_jwt`), and those who would like to have.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_auth::issuer::{ClientAuthError, TokenError};
use bridgehead_core::Clock;
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

use crate::desk::{CALLBACK, DAY, Desk, ISSUER, MINUTE, VERIFIER, access, refused};

const URL: &str = "https://chatgpt.example/client.json";
const KEYS: &str = "https://chatgpt.example/keys";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

struct Ec(EcdsaKeyPair);

impl Ec {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        let point = self.0.public_key().as_ref();
        json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "x": b64(&point[1..33]), "y": b64(&point[33..])})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", b64(signature))
    }
}

fn claims(desk: &Desk, jti: &str, more: &Value) -> Value {
    let now = desk.clock.now().as_second();
    let mut claims = json!({"iss": URL, "sub": URL, "aud": ISSUER, "exp": now + 60, "iat": now, "jti": jti});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

/// A desk that a client with this key is known at, and which names this algorithm.
async fn desk_with(key: &Ec, algorithm: Option<&str>) -> Desk {
    let desk = Desk::new().await;
    let document = json!({
        "client_id": URL, "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt",
        "jwks_uri": KEYS, "token_endpoint_auth_signing_alg": algorithm,
    });
    desk.web.put(URL, &document);
    desk.web.put(KEYS, &json!({"keys": [key.jwk("k1")]}));
    desk
}

fn form<'a>(code: &'a str, assertion: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("grant_type", "authorization_code"),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ]
}

#[tokio::test]
async fn an_assertion_proves_a_client_once() {
    let key = Ec::new();
    let desk = desk_with(&key, None).await;
    let code = desk.code(URL, &[]).await;
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
    let assertion = key.sign(&header, &claims(&desk, "1", &json!({})));
    let tokens = desk.token(&form(&code, &assertion)).await.unwrap();
    desk.caller(access(&tokens)).await.unwrap();
    let other = desk.code(URL, &[]).await;
    assert_eq!(refused(desk.token(&form(&other, &assertion)).await), (401, "invalid_client"), "it is used up");
    assert_eq!(refused(desk.replica().token(&form(&other, &assertion)).await), (401, "invalid_client"), "everywhere");
    for (jti, more) in [
        ("2", json!({"aud": format!("{ISSUER}/oauth/token")})),
        ("3", json!({"aud": ["https://b.example", ISSUER]})),
        ("4", json!({"nbf": desk.clock.now().as_second() + 30})),
        ("5", json!({"exp": desk.clock.now().as_second() + 3600})),
        ("6", json!({"exp": desk.clock.now().as_second() - 30})),
    ] {
        let code = desk.code(URL, &[]).await;
        let assertion = key.sign(&header, &claims(&desk, jti, &more));
        desk.token(&form(&code, &assertion)).await.unwrap();
    }
    assert_eq!(desk.web.times_asked(), 3, "the document is kept for all, the key set by each replica");
}

/// Algorithm confusion, other keys, and claims for somebody else: all refused, and no code used up.
#[tokio::test]
async fn what_is_not_the_clients_assertion_is_refused() {
    for algorithm in [Some("ES256"), None] {
        refuse_all_but_its_own(algorithm).await;
    }
}

async fn refuse_all_but_its_own(algorithm: Option<&str>) {
    let (key, other) = (Ec::new(), Ec::new());
    let desk = desk_with(&key, algorithm).await;
    let code = desk.code(URL, &[]).await;
    let header = json!({"alg": "ES256", "kid": "k1"});
    let good = |jti: &str| claims(&desk, jti, &json!({}));
    let now = desk.clock.now().as_second();
    let unsigned = format!("{}.{}.", b64(json!({"alg": "none"}).to_string()), b64(good("n").to_string()));
    let text = format!("{}.{}", b64(json!({"alg": "HS256", "kid": "k1"}).to_string()), b64(good("h").to_string()));
    let public = key.0.public_key().as_ref();
    let by_public_key =
        format!("{text}.{}", b64(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), text.as_bytes())));
    let ed25519 = {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let text = format!("{}.{}", b64(json!({"alg": "EdDSA", "kid": "k1"}).to_string()), b64(good("e").to_string()));
        format!("{text}.{}", b64(pair.sign(text.as_bytes())))
    };
    let own_key = json!({"alg": "ES256", "jwk": other.jwk("k1"), "jku": "https://evil.example/keys"});
    let signed = |more: Value| key.sign(&header, &claims(&desk, "x", &more));
    let good_text = key.sign(&header, &good("t"));
    let rows = [
        ("x".to_owned(), "no JWT"),
        (unsigned, "alg none"),
        (by_public_key, "the public key as a shared secret"),
        (ed25519, "another algorithm than it registered"),
        (other.sign(&header, &good("o")), "another's key"),
        (other.sign(&own_key, &good("j")), "a key in the header"),
        (key.sign(&json!({"alg": "ES256", "kid": "k2"}), &good("k")), "a key id that is not there"),
        (key.sign(&json!({"alg": "ES256", "kid": "k1", "crit": ["x"]}), &good("c")), "something critical"),
        (format!("{}x", &good_text[..good_text.len() - 1]), "another signature"),
        (signed(json!({"iss": "https://evil.example/x"})), "another issuer"),
        (signed(json!({"sub": "https://evil.example/x"})), "another subject"),
        (signed(json!({"aud": "https://other.example"})), "another audience"),
        (signed(json!({"aud": format!("{ISSUER}/")})), "another spelling"),
        (signed(json!({"aud": null})), "no audience"),
        (signed(json!({"exp": now - 61})), "expired"),
        (signed(json!({"exp": now + 3700})), "good for too long"),
        (signed(json!({"exp": (now + 60).to_string()})), "an expiry that is text"),
        (signed(json!({"exp": null})), "no expiry"),
        (signed(json!({"nbf": now + 120})), "not good yet"),
        (signed(json!({"nbf": "x"})), "a beginning that is text"),
        (signed(json!({"iat": now + 120})), "from the future"),
        (signed(json!({"jti": null})), "no id"),
        (signed(json!({"jti": ""})), "an empty id"),
        (signed(json!({"jti": "x".repeat(300)})), "a long id"),
    ];
    for (assertion, what) in rows {
        let with_id = [form(&code, &assertion).as_slice(), &[("client_id", URL)]].concat();
        assert_eq!(refused(desk.token(&with_id).await), (401, "invalid_client"), "{what}");
    }
    // Other ways to prove itself are not this client's.
    let nothing =
        [("grant_type", "authorization_code"), ("client_id", URL), ("code", &code), ("code_verifier", VERIFIER)];
    let error = desk.token(&nothing).await.unwrap_err();
    assert!(matches!(error, TokenError::Client(ClientAuthError::OtherMethod { .. })), "{error:?}");
    assert_eq!(refused(Err(error)), (401, "invalid_client"));
    let both = [form(&code, &good_text).as_slice(), &[("client_secret", "x")]].concat();
    assert_eq!(refused(desk.token(&both).await), (400, "invalid_request"));
    let other_type = form(&code, &good_text).map(|(name, value)| (name, if value == JWT_BEARER { "x" } else { value }));
    assert_eq!(refused(desk.token(&other_type).await), (401, "invalid_client"));
    desk.token(&form(&code, &good_text)).await.unwrap();
}

/// A client that rotates its keys: the new one is found at once, and the old copy serves while its host
/// is down.
#[tokio::test]
async fn a_client_rotates_its_keys() {
    let (old, new) = (Ec::new(), Ec::new());
    let desk = desk_with(&old, None).await;
    let sign = |key: &Ec, kid: &str, jti: &str| {
        key.sign(&json!({"alg": "ES256", "kid": kid}), &claims(&desk, jti, &json!({})))
    };
    let exchange = async |key: &Ec, kid: &str, jti: &str| {
        let code = desk.code(URL, &[]).await;
        desk.token(&form(&code, &sign(key, kid, jti))).await
    };
    exchange(&old, "k1", "1").await.unwrap();
    desk.web.put(KEYS, &json!({"keys": [old.jwk("k1"), new.jwk("k2")]}));
    assert_eq!(refused(exchange(&new, "k2", "2").await), (401, "invalid_client"), "asked a moment ago");
    desk.clock.advance(MINUTE);
    exchange(&new, "k2", "3").await.unwrap();
    exchange(&old, "k1", "4").await.unwrap();
    desk.web.remove(KEYS);
    desk.clock.advance(120 * MINUTE);
    exchange(&new, "k2", "5").await.unwrap();
    desk.clock.advance(2 * DAY);
    assert_eq!(refused(exchange(&new, "k2", "6").await), (503, "temporarily_unavailable"));
}

/// A registered client may bring its keys with it; HMAC keys among them are of no use.
#[tokio::test]
async fn keys_may_stand_in_the_registration() {
    let (key, shared) = (Ec::new(), json!({"kty": "oct", "kid": "s", "k": b64("0123456789abcdef0123456789abcdef")}));
    let desk = Desk::new().await;
    let metadata = json!({
        "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [shared, key.jwk("k1")]},
    });
    let registration = desk.register(&metadata).await;
    assert!(registration.client_secret.is_none());
    let id = registration.client_id;
    let code = desk.code(&id, &[]).await;
    let own = json!({"iss": id, "sub": id});
    let text = format!(
        "{}.{}",
        b64(json!({"alg": "HS256", "kid": "s"}).to_string()),
        b64(claims(&desk, "1", &own).to_string())
    );
    let secret = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
    let by_secret = format!("{text}.{}", b64(hmac::sign(&secret, text.as_bytes())));
    assert_eq!(refused(desk.token(&form(&code, &by_secret)).await), (401, "invalid_client"));
    let assertion = key.sign(&json!({"alg": "ES256"}), &claims(&desk, "2", &own));
    desk.token(&form(&code, &assertion)).await.unwrap();
}
