//! A6: an authorization server that is not ours. Each fault of a token, of the issuer's documents and of
//! its way to answer, with the exact outcome: status, `error` of the challenge, our word, and what is
//! said.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::time::Duration;

use bridgehead_core::Clock;
use bridgehead_end_to_end::{
    foreign::{Issuer, SigningKey, unsigned},
    oauth::{Answer, PUBLIC, Site, configuration, warehouse},
};
use bridgehead_harness::{
    TestServer, WAREHOUSE_TABLES,
    process::{Served, bridgehead},
};
use serde_json::{Value, json};

const RESOURCE: &str = "https://mcp.example.com/mcp";
const NOT_NOW: &str = "The service that signs you in cannot be asked at the moment.";

/// A server in front of an issuer.
struct Desk {
    server: TestServer,
    site: Site,
    issuer: Issuer,
    key: SigningKey,
}

impl Desk {
    /// `more` stands behind `issuer` in `[auth.oauth]`.
    async fn open(more: &str) -> Self {
        Self::open_beside("\"oauth\"", more).await
    }

    async fn open_beside(modes: &str, more: &str) -> Self {
        let key = SigningKey::new("first");
        let issuer = Issuer::start(&key).await;
        let auth = format!("mode = {modes}\n[auth.oauth]\nissuer = \"{}\"\n{more}", issuer.url);
        let server = warehouse("", &auth).start().await;
        Self { site: Site::of(&[&server]), server, issuer, key }
    }

    fn seconds(&self) -> i64 {
        self.server.clock.now().as_second()
    }

    /// Good claims of an access token for Alice, with these instead; `null` takes one out.
    fn claims(&self, more: Value) -> Value {
        let now = self.seconds();
        let mut claims = json!({
            "iss": self.issuer.url, "sub": "alice", "aud": RESOURCE, "client_id": "duvo",
            "scope": "tools:read tools:write", "iat": now, "exp": now + 900, "jti": "1",
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        members.retain(|_, value| !value.is_null());
        claims
    }

    fn token(&self, more: Value) -> String {
        self.key.token(&self.claims(more))
    }

    async fn find(&self, token: &str) -> Answer {
        self.site.call(Some(token), "find_stock", json!({"sku": "A-1"})).await
    }

    async fn is_let_in(&self, what: &str, token: &str) {
        let answer = self.find(token).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
        assert_eq!(answer.json()["result"]["structuredContent"]["rows"][0]["units"], 20, "{what}");
    }

    /// 401 with `invalid_token` and the way to the issuer; our word; and what is said.
    async fn is_refused(&self, what: &str, token: &str, word: &str, says: &str) {
        let answer = self.find(token).await;
        let challenge = answer.header("www-authenticate");
        assert_eq!((answer.status, answer.error().as_str()), (401, word), "{what}: {}", answer.text);
        let metadata = format!("resource_metadata=\"{PUBLIC}/.well-known/oauth-protected-resource/mcp\"");
        for part in [metadata.as_str(), "scope=\"tools:read tools:write\"", "error=\"invalid_token\""] {
            assert!(challenge.contains(part), "{what}: {challenge}");
        }
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{what}: {message}");
    }

    /// 503: nobody can say whether the token is good. A client is not sent to sign in again.
    async fn is_put_off(&self, what: &str, token: &str) {
        let answer = self.find(token).await;
        assert_eq!((answer.status, answer.error().as_str()), (503, "issuer_unavailable"), "{what}: {}", answer.text);
        assert_eq!(answer.header("www-authenticate"), "", "{what}");
        assert!(answer.json()["message"].as_str().unwrap().starts_with(NOT_NOW), "{what}: {}", answer.text);
    }

    fn later(&self, seconds: u64) {
        self.server.clock.advance(Duration::from_secs(seconds));
    }

    /// How often the key set was fetched since this was last asked.
    fn fetches(&self) -> usize {
        self.issuer.asked().iter().filter(|line| *line == "GET /keys").count()
    }
}

/// RFC 9728 and RFC 6750: clients are led to the issuer, and nothing of our own server is there.
#[tokio::test]
async fn clients_are_led_to_the_issuer() {
    let desk = Desk::open("").await;
    for place in ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"] {
        let answer = desk.site.get(place).await;
        assert_eq!(answer.status, 200, "{place}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{place}");
        let expected = json!({
            "resource": RESOURCE, "authorization_servers": [desk.issuer.url],
            "scopes_supported": ["tools:read", "tools:write"],
            "bearer_methods_supported": ["header"], "resource_name": "Warehouse",
        });
        assert_eq!(answer.json(), expected, "{place}");
    }
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration",
        "/oauth/authorize",
        "/login",
        "/account",
    ] {
        let answer = desk.site.get(path).await;
        assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"), "{path}: {}", answer.text);
    }
    for path in ["/oauth/token", "/oauth/register", "/oauth/revoke", "/oauth/introspect", "/oauth/consent"] {
        assert_eq!(desk.site.post(path, &[]).await.status, 404, "{path}");
    }

