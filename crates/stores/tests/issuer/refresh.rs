//! Refresh tokens: rotation, races, theft, and the ends of a family.

use std::{collections::BTreeSet, time::Duration};

use bridgehead_auth::{
    RootKeys, SecretKind, SecretText,
    issuer::{GrantFault, RevokedBecause, TokenError},
};
use bridgehead_core::Randomness;
use serde_json::json;

use crate::desk::{CALLBACK, DAY, Desk, MINUTE, Seeded, access, exchange, refresh_token, refused};

/// oauth.md: two backends of one platform race each other, on two replicas; both come to the same
/// successor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_races_gets_the_same_refresh_token() {
    for desk in Desk::of_each_store().await {
        let (client, tokens) = desk.signed_in().await;
        let replica = desk.replica();
        let tasks = (0..8).map(|number| {
            let desk = if number % 2 == 0 { &desk } else { &replica };
            desk.refresh(&client, refresh_token(&tokens))
        });
        let answers: Vec<_> = futures_util::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        let refreshed: BTreeSet<_> = answers.iter().map(refresh_token).collect();
        assert_eq!(refreshed.len(), 1, "{} different successors", refreshed.len());
        assert!(!refreshed.contains(refresh_token(&tokens)));
        let accesses: BTreeSet<_> = answers.iter().map(access).collect();
        assert_eq!(accesses.len(), answers.len());
        for token in accesses {
            desk.caller(token).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_predecessor_is_good_for_a_minute_and_until_its_successor_is_used() {
    let desk = Desk::new().await;
    let (client, first) = desk.signed_in().await;
    let second = desk.refresh(&client, refresh_token(&first)).await.unwrap();
    desk.clock.advance(MINUTE);
    let again = desk.refresh(&client, refresh_token(&first)).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&second));
    let third = desk.refresh(&client, refresh_token(&again)).await.unwrap();
    assert_ne!(refresh_token(&third), refresh_token(&second));
    // Within the same minute, but its successor was used.
    let error = desk.refresh(&client, refresh_token(&first)).await.unwrap_err();
    let TokenError::Grant(GrantFault::RefreshReused { grant }) = &error else { panic!("{error:?}") };
    assert_eq!(refused(Err(error.clone())), (400, "invalid_grant"));
    for token in [access(&first), access(&second), access(&third)] {
        assert_eq!(desk.caller(token).await.unwrap_err(), "revoked_token");
    }
    assert_eq!(refused(desk.refresh(&client, refresh_token(&third)).await), (400, "invalid_grant"));
    let record = desk.store.issuer.find_grant(grant).await.unwrap().unwrap();
    assert_eq!(record.revoked.unwrap().why, RevokedBecause::RefreshReused);
}

#[tokio::test]
async fn a_predecessor_after_a_minute_is_a_theft() {
    let desk = Desk::new().await;
    let (client, first) = desk.signed_in().await;
    let second = desk.refresh(&client, refresh_token(&first)).await.unwrap();
    desk.clock.advance(MINUTE + Duration::from_secs(1));
    let error = desk.refresh(&client, refresh_token(&first)).await.unwrap_err();
    assert!(matches!(error, TokenError::Grant(GrantFault::RefreshReused { .. })), "{error:?}");
    assert_eq!(desk.caller(access(&second)).await.unwrap_err(), "revoked_token");
}

/// The thief is quicker and rotates on; days later the one who was robbed comes back.
#[tokio::test]
async fn a_theft_is_noticed_however_often_the_thief_has_rotated() {
    for desk in Desk::of_each_store().await {
        let (client, robbed) = desk.signed_in().await;
        let mut thief = desk.refresh(&client, refresh_token(&robbed)).await.unwrap();
        for _ in 0..20 {
            desk.clock.advance(6 * 60 * MINUTE);
            thief = desk.refresh(&client, refresh_token(&thief)).await.unwrap();
        }
        desk.caller(access(&thief)).await.unwrap();
        let error = desk.refresh(&client, refresh_token(&robbed)).await.unwrap_err();
        assert!(matches!(error, TokenError::Grant(GrantFault::RefreshReused { .. })), "{error:?}");
        assert_eq!(desk.caller(access(&thief)).await.unwrap_err(), "revoked_token");
    }
}

