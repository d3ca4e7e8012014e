//! A2: keys are issued, listed, expired and revoked, and stored hashed.

use std::{sync::atomic::Ordering, time::Duration};

use super::*;
use crate::{
    RootKeys,
    testing::{Desk, Seeded, for_alice},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn a_key_is_shown_once_and_opens_until_it_is_revoked() {
    let desk = Desk::new();
    assert!(desk.keys.is_empty().await.unwrap());
    let new = NewKey { subject: "  alice@example.com ".into(), label: Some("laptop".into()), ..for_alice() };
    let (record, secret) = desk.create(new).await;
    assert!(!desk.keys.is_empty().await.unwrap());
    assert_eq!((&*record.subject, record.label.as_deref()), ("alice@example.com", Some("laptop")));
    assert_eq!(record.created_at.to_string(), "2026-03-01T12:00:00Z", "what no store keeps is cut off");
    assert_eq!(desk.keys.list().await.unwrap(), std::slice::from_ref(&record));

    let verified = desk.keys.verify(secret.expose()).await.unwrap();
    assert_eq!(verified, record);

    assert_eq!(desk.keys.revoke(&record.id).await.unwrap(), Revocation::Revoked);
    assert!(matches!(desk.keys.verify(secret.expose()).await, Err(Denied::Revoked { .. })));
    assert!(!desk.keys.is_empty().await.unwrap(), "a revoked key was made here too");
}

#[tokio::test]
async fn nothing_of_the_secret_is_stored_or_printed() {
    let desk = Desk::new();
    let (record, secret) = desk.create(for_alice()).await;
    let text = secret.expose();
    let hidden = &text[text.len() - 38..];
    let (_, stored) = desk.store.records.lock().unwrap().pop_first().unwrap();
    let shown = format!("{record:?} {stored:?} {secret:?} {:?} {:?}", desk.keys, KeyText::parse(text).unwrap());
    assert!(!shown.contains(hidden) && !shown.contains(&hidden[..8]), "{shown}");
    assert!(stored.hash.as_bytes().windows(8).all(|piece| !text.as_bytes().windows(8).any(|other| other == piece)));
}

#[tokio::test]
async fn a_key_ends_at_its_moment() {
    let desk = Desk::new();
    let expires_at = desk.clock.now() + DAY;
    let (_, secret) = desk.create(NewKey { expires_at: Some(expires_at), ..for_alice() }).await;
    desk.clock.advance(DAY - Duration::from_secs(1));
    desk.keys.verify(secret.expose()).await.unwrap();
    desk.clock.advance(Duration::from_secs(1));
    let denied = desk.keys.verify(secret.expose()).await.unwrap_err();
    assert!(matches!(denied, Denied::Expired { .. }), "{denied:?}");
    assert_eq!(
        denied.to_string(),
        "This API key expired at 2026-03-02 12:00:00 UTC. Ask whoever runs this server for a new one."
    );
}

/// Someone who guesses learns nothing: not that the id is right, not that the key is revoked.
#[tokio::test]
async fn an_unknown_id_and_a_wrong_secret_are_the_same_refusal() {
    let desk = Desk::new();
    let (record, _) = desk.create(for_alice()).await;
    desk.keys.revoke(&record.id).await.unwrap();
    let stranger = KeyText::generate(&Seeded::new(99));
    let forged = with_id(&stranger, &record.id);
    let denials = [
        desk.keys.verify(stranger.secret().expose()).await.unwrap_err(),
        desk.keys.verify(forged.secret().expose()).await.unwrap_err(),
    ];
    assert!(denials.iter().all(|denied| matches!(denied, Denied::Unknown)), "{denials:?}");
    assert_eq!(desk.store.touches.lock().unwrap().len(), 0);
}

/// A key with another's id and a checksum that fits.
fn with_id(key: &KeyText, id: &KeyId) -> KeyText {
    let text = key.secret().expose();
    let body = format!("bhk_{id}{}", &text[16..49]);
    let mut rest = crc32fast::hash(body.as_bytes());
    let mut checksum = Vec::new();
    for _ in 0..6 {
        checksum.push(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[rest as usize % 62]);
        rest /= 62;
    }
    checksum.reverse();
    KeyText::parse(&format!("{body}{}", String::from_utf8(checksum).unwrap())).unwrap()
}

#[tokio::test]
async fn what_cannot_be_a_key_never_reaches_the_store() {
    let desk = Desk::new();
    let (_, secret) = desk.create(for_alice()).await;
    let damaged = secret.expose().replacen("bhk_", "bhk_x", 1);
    assert!(matches!(desk.keys.verify(&damaged).await, Err(Denied::Damaged)));
    assert!(matches!(desk.keys.verify("eyJhbGciOi").await, Err(Denied::Unrecognised)));
    assert!(matches!(desk.keys.verify("").await, Err(Denied::Unrecognised)));
    assert_eq!(desk.store.finds.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_root_key_is_rotated_by_putting_a_new_one_in_front() {
    let desk = Desk::new();
    let (old, old_secret) = desk.create(for_alice()).await;

    let newer = RootKeys::generate(&Seeded::new(7));
    let both = desk.under(&newer.clone().followed_by(desk.roots.clone()));
    let (new, new_secret) = both.create(for_alice()).await.unwrap();
    assert_ne!(new.pepper_version, old.pepper_version);
    assert_eq!(both.verify(old_secret.expose()).await.unwrap().id, old.id);
    assert_eq!(both.verify(new_secret.expose()).await.unwrap().id, new.id);
    assert_eq!(both.without_pepper().await.unwrap(), []);

    let only_newer = desk.under(&newer);
    assert!(matches!(only_newer.verify(old_secret.expose()).await, Err(Denied::Unknown)));
    only_newer.verify(new_secret.expose()).await.unwrap();
    let locked_out: Vec<_> = only_newer.without_pepper().await.unwrap().into_iter().map(|record| record.id).collect();
    assert_eq!(locked_out, std::slice::from_ref(&old.id));
    only_newer.revoke(&old.id).await.unwrap();
    assert_eq!(only_newer.without_pepper().await.unwrap(), [], "a revoked key locks nobody out");
}

#[tokio::test]
async fn a_use_is_recorded_once_a_minute_and_nobody_waits_for_it() {
    let desk = Desk::new();
    let (record, secret) = desk.create(for_alice()).await;
    let touches = || desk.store.touches.lock().unwrap().len();
    for _ in 0..5 {
        desk.keys.verify(secret.expose()).await.unwrap();
    }
    desk.keys.settle().await;
    assert_eq!(touches(), 1);
    let used = desk.keys.list().await.unwrap()[0].last_used_at;
    assert_eq!(used, Some(to_microsecond(desk.clock.now())));

    desk.clock.advance(Duration::from_secs(59));
    desk.keys.verify(secret.expose()).await.unwrap();
    desk.keys.settle().await;
    assert_eq!(touches(), 1);

    desk.clock.advance(Duration::from_secs(2));
    desk.keys.verify(secret.expose()).await.unwrap();
    desk.keys.settle().await;
    assert_eq!(touches(), 2);

    // Another replica has recorded a use since: it counts here too.
    desk.clock.advance(Duration::from_secs(61));
    let now = to_microsecond(desk.clock.now());
    desk.store.records.lock().unwrap().get_mut(&record.id).unwrap().last_used_at = Some(now);
    desk.keys.verify(secret.expose()).await.unwrap();
    desk.keys.settle().await;
    assert_eq!(touches(), 2);
}

#[tokio::test]
async fn a_store_that_is_down_is_not_the_teammates_fault() {
    let desk = Desk::new();
    let (_, secret) = desk.create(for_alice()).await;
    desk.store.down.store(true, Ordering::Relaxed);
    let denied = desk.keys.verify(secret.expose()).await.unwrap_err();
    assert!(matches!(denied, Denied::StoreUnavailable(_)), "{denied:?}");
    assert!(!denied.to_string().contains("fake"), "{denied}");
    let error = desk.keys.create(for_alice()).await.unwrap_err();
    assert!(matches!(error, CreateError::Store(StoreError::Unavailable { .. })), "{error:?}");
}

#[tokio::test]
async fn what_cannot_be_issued_is_refused_with_a_reason() {
    let desk = Desk::new();
    let refused = async |new: NewKey| desk.keys.create(new).await.unwrap_err();
    for subject in ["", " \t", "a\nb", &"x".repeat(256)] {
        let error = refused(NewKey { subject: subject.into(), ..for_alice() }).await;
        assert!(matches!(error, CreateError::Subject), "{subject:?}");
    }
    let error = refused(NewKey { label: Some("a\u{1b}[31m".into()), ..for_alice() }).await;
    assert!(matches!(error, CreateError::Label));
    let error = refused(NewKey { expires_at: Some(desk.clock.now()), ..for_alice() }).await;
    assert!(matches!(error, CreateError::Expired { .. }));
    for header in ["", "X Key", "Host", "Mcp-Session-Id"] {
        let error = refused(NewKey { header: Some(header.into()), ..for_alice() }).await;
        assert!(matches!(error, CreateError::Header(_)), "{header}");
    }
    assert!(desk.keys.is_empty().await.unwrap());
}

#[tokio::test]
async fn randomness_that_repeats_itself_makes_no_second_key() {
    struct Stuck;
    impl Randomness for Stuck {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(5);
        }
    }
    let desk = Desk::new();
    let keys = IssuedKeys::new(desk.store.clone(), Peppers::derive(&desk.roots), desk.clock.clone(), Arc::new(Stuck));
    let (first, _) = keys.create(for_alice()).await.unwrap();
    let error = keys.create(for_alice()).await.unwrap_err();
    assert!(matches!(error, CreateError::NoFreeId), "{error:?}");
    assert_eq!(keys.list().await.unwrap(), [first]);
}