    let anonymous = desk.site.rpc(None, "tools/list", json!({})).await;
    let challenge = anonymous.header("www-authenticate");
    assert_eq!((anonymous.status, challenge.contains("error=")), (401, false), "{challenge}");
    assert!(challenge.contains("scope=\"tools:read tools:write\""), "{challenge}");
    let said = anonymous.json()["message"].as_str().unwrap().to_owned();
    assert!(said.contains(desk.issuer.url.trim_start_matches("http://")), "{said}");
    desk.is_let_in("a good token", &desk.token(json!({}))).await;
    desk.server.stop().await;
}

/// What a token says, and what is said of it. Good ones are among them, so that each refusal has one cause.
#[tokio::test]
async fn each_token_has_its_exact_answer() {
    let desk = Desk::open("").await;
    let (key, now) = (&desk.key, desk.seconds());
    let header = |more: Value| {
        let mut header = key.header();
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        header.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        header
    };
    let with_header = |more: Value| key.sign(&header(more), &desk.claims(json!({})));

    for (what, token) in [
        ("as RFC 9068 has it", desk.token(json!({}))),
        ("typed in full", with_header(json!({"typ": "application/at+JWT"}))),
        ("typed JWT, as many do", with_header(json!({"typ": "JWT"}))),
        ("not typed", with_header(json!({"typ": null}))),
        ("without kid", with_header(json!({"kid": null}))),
        ("one of several audiences", desk.token(json!({"aud": ["https://other.example", RESOURCE]}))),
        ("over for less than a minute", desk.token(json!({"exp": now - 59}))),
        ("from a clock that is ahead by less than a minute", desk.token(json!({"iat": now + 60, "nbf": now + 60}))),
        ("times with fractions", desk.token(json!({"exp": f64::from(2_000_000_000) + 0.5}))),
        (
            "as Keycloak types it",
            key.sign(&header(json!({"typ": "JWT"})), &desk.claims(json!({"typ": "Bearer", "nonce": "n"}))),
        ),
        ("scopes as a list in scp", desk.token(json!({"scope": null, "scp": ["tools:read", "tools:write"]}))),
        ("scopes as a text in scp", desk.token(json!({"scope": null, "scp": "tools:write"}))),
    ] {
        desk.is_let_in(what, &token).await;
    }

    let untyped = |claims: Value| key.sign(&header(json!({"typ": "JWT"})), &desk.claims(claims));
    let good = desk.token(json!({}));
    let (message, signature) = good.rsplit_once('.').unwrap();
    let other_text = desk.token(json!({"sub": "bob"})).rsplit_once('.').unwrap().0.to_owned();
    let other = SigningKey::new("first");
    for (what, token, word, says) in [
        ("opaque", "opaque-token".to_owned(), "token_not_a_jwt", "It is no JWT."),
        ("three parts of nothing", "a.b.c".to_owned(), "token_not_a_jwt", "It is no JWT."),
        ("encrypted (five parts)", format!("{good}.x.y"), "token_not_a_jwt", "It is no JWT."),
        ("very long", desk.token(json!({"x": "x".repeat(12_300)})), "token_too_long", "longer than 16 KiB"),
        ("unsigned", unsigned(&desk.claims(json!({}))), "token_unsigned", "It is not signed."),
        ("signature cut off", format!("{message}."), "token_signature", "Its signature is not good."),
        (
            "changed after it was signed",
            format!("{other_text}.{signature}"),
            "token_signature",
            "signature is not good",
        ),
        ("of somebody else's key", other.token(&desk.claims(json!({}))), "token_signature", "signature is not good"),
        (
            "HS256 with the public key",
            key.confused(&desk.claims(json!({}))),
            "token_algorithm",
            "RS256, PS256, ES256, EdDSA",
        ),
        ("ES256 named RS256", with_header(json!({"alg": "RS256"})), "token_key", "no key with which it can be signed"),
        ("ES256 named ES384", with_header(json!({"alg": "ES384"})), "token_algorithm", "another algorithm than"),
        ("with something critical", with_header(json!({"crit": ["exp"]})), "token_critical", "`crit`"),
        (
            "an issuer that is not named",
            desk.token(json!({"iss": "https://evil.example"})),
            "token_issuer",
            "It does not come from http://localhost",
        ),
        (
            "the issuer with a slash",
            desk.token(json!({"iss": format!("{}/", desk.issuer.url)})),
            "token_issuer",
            "It does not come from",
        ),
        ("no issuer", desk.token(json!({"iss": null})), "token_issuer", "It does not come from"),
        (
            "another audience",
            desk.token(json!({"aud": "https://other.example/mcp"})),
            "token_audience",
            "another audience than `https://mcp.example.com/mcp`",
        ),
        ("our origin as audience", desk.token(json!({"aud": PUBLIC})), "token_audience", "another audience than"),
        ("other audiences", desk.token(json!({"aud": ["a", "b"]})), "token_audience", "another audience than"),
        ("no audience", desk.token(json!({"aud": null})), "token_claim", "Its claim `aud` is missing"),
        ("expired", desk.token(json!({"exp": now - 60})), "token_expired", "It expired at 2025-12-31 23:59:00 UTC."),
        ("no expiry", desk.token(json!({"exp": null})), "token_claim", "Its claim `exp` is missing"),
        ("an expiry that is a text", desk.token(json!({"exp": "2000000000"})), "token_claim", "Its claim `exp`"),
        (
            "not yet good",
            desk.token(json!({"nbf": now + 61})),
            "token_not_yet_valid",
            "not good before 2026-01-01 00:01:01 UTC",
        ),
        (
            "issued tomorrow",
            desk.token(json!({"iat": now + 86_400})),
            "token_not_yet_valid",
            "The clock of this server",
        ),
        ("an ID token by its nonce", untyped(json!({"nonce": "n"})), "token_of_another_kind", "It is no access token"),
        ("an ID token by its hash", untyped(json!({"at_hash": "h"})), "token_of_another_kind", "It is no access token"),
        (
            "an ID token by Keycloak's word",
            untyped(json!({"typ": "ID"})),
            "token_of_another_kind",
            "It is no access token",
        ),
        ("a refresh token", untyped(json!({"typ": "Refresh"})), "token_of_another_kind", "It is no access token"),
        ("a logout token", with_header(json!({"typ": "logout+jwt"})), "token_of_another_kind", "It is no access token"),
        (
            "a client's assertion",
            with_header(json!({"typ": "client-authentication+jwt"})),
            "token_of_another_kind",
            "It is no access token",
        ),
        ("a security event", untyped(json!({"events": {}})), "token_of_another_kind", "It is no access token"),
        ("bound to a key", desk.token(json!({"cnf": {"jkt": "x"}})), "token_bound", "Have a bearer token issued"),
        ("nobody's", desk.token(json!({"sub": null})), "token_claim", "Its claim `sub`"),
        ("of an empty name", desk.token(json!({"sub": ""})), "token_claim", "Its claim `sub`"),
        (
            "of a name that is given here",
            desk.token(json!({"sub": "key-0123456789abcdef"})),
            "token_claim",
            "Its claim `sub`",
        ),
        ("scopes as a number", desk.token(json!({"scope": 7})), "token_claim", "Its claim `scope`"),
        ("one of our own kind", "bha_0123456789AB_x".to_owned(), "foreign_token", "no access token of this server"),
    ] {
        desk.is_refused(what, &token, word, says).await;
    }
    desk.server.stop().await;
}

