//! What every [`SubjectStore`] has to keep.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{Denial, DeniedSubject, Readmission, StoreError, SubjectStore, keys::to_microsecond};
use jiff::Timestamp;

use super::{CROWD, at, crowd};

/// Names that break what is put together carelessly.
const HOSTILE: &str = "Žofie 张伟 👩‍🔧 <zofie@example.com>'; DROP TABLE denied_subject; -- %_\\";

/// Holds a [`SubjectStore`] to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn subject_store<Make, Made>(make: Make) -> Result<(), StoreError>
where
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<dyn SubjectStore>, StoreError>>,
{
    nobody_is_denied_at_first(&*make().await?).await?;
    who_is_denied_is_so_until_allowed(&*make().await?).await?;
    names_are_compared_byte_by_byte(&*make().await?).await?;
    times_are_kept_to_the_microsecond(&*make().await?).await?;
    the_list_is_longest_first(&*make().await?).await?;
    of_many_denials_one_counts(make().await?).await
}

fn denied(subject: &str, denied_at: Timestamp) -> DeniedSubject {
    DeniedSubject { subject: subject.into(), denied_at }
}

async fn nobody_is_denied_at_first(store: &dyn SubjectStore) -> Result<(), StoreError> {
    assert_eq!(store.denied_since("key-0123456789abcdef").await?, None);
    assert_eq!(store.allow_subject("key-0123456789abcdef").await?, Readmission::NotDenied);
    assert_eq!(store.denied_subjects().await?, []);
    Ok(())
}

async fn who_is_denied_is_so_until_allowed(store: &dyn SubjectStore) -> Result<(), StoreError> {
    let (one, other) = ("key-0123456789abcdef", HOSTILE);
    assert_eq!(store.deny_subject(one, at(100)).await?, Denial::Denied);
    assert_eq!(store.deny_subject(one, at(200)).await?, Denial::AlreadyDenied);
    assert_eq!(store.deny_subject(other, at(300)).await?, Denial::Denied);
    assert_eq!(store.denied_since(one).await?, Some(at(100)), "the first time stands");
    assert_eq!(store.denied_subjects().await?, [denied(one, at(100)), denied(other, at(300))]);
    assert_eq!(store.allow_subject(one).await?, Readmission::Allowed);
    assert_eq!(store.allow_subject(one).await?, Readmission::NotDenied);
    assert_eq!(store.denied_since(one).await?, None);
    assert_eq!(store.denied_since(other).await?, Some(at(300)), "the other one is as they were");
    assert_eq!(store.deny_subject(one, at(400)).await?, Denial::Denied, "and may be denied again");
    assert_eq!(store.denied_subjects().await?, [denied(other, at(300)), denied(one, at(400))]);
    Ok(())
}

async fn names_are_compared_byte_by_byte(store: &dyn SubjectStore) -> Result<(), StoreError> {
    let names = ["alice@example.com", "Alice@example.com", "alice@example.com ", "a%", "a_", "é", "e\u{301}"];
    for (micros, name) in (0..).zip(names) {
        assert_eq!(store.deny_subject(name, at(micros)).await?, Denial::Denied, "{name:?}");
    }
    for (micros, name) in (0..).zip(names) {
        assert_eq!(store.denied_since(name).await?, Some(at(micros)), "{name:?}");
    }
    for name in ["", "ALICE@EXAMPLE.COM", "ab", "aa"] {
        assert_eq!(store.denied_since(name).await?, None, "{name:?}");
    }
    Ok(())
}

async fn times_are_kept_to_the_microsecond(store: &dyn SubjectStore) -> Result<(), StoreError> {
    let exact = at(1_750_000_000_123_456);
    let finer = Timestamp::from_nanosecond(exact.as_nanosecond() + 999).unwrap_or(exact);
    for (name, given, kept) in
        [("now", finer, exact), ("before", at(-1), at(-1)), ("last", Timestamp::MAX, to_microsecond(Timestamp::MAX))]
    {
        assert_eq!(store.deny_subject(name, given).await?, Denial::Denied);
        assert_eq!(store.denied_since(name).await?, Some(kept), "{name}");
    }
    Ok(())
}

async fn the_list_is_longest_first(store: &dyn SubjectStore) -> Result<(), StoreError> {
    for (name, since) in [("b", 20), ("a", 20), ("z", -5), ("B", 20), ("ä", 20), ("c", 19)] {
        store.deny_subject(name, at(since)).await?;
    }
    let listed: Vec<_> = store.denied_subjects().await?.into_iter().map(|one| one.subject.to_string()).collect();
    assert_eq!(listed, ["z", "c", "B", "a", "b", "ä"]);
    Ok(())
}

async fn of_many_denials_one_counts(store: Arc<dyn SubjectStore>) -> Result<(), StoreError> {
    for round in 0..10 {
        let name = format!("key-{round:016x}");
        let results = crowd(&store, |store, number| {
            let (name, when) = (name.clone(), at(i64::try_from(number).unwrap_or_default()));
            async move { Ok((store.deny_subject(&name, when).await?, when)) }
        })
        .await?;
        let winners: Vec<_> = results.iter().filter(|(result, _)| *result == Denial::Denied).collect();
        assert_eq!((winners.len(), results.len()), (1, CROWD));
        assert_eq!(
            store.denied_since(&name).await?,
            winners.first().map(|(_, when)| *when),
            "the time is the winner's"
        );
    }
    Ok(())
}
