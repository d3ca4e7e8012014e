//! How long an answer is good, as HTTP says it (RFC 9111), and the question whether it still is
//! (RFC 9110 §13).
//!
//! What an answer depends on is in the cache's key: arguments, caller and configuration make the whole
//! request. So of `Vary` only `*` matters.

use std::time::Duration;

use bridgehead_core::{Freshness, Validators};
use bridgehead_outbound::{Received, Request};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, PRAGMA, VARY},
};
use jiff::{Timestamp, fmt::rfc2822};

/// When a request was sent, and when its answer was there.
pub(super) type Between = (Timestamp, Timestamp);

/// What a success says of itself. `method` is that of the request.
pub(super) fn of(received: &Received, method: &Method, (sent, now): Between) -> Freshness {
    let headers = &received.headers;
    let said = Directives::of(headers);
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let age = age(text(AGE), text(DATE), (sent, now));
    let left = |lifetime: Duration| lifetime.saturating_sub(age);
    let shared_lifetime = said.seconds("s-maxage").map(left);
    let mut lifetime = match said.seconds("max-age") {
        None => text(EXPIRES).map(|expires| left(until(expires, text(DATE), now))),
        Some(lifetime) => Some(left(lifetime)),
    };
    let is_old = !said.is_there() && text(PRAGMA).is_some_and(|value| value.eq_ignore_ascii_case("no-cache"));
    let ask_first = said.has("no-cache") || is_old;
    if ask_first {
        lifetime = Some(Duration::ZERO);
    }
    let is_final =
        matches!(received.status, StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION | StatusCode::NO_CONTENT);
    let may_be_kept = is_final || lifetime.or(shared_lifetime).is_some();
    let varies = headers.get_all(VARY).iter().any(|value| value.as_bytes().contains(&b'*'));
    Freshness {
        no_store: said.has("no-store") || varies || !(may_be_kept || received.status == StatusCode::NOT_MODIFIED),
        private: said.has("private"),
        must_revalidate: ask_first || said.has("must-revalidate") || said.has("proxy-revalidate"),
        lifetime,
        shared_lifetime: shared_lifetime.filter(|_| !ask_first),
        age,
        validators: validators(headers).filter(|_| is_asked_by(method)),
        not_modified: received.status == StatusCode::NOT_MODIFIED,
    }
}

/// Asks whether the answer with these validators is still good. Says whether the question is in the
/// request: not where its own headers have one already.
pub(super) fn ask(request: &mut Request, validators: Option<&Validators>) -> bool {
    let Some(validators) = validators.filter(|_| is_asked_by(&request.method)) else { return false };
    if request.headers.contains_key(IF_NONE_MATCH) || request.headers.contains_key(IF_MODIFIED_SINCE) {
        return false;
    }
    let mut is_asked = false;
    for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
        if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_str(value).ok()) {
            request.headers.insert(name, value);
            is_asked = true;
        }
    }
    is_asked
}

/// Only these are answered with 304 (RFC 9110 §15.4.5).
fn is_asked_by(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn validators(headers: &HeaderMap) -> Option<Validators> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let validators = Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) };
    (validators != Validators::default()).then_some(validators)
}

/// How old an answer is (RFC 9111 §4.2.3): what `Age` says and the time it took, or the time since `Date`
/// where that is longer, in whole seconds as it is written. An age that cannot be read says nothing, and one of
/// too many digits is beyond all times.
fn age(age: Option<&str>, date: Option<&str>, (sent, now): Between) -> Duration {
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    let said = age.filter(is_number).map_or(0, |text| text.parse().unwrap_or(u64::MAX));
    let corrected = Duration::from_secs(said).saturating_add(since(sent, now));
    let apparent = date.and_then(read).map_or(Duration::ZERO, |date| Duration::from_secs(since(date, now).as_secs()));
    corrected.max(apparent)
}

fn since(before: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(before)).unwrap_or_default()
}

fn read(date: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
}

/// How long it is until `expires`, on the clock that wrote it where it says what it shows. What cannot be
/// read, `0` for one, is over (RFC 9111 §5.3).
fn until(expires: &str, date: Option<&str>, now: Timestamp) -> Duration {
    let from = date.and_then(read).unwrap_or(now);
    read(expires).and_then(|expires| Duration::try_from(expires.duration_since(from)).ok()).unwrap_or_default()
}

/// The directives of `Cache-Control`, names in lower case (RFC 9111 §5.2).
struct Directives(Vec<(String, Option<String>)>);

impl Directives {
    fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let each = lines.flat_map(split).filter(|directive| !directive.is_empty());
        Self(
            each.map(|directive| match directive.split_once('=') {
                Some((name, value)) => {
                    (name.trim().to_ascii_lowercase(), Some(value.trim().trim_matches('"').to_owned()))
                }
                None => (directive.to_ascii_lowercase(), None),
            })
            .collect(),
        )
    }

    fn is_there(&self) -> bool {
        !self.0.is_empty()
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The shortest time where there are several, and none where it cannot be read (RFC 9111 §4.2.1).
    fn seconds(&self, name: &str) -> Option<Duration> {
        let read = |value: &Option<String>| value.as_deref().and_then(|value| value.parse().ok()).unwrap_or(0);
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| Duration::from_secs(read(value))).min()
    }
}