/// RFC 6750 §3.1: what the token does not grant is 403 with all that is needed; P2: who is cut off by name
/// stays out, whatever the issuer says.
#[tokio::test]
async fn scopes_and_blocks_hold() {
    let desk = Desk::open("").await;
    let change = json!({"sku": "A-1", "location": "NORTH", "units": 20});
    let forbidden = |answer: &Answer, scope: &str| {
        let challenge = answer.header("www-authenticate");
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{challenge}");
        assert_eq!(answer.json()["error"]["data"]["code"], "not_permitted");
    };
    let reader = desk.token(json!({"scope": "tools:read openid"}));
    desk.is_let_in("a reader", &reader).await;
    let answer = desk.site.call(Some(&reader), "set_units", change.clone()).await;
    forbidden(&answer, "openid tools:read tools:write");
    for scopes in [json!({"scope": "openid"}), json!({"scope": null}), json!({"scope": "", "scp": "tools:read"})] {
        assert_eq!(desk.find(&desk.token(scopes)).await.status, 403);
    }
    let writer = desk.token(json!({}));
    assert_eq!(desk.site.call(Some(&writer), "set_units", change).await.status, 200);

    // RFC 6750 §2.3: a token in the query string gets nobody in.
    let path = format!("/mcp?access_token={writer}");
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let headers = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    let answer = desk.site.send(reqwest::Method::POST, &path, &headers, message).await;
    assert_eq!((answer.status, answer.error().as_str()), (401, "missing"));

    desk.server.block("alice").await;
    desk.is_refused("who was cut off", &writer, "blocked", "This sign-in was cut off").await;
    desk.is_let_in("somebody else", &desk.token(json!({"sub": "bob"}))).await;
    desk.server.stop().await;
}

