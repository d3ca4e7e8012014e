//! What a teammate enters is theirs alone.

use bridgehead_auth::credentials::{EnterError, FieldFault, Removal, StandingState};
use bridgehead_core::{CallerCredentials, CredentialLack, Secret, SignIn};

use crate::desk::{ALICE, BOB, Desk, caller, required};

#[tokio::test]
async fn each_call_gets_its_callers_own_and_nobody_elses() {
    let desk = Desk::new().await;
    desk.enter(ALICE, " alice-key ", "north").await;
    let held = desk.credentials.credential("erp", &caller(ALICE)).await.unwrap();
    assert_eq!(held.value("api_key").unwrap().expose(), "alice-key", "without the blanks of a paste");
    assert_eq!(held.value("tenant").unwrap().expose(), "north");
    assert!(!format!("{held:?} {:?}", desk.credentials).contains("alice-key"));

    let lack = required(desk.credentials.credential("erp", &caller(BOB)).await);
    assert_eq!((lack.lack, &*lack.subject), (CredentialLack::NotEntered, BOB));
    assert_eq!(lack.url, "https://mcp.example.com/account/credentials/erp");
    let said = lack.to_string();
    assert!(said.contains("the ERP") && said.contains(BOB) && said.contains(&lack.url), "{said}");

    desk.enter(BOB, "bob-key", "south").await;
    let held = desk.credentials.credential("erp", &caller(ALICE)).await.unwrap();
    assert_eq!(held.value("api_key").unwrap().expose(), "alice-key");
    assert_eq!(desk.credentials.remove("erp", ALICE).await.unwrap(), Removal::Removed);
    required(desk.credentials.credential("erp", &caller(ALICE)).await);
    desk.credentials.credential("erp", &caller(BOB)).await.unwrap();
}

#[tokio::test]
async fn a_key_of_ours_that_names_a_teammate_in_capitals_is_theirs_all_the_same() {
    let desk = Desk::new().await;
    desk.enter(ALICE, "alice-key", "north").await;
    let mut by_key = caller("Alice@Example.COM");
    by_key.sign_in = SignIn::IssuedKey { key_id: "k".into() };
    desk.credentials.credential("erp", &by_key).await.unwrap();
}

/// Another system's word for who somebody is does not open what was entered here.
#[tokio::test]
async fn who_was_let_in_by_another_system_gets_nothing() {
    let desk = Desk::new().await;
    desk.enter(ALICE, "alice-key", "north").await;
    let mut mallory = caller(ALICE);
    mallory.sign_in = SignIn::UpstreamKey;
    mallory.presented = mallory.presented.with("authorization", Secret::new("Bearer theirs".into()));
    let lack = required(desk.credentials.credential("erp", &mallory).await);
    assert_eq!(lack.lack, CredentialLack::SignedInElsewhere);
}

#[tokio::test]
async fn what_cannot_be_right_is_not_kept() {
    let desk = Desk::new().await;
    let own = format!("bhs_{}", "A".repeat(43));
    let long = "x".repeat(4097);
    for (typed, fault) in [
        ("", FieldFault::Missing),
        ("  ", FieldFault::Missing),
        ("a\nb", FieldFault::Unprintable),
        (long.as_str(), FieldFault::TooLong),
        (own.as_str(), FieldFault::OwnSecret),
    ] {
        let value_of = |field: &str| Secret::new(if field == "tenant" { typed } else { "good" }.to_owned());
        match desk.credentials.enter(desk.vault("erp"), ALICE, value_of).await {
            Err(EnterError::Fields(faults)) => assert_eq!(faults, [("tenant".to_owned(), fault)]),
            other => panic!("{typed}: {other:?}"),
        }
    }
    let nothing = desk.credentials.enter(desk.vault("crm"), ALICE, |_| Secret::new("x".into())).await;
    assert!(matches!(nothing, Err(EnterError::NoFields)));
    assert_eq!(desk.credentials.list().await.unwrap(), []);
}

/// A row that is put in the place of another cannot be opened.
#[tokio::test]
async fn rows_cannot_be_swapped() {
    let desk = Desk::new().await;
    desk.enter(ALICE, "alice-key", "north").await;
    desk.enter(BOB, "bob-key", "south").await;
    let stolen = desk.store.credentials.credential("erp", ALICE).await.unwrap().unwrap();
    let mut of_bob = desk.store.credentials.credential("erp", BOB).await.unwrap().unwrap();
    of_bob.sealed = stolen.sealed;
    desk.store.credentials.keep_credential(&of_bob).await.unwrap();
    let lack = required(desk.credentials.credential("erp", &caller(BOB)).await);
    assert_eq!(lack.lack, CredentialLack::Unreadable);
    let standing = desk.credentials.standing(desk.vault("erp"), BOB).await.unwrap().unwrap();
    assert_eq!(standing.state, StandingState::Unusable);
}

/// A key that is not accepted is still sent: the system may refuse one thing and allow another. The page
/// says so, until another one is entered.
#[tokio::test]
async fn a_key_that_was_refused_is_remembered_as_such() {
    let desk = Desk::new().await;
    desk.enter(ALICE, "old", "north").await;
    let held = desk.credentials.credential("erp", &caller(ALICE)).await.unwrap();
    let lack = required(desk.credentials.not_accepted("erp", &caller(ALICE), &held).await);
    assert_eq!(lack.lack, CredentialLack::NotAccepted);
    let standing = async || desk.credentials.standing(desk.vault("erp"), ALICE).await.unwrap().unwrap().state;
    assert!(matches!(standing().await, StandingState::NotAccepted { .. }));
    let refused = desk.credentials.credential("erp", &caller(ALICE)).await.unwrap();
    assert_eq!(refused, held.clone().refused(true), "it is given all the same");
    assert_ne!(refused.standing(), held.standing(), "H2: and not what was answered with it before");
    desk.enter(ALICE, "new", "north").await;
    assert_eq!(standing().await, StandingState::Good);
    let other = desk.credentials.not_accepted("erp", &caller(ALICE), &held).await.unwrap();
    assert_eq!(other.value("api_key").unwrap().expose(), "new", "it was entered while the call was under way");
}
