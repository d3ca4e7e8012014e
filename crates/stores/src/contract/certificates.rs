//! What every [`CertificateStore`] has to keep.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{
    Attempt, CertificateId, CertificateRecord, CertificateStore, ChallengeKind, ChallengeRecord, LeaseOutcome, Sealed,
    StoreError,
};
use jiff::Timestamp;

use super::{CROWD, at, crowd};

const HTTP: ChallengeKind = ChallengeKind::Http01;
const ALPN: ChallengeKind = ChallengeKind::TlsAlpn01;

/// Holds a [`CertificateStore`] to its promises. Has to run on a Tokio runtime, best one with
/// several threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn certificate_store<Make, Made>(make: Make) -> Result<(), StoreError>
where
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<dyn CertificateStore>, StoreError>>,
{
    an_empty_store_has_nothing(&*make().await?).await?;
    accounts_are_kept_by_name(&*make().await?).await?;
    the_latest_certificate_stands(&*make().await?).await?;
    times_are_kept_to_the_microsecond(&*make().await?).await?;
    challenges_are_found_until_they_close_or_expire(&*make().await?).await?;
    a_lease_is_one_owners_until_it_ends(&*make().await?).await?;
    failed_attempts_are_counted_until_one_succeeds(&*make().await?).await?;
    who_lost_the_lease_changes_nothing(&*make().await?).await?;
    of_many_who_ask_one_gets_the_lease(make().await?).await
}

fn id(name: &str) -> CertificateId {
    CertificateId::new("https://acme.example/directory", &[name.to_owned()])
}

fn record(name: &str, obtained_at: Timestamp) -> CertificateRecord {
    CertificateRecord {
        id: id(name),
        chain: "-----BEGIN CERTIFICATE-----\n'; DROP TABLE acme_certificate; --\n".to_owned(),
        key: Sealed::new(vec![0, 1, 0xff, b'\'', 0]),
        not_before: at(1_750_000_000_000_001),
        not_after: at(1_757_776_000_000_002),
        obtained_at,
    }
}

fn challenge(kind: ChallengeKind, key: &str, answer: &str, expires_at: i64) -> ChallengeRecord {
    ChallengeRecord { kind, key: key.to_owned(), answer: answer.to_owned(), expires_at: at(expires_at) }
}

async fn an_empty_store_has_nothing(store: &dyn CertificateStore) -> Result<(), StoreError> {
    assert_eq!(store.acme_account("https://acme.example").await?, None);
    assert_eq!(store.certificate(&id("a.example")).await?, None);
    assert_eq!(store.challenge_answer(ALPN, "a.example", at(0)).await?, None);
    assert_eq!(store.failed_attempt(&id("a.example")).await?, None);
    store.close_challenge(HTTP, "token").await?;
    store.give_lease_back(&id("a.example"), "nobody", None).await
}

async fn accounts_are_kept_by_name(store: &dyn CertificateStore) -> Result<(), StoreError> {
    let (one, other) = (Sealed::new(vec![0, 255]), Sealed::new(vec![1]));
    store.keep_acme_account("https://a.example ops@example.com", &one).await?;
    store.keep_acme_account("https://b.example", &other).await?;
    assert_eq!(store.acme_account("https://a.example ops@example.com").await?, Some(one));
    assert_eq!(store.acme_account("https://A.example ops@example.com").await?, None);
    store.keep_acme_account("https://a.example ops@example.com", &other).await?;
    assert_eq!(store.acme_account("https://a.example ops@example.com").await?, Some(other));
    Ok(())
}

async fn the_latest_certificate_stands(store: &dyn CertificateStore) -> Result<(), StoreError> {
    let first = record("a.example", at(100));
    store.keep_certificate(&first).await?;
    assert_eq!(store.certificate(&first.id).await?.as_ref(), Some(&first));
    assert_eq!(store.certificate(&id("b.example")).await?, None, "other names are another certificate");
    let second = CertificateRecord { chain: "newer".into(), not_after: at(7), ..record("a.example", at(200)) };
    store.keep_certificate(&second).await?;
    assert_eq!(store.certificate(&first.id).await?.as_ref(), Some(&second));
    store.keep_certificate(&first).await?;
    assert_eq!(store.certificate(&first.id).await?.as_ref(), Some(&second), "an older one changes nothing");
    let third = CertificateRecord { key: Sealed::new(vec![3]), ..second.clone() };
    store.keep_certificate(&third).await?;
    assert_eq!(store.certificate(&first.id).await?, Some(third), "of the same moment, the last stands");
    Ok(())
}

async fn times_are_kept_to_the_microsecond(store: &dyn CertificateStore) -> Result<(), StoreError> {
    let finer = |at: Timestamp| Timestamp::from_nanosecond(at.as_nanosecond() + 999).unwrap_or(at);
    let exact = record("a.example", at(1_750_000_003_000_003));
    store
        .keep_certificate(&CertificateRecord {
            not_before: finer(exact.not_before),
            not_after: finer(exact.not_after),
            obtained_at: finer(exact.obtained_at),
            ..exact.clone()
        })
        .await?;
    assert_eq!(store.certificate(&exact.id).await?.as_ref(), Some(&exact));
    let attempt = Attempt { failures: 1, failed_at: at(5), retry_at: at(7) };
    let given = Attempt { failed_at: finer(attempt.failed_at), retry_at: finer(attempt.retry_at), ..attempt };
    store.take_lease(&exact.id, "one", at(0), at(10)).await?;
    store.give_lease_back(&exact.id, "one", Some(given)).await?;
    assert_eq!(store.failed_attempt(&exact.id).await?, Some(attempt));
    Ok(())
}