/// What an operator of another make of server sets: an audience of its own, scopes with a prefix and in
/// another claim, one algorithm, another name for the teammate.
#[tokio::test]
async fn settings_say_how_tokens_read() {
    let more = "audience = \"api://warehouse\"\nscope_prefix = \"api://warehouse/\"\nscope_claim = \"roles\"\n\
                subject_claim = \"email\"\nalgorithms = [\"ES256\"]\ninitial_scopes = [\"tools:read\"]";
    let desk = Desk::open(more).await;
    let metadata = desk.site.get("/.well-known/oauth-protected-resource/mcp").await.json();
    assert_eq!(metadata["scopes_supported"], json!(["api://warehouse/tools:read", "api://warehouse/tools:write"]));
    let anonymous = desk.site.rpc(None, "tools/list", json!({})).await.header("www-authenticate");
    assert!(anonymous.contains("scope=\"api://warehouse/tools:read\""), "{anonymous}");

    let claims = |more: Value| {
        let mut claims = json!({"aud": "api://warehouse", "roles": ["tools:read", "two words"], "email": "alice@example.com",
            "email_verified": true, "scope": null, "sub": "7f1"});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        desk.token(claims)
    };
    desk.is_let_in("a reader", &claims(json!({}))).await;
    desk.is_let_in("scopes as they are asked for", &claims(json!({"roles": "api://warehouse/tools:read"}))).await;
    let change = json!({"sku": "A-1", "location": "NORTH", "units": 19});
    let answer = desk.site.call(Some(&claims(json!({"roles": ["tools:read"]}))), "set_units", change).await;
    let challenge = answer.header("www-authenticate");
    assert_eq!(answer.status, 403, "{challenge}");
    assert!(challenge.contains("scope=\"api://warehouse/tools:read api://warehouse/tools:write\""), "{challenge}");
    for (what, more, word) in [
        ("the endpoint as audience", json!({"aud": RESOURCE}), "token_audience"),
        ("a mail address that anybody may write", json!({"email_verified": null}), "token_mail_unverified"),
        ("one that is not verified", json!({"email_verified": false}), "token_mail_unverified"),
        ("no mail address", json!({"email": null}), "token_claim"),
    ] {
        let answer = desk.find(&claims(more)).await;
        assert_eq!((answer.status, answer.error().as_str()), (401, word), "{what}: {}", answer.text);
    }
    desk.server.block("alice@example.com").await;
    assert_eq!(desk.find(&claims(json!({}))).await.error(), "blocked");
    desk.server.stop().await;
}

/// Keys that are issued here and tokens of the issuer, side by side and in either order: told apart by the
/// prefix, and none of ours is ever told to the issuer.
#[tokio::test]
async fn keys_and_tokens_stand_side_by_side() {
    for modes in ["[\"api_key\", \"oauth\"]", "[\"oauth\", \"api_key\"]"] {
        let desk = Desk::open_beside(modes, "").await;
        let (_, key) = desk.server.key("carol", "tools:read", None).await;
        desk.is_let_in("a key", &key).await;
        desk.is_let_in("a token", &desk.token(json!({}))).await;
        for (what, sent, word) in [
            ("a damaged key", key[..key.len() - 1].to_owned(), "damaged"),
            ("an expired token", desk.token(json!({"exp": 0})), "token_expired"),
        ] {
            let answer = desk.find(&sent).await;
            assert_eq!((answer.status, answer.error().as_str()), (401, word), "{modes}: {what}: {}", answer.text);
        }
        let answer = desk.find("neither").await;
        assert_eq!(answer.status, 401, "{modes}: {}", answer.text);
        assert!(answer.text.contains("API key") && answer.text.contains("Sign in at localhost"), "{}", answer.text);
        desk.server.stop().await;
    }
}

