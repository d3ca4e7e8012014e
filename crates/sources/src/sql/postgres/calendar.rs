//! Days and times as PostgreSQL counts them: days, or microseconds, from the beginning of the year
//! 2000; and as RFC 3339 writes them. PostgreSQL's calendar is longer than that of RFC 3339 (and of
//! jiff): years outside of 0 to 9999 are written with a sign and six digits, as in ISO 8601.

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// 2000-01-01T00:00:00Z in microseconds from 1970.
const EPOCH: i64 = 946_684_800 * MICROS_PER_SECOND;

/// A day, by its number.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".into(),
        i32::MIN => "-infinity".into(),
        days => civil(days.into()),
    }
}

/// A time without a zone, by its number.
pub(super) fn timestamp(micros: i64) -> String {
    match micros {
        i64::MAX => "infinity".into(),
        i64::MIN => "-infinity".into(),
        micros => {
            let days = civil(micros.div_euclid(MICROS_PER_DAY));
            format!("{days}T{}", time(micros.rem_euclid(MICROS_PER_DAY)))
        }
    }
}

/// A moment, by its number.
pub(super) fn moment(micros: i64) -> String {
    match micros {
        i64::MAX | i64::MIN => timestamp(micros),
        micros => format!("{}Z", timestamp(micros)),
    }
}

/// A time of day, by its number; 24:00:00 is one as well.
pub(super) fn time(micros: i64) -> String {
    let seconds = micros / MICROS_PER_SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{hour:02}:{minute:02}:{second:02}{}", fraction(micros % MICROS_PER_SECOND))
}

/// Months, days and microseconds, as an ISO 8601 duration; each part has a sign of its own.
pub(super) fn interval(months: i32, days: i32, micros: i64) -> String {
    match (months, days, micros) {
        (i32::MAX, i32::MAX, i64::MAX) => return "infinity".into(),
        (i32::MIN, i32::MIN, i64::MIN) => return "-infinity".into(),
        (0, 0, 0) => return "PT0S".into(),
        _ => {}
    }
    let part = |count: i64, unit: char| if count == 0 { String::new() } else { format!("{count}{unit}") };
    let (years, months) = (i64::from(months) / 12, i64::from(months) % 12);
    let mut text = format!("P{}{}{}", part(years, 'Y'), part(months, 'M'), part(days.into(), 'D'));
    if micros != 0 {
        let minutes = micros / (60 * MICROS_PER_SECOND);
        text.push_str(&format!("T{}{}", part(minutes / 60, 'H'), part(minutes % 60, 'M')));
        let rest = micros % (60 * MICROS_PER_SECOND);
        if rest != 0 {
            let sign = if rest < 0 { "-" } else { "" };
            let rest = rest.abs();
            text.push_str(&format!("{sign}{}{}S", rest / MICROS_PER_SECOND, fraction(rest % MICROS_PER_SECOND)));
        }
    }
    text
}

fn fraction(micros: i64) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}").trim_end_matches('0').to_owned() }
}

/// A day of the proleptic Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil(days: i64) -> String {
    // Counted from 0000-03-01, so that the day that is not always there is a year's last.
    let days = days + 730_425;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if (0..=9999).contains(&year) {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:+07}-{month:02}-{day:02}")
    }
}

/// The number of a day.
pub(super) fn read_date(text: &str) -> Option<i32> {
    match text {
        "infinity" => Some(i32::MAX),
        "-infinity" => Some(i32::MIN),
        text => {
            let midnight = utc(text.parse::<Date>().ok()?.to_datetime(Time::midnight()))?;
            i32::try_from(midnight.div_euclid(MICROS_PER_DAY)).ok()
        }
    }
}

/// The number of a time: with an offset as the moment that it is, without one as in UTC.
pub(super) fn read_time(text: &str) -> Option<i64> {
    match text {
        "infinity" => Some(i64::MAX),
        "-infinity" => Some(i64::MIN),
        text => match text.parse::<Timestamp>() {
            Ok(moment) => Some(moment.as_microsecond() - EPOCH),
            Err(_) => utc(text.parse::<DateTime>().ok()?),
        },
    }
}

fn utc(time: DateTime) -> Option<i64> {
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond() - EPOCH)
}

/// The number of a time of day.
pub(super) fn read_time_of_day(text: &str) -> Option<i64> {
    let time = text.parse::<Time>().ok()?;
    let seconds = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    Some(seconds * MICROS_PER_SECOND + i64::from(time.subsec_nanosecond()) / 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_as_times() {
        assert_eq!(date(0), "2000-01-01");
        assert_eq!(date(-1), "1999-12-31");
        assert_eq!(date(59), "2000-02-29");
        assert_eq!(date(9_822), "2026-11-22");
        assert_eq!(date(-730_486), "-000001-12-31", "the day before the year 0, which is 1 BC");
        assert_eq!(date(i32::MAX), "infinity");
        assert_eq!(date(2_145_031_948), "+5874897-12-31", "PostgreSQL's last day");
        assert_eq!(timestamp(-1), "1999-12-31T23:59:59.999999");
        assert_eq!(moment(0), "2000-01-01T00:00:00Z");
        assert_eq!(moment(1_500_000), "2000-01-01T00:00:01.5Z");
        assert_eq!(moment(i64::MIN), "-infinity");
        assert_eq!(time(MICROS_PER_DAY), "24:00:00");
    }

    #[test]
    fn intervals_are_iso_8601() {
        for (interval_of, expected) in [
            ((0, 0, 0), "PT0S"),
            ((14, 3, 14_706_700_000), "P1Y2M3DT4H5M6.7S"),
            ((-1, 0, 0), "P-1M"),
            ((0, 1, -3_600_000_000), "P1DT-1H"),
            ((0, 0, -500_000), "PT-0.5S"),
            ((0, 0, i64::MIN), "PT-2562047788H-54.775808S"),
        ] {
            let (months, days, micros) = interval_of;
            assert_eq!(interval(months, days, micros), expected);
        }
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        for text in ["2026-11-22T08:30:00Z", "2026-11-22T09:30:00+01:00", "2026-11-22T08:30:00", "2026-11-22 08:30"] {
            assert_eq!(read_time(text).map(moment).as_deref(), Some("2026-11-22T08:30:00Z"), "{text}");
        }
        assert_eq!(read_time("2026-11-22").map(moment).as_deref(), Some("2026-11-22T00:00:00Z"));
        assert_eq!(read_time_of_day("08:30:00.25").map(time).as_deref(), Some("08:30:00.25"));
        for text in ["", "tomorrow", "22.11.2026", "2026-02-30", "'; DROP TABLE t"] {
            assert_eq!((read_time(text), read_date(text), read_time_of_day(text)), (None, None, None), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_day_comes_back_as_it_was(days in -730_000_i32..2_900_000) {
            prop_assert_eq!(read_date(&date(days)), Some(days));
        }

        #[test]
        fn a_time_comes_back_as_it_was(micros in -60_000_000_000_000_000_i64..240_000_000_000_000_000) {
            prop_assert_eq!(read_time(&moment(micros)), Some(micros));
            prop_assert_eq!(read_time(&timestamp(micros)), Some(micros));
        }

        #[test]
        fn no_number_makes_it_panic(days in any::<i32>(), months in any::<i32>(), micros in any::<i64>()) {
            let _ = (date(days), moment(micros), interval(months, days, micros));
        }
    }
}
