//! oauth.md, Threats: codes that are stolen, swapped and used twice, and what must not be seen.

use std::time::Duration;

use bridgehead_auth::issuer::{GrantFault, RevokedBecause, TokenError};

use crate::desk::{CALLBACK, Desk, VERIFIER, access, answer, exchange, refresh_token, refused};

/// Whoever has a code but is not its client gets nothing, and spoils nothing.
#[tokio::test]
async fn a_code_is_for_its_client_redirect_and_verifier() {
    for desk in Desk::of_each_store().await {
        let (client, other) = (desk.public_client().await, desk.public_client().await);
        let code = desk.code(&client, &[]).await;
        let forged = format!("{}x{}", &code[..20], &code[21..]);
        let with = |name: &'static str, value: &'static str| {
            exchange(&client, &code).map(|(other, old)| if other == name { (other, value) } else { (other, old) })
        };
        let rows = [
            exchange(&other, &code),
            exchange(&client, &forged),
            exchange(&client, "bhc_x"),
            with("redirect_uri", "https://a.example/other"),
            with("redirect_uri", "https://a.example/cb?"),
            with("code_verifier", "xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            with("code_verifier", crate::desk::CHALLENGE),
            with("code_verifier", "short"),
        ];
        for form in rows {
            assert_eq!(refused(desk.token(&form).await), (400, "invalid_grant"), "{form:?}");
        }
        desk.redeem(&client, &code).await.unwrap();
    }
}

/// The code of another's sign-in is of no use in one's own (code injection): PKCE binds it.
#[tokio::test]
async fn a_code_of_another_sign_in_does_not_fit() {
    let desk = Desk::new().await;
    let client = desk.public_client().await;
    let others = "0123456789012345678901234567890123456789012";
    let victims = desk.code(&client, &[("code_challenge", &challenge(others))]).await;
    let error = desk.redeem(&client, &victims).await.unwrap_err();
    assert!(matches!(error, TokenError::Grant(GrantFault::Verifier)), "{error:?}");
    assert_ne!(others, VERIFIER);
}

fn challenge(verifier: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use sha2::{Digest, Sha256};
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

#[tokio::test]
async fn a_code_is_good_for_a_minute() {
    let desk = Desk::new().await;
    let client = desk.public_client().await;
    let (one, other) = (desk.code(&client, &[]).await, desk.code(&client, &[]).await);
    desk.clock.advance(Duration::from_secs(59));
    desk.redeem(&client, &one).await.unwrap();
    desk.clock.advance(Duration::from_secs(1));
    let error = desk.redeem(&client, &other).await.unwrap_err();
    assert!(matches!(error, TokenError::Grant(GrantFault::Expired)), "{error:?}");
}

/// OAuth 2.1 §4.1.3: a code that is used twice takes back what it gave.
#[tokio::test]
async fn a_code_that_is_replayed_revokes_its_family() {
    for desk in Desk::of_each_store().await {
        let client = desk.public_client().await;
        let code = desk.code(&client, &[]).await;
        let tokens = desk.redeem(&client, &code).await.unwrap();
        let renewed = desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
        // Whoever has the code alone revokes nothing.
        let other = desk.public_client().await;
        let stolen = exchange(&client, &code).map(|(name, value)| {
            if name == "code_verifier" { (name, "xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") } else { (name, value) }
        });
        assert_eq!(refused(desk.token(&stolen).await), (400, "invalid_grant"));
        assert_eq!(refused(desk.redeem(&other, &code).await), (400, "invalid_grant"));
        desk.caller(access(&renewed)).await.unwrap();

        let error = desk.redeem(&client, &code).await.unwrap_err();
        let TokenError::Grant(GrantFault::CodeReplayed { grant }) = &error else { panic!("{error:?}") };
        assert_eq!(grant, &tokens.issued.grant);
        for token in [access(&tokens), access(&renewed)] {
            assert_eq!(desk.caller(token).await.unwrap_err(), "revoked_token");
        }
        let record = desk.store.issuer.find_grant(grant).await.unwrap().unwrap();
        assert_eq!(record.revoked.unwrap().why, RevokedBecause::CodeReplayed);
    }
}

/// Of many at once one gets tokens, and since the code was used more than once, none keeps them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_exchanges_at_once_one_succeeds() {
    for desk in Desk::of_each_store().await {
        let client = desk.public_client().await;
        let code = desk.code(&client, &[]).await;
        let replica = desk.replica();
        let tasks = (0..8).map(|number| {
            let desk = if number % 2 == 0 { &desk } else { &replica };
            desk.redeem(&client, &code)
        });
        let results = futures_util::future::join_all(tasks).await;
        let mut good = results.into_iter().filter_map(Result::ok);
        let tokens = good.next().unwrap();
        assert!(good.next().is_none());
        assert_eq!(desk.caller(access(&tokens)).await.unwrap_err(), "revoked_token");
    }
}

/// Nothing that is secret is stored as it is, or shown by `Debug`.
#[tokio::test]
async fn secrets_are_neither_stored_nor_shown() {
    let desk = Desk::of_each_store().await.into_iter().next_back().unwrap();
    let (client, secret) = desk.confidential_client().await;
    let request = desk.ask(&client, &[]).await;
    let redirect = desk.allow(&request).await;
    let code = answer(&redirect)["code"].clone();
    let form = [exchange(&client, &code).as_slice(), &[("client_secret", &secret)]].concat();
    let tokens = desk.token(&form).await.unwrap();
    let registration = desk.register(&serde_json::json!({"redirect_uris": [CALLBACK]})).await;
    let managed = registration.registration_access_token.clone().unwrap();
    let (access_record, grant) = {
        let id = access(&tokens)[4..16].to_owned();
        desk.store.issuer.find_access(&id).await.unwrap().unwrap()
    };
    let code_record = desk.store.issuer.find_code(&code[4..16]).await.unwrap().unwrap();
    let shown = format!(
        "{redirect:?} {tokens:?} {registration:?} {request:?} {access_record:?} {grant:?} {code_record:?} {:?} {:?}",
        desk.issuer, desk.store
    );
    let tokens = [access(&tokens), refresh_token(&tokens), &code, &secret, managed.expose()];
    for text in tokens {
        let hidden = &text[17..];
        assert!(!shown.contains(hidden), "{shown}");
    }
}