/// Rotation (RFC 7517, OpenID Connect Core §10.1.1): a new key is found by its kid, one that was withdrawn
/// is good until the set is read again.
#[tokio::test]
async fn keys_are_rotated() {
    let desk = Desk::open("").await;
    desk.issuer.set(|issuer| issuer.cache_control = "max-age=600".to_owned());
    desk.is_let_in("the first key", &desk.token(json!({}))).await;
    assert_eq!(desk.fetches(), 1);

    let second = SigningKey::new("second");
    let new = second.token(&desk.claims(json!({})));
    desk.later(30);
    desk.issuer.set(|issuer| issuer.keys.push(second.jwk()));
    desk.is_let_in("the new key", &new).await;
    desk.is_let_in("the first, beside it", &desk.token(json!({}))).await;
    assert_eq!(desk.fetches(), 1, "the set was read once more");

    desk.issuer.set(|issuer| issuer.keys = vec![second.jwk()]);
    desk.later(599);
    desk.is_let_in("withdrawn, and the set is fresh", &desk.token(json!({}))).await;
    assert_eq!(desk.fetches(), 0);
    desk.later(1);
    desk.is_refused("withdrawn, and the set was read again", &desk.token(json!({})), "token_key", "no key with which")
        .await;
    desk.is_let_in("the second key", &second.token(&desk.claims(json!({})))).await;
    desk.server.stop().await;
}

/// How long a set says that it may be kept is heard, within bounds: a minute, an hour, and ten minutes
/// where it does not say.
#[tokio::test]
async fn key_sets_are_kept_within_bounds() {
    for (header, seconds) in
        [("", 600), ("max-age=1", 60), ("no-store", 60), ("max-age=1200", 1200), ("max-age=99999", 3600)]
    {
        let desk = Desk::open("").await;
        desk.issuer.set(|issuer| issuer.cache_control = header.to_owned());
        desk.is_let_in("at first", &desk.token(json!({}))).await;
        desk.later(seconds - 1);
        desk.is_let_in("just before", &desk.token(json!({}))).await;
        assert_eq!(desk.fetches(), 1, "{header}");
        desk.later(1);
        desk.is_let_in("then", &desk.token(json!({}))).await;
        assert_eq!(desk.fetches(), 1, "{header}");
        desk.server.stop().await;
    }
}

/// Whoever makes up key ids makes us ask once in half a minute, and keeps nobody else out.
#[tokio::test]
async fn made_up_keys_make_no_flood() {
    let desk = Desk::open("").await;
    desk.is_let_in("at first", &desk.token(json!({}))).await;
    desk.later(30);
    let _ = desk.issuer.asked();
    let made_up = |number: usize| {
        let mut header = desk.key.header();
        header["kid"] = format!("made-up-{number}").into();
        desk.key.sign(&header, &desk.claims(json!({})))
    };
    let flood = (0..50).map(|number| {
        let token = made_up(number);
        async { assert_eq!(desk.find(&{ token }).await.error(), "token_key") }
    });
    futures_util::future::join_all(flood).await;
    assert_eq!(desk.fetches(), 1, "fifty at once");
    for number in 0..20 {
        assert_eq!(desk.find(&made_up(number)).await.error(), "token_key");
    }
    assert_eq!(desk.fetches(), 0, "and twenty more, one by one");
    desk.later(29);
    assert_eq!(desk.find(&made_up(0)).await.error(), "token_key");
    assert_eq!(desk.fetches(), 0);
    desk.later(1);
    assert_eq!(desk.find(&made_up(0)).await.error(), "token_key");
    assert_eq!(desk.fetches(), 1);
    desk.is_let_in("everybody else", &desk.token(json!({}))).await;
    desk.server.stop().await;
}