/// Splits at the commas that are not inside of quotes.
fn split(line: &str) -> Vec<&str> {
    let mut is_quoted = false;
    line.split(move |character| {
        is_quoted ^= character == '"';
        character == ',' && !is_quoted
    })
    .map(str::trim)
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-25T12:00:00Z";
    /// How long the system behind took.
    const TOOK: Duration = Duration::from_millis(250);

    fn freshness(status: u16, headers: &[(&str, &str)]) -> Freshness {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let received = Received {
            status: StatusCode::from_u16(status).unwrap(),
            headers: map,
            url: "https://crm.internal/".parse().unwrap(),
            body: bytes::Bytes::new(),
            cut: false,
        };
        let now: Timestamp = NOW.parse().unwrap();
        of(&received, &Method::GET, (now - TOOK, now))
    }

    #[test]
    fn the_time_is_read_as_rfc_9111_says() {
        let secs = |secs| Some(Duration::from_secs(secs));
        let late = |secs| Some(Duration::from_secs(secs) - TOOK);
        for (headers, lifetime, shared) in [
            (&[][..], None, None),
            (&[("cache-control", "max-age=60")], late(60), None),
            (&[("cache-control", "Public, MAX-AGE=\"60\"")], late(60), None),
            (&[("cache-control", "max-age=60"), ("age", "50")], late(10), None),
            (&[("cache-control", "max-age=60"), ("age", "70")], secs(0), None),
            (&[("cache-control", "max-age=60"), ("age", "old")], late(60), None),
            (&[("cache-control", "max-age=60"), ("age", "-1")], late(60), None),
            (&[("cache-control", "max-age=60"), ("age", "99999999999999999999")], secs(0), None),
            (&[("cache-control", "max-age=60"), ("date", "Wed, 25 Nov 2026 11:59:20 GMT")], secs(20), None),
            (
                &[("cache-control", "max-age=60"), ("date", "Wed, 25 Nov 2026 11:59:20 GMT"), ("age", "50")],
                late(10),
                None,
            ),
            (&[("cache-control", "max-age=60"), ("date", "Wed, 25 Nov 2026 12:00:40 GMT")], late(60), None),
            (&[("cache-control", "max-age=0, s-maxage=60"), ("age", "1")], secs(0), late(59)),
            (&[("cache-control", "max-age=soon")], secs(0), None),
            (&[("cache-control", "max-age=60"), ("cache-control", "max-age=30")], late(30), None),
            (&[("cache-control", "no-cache, max-age=60, s-maxage=60")], secs(0), None),
            (&[("cache-control", "no-cache=\"set-cookie, max-age=9\"")], secs(0), None),
            (&[("cache-control", "max-age=60"), ("expires", "Wed, 25 Nov 2026 13:00:00 GMT")], late(60), None),
            (&[("expires", "Wed, 25 Nov 2026 12:00:30 GMT")], late(30), None),
            (
                &[("expires", "Wed, 25 Nov 2026 12:00:10 GMT"), ("date", "Wed, 25 Nov 2026 11:59:50 GMT")],
                secs(10),
                None,
            ),
            (&[("expires", "Wed, 25 Nov 2026 11:00:00 GMT")], secs(0), None),
            (&[("expires", "0")], secs(0), None),
            (&[("pragma", "no-cache")], secs(0), None),
            (&[("pragma", "no-cache"), ("cache-control", "max-age=60")], late(60), None),
        ] {
            let said = freshness(200, headers);
            assert_eq!((said.lifetime, said.shared_lifetime), (lifetime, shared), "{headers:?}");
            assert!(!said.no_store && !said.private, "{headers:?}");
        }
    }

    #[test]
    fn what_must_not_be_kept_is_told() {
        for (status, headers, kept, private, strict) in [
            (200, &[("cache-control", "no-store")][..], false, false, false),
            (200, &[("cache-control", "private, max-age=60")], true, true, false),
            (200, &[("cache-control", "max-age=60, must-revalidate")], true, false, true),
            (200, &[("cache-control", "max-age=60, Proxy-Revalidate")], true, false, true),
            (200, &[("cache-control", "no-cache")], true, false, true),
            (200, &[("vary", "accept, *")], false, false, false),
            (200, &[("vary", "accept, authorization")], true, false, false),
            (204, &[], true, false, false),
            // Not yet the answer.
            (202, &[], false, false, false),
            (202, &[("cache-control", "max-age=5")], true, false, false),
        ] {
            let said = freshness(status, headers);
            let is = (!said.no_store, said.private, said.must_revalidate);
            assert_eq!(is, (kept, private, strict), "{status} {headers:?}");
        }
    }

    #[test]
    fn the_question_is_asked_with_what_the_answer_said() {
        let headers = [("etag", "W/\"a\""), ("last-modified", "Wed, 25 Nov 2026 11:00:00 GMT")];
        let validators = freshness(200, &headers).validators;
        let url: url::Url = "https://crm.internal/".parse().unwrap();
        let mut request = Request::get(url.clone());
        assert!(ask(&mut request, validators.as_ref()));
        let sent = |name| request.headers.get(name).unwrap().to_str().unwrap();
        assert_eq!([sent(IF_NONE_MATCH), sent(IF_MODIFIED_SINCE)], headers.map(|(_, value)| value));
        assert!(!ask(&mut request, validators.as_ref()), "it is asked already");
        let mut post = Request::get(url.clone());
        post.method = Method::POST;
        assert!(!ask(&mut post, validators.as_ref()) && post.headers.is_empty());
        assert!(!ask(&mut Request::get(url), None));
        assert_eq!(freshness(200, &[]).validators, None);
        assert!(freshness(304, &[]).not_modified && !freshness(304, &[]).no_store);
    }
}
