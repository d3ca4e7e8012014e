//! Renewal: ahead of the end, one request at a time, and what becomes of a call when it fails.

use std::time::Duration;

use bridgehead_auth::credentials::Removal;
use bridgehead_core::{CallerCredentials, CredentialLack};
use futures_util::{future::join_all, poll};
use serde_json::json;

use crate::desk::{ALICE, BOB, Desk, LIFE, MINUTE, caller, required, token_of};

const CALLS: usize = 50;

#[tokio::test]
async fn a_token_is_renewed_a_minute_ahead_of_its_end() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.clock.advance(LIFE - MINUTE - Duration::from_secs(1));
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-1");
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-2");
    assert_eq!(desk.tokens.last("refresh_token").as_deref(), Some("refresh-1"));
    desk.tokens.tell(200, json!({"access_token": "short", "expires_in": 100}));
    desk.clock.advance(LIFE);
    assert_eq!(desk.token(ALICE).await.unwrap(), "short");
    desk.clock.advance(Duration::from_secs(89));
    assert_eq!(desk.token(ALICE).await.unwrap(), "short", "a tenth of a short life is kept free");
    desk.clock.advance(Duration::from_secs(1));
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-4");
    assert_eq!(desk.tokens.last("refresh_token").as_deref(), Some("refresh-2"), "no new one came with the third");
}

#[tokio::test]
async fn a_token_without_an_end_is_never_renewed() {
    let desk = Desk::new().await;
    desk.tokens.tell(200, json!({"access_token": "forever"}));
    desk.connect(ALICE).await;
    desk.clock.advance(Duration::from_secs(365 * 24 * 3600));
    assert_eq!(desk.token(ALICE).await.unwrap(), "forever");
    assert_eq!(desk.tokens.times_asked(), 1);
}

/// P2: 50 calls at once make one request, and every one gets the new token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_calls_at_once_make_one_request() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.connect(BOB).await;
    for ahead in [MINUTE, Duration::ZERO] {
        let before = desk.tokens.times_asked();
        desk.clock.advance(LIFE - ahead);
        let tokens = join_all((0..CALLS).map(|_| desk.token(ALICE))).await;
        assert_eq!(desk.tokens.times_asked(), before + 1);
        for token in tokens {
            assert_eq!(token.unwrap(), format!("access-{}", before + 1));
        }
    }
    assert_eq!(desk.tokens.last("refresh_token").as_deref(), Some("refresh-3"), "the one that the second gave");
}

/// Two processes: the one that is not at it goes on with the old token, or waits where that has ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_asks() {
    let desk = Desk::new().await;
    let other = desk.replica().await;
    desk.connect(ALICE).await;

    desk.clock.advance(LIFE - MINUTE);
    desk.tokens.shut(true);
    let (credentials, alice) = (desk.credentials.clone(), caller(ALICE));
    let first = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.tokens.was_asked(2).await;
    assert_eq!(other.token(ALICE).await.unwrap(), "access-1", "it is good for a minute yet");
    desk.tokens.shut(false);
    assert_eq!(token_of(&first.await.unwrap().unwrap()), "access-2");
    assert_eq!(other.token(ALICE).await.unwrap(), "access-2");

    desk.clock.advance(LIFE);
    desk.tokens.shut(true);
    let (credentials, alice) = (desk.credentials.clone(), caller(ALICE));
    let first = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.tokens.was_asked(3).await;
    let (credentials, alice) = (other.credentials.clone(), caller(ALICE));
    let second = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.clock.has_sleepers().await;
    desk.tokens.shut(false);
    assert_eq!(token_of(&first.await.unwrap().unwrap()), "access-3");
    desk.clock.advance(Duration::from_millis(200));
    assert_eq!(token_of(&second.await.unwrap().unwrap()), "access-3");
    assert_eq!(desk.tokens.times_asked(), 3);
}

/// A token that is not accepted while another process renews it: what comes of that is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_another_process_renews_is_waited_for() {
    let desk = Desk::new().await;
    let other = desk.replica().await;
    desk.connect(ALICE).await;
    let held = other.credentials.credential("crm", &caller(ALICE)).await.unwrap();

    desk.clock.advance(LIFE - MINUTE);
    desk.tokens.shut(true);
    let (credentials, alice) = (desk.credentials.clone(), caller(ALICE));
    let first = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.tokens.was_asked(2).await;
    let (credentials, alice) = (other.credentials.clone(), caller(ALICE));
    let second = tokio::spawn(async move { credentials.not_accepted("crm", &alice, &held).await });
    desk.clock.has_sleepers().await;
    desk.tokens.shut(false);
    assert_eq!(token_of(&first.await.unwrap().unwrap()), "access-2");
    desk.clock.advance(Duration::from_millis(200));
    assert_eq!(token_of(&second.await.unwrap().unwrap()), "access-2");
    assert_eq!(desk.tokens.times_asked(), 2);
}

/// A process that dies in the middle keeps the others waiting for half a minute, and no longer.
#[tokio::test]
async fn the_turn_of_a_process_that_died_ends() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.clock.advance(LIFE);
    let now = bridgehead_core::Clock::now(&desk.clock);
    let until = now + Duration::from_secs(30);
    desk.store.credentials.take_renewal("crm", ALICE, "the dead", now, until).await.unwrap();
    let (credentials, alice) = (desk.credentials.clone(), caller(ALICE));
    let waiting = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.clock.has_sleepers().await;
    assert_eq!(desk.tokens.times_asked(), 1);
    desk.clock.advance(Duration::from_secs(30));
    assert_eq!(token_of(&waiting.await.unwrap().unwrap()), "access-2");
}

