//! A teammate connects by OAuth, and nobody connects anything for somebody else.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_auth::credentials::ConnectError;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::desk::{ALICE, BOB, Desk, MINUTE, came_back, parameter, required, session};

#[tokio::test]
async fn the_way_there_and_back() {
    let desk = Desk::new().await;
    let (crm, alice) = (desk.vault("crm"), session(ALICE, "s1"));
    let next = "/oauth/authorize?client_id=a&state=b";
    let url = desk.credentials.begin(crm, &alice, Some(next)).await.unwrap();
    assert!(url.as_str().starts_with("https://crm.example/authorize?prompt=consent&"), "{url}");
    let back = "https://mcp.example.com/account/credentials/crm/callback";
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "bridgehead"),
        ("redirect_uri", back),
        ("code_challenge_method", "S256"),
        ("scope", "customers.read offline"),
    ] {
        assert_eq!(parameter(&url, name), value);
    }
    let answer = came_back(&url, &[("code", "c 1")]);
    assert_eq!(desk.credentials.finish(crm, &alice, &answer).await.unwrap().as_deref(), Some(next));
    assert_eq!(desk.tokens.last("code").as_deref(), Some("c 1"));
    assert_eq!(desk.tokens.last("redirect_uri").as_deref(), Some(back));
    let verifier = desk.tokens.last("code_verifier").unwrap();
    assert_eq!(parameter(&url, "code_challenge"), URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)), "RFC 7636 §4.6");
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-1");
    required(desk.token(BOB).await);

    let again = desk.credentials.finish(crm, &alice, &answer).await;
    assert!(matches!(again, Err(ConnectError::Unknown)), "once");
    assert_eq!(desk.tokens.times_asked(), 1, "the code of a second attempt goes nowhere");
}

/// An attacker's answer in a victim's browser, and a victim's in an attacker's: nobody gets anything.
#[tokio::test]
async fn what_was_begun_in_another_session_is_thrown_away() {
    let desk = Desk::new().await;
    let (crm, erp) = (desk.vault("crm"), desk.vault("erp"));
    for (by, with, vault) in [
        (session(BOB, "s2"), "code", crm),
        (session(ALICE, "s2"), "code", crm),
        (session(BOB, "s1"), "code", crm),
        (session(ALICE, "s1"), "code", erp),
        (session(BOB, "s2"), "error", crm),
    ] {
        let url = desk.credentials.begin(crm, &session(ALICE, "s1"), None).await.unwrap();
        let answer = came_back(&url, &[(with, "x")]);
        let stolen = desk.credentials.finish(vault, &by, &answer).await;
        assert!(matches!(stolen, Err(ConnectError::Unknown)), "{by:?}");
    }
    assert_eq!((desk.tokens.times_asked(), desk.credentials.list().await.unwrap().len()), (0, 0));
}

#[tokio::test]
async fn an_answer_counts_for_ten_minutes() {
    let desk = Desk::new().await;
    let (crm, alice) = (desk.vault("crm"), session(ALICE, "s1"));
    let early = desk.credentials.begin(crm, &alice, None).await.unwrap();
    let late = desk.credentials.begin(crm, &alice, None).await.unwrap();
    desk.clock.advance(10 * MINUTE - Duration::from_secs(1));
    desk.credentials.finish(crm, &alice, &came_back(&early, &[("code", "c")])).await.unwrap();
    desk.clock.advance(Duration::from_secs(1));
    let error = desk.credentials.finish(crm, &alice, &came_back(&late, &[("code", "c")])).await;
    assert!(matches!(error, Err(ConnectError::Unknown)));
}

#[tokio::test]
async fn what_the_other_side_says_is_told_apart() {
    let desk = Desk::new().await;
    let (crm, alice) = (desk.vault("crm"), session(ALICE, "s1"));
    let come_back = async |more: &[(&str, &str)]| {
        let url = desk.credentials.begin(crm, &alice, None).await.unwrap();
        desk.credentials.finish(crm, &alice, &came_back(&url, more)).await.unwrap_err()
    };
    let denied = come_back(&[("error", "access_denied\u{1b}[31m")]).await;
    assert!(matches!(&denied, ConnectError::Denied { error } if error == "access_denied[31m"), "{denied:?}");
    assert!(matches!(come_back(&[]).await, ConnectError::Unknown));
    assert!(matches!(come_back(&[("code", "a"), ("code", "b")]).await, ConnectError::Unknown), "RFC 6749 §3.1");
    desk.tokens.tell(400, json!({"error": "invalid_grant"}));
    assert!(matches!(come_back(&[("code", "c")]).await, ConnectError::Expired));
    desk.tokens.tell(401, json!({"error": "invalid_client"}));
    assert!(matches!(come_back(&[("code", "c")]).await, ConnectError::Client { .. }));
    desk.tokens.tell(200, json!({"token": "x"}));
    assert!(matches!(come_back(&[("code", "c")]).await, ConnectError::Down { .. }));
    desk.tokens.tell_nothing();
    assert!(matches!(come_back(&[("code", "c")]).await, ConnectError::Down { .. }));
    assert_eq!(desk.credentials.list().await.unwrap(), []);
}
