//! When to come back: `Retry-After` (RFC 9110 §10.2.3), and the headers in which APIs say the same.

use std::time::Duration;

use http::HeaderMap;
use jiff::{Timestamp, fmt::rfc2822};

/// Nobody waits longer for an answer; a clock that is wrong should not make it years.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait; `None` where the answer does not say, or the time has passed.
pub(super) fn of(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let until = |then: Timestamp| Duration::try_from(then.duration_since(now)).ok();
    let named = text("retry-after").and_then(|value| {
        value.parse().ok().map(Duration::from_secs).or_else(|| {
            let date = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
            until(date)
        })
    });
    // Seconds since 1970, as GitHub and others send it with a limit that is used up.
    let reset = || {
        let seconds: i64 = text("x-ratelimit-reset").filter(|_| is_used_up(headers))?.parse().ok()?;
        (seconds > 1_000_000_000).then(|| Timestamp::from_second(seconds).ok()).flatten().and_then(until)
    };
    named.or_else(reset).map(|after| after.min(LONGEST))
}

/// Whether the answer names a time, readable or not.
pub(super) fn is_named(headers: &HeaderMap) -> bool {
    headers.contains_key("retry-after")
}

/// Whether a 403 is about the number of calls, and not about rights.
pub(super) fn is_limit(headers: &HeaderMap) -> bool {
    is_named(headers) || is_used_up(headers)
}

fn is_used_up(headers: &HeaderMap) -> bool {
    headers.get("x-ratelimit-remaining").is_some_and(|value| value.as_bytes() == b"0")
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn seconds_dates_and_nonsense() {
        let now: Timestamp = "2026-11-20T08:00:00Z".parse().unwrap();
        for (name, value, expected) in [
            ("retry-after", "120", Some(120)),
            ("retry-after", " 0 ", Some(0)),
            ("retry-after", "Fri, 20 Nov 2026 08:01:30 GMT", Some(90)),
            ("retry-after", "Fri, 20 Nov 2026 07:00:00 GMT", None),
            ("retry-after", "99999999999", Some(86_400)),
            ("retry-after", "-5", None),
            ("retry-after", "soon", None),
            ("x-ratelimit-reset", "1800000000", None),
        ] {
            let headers = [(HeaderName::from_static(name), HeaderValue::from_static(value))].into_iter().collect();
            assert_eq!(of(&headers, now), expected.map(Duration::from_secs), "{name}: {value}");
        }
        let reset = (now.as_second() + 60).to_string();
        let headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", reset.as_str())];
        let headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        assert_eq!(of(&headers, now), Some(Duration::from_secs(60)));
        assert!(is_limit(&headers));
    }
}