async fn challenges_are_found_until_they_close_or_expire(store: &dyn CertificateStore) -> Result<(), StoreError> {
    store.open_challenge(&challenge(ALPN, "a.example", "token.print", 100), at(0)).await?;
    store.open_challenge(&challenge(HTTP, "a.example", "another", 100), at(0)).await?;
    store.open_challenge(&challenge(HTTP, "toKen_-'", "third", 50), at(0)).await?;
    let found = async |kind, key: &str, now| store.challenge_answer(kind, key, at(now)).await;
    assert_eq!(found(ALPN, "a.example", 99).await?.as_deref(), Some("token.print"));
    assert_eq!(found(HTTP, "a.example", 99).await?.as_deref(), Some("another"), "kinds are apart");
    assert_eq!(found(HTTP, "toKen_-'", 49).await?.as_deref(), Some("third"));
    assert_eq!(found(HTTP, "token_-'", 49).await?, None, "tokens differ by case");
    assert_eq!(found(ALPN, "a.example", 100).await?, None, "it has expired");
    store.open_challenge(&challenge(ALPN, "a.example", "anew", 200), at(60)).await?;
    assert_eq!(found(ALPN, "a.example", 100).await?.as_deref(), Some("anew"));
    assert_eq!(found(HTTP, "toKen_-'", 0).await?, None, "what had expired is forgotten");
    store.close_challenge(ALPN, "a.example").await?;
    assert_eq!(found(ALPN, "a.example", 0).await?, None);
    assert_eq!(found(HTTP, "a.example", 0).await?.as_deref(), Some("another"));
    Ok(())
}

async fn a_lease_is_one_owners_until_it_ends(store: &dyn CertificateStore) -> Result<(), StoreError> {
    let a = id("a.example");
    let take = async |owner: &str, now, until| store.take_lease(&a, owner, at(now), at(until)).await;
    assert_eq!(take("one", 0, 60).await?, LeaseOutcome::Taken);
    assert_eq!(take("two", 59, 120).await?, LeaseOutcome::Held);
    assert_eq!(store.take_lease(&id("b.example"), "two", at(0), at(60)).await?, LeaseOutcome::Taken);
    assert_eq!(take("one", 50, 110).await?, LeaseOutcome::Taken, "its owner renews it");
    assert_eq!(take("two", 60, 120).await?, LeaseOutcome::Held, "and it was renewed");
    assert_eq!(take("two", 110, 170).await?, LeaseOutcome::Taken, "it had ended");
    assert_eq!(take("one", 120, 180).await?, LeaseOutcome::Held, "who lost it has to wait");
    store.give_lease_back(&a, "two", None).await?;
    assert_eq!(take("one", 120, 180).await?, LeaseOutcome::Taken);
    Ok(())
}

async fn failed_attempts_are_counted_until_one_succeeds(store: &dyn CertificateStore) -> Result<(), StoreError> {
    let a = id("a.example");
    let attempt = |failures| Attempt { failures, failed_at: at(10), retry_at: at(20) };
    store.take_lease(&a, "one", at(0), at(60)).await?;
    assert_eq!(store.failed_attempt(&a).await?, None);
    store.give_lease_back(&a, "one", Some(attempt(1))).await?;
    assert_eq!(store.failed_attempt(&a).await?, Some(attempt(1)));
    assert_eq!(store.failed_attempt(&id("b.example")).await?, None);
    assert_eq!(store.take_lease(&a, "two", at(1), at(61)).await?, LeaseOutcome::Taken, "it was given back");
    assert_eq!(store.failed_attempt(&a).await?, Some(attempt(1)), "taking it forgets nothing");
    store.give_lease_back(&a, "two", Some(attempt(u32::MAX))).await?;
    assert_eq!(store.failed_attempt(&a).await?, Some(attempt(u32::MAX)));
    store.take_lease(&a, "two", at(1), at(61)).await?;
    store.give_lease_back(&a, "two", None).await?;
    assert_eq!(store.failed_attempt(&a).await?, None);
    Ok(())
}

async fn who_lost_the_lease_changes_nothing(store: &dyn CertificateStore) -> Result<(), StoreError> {
    let a = id("a.example");
    store.take_lease(&a, "one", at(0), at(60)).await?;
    store.take_lease(&a, "two", at(60), at(120)).await?;
    store.give_lease_back(&a, "one", Some(Attempt { failures: 9, failed_at: at(61), retry_at: at(99) })).await?;
    assert_eq!(store.failed_attempt(&a).await?, None);
    assert_eq!(store.take_lease(&a, "three", at(100), at(160)).await?, LeaseOutcome::Held, "it is the other's still");
    Ok(())
}

async fn of_many_who_ask_one_gets_the_lease(store: Arc<dyn CertificateStore>) -> Result<(), StoreError> {
    for round in 0..10 {
        let wanted = id(&format!("r{round}.example"));
        // One that has ended is contended as one that never was.
        if round % 2 == 1 {
            store.take_lease(&wanted, "dead", at(-60), at(0)).await?;
        }
        let outcomes = crowd(&store, |store, number| {
            let wanted = wanted.clone();
            async move { store.take_lease(&wanted, &format!("owner {number}"), at(0), at(60)).await }
        })
        .await?;
        let taken = outcomes.iter().filter(|outcome| **outcome == LeaseOutcome::Taken).count();
        assert_eq!((taken, outcomes.len()), (1, CROWD));
    }
    Ok(())
}
