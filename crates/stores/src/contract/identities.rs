//! What every [`IdentityStore`] has to keep, as one store with users and sessions.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{
    KeyHash, KeyVersion, Sealed, SessionStore, StoreError, UserStore,
    provider::{Bound, IdentityId, IdentityRecord, IdentityStore, Vouched},
    users::{Addition, Beginning, Claim, LinkPurpose, LinkRecord, MailAddress, SessionRecord, User, UserRecord},
};
use bridgehead_core::{Claims, ScopeSet};
use jiff::Timestamp;
use serde_json::json;

use super::{CROWD, at, crowd};

const ISSUER: &str = "https://login.example.com/Žofie's realm";

/// Holds a store of identities to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn identity_store<S, Make, Made>(make: Make) -> Result<(), StoreError>
where
    S: UserStore + SessionStore + IdentityStore,
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<S>, StoreError>>,
{
    nobody_is_known_at_first(&*make().await?).await?;
    a_person_is_found_as_they_were_bound(&*make().await?).await?;
    whoever_is_known_stays_who_they_are(&*make().await?).await?;
    an_address_is_one_persons_of_a_provider(&*make().await?).await?;
    a_user_of_before_is_taken_over(&*make().await?).await?;
    a_provider_vouches_again(&*make().await?).await?;
    a_refusal_ends_what_there_is(&*make().await?).await?;
    a_released_user_can_be_bound_anew(&*make().await?).await?;
    of_many_checks_one_begins(make().await?).await?;
    of_many_people_one_gets_an_address(make().await?).await
}

fn mail(text: &str) -> MailAddress {
    MailAddress::parse(text).expect("the suite's addresses are well formed")
}

fn scopes(text: &str) -> ScopeSet {
    ScopeSet::parse(text).expect("the suite's scopes are well formed")
}

fn claims(groups: &[&str]) -> Claims {
    let claims = json!({"groups": groups, "name": "Žofie 张伟 👩‍🔧'; DROP TABLE identity; --", "n": 1.5, "none": null});
    Claims::new(claims.as_object().cloned().unwrap_or_default())
}

fn identity(subject: &str, address: &str) -> IdentityRecord {
    IdentityRecord {
        id: IdentityId { issuer: ISSUER.to_owned(), subject: subject.to_owned() },
        address: mail(address),
        claims: claims(&["staff"]),
        scopes: scopes("tools:read crm:admin"),
        tokens: Some(Sealed::new(vec![1, 0, 0xff])),
        checked_at: at(1_000),
        refused_at: None,
    }
}

fn user(address: &str) -> UserRecord {
    let user = User {
        address: mail(address),
        name: Some("Žofie".to_owned()),
        admin: false,
        scopes: ScopeSet::default(),
        created_at: at(900),
        disabled_at: None,
        signed_in_at: None,
        has_password: false,
    };
    UserRecord::new(user, None)
}

fn session(id: &str, address: &str) -> SessionRecord {
    SessionRecord {
        id: id.into(),
        address: mail(address),
        hash: KeyHash::new([7; 32]),
        pepper_version: KeyVersion::parse("0123abcd").expect("the suite's versions are well formed"),
        created_at: at(200),
        expires_at: at(2_000),
        last_used_at: at(200),
    }
}

async fn bind<S: IdentityStore>(store: &S, record: IdentityRecord) -> Result<Bound, StoreError> {
    let user = user(record.address.as_str());
    store.bind_identity(record, user).await
}

/// Who somebody is bound to.
async fn bound<S: IdentityStore>(store: &S, record: IdentityRecord) -> Result<UserRecord, StoreError> {
    match bind(store, record).await? {
        Bound::To(user) => Ok(*user),
        Bound::AddressTaken => panic!("the address was free"),
    }
}

async fn alice<S: IdentityStore>(store: &S) -> Result<Option<IdentityRecord>, StoreError> {
    store.identity_of(ISSUER, &mail("alice@example.com")).await
}

async fn nobody_is_known_at_first<S: IdentityStore>(store: &S) -> Result<(), StoreError> {
    let id = identity("1", "alice@example.com").id;
    let said = Vouched { claims: claims(&[]), scopes: scopes("tools:read"), tokens: None, at: at(2) };
    assert_eq!(alice(store).await?, None);
    assert!(!store.begin_check(&id, at(1), at(2), at(3)).await?);
    assert!(!store.vouched(&id, at(1), said).await?);
    assert!(!store.refused(&id, at(1), at(2)).await?);
    assert!(!store.release_user(&mail("alice@example.com")).await?);
    Ok(())
}

