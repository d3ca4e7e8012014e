//! What every [`CredentialStore`] has to keep.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{
    CredentialStore, LeaseOutcome, Sealed, StoreError,
    credentials::{CredentialKind, CredentialRecord, CredentialVersion, PendingConnection, Removal, Replacement},
};
use jiff::Timestamp;

use super::{CROWD, at, crowd};

const ALICE: &str = "alice@example.com";

/// Holds a [`CredentialStore`] to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn credential_store<Make, Made>(make: Make) -> Result<(), StoreError>
where
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<dyn CredentialStore>, StoreError>>,
{
    an_empty_store_has_nothing(&*make().await?).await?;
    each_teammate_has_one_of_each_vault(&*make().await?).await?;
    times_are_kept_to_the_microsecond(&*make().await?).await?;
    what_is_replaced_has_to_be_there_still(&*make().await?).await?;
    one_process_renews_at_a_time(&*make().await?).await?;
    a_connection_is_taken_once(&*make().await?).await?;
    of_many_who_replace_one_does(make().await?).await?;
    of_many_who_renew_one_does(make().await?).await?;
    of_many_who_come_back_one_counts(make().await?).await
}

fn version(text: &str) -> CredentialVersion {
    CredentialVersion::new(text)
}

fn record(vault: &str, subject: &str, content: u8) -> CredentialRecord {
    CredentialRecord {
        vault: vault.into(),
        subject: subject.into(),
        kind: CredentialKind::OAuth,
        sealed: Sealed::new(vec![content, 0, 0xff, b'\'']),
        version: version(&format!("v{content}")),
        entered_at: at(1_750_000_000_000_001),
        renewed_at: at(1_750_000_000_000_002),
        expires_at: Some(at(1_750_000_900_000_003)),
        refused_at: None,
    }
}

fn pending(state: u8, expires_at: i64) -> PendingConnection {
    PendingConnection {
        state: [state; 32],
        session: "session'; --".into(),
        vault: "crm".into(),
        subject: ALICE.into(),
        verifier: Sealed::new(vec![0, state]),
        next: Some("/oauth/authorize?a=b".to_owned()),
        expires_at: at(expires_at),
    }
}

async fn an_empty_store_has_nothing(store: &dyn CredentialStore) -> Result<(), StoreError> {
    assert_eq!(store.credential("crm", ALICE).await?, None);
    assert_eq!((store.credentials().await?, store.credentials_of(ALICE).await?), (vec![], vec![]));
    assert_eq!(store.remove_credential("crm", ALICE).await?, Removal::NotFound);
    assert_eq!(store.replace_credential(&record("crm", ALICE, 1), &version("v1")).await?, Replacement::Changed);
    assert_eq!(store.take_renewal("crm", ALICE, "one", at(0), at(9)).await?, LeaseOutcome::Held);
    store.end_renewal("crm", ALICE, "one").await?;
    assert_eq!(store.take_connection(&[1; 32], at(0)).await?, None);
    assert_eq!(store.credentials().await?, [], "asking makes none");
    Ok(())
}

