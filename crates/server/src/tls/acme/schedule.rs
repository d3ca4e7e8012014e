//! When a certificate is renewed, and when an attempt that failed is followed by the next.

use std::time::Duration;

use bridgehead_auth::{Attempt, CertificateRecord};
use bridgehead_core::Randomness;
use jiff::{SignedDuration, Timestamp};

use super::failure::Failure;

/// Attempts in the first hour: four. Let's Encrypt lets five fail in an hour for each name
/// (<https://letsencrypt.org/docs/rate-limits/>).
const BACKOFF: [u64; 6] = [2 * 60, 10 * 60, 30 * 60, 60 * 60, 3 * 60 * 60, 6 * 60 * 60];
/// An authority that cannot be reached counts nothing.
const UNREACHABLE_AT_MOST: u64 = 10 * 60;
/// One that was asked too often is left alone for longer.
const LIMITED_AT_LEAST: u64 = 60 * 60;
/// A process that was just started waits no longer than this since the last attempt: it may have been
/// started since somebody mended something. Not less, as it may be one that dies again and again.
const AFTER_A_START: SignedDuration = SignedDuration::from_mins(15);
/// A certificate is not renewed again before, whatever it says of itself: a clock that is wrong must
/// not drive this.
const RENEW_NOT_BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// When a certificate is renewed: at two thirds of its life, or up to a twentieth of it earlier, so
/// that not all servers of the world come at once.
pub(super) fn renewal(record: &CertificateRecord, randomness: &dyn Randomness) -> Timestamp {
    let from = record.not_before.max(record.obtained_at);
    let life = record.not_after.duration_since(from).as_secs();
    let early = i128::from(life) * i128::from(chance(randomness)) / i128::from(u16::MAX) / 20;
    let after = life.saturating_mul(2) / 3 - i64::try_from(early).unwrap_or_default();
    let due = from.checked_add(SignedDuration::from_secs(after)).unwrap_or(Timestamp::MAX);
    let earliest = record.obtained_at.checked_add(RENEW_NOT_BEFORE).unwrap_or(Timestamp::MAX);
    due.max(earliest)
}

/// How long to wait after so many failures, give or take a quarter.
pub(super) fn backoff(failures: u32, failure: &Failure, randomness: &dyn Randomness) -> Duration {
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(BACKOFF.len() - 1);
    let seconds = BACKOFF.get(index).copied().unwrap_or(LIMITED_AT_LEAST);
    let seconds = match failure {
        Failure::Unreachable(_) => seconds.min(UNREACHABLE_AT_MOST),
        failure if failure.is_rate_limit() => seconds.max(LIMITED_AT_LEAST),
        _ => seconds,
    };
    let jitter = u64::from(chance(randomness)) * (seconds / 2) / u64::from(u16::MAX);
    Duration::from_secs(seconds - seconds / 4 + jitter)
}

/// When it may be tried again.
pub(super) fn next_attempt(attempt: &Attempt, has_tried: bool) -> Timestamp {
    if has_tried {
        return attempt.retry_at;
    }
    attempt.retry_at.min(attempt.failed_at.checked_add(AFTER_A_START).unwrap_or(Timestamp::MAX))
}

fn chance(randomness: &dyn Randomness) -> u16 {
    let mut bytes = [0; 2];
    randomness.fill(&mut bytes);
    u16::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use bridgehead_auth::{CertificateId, Sealed};

    use super::*;

    /// As little or as much as there is.
    struct Always(u8);

    impl Randomness for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn record(not_before: &str, not_after: &str, obtained_at: &str) -> CertificateRecord {
        CertificateRecord {
            id: CertificateId::new("https://acme.example", &["a.example".to_owned()]),
            chain: String::new(),
            key: Sealed::new(Vec::new()),
            not_before: time(not_before),
            not_after: time(not_after),
            obtained_at: time(obtained_at),
        }
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life() {
        let ninety_days = record("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-01-01T00:00:00Z");
        assert_eq!(renewal(&ninety_days, &Always(0)), time("2026-03-02T00:00:00Z"));
        assert_eq!(renewal(&ninety_days, &Always(255)), time("2026-02-25T12:00:00Z"), "and at most a twentieth before");
        let six_days = record("2026-01-01T00:00:00Z", "2026-01-07T00:00:00Z", "2026-01-01T01:00:00Z");
        assert!(renewal(&six_days, &Always(0)) < time("2026-01-05T01:00:00Z"));
    }

    /// Else a server whose clock is wrong would ask for one certificate after another.
    #[test]
    fn whatever_the_clock_says_an_hour_passes_between_two_certificates() {
        for obtained_at in ["2026-03-31T23:59:59Z", "2036-01-01T00:00:00Z"] {
            let late = record("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", obtained_at);
            assert_eq!(renewal(&late, &Always(255)), late.obtained_at + RENEW_NOT_BEFORE);
        }
        let early = record("2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", "1970-01-01T00:00:00Z");
        assert_eq!(renewal(&early, &Always(0)), time("2026-03-02T00:00:00Z"));
    }

    #[test]
    fn attempts_become_rare() {
        let wait = |failures, failure: &Failure, chance| backoff(failures, failure, &Always(chance)).as_secs();
        let refused = Failure::TimedOut;
        let least: Vec<_> = (1..=8).map(|failures| wait(failures, &refused, 0)).collect();
        assert_eq!(least, [90, 450, 1350, 2700, 8100, 16200, 16200, 16200]);
        assert_eq!(wait(6, &refused, 255), 27_000);
        assert_eq!(wait(u32::MAX, &refused, 0), 16_200);
        assert_eq!(wait(6, &Failure::Unreachable("gone".into()), 0), 450);
        assert_eq!(wait(1, &Failure::limited_for_test(), 0), 2700);
    }

    #[test]
    fn a_restart_tries_sooner_and_not_at_once() {
        let attempt =
            Attempt { failures: 6, failed_at: time("2026-01-01T00:00:00Z"), retry_at: time("2026-01-01T06:00:00Z") };
        assert_eq!(next_attempt(&attempt, true), attempt.retry_at);
        assert_eq!(next_attempt(&attempt, false), time("2026-01-01T00:15:00Z"));
        let soon = Attempt { retry_at: time("2026-01-01T00:02:00Z"), ..attempt };
        assert_eq!(next_attempt(&soon, false), soon.retry_at);
    }
}