/// A call that is given up in the middle does not lose the token that its request was answered with.
#[tokio::test]
async fn a_renewal_outlives_its_call() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.clock.advance(LIFE);
    desk.tokens.shut(true);
    let (credentials, alice) = (desk.credentials.clone(), caller(ALICE));
    let call = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.tokens.was_asked(2).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    desk.tokens.shut(false);
    desk.credentials.settle().await;
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-2");
    assert_eq!(desk.tokens.times_asked(), 2);
}

#[tokio::test]
async fn a_refused_renewal_leads_back_to_the_page() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.clock.advance(LIFE - MINUTE);
    desk.tokens.tell(400, json!({"error": "invalid_grant"}));
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-1", "it is good to its end");
    desk.clock.advance(MINUTE);
    for _ in 0..2 {
        let lack = required(desk.token(ALICE).await);
        assert_eq!(lack.lack, CredentialLack::NotAccepted);
        assert_eq!(lack.url, "https://mcp.example.com/account/credentials/crm");
    }
    assert_eq!(desk.tokens.times_asked(), 2, "what was refused is not tried again");
    desk.connect(ALICE).await;
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-3");
}

#[tokio::test]
async fn an_authorization_server_that_is_down_is_no_fault_of_the_teammate() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.clock.advance(LIFE - MINUTE);
    desk.tokens.tell_nothing();
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-1");
    desk.clock.advance(MINUTE);
    for (status, body) in [(503, json!({})), (200, json!({"no": "token"}))] {
        desk.tokens.tell(status, body);
        let error = desk.token(ALICE).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("upstream_unavailable", true), "{error}");
    }
    desk.tokens.tell(401, json!({"error": "invalid_client"}));
    let error = desk.token(ALICE).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_unauthorized", false), "{error}");
    assert!(error.to_string().contains("operator") && error.to_string().contains("invalid_client"), "{error}");
    assert_eq!(desk.token(ALICE).await.unwrap(), "access-6", "and the refresh token is good still");
}

/// A token that the system behind does not accept is renewed once, for all calls that notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_accepted_is_renewed_once() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    let alice = caller(ALICE);
    let held = desk.credentials.credential("crm", &alice).await.unwrap();
    let lack = required(desk.credentials.not_accepted("crm", &alice, &held).await);
    assert_eq!(lack.lack, CredentialLack::NotAccepted, "the next one would not be accepted either");
    assert_eq!(desk.tokens.times_asked(), 1);

    desk.clock.advance(MINUTE);
    let renewed = join_all((0..CALLS).map(|_| desk.credentials.not_accepted("crm", &alice, &held))).await;
    for token in renewed {
        assert_eq!(token_of(&token.unwrap()), "access-2");
    }
    assert_eq!(desk.tokens.times_asked(), 2);
    let late = desk.credentials.not_accepted("crm", &alice, &held).await.unwrap();
    assert_eq!(token_of(&late), "access-2", "whoever comes late with the old one gets it as well");
    required(desk.credentials.not_accepted("crm", &alice, &late).await);
    assert_eq!(desk.tokens.times_asked(), 2);
}

/// Whoever comes with the news that a token is not accepted is not given the same one, which is good enough for
/// others while it cannot be renewed.
#[tokio::test]
async fn a_token_that_is_not_accepted_does_not_come_back() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    let alice = caller(ALICE);
    let held = desk.credentials.credential("crm", &alice).await.unwrap();
    desk.clock.advance(LIFE - MINUTE);
    desk.tokens.shut(true);
    desk.tokens.tell_nothing();
    let mut ahead = desk.credentials.credential("crm", &alice);
    assert!(poll!(&mut ahead).is_pending());
    while desk.tokens.times_asked() < 2 {
        assert!(poll!(&mut ahead).is_pending());
        tokio::task::yield_now().await;
    }
    let mut news = desk.credentials.not_accepted("crm", &alice, &held);
    assert!(poll!(&mut news).is_pending(), "it waits for what is under way");
    desk.tokens.shut(false);
    assert_eq!(token_of(&ahead.await.unwrap()), "access-1");
    assert_eq!(token_of(&news.await.unwrap()), "access-3");
    assert_eq!(desk.tokens.times_asked(), 3);
}

/// What they do while a renewal is under way counts.
#[tokio::test]
async fn a_removal_in_the_middle_stands() {
    let desk = Desk::new().await;
    desk.connect(ALICE).await;
    desk.clock.advance(LIFE);
    desk.tokens.shut(true);
    let (credentials, alice) = (desk.credentials.clone(), caller(ALICE));
    let call = tokio::spawn(async move { credentials.credential("crm", &alice).await });
    desk.tokens.was_asked(2).await;
    assert_eq!(desk.credentials.remove("crm", ALICE).await.unwrap(), Removal::Removed);
    desk.tokens.shut(false);
    assert_eq!(required(call.await.unwrap()).lack, CredentialLack::NotEntered);
    assert_eq!(desk.credentials.list().await.unwrap(), []);
}
