//! Rotation of the root keys.

use bridgehead_auth::RootKeys;
use bridgehead_core::{CallerCredentials, CredentialLack};

use crate::desk::{ALICE, BOB, Desk, LIFE, Seeded, caller, required};

#[tokio::test]
async fn what_was_sealed_under_an_old_root_key_is_sealed_anew() {
    let before = Desk::new().await;
    before.enter(ALICE, "alice-key", "north").await;
    before.enter(BOB, "bob-key", "south").await;
    before.connect(ALICE).await;
    let done = before.credentials.reseal().await.unwrap();
    assert_eq!((done.current, done.resealed, done.unreadable.len()), (3, 0, 0), "nothing to do yet");

    let (old, new) = (before.roots.clone(), RootKeys::generate(&Seeded::new(99)));
    let rotated = before.with_roots(new.clone().followed_by(old.clone())).await;
    assert_eq!(rotated.token(ALICE).await.unwrap(), "access-1", "the old ones are read");
    rotated.enter(BOB, "bob-key-2", "south").await;
    let done = rotated.credentials.reseal().await.unwrap();
    assert_eq!((done.current, done.resealed, done.unreadable.len()), (1, 2, 0));
    assert_eq!(Some(&done.root_key), new.versions().next());
    let again = rotated.credentials.reseal().await.unwrap();
    assert_eq!((again.current, again.resealed), (3, 0), "twice is once");

    // A server with the new one behind the old one, as in the first step of a rotation.
    let first_step = before.with_roots(old.clone().followed_by(new.clone())).await;
    assert_eq!(first_step.token(ALICE).await.unwrap(), "access-1");
    let alone = before.with_roots(new).await;
    assert_eq!(alone.token(ALICE).await.unwrap(), "access-1");
    let held = alone.credentials.credential("erp", &caller(BOB)).await.unwrap();
    assert_eq!(held.value("api_key").unwrap().expose(), "bob-key-2");
    let lost = before.with_roots(old).await;
    assert_eq!(required(lost.token(ALICE).await).lack, CredentialLack::Unreadable);
}

#[tokio::test]
async fn what_cannot_be_read_is_named_and_left_as_it_is() {
    let before = Desk::new().await;
    before.enter(ALICE, "alice-key", "north").await;
    let record = before.store.credentials.credential("erp", ALICE).await.unwrap().unwrap();
    let without = before.with_roots(RootKeys::generate(&Seeded::new(99))).await;
    let done = without.credentials.reseal().await.unwrap();
    assert_eq!((done.current, done.resealed, done.unreadable), (0, 0, vec![record]));
    before.credentials.credential("erp", &caller(ALICE)).await.unwrap();
}

/// A renewal that was under way while all was sealed anew is not lost, nor is the sealing undone for
/// whoever has the new root key alone.
#[tokio::test]
async fn a_renewal_meanwhile_is_kept() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.clock.advance(LIFE);
    desk.tokens.shut(true);
    let (credentials, alice) = (desk.credentials.clone(), caller(ALICE));
    let call = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.tokens.was_asked(2).await;
    let new = RootKeys::generate(&Seeded::new(99));
    let rotated = desk.with_roots(new.followed_by(desk.roots.clone())).await;
    assert_eq!(rotated.credentials.reseal().await.unwrap().resealed, 1);
    desk.tokens.shut(false);
    call.await.unwrap().unwrap();
    assert_eq!(rotated.token(ALICE).await.unwrap(), "access-2");
    assert_eq!(rotated.credentials.reseal().await.unwrap().resealed, 1, "the server had the old one in front");
}
