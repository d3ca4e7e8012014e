//! A7: signing in at a provider, and the outcome of each fault.

use std::time::Duration;

use bridgehead_auth::{
    MailAddress,
    provider::{Departure, ProviderSettings, cookie_of},
};
use serde_json::{Value, json};

use crate::{
    desk::{Desk, MINUTE},
    idp::{Conduct, IDP, Reception, Signed, query, settings},
};

fn alice() -> MailAddress {
    MailAddress::parse("alice@example.com").unwrap()
}

/// What comes of a sign-in at a provider that does this.
async fn outcome(change: impl FnOnce(&mut Conduct)) -> String {
    let reception = Reception::new().await;
    change(&mut reception.idp.conduct());
    let said = said(&reception).await;
    let users = reception.desk.store.users.list_users().await.unwrap();
    assert_eq!(users.len(), usize::from(said.contains(" may ")), "nobody else becomes a user: {said}");
    said
}

async fn said(reception: &Reception) -> String {
    match reception.sign_in().await {
        Ok(arrival) => format!("{} may {}", arrival.signed_in.user().address, arrival.signed_in.user().scopes),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

#[tokio::test]
async fn a_person_signs_in_and_is_a_user_from_then_on() {
    for reception in Reception::of_each_store().await {
        let departure = reception.depart().await;
        let asked = |name| query(&departure.url, name);
        assert!(
            departure.url.as_str().starts_with("https://login.example.com/authorize?tenant=7&"),
            "{}",
            departure.url
        );
        assert_eq!(asked("redirect_uri").as_deref(), Some("https://mcp.example.com/oauth/callback"));
        assert_eq!(asked("scope").as_deref(), Some("openid email profile offline_access"));
        assert_eq!(asked("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(cookie_of(&asked("state").unwrap()), Some(departure.cookie.as_str()));
        assert!(!departure.value.expose().contains("client_id"), "nothing of the request is in clear");

        let arrival = reception.arrive(&departure, &reception.idp.sign_in(&departure)).await.unwrap();
        assert_eq!(arrival.next, "/oauth/authorize?client_id=x");
        let user = arrival.signed_in.user();
        assert_eq!((user.address.as_str(), user.name.as_deref()), ("alice@example.com", Some("Alice")));
        assert_eq!(user.scopes.to_string(), "tools:read tools:write");
        assert!(!user.admin && !user.has_password);
        let stored = reception.desk.store.users.find_user(&alice()).await.unwrap().unwrap();
        assert_eq!(stored.user, *user);
        let claims = reception.provider.claims(&alice()).await.unwrap();
        assert_eq!(claims.get("groups"), Some(&json!(["buyers"])));
    }
}

/// Any replica can finish what another began: the state is in the browser.
#[tokio::test]
async fn another_replica_finishes_a_sign_in_and_the_first_does_not_do_so_again() {
    for reception in Reception::of_each_store().await {
        let replica = reception.replica();
        let departure = reception.depart().await;
        let back = reception.idp.sign_in(&departure);
        replica.arrive(&departure, &back).await.unwrap();
        let again = reception.arrive(&departure, &back).await.unwrap_err();
        assert_eq!(again.code(), "not_of_this_browser");
        let asked = reception.idp.conduct().asked.iter().filter(|path| path.starts_with("/token")).count();
        assert_eq!(asked, 1, "what is replayed does not get as far as the provider");
    }
}

/// The table of the issue, first half: what a browser may bring back.
#[tokio::test]
async fn an_answer_belongs_to_one_sign_in_of_one_browser() {
    let reception = Reception::new().await;
    let (departure, other) = (reception.depart().await, reception.depart().await);
    let change = |name: &str, value: Option<&str>| {
        let mut query = reception.idp.sign_in(&departure);
        query.retain(|(other, _)| other != name);
        query.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        query
    };
    let twice = |name: &str| {
        let mut query = reception.idp.sign_in(&departure);
        query.extend(query.clone().into_iter().filter(|(other, _)| other == name));
        query
    };
    let state = query(&other.url, "state").unwrap();
    let rows = [
        ("no state", change("state", None), Some(&departure)),
        ("made-up state", change("state", Some("AAAAAAAAAAAAAAAAAAAAAA")), Some(&departure)),
        ("state of another sign-in", change("state", Some(&state)), Some(&departure)),
        ("cookie of another sign-in", change("x", None), Some(&other)),
        ("another browser", change("x", None), None),
        ("two states", twice("state"), Some(&departure)),
    ];
    for (what, query, browser) in rows {
        let cookie = browser.map(|departure: &Departure| departure.value.expose());
        let error = reception.provider.arrive(&query, cookie).await.unwrap_err();
        assert_eq!(error.code(), "not_of_this_browser", "{what}");
    }
    assert!(reception.idp.conduct().asked.iter().all(|path| !path.starts_with("/token")), "none was asked about");

    // Each of these is an answer to its sign-in, which is used up by it.
    let replaced = |name: &'static str, value: Option<&'static str>| (name, value);
    for (what, (name, value), expected) in [
        ("no iss", replaced("iss", None), "provider_answer"),
        ("another iss", replaced("iss", Some("https://evil.example")), "provider_answer"),
        ("no code", replaced("code", None), "provider_answer"),
        ("made-up code", replaced("code", Some("code-99")), "provider_refused"),
        ("cancelled", replaced("error", Some("access_denied")), "cancelled"),
        ("a fault there", replaced("error", Some("server_error\"><script>")), "provider_refused"),
    ] {
        let departure = reception.depart().await;
        let mut query = reception.idp.sign_in(&departure);
        let good = query.clone();
        query.retain(|(other, _)| other != name);
        query.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        let error = reception.arrive(&departure, &query).await.unwrap_err();
        assert_eq!(error.code(), expected, "{what}");
        assert!(!error.to_string().contains('<'), "{error}");
        assert_eq!(reception.arrive(&departure, &good).await.unwrap_err().code(), "not_of_this_browser", "{what}");
    }
}

#[tokio::test]
async fn ten_minutes_are_enough() {
    let reception = Reception::new().await;
    let departure = reception.depart().await;
    reception.desk.clock.advance(10 * MINUTE - Duration::from_secs(1));
    reception.arrive(&departure, &reception.idp.sign_in(&departure)).await.unwrap();
    let departure = reception.depart().await;
    reception.desk.clock.advance(10 * MINUTE);
    let error = reception.arrive(&departure, &reception.idp.sign_in(&departure)).await.unwrap_err();
    assert_eq!(error.code(), "expired");
}

#[tokio::test]
async fn what_is_too_long_for_a_cookie_is_refused_before_anybody_leaves() {
    let reception = Reception::new().await;
    let next = |length| format!("/oauth/authorize?state={}", "s".repeat(length));
    assert!(reception.provider.depart(&next(2_000), None, false).await.is_ok());
    assert_eq!(reception.provider.depart(&next(4_000), None, false).await.unwrap_err().code(), "too_long");
}

/// The table of the issue, second half: what the provider may say.
#[tokio::test]
async fn every_fault_of_an_id_token_has_its_outcome() {
    type Change = Box<dyn FnOnce(&mut Conduct)>;
    fn claims(claims: Value) -> Change {
        Box::new(move |conduct| conduct.claims = claims)
    }
    fn header(header: Value) -> Change {
        Box::new(move |conduct| conduct.header = header)
    }
    fn signed(signed: Signed) -> Change {
        Box::new(move |conduct| conduct.signed = signed)
    }
    let good = "alice@example.com may tools:read tools:write";
    // The clock of the desk.
    let now = Desk::new().await.clock;
    let at = |seconds: i64| bridgehead_core::Clock::now(&*now).as_second() + seconds;
    let rows: Vec<(&str, Change, &str)> = vec![
        ("nothing", claims(json!({})), good),
        ("another nonce", claims(json!({"nonce": "AAAAAAAAAAAAAAAAAAAAAA"})), "provider_answer: "),
        ("no nonce", claims(json!({"nonce": null})), "provider_answer: "),
        ("another iss", claims(json!({"iss": "https://evil.example"})), "provider_answer: "),
        ("iss with a slash", claims(json!({"iss": format!("{IDP}/")})), "provider_answer: "),
        ("another aud", claims(json!({"aud": "other"})), "provider_answer: "),
        ("no aud", claims(json!({"aud": null})), "provider_answer: "),
        ("several aud without azp", claims(json!({"aud": ["bridgehead", "other"]})), "provider_answer: "),
        ("several aud", claims(json!({"aud": ["bridgehead", "other"], "azp": "bridgehead"})), good),
        ("azp of another", claims(json!({"azp": "other"})), "provider_answer: "),
        ("no sub", claims(json!({"sub": null})), "provider_answer: "),
        ("no exp", claims(json!({"exp": null})), "provider_answer: "),
        ("expired", claims(json!({"exp": at(-61)})), "provider_answer: "),
        ("expired within the skew of clocks", claims(json!({"exp": at(-59)})), good),
        ("from the future", claims(json!({"iat": at(61)})), "provider_answer: "),
        ("a clock that is ahead", claims(json!({"iat": at(59)})), good),
        ("not yet", claims(json!({"nbf": at(61)})), "provider_answer: "),
        (
            "at_hash of another token",
            claims(json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})),
            "provider_answer: ",
        ),
        ("no at_hash", claims(json!({"at_hash": null})), good),
        ("a logout token", claims(json!({"events": {}})), "provider_answer: "),
        ("alg none", header(json!({"alg": "none"})), "provider_answer: "),
        ("alg of another key", header(json!({"alg": "RS256"})), "provider_answer: "),
        ("unknown key", header(json!({"kid": "k7"})), "provider_answer: "),
        ("something critical", header(json!({"crit": ["x"], "x": 1})), "provider_answer: "),
        ("an access token", header(json!({"typ": "at+jwt"})), "provider_answer: "),
        ("HS256 with the public key", signed(Signed::BySecret), "provider_answer: "),
        ("another key", signed(Signed::ByAStranger), "provider_answer: "),
        ("unsigned", signed(Signed::Not), "provider_answer: "),
        ("changed", signed(Signed::Changed), "provider_answer: "),
        ("no ID token", Box::new(|conduct| conduct.gives_id_tokens = false), "provider_answer: "),
        (
            "an algorithm that it does not name",
            Box::new(|conduct| conduct.metadata = json!({"id_token_signing_alg_values_supported": ["RS256"]})),
            "provider_answer: ",
        ),
    ];
    for (what, change, expected) in rows {
        let said = outcome(change).await;
        assert!(said.starts_with(expected), "{what}: {said}");
    }
}

#[tokio::test]
async fn who_is_let_in_is_for_the_settings_to_say() {
    let person = |change: Value| {
        move |conduct: &mut Conduct| {
            for (name, value) in change.as_object().unwrap() {
                conduct.person[name.as_str()] = value.clone();
            }
        }
    };
    let rows = [
        (json!({"email": "alice@evil.example"}), "other_domain: "),
        (json!({"email_verified": false}), "mail_not_verified: "),
        (json!({"email": null}), "no_mail: "),
        (json!({"groups": ["chess"]}), "no_group: "),
        (json!({"groups": ["staff"]}), "alice@example.com may tools:read"),
    ];
    for (change, expected) in rows {
        let said = outcome(person(change.clone())).await;
        assert!(said.starts_with(expected), "{change}: {said}");
    }
}

#[tokio::test]
async fn what_the_id_token_lacks_is_asked_of_the_user_info() {
    let said = outcome(|conduct| conduct.in_user_info = true).await;
    assert_eq!(said, "alice@example.com may tools:read tools:write");
    let said = outcome(|conduct| {
        conduct.in_user_info = true;
        conduct.user_info = json!({"sub": "2"});
    })
    .await;
    assert!(said.starts_with("provider_answer: "), "somebody else's (Core §5.3.2): {said}");
    let said = outcome(|conduct| {
        conduct.in_user_info = true;
        conduct.metadata = json!({"userinfo_endpoint": null});
    })
    .await;
    assert!(said.starts_with("no_mail: "), "{said}");
    let reception = Reception::new().await;
    reception.sign_in().await.unwrap();
    assert!(!reception.idp.conduct().asked.contains(&"/me".to_owned()), "nothing was missing");
    let claims = reception.provider.claims(&alice()).await.unwrap();
    assert_eq!(claims.get("sub"), Some(&json!("1")));
}

/// Provider down at the start, on the way there, and on the way back.
#[tokio::test]
async fn a_provider_that_is_down_is_in_nobodys_way_when_it_is_back() {
    let reception = Reception::new().await;
    reception.idp.conduct().down = true;
    assert_eq!(reception.provider.depart("/account", None, false).await.unwrap_err().code(), "provider_down");
    reception.idp.conduct().down = false;
    reception.desk.clock.advance(Duration::from_secs(6));
    let departure = reception.depart().await;
    let back = reception.idp.sign_in(&departure);
    reception.idp.conduct().down = true;
    assert_eq!(reception.arrive(&departure, &back).await.unwrap_err().code(), "provider_down");
    reception.idp.conduct().down = false;
    assert_eq!(said(&reception).await, "alice@example.com may tools:read tools:write");
    reception.idp.conduct().refuses = Some((503, "temporarily_unavailable"));
    assert!(said(&reception).await.starts_with("provider_down: "));
    reception.idp.conduct().refuses = Some((401, "invalid_client"));
    assert!(said(&reception).await.starts_with("provider_answer: "), "our secret is not good any more");
}

#[tokio::test]
async fn keys_may_rotate_between_two_sign_ins() {
    let reception = Reception::new().await;
    reception.sign_in().await.unwrap();
    reception.desk.clock.advance(2 * MINUTE);
    reception.idp.rotate_keys();
    reception.sign_in().await.unwrap();
}

/// An address that was given to somebody else is not the account of before.
#[tokio::test]
async fn another_person_with_the_same_address_is_refused() {
    for reception in Reception::of_each_store().await {
        reception.sign_in().await.unwrap();
        reception.idp.conduct().person["sub"] = "2".into();
        assert!(said(&reception).await.starts_with("address_taken: "));
        // The same person under another address stays who they are.
        let person =
            json!({"sub": "1", "email": "alice.smith@example.com", "email_verified": true, "groups": ["staff"]});
        reception.idp.conduct().person = person;
        assert_eq!(said(&reception).await, "alice@example.com may tools:read");
        assert!(reception.desk.store.identities.release_user(&alice()).await.unwrap());
        reception.idp.conduct().person =
            json!({"sub": "2", "email": "alice@example.com", "email_verified": true, "groups": ["staff"]});
        assert_eq!(said(&reception).await, "alice@example.com may tools:read", "the operator released the account");
    }
}

#[tokio::test]
async fn who_is_disabled_here_does_not_get_in() {
    let reception = Reception::new().await;
    reception.sign_in().await.unwrap();
    let at = bridgehead_core::Clock::now(&*reception.desk.clock);
    let _ = reception.desk.store.users.disable_user(&alice(), at).await.unwrap();
    assert!(said(&reception).await.starts_with("disabled: "));
}

#[tokio::test]
async fn signing_out_leads_to_the_provider_where_it_has_a_page() {
    let reception = Reception::new().await;
    assert_eq!(reception.provider.sign_out(&alice()).await.unwrap(), None, "nobody waits for its metadata");
    reception.sign_in().await.unwrap();
    let url = reception.provider.sign_out(&alice()).await.unwrap().unwrap();
    assert!(url.as_str().starts_with("https://login.example.com/end?client_id=bridgehead&"), "{url}");
    let back = query(&url, "post_logout_redirect_uri");
    assert_eq!(back.as_deref(), Some("https://mcp.example.com/login?signed-out"));
    assert_eq!(query(&url, "id_token_hint").unwrap().split('.').count(), 3);
    let none = |conduct: &mut Conduct| conduct.metadata = json!({"end_session_endpoint": null});
    let reception = Reception::with(ProviderSettings { groups: [].into(), ..settings() }, Desk::new().await);
    none(&mut reception.idp.conduct());
    reception.sign_in().await.unwrap();
    assert_eq!(reception.provider.sign_out(&alice()).await.unwrap(), None);
}

/// The store has no token of the provider in clear.
#[tokio::test]
async fn tokens_of_the_provider_are_sealed() {
    let reception = Reception::new().await;
    reception.sign_in().await.unwrap();
    let record = reception.desk.store.identities.identity_of(IDP, &alice()).await.unwrap().unwrap();
    let sealed = record.tokens.unwrap();
    let contains = |text: &str| sealed.as_bytes().windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!contains("refresh-1") && !contains("eyJ"));
    assert!(!format!("{:?}", reception.provider).contains("s3cret"));
}
