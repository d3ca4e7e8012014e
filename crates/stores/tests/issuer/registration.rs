//! RFC 7591 and 7592, and floods of them.

use std::{net::IpAddr, time::Duration};

use bridgehead_auth::issuer::{ClientKind, IssuerLimits, NewClient, Rate, RegisterError, RegistrationPolicy};
use serde_json::{Value, json};

use crate::desk::{CALLBACK, DAY, Desk, MINUTE, access, from, refresh_token, refused, request, settings, wire};

fn body(registration: &impl serde::Serialize) -> Value {
    serde_json::to_value(registration).unwrap()
}

#[tokio::test]
async fn all_that_was_said_is_echoed_with_a_secret_unless_there_is_none() {
    let desk = Desk::new().await;
    let said = json!({"client_name": "Cursor", "redirect_uris": [
        "cursor://anysphere.cursor-retrieval/oauth/user-x/callback", "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ], "scope": "tools:read", "software_id": "x", "application_type": "native"});
    // The method left out: Basic, with a secret.
    let registration = desk.register(&said).await;
    let answered = body(&registration);
    for (member, value) in said.as_object().unwrap() {
        assert_eq!(&answered[member], value, "{member}");
    }
    let id = registration.client_id.as_str();
    assert!(id.starts_with("bhi_") && id.len() == 16);
    assert_eq!(answered["token_endpoint_auth_method"], "client_secret_basic");
    assert!(answered["client_secret"].as_str().unwrap().starts_with("bhx_"));
    assert_eq!(answered["client_secret_expires_at"], 0);
    assert_eq!(answered["client_id_issued_at"], 1_772_366_400);
    assert_eq!(answered["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(answered["response_types"], json!(["code"]));
    assert_eq!(answered["registration_client_uri"], format!("https://mcp.example.com/oauth/register/{id}"));
    assert!(answered["registration_access_token"].as_str().unwrap().starts_with("bhg_"));

    for (method, secret) in [("none", false), ("client_secret_post", true), ("client_secret_basic", true)] {
        let said = json!({"redirect_uris": [CALLBACK], "token_endpoint_auth_method": method, "grant_types": ["authorization_code"]});
        let answered = body(&desk.register(&said).await);
        assert_eq!(answered["token_endpoint_auth_method"], method);
        assert_eq!(answered.get("client_secret").is_some(), secret, "never a secret together with none");
        assert_eq!(answered.get("client_secret_expires_at").is_some(), secret);
        assert_eq!(answered["grant_types"], json!(["authorization_code", "refresh_token"]), "ChatGPT wants it");
    }
    let (one, other) = (desk.register(&said).await.client_id, desk.register(&said).await.client_id);
    assert_ne!(one, other, "no two share an id");
}

#[tokio::test]
async fn what_is_refused_is_told_by_its_code() {
    let desk = Desk::new().await;
    let large = format!("{{\"redirect_uris\": [\"{CALLBACK}\"], \"x\": \"{}\"}}", "x".repeat(70_000));
    for (body, code) in [
        ("", "invalid_client_metadata"),
        ("[]", "invalid_client_metadata"),
        ("{\"redirect_uris\": ", "invalid_client_metadata"),
        (large.as_str(), "invalid_client_metadata"),
        ("{}", "invalid_redirect_uri"),
        ("{\"redirect_uris\": [\"https://a.example/cb\", \"http://a.example/cb\"]}", "invalid_redirect_uri"),
        (
            "{\"redirect_uris\": [\"https://a.example/cb\"], \"token_endpoint_auth_method\": \"tls_client_auth\"}",
            "invalid_client_metadata",
        ),
    ] {
        let answer = desk.issuer.register(body.as_bytes(), from()).await.unwrap_err().answer();
        assert_eq!(wire(&answer), (400, code), "{}", &body[..body.len().min(100)]);
    }
    assert_eq!(desk.issuer.clients(ClientKind::Registered).await.unwrap().len(), 0);
    let mut closed = settings();
    closed.registration = RegistrationPolicy::Closed;
    let desk = Desk::with(closed).await;
    let error = desk.issuer.register(b"{}", from()).await.unwrap_err();
    assert_eq!(wire(&error.answer()), (403, "access_denied"));
    let metadata = body(&desk.issuer.authorization_server_metadata());
    assert!(metadata.get("registration_endpoint").is_none());
    assert_eq!(metadata["client_id_metadata_document_supported"], false);
    let document = request("https://a.example/client.json", &[]);
    assert_eq!(desk.issuer.authorization_request(&document, from()).await.unwrap_err().code(), "invalid_client");
    assert_eq!(desk.web.times_asked(), 0);
}

/// `registration = "closed"`: pre-registered clients alone, whoever was there before.
#[tokio::test]
async fn who_registered_before_it_was_closed_is_out() {
    let desk = Desk::new().await;
    let (client, tokens) = desk.signed_in().await;
    let own = NewClient { name: Some("Ours".into()), redirect_uris: vec![CALLBACK.into()], public: true, preset: None };
    let (own, _) = desk.issuer.add_client(own).await.unwrap();
    let closed = desk.closed();
    let error = closed.issuer.authorization_request(&request(&client, &[]), from()).await.unwrap_err();
    assert_eq!(error.code(), "invalid_client");
    assert_eq!(refused(closed.refresh(&client, refresh_token(&tokens)).await), (401, "invalid_client"));
    let code = closed.code(own.id.as_str(), &[]).await;
    closed.redeem(own.id.as_str(), &code).await.unwrap();
}

/// RFC 7592: with that registration's own token only.
#[tokio::test]
async fn a_client_reads_and_removes_its_own_registration() {
    for desk in Desk::of_each_store().await {
        let registration = desk.register(&json!({"client_name": "A", "redirect_uris": [CALLBACK]})).await;
        let other = desk.register(&json!({"redirect_uris": [CALLBACK]})).await;
        let bearer = |registration: &bridgehead_auth::issuer::Registration| {
            format!("Bearer {}", registration.registration_access_token.as_ref().unwrap().expose())
        };
        let (id, own, others) = (registration.client_id.as_str(), bearer(&registration), bearer(&other));
        let read = body(&desk.issuer.registration(id, Some(&own)).await.unwrap());
        let mut expected = body(&registration);
        for secret in ["client_secret", "client_secret_expires_at"] {
            expected.as_object_mut().unwrap().remove(secret);
        }
        assert_eq!(read, expected);

        for (id, authorization) in [
            (id, None),
            (id, Some(others.as_str())),
            (id, Some("Bearer x")),
            (id, Some("Basic eA==")),
            (id, Some(&own[..40])),
            ("bhi_000000000000", Some(&own)),
            ("nobody", Some(&own)),
        ] {
            for error in [
                desk.issuer.registration(id, authorization).await.unwrap_err(),
                desk.issuer.unregister(id, authorization).await.unwrap_err(),
                desk.issuer.update_registration(id, authorization).await,
            ] {
                let answer = error.answer();
                assert_eq!(wire(&answer), (401, "invalid_token"), "{id} {authorization:?}");
                assert!(answer.www_authenticate.unwrap().starts_with("Bearer"));
            }
        }
        let refused_update = desk.issuer.update_registration(id, Some(&own)).await.answer();
        assert_eq!(wire(&refused_update), (405, "invalid_request"));
        assert!(refused_update.description.contains("register again"));

        let code = desk.code(id, &[]).await;
        let secret = registration.client_secret.as_ref().unwrap().expose();
        let form = [crate::desk::exchange(id, &code).as_slice(), &[("client_secret", secret)]].concat();
        let tokens = desk.token(&form).await.unwrap();
        desk.issuer.unregister(id, Some(&own)).await.unwrap();
        assert_eq!(desk.caller(access(&tokens)).await.unwrap_err(), "revoked_token");
        assert_eq!(wire(&desk.issuer.unregister(id, Some(&own)).await.unwrap_err().answer()), (401, "invalid_token"));
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", id),
            ("client_secret", secret),
            ("refresh_token", refresh_token(&tokens)),
        ];
        assert_eq!(refused(desk.token(&form).await), (401, "invalid_client"));
        let error = desk.issuer.authorization_request(&request(id, &[]), from()).await.unwrap_err();
        assert_eq!(error.code(), "invalid_client");
    }
}

#[tokio::test]
async fn registrations_are_limited_by_address_and_in_all() {
    let mut limited = settings();
    limited.limits = IssuerLimits {
        registrations_per_address: Rate { count: 3, per: 60 * MINUTE },
        registrations: Rate { count: 10, per: 60 * MINUTE },
        ..limited.limits
    };
    let desk = Desk::with(limited).await;
    let good = serde_json::to_vec(&json!({"redirect_uris": [CALLBACK]})).unwrap();
    let register = async |last: u8| desk.issuer.register(&good, IpAddr::from([192, 0, 2, last])).await;
    for _ in 0..3 {
        register(1).await.unwrap();
    }
    let error = register(1).await.unwrap_err();
    let answer = error.answer();
    assert_eq!(wire(&answer), (429, "temporarily_unavailable"));
    assert_eq!(answer.retry_after, Some(20 * MINUTE));
    for last in 2..9 {
        register(last).await.unwrap();
    }
    assert!(matches!(register(9).await, Err(RegisterError::TooMany { .. })), "all together");
    desk.clock.advance(60 * MINUTE);
    register(9).await.unwrap();
}

/// oauth.md: a flood fills no store and puts nobody out who is in use.
#[tokio::test]
async fn ten_thousand_registrations_put_nobody_out_who_is_in_use() {
    const ROOM: u64 = 50;
    let mut small = settings();
    small.limits.clients = ROOM;
    let desk = Desk::with(small).await;
    let (in_use, tokens) = desk.signed_in().await;
    let at_the_page = desk.public_client().await;
    let open = desk.ask(&at_the_page, &[]).await;
    let allowed = desk.public_client().await;
    let code = desk.code(&allowed, &[]).await;
    let body =
        serde_json::to_vec(&json!({"client_name": "Flood", "redirect_uris": ["https://flood.example/cb"]})).unwrap();
    let mut last = String::new();
    for number in 0..10_000_u32 {
        let address = IpAddr::from(number.to_be_bytes());
        last = desk.issuer.register(&body, address).await.unwrap().client_id;
    }
    let kept = desk.issuer.clients(ClientKind::Registered).await.unwrap();
    assert_eq!(kept.len() as u64, ROOM);
    assert!(kept.iter().any(|client| client.id.as_str() == last), "the newest stays, the oldest goes");
    desk.refresh(&in_use, refresh_token(&tokens)).await.unwrap();
    desk.redeem(&allowed, &code).await.unwrap();
    let code = crate::desk::answer(&desk.allow(&open).await)["code"].clone();
    desk.redeem(&at_the_page, &code).await.unwrap();
}

/// oauth.md: a platform may register when the connection is made, and have teammates sign in weeks later.
#[tokio::test]
async fn a_client_that_registered_twenty_days_ago_still_connects() {
    for desk in Desk::of_each_store().await {
        let early = desk.public_client().await;
        let forgotten = desk.public_client().await;
        for _ in 0..20 {
            desk.clock.advance(DAY);
            desk.issuer.sweep().await.unwrap();
        }
        let code = desk.code(&early, &[]).await;
        let mut tokens = desk.redeem(&early, &code).await.unwrap();
        // In use it stays for ever, since its grant is live; the other goes after 30 days.
        for _ in 0..4 {
            desk.clock.advance(20 * DAY);
            tokens = desk.refresh(&early, refresh_token(&tokens)).await.unwrap();
            desk.issuer.sweep().await.unwrap();
        }
        let left = desk.issuer.clients(ClientKind::Registered).await.unwrap();
        assert_eq!(left.iter().map(|client| client.id.as_str()).collect::<Vec<_>>(), [early.as_str()]);
        let error = desk.issuer.authorization_request(&request(&forgotten, &[]), from()).await.unwrap_err();
        assert!(error.to_string().contains("add it again"), "{error}");
        desk.clock.advance(31 * DAY + Duration::from_secs(1));
        assert_eq!(desk.issuer.sweep().await.unwrap().clients, 1, "until it is over");
    }
}
