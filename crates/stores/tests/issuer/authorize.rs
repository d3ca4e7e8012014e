//! The authorization request and what comes of it.

use bridgehead_auth::issuer::{Approval, ApproveError, ClientKind, GrantsOf, NewClient, Preset, RedirectTarget};
use bridgehead_core::{EndpointId, ScopeSet};
use serde_json::json;

use crate::desk::{
    ALICE, CALLBACK, CHALLENGE, Desk, ISSUER, RESOURCE, access, answer, exchange, from, refused, request,
};

/// oauth.md: errors before any person acted are a page, not a bounce. (The type has no redirect.)
#[tokio::test]
async fn what_is_not_in_order_is_a_page() {
    let desk = Desk::new().await;
    let client = desk.public_client().await;
    let long = "x".repeat(5000);
    let rows: [(&[(&str, &str)], &str); 33] = [
        (&[("client_id", "")], "invalid_request"),
        (&[("client_id", "nobody")], "invalid_client"),
        (&[("client_id", "bhi_000000000000")], "invalid_client"),
        (&[("client_id", "http://a.example/client.json")], "invalid_client"),
        (&[("redirect_uri", "https://evil.example/cb")], "invalid_request"),
        (&[("redirect_uri", "https://a.example/cb/")], "invalid_request"),
        (&[("redirect_uri", "https://a.example/cb?x")], "invalid_request"),
        (&[("redirect_uri", "https://a.example/cb#x")], "invalid_request"),
        (&[("redirect_uri", "https://a.example:443/cb")], "invalid_request"),
        (&[("redirect_uri", "https://a.example@evil.example/cb")], "invalid_request"),
        (&[("redirect_uri", "https://a.example/cb\\@evil.example")], "invalid_request"),
        (&[("redirect_uri", "https://a.example/cb\r\nLocation: x")], "invalid_request"),
        (&[("redirect_uri", "javascript:alert(1)")], "invalid_request"),
        (&[("redirect_uri", "//evil.example")], "invalid_request"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "code token")], "unsupported_response_type"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("response_mode", "form_post")], "invalid_request"),
        (&[("request", "eyJ.x.y")], "request_not_supported"),
        (&[("request_uri", "https://evil.example/x")], "request_not_supported"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "s256")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("resource", "https://evil.example/mcp")], "invalid_target"),
        (&[("resource", "https://mcp.example.com/other")], "invalid_target"),
        (&[("resource", "https://mcp.example.com/mcp#x")], "invalid_target"),
        (&[("resource", "mcp")], "invalid_target"),
        (&[("state", &long)], "invalid_request"),
        (&[("state", "a"), ("state", "a")], "invalid_request"),
        (&[("scope", "tools:read"), ("scope", "tools:read")], "invalid_request"),
    ];
    for (more, code) in rows {
        let error = desk.issuer.authorization_request(&request(&client, more), from()).await.unwrap_err();
        assert_eq!((error.code(), error.status().as_u16()), (code, 400), "{more:?}: {error}");
        assert!(!error.to_string().contains("evil"), "nothing of it is shown: {error}");
    }
    for name in ["client_id", "redirect_uri", "response_type", "code_challenge", "code_challenge_method"] {
        let mut query = request(&client, &[]);
        let again = query.iter().find(|(other, _)| other == name).unwrap().clone();
        query.push(again);
        let error = desk.issuer.authorization_request(&query, from()).await.unwrap_err();
        assert_eq!(error.code(), "invalid_request", "{name} twice");
    }
}

#[tokio::test]
async fn what_is_unknown_is_ignored() {
    let desk = Desk::new().await;
    let client = desk.public_client().await;
    let more = [("prompt", "consent"), ("nonce", "1"), ("nonce", "2"), ("x", ""), ("login_hint", "bob@example.com")];
    let asked = desk.ask(&client, &more).await;
    assert_eq!(asked.login_hint(), Some("bob@example.com"));
    assert_eq!(asked.redirect_target(), &RedirectTarget::Web { host: "a.example".into() });
    // OAuth 2.1: a client with one redirect URI need not name it.
    assert_eq!(desk.ask(&client, &[("redirect_uri", "")]).await.redirect_uri(), CALLBACK);
    let several = json!({"redirect_uris": [CALLBACK, "https://b.example/cb"]});
    let several = desk.register(&several).await.client_id;
    let error = desk.issuer.authorization_request(&request(&several, &[("redirect_uri", "")]), from()).await;
    assert!(error.unwrap_err().to_string().contains("redirect_uri"));
}

