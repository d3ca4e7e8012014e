//! Times, sizes and rates as people write them: `1h30m`, `64KiB`, `60/minute`.

use std::{num::NonZeroU32, time::Duration};

use bridgehead_core::policy::RatePatch;

/// Text that is no time or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(&'static str);

const NO_DURATION: UnitError = UnitError("write a time such as \"500ms\", \"30s\", \"5m\", \"1h30m\" or \"7d\"");
const NO_RATE: UnitError = UnitError("write calls and a time such as \"60/minute\", \"10/second\" or \"100/15m\"");
const NO_SIZE: UnitError = UnitError("write a size such as \"64KiB\", \"1MiB\" or 65536");

/// Reads whole numbers with the units `ms`, `s`, `m`, `h` and `d`, one behind the other: `1h30m`.
///
/// # Errors
/// A number without a unit, another unit, a sign or a fraction.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(NO_DURATION);
    }
    while !rest.is_empty() {
        let (number, behind) = leading_number(rest).ok_or(NO_DURATION)?;
        let end = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(end);
        let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
        let part = match unit {
            "ms" => Some(Duration::from_millis(number)),
            "s" => seconds(1),
            "m" => seconds(60),
            "h" => seconds(60 * 60),
            "d" => seconds(24 * 60 * 60),
            _ => None,
        };
        total = part.and_then(|part| total.checked_add(part)).ok_or(NO_DURATION)?;
        rest = next.trim_start();
    }
    Ok(total)
}

/// Reads a whole number of bytes, with or without one of the units `B`, `KB`, `KiB`, `MB`, `MiB`,
/// `GB` and `GiB` in any letter case.
///
/// # Errors
/// Another unit, a sign or a fraction.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = leading_number(text.trim()).ok_or(NO_SIZE)?;
    let each = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "kib" => 1 << 10,
        "mb" => 1_000_000,
        "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return Err(NO_SIZE),
    };
    number.checked_mul(each).ok_or(NO_SIZE)
}

/// Reads a number of calls, a slash, and `second`, `minute`, `hour`, `day` or a time such as `15m`.
///
/// # Errors
/// Anything else, no calls, and no time.
pub(super) fn parse_rate(text: &str) -> Result<RatePatch, UnitError> {
    let (calls, per) = text.split_once('/').ok_or(NO_RATE)?;
    let calls: NonZeroU32 = calls.trim().parse().map_err(|_| NO_RATE)?;
    let per = match per.trim() {
        "second" => Duration::from_secs(1),
        "minute" => Duration::from_secs(60),
        "hour" => Duration::from_secs(60 * 60),
        "day" => Duration::from_secs(24 * 60 * 60),
        time => parse_duration(time).map_err(|_| NO_RATE)?,
    };
    if per.is_zero() { Err(NO_RATE) } else { Ok(RatePatch { calls, per }) }
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1h30m", Some(5_400_000)),
            ("1h 30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("7d", Some(604_800_000)),
            ("0s", Some(0)),
            ("", None),
            ("30", None),
            ("-1s", None),
            ("1.5s", None),
            ("s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(parse_duration(text).ok().map(|d| d.as_millis()), expected, "{text}");
        }
    }

    #[test]
    fn rates() {
        for (text, expected) in [
            ("60/minute", Some((60, 60))),
            ("10 / second", Some((10, 1))),
            ("1000/day", Some((1000, 86_400))),
            ("100/15m", Some((100, 900))),
            ("5/hour", Some((5, 3600))),
            ("0/second", None),
            ("5/0s", None),
            ("60", None),
            ("60/fortnight", None),
            ("1.5/second", None),
            ("-1/second", None),
            ("", None),
        ] {
            let read = parse_rate(text).ok().map(|rate| (rate.calls.get(), rate.per.as_secs()));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expected) in [
            ("64KiB", Some(65536)),
            ("64 kib", Some(65536)),
            ("1MB", Some(1_000_000)),
            ("10", Some(10)),
            ("10B", Some(10)),
            ("1.5MB", None),
            ("10K", None),
            ("", None),
            ("18446744073709551615GiB", None),
        ] {
            assert_eq!(parse_bytes(text).ok(), expected, "{text}");
        }
    }
}
