//! What every [`UserStore`] and [`SessionStore`] has to keep. Both are one store, since much of what
//! one does concerns the other.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{
    KeyHash, KeyVersion, SessionStore, StoreError, UserStore,
    keys::to_microsecond,
    users::{
        Addition, Beginning, Claim, LinkPurpose, LinkRecord, MailAddress, PasswordHash, Redeemed, Redemption,
        SessionRecord, User, UserChange, UserRecord,
    },
};
use bridgehead_core::ScopeSet;
use jiff::Timestamp;

use super::{CROWD, at, crowd};

/// Holds a store of people to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn people_stores<S, Make, Made>(make: Make) -> Result<(), StoreError>
where
    S: UserStore + SessionStore,
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<S>, StoreError>>,
{
    nobody_is_there_at_first(&*make().await?).await?;
    users_are_found_as_they_were_added(&*make().await?).await?;
    a_disabled_user_has_nothing_left(&*make().await?).await?;
    a_password_ends_what_there_was(&*make().await?).await?;
    a_hash_is_replaced_where_it_stands(&*make().await?).await?;
    a_link_takes_the_place_of_others(&*make().await?).await?;
    a_link_works_once_and_in_its_time(&*make().await?).await?;
    a_link_that_did_nothing_is_as_it_was(&*make().await?).await?;
    the_first_administrator_is_one(&*make().await?).await?;
    a_session_begins_for_whoever_may_sign_in(&*make().await?).await?;
    sessions_end(&*make().await?).await?;
    of_many_redemptions_one_counts(make().await?).await?;
    of_many_claims_one_is_made(make().await?).await?;
    nothing_survives_a_race_with_disabling(make().await?).await
}

fn mail(text: &str) -> MailAddress {
    MailAddress::parse(text).expect("the suite's addresses are well formed")
}

fn alice() -> MailAddress {
    mail("alice@example.com")
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text)
}

/// A user with all that can be set, and text that breaks what is put together carelessly.
fn user(address: &str) -> UserRecord {
    let user = User {
        address: mail(address),
        name: Some("Žofie 张伟 👩‍🔧'; DROP TABLE user; --".into()),
        admin: true,
        scopes: ScopeSet::parse("tools:read crm:admin").expect("the suite's scopes are well formed"),
        created_at: at(1_750_000_000_123_456),
        disabled_at: None,
        signed_in_at: Some(at(1_750_000_001_000_001)),
        has_password: true,
    };
    UserRecord::new(user, Some(hash("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA")))
}

fn link(id: &str, purpose: LinkPurpose) -> LinkRecord {
    LinkRecord {
        id: id.into(),
        purpose,
        hash: KeyHash::new(std::array::from_fn(|index| if index == 0 { 0 } else { 0xff })),
        pepper_version: KeyVersion::parse("0123abcd").expect("the suite's versions are well formed"),
        created_at: at(100),
        expires_at: at(1_000),
        used_at: None,
    }
}

fn invitation(id: &str) -> LinkRecord {
    link(id, LinkPurpose::Invitation(alice()))
}

fn first(id: &str) -> LinkRecord {
    link(id, LinkPurpose::FirstAdministrator)
}

fn session(id: &str) -> SessionRecord {
    SessionRecord {
        id: id.into(),
        address: alice(),
        hash: KeyHash::new([7; 32]),
        pepper_version: KeyVersion::parse("0123abcd").expect("the suite's versions are well formed"),
        created_at: at(200),
        expires_at: at(2_000),
        last_used_at: at(200),
    }
}

/// A store with one user who has no password, is no administrator and has no name.
async fn with_alice<S: UserStore>(store: &S) -> Result<(), StoreError> {
    let record = user("alice@example.com");
    let bare = User { name: None, admin: false, signed_in_at: None, ..record.user };
    assert_eq!(store.add_user(UserRecord::new(bare, None)).await?, Addition::Added);
    Ok(())
}

