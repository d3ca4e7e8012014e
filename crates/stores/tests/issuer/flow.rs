//! A4: from registration to the first call, and to the end of it.

use bridgehead_auth::{
    ApiKeyMode, IssuedKeys, KeyHeader, Modes, NewKey, OAuthMode, Peppers,
    issuer::{ClientCall, GrantsOf, IntrospectError},
};
use bridgehead_core::{EndpointId, ScopeSet, SignIn};
use http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::desk::{
    ALICE, Desk, ISSUER, MINUTE, RESOURCE, Seeded, VERIFIER, access, answer, exchange, from, pairs, refresh_token,
    refused, wire,
};

#[tokio::test]
async fn a_client_registers_signs_in_calls_refreshes_and_leaves() {
    for desk in Desk::of_each_store().await {
        let metadata = json!({
            "redirect_uris": ["http://localhost:3000/callback", "cursor://anysphere.cursor-retrieval/x/callback"],
            "token_endpoint_auth_method": "none",
        });
        let client = desk.register(&metadata).await.client_id;
        let loopback = "http://localhost:51234/callback";
        let redirect = desk.allow(&desk.ask(&client, &[("redirect_uri", loopback)]).await).await;
        assert!(redirect.location().starts_with("http://localhost:51234/callback?code=bhc_"));
        let answered = answer(&redirect);
        assert_eq!((answered["state"].as_str(), answered["iss"].as_str()), ("st&te", ISSUER));

        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &client),
            ("code", &answered["code"]),
            ("redirect_uri", loopback),
            ("code_verifier", VERIFIER),
            ("resource", RESOURCE),
        ];
        let tokens = desk.token(&form).await.unwrap();
        let body = serde_json::to_value(&tokens).unwrap();
        let expected = json!({
            "access_token": access(&tokens), "token_type": "Bearer", "expires_in": 900,
            "refresh_token": refresh_token(&tokens), "scope": "tools:read tools:write",
        });
        assert_eq!(body, expected);
        assert!(access(&tokens).starts_with("bha_") && refresh_token(&tokens).starts_with("bhr_"));

        let caller = desk.caller(access(&tokens)).await.unwrap();
        assert_eq!((&*caller.subject, caller.scopes), (ALICE, ScopeSet::read_and_write()));
        let grant = desk.issuer.grants(&GrantsOf::Subject(ALICE.into())).await.unwrap().remove(0);
        let by = SignIn::OAuth { client_id: client.as_str().into(), grant_id: grant.id.to_shared() };
        assert_eq!((caller.sign_in.mode(), caller.sign_in), ("oauth", by));
        assert!(caller.presented.is_empty(), "the token never goes upstream");

        desk.clock.advance(15 * MINUTE);
        assert_eq!(desk.caller(access(&tokens)).await.unwrap_err(), "expired_token");
        let renewed = desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
        assert_ne!(access(&renewed), access(&tokens));
        desk.caller(access(&renewed)).await.unwrap();

        desk.revoke(&client, refresh_token(&renewed)).await;
        assert_eq!(desk.caller(access(&renewed)).await.unwrap_err(), "revoked_token", "at once");
        assert_eq!(refused(desk.refresh(&client, refresh_token(&renewed)).await), (400, "invalid_grant"));
    }
}

/// Whatever it is registered with, a secret is taken from the header and from the form: Claude posts it
/// where only Basic is named.
#[tokio::test]
async fn a_secret_is_taken_from_header_and_form() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let desk = Desk::new().await;
    let (client, secret) = desk.confidential_client().await;
    for (by_header, encoded) in [(true, client.clone()), (true, client.replace('_', "%5f")), (false, client.clone())] {
        let code = desk.code(&client, &[]).await;
        let mut form = exchange(&client, &code).to_vec();
        let basic = format!("Basic {}", STANDARD.encode(format!("{encoded}:{secret}")));
        if by_header {
            form.retain(|(name, _)| *name != "client_id");
        } else {
            form.push(("client_secret", &secret));
        }
        let authorization = by_header.then_some(basic.as_str());
        desk.issuer.token(&ClientCall { form: &pairs(&form), authorization, from: from() }).await.unwrap();
    }
    let code = desk.code(&client, &[]).await;
    let form = pairs(&exchange(&client, &code));
    let other = desk.confidential_client().await.1;
    for wrong in [&other, "", "x", &secret[..54], &secret.to_uppercase()] {
        let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{wrong}")));
        let error = desk.issuer.token(&ClientCall { form: &form, authorization: Some(&basic), from: from() }).await;
        let answer = error.unwrap_err().answer();
        assert_eq!(wire(&answer), (401, "invalid_client"), "{wrong}");
        assert!(wrong.is_empty() || answer.www_authenticate.as_deref() == Some("Basic realm=\"token\""));
        assert!(wrong.len() < 2 || !format!("{answer:?}").contains(wrong), "nothing of it is sent back");
    }
    // Two ways at once, and another client's name beside it, are no way.
    let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{secret}")));
    let both = [form.clone(), pairs(&[("client_secret", &secret)])].concat();
    let error = desk.issuer.token(&ClientCall { form: &both, authorization: Some(&basic), from: from() }).await;
    assert_eq!(refused(error), (400, "invalid_request"));
    let public = desk.public_client().await;
    let mixed = pairs(&exchange(&public, &code));
    let error = desk.issuer.token(&ClientCall { form: &mixed, authorization: Some(&basic), from: from() }).await;
    assert_eq!(refused(error), (400, "invalid_request"));
    // The code is as good as before.
    desk.issuer.token(&ClientCall { form: &form, authorization: Some(&basic), from: from() }).await.unwrap();
}

