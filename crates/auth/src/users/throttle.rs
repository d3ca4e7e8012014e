//! Makes guessing slow: after some failures, each further one of the same account or from the same
//! address has to wait, longer each time. Kept in memory, in bounds: each replica counts for itself.

use std::{
    collections::HashMap,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bridgehead_core::Clock;
use jiff::{SignedDuration, Timestamp};

/// Somebody mistypes a few times. The longest wait is short enough that nobody can keep a
/// teammate out for long by failing in their name, and still leaves some hundred guesses a day.
const ACCOUNT: Backoff = Backoff { free: 5, longest: SignedDuration::from_mins(5) };
/// A whole office may stand behind one address.
const ADDRESS: Backoff = Backoff { free: 20, longest: SignedDuration::from_mins(15) };
/// After so long without a failure all is forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// How many accounts, and how many addresses, are remembered.
const REMEMBERED: usize = 10_000;

struct Backoff {
    /// How many failures cost nothing.
    free: u32,
    longest: SignedDuration,
}

impl Backoff {
    /// One second after the first failure that is not free, and twice as long after each further one.
    fn wait(&self, failures: u32) -> SignedDuration {
        match failures.checked_sub(self.free + 1) {
            None => SignedDuration::ZERO,
            Some(doublings) => SignedDuration::from_secs(1_i64 << doublings.min(30)).min(self.longest),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
    /// No attempt before then.
    until: Timestamp,
}

/// Counts failures. An attempt counts as failed from its beginning, so that many at once gain
/// nothing; one that succeeds, or could not be judged, is taken off again.
pub(super) struct Throttle {
    clock: Arc<dyn Clock>,
    counted: Mutex<Counted>,
}

#[derive(Default)]
struct Counted {
    accounts: HashMap<Arc<str>, Failures>,
    addresses: HashMap<IpAddr, Failures>,
}

/// One attempt that has begun.
#[must_use]
pub(super) struct Attempt<'a> {
    throttle: &'a Throttle,
    account: Arc<str>,
    address: IpAddr,
}

impl Throttle {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, counted: Mutex::default() }
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// How long it is until the next may begin.
    pub(super) fn begin(&self, account: &str, address: IpAddr) -> Result<Attempt<'_>, Duration> {
        let now = self.clock.now();
        let (account, address) = (Arc::from(account), network(address));
        let mut counted = self.counted();
        let waits = [wait(&counted.accounts, &account, now), wait(&counted.addresses, &address, now)];
        if let Some(longest) = waits.into_iter().flatten().max() {
            return Err(longest);
        }
        fail(&mut counted.accounts, Arc::clone(&account), &ACCOUNT, now);
        fail(&mut counted.addresses, address, &ADDRESS, now);
        drop(counted);
        Ok(Attempt { throttle: self, account, address })
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// It was the right password. What failed from this address for other accounts still counts.
    pub(super) fn succeeded(self) {
        let mut counted = self.throttle.counted();
        counted.accounts.remove(&self.account);
        take_back(&mut counted.addresses, &self.address);
    }

    /// Nobody could say whether it was the right one.
    pub(super) fn not_judged(self) {
        let mut counted = self.throttle.counted();
        take_back(&mut counted.accounts, &self.account);
        take_back(&mut counted.addresses, &self.address);
    }
}

fn wait<K: Hash + Eq>(failures: &HashMap<K, Failures>, key: &K, now: Timestamp) -> Option<Duration> {
    let until = failures.get(key)?.until;
    Duration::try_from(until.duration_since(now)).ok().filter(|wait| !wait.is_zero())
}

fn fail<K: Hash + Eq>(failures: &mut HashMap<K, Failures>, key: K, backoff: &Backoff, now: Timestamp) {
    let old = failures.get(&key).filter(|old| now.duration_since(old.last) < FORGOTTEN_AFTER);
    let count = old.map_or(0, |old| old.count).saturating_add(1);
    if old.is_none() && failures.len() >= REMEMBERED {
        make_room(failures, now);
    }
    let until = now.checked_add(backoff.wait(count)).unwrap_or(Timestamp::MAX);
    failures.insert(key, Failures { count, last: now, until });
}

/// The wait that this attempt brought goes with it: it began when none was left.
fn take_back<K: Hash + Eq>(failures: &mut HashMap<K, Failures>, key: &K) {
    if let Some(found) = failures.get_mut(key) {
        found.count = found.count.saturating_sub(1);
        found.until = found.last;
        if found.count == 0 {
            failures.remove(key);
        }
    }
}

/// Forgets what is old, and where that is not enough the older half.
fn make_room<K: Hash + Eq>(failures: &mut HashMap<K, Failures>, now: Timestamp) {
    failures.retain(|_, found| now.duration_since(found.last) < FORGOTTEN_AFTER);
    if failures.len() < REMEMBERED {
        return;
    }
    let mut ages: Vec<_> = failures.values().map(|found| found.last).collect();
    let middle = ages.len() / 2;
    let (_, median, _) = ages.select_nth_unstable(middle);
    let median = *median;
    failures.retain(|_, found| found.last > median);
}

/// What is counted as one address: with IPv6 a whole network of 64 bits, which anybody may have.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MovedClock;

    const ALICE: &str = "alice@example.com";

    fn throttle() -> (Throttle, Arc<MovedClock>) {
        let clock = Arc::new(MovedClock::at_noon());
        (Throttle::new(clock.clone()), clock)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seconds(wait: Result<Attempt<'_>, Duration>) -> Option<u64> {
        wait.err().map(|wait| wait.as_secs())
    }

    #[test]
    fn an_account_waits_longer_each_time_wherever_the_guesses_come_from() {
        let (throttle, clock) = throttle();
        for number in 0..5 {
            assert!(throttle.begin(ALICE, ip(&format!("192.0.2.{number}"))).is_ok(), "{number}");
        }
        let mut waits = Vec::new();
        for number in 0..11 {
            let from = ip(&format!("198.51.100.{number}"));
            assert!(throttle.begin(ALICE, from).is_ok(), "{number}");
            let wait = throttle.begin(ALICE, from).err().unwrap();
            waits.push(wait.as_secs());
            clock.advance(wait - Duration::from_millis(1));
            assert_eq!(seconds(throttle.begin(ALICE, from)), Some(0), "not a moment earlier");
            clock.advance(Duration::from_millis(1));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert!(throttle.begin("bob@example.com", ip("198.51.100.1")).is_ok(), "others are not concerned");
        clock.advance(Duration::from_secs(3600));
        for _ in 0..5 {
            assert!(throttle.begin(ALICE, ip("192.0.2.1")).is_ok(), "an hour later all is forgotten");
        }
    }

    #[test]
    fn an_address_waits_whoever_the_guesses_are_at() {
        let (throttle, _) = throttle();
        for number in 0..21 {
            assert!(throttle.begin(&format!("{number}@example.com"), ip(&format!("2001:db8::{number}"))).is_ok());
        }
        assert_eq!(seconds(throttle.begin(ALICE, ip("2001:db8::ffff"))), Some(1), "one network is one address");
        assert!(throttle.begin(ALICE, ip("2001:db8:0:1::1")).is_ok());
        for number in 0..21 {
            assert!(throttle.begin(&format!("{number}@example.org"), ip("::ffff:192.0.2.7")).is_ok());
        }
        assert_eq!(seconds(throttle.begin(ALICE, ip("192.0.2.7"))), Some(1), "written either way");
    }

    #[test]
    fn many_at_once_gain_nothing() {
        let (throttle, _) = throttle();
        let begun = (0..100).filter_map(|_| throttle.begin(ALICE, ip("192.0.2.1")).ok()).count();
        assert_eq!(begun, 6);
    }

    #[test]
    fn a_success_clears_the_account_and_not_the_address() {
        let (throttle, clock) = throttle();
        for number in 0..20 {
            assert!(throttle.begin(&format!("{number}@example.com"), ip("192.0.2.1")).is_ok());
        }
        throttle.begin(ALICE, ip("192.0.2.1")).ok().unwrap().succeeded();
        assert!(throttle.begin(ALICE, ip("192.0.2.1")).is_ok());
        assert_eq!(seconds(throttle.begin(ALICE, ip("192.0.2.1"))), Some(1), "its own account does not help a guesser");
        clock.advance(Duration::from_secs(1));
        throttle.begin(ALICE, ip("192.0.2.1")).ok().unwrap().succeeded();
        let again = throttle.begin(ALICE, ip("192.0.2.1"));
        again.ok().unwrap().not_judged();
        assert!(throttle.begin(ALICE, ip("192.0.2.1")).is_ok(), "what was not judged costs nothing");
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, clock) = throttle();
        for number in 0..REMEMBERED + 10 {
            let from = IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
            assert!(throttle.begin(&format!("{number}@example.com"), from).is_ok());
            clock.advance(Duration::from_millis(1));
        }
        let counted = throttle.counted();
        assert!(counted.accounts.len() <= REMEMBERED && counted.addresses.len() <= REMEMBERED);
        assert!(counted.accounts.contains_key("10000@example.com"), "the newest are kept");
    }
}
