use bridgehead_core::Clock;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{
    testing::{Desk, FakeWeb, ISSUER, Signer, metadata},
    *,
};
use crate::SigningAlgorithm;

const KEYS: &str = "https://idp.example/keys";
const OAUTH: &str = "https://idp.example/.well-known/oauth-authorization-server/realms/staff";
const APPENDED: &str = "https://idp.example/realms/staff/.well-known/openid-configuration";
const INSERTED: &str = "https://idp.example/.well-known/openid-configuration/realms/staff";

/// RFC 8414 §3.1, OpenID Connect Discovery §4: each place is looked at in its order, until one has it.
#[tokio::test]
async fn metadata_is_found_wherever_it_is() {
    let orders = [
        (FirstDocument::AuthorizationServer, [OAUTH, APPENDED, INSERTED]),
        (FirstDocument::OpenId, [APPENDED, INSERTED, OAUTH]),
    ];
    for (first, places) in orders {
        for (index, place) in places.iter().enumerate() {
            let desk = Desk::over(FakeWeb::default(), first);
            desk.web.documents.lock().unwrap().clear();
            desk.web.put(place, metadata(json!({"token_endpoint": "https://idp.example/token"})));
            let found = desk.issuer.metadata().await.unwrap();
            assert_eq!(found.token_endpoint.as_ref().unwrap().to_string(), "https://idp.example/token");
            assert_eq!(*desk.web.asked.lock().unwrap(), places[..=index], "{first:?}");
        }
    }
}