#[tokio::test]
async fn what_is_posted_wrong_is_told_by_its_code() {
    let desk = Desk::new().await;
    let client = desk.public_client().await;
    let code = desk.code(&client, &[]).await;
    type Row<'r> = (&'r [(&'r str, &'r str)], (u16, &'r str));
    let rows: [Row<'_>; 9] = [
        (&[], (400, "invalid_request")),
        (&[("grant_type", "authorization_code")], (401, "invalid_client")),
        (&[("grant_type", "authorization_code"), ("client_id", "nobody")], (401, "invalid_client")),
        (&[("grant_type", "authorization_code"), ("client_id", "bhi_000000000000")], (401, "invalid_client")),
        (&[("grant_type", "authorization_code"), ("client_id", &client)], (400, "invalid_request")),
        (&[("grant_type", "client_credentials"), ("client_id", &client)], (400, "unsupported_grant_type")),
        (&[("grant_type", "refresh_token"), ("client_id", &client)], (400, "invalid_request")),
        (&[("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", "x")], (400, "invalid_grant")),
        (&[("grant_type", "refresh_token"), ("client_id", &client), ("refresh_token", &code)], (400, "invalid_grant")),
    ];
    for (form, expected) in rows {
        assert_eq!(refused(desk.token(form).await), expected, "{form:?}");
    }
    for name in ["grant_type", "client_id", "code", "redirect_uri", "code_verifier"] {
        let mut form = exchange(&client, &code).to_vec();
        let again = *form.iter().find(|(other, _)| *other == name).unwrap();
        form.push(again);
        assert_eq!(refused(desk.token(&form).await), (400, "invalid_request"), "{name} twice");
    }
    let with_unknown = [exchange(&client, &code).as_slice(), &[("audience", "x"), ("audience", "y")]].concat();
    desk.token(&with_unknown).await.unwrap();
}

/// RFC 7662: whoever can prove who they are may look at their own tokens.
#[tokio::test]
async fn a_client_may_look_at_its_own_tokens() {
    let desk = Desk::new().await;
    let (client, secret) = desk.confidential_client().await;
    let code = desk.code(&client, &[("scope", "tools:read")]).await;
    let form = [exchange(&client, &code).as_slice(), &[("client_secret", &secret)]].concat();
    let tokens = desk.token(&form).await.unwrap();
    let seen = desk.introspect(&client, &secret, access(&tokens)).await;
    let expected = json!({
        "active": true, "scope": "tools:read", "client_id": client, "sub": ALICE, "aud": RESOURCE, "iss": ISSUER,
        "iat": 1_772_366_400, "exp": 1_772_367_300, "token_type": "Bearer",
    });
    assert_eq!(serde_json::to_value(&seen).unwrap(), expected);
    let seen = desk.introspect(&client, &secret, refresh_token(&tokens)).await;
    assert!(seen.active && seen.token_type.is_none());

    let inactive = json!({"active": false});
    let (other, others_secret) = desk.confidential_client().await;
    let damaged = &access(&tokens)[..50];
    for (client, secret, token) in [
        (&other, &others_secret, access(&tokens)),
        (&other, &others_secret, refresh_token(&tokens)),
        (&client, &secret, damaged),
        (&client, &secret, "x"),
    ] {
        let seen = desk.introspect(client, secret, token).await;
        assert_eq!(serde_json::to_value(&seen).unwrap(), inactive, "{token}");
    }
    let public = desk.public_client().await;
    let form = pairs(&[("client_id", &public), ("token", access(&tokens))]);
    let error =
        desk.issuer.introspect(&ClientCall { form: &form, authorization: None, from: from() }).await.unwrap_err();
    assert!(matches!(error, IntrospectError::PublicClient));
    assert_eq!(wire(&error.answer()), (401, "invalid_client"));

    desk.clock.advance(15 * MINUTE);
    assert!(!desk.introspect(&client, &secret, access(&tokens)).await.active, "expired");
    desk.revoke_of(&client, &secret, refresh_token(&tokens)).await;
    assert!(!desk.introspect(&client, &secret, refresh_token(&tokens)).await.active, "revoked");
}

/// RFC 7009: nothing of another client is revoked, and nothing is learnt.
#[tokio::test]
async fn a_client_revokes_its_own_tokens_alone() {
    let desk = Desk::new().await;
    let (client, tokens) = desk.signed_in().await;
    let other = desk.public_client().await;
    for token in [access(&tokens), refresh_token(&tokens), "x", "bha_x"] {
        desk.revoke(&other, token).await;
    }
    desk.caller(access(&tokens)).await.unwrap();
    desk.revoke(&client, access(&tokens)).await;
    assert_eq!(desk.caller(access(&tokens)).await.unwrap_err(), "revoked_token");
    let renewed = desk.refresh(&client, refresh_token(&tokens)).await.unwrap();
    desk.caller(access(&renewed)).await.unwrap();
    // A refresh token that was rotated away takes its family along as well.
    desk.revoke(&client, refresh_token(&tokens)).await;
    assert_eq!(desk.caller(access(&renewed)).await.unwrap_err(), "revoked_token");
}

/// A2 beside A4: issued keys are told from tokens by their prefix, in either order.
#[tokio::test]
async fn tokens_and_issued_keys_stand_side_by_side() {
    let desk = Desk::new().await;
    let (_, tokens) = desk.signed_in().await;
    let randomness = std::sync::Arc::new(Seeded::new(9));
    let keys = std::sync::Arc::new(IssuedKeys::new(
        desk.store.keys.clone(),
        Peppers::derive(&desk.roots),
        desk.clock.clone(),
        randomness,
    ));
    let new = NewKey {
        endpoint: EndpointId::main(),
        subject: "bob@example.com".into(),
        scopes: ScopeSet::read_and_write(),
        expires_at: None,
        label: None,
        header: None,
    };
    let key = keys.create(new).await.unwrap().1;
    for turned in [false, true] {
        let api_key = ApiKeyMode::issued(keys.clone(), KeyHeader::bearer(), EndpointId::main());
        let oauth = OAuthMode::new(desk.issuer.clone(), EndpointId::main());
        let mut modes: Vec<Box<dyn bridgehead_auth::Mode>> = vec![Box::new(api_key), Box::new(oauth)];
        if turned {
            modes.reverse();
        }
        let modes = Modes::new("Warehouse", modes);
        let ask = async |value: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert("authorization", HeaderValue::from_str(value).unwrap());
            }
            modes.authenticate(&headers).await
        };
        let bearer = |text: &str| format!("Bearer {text}");
        assert_eq!(&*ask(Some(&bearer(key.expose()))).await.unwrap().subject, "bob@example.com");
        assert_eq!(&*ask(Some(&bearer(access(&tokens)))).await.unwrap().subject, ALICE);
        let damaged = ask(Some(&bearer(&access(&tokens)[..40]))).await.unwrap_err();
        assert_eq!((damaged.denied.code(), damaged.kind.status().as_u16()), ("damaged_token", 401));
        assert_eq!(ask(Some(&bearer("eyJ.x.y"))).await.unwrap_err().kind.status(), 401);
        assert_eq!(ask(Some(access(&tokens))).await.unwrap_err().kind.status(), 400, "without `Bearer`");
        let nothing = ask(None).await.unwrap_err().www_authenticate.unwrap();
        assert_eq!(
            nothing,
            "Bearer realm=\"Warehouse\", resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
             scope=\"tools:read tools:write\""
        );
        let bad = damaged.www_authenticate.unwrap();
        assert!(bad.starts_with(&nothing) && bad.contains(", error=\"invalid_token\", "), "{bad}");
        assert_eq!(
            modes.insufficient_scope(&ScopeSet::read_and_write()),
            "Bearer realm=\"Warehouse\", resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\", \
             error=\"insufficient_scope\", scope=\"tools:read tools:write\""
        );
    }
}

#[tokio::test]
async fn the_documents_say_what_is_there() {
    let desk = Desk::new().await;
    let methods = json!(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]);
    let algorithms = json!(["RS256", "PS256", "ES256", "EdDSA"]);
    let expected = json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://mcp.example.com/oauth/authorize",
        "token_endpoint": "https://mcp.example.com/oauth/token",
        "registration_endpoint": "https://mcp.example.com/oauth/register",
        "revocation_endpoint": "https://mcp.example.com/oauth/revoke",
        "introspection_endpoint": "https://mcp.example.com/oauth/introspect",
        "scopes_supported": ["tools:read", "tools:write", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
    });
    assert_eq!(serde_json::to_value(desk.issuer.authorization_server_metadata()).unwrap(), expected);
    let document = desk.issuer.protected_resource_metadata(&EndpointId::main()).unwrap();
    let expected = json!({
        "resource": RESOURCE,
        "authorization_servers": [ISSUER],
        "scopes_supported": ["tools:read", "tools:write"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Warehouse",
    });
    assert_eq!(serde_json::to_value(document).unwrap(), expected);
    assert!(desk.issuer.protected_resource_metadata(&EndpointId::parse("other").unwrap()).is_none());
}