async fn a_person_is_found_as_they_were_bound<S: UserStore + IdentityStore>(store: &S) -> Result<(), StoreError> {
    let record = identity("Ünique|1", "alice@example.com");
    let finer = Timestamp::from_nanosecond(record.checked_at.as_nanosecond() + 999).unwrap_or(record.checked_at);
    let made = bound(store, IdentityRecord { checked_at: finer, ..record.clone() }).await?;
    let expected = user("alice@example.com");
    let expected = UserRecord { user: User { scopes: record.scopes.clone(), ..expected.user }, ..expected };
    assert_eq!(made, expected);
    assert_eq!(store.find_user(&record.address).await?, Some(expected));
    assert_eq!(alice(store).await?, Some(record));
    assert_eq!(store.identity_of("https://elsewhere.example.com", &mail("alice@example.com")).await?, None);
    assert_eq!(store.identity_of(ISSUER, &mail("bob@example.com")).await?, None);
    let bare = IdentityRecord {
        claims: Claims::default(),
        scopes: ScopeSet::default(),
        tokens: None,
        ..identity("2", "bob@example.com")
    };
    bound(store, bare.clone()).await?;
    assert_eq!(store.identity_of(ISSUER, &mail("bob@example.com")).await?, Some(bare));
    Ok(())
}

async fn whoever_is_known_stays_who_they_are<S: UserStore + IdentityStore>(store: &S) -> Result<(), StoreError> {
    bound(store, identity("1", "alice@example.com")).await?;
    let renamed = IdentityRecord {
        claims: claims(&[]),
        scopes: scopes("tools:read"),
        checked_at: at(2_000),
        tokens: None,
        ..identity("1", "alice@new.example.com")
    };
    let user = bound(store, renamed.clone()).await?.user;
    assert_eq!((user.address.as_str(), user.scopes), ("alice@example.com", scopes("tools:read")));
    assert_eq!(store.find_user(&mail("alice@new.example.com")).await?, None);
    let expected = IdentityRecord { address: mail("alice@example.com"), ..renamed };
    assert_eq!(alice(store).await?, Some(expected));
    Ok(())
}

async fn an_address_is_one_persons_of_a_provider<S: UserStore + IdentityStore>(store: &S) -> Result<(), StoreError> {
    let first = identity("1", "alice@example.com");
    bound(store, first.clone()).await?;
    let second = IdentityRecord { scopes: scopes("tools:write"), ..identity("2", "alice@example.com") };
    assert_eq!(bind(store, second.clone()).await?, Bound::AddressTaken);
    assert_eq!(alice(store).await?, Some(first.clone()), "nothing was changed");
    let user = store.find_user(&first.address).await?.map(|record| record.user.scopes);
    assert_eq!(user, Some(first.scopes));
    // The operator moved to another provider: what it says counts as well.
    let elsewhere = IdentityId { issuer: "https://new.example.com".to_owned(), subject: "2".to_owned() };
    assert!(matches!(bind(store, IdentityRecord { id: elsewhere, ..second }).await?, Bound::To(_)));
    Ok(())
}

async fn a_user_of_before_is_taken_over<S: UserStore + IdentityStore>(store: &S) -> Result<(), StoreError> {
    let before = user("alice@example.com");
    let before = UserRecord { user: User { admin: true, disabled_at: Some(at(950)), ..before.user }, ..before };
    assert_eq!(store.add_user(before.clone()).await?, Addition::Added);
    let found = bound(store, identity("1", "alice@example.com")).await?;
    let user = User { scopes: scopes("tools:read crm:admin"), ..before.user };
    assert_eq!(found.user, user, "still an administrator, and still disabled");
    let link = LinkRecord {
        id: "aaaaaaaaaaaa".into(),
        purpose: LinkPurpose::FirstAdministrator,
        hash: KeyHash::new([1; 32]),
        pepper_version: KeyVersion::parse("0123abcd").expect("the suite's versions are well formed"),
        created_at: at(100),
        expires_at: at(1_000),
        used_at: None,
    };
    assert_eq!(store.claim_first_administrator(link, at(200)).await?, Claim::NotNeeded);
    Ok(())
}