/// RFC 8707, and what clients send: the audience is always the exact URL.
#[tokio::test]
async fn a_resource_is_the_exact_endpoint_whatever_was_sent() {
    let desk = Desk::new().await;
    let client = desk.public_client().await;
    for (sent, exact) in [
        ("", RESOURCE),
        (ISSUER, RESOURCE),
        ("https://mcp.example.com/", RESOURCE),
        (RESOURCE, RESOURCE),
        ("https://mcp.example.com/mcp/", RESOURCE),
        ("https://mcp.example.com/hr/mcp", "https://mcp.example.com/hr/mcp"),
    ] {
        assert_eq!(desk.ask(&client, &[("resource", sent)]).await.resource(), exact, "{sent}");
        let code = desk.code(&client, &[("resource", sent)]).await;
        // A wrong one at the token endpoint is refused, and uses nothing up.
        let form = exchange(&client, &code);
        let other = if exact == RESOURCE { "https://mcp.example.com/hr/mcp" } else { RESOURCE };
        for wrong in [other, "https://evil.example/mcp"] {
            let form = [form.as_slice(), &[("resource", wrong)]].concat();
            assert_eq!(refused(desk.token(&form).await), (400, "invalid_target"), "{sent}");
        }
        let tokens = if sent.is_empty() {
            desk.token(&form).await.unwrap()
        } else {
            desk.token(&[form.as_slice(), &[("resource", sent)]].concat()).await.unwrap()
        };
        let grants = desk.issuer.grants(&GrantsOf::Everybody).await.unwrap();
        let grant = grants.iter().find(|grant| grant.id == tokens.issued.grant).unwrap();
        assert_eq!(grant.resource, exact);
        // A token names its endpoint, or it is refused.
        let hr = desk.issuer.verify_access_token(&EndpointId::parse("hr").unwrap(), access(&tokens)).await;
        assert_eq!(hr.is_ok(), exact != RESOURCE);
        assert_eq!(desk.caller(access(&tokens)).await.is_ok(), exact == RESOURCE);
        let hr = hr.map_err(|denied| denied.code());
        assert!(hr.is_ok() || hr == Err("unknown_token"));
    }
}

#[tokio::test]
async fn a_teammate_allows_what_they_tick_and_no_more_than_they_may() {
    let desk = Desk::new().await;
    let client = desk.public_client().await;
    let set = |text: &str| ScopeSet::parse(text).unwrap();
    let rows = [
        ("", "tools:read tools:write", "tools:read tools:write", Some("tools:read tools:write")),
        ("", "tools:read tools:write", "tools:read", Some("tools:read")),
        ("", "tools:read", "tools:read tools:write", Some("tools:read")),
        ("tools:read", "tools:read tools:write", "tools:read tools:write admin", Some("tools:read")),
        ("tools:write", "tools:write", "tools:write", Some("tools:read tools:write")),
        ("", "tools:read tools:write", "", None),
        ("tools:read", "admin", "tools:read", None),
    ];
    for (asked, most, chosen, granted) in rows {
        let request = desk.ask(&client, &[("scope", asked)]).await;
        let (most, chosen) = (set(most), set(chosen));
        let approval = Approval { subject: ALICE, most: &most, chosen: &chosen };
        let approved = desk.issuer.approve(&request, approval).await;
        match granted {
            None => {
                let error = approved.unwrap_err();
                assert!(matches!(error, ApproveError::NothingChosen));
                assert_eq!((error.code(), error.status().as_u16()), ("invalid_scope", 400));
            }
            Some(granted) => {
                let code = answer(&approved.unwrap())["code"].clone();
                assert_eq!(desk.redeem(&client, &code).await.unwrap().scope, granted);
            }
        }
    }
    let request = desk.ask(&client, &[]).await;
    let all = ScopeSet::read_and_write();
    let nobody = Approval { subject: " \n", most: &all, chosen: &all };
    assert!(matches!(desk.issuer.approve(&request, nobody).await, Err(ApproveError::Subject)));
}

/// RFC 6749 §4.1.2.1, RFC 9207: after Deny the client hears of it, and from whom.
#[tokio::test]
async fn deny_goes_back_to_the_client() {
    let desk = Desk::new().await;
    let redirect = "https://a.example/cb?keep=%2F";
    let client = desk.register(&json!({"redirect_uris": [redirect]})).await.client_id;
    let asked = desk.ask(&client, &[("redirect_uri", redirect)]).await;
    let denied = desk.issuer.deny(&asked);
    assert_eq!(
        denied.location(),
        "https://a.example/cb?keep=%2F&error=access_denied&error_description=The+teammate+pressed+Deny.\
         &state=st%26te&iss=https%3A%2F%2Fmcp.example.com"
    );
    let stateless = desk.ask(&client, &[("redirect_uri", redirect), ("state", "")]).await;
    assert!(!answer(&desk.issuer.deny(&stateless)).contains_key("state"));
}

#[tokio::test]
async fn the_consent_page_is_told_who_asks_and_what_is_proven() {
    let desk = Desk::new().await;
    let name = "Claude\u{202e}\u{0} <b>";
    let look_alike =
        json!({"client_name": name, "client_uri": "https://claude.ai", "redirect_uris": ["http://127.0.0.1/cb"]});
    let client = desk.register(&look_alike).await.client_id;
    let asked = desk.ask(&client, &[("redirect_uri", "http://127.0.0.1:5000/cb")]).await;
    let view = asked.client();
    assert_eq!((view.name.as_deref(), view.kind), (Some("Claude <b>"), ClientKind::Registered));
    assert!(!view.verified && view.loopback_only && view.host.is_none());
    assert_eq!(asked.redirect_target(), &RedirectTarget::Loopback);

    let duvo = NewClient { preset: Some(Preset::Duvo), ..NewClient::default() };
    let (duvo, _) = desk.issuer.add_client(duvo).await.unwrap();
    let asked = desk.ask(duvo.id.as_str(), &[("redirect_uri", "")]).await;
    assert_eq!(asked.client().name.as_deref(), Some("Duvo"));
    assert!(asked.client().verified && !asked.client().loopback_only);
    assert_eq!(asked.redirect_target(), &RedirectTarget::Web { host: "platform.duvo.ai".into() });
    let shown = format!("{asked:?}");
    assert!(!shown.contains(CHALLENGE) && !shown.contains("st&te"), "{shown}");
}