/// Of several failures the one is told that helps: the wrong issuer, not the place that is empty.
#[tokio::test]
async fn the_telling_failure_is_told() {
    let rows = [
        (
            metadata(json!({"issuer": format!("{ISSUER}/")})),
            "of the issuer `https://idp.example/realms/staff/`, not of",
        ),
        (metadata(json!({"jwks_uri": "http://idp.example/keys"})), "`jwks_uri` has to be an https URL"),
        (metadata(json!({"scopes_supported": "openid"})), "`scopes_supported` has to be a list of texts"),
        (json!(["x"]), "answered something that is not metadata"),
    ];
    for (document, says) in rows {
        let desk = Desk::new();
        desk.web.put(APPENDED, document);
        let error = desk.issuer.metadata().await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    let desk = Desk::new();
    desk.web.documents.lock().unwrap().clear();
    assert_eq!(desk.issuer.metadata().await.unwrap_err().to_string(), format!("{APPENDED} answered 404"));
    let desk = Desk::new();
    *desk.web.down.lock().unwrap() = true;
    let error = desk.issuer.metadata().await.unwrap_err().to_string();
    assert!(error.contains("no connection"), "{error}");
    assert_eq!(desk.web.asked.lock().unwrap().len(), 1, "what does not answer is not asked three times");
}

/// One asks for all, and whoever asked first and goes away takes nothing from the others.
#[tokio::test]
async fn one_asks_for_all_and_may_go_away() {
    let desk = Desk::over(FakeWeb { gate: Some(Semaphore::new(0)), ..FakeWeb::default() }, FirstDocument::OpenId);
    let first = tokio::spawn({
        let issuer = desk.issuer.clone();
        async move { issuer.metadata().await }
    });
    while desk.web.times_asked(APPENDED) == 0 {
        tokio::task::yield_now().await;
    }
    let others: Vec<_> = (0..20)
        .map(|_| {
            let issuer = desk.issuer.clone();
            tokio::spawn(async move { issuer.metadata().await })
        })
        .collect();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    desk.web.gate.as_ref().unwrap().add_permits(1);
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(desk.web.times_asked(APPENDED), 1);
}

/// Who makes up a key and goes away at once neither makes us ask again and again, nor keeps the answer
/// from those who stay.
#[tokio::test]
async fn a_flood_that_goes_away_keeps_nobody_out() {
    let desk = Desk::over(FakeWeb { gate: Some(Semaphore::new(2)), ..FakeWeb::default() }, FirstDocument::OpenId);
    desk.issuer.verify(&id_token(&desk, "a", json!({})), &id_expected()).await.unwrap();
    desk.clock.advance(std::time::Duration::from_secs(30));
    let rotated = Signer::new(2);
    desk.web.put(KEYS, json!({"keys": [rotated.jwk("b")]}));
    for _ in 0..10 {
        let (issuer, token) = (desk.issuer.clone(), id_token(&desk, "made-up", json!({})));
        let asking = tokio::spawn(async move { issuer.verify(&token, &id_expected()).await });
        while desk.web.times_asked(KEYS) < 2 {
            tokio::task::yield_now().await;
        }
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
    }
    desk.web.gate.as_ref().unwrap().add_permits(1);
    let token = rotated.token(&json!({"alg": "EdDSA", "kid": "b"}), &id_claims(&desk, json!({})));
    desk.issuer.verify(&token, &id_expected()).await.unwrap();
    assert_eq!(desk.web.times_asked(KEYS), 2);
}

fn id_expected() -> Expected {
    let kind = TokenKind::Id { client_id: "us".to_owned(), nonce: Some("n-1".to_owned()) };
    Expected { algorithms: SigningAlgorithm::all(), kind }
}

fn id_claims(desk: &Desk, more: Value) -> Value {
    let now = desk.clock.now().as_second();
    let mut claims = json!({"iss": ISSUER, "sub": "alice", "aud": "us", "nonce": "n-1", "iat": now, "exp": now + 60});
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn id_token(desk: &Desk, kid: &str, more: Value) -> String {
    desk.signer.token(&json!({"alg": "EdDSA", "kid": kid}), &id_claims(desk, more))
}

/// OpenID Connect Core §3.1.3.7.
#[tokio::test]
async fn an_id_token_is_for_this_client_and_this_sign_in() {
    let desk = Desk::new();
    for (what, more) in [
        ("the least", json!({})),
        ("with hashes", json!({"at_hash": "x", "c_hash": "y"})),
        ("one audience in a list", json!({"aud": ["us"]})),
        ("several, and we are the authorized party", json!({"aud": ["us", "them"], "azp": "us"})),
        ("as Keycloak types it", json!({"typ": "ID"})),
    ] {
        let verified = desk.issuer.verify(&id_token(&desk, "a", more), &id_expected()).await;
        assert_eq!(verified.unwrap_or_else(|error| panic!("{what}: {error}")).claims["sub"], "alice", "{what}");
    }
    for (what, more, code) in [
        ("another nonce", json!({"nonce": "n-2"}), "token_nonce"),
        ("no nonce", json!({"nonce": null}), "token_nonce"),
        ("another client", json!({"aud": "them"}), "token_audience"),
        ("several, and nobody is named", json!({"aud": ["us", "them"]}), "token_audience"),
        ("another authorized party", json!({"azp": "them"}), "token_audience"),
        ("another issuer", json!({"iss": "https://evil.example"}), "token_issuer"),
        ("nobody", json!({"sub": null}), "token_claim"),
        ("an empty name", json!({"sub": ""}), "token_claim"),
        ("no end", json!({"exp": null}), "token_claim"),
        ("over", json!({"exp": 0}), "token_expired"),
        ("an access token of Keycloak", json!({"typ": "Bearer"}), "token_of_another_kind"),
        ("a logout token", json!({"events": {}}), "token_of_another_kind"),
    ] {
        let error = desk.issuer.verify(&id_token(&desk, "a", more), &id_expected()).await.unwrap_err();
        let TokenError::Refused(fault) = error else { panic!("{what}: {error}") };
        assert_eq!(fault.code(), code, "{what}: {fault}");
    }
    let typed = desk.signer.token(&json!({"alg": "EdDSA", "kid": "a", "typ": "at+jwt"}), &id_claims(&desk, json!({})));
    let error = desk.issuer.verify(&typed, &id_expected()).await.unwrap_err();
    assert!(matches!(error, TokenError::Refused(TokenFault::OtherKind { .. })), "{error}");
    let pinned = Expected { algorithms: vec![SigningAlgorithm::named("RS256").unwrap()], ..id_expected() };
    let error = desk.issuer.verify(&id_token(&desk, "a", json!({})), &pinned).await.unwrap_err();
    assert!(matches!(error, TokenError::Refused(TokenFault::Algorithm { .. })), "{error}");
}

/// Nothing of a token or a secret is in what is logged or shown.
#[tokio::test]
async fn nothing_secret_is_shown() {
    let form = Form::default().with("client_secret", "hidden-secret");
    let request = RemoteRequest {
        authorization: Some(bridgehead_core::Secret::new("Bearer hidden-token".to_owned())),
        ..RemoteRequest::post(IssuerUrl::parse(ISSUER).unwrap().endpoint(KEYS).unwrap(), form, discovery::BOUNDS)
    };
    assert!(!format!("{request:?}").contains("hidden"), "{request:?}");
    let desk = Desk::new();
    let hostile = desk.signer.token(&json!({"alg": "hidden-algorithm"}), &id_claims(&desk, json!({})));
    let error = desk.issuer.verify(&hostile, &id_expected()).await.unwrap_err();
    assert!(!error.to_string().contains("hidden"), "{error}");
}