/// The issuer is down when the server starts: it starts, says so to whoever calls, and is well without
/// another start when the issuer is.
#[tokio::test]
async fn an_issuer_that_is_down_at_the_start_is_waited_for() {
    let desk = Desk::open("").await;
    desk.issuer.set(|issuer| issuer.down = true);
    let good = desk.token(json!({}));
    desk.is_put_off("down", &good).await;
    let asked = desk.issuer.asked().len();
    for _ in 0..10 {
        desk.is_put_off("still down", &good).await;
    }
    assert_eq!((asked, desk.issuer.asked().len()), (1, 0), "it is asked again after five seconds, not for each call");
    // What leads there does not hang on it, and what needs no key is told at once.
    assert_eq!(desk.site.get("/.well-known/oauth-protected-resource/mcp").await.status, 200);
    assert_eq!(desk.site.rpc(None, "tools/list", json!({})).await.status, 401);
    desk.is_refused("unsigned, meanwhile", &unsigned(&desk.claims(json!({}))), "token_unsigned", "not signed").await;
    let page = desk.site.get("/").await;
    assert!(page.text.contains("cannot be asked at the moment"), "{}", page.text);

    desk.issuer.set(|issuer| issuer.down = false);
    desk.later(5);
    desk.is_let_in("up again", &good).await;
    desk.server.stop().await;
}

/// Each way in which the issuer's documents are of no use, before there is a copy of them: 503, and well
/// again afterwards.
#[tokio::test]
async fn documents_that_are_of_no_use() {
    let desk = Desk::open("").await;
    let metadata = |member: &'static str, value: Value| (member, value);
    for (what, change) in [
        ("metadata of another issuer", metadata("issuer", json!("https://evil.example"))),
        ("of the issuer with a slash", metadata("issuer", json!(format!("{}/", desk.issuer.url)))),
        ("without issuer", metadata("issuer", Value::Null)),
        ("without key set", metadata("jwks_uri", Value::Null)),
        ("a key set in the clear elsewhere", metadata("jwks_uri", json!("http://keys.example/keys"))),
        ("a key set that is no URL", metadata("jwks_uri", json!(7))),
        ("a key set that is not there", metadata("jwks_uri", json!(format!("{}/missing", desk.issuer.url)))),
        (
            "a key set that is something else",
            metadata("jwks_uri", json!(format!("{}/.well-known/oauth-authorization-server", desk.issuer.url))),
        ),
    ] {
        desk.issuer.set(|issuer| {
            issuer.metadata.insert(change.0.to_owned(), change.1.clone());
        });
        // Longer than any copy is fresh.
        desk.later(25 * 60 * 60 + 1);
        desk.is_put_off(what, &desk.token(json!({}))).await;
        desk.issuer.set(|issuer| issuer.metadata.clear());
        desk.later(24 * 60 * 60 + 1);
        desk.is_let_in(&format!("after {what}"), &desk.token(json!({}))).await;
        desk.later(48 * 60 * 60 + 1);
    }
    desk.issuer.set(|issuer| issuer.status = Some(500));
    desk.is_put_off("500", &desk.token(json!({}))).await;
    desk.server.stop().await;
}

/// A good copy outlives its issuer for a day. Only what is not in it has to wait.
#[tokio::test]
async fn an_issuer_that_goes_down_later_is_not_missed_for_a_day() {
    let desk = Desk::open("").await;
    desk.is_let_in("at first", &desk.token(json!({}))).await;
    desk.issuer.set(|issuer| issuer.down = true);
    desk.later(600);
    desk.is_let_in("the copy is stale", &desk.token(json!({}))).await;
    let unknown = SigningKey::new("second");
    desk.later(30);
    desk.is_put_off("a key that is not in the copy", &unknown.token(&desk.claims(json!({})))).await;
    desk.later(24 * 60 * 60 - 31);
    desk.is_let_in("almost a day later", &desk.token(json!({}))).await;
    desk.later(1);
    desk.is_put_off("a day later", &desk.token(json!({}))).await;
    desk.issuer.set(|issuer| issuer.down = false);
    desk.later(5);
    desk.is_let_in("up again", &desk.token(json!({}))).await;
    desk.is_refused("the other key, now", &unknown.token(&desk.claims(json!({}))), "token_key", "no key").await;
    desk.server.stop().await;
}

