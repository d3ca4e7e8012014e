//! That hashing leaves room for others: turns, waiting, and work that goes on when nobody waits.

use super::*;
use crate::testing::{MovedClock, Seeded};

fn hasher() -> (Hasher, Arc<MovedClock>) {
    let clock = Arc::new(MovedClock::at_noon());
    let cost = HashingCost { memory: 8, passes: 1, lanes: 1 };
    (Hasher::new(cost, clock.clone(), Arc::new(Seeded::new(1))), clock)
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[tokio::test]
async fn the_default_is_what_owasp_asks_for() {
    let cost = HashingCost::default();
    assert_eq!((cost.memory, cost.passes, cost.lanes), (19 * 1024, 2, 1));
}

#[tokio::test]
async fn whoever_waits_too_long_is_sent_away_and_takes_no_turn() {
    let (hasher, clock) = hasher();
    let all = hasher.take_all_turns();
    let password = secret("a");
    let waiting = hasher.hash(&password);
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    clock.advance(PATIENCE - Duration::from_secs(1));
    assert!(futures_util::poll!(&mut waiting).is_pending());
    clock.advance(Duration::from_secs(1));
    assert_eq!(waiting.await.unwrap_err(), HashingError::Busy);
    assert_eq!(hasher.waiting.load(Ordering::Relaxed), 0);
    drop(all);
    hasher.hash(&password).await.unwrap();
}

#[tokio::test]
async fn only_so_many_may_wait() {
    let (hasher, _) = hasher();
    let all = hasher.take_all_turns();
    let password = secret("a");
    let mut waiting: Vec<_> = (0..MOST_WAITING).map(|_| Box::pin(hasher.hash(&password))).collect();
    for one in &mut waiting {
        assert!(futures_util::poll!(one).is_pending());
    }
    assert_eq!(hasher.hash(&password).await.unwrap_err(), HashingError::Busy, "at once");
    drop(waiting);
    drop(all);
    hasher.hash(&password).await.unwrap();
}

#[tokio::test]
async fn a_damaged_hash_is_nobodys_password() {
    let (hasher, _) = hasher();
    for text in ["", "hunter2", "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ", "$2b$12$abcdefghijklmnopqrstuv"] {
        let verdict = hasher.verify(&secret("hunter2"), Some(&PasswordHash::new(text))).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong, "{text}");
    }
}

/// PHC strings of other programs are good, and are told from ours.
#[tokio::test]
async fn a_known_hash_is_checked() {
    let (hasher, _) = hasher();
    // `password` with the salt `somesalt`, from the reference implementation's tests (t = 2, m = 256).
    let phc = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let check = async |text: &str| hasher.verify(&secret(text), Some(&PasswordHash::new(phc))).await.unwrap();
    assert_eq!(check("password").await, Verdict::Right { outdated: true });
    assert_eq!(check("Password").await, Verdict::Wrong);
    let ours = hasher.hash(&secret("password")).await.unwrap();
    assert_ne!(ours, hasher.hash(&secret("password")).await.unwrap(), "each has a salt of its own");
    let verdict = hasher.verify(&secret("password"), Some(&ours)).await.unwrap();
    assert_eq!(verdict, Verdict::Right { outdated: false });
}