async fn each_teammate_has_one_of_each_vault(store: &dyn CredentialStore) -> Result<(), StoreError> {
    let odd = "Žofie Ångström 张伟 <zofie@example.com>'; DROP TABLE credential; --";
    let bare = CredentialRecord {
        kind: CredentialKind::Fields,
        sealed: Sealed::new(Vec::new()),
        expires_at: None,
        refused_at: Some(at(-1)),
        ..record("erp", ALICE, 2)
    };
    let all = [record("crm", odd, 4), record("crm", ALICE, 1), record("crm", "bob@example.com", 3), bare];
    for one in [&all[3], &all[0], &all[2], &all[1]] {
        store.keep_credential(one).await?;
    }
    for one in &all {
        assert_eq!(store.credential(&one.vault, &one.subject).await?.as_ref(), Some(one));
    }
    let mut in_order = all.to_vec();
    in_order.sort_by(|a, b| (&a.vault, &a.subject).cmp(&(&b.vault, &b.subject)));
    assert_eq!(store.credentials().await?, in_order);
    assert_eq!(store.credentials_of(ALICE).await?, [all[1].clone(), all[3].clone()]);
    for other in ["Alice@example.com", "alice@example.co", ""] {
        assert_eq!(store.credential("crm", other).await?, None, "{other}");
    }
    let anew = record("crm", ALICE, 9);
    store.keep_credential(&anew).await?;
    assert_eq!(store.credential("crm", ALICE).await?, Some(anew));
    assert_eq!(store.remove_credential("crm", ALICE).await?, Removal::Removed);
    assert_eq!(store.remove_credential("crm", ALICE).await?, Removal::NotFound);
    assert_eq!(store.credentials().await?.len(), 3, "nobody else's");
    Ok(())
}

async fn times_are_kept_to_the_microsecond(store: &dyn CredentialStore) -> Result<(), StoreError> {
    let finer = |at: Timestamp| Timestamp::from_nanosecond(at.as_nanosecond() + 999).unwrap_or(at);
    let exact = CredentialRecord { refused_at: Some(at(7)), ..record("crm", ALICE, 1) };
    let given = CredentialRecord {
        entered_at: finer(exact.entered_at),
        renewed_at: finer(exact.renewed_at),
        expires_at: exact.expires_at.map(finer),
        refused_at: exact.refused_at.map(finer),
        ..exact.clone()
    };
    store.keep_credential(&given).await?;
    assert_eq!(store.credential("crm", ALICE).await?.as_ref(), Some(&exact));
    assert_eq!(store.replace_credential(&given, &exact.version).await?, Replacement::Replaced);
    assert_eq!(store.credential("crm", ALICE).await?, Some(exact));
    Ok(())
}

async fn what_is_replaced_has_to_be_there_still(store: &dyn CredentialStore) -> Result<(), StoreError> {
    let (first, second) = (record("crm", ALICE, 1), record("crm", ALICE, 2));
    let bob = record("crm", "bob@example.com", 1);
    store.keep_credential(&first).await?;
    store.keep_credential(&bob).await?;
    assert_eq!(store.replace_credential(&second, &version("v0")).await?, Replacement::Changed);
    assert_eq!(store.credential("crm", ALICE).await?.as_ref(), Some(&first));
    assert_eq!(store.replace_credential(&second, &first.version).await?, Replacement::Replaced);
    assert_eq!(store.replace_credential(&first, &first.version).await?, Replacement::Changed, "it is another by now");
    assert_eq!(store.credential("crm", ALICE).await?.as_ref(), Some(&second));
    assert_eq!(store.credential("crm", "bob@example.com").await?, Some(bob), "nobody else's");
    let sealed_anew = CredentialRecord { sealed: Sealed::new(vec![7]), ..second.clone() };
    assert_eq!(store.replace_credential(&sealed_anew, &second.version).await?, Replacement::Replaced);
    assert_eq!(store.replace_credential(&second, &second.version).await?, Replacement::Replaced, "the version stayed");
    Ok(())
}