async fn nobody_is_there_at_first<S: UserStore + SessionStore>(store: &S) -> Result<(), StoreError> {
    assert_eq!(store.find_user(&alice()).await?, None);
    assert_eq!(store.list_users().await?, []);
    assert_eq!(store.disable_user(&alice(), at(1)).await?, UserChange::NotFound);
    assert_eq!(store.enable_user(&alice()).await?, UserChange::NotFound);
    assert_eq!(store.set_password(&alice(), &hash("a")).await?, UserChange::NotFound);
    assert!(!store.replace_hash(&alice(), &hash("a"), &hash("b")).await?);
    assert!(!store.put_link(invitation("aaaaaaaaaaaa")).await?);
    assert_eq!(store.find_link("aaaaaaaaaaaa").await?, None);
    let redemption = Redemption::Password(hash("a"));
    assert_eq!(store.redeem_link("aaaaaaaaaaaa", redemption, at(1)).await?, Redeemed::Unknown);
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), None).await?, Beginning::Refused);
    assert_eq!(store.find_session("aaaaaaaaaaaa").await?, None);
    store.touch_session("aaaaaaaaaaaa", at(1)).await?;
    assert!(!store.end_session("aaaaaaaaaaaa").await?);
    assert_eq!(store.end_sessions_of(&alice()).await?, 0);
    assert_eq!((store.remove_links(at(1)).await?, store.remove_sessions(at(1), at(1)).await?), (0, 0));
    Ok(())
}

async fn users_are_found_as_they_were_added<S: UserStore>(store: &S) -> Result<(), StoreError> {
    let one = user("alice@example.com");
    let disabled = User { disabled_at: Some(at(-1)), created_at: at(-5), ..user("zoe@example.com").user };
    let disabled = UserRecord::new(disabled, None);
    let finer = |at: Timestamp| Timestamp::from_nanosecond(at.as_nanosecond() + 999).unwrap_or(at);
    let mut given = one.clone();
    given.user.created_at = finer(given.user.created_at);
    given.user.signed_in_at = given.user.signed_in_at.map(finer);
    assert_eq!(store.add_user(given).await?, Addition::Added);
    assert_eq!(store.add_user(disabled.clone()).await?, Addition::Added);
    let other = UserRecord::new(User { admin: false, ..one.user.clone() }, None);
    assert_eq!(store.add_user(other).await?, Addition::AddressTaken);
    assert_eq!(store.find_user(&one.user.address).await?.as_ref(), Some(&one));
    assert_eq!(store.add_user(user("Bob@example.com")).await?, Addition::Added);
    assert_eq!(store.list_users().await?, [disabled, one, user("bob@example.com")], "oldest first, then by address");
    Ok(())
}

async fn a_disabled_user_has_nothing_left<S: UserStore + SessionStore>(store: &S) -> Result<(), StoreError> {
    with_alice(store).await?;
    assert_eq!(store.add_user(user("bob@example.com")).await?, Addition::Added);
    assert!(store.put_link(invitation("aaaaaaaaaaaa")).await?);
    assert!(store.put_link(link("bbbbbbbbbbbb", LinkPurpose::PasswordReset(mail("bob@example.com")))).await?);
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), None).await?, Beginning::Begun);
    let of_bob = SessionRecord { address: mail("bob@example.com"), ..session("bbbbbbbbbbbb") };
    assert_eq!(store.begin_session(of_bob, None).await?, Beginning::Begun);

    assert_eq!(store.disable_user(&alice(), at(300)).await?, UserChange::Changed);
    assert_eq!(store.disable_user(&alice(), at(400)).await?, UserChange::Unchanged);
    let found = store.find_user(&alice()).await?.and_then(|record| record.user.disabled_at);
    assert_eq!(found, Some(at(300)), "the first time stands");
    assert_eq!(store.find_session("aaaaaaaaaaaa").await?, None);
    assert_eq!(store.find_link("aaaaaaaaaaaa").await?, None);
    assert!(!store.put_link(invitation("cccccccccccc")).await?, "nor do they get anything new");
    assert_eq!(store.begin_session(session("cccccccccccc"), None).await?, Beginning::Refused);
    assert!(store.find_session("bbbbbbbbbbbb").await?.is_some(), "others are not concerned");
    assert!(store.find_link("bbbbbbbbbbbb").await?.is_some());

    assert_eq!(store.enable_user(&alice()).await?, UserChange::Changed);
    assert_eq!(store.enable_user(&alice()).await?, UserChange::Unchanged);
    assert_eq!(store.begin_session(session("cccccccccccc"), None).await?, Beginning::Begun);
    assert_eq!(store.find_session("aaaaaaaaaaaa").await?, None, "what has ended stays so");
    Ok(())
}

