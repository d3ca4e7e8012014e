//! A2, A3, P2: credentials of the system behind are handed through, name their callers, and can
//! be cut off; our own keys never leave.

use std::sync::{Arc, atomic::Ordering};

use bridgehead_core::{EndpointId, SignIn};

use super::{
    tests::{headers, rejection},
    *,
};
use crate::{
    ApiKeyMode, CallerHeaders, Denial, Fingerprint, Fingerprints, HeadersMode, KeyHeader, Probe, Readmission, RootKeys,
    testing::{Desk, FakeProbe, Seeded, for_alice},
};

fn key_mode(callers: HandedThrough, header: &str) -> Box<dyn Mode> {
    Box::new(ApiKeyMode::handed_through(callers, KeyHeader::parse(header).unwrap()))
}

fn headers_mode(callers: HandedThrough, required: &[&str], optional: &[&str]) -> Box<dyn Mode> {
    let parse = |names: &[&str]| names.iter().map(|name| KeyHeader::parse(name).unwrap()).collect();
    Box::new(HeadersMode::handed_through(callers, CallerHeaders::new(parse(required), parse(optional)).unwrap()))
}

fn only(mode: Box<dyn Mode>) -> Modes {
    Modes::new("CRM", vec![mode])
}

/// What a caller hands over, as text.
fn handed(caller: &Caller) -> Vec<(String, String)> {
    caller.presented.iter().map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect()
}

#[tokio::test]
async fn a_key_of_the_system_behind_is_handed_through_and_names_its_caller() {
    let desk = Desk::new();
    let bearer = only(key_mode(desk.handed_through(None), "Authorization"));
    let caller = bearer.authenticate(&headers(&[("authorization", "bEARER \t crm-key ")])).await.unwrap();
    assert_eq!(handed(&caller), [("authorization".to_owned(), "Bearer crm-key".to_owned())]);
    assert_eq!(caller.sign_in, SignIn::UpstreamKey);
    assert!(Fingerprint::is_subject(&caller.subject), "{}", caller.subject);
    assert_eq!(caller.scopes.to_string(), "tools:read tools:write");
    assert!(!format!("{caller:?}").contains("crm-key"));

    let named = only(key_mode(desk.handed_through(None), "X-Api-Key"));
    let same = named.authenticate(&headers(&[("x-api-key", " crm-key")])).await.unwrap();
    assert_eq!(handed(&same), [("x-api-key".to_owned(), "crm-key".to_owned())]);
    assert_eq!(same.subject, caller.subject, "the key alone is who they are");
    let other = named.authenticate(&headers(&[("x-api-key", "crm-key2")])).await.unwrap();
    assert_ne!(other.subject, caller.subject);
}

#[tokio::test]
async fn a_probe_judges_and_names() {
    let desk = Desk::new();
    let probe = FakeProbe::knows(&[("Bearer good", "alice@example.com")]);
    let modes = only(key_mode(desk.handed_through(Some(probe.clone())), "Authorization"));
    let caller = modes.authenticate(&headers(&[("authorization", "Bearer good")])).await.unwrap();
    assert_eq!(&*caller.subject, "alice@example.com");
    assert_eq!(probe.asked.lock().unwrap()[0], caller.presented, "what is handed through is what was judged");

    let refused = rejection(&modes, &[("authorization", "Bearer bad")]).await;
    assert_eq!((refused.denied.code(), refused.kind.status().as_u16()), ("refused", 401));
    assert!(refused.www_authenticate.unwrap().contains("error=\"invalid_token\""));

    probe.down.store(true, Ordering::Relaxed);
    let unavailable = rejection(&modes, &[("authorization", "Bearer good")]).await;
    assert_eq!((unavailable.denied.code(), unavailable.kind.status().as_u16()), ("judge_unavailable", 503));
    assert_eq!(unavailable.www_authenticate, None);
    assert!(!unavailable.message.contains("down") && !unavailable.message.contains("refused"));
}