async fn a_provider_vouches_again<S: UserStore + IdentityStore>(store: &S) -> Result<(), StoreError> {
    let record = identity("1", "alice@example.com");
    bound(store, record.clone()).await?;
    let said = Vouched {
        claims: claims(&["other"]),
        scopes: scopes("tools:read"),
        tokens: Some(Sealed::new(vec![9])),
        at: at(2_000),
    };
    assert!(!store.begin_check(&record.id, at(999), at(1_500), at(1_600)).await?, "it was asked since");
    assert!(store.begin_check(&record.id, at(1_000), at(1_500), at(1_600)).await?);
    assert!(!store.begin_check(&record.id, at(1_000), at(1_599), at(1_700)).await?, "somebody is asking");
    assert!(store.begin_check(&record.id, at(1_000), at(1_600), at(1_700)).await?, "they did not come back");
    assert!(!store.vouched(&record.id, at(999), said.clone()).await?);
    assert!(store.vouched(&record.id, at(1_000), said.clone()).await?);
    let Vouched { claims, scopes, tokens, at: checked_at } = said.clone();
    assert_eq!(alice(store).await?, Some(IdentityRecord { claims, scopes, tokens, checked_at, ..record.clone() }));
    let user = store.find_user(&record.address).await?.map(|record| record.user.scopes);
    assert_eq!(user, Some(said.scopes.clone()));
    assert!(!store.vouched(&record.id, at(1_000), said).await?, "what is older does not count");
    assert!(store.begin_check(&record.id, at(2_000), at(1_650), at(1_700)).await?, "the reservation was given back");
    Ok(())
}

async fn a_refusal_ends_what_there_is<S: UserStore + SessionStore + IdentityStore>(
    store: &S,
) -> Result<(), StoreError> {
    let record = identity("1", "alice@example.com");
    bound(store, record.clone()).await?;
    bound(store, identity("2", "bob@example.com")).await?;
    for (id, address) in [("aaaaaaaaaaaa", "alice@example.com"), ("bbbbbbbbbbbb", "bob@example.com")] {
        assert_eq!(store.begin_session(session(id, address), None).await?, Beginning::Begun);
    }
    assert!(!store.refused(&record.id, at(999), at(1_500)).await?);
    assert!(store.refused(&record.id, at(1_000), at(1_500)).await?);
    assert!(!store.refused(&record.id, at(1_000), at(1_600)).await?, "the first time stands");
    let expected = IdentityRecord { tokens: None, refused_at: Some(at(1_500)), ..record.clone() };
    assert_eq!(alice(store).await?, Some(expected));
    assert_eq!(store.find_session("aaaaaaaaaaaa").await?, None);
    assert!(store.find_session("bbbbbbbbbbbb").await?.is_some(), "nobody else's");
    assert!(!store.begin_check(&record.id, at(1_000), at(1_700), at(1_800)).await?);
    let said = Vouched { claims: claims(&[]), scopes: scopes("tools:read"), tokens: None, at: at(2_000) };
    assert!(!store.vouched(&record.id, at(1_000), said).await?, "a check that was under way comes too late");
    let again = IdentityRecord { checked_at: at(3_000), ..record };
    bound(store, again.clone()).await?;
    assert_eq!(alice(store).await?, Some(again), "a sign-in counts anew");
    Ok(())
}

async fn a_released_user_can_be_bound_anew<S: UserStore + SessionStore + IdentityStore>(
    store: &S,
) -> Result<(), StoreError> {
    bound(store, identity("1", "alice@example.com")).await?;
    assert_eq!(store.begin_session(session("aaaaaaaaaaaa", "alice@example.com"), None).await?, Beginning::Begun);
    assert!(store.release_user(&mail("alice@example.com")).await?);
    assert_eq!((alice(store).await?, store.find_session("aaaaaaaaaaaa").await?), (None, None));
    let second = identity("2", "alice@example.com");
    bound(store, second.clone()).await?;
    assert_eq!(alice(store).await?, Some(second));
    Ok(())
}

async fn of_many_checks_one_begins<S: IdentityStore>(store: Arc<S>) -> Result<(), StoreError> {
    let record = identity("1", "alice@example.com");
    bound(&*store, record.clone()).await?;
    for round in 1..10_i64 {
        let id = record.id.clone();
        let now = 2_000 + round * 100;
        let begun = crowd(&store, |store, _| {
            let id = id.clone();
            async move { store.begin_check(&id, at(1_000), at(now), at(now + 100)).await }
        })
        .await?;
        assert_eq!(begun.iter().filter(|begun| **begun).count(), 1);
    }
    Ok(())
}

async fn of_many_people_one_gets_an_address<S: IdentityStore>(store: Arc<S>) -> Result<(), StoreError> {
    let results = crowd(&store, |store, number| async move {
        let record = identity(&number.to_string(), "alice@example.com");
        Ok((bind(&*store, record.clone()).await?, record))
    })
    .await?;
    let (winners, losers): (Vec<_>, Vec<_>) = results.into_iter().partition(|(bound, _)| matches!(bound, Bound::To(_)));
    assert_eq!((winners.len(), losers.len()), (1, CROWD - 1));
    assert_eq!(alice(&*store).await?, winners.into_iter().next().map(|(_, record)| record));
    Ok(())
}