async fn a_password_ends_what_there_was<S: UserStore + SessionStore>(store: &S) -> Result<(), StoreError> {
    with_alice(store).await?;
    assert!(store.put_link(invitation("aaaaaaaaaaaa")).await?);
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), None).await?, Beginning::Begun);
    assert_eq!(store.set_password(&alice(), &hash("one")).await?, UserChange::Changed);
    let found = store.find_user(&alice()).await?.expect("she was added");
    assert_eq!((found.password, found.user.has_password), (Some(hash("one")), true));
    assert_eq!((store.find_link("aaaaaaaaaaaa").await?, store.find_session("aaaaaaaaaaaa").await?), (None, None));
    Ok(())
}

async fn a_hash_is_replaced_where_it_stands<S: UserStore + SessionStore>(store: &S) -> Result<(), StoreError> {
    with_alice(store).await?;
    assert!(!store.replace_hash(&alice(), &hash("one"), &hash("two")).await?);
    assert_eq!(store.set_password(&alice(), &hash("one")).await?, UserChange::Changed);
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), None).await?, Beginning::Begun);
    assert!(store.replace_hash(&alice(), &hash("one"), &hash("two")).await?);
    assert!(!store.replace_hash(&alice(), &hash("one"), &hash("three")).await?);
    let found = store.find_user(&alice()).await?.and_then(|record| record.password);
    assert_eq!(found, Some(hash("two")));
    assert!(store.find_session("aaaaaaaaaaaa").await?.is_some(), "it is the same password");
    Ok(())
}

async fn a_link_takes_the_place_of_others<S: UserStore>(store: &S) -> Result<(), StoreError> {
    with_alice(store).await?;
    assert!(store.put_link(invitation("aaaaaaaaaaaa")).await?);
    assert_eq!(store.find_link("aaaaaaaaaaaa").await?, Some(invitation("aaaaaaaaaaaa")));
    let exact = LinkRecord { expires_at: at(1_500), ..link("bbbbbbbbbbbb", LinkPurpose::PasswordReset(alice())) };
    let given = LinkRecord {
        expires_at: Timestamp::from_nanosecond(exact.expires_at.as_nanosecond() + 999).unwrap_or(exact.expires_at),
        ..exact.clone()
    };
    assert!(store.put_link(given).await?);
    assert_eq!(store.find_link("aaaaaaaaaaaa").await?, None);
    assert_eq!(store.find_link("bbbbbbbbbbbb").await?, Some(exact));
    assert_eq!(store.find_link("BBBBBBBBBBBB").await?, None, "ids differ by case");
    assert_eq!(store.remove_links(at(1_499)).await?, 0);
    assert_eq!(store.remove_links(at(1_500)).await?, 1);
    assert_eq!(store.find_link("bbbbbbbbbbbb").await?, None);
    Ok(())
}

async fn a_link_works_once_and_in_its_time<S: UserStore + SessionStore>(store: &S) -> Result<(), StoreError> {
    with_alice(store).await?;
    assert!(store.put_link(invitation("aaaaaaaaaaaa")).await?);
    let redeem =
        |password: &str, micros| store.redeem_link("aaaaaaaaaaaa", Redemption::Password(hash(password)), at(micros));
    assert_eq!(redeem("late", 1_000).await?, Redeemed::Expired, "its last moment is over");
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), None).await?, Beginning::Begun);
    assert_eq!(redeem("one", 999).await?, Redeemed::Done);
    let found = store.find_user(&alice()).await?.and_then(|record| record.password);
    assert_eq!(found, Some(hash("one")));
    assert_eq!(store.find_session("aaaaaaaaaaaa").await?, None, "sessions from before have ended");
    assert_eq!(redeem("two", 999).await?, Redeemed::Spent);
    assert_eq!(redeem("two", 2_000).await?, Redeemed::Spent, "that it was used counts more than that it is over");
    let link = store.find_link("aaaaaaaaaaaa").await?.and_then(|link| link.used_at);
    assert_eq!(link, Some(at(999)), "it is remembered");
    let found = store.find_user(&alice()).await?.and_then(|record| record.password);
    assert_eq!(found, Some(hash("one")));
    Ok(())
}

