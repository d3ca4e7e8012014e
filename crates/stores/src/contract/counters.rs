//! What counters have to keep, wherever they count: the same arithmetic to the microsecond.

use std::{
    future::Future,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bridgehead_core::{
    Clock, Counters,
    counters::{Bucket, CountersLost, Pace, Terms, Turn},
    policy::Rate,
};
use jiff::Timestamp;

use super::CROWD;

const SECOND: Duration = Duration::from_secs(1);
const NOW_OR_NEVER: Terms = Terms { wait: Duration::ZERO, ahead: Duration::from_secs(3600) };

/// Time that stands still until the suite moves it. What sleeps on it never wakes: an answer that had to
/// be waited for would be one too late.
struct StandingClock(AtomicI64);

impl StandingClock {
    fn advance(&self, by: i64) -> i64 {
        self.0.fetch_add(by, Ordering::Relaxed) + by
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).expect("the suite's times are near")
    }

    fn sleep(&self, _: Duration) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// Holds [`Counters`] to their promises; `make` gives fresh ones that tell time by the clock. Has to run on
/// a Tokio runtime, best one with several threads.
///
/// # Errors
/// What the counters answered where they should have succeeded.
pub async fn counters<C, Make, Made>(make: Make) -> Result<(), CountersLost>
where
    C: Counters,
    Make: Fn(Arc<dyn Clock>) -> Made,
    Made: Future<Output = C>,
{
    let fresh = || Arc::new(StandingClock(AtomicI64::new(1_800_000_000_123_456)));
    let clock = fresh();
    each_key_is_counted_by_itself(&make(clock).await).await?;
    let clock = fresh();
    every_answer_is_the_algorithms(&make(clock.clone()).await, &clock).await?;
    let clock = fresh();
    the_longest_times_are_exact(&make(clock.clone()).await, &clock).await?;
    let clock = fresh();
    of_many_who_ask_at_once_as_many_get_a_turn_as_there_are(Arc::new(make(clock).await)).await
}

fn rate(calls: u32, per: Duration, burst: u32) -> Rate {
    let number = |n| NonZeroU32::new(n).expect("the suite's numbers are not 0");
    Rate { calls: number(calls), per, burst: number(burst) }
}

async fn each_key_is_counted_by_itself(counters: &impl Counters) -> Result<(), CountersLost> {
    let once = rate(1, SECOND, 1);
    for key in ["caller/crm.*/alice@example.com", "caller/crm.*/Žofie 张伟 👩‍🔧", "caller/crm.*/a{b}:c", ""] {
        assert_eq!(counters.take(key, &once, NOW_OR_NEVER).await?, Turn::Granted { wait: Duration::ZERO }, "{key}");
        assert_eq!(counters.take(key, &once, NOW_OR_NEVER).await?, Turn::Refused { retry_after: SECOND }, "{key}");
    }
    Ok(())
}

/// Some hundred questions at odd moments, each answered as the arithmetic of core says.
async fn every_answer_is_the_algorithms(counters: &impl Counters, clock: &StandingClock) -> Result<(), CountersLost> {
    for (round, rate) in [rate(10, SECOND, 1), rate(7, SECOND, 3), rate(60, 60 * SECOND, 20), rate(100_000, SECOND, 5)]
        .iter()
        .enumerate()
    {
        let (key, pace, mut model) = (format!("round-{round}"), Pace::from(rate), Bucket::default());
        let mut odd: u64 = 12_345;
        for step in 0..150 {
            odd = odd.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let some = |at_most: i64| i64::try_from(odd >> 33).unwrap_or_default() % at_most;
            let now = clock.advance(some(pace.interval * 2));
            if step % 40 == 39 {
                let pause = Duration::from_micros(u64::try_from(some(3_000_000)).unwrap_or_default());
                counters.pause(&key, rate, pause).await?;
                model.pause(pace, pause, now);
            }
            let wait = if step % 3 == 0 { pace.interval.unsigned_abs() * 2 } else { 0 };
            let terms = Terms { wait: Duration::from_micros(wait), ahead: 5 * SECOND };
            let (answer, expected) = (counters.take(&key, rate, terms).await?, model.take(pace, terms, now));
            assert_eq!(answer, expected, "{rate:?}, step {step}");
        }
    }
    Ok(())
}

async fn the_longest_times_are_exact(counters: &impl Counters, clock: &StandingClock) -> Result<(), CountersLost> {
    let slowest = rate(1, Duration::MAX, u32::MAX);
    let (pace, mut model, now) = (Pace::from(&slowest), Bucket::default(), clock.advance(1));
    for _ in 0..4 {
        let terms = Terms { wait: Duration::MAX, ahead: Duration::MAX };
        assert_eq!(counters.take("slowest", &slowest, terms).await?, model.take(pace, terms, now));
        assert_eq!(counters.take("slowest", &slowest, NOW_OR_NEVER).await?, model.take(pace, NOW_OR_NEVER, now));
    }
    Ok(())
}

async fn of_many_who_ask_at_once_as_many_get_a_turn_as_there_are<C: Counters>(
    counters: Arc<C>,
) -> Result<(), CountersLost> {
    let some = rate(1, 60 * SECOND, 5);
    let crowd: Vec<_> = (0..CROWD * 4)
        .map(|_| {
            let counters = counters.clone();
            tokio::spawn(async move { counters.take("crowd", &some, NOW_OR_NEVER).await })
        })
        .collect();
    let (mut granted, mut told) = (0, Vec::new());
    for asked in crowd {
        match asked.await.expect("nobody panics")? {
            Turn::Granted { .. } => granted += 1,
            Turn::Refused { retry_after } => told.push(retry_after.as_secs() / 60),
        }
    }
    told.sort_unstable();
    assert_eq!(granted, 5);
    assert_eq!(
        told,
        (1..=u64::try_from(CROWD * 4 - 5).unwrap_or_default()).collect::<Vec<_>>(),
        "each a time of their own"
    );
    Ok(())
}
