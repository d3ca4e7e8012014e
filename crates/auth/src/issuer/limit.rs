//! How often strangers may make the issuer do something, each address by itself and all together.
//! Counted in memory, by each replica for itself; it protects work and room, not accounts.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

use super::{IssuerLimits, Rate};

/// From how many addresses on those are forgotten that owe nothing.
const REMEMBERED_ADDRESSES: usize = 4096;

/// The limits of an issuer.
pub(crate) struct Limits {
    pub(crate) registrations: Limit,
    pub(crate) fetches: Limit,
}

impl Limits {
    pub(crate) fn new(limits: &IssuerLimits) -> Self {
        Self {
            registrations: Limit::new(limits.registrations_per_address, limits.registrations),
            fetches: Limit::new(limits.fetches_per_address, limits.fetches),
        }
    }
}

/// One limit: what each address may do, and what all may do together.
pub(crate) struct Limit {
    each: Rate,
    all: Rate,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    all: Option<Timestamp>,
    each: HashMap<IpAddr, Timestamp>,
}

impl Limit {
    fn new(each: Rate, all: Rate) -> Self {
        Self { each, all, state: Mutex::default() }
    }

    /// Counts one more.
    ///
    /// # Errors
    /// How long to wait; it is not counted then.
    pub(crate) fn take(&self, from: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let address = network(from);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let each = after_one_more(state.each.get(&address).copied(), self.each, now)?;
        let all = after_one_more(state.all, self.all, now)?;
        state.all = Some(all);
        if state.each.len() >= REMEMBERED_ADDRESSES {
            state.each.retain(|_, busy_until| *busy_until > now);
        }
        // Still full of addresses that owe something: the limit on all of them is what holds.
        if state.each.len() < REMEMBERED_ADDRESSES || state.each.contains_key(&address) {
            state.each.insert(address, each);
        }
        Ok(())
    }
}

/// The generic cell rate algorithm: each one taken makes the bucket busy for its share of the time,
/// and it may be busy for the whole time at most.
fn after_one_more(busy_until: Option<Timestamp>, rate: Rate, now: Timestamp) -> Result<Timestamp, Duration> {
    let share = rate.per / rate.count.max(1);
    let busy_until = busy_until.unwrap_or(now).max(now);
    let after = busy_until.saturating_add(signed(share)).unwrap_or(Timestamp::MAX);
    let over = after.duration_since(now).saturating_sub(signed(rate.per));
    if rate.count > 0 && over <= SignedDuration::ZERO { Ok(after) } else { Err(over.unsigned_abs().max(share)) }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

/// Whom an address belongs to: of IPv6 one customer has a /64 at least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn limit(each: u32, all: u32) -> Limit {
        Limit::new(Rate { count: each, per: MINUTE }, Rate { count: all, per: MINUTE })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn each_address_has_its_own_share() {
        let limit = limit(3, 100);
        let (one, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..3 {
            limit.take(one, at(0)).unwrap();
        }
        assert_eq!(limit.take(one, at(0)), Err(Duration::from_secs(20)));
        limit.take(other, at(0)).unwrap();
        limit.take(one, at(20)).unwrap();
        limit.take(one, at(20)).unwrap_err();
        limit.take(one, at(3600)).unwrap();
    }

    #[test]
    fn all_together_have_a_share_as_well() {
        let limit = limit(3, 5);
        let take = |last: u8| limit.take(IpAddr::from([192, 0, 2, last]), at(0));
        for last in 0..5 {
            take(last).unwrap();
        }
        take(9).unwrap_err();
    }

    #[test]
    fn a_network_of_version_6_is_one_address() {
        let limit = limit(1, 100);
        limit.take("2001:db8::1".parse().unwrap(), at(0)).unwrap();
        limit.take("2001:db8::ffff:1".parse().unwrap(), at(0)).unwrap_err();
        limit.take("2001:db8:0:1::1".parse().unwrap(), at(0)).unwrap();
        limit.take("192.0.2.1".parse().unwrap(), at(0)).unwrap();
        limit.take("::ffff:192.0.2.1".parse().unwrap(), at(0)).unwrap_err();
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let limit = limit(1, u32::MAX);
        for number in 0..20_000_u32 {
            let _ = limit.take(IpAddr::from(number.to_be_bytes()), at(0));
        }
        assert!(limit.state.lock().unwrap().each.len() <= REMEMBERED_ADDRESSES);
    }
}