async fn one_process_renews_at_a_time(store: &dyn CredentialStore) -> Result<(), StoreError> {
    let take = async |owner: &str, now, until| store.take_renewal("crm", ALICE, owner, at(now), at(until)).await;
    let first = record("crm", ALICE, 1);
    store.keep_credential(&first).await?;
    store.keep_credential(&record("erp", ALICE, 1)).await?;
    assert_eq!(take("one", 0, 60).await?, LeaseOutcome::Taken);
    assert_eq!(take("two", 59, 120).await?, LeaseOutcome::Held);
    assert_eq!(take("one", 50, 110).await?, LeaseOutcome::Taken, "it goes on");
    assert_eq!(store.take_renewal("erp", ALICE, "two", at(59), at(120)).await?, LeaseOutcome::Taken, "another vault");
    store.end_renewal("crm", ALICE, "two").await?;
    assert_eq!(take("two", 60, 120).await?, LeaseOutcome::Held, "it was not theirs to end");
    store.replace_credential(&record("crm", ALICE, 2), &first.version).await?;
    assert_eq!(take("two", 60, 120).await?, LeaseOutcome::Held, "a replacement ends no renewal");
    assert_eq!(take("two", 110, 170).await?, LeaseOutcome::Taken, "it had ended by itself");
    store.end_renewal("crm", ALICE, "two").await?;
    assert_eq!(take("one", 120, 180).await?, LeaseOutcome::Taken);
    store.keep_credential(&record("crm", ALICE, 3)).await?;
    assert_eq!(take("two", 121, 181).await?, LeaseOutcome::Taken, "what is entered anew is nobody's");
    store.remove_credential("crm", ALICE).await?;
    store.keep_credential(&first).await?;
    assert_eq!(take("one", 122, 182).await?, LeaseOutcome::Taken, "and what comes after a removal");
    Ok(())
}

async fn a_connection_is_taken_once(store: &dyn CredentialStore) -> Result<(), StoreError> {
    let first = pending(1, 100);
    store.begin_connection(&first, at(0)).await?;
    store.begin_connection(&PendingConnection { next: None, ..pending(2, 200) }, at(0)).await?;
    assert_eq!(store.take_connection(&[3; 32], at(0)).await?, None);
    assert_eq!(store.take_connection(&[1; 32], at(99)).await?, Some(first));
    assert_eq!(store.take_connection(&[1; 32], at(99)).await?, None, "once");
    assert_eq!(store.take_connection(&[2; 32], at(200)).await?, None, "too late");
    assert_eq!(store.take_connection(&[2; 32], at(0)).await?, None, "and that was its one time");
    store.begin_connection(&pending(4, 100), at(0)).await?;
    store.begin_connection(&pending(5, 300), at(100)).await?;
    assert_eq!(store.take_connection(&[4; 32], at(0)).await?, None, "what had expired is forgotten");
    assert!(store.take_connection(&[5; 32], at(100)).await?.is_some());
    Ok(())
}

async fn of_many_who_replace_one_does(store: Arc<dyn CredentialStore>) -> Result<(), StoreError> {
    let first = record("crm", ALICE, 100);
    store.keep_credential(&first).await?;
    let outcomes = crowd(&store, |store, number| {
        let first = first.clone();
        async move {
            let content = u8::try_from(number).unwrap_or(u8::MAX);
            store.replace_credential(&record("crm", ALICE, content), &first.version).await
        }
    })
    .await?;
    let replaced = outcomes.iter().filter(|outcome| **outcome == Replacement::Replaced).count();
    assert_eq!((replaced, outcomes.len()), (1, CROWD));
    Ok(())
}

async fn of_many_who_renew_one_does(store: Arc<dyn CredentialStore>) -> Result<(), StoreError> {
    for round in 0..5_i64 {
        store.keep_credential(&record("crm", ALICE, 1)).await?;
        let outcomes = crowd(&store, |store, number| async move {
            store.take_renewal("crm", ALICE, &format!("process {number}"), at(round), at(round + 60)).await
        })
        .await?;
        let taken = outcomes.iter().filter(|outcome| **outcome == LeaseOutcome::Taken).count();
        assert_eq!((taken, outcomes.len()), (1, CROWD));
    }
    Ok(())
}

async fn of_many_who_come_back_one_counts(store: Arc<dyn CredentialStore>) -> Result<(), StoreError> {
    store.begin_connection(&pending(1, 100), at(0)).await?;
    let outcomes = crowd(&store, |store, _| async move { store.take_connection(&[1; 32], at(1)).await }).await?;
    assert_eq!((outcomes.iter().flatten().count(), outcomes.len()), (1, CROWD));
    Ok(())
}