/// A grant's id is no secret: whoever makes a token up with it neither gets in nor ends the grant.
#[tokio::test]
async fn a_token_that_was_made_up_ends_nothing() {
    let desk = Desk::new().await;
    let (client, tokens) = desk.signed_in().await;
    let grant = tokens.issued.grant.as_str();
    for number in 0..50_u8 {
        let made_up = SecretText::derived(SecretKind::RefreshToken, grant, &[number; 32]).unwrap();
        let error = desk.refresh(&client, made_up.secret().expose()).await.unwrap_err();
        assert!(matches!(error, TokenError::Grant(GrantFault::Unknown)), "{error:?}");
    }
    let other = desk.public_client().await;
    let error = desk.refresh(&other, refresh_token(&tokens)).await.unwrap_err();
    assert!(matches!(error, TokenError::Grant(GrantFault::OtherClient)), "{error:?}");
    desk.caller(access(&tokens)).await.unwrap();
    // Another client that shows a token long rotated away ends nothing either.
    let second = desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
    let third = desk.refresh(&client, refresh_token(&second)).await.unwrap();
    assert_eq!(refused(desk.refresh(&other, refresh_token(&tokens)).await), (400, "invalid_grant"));
    desk.caller(access(&third)).await.unwrap();
}

#[tokio::test]
async fn a_family_slides_and_ends() {
    let desk = Desk::new().await;
    let (client, mut tokens) = desk.signed_in().await;
    let (_, idle) = desk.signed_in().await;
    let idle_client = idle.issued.client.to_string();
    for _ in 0..6 {
        desk.clock.advance(29 * DAY);
        tokens = desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
    }
    let error = desk.refresh(&idle_client, refresh_token(&idle)).await.unwrap_err();
    assert!(matches!(error, TokenError::Grant(GrantFault::Expired)), "30 days without a use: {error:?}");
    desk.clock.advance(6 * DAY - Duration::from_secs(60));
    tokens = desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
    assert_eq!(tokens.expires_in, 60, "no token outlives its family");
    desk.clock.advance(MINUTE);
    let error = desk.refresh(&client, refresh_token(&tokens)).await.unwrap_err();
    assert!(matches!(error, TokenError::Grant(GrantFault::Expired)), "180 days after the sign-in: {error:?}");
}

#[tokio::test]
async fn a_scope_narrows_for_one_token_and_never_widens() {
    let desk = Desk::new().await;
    let (client, tokens) = desk.signed_in().await;
    let ask = async |token: &str, scope: &str| {
        desk.token(&[
            ("grant_type", "refresh_token"),
            ("client_id", &client),
            ("refresh_token", token),
            ("scope", scope),
        ])
        .await
    };
    let narrow = ask(refresh_token(&tokens), "tools:read").await.unwrap();
    assert_eq!(narrow.scope, "tools:read");
    assert_eq!(desk.caller(access(&narrow)).await.unwrap().scopes.to_string(), "tools:read");
    let all = desk.refresh(&client, refresh_token(&narrow)).await.unwrap();
    assert_eq!(all.scope, "tools:read tools:write", "Claude Code leaves scope out");

    let code = desk.code(&client, &[("scope", "tools:read")]).await;
    let reader = desk.redeem(&client, &code).await.unwrap();
    assert_eq!(refused(ask(refresh_token(&reader), "tools:write").await), (400, "invalid_scope"));
    let again = ask(refresh_token(&reader), "tools:read offline_access openid").await.unwrap();
    assert_eq!(again.scope, "tools:read", "the refused one used nothing up");
    for wrong in ["https://evil.example/mcp", "https://mcp.example.com/hr/mcp"] {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &*client),
            ("refresh_token", refresh_token(&again)),
            ("resource", wrong),
        ];
        assert_eq!(refused(desk.token(&form).await), (400, "invalid_target"));
    }
    desk.refresh(&client, refresh_token(&again)).await.unwrap();
}