#[tokio::test]
async fn headers_are_handed_through_and_the_required_ones_are_the_caller() {
    let desk = Desk::new();
    let modes = only(headers_mode(desk.handed_through(None), &["X-Tenant", "Authorization"], &["X-Region"]));
    let lines = [
        ("x-tenant", "north"),
        ("authorization", "BASIC  YTpi"),
        ("x-region", "eu"),
        ("x-other", "no"),
        ("mcp-x", "no"),
    ];
    let caller = modes.authenticate(&headers(&lines)).await.unwrap();
    let expected = [("authorization", "BASIC  YTpi"), ("x-region", "eu"), ("x-tenant", "north")];
    assert_eq!(handed(&caller), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(caller.sign_in, SignIn::Headers);

    let without = headers(&[("x-tenant", "north"), ("authorization", "Basic YTpi")]);
    assert_eq!(
        modes.authenticate(&without).await.unwrap().subject,
        caller.subject,
        "an optional one is not who they are"
    );
    let elsewhere = headers(&[("x-tenant", "south"), ("authorization", "Basic YTpi")]);
    assert_ne!(modes.authenticate(&elsewhere).await.unwrap().subject, caller.subject);
    let turned = only(headers_mode(desk.handed_through(None), &["Authorization", "X-Tenant"], &[]));
    assert_eq!(turned.authenticate(&without).await.unwrap().subject, caller.subject, "their order is nothing");
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let desk = Desk::new();
    let modes = only(headers_mode(desk.handed_through(None), &["X-Api-Key", "X-Tenant", "X-Desk"], &["X-Region"]));
    type Row = (&'static [(&'static str, &'static str)], &'static str, &'static str);
    let rows: [Row; 4] = [
        (
            &[],
            "missing",
            "Nobody gets in here without signing in. Send your own values for the system behind in the headers \
             `X-Api-Key`, `X-Tenant` and `X-Desk`. You may add `X-Region`.",
        ),
        (
            &[("x-region", "eu")],
            "missing",
            "Nobody gets in here without signing in. Send your own values for the system behind in the headers \
             `X-Api-Key`, `X-Tenant` and `X-Desk`. You may add `X-Region`.",
        ),
        (
            &[("x-tenant", "north"), ("x-desk", "")],
            "incomplete",
            "The headers `X-Api-Key` and `X-Desk` are missing. Send them too, each with your own value.",
        ),
        (
            &[("x-tenant", "north"), ("x-desk", "1")],
            "incomplete",
            "The header `X-Api-Key` is missing. Send it too, with your own value.",
        ),
    ];
    for (lines, code, message) in rows {
        let rejection = rejection(&modes, lines).await;
        assert_eq!((rejection.denied.code(), rejection.message.as_str()), (code, message));
        assert_eq!(rejection.kind.status(), 401);
        assert_eq!(rejection.www_authenticate.as_deref(), Some("Bearer realm=\"CRM\""));
    }
}

/// Whatever a teammate enters where: what is ours goes nowhere, not even to the probe.
#[tokio::test]
async fn our_own_keys_never_leave() {
    let desk = Desk::new();
    let (_, secret) = desk.create(for_alice()).await;
    let key = secret.expose();
    let probe = FakeProbe::knows(&[]);
    let modes = [
        only(key_mode(desk.handed_through(Some(probe.clone())), "Authorization")),
        only(key_mode(desk.handed_through(Some(probe.clone())), "X-Api-Key")),
        only(headers_mode(desk.handed_through(Some(probe.clone())), &["X-Tenant"], &["X-Api-Key", "Authorization"])),
    ];
    for key in [key, &key[..20], "bhk_", &format!("Bearer {key}"), "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"] {
        let bearer = format!("Bearer {}", key.trim_start_matches("Bearer "));
        for modes in &modes {
            let lines = [("authorization", bearer.as_str()), ("x-api-key", key), ("x-tenant", "north")];
            let rejection = rejection(modes, &lines).await;
            assert_eq!((rejection.denied.code(), rejection.kind.status().as_u16()), ("own_key", 401), "{modes:?}");
            assert!(!format!("{rejection:?}").contains(key));
        }
    }
    assert_eq!(probe.times_asked(), 0);
}

#[tokio::test]
async fn a_caller_is_cut_off_by_name_and_let_in_again() {
    let desk = Desk::new();
    let modes = only(key_mode(desk.handed_through(None), "X-Api-Key"));
    let alice = headers(&[("x-api-key", "alices")]);
    let subject = modes.authenticate(&alice).await.unwrap().subject;
    assert_eq!(desk.blocks().block(&subject).await.unwrap(), Denial::Denied);
    assert_eq!(desk.blocks().block(&subject).await.unwrap(), Denial::AlreadyDenied);
    let blocked = modes.authenticate(&alice).await.unwrap_err();
    assert_eq!((blocked.denied.code(), blocked.kind.status().as_u16()), ("blocked", 401));
    assert_eq!(blocked.message, "This sign-in was cut off at 2026-03-01 12:00:00 UTC. Ask whoever runs this server.");
    assert!(modes.authenticate(&headers(&[("x-api-key", "bobs")])).await.is_ok(), "for them alone");

    // A new root key in front gives them another name, and does not let them in.
    let newer = RootKeys::generate(&Seeded::new(7)).followed_by(desk.roots.clone());
    let rotated = HandedThrough::new(Fingerprints::derive(&newer), desk.blocks(), None);
    let rotated = only(key_mode(rotated, "X-Api-Key"));
    assert_eq!(rotated.authenticate(&alice).await.unwrap_err().denied.code(), "blocked");
    // Nor does a probe, which is not even asked.
    let probe = FakeProbe::knows(&[("alices", "alice@example.com")]);
    let probed = only(key_mode(desk.handed_through(Some(probe.clone())), "X-Api-Key"));
    assert_eq!(probed.authenticate(&alice).await.unwrap_err().denied.code(), "blocked");
    assert_eq!(probe.times_asked(), 0);

    assert_eq!(desk.blocks().unblock(&subject).await.unwrap(), Readmission::Allowed);
    assert_eq!(desk.blocks().unblock(&subject).await.unwrap(), Readmission::NotDenied);
    modes.authenticate(&alice).await.unwrap();
    probed.authenticate(&alice).await.unwrap();
    desk.blocks().block("alice@example.com").await.unwrap();
    assert_eq!(probed.authenticate(&alice).await.unwrap_err().denied.code(), "blocked", "by the probe's name as well");
    assert_eq!(desk.blocks().list().await.unwrap()[0].subject, "alice@example.com".into());
    assert!(desk.blocks().block(" \n ").await.is_err());
}

#[tokio::test]
async fn without_the_list_nobody_gets_in() {
    let desk = Desk::new();
    let modes = only(key_mode(desk.handed_through(None), "X-Api-Key"));
    desk.store.down.store(true, Ordering::Relaxed);
    let rejection = rejection(&modes, &[("x-api-key", "alices")]).await;
    assert_eq!((rejection.denied.code(), rejection.kind.status().as_u16()), ("store_unavailable", 503));
}

/// Every mix of ours and theirs: the prefix tells them apart, whichever stands first.
#[tokio::test]
async fn ours_and_theirs_stand_side_by_side() {
    let desk = Desk::new();
    let (_, ours) = desk.create(for_alice()).await;
    let probe: Arc<dyn Probe> =
        FakeProbe::knows(&[("Bearer theirs", "bob@example.com"), ("north", "nora@example.com")]);
    let issued = || {
        let header = KeyHeader::bearer();
        Box::new(ApiKeyMode::issued(desk.keys.clone(), header, EndpointId::main())) as Box<dyn Mode>
    };
    let upstream = || headers_mode(desk.handed_through(Some(probe.clone())), &["Authorization"], &[]);
    let tenant = || headers_mode(desk.handed_through(Some(probe.clone())), &["X-Tenant", "X-Desk"], &[]);
    for list in [
        vec![issued(), upstream(), tenant()],
        vec![tenant(), upstream(), issued()],
        vec![upstream(), issued(), tenant()],
    ] {
        let modes = Modes::new("CRM", list);
        let names = modes.names();
        let who = async |lines: &[(&'static str, &str)]| {
            modes
                .authenticate(&headers(lines))
                .await
                .map(|caller| caller.subject.to_string())
                .map_err(|r| r.denied.code())
        };
        let key = format!("Bearer {}", ours.expose());
        assert_eq!(who(&[("authorization", &key)]).await.unwrap(), "alice@example.com", "{names:?}");
        assert_eq!(who(&[("authorization", "Bearer theirs")]).await.unwrap(), "bob@example.com", "{names:?}");
        let both = [("authorization", "Bearer neither"), ("x-tenant", "north"), ("x-desk", "1")];
        assert_eq!(who(&both).await.unwrap(), "nora@example.com", "{names:?}");
        assert_eq!(who(&[("authorization", "Bearer neither"), ("x-tenant", "north")]).await.unwrap_err(), "refused");
        assert_eq!(who(&[("authorization", &key[..30])]).await.unwrap_err(), "damaged");
        assert_eq!(who(&[("x-tenant", "north")]).await.unwrap_err(), "incomplete");
        let nobody = rejection(&modes, &[]).await;
        assert_eq!(nobody.message.matches(" Or: ").count(), 2, "{}", nobody.message);
        let partial = rejection(&modes, &[("x-tenant", "north")]).await;
        assert!(partial.message.starts_with("The header `X-Desk` is missing."), "{}", partial.message);
        assert_eq!(partial.message.matches(" Or: ").count(), 2, "{}", partial.message);
    }
}
