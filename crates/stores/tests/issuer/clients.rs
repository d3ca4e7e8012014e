//! A5: clients that the operator makes; and what is cut off by whom.

use bridgehead_auth::{
    Revocation, RootKeys,
    issuer::{AddClientError, ClientKind, GrantsOf, NewClient, Preset, RevokedBecause},
};
use serde_json::json;

use crate::desk::{ALICE, CALLBACK, Desk, Seeded, access, exchange, from, refresh_token, refused, request};

#[tokio::test]
async fn a_client_for_duvo_is_made_by_name() {
    for desk in Desk::of_each_store().await {
        let new = NewClient { preset: Preset::parse("duvo"), ..NewClient::default() };
        let (client, secret) = desk.issuer.add_client(new).await.unwrap();
        let secret = secret.unwrap();
        assert_eq!(client.kind, ClientKind::PreRegistered);
        assert_eq!(client.metadata.redirect_uris, ["https://platform.duvo.ai/v1/oauth/mcp/callback"]);
        assert_eq!(client.metadata.client_name.as_deref(), Some("Duvo"));
        let id = client.id.as_str();
        let code = desk.code(id, &[("redirect_uri", "")]).await;
        let mut form = exchange(id, &code);
        form[3].1 = "https://platform.duvo.ai/v1/oauth/mcp/callback";
        assert_eq!(refused(desk.token(&form).await), (401, "invalid_client"), "without its secret");
        let form = [form.as_slice(), &[("client_secret", secret.expose())]].concat();
        let tokens = desk.token(&form).await.unwrap();
        desk.caller(access(&tokens)).await.unwrap();

        assert_eq!(desk.issuer.revoke_client(&client.id).await.unwrap(), Revocation::Revoked);
        assert_eq!(desk.issuer.revoke_client(&client.id).await.unwrap(), Revocation::AlreadyRevoked);
        assert_eq!(desk.caller(access(&tokens)).await.unwrap_err(), "revoked_token");
        let error = desk.issuer.authorization_request(&request(id, &[("redirect_uri", "")]), from()).await.unwrap_err();
        assert!(error.to_string().contains("shut this application out"), "{error}");
        let listed = desk.issuer.clients(ClientKind::PreRegistered).await.unwrap();
        assert!(listed.len() == 1 && listed[0].revoked_at.is_some());
    }
}

#[tokio::test]
async fn what_a_preset_leaves_open_is_asked_for() {
    let desk = Desk::new().await;
    let add = async |new: NewClient| desk.issuer.add_client(new).await;
    let (claude, _) = add(NewClient { preset: Some(Preset::Claude), ..NewClient::default() }).await.unwrap();
    assert_eq!(claude.metadata.redirect_uris[0], "https://claude.ai/api/mcp/auth_callback");
    let chatgpt = NewClient { preset: Some(Preset::ChatGpt), ..NewClient::default() };
    assert!(matches!(add(chatgpt.clone()).await, Err(AddClientError::ChatGptRedirect)));
    let uri = "https://chatgpt.com/connector/oauth/abc".to_owned();
    let (client, _) = add(NewClient { redirect_uris: vec![uri.clone()], ..chatgpt }).await.unwrap();
    assert_eq!(client.metadata.redirect_uris, [uri]);
    let own = NewClient { name: Some("Ours".into()), redirect_uris: vec![CALLBACK.into()], public: true, preset: None };
    let (client, secret) = add(own.clone()).await.unwrap();
    assert!(secret.is_none() && client.secret.is_none());
    for (name, uris) in [
        (None, vec![CALLBACK]),
        (Some("a\u{202e}b"), vec![CALLBACK]),
        (Some("Ours"), vec![]),
        (Some("Ours"), vec![CALLBACK, "http://a.example/"]),
    ] {
        let new = NewClient {
            name: name.map(str::to_owned),
            redirect_uris: uris.into_iter().map(str::to_owned).collect(),
            ..own.clone()
        };
        add(new).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_grant_is_listed_and_cut_off() {
    for desk in Desk::of_each_store().await {
        let (_, tokens) = desk.signed_in().await;
        let (_, kept) = desk.signed_in().await;
        let grants = desk.issuer.grants(&GrantsOf::Subject(ALICE.into())).await.unwrap();
        let grant = grants.iter().find(|grant| grant.id == tokens.issued.grant).unwrap();
        assert_eq!((grant.client_name.as_deref(), &*grant.subject), (Some("Desk"), ALICE));
        let now = bridgehead_core::Clock::now(&*desk.clock);
        assert!(grant.is_live(now) && grants.len() == 2);
        assert_eq!(desk.issuer.revoke_grant(&grant.id).await.unwrap(), Revocation::Revoked);
        // On another replica as well, and at once: each call looks it up.
        assert_eq!(desk.replica().caller(access(&tokens)).await.unwrap_err(), "revoked_token");
        desk.caller(access(&kept)).await.unwrap();
        let record = desk.store.issuer.find_grant(&grant.id).await.unwrap().unwrap();
        assert!(!record.is_live(now) && record.revoked.unwrap().why == RevokedBecause::Asked);
    }
}

/// P2: a teammate who is disabled loses all of it, and what they are just about to allow.
#[tokio::test]
async fn a_teammate_is_cut_off_whole() {
    let desk = Desk::new().await;
    let (client, one) = desk.signed_in().await;
    let (_, other) = desk.signed_in().await;
    let code = desk.code(&client, &[]).await;
    assert_eq!(desk.issuer.revoke_subject(ALICE).await.unwrap(), 2);
    for token in [access(&one), access(&other)] {
        assert_eq!(desk.caller(token).await.unwrap_err(), "revoked_token");
    }
    assert_eq!(refused(desk.refresh(&client, refresh_token(&one)).await), (400, "invalid_grant"));
    assert_eq!(refused(desk.redeem(&client, &code).await), (400, "invalid_grant"));
}

/// Secrets of clients, codes and registration tokens are good as long as the root key is loaded that
/// their pepper comes from.
#[tokio::test]
async fn secrets_outlive_the_rotation_of_root_keys() {
    let desk = Desk::new().await;
    let registration = desk.register(&json!({"redirect_uris": [CALLBACK]})).await;
    let id = registration.client_id.as_str();
    let secret = registration.client_secret.as_ref().unwrap().expose();
    let token = format!("Bearer {}", registration.registration_access_token.as_ref().unwrap().expose());
    let code = desk.code(id, &[]).await;
    let form = [exchange(id, &code).as_slice(), &[("client_secret", secret)]].concat();
    let newer = RootKeys::generate(&Seeded::new(7));
    let only_newer = desk.under(&newer, 9);
    assert_eq!(refused(only_newer.token(&form).await), (401, "invalid_client"));
    only_newer.issuer.registration(id, Some(&token)).await.unwrap_err();
    let both = desk.under(&newer.followed_by(desk.roots.clone()), 8);
    both.issuer.registration(id, Some(&token)).await.unwrap();
    let tokens = both.token(&form).await.unwrap();
    only_newer.caller(access(&tokens)).await.unwrap();
    assert_eq!(desk.caller(access(&tokens)).await.unwrap_err(), "unknown_token", "made under the new one");
}
