//! Times as people read them: always in UTC, and always with the machine's form beside the words.

use jiff::{Timestamp, tz::TimeZone};

/// How long somebody has to wait: in words that need no look at a clock, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    now: Timestamp,
    until: Timestamp,
}

impl Wait {
    /// From `now` on, which the clock says, to `until`.
    #[must_use]
    pub fn new(now: Timestamp, until: Timestamp) -> Self {
        Self { now, until: until.max(now) }
    }

    /// Whole seconds, rounded up and at least one: for `Retry-After` (RFC 9110 §10.2.3).
    #[must_use]
    pub fn seconds(&self) -> u64 {
        let wait = self.until.duration_since(self.now);
        let started = i64::from(wait.subsec_nanos() > 0);
        wait.as_secs().saturating_add(started).max(1).unsigned_abs()
    }

    /// `40 seconds`, `5 minutes`, `3 hours`: rounded up.
    pub(super) fn in_words(&self) -> String {
        let (seconds, minutes) = (self.seconds(), self.seconds().div_ceil(60));
        let (count, unit) = match seconds {
            0..=99 => (seconds, "second"),
            100..=5_940 => (minutes, "minute"),
            _ => (minutes.div_ceil(60), "hour"),
        };
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} {unit}{plural}")
    }

    /// When it is over, at a whole minute and never too early.
    pub(super) fn until(&self) -> Timestamp {
        let early = self.until.as_second().rem_euclid(60) > 0 || self.until.subsec_nanosecond() > 0;
        let minute = self.until.as_second().div_euclid(60) + i64::from(early);
        Timestamp::from_second(minute * 60).unwrap_or(self.until)
    }
}

/// `2026-11-25T07:15:00Z`, for `<time datetime>`.
pub(super) fn machine(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `25 November 2026`.
pub(super) fn date(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y").to_string()
}

/// `25 November 2026, 07:15 UTC`.
pub(super) fn date_and_time(at: &Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn waiting_is_rounded_up() {
        let now: Timestamp = "2026-11-25T07:15:10Z".parse().unwrap();
        let rows = [
            (-5_000, 1, "1 second"),
            (0, 1, "1 second"),
            (1, 1, "1 second"),
            (1_001, 2, "2 seconds"),
            (99_000, 99, "99 seconds"),
            (100_000, 100, "2 minutes"),
            (3_600_000, 3600, "60 minutes"),
            (7_200_000, 7200, "2 hours"),
            (7_200_001, 7201, "3 hours"),
        ];
        for (milliseconds, seconds, words) in rows {
            let wait = Wait::new(now, now + SignedDuration::from_millis(milliseconds));
            assert_eq!((wait.seconds(), wait.in_words().as_str()), (seconds, words), "{milliseconds}");
            assert!(wait.until() >= wait.until && wait.until().as_second() % 60 == 0);
        }
    }

    #[test]
    fn times_read_in_utc() {
        let at: Timestamp = "2026-03-05T09:07:59.5+02:00".parse().unwrap();
        assert_eq!(machine(&at), "2026-03-05T07:07:59Z");
        assert_eq!(date(&at), "5 March 2026");
        assert_eq!(date_and_time(&at), "5 March 2026, 07:07 UTC");
    }
}