/// Root keys are rotated by putting a new one in front; families move to it as they are used.
#[tokio::test]
async fn a_family_outlives_the_rotation_of_root_keys() {
    let desk = Desk::new().await;
    let (client, tokens) = desk.signed_in().await;
    let (forgotten, unused) = desk.signed_in().await;
    let newer = RootKeys::generate(&Seeded::new(7));
    let both = desk.under(&newer.clone().followed_by(desk.roots.clone()), 8);
    let moved = both.refresh(&client, refresh_token(&tokens)).await.unwrap();
    both.caller(access(&tokens)).await.unwrap();
    both.caller(access(&moved)).await.unwrap();
    // A racing holder gets the same one, under the key that the family names.
    let again = both.refresh(&client, refresh_token(&tokens)).await.unwrap();
    assert_eq!(refresh_token(&again), refresh_token(&moved));
    // A replica that does not have the new key yet makes no other one.
    let error = desk.refresh(&client, refresh_token(&tokens)).await.unwrap_err();
    assert!(matches!(error, TokenError::Grant(GrantFault::NoKey)), "{error:?}");
    assert_eq!(refused(Err(error)), (503, "temporarily_unavailable"), "the client is not to forget it");

    let only_newer = both.under(&newer, 9);
    let next = only_newer.refresh(&client, refresh_token(&moved)).await.unwrap();
    only_newer.caller(access(&next)).await.unwrap();
    assert_eq!(only_newer.caller(access(&tokens)).await.unwrap_err(), "unknown_token");
    assert_eq!(refused(only_newer.refresh(&forgotten, refresh_token(&unused)).await), (400, "invalid_grant"));
    // Not a theft: with the old key at hand it is as good as ever.
    both.refresh(&forgotten, refresh_token(&unused)).await.unwrap();
}

/// A refresh token is issued whenever the client's grant types include it, and to no other.
#[tokio::test]
async fn who_did_not_ask_for_refresh_tokens_gets_none() {
    let desk = Desk::new().await;
    let url = "https://a.example/client.json";
    desk.web.put(url, &json!({"client_id": url, "redirect_uris": [CALLBACK], "grant_types": ["authorization_code"]}));
    let code = desk.code(url, &[]).await;
    let tokens = desk.token(&exchange(url, &code)).await.unwrap();
    assert!(tokens.refresh_token.is_none());
    desk.caller(access(&tokens)).await.unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", url), ("refresh_token", "x")];
    assert_eq!(refused(desk.token(&form).await), (400, "unauthorized_client"));
}

/// A server that got another public URL: no token of before is taken, so none is made either.
#[tokio::test]
async fn what_was_allowed_for_another_url_is_over() {
    let desk = Desk::new().await;
    let (client, tokens) = desk.signed_in().await;
    let code = desk.code(&client, &[]).await;
    let moved = desk.moved_to("https://other.example.com");
    assert_eq!(moved.caller(access(&tokens)).await.unwrap_err(), "unknown_token");
    for error in [moved.refresh(&client, refresh_token(&tokens)).await, moved.redeem(&client, &code).await] {
        let error = error.unwrap_err();
        assert!(matches!(error, TokenError::Grant(GrantFault::Moved)), "{error:?}");
        assert_eq!(refused(Err(error)), (400, "invalid_grant"), "the client signs in anew");
    }
    desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
}

/// Whatever is shown in whatever order: the present token rotates, the one before it gives the same
/// successor for a minute, anything older ends the family, and then nothing is good any more.
#[tokio::test]
async fn a_family_keeps_to_its_rules_in_any_order() {
    let desk = Desk::new().await;
    let chance = Seeded::new(11);
    let roll = |below: usize| {
        let mut bytes = [0; 4];
        chance.fill(&mut bytes);
        u32::from_be_bytes(bytes) as usize % below
    };
    for _ in 0..60 {
        let (client, first) = desk.signed_in().await;
        let mut family = vec![refresh_token(&first).to_owned()];
        let (mut since_rotation, mut ended) = (Duration::ZERO, false);
        for _ in 0..12 {
            let pause = Duration::from_secs([0, 1, 59, 61, 3600][roll(5)]);
            desk.clock.advance(pause);
            since_rotation += pause;
            // Most of the time one of the last two.
            let back = [0, 0, 0, 1, 1, 2, 5][roll(7)].min(family.len() - 1);
            let shown = family[family.len() - 1 - back].clone();
            let answered = desk.refresh(&client, &shown).await;
            match (ended, back) {
                (true, _) => {
                    let fault = answered.unwrap_err();
                    assert!(matches!(fault, TokenError::Grant(GrantFault::Revoked(_))), "{fault:?}");
                }
                (false, 0) => {
                    family.push(refresh_token(&answered.unwrap()).to_owned());
                    since_rotation = Duration::ZERO;
                }
                (false, 1) if since_rotation <= MINUTE => {
                    assert_eq!(Some(refresh_token(&answered.unwrap())), family.last().map(String::as_str));
                }
                (false, _) => {
                    let fault = answered.unwrap_err();
                    assert!(matches!(fault, TokenError::Grant(GrantFault::RefreshReused { .. })), "{fault:?}");
                    ended = true;
                }
            }
        }
    }
}