/// RFC 7662: the issuer judges its tokens, opaque ones as well; its answers are remembered for half a
/// minute, and never longer than the token is good.
#[tokio::test]
async fn tokens_are_introspected() {
    let more = "introspection = { client_id = \"bridgehead\", client_secret = \"secret\" }";
    let desk = Desk::open(more).await;
    let now = desk.seconds();
    let answer = |more: Value| {
        let mut answer = desk.claims(json!({"active": true, "token_type": "Bearer"}));
        answer.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        answer
    };
    desk.issuer.set(|issuer| {
        issuer.client = Some(("bridgehead".to_owned(), "secret".to_owned()));
        for (token, more) in [
            ("good", json!({})),
            ("without-times-and-issuer", json!({"iss": null, "exp": null, "token_type": null})),
            ("short", json!({"exp": now + 10})),
            ("other-issuer", json!({"iss": "https://evil.example"})),
            ("other-audience", json!({"aud": "https://other.example"})),
            ("no-audience", json!({"aud": null})),
            ("refresh", json!({"typ": "Refresh"})),
            ("dpop", json!({"token_type": "DPoP"})),
            ("bound", json!({"cnf": {"jkt": "x"}})),
            ("not-quite", json!({"active": "true"})),
            ("reader", json!({"scope": "tools:read"})),
        ] {
            issuer.tokens.insert(token.to_owned(), answer(more));
        }
    });
    let asked = || desk.issuer.asked().iter().filter(|line| *line == "POST /introspect").count();

    desk.is_let_in("a good token", "good").await;
    desk.is_let_in("again", "good").await;
    assert_eq!(asked(), 1, "its answer is remembered");
    desk.is_let_in("without times and issuer", "without-times-and-issuer").await;
    let jwt = desk.token(json!({}));
    for (what, token, word, says) in [
        ("unknown there", "unknown", "token_inactive", "does not accept it any more"),
        ("a JWT that it does not know", jwt.as_str(), "token_inactive", "does not accept it any more"),
        ("of another issuer", "other-issuer", "token_issuer", "It does not come from"),
        ("for somebody else", "other-audience", "token_audience", "another audience than"),
        ("for nobody", "no-audience", "token_claim", "Its claim `aud`"),
        ("a refresh token", "refresh", "token_of_another_kind", "It is no access token"),
        ("a DPoP token", "dpop", "token_of_another_kind", "It is no access token"),
        ("bound to a key", "bound", "token_bound", "Have a bearer token issued"),
        ("active in words alone", "not-quite", "token_inactive", "does not accept it any more"),
        ("a key of ours", "bhk_0123456789AB_x", "foreign_token", "no access token of this server"),
    ] {
        desk.is_refused(what, token, word, says).await;
    }
    let _ = asked();
    desk.is_refused("ours is not told to the issuer", "bhk_0123456789AB_x", "foreign_token", "").await;
    desk.is_refused("unknown, again", "unknown", "token_inactive", "").await;
    assert_eq!(asked(), 0, "and refusals are remembered");
    let change = json!({"sku": "A-1", "location": "NORTH", "units": 19});
    assert_eq!(desk.site.call(Some("reader"), "set_units", change).await.status, 403);

    desk.is_let_in("good for ten seconds", "short").await;
    desk.issuer.set(|issuer| issuer.tokens.clear());
    desk.later(10);
    desk.is_refused("over, though remembered", "short", "token_inactive", "").await;
    desk.later(19);
    desk.is_let_in("revoked there less than half a minute ago", "good").await;
    desk.later(1);
    desk.is_refused("revoked", "good", "token_inactive", "does not accept it any more").await;
    desk.server.stop().await;
}

/// Without an answer nobody gets in, but for those of whom it was had within the last half minute.
#[tokio::test]
async fn an_introspection_without_an_answer() {
    let more = "introspection = { client_id = \"bridgehead\", client_secret = \"secret\" }";
    let desk = Desk::open(more).await;
    let claims = desk.claims(json!({"active": true}));
    desk.issuer.set(|issuer| {
        issuer.client = Some(("bridgehead".to_owned(), "another".to_owned()));
        issuer.tokens = [("good".to_owned(), claims.clone()), ("other".to_owned(), claims)].into();
    });
    desk.is_put_off("a wrong secret", "good").await;
    desk.issuer.set(|issuer| issuer.client = Some(("bridgehead".to_owned(), "secret".to_owned())));
    desk.is_let_in("the right one", "good").await;
    desk.issuer.set(|issuer| issuer.down = true);
    desk.is_put_off("down", "other").await;
    desk.is_let_in("down, and remembered", "good").await;
    desk.later(30);
    desk.is_put_off("down, and forgotten", "good").await;
    desk.issuer.set(|issuer| issuer.down = false);
    desk.is_let_in("up again", "other").await;
    desk.issuer.set(|issuer| {
        issuer.metadata.insert("introspection_endpoint".to_owned(), Value::Null);
    });
    desk.later(60 * 60);
    desk.is_put_off("an issuer that does not introspect", "good").await;
    desk.server.stop().await;
}

