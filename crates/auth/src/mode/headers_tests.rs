//! A3 with values that are issued here: each header with a key of its own, all for one teammate.

use std::{sync::Arc, sync::atomic::Ordering, time::Duration};

use bridgehead_core::{Clock, EndpointId, ScopeSet, SignIn};

use super::{
    tests::{headers, rejection},
    *,
};
use crate::{
    CallerHeaders, CallerHeadersError, HeadersMode, KeyHeader, KeyRecord, NewKey,
    testing::{Desk, for_alice},
};

fn names(names: &[&str]) -> Vec<KeyHeader> {
    names.iter().map(|name| KeyHeader::parse(name).unwrap()).collect()
}

fn modes(desk: &Desk, required: &[&str], optional: &[&str]) -> Modes {
    let headers = CallerHeaders::new(names(required), names(optional)).unwrap();
    Modes::new("Warehouse", vec![Box::new(HeadersMode::issued(desk.keys.clone(), headers, EndpointId::main()))])
}

async fn key(desk: &Desk, subject: &str, scopes: &str, header: Option<&str>) -> (KeyRecord, String) {
    let new = NewKey {
        subject: subject.into(),
        scopes: ScopeSet::parse(scopes).unwrap(),
        header: header.map(str::to_owned),
        ..for_alice()
    };
    let (record, secret) = desk.create(new).await;
    (record, secret.expose().to_owned())
}

#[tokio::test]
async fn keys_for_each_header_let_their_teammate_in() {
    let desk = Desk::new();
    let (_, one) = key(&desk, "alice", "tools:write crm:admin", Some("X-Api-Key")).await;
    let (_, two) = key(&desk, "alice", "tools:read crm:admin x", Some("X-Tenant")).await;
    let (_, three) = key(&desk, "alice", "tools:read", Some("X-Desk")).await;
    let modes = modes(&desk, &["X-Api-Key", "X-Tenant"], &["X-Desk"]);
    let caller = modes.authenticate(&headers(&[("x-tenant", &two), ("x-api-key", &one)])).await.unwrap();
    assert_eq!((&*caller.subject, caller.sign_in), ("alice", SignIn::Headers));
    assert_eq!(caller.scopes.to_string(), "crm:admin tools:read", "what both let them do");
    assert!(caller.presented.is_empty(), "our own keys never leave");
    let all = headers(&[("x-tenant", &two), ("x-api-key", &one), ("x-desk", &three)]);
    assert_eq!(modes.authenticate(&all).await.unwrap().scopes.to_string(), "tools:read");
}

#[tokio::test]
async fn authorization_means_bearer() {
    let desk = Desk::new();
    let (_, one) = key(&desk, "alice", "tools:read", Some("Authorization")).await;
    let modes = modes(&desk, &["Authorization"], &[]);
    let bearer = format!("bearer {one}");
    modes.authenticate(&headers(&[("authorization", &bearer)])).await.unwrap();
    assert_eq!(rejection(&modes, &[("authorization", &one)]).await.kind.status(), 400);
}

/// Each fault names its header, and only who has the whole of a key learns about it.
#[tokio::test]
async fn what_is_wrong_is_said_of_its_header() {
    let desk = Desk::new();
    let modes = modes(&desk, &["X-Api-Key", "X-Tenant"], &["X-Desk"]);
    let (_, good) = key(&desk, "alice", "tools:read", Some("X-Api-Key")).await;
    let (_, tenant) = key(&desk, "alice", "tools:read", Some("X-Tenant")).await;
    let (_, bobs) = key(&desk, "bob", "tools:read", Some("X-Tenant")).await;
    let (_, anywhere) = key(&desk, "alice", "tools:read", None).await;
    let (revoked, revoked_text) = key(&desk, "alice", "tools:read", Some("X-Tenant")).await;
    desk.keys.revoke(&revoked.id).await.unwrap();
    let expires_at = Some(desk.clock.now() + Duration::from_secs(1));
    let new = NewKey { expires_at, header: Some("X-Tenant".into()), ..for_alice() };
    let (_, expired) = desk.create(new).await;
    desk.clock.advance(Duration::from_secs(1));

    let rows: [(&str, &str, &str); 8] = [
        (&bobs, "different_teammates", "The API keys in `X-Api-Key` and `X-Tenant` were made for different teammates."),
        (&good, "wrong_header", "In the header `X-Tenant`: This API key was made for the header `X-Api-Key`."),
        (
            &anywhere,
            "made_for_no_header",
            "In the header `X-Tenant`: This API key was not made for a header of its own.",
        ),
        (&revoked_text, "revoked", "In the header `X-Tenant`: This API key was revoked at 2026-03-01 12:00:00 UTC."),
        (expired.expose(), "expired", "In the header `X-Tenant`: This API key expired at 2026-03-01 12:00:01 UTC."),
        (&tenant[..40], "damaged", "In the header `X-Tenant`: The API key is incomplete or mistyped."),
        ("north", "unrecognised", "In the header `X-Tenant`: What was sent is no API key of this server"),
        ("", "incomplete", "The header `X-Tenant` is missing."),
    ];
    for (value, code, words) in rows {
        let rejection = rejection(&modes, &[("x-api-key", &good), ("x-tenant", value)]).await;
        assert_eq!((rejection.denied.code(), rejection.kind.status().as_u16()), (code, 401));
        assert!(rejection.message.starts_with(words), "{}", rejection.message);
        let invalid = rejection.www_authenticate.unwrap().contains("error=\"invalid_token\"");
        assert_eq!(invalid, code != "incomplete", "{code}");
    }
    // An optional header that is there has to be right as well.
    let lines = [("x-api-key", good.as_str()), ("x-tenant", &tenant), ("x-desk", "1")];
    let wrong = rejection(&modes, &lines).await;
    assert!(wrong.message.starts_with("In the header `X-Desk`: "), "{}", wrong.message);

    desk.store.down.store(true, Ordering::Relaxed);
    let down = rejection(&modes, &[("x-api-key", &good), ("x-tenant", &tenant)]).await;
    assert_eq!((down.denied.code(), down.kind.status().as_u16()), ("store_unavailable", 503));
}

#[tokio::test]
async fn a_key_of_another_endpoint_is_unknown() {
    let desk = Desk::new();
    let other = EndpointId::parse("other").unwrap();
    let new = NewKey { endpoint: other, header: Some("X-Api-Key".into()), ..for_alice() };
    let (_, secret) = desk.create(new).await;
    let rejection = rejection(&modes(&desk, &["X-Api-Key"], &[]), &[("x-api-key", secret.expose())]).await;
    assert_eq!(rejection.denied.code(), "unknown");
}

#[test]
fn headers_that_make_no_sign_in_are_refused() {
    assert_eq!(CallerHeaders::new(Vec::new(), names(&["X-A"])), Err(CallerHeadersError::NoneRequired));
    for (required, optional) in
        [(&["X-A", "x-a"][..], &[][..]), (&["X-A"], &["X-B", "X-a"]), (&["X-C"], &["X-A", "x-A"])]
    {
        let refused = CallerHeaders::new(names(required), names(optional));
        assert_eq!(refused, Err(CallerHeadersError::Twice("X-A".into())));
    }
    let arc: Arc<CallerHeaders> = Arc::new(CallerHeaders::new(names(&["X-A"]), names(&["X-B"])).unwrap());
    assert_eq!((arc.required(), arc.optional()), (&*names(&["x-a"]), &*names(&["x-b"])));
}
