//! A1, A2: who gets in, and what the others are told.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use bridgehead_core::{Clock, EndpointId, ScopeSet, SignIn};
use http::HeaderMap;

use super::*;
use crate::{
    ApiKeyMode, IssuedKeys, KeyHeader, KeyHeaderError, KeyText, NewKey, OpenMode,
    testing::{Desk, Seeded, for_alice},
};

fn modes(keys: &Arc<IssuedKeys>, header: &str) -> Modes {
    let mode = ApiKeyMode::issued(keys.clone(), KeyHeader::parse(header).unwrap(), EndpointId::main());
    Modes::new("Warehouse", vec![Box::new(mode)])
}

pub(super) fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

pub(super) async fn rejection(modes: &Modes, lines: &[(&'static str, &str)]) -> Rejection {
    modes.authenticate(&headers(lines)).await.unwrap_err()
}

#[tokio::test]
async fn an_open_server_lets_everybody_in() {
    let modes = Modes::new("Warehouse", vec![Box::new(OpenMode)]);
    for lines in [&[][..], &[("authorization", "Bearer stale")], &[("authorization", "\""), ("authorization", "x")]] {
        let caller = modes.authenticate(&headers(lines)).await.unwrap();
        assert_eq!(caller, bridgehead_core::Caller::anonymous());
    }
}

#[tokio::test]
async fn no_modes_let_nobody_in() {
    let rejection = rejection(&Modes::new("Warehouse", Vec::new()), &[]).await;
    assert_eq!(rejection.kind.status(), 401);
}

#[tokio::test]
async fn a_key_gets_its_teammate_in() {
    let desk = Desk::new();
    let scopes = ScopeSet::parse("tools:read").unwrap();
    let (record, secret) = desk.create(NewKey { scopes: scopes.clone(), ..for_alice() }).await;
    let key = secret.expose();
    for value in [format!("Bearer {key}"), format!("bEARER   {key} "), format!("BEARER\t{key}")] {
        let caller = modes(&desk.keys, "authorization").authenticate(&headers(&[("authorization", &value)])).await;
        let caller = caller.unwrap();
        assert_eq!((&*caller.subject, &caller.scopes), ("alice@example.com", &scopes));
        assert_eq!(caller.sign_in, SignIn::IssuedKey { key_id: record.id.to_shared() });
    }
    let caller = modes(&desk.keys, "X-API-Key").authenticate(&headers(&[("x-api-key", key)])).await.unwrap();
    assert_eq!(&*caller.subject, "alice@example.com");
}

/// oauth.md: no credentials, a bare challenge; key modes never name `resource_metadata`.
#[tokio::test]
async fn who_sends_nothing_is_told_what_to_send() {
    let desk = Desk::new();
    let (_, secret) = desk.create(for_alice()).await;
    let bearer = modes(&desk.keys, "Authorization");
    // Another scheme, another header and an empty one are nothing.
    for lines in [
        &[][..],
        &[("authorization", "Basic YTpi")],
        &[("authorization", "")],
        &[("x-api-key", secret.expose())],
        &[("authorization", "Digest username=\"a\"")],
    ] {
        let rejection = rejection(&bearer, lines).await;
        assert_eq!(rejection.kind, RejectionKind::Unauthenticated);
        assert_eq!(rejection.www_authenticate.as_deref(), Some("Bearer realm=\"Warehouse\""));
        assert_eq!(
            rejection.message,
            "Nobody gets in here without signing in. Send your API key in the header `Authorization`, as `Bearer` and the key."
        );
    }
    let rejection = rejection(&modes(&desk.keys, "x-api-key"), &[]).await;
    assert!(rejection.message.contains("`X-Api-Key`"), "{}", rejection.message);
    assert_eq!(rejection.www_authenticate.as_deref(), Some("Bearer realm=\"Warehouse\""));
}

#[tokio::test]
async fn a_bad_key_is_an_invalid_token() {
    let desk = Desk::new();
    let (record, secret) = desk.create(for_alice()).await;
    let (_, expired) =
        desk.create(NewKey { expires_at: Some(desk.clock.now() + Duration::from_secs(1)), ..for_alice() }).await;
    desk.clock.advance(Duration::from_secs(2));
    desk.keys.revoke(&record.id).await.unwrap();
    let unknown = KeyText::generate(&Seeded::new(9));
    let modes = modes(&desk.keys, "Authorization");
    for (key, code) in [
        (unknown.secret().expose(), "unknown"),
        (expired.expose(), "expired"),
        (secret.expose(), "revoked"),
        (&secret.expose()[..30], "damaged"),
        ("eyJhbGciOiJIUzI1NiJ9.e30.x", "unrecognised"),
    ] {
        let rejection = rejection(&modes, &[("authorization", &format!("Bearer {key}"))]).await;
        assert_eq!((rejection.denied.code(), rejection.kind.status().as_u16()), (code, 401));
        let challenge = rejection.www_authenticate.unwrap();
        assert!(challenge.starts_with("Bearer realm=\"Warehouse\", error=\"invalid_token\", "), "{challenge}");
        assert!(!challenge.contains("resource_metadata"));
        assert!(!format!("{challenge}{}", rejection.message).contains(key), "nothing of it is sent back");
    }
}

#[tokio::test]
async fn what_http_does_not_allow_is_a_bad_request() {
    let desk = Desk::new();
    let (_, secret) = desk.create(for_alice()).await;
    let key = secret.expose();
    let good = format!("Bearer {key}");
    let bearer = modes(&desk.keys, "Authorization");
    let rows: [(&[(&str, &str)], &str); 8] = [
        (&[("authorization", &good), ("authorization", &good)], "more than once"),
        (&[("authorization", &good), ("authorization", "Basic YTpi")], "more than once"),
        (&[("authorization", key)], "the word `Bearer` and a blank before it"),
        (&[("authorization", "Bearer ")], "nothing after it"),
        (&[("authorization", &format!("Bearer {good}"))], "enter the key alone"),
        (&[("authorization", &format!("{good}, {good}"))], "enter the key alone"),
        (&[("authorization", &format!("Bearer \"{key}\""))], "enter the key alone"),
        (&[("authorization", "Bearer ключ")], "Copy it again"),
    ];
    for (lines, words) in rows {
        let rejection = rejection(&bearer, lines).await;
        assert_eq!(rejection.kind.status(), 400, "{lines:?}");
        assert!(rejection.message.contains(words), "{}", rejection.message);
        assert!(rejection.www_authenticate.unwrap().contains("error=\"invalid_request\""));
    }
    let twice = [("x-api-key", key), ("x-api-key", key)];
    let rejection = rejection(&modes(&desk.keys, "X-Api-Key"), &twice).await;
    assert_eq!(rejection.kind, RejectionKind::Malformed);
    assert_eq!(desk.store.finds.load(Ordering::Relaxed), 0, "nobody was looked up");
}

#[tokio::test]
async fn a_key_made_for_one_header_is_refused_in_another() {
    let desk = Desk::new();
    let (record, secret) = desk.create(NewKey { header: Some("X-Tenant-Key".into()), ..for_alice() }).await;
    assert_eq!(record.header.as_deref(), Some("x-tenant-key"));
    let lines = [("x-tenant-key", secret.expose())];
    modes(&desk.keys, "X-Tenant-Key").authenticate(&headers(&lines)).await.unwrap();
    let bearer = format!("Bearer {}", secret.expose());
    let rejection = rejection(&modes(&desk.keys, "Authorization"), &[("authorization", &bearer)]).await;
    assert_eq!((rejection.denied.code(), rejection.kind), ("wrong_header", RejectionKind::Unauthenticated));
    assert!(rejection.message.contains("`X-Tenant-Key`"), "{}", rejection.message);
}

#[tokio::test]
async fn a_store_that_is_down_is_a_503_without_a_challenge() {
    let desk = Desk::new();
    let (_, secret) = desk.create(for_alice()).await;
    desk.store.down.store(true, Ordering::Relaxed);
    let bearer = format!("Bearer {}", secret.expose());
    let rejection = rejection(&modes(&desk.keys, "Authorization"), &[("authorization", &bearer)]).await;
    assert_eq!(rejection.kind.status(), 503);
    assert_eq!(rejection.www_authenticate, None);
    assert!(!rejection.message.contains("fake"), "{}", rejection.message);
    let cause = std::error::Error::source(&rejection.denied).and_then(std::error::Error::source).unwrap();
    assert_eq!(cause.to_string(), "secret-path-in-cause", "for the log the cause is kept");
}

/// Stands for a mode to come: opaque tokens, with a challenge of its own.
struct Tokens;

#[async_trait]
impl Mode for Tokens {
    fn name(&self) -> &'static str {
        "tokens"
    }

    fn asks_for(&self) -> String {
        "Sign in at https://example.com.".into()
    }

    fn challenge(&self) -> Vec<(&'static str, String)> {
        vec![("resource_metadata", "https://example.com/x".into())]
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<bridgehead_core::Caller>, Denied> {
        match bearer(headers, "tok_")? {
            Some("tok_good") => Ok(Some(bridgehead_core::Caller::anonymous())),
            Some(token) if token.starts_with("tok_") => Err(Denied::Unknown),
            Some(_) => Err(Denied::Unrecognised),
            None => Ok(None),
        }
    }
}

/// Side by side, keys are told from tokens by their prefix, in either order.
#[tokio::test]
async fn modes_stand_side_by_side() {
    let desk = Desk::new();
    let (_, secret) = desk.create(for_alice()).await;
    let key = secret.expose();
    for turned in [false, true] {
        let api_key = ApiKeyMode::issued(desk.keys.clone(), KeyHeader::bearer(), EndpointId::main());
        let mut list: Vec<Box<dyn Mode>> = vec![Box::new(api_key), Box::new(Tokens)];
        if turned {
            list.reverse();
        }
        let modes = Modes::new("Warehouse", list);
        let ask = async |token: &str| {
            modes
                .authenticate(&headers(&[("authorization", &format!("Bearer {token}"))]))
                .await
                .map_err(|r| r.denied.code())
        };
        assert_eq!(&*ask(key).await.unwrap().subject, "alice@example.com");
        assert_eq!(&*ask("tok_good").await.unwrap().subject, "anonymous");
        assert_eq!(ask("tok_bad").await.unwrap_err(), "unknown");
        assert_eq!(ask("neither").await.unwrap_err(), "unrecognised");
        assert_eq!(ask(&key[..20]).await.unwrap_err(), "damaged");
        let missing = rejection(&modes, &[]).await;
        let challenge = missing.www_authenticate.unwrap();
        assert_eq!(challenge, "Bearer realm=\"Warehouse\", resource_metadata=\"https://example.com/x\"");
        assert!(missing.message.contains(" Or: "), "{}", missing.message);
    }
}

/// A header's value has to be visible ASCII, whatever the server is called.
#[tokio::test]
async fn a_challenge_is_always_a_legal_header() {
    for realm in ["Lager \"Süd\"\r\nX-Evil: 1", "\\", "", "倉庫"] {
        let rejection = rejection(&Modes::new(realm, Vec::new()), &[]).await;
        let challenge = rejection.www_authenticate.unwrap();
        assert!(HeaderValue::from_str(&challenge).unwrap().to_str().is_ok());
        assert_eq!(challenge.matches('"').count(), 2, "{challenge}");
    }
}

#[test]
fn a_header_for_keys_is_one_that_means_nothing_else() {
    let header = KeyHeader::parse(" AUTHORIZATION ").unwrap();
    assert!(header.is_bearer() && header == KeyHeader::bearer());
    let header = KeyHeader::parse("x-tenant-API-key").unwrap();
    assert!(!header.is_bearer());
    assert_eq!((header.name().as_str(), header.title().as_str()), ("x-tenant-api-key", "X-Tenant-Api-Key"));
    for name in ["Host", "content-type", "Mcp-Session-Id", "X-Forwarded-For", "Cookie", "Sec-Fetch-Site"] {
        assert!(matches!(KeyHeader::parse(name), Err(KeyHeaderError::Reserved(_))), "{name}");
    }
    for name in ["", "X Key", "X:Key", "Schlüssel"] {
        assert!(matches!(KeyHeader::parse(name), Err(KeyHeaderError::NotAName(_))), "{name}");
    }
}
