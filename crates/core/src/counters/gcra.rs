//! The generic cell rate algorithm (ITU-T I.371), as arithmetic on microseconds: no clock, no keys.
//! What replicas share has the same arithmetic in a script, and the same tests.

use std::time::Duration;

use super::{Terms, Turn};
use crate::policy::Rate;

/// Some seventy years: no time is longer than that, so that sums of a few fit into what a script's
/// numbers hold exactly (53 bits).
const LONGEST: i64 = 1 << 51;

/// A rate as the algorithm needs it, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From one turn to the next. Rounded up: rather too few calls than too many.
    pub interval: i64,
    /// How far turns may run ahead of their time: what a burst uses.
    pub slack: i64,
}

impl From<&Rate> for Pace {
    fn from(rate: &Rate) -> Self {
        let (per, calls) = (micros(rate.per), i64::from(rate.calls.get()));
        let interval = per / calls + i64::from(per % calls != 0);
        let slack = interval.saturating_mul(i64::from(rate.burst.get()) - 1);
        Self { interval: interval.clamp(1, LONGEST), slack: slack.min(LONGEST) }
    }
}

/// What is remembered of one key, in microseconds since 1970. One that never counted is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Up to when the turns that were given out reach at the even rate.
    busy: i64,
    /// Up to when turns were promised to those who were refused.
    promised: i64,
}

impl Bucket {
    /// Takes the next turn, if it comes in time.
    pub fn take(&mut self, pace: Pace, terms: Terms, now: i64) -> Turn {
        let busy = self.busy.max(now);
        let wait = (busy - pace.slack - now).max(0);
        if wait <= micros(terms.wait) {
            self.busy = busy + pace.interval;
            return Turn::Granted { wait: duration(wait) };
        }
        let at = self.promised.max(now + wait);
        let furthest = micros(terms.ahead).max(wait);
        if at - now > furthest {
            return Turn::Refused { retry_after: duration(furthest) };
        }
        self.promised = at + pace.interval;
        Turn::Refused { retry_after: duration(at - now) }
    }

    /// Gives out no turn within `pause` from `now`.
    pub fn pause(&mut self, pace: Pace, pause: Duration, now: i64) {
        self.busy = self.busy.max(now + micros(pause) + pace.slack);
    }

    /// Whether it says no more than one that never counted.
    #[must_use]
    pub const fn is_idle(&self, now: i64) -> bool {
        self.busy <= now && self.promised <= now
    }
}

/// In whole microseconds, rounded up, and at most some seventy years.
#[must_use]
pub fn micros(duration: Duration) -> i64 {
    let micros = duration.as_nanos().div_ceil(1000);
    i64::try_from(micros).map_or(LONGEST, |micros| micros.min(LONGEST))
}

fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_800_000_000_000_000;
    const HOUR: Duration = Duration::from_secs(3600);
    const NOW_OR_NEVER: Terms = Terms { wait: Duration::ZERO, ahead: HOUR };

    fn pace(calls: u32, per: Duration, burst: u32) -> Pace {
        let number = |n| NonZeroU32::new(n).unwrap();
        Pace::from(&Rate { calls: number(calls), per, burst: number(burst) })
    }

    fn granted(turn: Turn) -> Option<Duration> {
        match turn {
            Turn::Granted { wait } => Some(wait),
            Turn::Refused { .. } => None,
        }
    }

    fn refused(turn: Turn) -> Option<Duration> {
        match turn {
            Turn::Refused { retry_after } => Some(retry_after),
            Turn::Granted { .. } => None,
        }
    }

    #[test]
    fn rates_that_do_not_divide_are_rounded_towards_fewer_calls() {
        assert_eq!(pace(3, Duration::from_secs(1), 1), Pace { interval: 333_334, slack: 0 });
        assert_eq!(pace(60, Duration::from_secs(60), 20), Pace { interval: 1_000_000, slack: 19_000_000 });
        assert_eq!(pace(u32::MAX, Duration::from_millis(1), u32::MAX).interval, 1);
        let slowest = pace(1, Duration::MAX, u32::MAX);
        assert_eq!((slowest.interval, slowest.slack), (LONGEST, LONGEST));
    }

    /// H3: who was refused and comes back when they were told gets their turn, however many there are.
    #[test]
    fn each_one_who_is_refused_is_told_a_turn_of_their_own() {
        let (mut bucket, pace) = (Bucket::default(), pace(10, Duration::from_secs(1), 5));
        let immediate = (0..5).filter_map(|_| granted(bucket.take(pace, NOW_OR_NEVER, NOON))).count();
        assert_eq!(immediate, 5);
        let told: Vec<_> = (0..100).filter_map(|_| refused(bucket.take(pace, NOW_OR_NEVER, NOON))).collect();
        assert_eq!(told[..2], [Duration::from_millis(100), Duration::from_millis(200)]);
        for after in told {
            let then = NOON + micros(after);
            assert!(granted(bucket.take(pace, NOW_OR_NEVER, then)).is_some(), "{after:?}");
            assert!(refused(bucket.take(pace, NOW_OR_NEVER, then)).is_some(), "and nobody else does: {after:?}");
        }
    }

    #[test]
    fn promises_do_not_reach_beyond_what_was_asked() {
        let (mut bucket, pace) = (Bucket::default(), pace(1, Duration::from_secs(1), 1));
        let terms = Terms { wait: Duration::ZERO, ahead: Duration::from_secs(3) };
        bucket.take(pace, terms, NOON);
        let told: Vec<_> =
            (0..5).filter_map(|_| refused(bucket.take(pace, terms, NOON))).map(|t| t.as_secs()).collect();
        assert_eq!(told, [1, 2, 3, 3, 3]);
    }

    #[test]
    fn during_a_pause_there_is_no_turn_and_after_it_one_at_a_time() {
        let (mut bucket, pace) = (Bucket::default(), pace(10, Duration::from_secs(1), 5));
        bucket.pause(pace, Duration::from_secs(30), NOON);
        bucket.pause(pace, Duration::from_secs(10), NOON);
        assert_eq!(refused(bucket.take(pace, NOW_OR_NEVER, NOON)), Some(Duration::from_secs(30)));
        let after = NOON + 30_000_000;
        assert!(granted(bucket.take(pace, NOW_OR_NEVER, after)).is_some());
        assert!(refused(bucket.take(pace, NOW_OR_NEVER, after)).is_some());
    }

    proptest! {
        /// H3: in no stretch of time are there more turns than the rate gives for it and the burst,
        /// whenever they are asked for, whoever would wait, and whatever is promised.
        #[test]
        fn never_more_than_the_rate_and_the_burst(
            calls in 1_u32..50,
            per_ms in 1_u64..10_000,
            burst in 1_u32..20,
            asked in prop::collection::vec((0_i64..500_000, 0_u64..2_000), 1..300),
        ) {
            let (mut bucket, pace) = (Bucket::default(), pace(calls, Duration::from_millis(per_ms), burst));
            let mut now = NOON;
            let mut turns = Vec::new();
            for (later, patience_ms) in asked {
                now += later;
                let terms = Terms { wait: Duration::from_millis(patience_ms), ahead: HOUR };
                if let Some(wait) = granted(bucket.take(pace, terms, now)) {
                    prop_assert!(wait <= terms.wait);
                    turns.push(now + micros(wait));
                }
            }
            prop_assert!(turns.is_sorted());
            for (index, first) in turns.iter().enumerate() {
                for (count, last) in (1_i64..).zip(&turns[index..]) {
                    let exact = i128::from(last - first) * i128::from(calls) / (i128::from(per_ms) * 1000);
                    prop_assert!(i128::from(count) <= exact + i128::from(burst), "{count} in {} µs", last - first);
                }
            }
        }
    }
}
