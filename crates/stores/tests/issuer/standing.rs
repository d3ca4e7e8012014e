//! A7: what a teammate allowed follows what the provider says of them later: groups, refusals, and silence.

use std::time::Duration;

use bridgehead_auth::{
    MailAddress,
    issuer::{GrantsOf, RevokedBecause, TokenAnswer},
};
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    desk::{ALICE, MINUTE, access, refresh_token, refused},
    idp::{IDP, Reception},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Alice signed in at the provider and allowed a client all she may.
async fn connected(reception: &Reception) -> (String, TokenAnswer) {
    reception.sign_in().await.unwrap();
    reception.desk.signed_in().await
}

fn refreshes_asked(reception: &Reception) -> usize {
    reception.idp.conduct().asked.iter().filter(|asked| *asked == "/token refresh_token").count()
}

#[tokio::test]
async fn scopes_follow_the_groups() {
    for reception in Reception::of_each_store().await {
        let (client, tokens) = connected(&reception).await;
        assert_eq!(tokens.scope, "tools:read tools:write");
        reception.idp.conduct().person["groups"] = json!(["staff"]);

        reception.desk.clock.advance(4 * MINUTE);
        let tokens = reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
        assert_eq!(tokens.scope, "tools:read tools:write", "the provider is believed for five minutes");
        assert_eq!(refreshes_asked(&reception), 0);

        reception.desk.clock.advance(2 * MINUTE);
        let tokens = reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
        assert_eq!(tokens.scope, "tools:read");
        assert_eq!(reception.desk.caller(access(&tokens)).await.unwrap().scopes.to_string(), "tools:read");
        let alice = MailAddress::parse(ALICE).unwrap();
        let user = reception.desk.store.users.find_user(&alice).await.unwrap().unwrap().user;
        assert_eq!(user.scopes.to_string(), "tools:read", "no more can be allowed from now on");
        assert_eq!(reception.provider.claims(&alice).await.unwrap().get("groups"), Some(&json!(["staff"])));

        // What was allowed once is allowed again when the groups are.
        reception.idp.conduct().person["groups"] = json!(["buyers"]);
        reception.desk.clock.advance(6 * MINUTE);
        let tokens = reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
        assert_eq!(tokens.scope, "tools:read tools:write");

        // A group that lets nothing do of what was allowed.
        reception.idp.conduct().person["groups"] = json!(["crm"]);
        reception.desk.clock.advance(6 * MINUTE);
        let answer = reception.desk.refresh(&client, refresh_token(&tokens)).await;
        assert_eq!(refused(answer), (400, "invalid_grant"));
    }
}

/// Disabled there, out of every group, with another address: access ends here, at once for every token.
#[tokio::test]
async fn whom_the_provider_refuses_loses_everything() {
    for (what, groups, mail, refuses) in [
        ("disabled", json!(["buyers"]), "alice@example.com", Some((400, "invalid_grant"))),
        ("in no group", json!([]), "alice@example.com", None),
        ("in another domain", json!(["buyers"]), "alice@evil.example", None),
    ] {
        for reception in Reception::of_each_store().await {
            let (client, tokens) = connected(&reception).await;
            let (other, others) = reception.desk.signed_in().await;
            {
                let mut conduct = reception.idp.conduct();
                conduct.person["groups"] = groups.clone();
                conduct.person["email"] = mail.into();
                conduct.refuses = refuses;
            }
            reception.desk.clock.advance(6 * MINUTE);
            let answer = reception.desk.refresh(&client, refresh_token(&tokens)).await;
            assert_eq!(refused(answer), (400, "invalid_grant"), "{what}");
            for token in [&tokens, &others] {
                assert_eq!(reception.desk.caller(access(token)).await, Err("revoked_token"), "{what}");
            }
            let grants = reception.desk.issuer.grants(&GrantsOf::Everybody).await.unwrap();
            let why: Vec<_> = grants.iter().map(|grant| grant.revoked.map(|revoked| revoked.why)).collect();
            assert_eq!(why, [Some(RevokedBecause::ProviderRefused); 2], "{what}");
            let answer = reception.desk.refresh(&other, refresh_token(&others)).await;
            assert_eq!(refused(answer), (400, "invalid_grant"));
            assert_eq!(refreshes_asked(&reception), 1, "what is known is not asked again");
            let record = reception.desk.store.identities.identity_of(IDP, &MailAddress::parse(ALICE).unwrap()).await;
            assert_eq!(record.unwrap().unwrap().tokens, None, "{what}: nothing of the provider's is kept");
        }
    }
}