async fn a_link_that_did_nothing_is_as_it_was<S: UserStore>(store: &S) -> Result<(), StoreError> {
    with_alice(store).await?;
    assert!(store.put_link(invitation("aaaaaaaaaaaa")).await?);
    let wrong = Redemption::FirstAdministrator(user("mallory@example.com"));
    assert_eq!(store.redeem_link("aaaaaaaaaaaa", wrong, at(500)).await?, Redeemed::Unknown);
    assert_eq!(store.find_link("aaaaaaaaaaaa").await?, Some(invitation("aaaaaaaaaaaa")));
    assert_eq!(store.list_users().await?.len(), 1);
    Ok(())
}

async fn the_first_administrator_is_one<S: UserStore>(store: &S) -> Result<(), StoreError> {
    assert!(!store.put_link(first("aaaaaaaaaaaa")).await?, "it is not for a user");
    assert_eq!(store.claim_first_administrator(first("aaaaaaaaaaaa"), at(100)).await?, Claim::Made);
    let again = store.claim_first_administrator(first("bbbbbbbbbbbb"), at(999)).await?;
    assert_eq!(again, Claim::Stands(first("aaaaaaaaaaaa")));
    let next = LinkRecord { expires_at: at(2_000), ..first("cccccccccccc") };
    assert_eq!(store.claim_first_administrator(next, at(1_000)).await?, Claim::Made, "the old one's time is over");
    assert_eq!(store.find_link("aaaaaaaaaaaa").await?, None);
    let wrong = Redemption::Password(hash("one"));
    assert_eq!(store.redeem_link("cccccccccccc", wrong, at(1_500)).await?, Redeemed::Unknown);
    let redemption = || Redemption::FirstAdministrator(user("alice@example.com"));
    assert_eq!(store.redeem_link("cccccccccccc", redemption(), at(1_500)).await?, Redeemed::Done);
    assert_eq!(store.redeem_link("cccccccccccc", redemption(), at(1_500)).await?, Redeemed::Spent);
    assert_eq!(store.list_users().await?, [user("alice@example.com")]);
    assert_eq!(store.claim_first_administrator(first("dddddddddddd"), at(3_000)).await?, Claim::NotNeeded);
    Ok(())
}

async fn a_session_begins_for_whoever_may_sign_in<S: UserStore + SessionStore>(store: &S) -> Result<(), StoreError> {
    assert_eq!(store.claim_first_administrator(first("dddddddddddd"), at(100)).await?, Claim::Made);
    with_alice(store).await?;
    assert_eq!(store.find_link("dddddddddddd").await?, None, "whoever is first was added by other means");
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), Some(&hash("one"))).await?, Beginning::Refused);
    assert_eq!(store.set_password(&alice(), &hash("one")).await?, UserChange::Changed);
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), Some(&hash("two"))).await?, Beginning::Refused);
    assert_eq!(store.find_session("aaaaaaaaaaaa").await?, None);
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa"), Some(&hash("one"))).await?, Beginning::Begun);
    let (found, of) = store.find_session("aaaaaaaaaaaa").await?.expect("it was begun");
    assert_eq!((found, &of.address, of.has_password), (session("aaaaaaaaaaaa"), &alice(), true));
    assert_eq!(of.signed_in_at, Some(at(200)));
    let earlier = SessionRecord { created_at: at(150), ..session("bbbbbbbbbbbb") };
    assert_eq!(store.begin_session(earlier, None).await?, Beginning::Begun);
    let of = store.find_user(&alice()).await?.and_then(|record| record.user.signed_in_at);
    assert_eq!(of, Some(at(200)), "the time of the last sign-in never moves back");
    Ok(())
}

