//! A4: people sign in with a password, are invited, disabled, and cannot be guessed.

use std::sync::atomic::Ordering;

use super::{
    testing::{CHEAP, Desk, PASSWORD, new_user, secret, sign_in},
    *,
};
use crate::testing::Seeded;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn whoever_has_the_password_signs_in() {
    let desk = Desk::new();
    desk.alice().await;
    let signed_in = desk.sign_in(" Alice@Example.com", PASSWORD).await.unwrap();
    assert_eq!(signed_in.user().address.as_str(), "alice@example.com");
    let stored = desk.store.state().users[0].clone();
    let hash = stored.password.clone().unwrap();
    assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "a PHC string");
    let shown = format!("{stored:?} {signed_in:?} {:?}", desk.users);
    assert!(!shown.contains("argon2id$") && !shown.contains(PASSWORD), "{shown}");
}

/// The same words whatever is wrong, so that nobody learns who is a user here.
#[tokio::test]
async fn whoever_may_not_is_told_nothing() {
    let desk = Desk::new();
    let alice = desk.alice().await;
    let invited = desk.users.add(new_user("invited@example.com")).await.unwrap();
    assert!(!invited.has_password);
    let disabled = desk.users.add(new_user("disabled@example.com")).await.unwrap().address;
    desk.users.set_password(&disabled, &secret(PASSWORD)).await.unwrap();
    assert_eq!(desk.users.disable(&disabled).await.unwrap(), UserChange::Changed);
    let long = "a".repeat(LONGEST_PASSWORD + 1);
    for (address, password) in [
        ("alice@example.com", "correct horse batterx"),
        ("alice@example.com", ""),
        ("alice@example.com", &long),
        ("nobody@example.com", PASSWORD),
        ("invited@example.com", ""),
        ("invited@example.com", PASSWORD),
        ("disabled@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
    ] {
        let error = desk.sign_in(address, password).await.unwrap_err();
        assert!(matches!(error, SignInError::Refused), "{address}: {error:?}");
    }
    assert_eq!(desk.users.enable(&disabled).await.unwrap(), UserChange::Changed);
    desk.sign_in("disabled@example.com", PASSWORD).await.unwrap();
    desk.sign_in(alice.as_str(), PASSWORD).await.unwrap();
}

/// Nor by the time it takes: whoever it is, a password is hashed, which all have to wait for.
#[tokio::test]
async fn nobody_is_refused_without_the_work() {
    let desk = Desk::new();
    desk.alice().await;
    desk.users.add(new_user("invited@example.com")).await.unwrap();
    let all = desk.users.hasher.take_all_turns();
    let addresses = ["alice@example.com", "invited@example.com", "nobody@example.com", "no address"];
    let mut attempts: Vec<_> = addresses.iter().map(|address| Box::pin(desk.sign_in(address, "a wrong one"))).collect();
    for (attempt, address) in attempts.iter_mut().zip(addresses) {
        assert!(futures_util::poll!(attempt).is_pending(), "{address}");
    }
    drop(all);
    for attempt in attempts {
        assert!(matches!(attempt.await, Err(SignInError::Refused)));
    }
}

#[tokio::test]
async fn guessing_is_slow_and_says_when_to_come_again() {
    let desk = Desk::new();
    desk.alice().await;
    for _ in 0..6 {
        assert!(matches!(desk.sign_in("alice@example.com", "wrong").await.unwrap_err(), SignInError::Refused));
    }
    let error = desk.sign_in("ALICE@example.com", PASSWORD).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(error.to_string(), "Too many attempts failed. Try again in a second.");
    for _ in 0..6 {
        let _ = desk.sign_in("nobody@example.com", "wrong").await;
    }
    let error = desk.sign_in("nobody@example.com", PASSWORD).await.unwrap_err();
    assert_eq!(error.code(), "too_many_attempts", "no other than for somebody who is known");
    for number in 0..6 {
        let error = desk.sign_in(&format!("mistyped {number}"), PASSWORD).await.unwrap_err();
        assert_eq!(error.code(), "refused", "one who mistypes does not keep out another who does");
    }
    desk.clock.advance(Duration::from_secs(1));
    desk.sign_in("alice@example.com", PASSWORD).await.unwrap();
    desk.sign_in("alice@example.com", "wrong").await.unwrap_err();
    desk.sign_in("alice@example.com", PASSWORD).await.expect("the count began anew");
}

/// What is no fault of the person is not counted against them.
#[tokio::test]
async fn a_store_that_is_down_costs_no_attempt() {
    let desk = Desk::new();
    desk.alice().await;
    desk.store.down.store(true, Ordering::Relaxed);
    for _ in 0..30 {
        let error = desk.sign_in("alice@example.com", PASSWORD).await.unwrap_err();
        assert!(matches!(error, SignInError::Store(_)), "{error:?}");
        assert!(!error.to_string().contains("fake:"), "the cause is for the log");
    }
    desk.store.down.store(false, Ordering::Relaxed);
    desk.sign_in("alice@example.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_hash_of_an_old_cost_is_good_and_replaced() {
    let desk = Desk::new();
    desk.alice().await;
    let dearer = desk.replica(&desk.roots, 9).with_cost(HashingCost { passes: 2, ..CHEAP });
    let before = sign_in(&desk.users, "alice@example.com", PASSWORD).await.unwrap();
    let signed_in = sign_in(&dearer, "alice@example.com", PASSWORD).await.unwrap();
    let hash = desk.store.state().users[0].password.clone().unwrap();
    assert!(hash.as_str().contains("m=8,t=2,p=1"), "{}", hash.as_str());
    desk.sessions.begin(signed_in).await.expect("with the new hash");
    assert!(matches!(desk.sessions.begin(before).await, Err(BeginError::Refused)), "the old one does not stand");
    sign_in(&dearer, "alice@example.com", PASSWORD).await.unwrap();
    assert_eq!(desk.store.state().users[0].password, Some(hash), "once is enough");
}

#[tokio::test]
async fn a_user_is_checked_and_added_once() {
    let desk = Desk::new();
    let new = NewUser { name: Some("  Alice\u{20}".into()), admin: true, ..new_user("Alice@Example.com") };
    let user = desk.users.add(new).await.unwrap();
    assert_eq!((user.address.as_str(), user.name.as_deref(), user.admin), ("alice@example.com", Some("Alice"), true));
    assert_eq!(desk.users.list().await.unwrap(), std::slice::from_ref(&user));
    assert_eq!(desk.users.find(&user.address).await.unwrap(), Some(user));
    let error = desk.users.add(new_user("ALICE@example.com")).await.unwrap_err();
    assert_eq!(error.to_string(), "there is a user alice@example.com already");
    assert!(matches!(desk.users.add(new_user("alice")).await, Err(AddUserError::Address(_))));
    let new = NewUser { name: Some("a\u{7}".into()), ..new_user("bob@example.com") };
    assert!(matches!(desk.users.add(new).await, Err(AddUserError::Name)));
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_has_the_old_one() {
    let desk = Desk::new();
    let alice = desk.alice().await;
    let (session, cookie) = desk.sessions.begin(desk.sign_in(alice.as_str(), PASSWORD).await.unwrap()).await.unwrap();
    let change = async |old: &str, new: &str| {
        let (old, new) = (secret(old), secret(new));
        let current =
            Credentials { address: session.user.address.as_str(), password: &old, from: [192, 0, 2, 1].into() };
        desk.users.change_password(&current, &new).await
    };
    assert!(matches!(
        change("wrong", "another good one").await,
        Err(ChangePasswordError::SignIn(SignInError::Refused))
    ));
    assert!(matches!(change(PASSWORD, "short").await, Err(ChangePasswordError::Password(PasswordFault::TooShort))));
    assert!(desk.sessions.find(cookie.expose()).await.unwrap().is_some(), "nothing has changed");
    let signed_in = change(PASSWORD, "another good one").await.unwrap();
    assert_eq!(desk.sessions.find(cookie.expose()).await.unwrap(), None, "all sessions have ended");
    desk.sessions.begin(signed_in).await.unwrap();
    desk.sign_in(alice.as_str(), PASSWORD).await.unwrap_err();
    desk.sign_in(alice.as_str(), "another good one").await.unwrap();
}

#[tokio::test]
async fn an_invitation_is_good_once_and_for_a_week() {
    let desk = Desk::new();
    let user = desk.users.add(new_user("alice@example.com")).await.unwrap();
    let old = desk.users.invite(&user.address).await.unwrap();
    let link = desk.users.invite(&user.address).await.unwrap();
    assert_eq!(link.purpose, LinkPurpose::Invitation(user.address.clone()));
    assert!(link.text.expose().starts_with("bhl_"));
    let fault = async |text: &str| desk.users.look_at_link(text).await.unwrap_err().code();
    assert_eq!(fault(old.text.expose()).await, "unknown", "the newer one took its place");
    let mut damaged = link.text.expose().to_owned();
    damaged.pop();
    assert_eq!(fault(&damaged).await, "damaged");
    assert_eq!(fault("bhk_something").await, "damaged");
    let id = &link.text.expose()[4..16];
    let forged = crate::SecretText::derived(crate::SecretKind::OneTimeLink, id, &[7; 32]).unwrap();
    assert_eq!(fault(forged.secret().expose()).await, "unknown", "the id alone is nothing");

    for _ in 0..3 {
        let OpenLink { purpose, user: looked, expires_at } = desk.users.look_at_link(link.text.expose()).await.unwrap();
        assert_eq!(expires_at, link.expires_at);
        assert_eq!((purpose, looked.unwrap().address), (link.purpose.clone(), user.address.clone()));
    }
    let weak = desk.users.choose_password(link.text.expose(), &secret("short")).await.unwrap_err();
    assert!(matches!(weak, RedeemError::Password(_)), "and the link is good for another attempt: {weak:?}");
    desk.clock.advance(7 * 24 * HOUR - Duration::from_secs(1));
    let signed_in = desk.users.choose_password(link.text.expose(), &secret(PASSWORD)).await.unwrap();
    desk.sessions.begin(signed_in).await.unwrap();
    assert_eq!(fault(link.text.expose()).await, "spent");
    desk.sign_in("alice@example.com", PASSWORD).await.unwrap();

    let reset = desk.users.invite(&user.address).await.unwrap();
    assert_eq!(reset.purpose, LinkPurpose::PasswordReset(user.address.clone()));
    desk.clock.advance(24 * HOUR);
    assert_eq!(fault(reset.text.expose()).await, "expired");
    let late = desk.users.choose_password(reset.text.expose(), &secret(PASSWORD)).await.unwrap_err();
    assert!(matches!(late, RedeemError::Link(LinkFault::Expired)), "{late:?}");
    let nobody = MailAddress::parse("nobody@example.com").unwrap();
    assert!(matches!(desk.users.invite(&nobody).await, Err(LinkError::NotFound(_))));
    let _ = desk.users.disable(&user.address).await.unwrap();
    assert!(matches!(desk.users.invite(&user.address).await, Err(LinkError::Disabled(_))));
    assert_eq!(fault(reset.text.expose()).await, "unknown");
}

#[tokio::test]
async fn the_first_administrator_is_made_by_one_link_that_all_replicas_show() {
    let desk = Desk::new();
    let link = async |users: &Users| match users.first_administrator().await.unwrap() {
        FirstAdministrator::Link(link) => link,
        other => panic!("{other:?}"),
    };
    let first = link(&desk.users).await;
    let other = desk.replica(&desk.roots, 77);
    assert_eq!(link(&other).await.text, first.text, "the same on every replica, and after a restart");
    let rotated = RootKeys::generate(&Seeded::new(5)).followed_by(desk.roots.clone());
    assert_eq!(link(&desk.replica(&rotated, 8)).await.text, first.text);
    let stranger = desk.replica(&RootKeys::generate(&Seeded::new(6)), 8);
    let elsewhere = stranger.first_administrator().await.unwrap();
    assert!(matches!(elsewhere, FirstAdministrator::Elsewhere { expires_at } if expires_at == first.expires_at));
    assert_eq!(stranger.look_at_link(first.text.expose()).await.unwrap_err().code(), "unknown");

    desk.clock.advance(HOUR);
    assert_eq!(desk.users.look_at_link(first.text.expose()).await.unwrap_err().code(), "expired");
    let second = link(&other).await;
    assert_ne!(second.text, first.text, "a new one at the next start");
    let open = desk.users.look_at_link(second.text.expose()).await.unwrap();
    assert_eq!((open.purpose, open.user), (LinkPurpose::FirstAdministrator, None));

    let new = |address: &str, password: &str| NewAdministrator {
        address: address.into(),
        name: Some("Alice".into()),
        password: secret(password),
    };
    let become_one = async |new| desk.users.become_first_administrator(second.text.expose(), new).await;
    assert!(matches!(become_one(new("alice", PASSWORD)).await, Err(RedeemError::User(AddUserError::Address(_)))));
    assert!(matches!(become_one(new("alice@example.com", "short")).await, Err(RedeemError::Password(_))));
    let wrong = desk.users.choose_password(second.text.expose(), &secret(PASSWORD)).await;
    assert!(matches!(wrong, Err(RedeemError::Link(LinkFault::Unknown))));
    let signed_in = become_one(new("Alice@example.com", PASSWORD)).await.unwrap();
    assert!(signed_in.user().admin && signed_in.user().address.as_str() == "alice@example.com");
    desk.sessions.begin(signed_in).await.unwrap();
    assert!(matches!(become_one(new("mallory@example.com", PASSWORD)).await, Err(RedeemError::Link(LinkFault::Spent))));
    assert!(matches!(desk.users.first_administrator().await.unwrap(), FirstAdministrator::NotNeeded));
}

#[tokio::test]
async fn a_session_is_new_at_each_sign_in_and_ends() {
    let desk = Desk::new();
    let alice = desk.alice().await;
    let begin = async || desk.sessions.begin(desk.sign_in(alice.as_str(), PASSWORD).await.unwrap()).await.unwrap();
    let find = async |cookie: &Secret| desk.sessions.find(cookie.expose()).await.unwrap();
    let ((one, first), (other, second)) = (begin().await, begin().await);
    assert!(one.id != other.id && first != second && first.expose().starts_with("bhw_"));
    assert_eq!(find(&first).await.unwrap().user.address, alice);
    let shown = format!("{:?} {one:?} {:?}", desk.sessions, desk.store.state().sessions);
    assert!(!shown.contains(&first.expose()[17..]), "{shown}");
    let forged = crate::SecretText::derived(crate::SecretKind::Session, &one.id, &[7; 32]).unwrap();
    assert_eq!(find(forged.secret()).await, None, "the id alone is nothing");
    for text in ["", "bhw_", "bhk_0123456789AB_x", &first.expose()[..54]] {
        assert_eq!(desk.sessions.find(text).await.unwrap(), None, "{text}");
    }
    assert!(desk.sessions.end(&one).await.unwrap());
    assert_eq!(find(&first).await, None);
    assert!(find(&second).await.is_some());
    assert_eq!(desk.sessions.end_all(&alice).await.unwrap(), 1);
    assert_eq!(find(&second).await, None);

    let (_, third) = begin().await;
    let _ = desk.users.disable(&alice).await.unwrap();
    assert_eq!(find(&third).await, None, "at once");
    let _ = desk.users.enable(&alice).await.unwrap();
    assert_eq!(find(&third).await, None, "for good");
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_or_old() {
    let desk = Desk::new();
    let alice = desk.alice().await;
    let begin = async || desk.sessions.begin(desk.sign_in(alice.as_str(), PASSWORD).await.unwrap()).await.unwrap();
    let good = async |cookie: &Secret| {
        let good = desk.sessions.find(cookie.expose()).await.unwrap().is_some();
        desk.sessions.settle().await;
        good
    };
    let ((_, idle), (session, used)) = (begin().await, begin().await);
    assert_eq!(session.expires_at, session.created_at + 7 * 24 * HOUR);
    for _ in 0..3 {
        assert!(good(&used).await);
    }
    assert_eq!(desk.store.touches.load(Ordering::Relaxed), 0, "it was used a moment ago");
    desk.clock.advance(12 * HOUR - Duration::from_secs(1));
    assert!(good(&used).await && good(&used).await);
    assert_eq!(desk.store.touches.load(Ordering::Relaxed), 1, "at most once a minute");
    desk.clock.advance(Duration::from_secs(1));
    assert!(!good(&idle).await && good(&used).await);
    for _ in 0..14 {
        desk.clock.advance(11 * HOUR);
        assert!(good(&used).await);
    }
    desk.clock.advance(2 * HOUR);
    assert!(!good(&used).await, "a week is over");
    let (_, fresh) = begin().await;
    assert_eq!(desk.store.state().sessions.len(), 1, "what was over is removed");
    assert!(good(&fresh).await);
}

#[tokio::test]
async fn whoever_got_another_password_meanwhile_has_no_session() {
    let desk = Desk::new();
    let alice = desk.alice().await;
    let signed_in = desk.sign_in(alice.as_str(), PASSWORD).await.unwrap();
    desk.users.set_password(&alice, &secret("another good one")).await.unwrap();
    assert!(matches!(desk.sessions.begin(signed_in).await, Err(BeginError::Refused)));
}

#[tokio::test]
async fn a_form_is_taken_from_its_browser_for_its_purpose_and_in_time() {
    let desk = Desk::new();
    let alice = desk.alice().await;
    let begin = async || desk.sessions.begin(desk.sign_in(alice.as_str(), PASSWORD).await.unwrap()).await.unwrap().0;
    let tokens = |roots: &RootKeys| CsrfTokens::derive(roots, desk.clock.clone(), Arc::new(Seeded::new(4)));
    let csrf = tokens(&desk.roots);
    let (mine, other) = (CsrfBinding::session(&begin().await), CsrfBinding::session(&begin().await));
    let visitor = new_visitor(&Seeded::new(5));
    let visitor = CsrfBinding::visitor(&visitor).unwrap();
    let purpose = ["consent", "client_id=a&scope=b"];
    let token = csrf.issue(&mine, &purpose);
    assert_ne!(token, csrf.issue(&mine, &purpose), "another for each rendering");
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)), "{token}");
    csrf.check(&token, &mine, &purpose).unwrap();
    csrf.check(&token, &mine, &purpose).expect("back and forward in the browser");
    for (binding, purpose) in [
        (&other, &purpose[..]),
        (&visitor, &purpose),
        (&mine, &["consent", "client_id=a&scope=c"]),
        (&mine, &["consentclient_id=a&scope=b"]),
        (&mine, &["login"]),
        (&mine, &[]),
    ] {
        assert_eq!(csrf.check(&token, binding, purpose), Err(CsrfError::Invalid), "{binding:?} {purpose:?}");
    }
    for at in 0..token.len() {
        let mut bent = token.clone().into_bytes();
        bent[at] = if bent[at] == b'1' { b'2' } else { b'1' };
        let bent = String::from_utf8(bent).unwrap();
        assert!(csrf.check(&bent, &mine, &purpose).is_err(), "{bent}");
        assert_eq!(csrf.check(&token[..at], &mine, &purpose), Err(CsrfError::Invalid));
    }
    let rotated = RootKeys::generate(&Seeded::new(6)).followed_by(desk.roots.clone());
    tokens(&rotated).check(&token, &mine, &purpose).expect("what was rendered before a rotation is taken after it");
    let stranger = tokens(&RootKeys::generate(&Seeded::new(6)));
    assert_eq!(stranger.check(&token, &mine, &purpose), Err(CsrfError::Invalid));
    desk.clock.advance(HOUR - Duration::from_secs(1));
    csrf.check(&token, &mine, &purpose).unwrap();
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(csrf.check(&token, &mine, &purpose), Err(CsrfError::Expired));

    let login = csrf.issue(&visitor, &["login"]);
    csrf.check(&login, &visitor, &["login"]).unwrap();
    for text in ["", "x", "é234567890123456789012", "12345678901234567890 2", &"1".repeat(23)] {
        assert!(CsrfBinding::visitor(text).is_none(), "{text}");
    }
}