#[tokio::test]
async fn a_sign_in_after_a_refusal_counts() {
    let reception = Reception::new().await;
    let (client, tokens) = connected(&reception).await;
    reception.idp.conduct().refuses = Some((400, "invalid_grant"));
    reception.desk.clock.advance(6 * MINUTE);
    assert!(reception.desk.refresh(&client, refresh_token(&tokens)).await.is_err());
    reception.idp.conduct().refuses = None;
    let (client, tokens) = connected(&reception).await;
    reception.desk.clock.advance(6 * MINUTE);
    reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
}

/// The provider rotates its refresh tokens: of many refreshes here, from several replicas, one asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_refreshes_one_asks_the_provider() {
    for reception in Reception::of_each_store().await {
        reception.sign_in().await.unwrap();
        let mut connections = Vec::new();
        for _ in 0..8 {
            connections.push(reception.desk.signed_in().await);
        }
        let replica = reception.replica();
        reception.desk.clock.advance(6 * MINUTE);
        let refreshes = connections.iter().enumerate().map(|(number, (client, tokens))| {
            let desk = if number % 2 == 0 { &reception.desk } else { &replica.desk };
            desk.refresh(client, refresh_token(tokens))
        });
        for answer in join_all(refreshes).await {
            answer.unwrap();
        }
        assert_eq!(refreshes_asked(&reception), 1);
    }
}

/// The provider is down: it goes on for four hours, then waits, and goes on when the provider is back.
#[tokio::test]
async fn silence_is_borne_for_a_while() {
    let reception = Reception::new().await;
    let (client, mut tokens) = connected(&reception).await;
    reception.idp.conduct().down = true;
    for _ in 0..3 {
        reception.desk.clock.advance(HOUR);
        tokens = reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
        assert_eq!(tokens.scope, "tools:read tools:write");
    }
    reception.desk.clock.advance(HOUR - MINUTE);
    tokens = reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
    assert_eq!(tokens.expires_in, 60, "no token outlives the time for which the provider is believed");
    reception.desk.clock.advance(MINUTE);
    let answer = reception.desk.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(refused(answer), (503, "temporarily_unavailable"));
    reception.desk.clock.advance(MINUTE);
    reception.idp.conduct().down = false;
    reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
}

/// What is wrong between the provider and us is no fault of the person's.
#[tokio::test]
async fn our_own_faults_are_not_taken_for_refusals() {
    for refuses in [(401, "invalid_client"), (429, "slow_down"), (500, "server_error"), (400, "invalid_scope")] {
        let reception = Reception::new().await;
        let (client, tokens) = connected(&reception).await;
        reception.idp.conduct().refuses = Some(refuses);
        reception.desk.clock.advance(6 * MINUTE);
        reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
        assert_eq!(refreshes_asked(&reception), 1, "{refuses:?}");
    }
    let reception = Reception::new().await;
    let (client, tokens) = connected(&reception).await;
    reception.idp.conduct().claims = json!({"sub": "2"});
    reception.desk.clock.advance(6 * MINUTE);
    reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
}

/// A refreshed answer may come without an ID token (Core §12.2): the user info says all then.
#[tokio::test]
async fn without_an_id_token_the_user_info_tells() {
    let reception = Reception::new().await;
    let (client, tokens) = connected(&reception).await;
    reception.idp.conduct().gives_id_tokens = false;
    reception.idp.conduct().person["groups"] = json!(["staff"]);
    reception.desk.clock.advance(6 * MINUTE);
    let tokens = reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
    assert_eq!(tokens.scope, "tools:read");
    reception.idp.conduct().person["groups"] = json!([]);
    reception.desk.clock.advance(6 * MINUTE);
    let answer = reception.desk.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(refused(answer), (400, "invalid_grant"));
}

/// A provider that gives no refresh token cannot be asked: a day after the sign-in it begins anew.
#[tokio::test]
async fn without_a_refresh_token_everything_ends_after_a_day() {
    let reception = Reception::new().await;
    reception.idp.conduct().gives_refresh_tokens = false;
    let (client, tokens) = connected(&reception).await;
    reception.desk.clock.advance(24 * HOUR - MINUTE);
    let tokens = reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
    assert_eq!(tokens.expires_in, 60);
    reception.desk.clock.advance(MINUTE);
    let answer = reception.desk.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(refused(answer), (400, "invalid_grant"));
    assert_eq!(refreshes_asked(&reception), 0);
    // Their sign-in makes it good again, for a day.
    reception.sign_in().await.unwrap();
    reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
}

/// Whoever allowed something before people signed in at a provider signs in there first.
#[tokio::test]
async fn a_grant_of_before_waits_for_a_sign_in() {
    let reception = Reception::new().await;
    let before = reception.desk.replica();
    let (client, tokens) = before.signed_in().await;
    let answer = reception.desk.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(refused(answer), (400, "invalid_grant"));
    reception.sign_in().await.unwrap();
    reception.desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
}