async fn sessions_end<S: UserStore + SessionStore>(store: &S) -> Result<(), StoreError> {
    with_alice(store).await?;
    for (id, expires, used) in [
        ("aaaaaaaaaaaa", 2_000, 200),
        ("bbbbbbbbbbbb", 1_000, 200),
        ("cccccccccccc", 2_000, 200),
        ("dddddddddddd", 2_000, 200),
    ] {
        let session = SessionRecord { expires_at: at(expires), last_used_at: at(used), ..session(id) };
        assert_eq!(store.begin_session(session, None).await?, Beginning::Begun);
    }
    for (used, expected) in [(500, 500), (400, 500), (600, 600)] {
        store.touch_session("aaaaaaaaaaaa", at(used)).await?;
        let found = store.find_session("aaaaaaaaaaaa").await?.map(|(session, _)| session.last_used_at);
        assert_eq!(found, Some(at(expected)));
    }
    store.touch_session("bbbbbbbbbbbb", at(600)).await?;
    store.touch_session("cccccccccccc", at(600)).await?;
    assert!(store.end_session("cccccccccccc").await?);
    assert!(!store.end_session("cccccccccccc").await?);
    assert_eq!(store.remove_sessions(at(1_000), at(599)).await?, 2, "one is over, and one was idle");
    assert!(store.find_session("aaaaaaaaaaaa").await?.is_some());
    assert_eq!(store.end_sessions_of(&mail("bob@example.com")).await?, 0);
    assert_eq!(store.end_sessions_of(&alice()).await?, 1);
    assert_eq!(store.find_session("aaaaaaaaaaaa").await?, None);
    let last = SessionRecord { expires_at: Timestamp::MAX, ..session("eeeeeeeeeeee") };
    assert_eq!(store.begin_session(last, None).await?, Beginning::Begun);
    let found = store.find_session("eeeeeeeeeeee").await?.map(|(session, _)| session.expires_at);
    assert_eq!(found, Some(to_microsecond(Timestamp::MAX)));
    Ok(())
}

async fn of_many_redemptions_one_counts<S: UserStore>(store: Arc<S>) -> Result<(), StoreError> {
    with_alice(&*store).await?;
    for round in 0..10 {
        let id = format!("link{round:08}");
        assert!(store.put_link(invitation(&id)).await?);
        let results = crowd(&store, |store, number| {
            let (id, password) = (id.clone(), hash(&number.to_string()));
            async move {
                let redeemed = store.redeem_link(&id, Redemption::Password(password.clone()), at(500)).await?;
                Ok((redeemed, password))
            }
        })
        .await?;
        let winners: Vec<_> = results.iter().filter(|(redeemed, _)| *redeemed == Redeemed::Done).collect();
        let losers = results.iter().filter(|(redeemed, _)| *redeemed == Redeemed::Spent).count();
        assert_eq!((winners.len(), losers), (1, CROWD - 1));
        let stored = store.find_user(&alice()).await?.and_then(|record| record.password);
        assert_eq!(stored.as_ref(), winners.first().map(|(_, password)| password), "the password is the winner's");
    }
    Ok(())
}

async fn of_many_claims_one_is_made<S: UserStore>(store: Arc<S>) -> Result<(), StoreError> {
    let claims = crowd(&store, |store, number| async move {
        let link = first(&format!("first{number:07}"));
        Ok((store.claim_first_administrator(link.clone(), at(500)).await?, link))
    })
    .await?;
    let made: Vec<_> = claims.iter().filter(|(claim, _)| *claim == Claim::Made).map(|(_, link)| link).collect();
    let [made] = made[..] else { panic!("one is made: {claims:?}") };
    let others = claims.iter().filter(|(claim, _)| *claim == Claim::Stands(made.clone())).count();
    assert_eq!(others, CROWD - 1, "all others are told of it: {claims:?}");
    let results = crowd(&store, |store, number| {
        let (id, record) = (made.id.clone(), user(&format!("user{number}@example.com")));
        async move { store.redeem_link(&id, Redemption::FirstAdministrator(record), at(500)).await }
    })
    .await?;
    assert_eq!(results.iter().filter(|redeemed| **redeemed == Redeemed::Done).count(), 1);
    assert_eq!(store.list_users().await?.len(), 1);
    Ok(())
}

/// Whoever signs in while they are being disabled has no session afterwards.
async fn nothing_survives_a_race_with_disabling<S: UserStore + SessionStore>(store: Arc<S>) -> Result<(), StoreError> {
    with_alice(&*store).await?;
    for round in 0..10 {
        crowd(&store, |store, number| async move {
            if number == CROWD / 2 {
                store.disable_user(&alice(), at(300)).await.map(drop)
            } else if number % 2 == 0 {
                store.begin_session(session(&format!("s{round:05}{number:06}")), None).await.map(drop)
            } else {
                store.put_link(invitation(&format!("l{round:05}{number:06}"))).await.map(drop)
            }
        })
        .await?;
        for number in 0..CROWD {
            assert_eq!(store.find_session(&format!("s{round:05}{number:06}")).await?, None, "{number}");
            assert_eq!(store.find_link(&format!("l{round:05}{number:06}")).await?, None, "{number}");
        }
        assert_eq!(store.enable_user(&alice()).await?, UserChange::Changed);
    }
    Ok(())
}