/// A5, P1: the page says what to register at the issuer and what to enter, or that there is nothing to.
#[tokio::test]
async fn the_page_says_what_to_register_there() {
    const REDIRECT: &str = "https://platform.duvo.ai/v1/oauth/mcp/callback";
    let desk = Desk::open("").await;
    let page = desk.site.get("/").await.text;
    for part in [
        REDIRECT,
        "tools:read tools:write",
        "enters the client id and the secret",
        "issuer = &#34;builtin&#34;",
        &desk.issuer.url,
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for member in ["registration_endpoint", "client_id_metadata_document_supported"] {
        desk.issuer.set(|issuer| {
            issuer.metadata.clear();
            let value =
                if member == "registration_endpoint" { json!(format!("{}/reg", desk.issuer.url)) } else { json!(true) };
            issuer.metadata.insert(member.to_owned(), value);
        });
        desk.later(24 * 60 * 60);
        let page = desk.site.get("/").await.text;
        assert!(page.contains("Client id and secret stay empty"), "{member}: {page}");
        assert!(!page.contains(REDIRECT), "{member}");
    }
    desk.server.stop().await;
}

/// P1, by the real binary: what the card says in each state of the issuer, and that commands on clients,
/// connections and people say where those are.
#[tokio::test]
async fn card_and_commands_name_the_issuer() {
    let issuer = Issuer::start(&SigningKey::new("first")).await;
    let place = tempfile::tempdir().unwrap();
    let config = configuration("", &format!("mode = \"oauth\"\n[auth.oauth]\nissuer = \"{}\"", issuer.url));
    let config = config.replace(&format!("public_url = \"{PUBLIC}\"\n"), "");
    std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
    std::fs::write(place.path().join("warehouse.sql"), WAREHOUSE_TABLES).unwrap();
    let host = issuer.url.trim_start_matches("http://");

    let card = async || Served::start(&place.path().join("bridgehead.toml")).await.card.clone();
    let by_hand = card().await;
    for part in [
        format!("OAuth at {}; each teammate signs in there", issuer.url),
        "authentication: OAuth, with a client id and a secret".to_owned(),
        format!("register at:    {}", issuer.url),
        "redirect URI:   https://platform.duvo.ai/v1/oauth/mcp/callback".to_owned(),
        "issuer = \"builtin\" with login = { issuer = … }".to_owned(),
        "bridgehead keys revoke --subject NAME".to_owned(),
    ] {
        assert!(by_hand.contains(&part), "{part}: {by_hand}");
    }
    issuer.set(|issuer| issuer.down = true);
    let down = card().await;
    assert!(down.contains(&format!("{host} cannot be asked: nobody can sign in until it answers")), "{down}");
    issuer.set(|behaviour| {
        behaviour.down = false;
        behaviour.metadata.insert("registration_endpoint".to_owned(), json!(format!("{}/reg", issuer.url)));
    });
    let by_themselves = card().await;
    assert!(by_themselves.contains("authentication: OAuth, found automatically"), "{by_themselves}");
    assert!(!by_themselves.contains("callback"), "{by_themselves}");

    for (arguments, says) in [
        (&["clients", "list"][..], "register and revoke there"),
        (&["clients", "add", "--preset", "duvo"], "register and revoke there"),
        (&["grants", "list"], "register and revoke there"),
        (&["users", "list"], "add and disable people there"),
    ] {
        let output = bridgehead(place.path(), arguments).await;
        let complained = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {complained}");
        for part in [says, &issuer.url, "bridgehead keys revoke --subject NAME"] {
            assert!(complained.contains(part), "{arguments:?}: {complained}");
        }
    }
    let output = bridgehead(place.path(), &["keys", "revoke", "--subject", "alice"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
