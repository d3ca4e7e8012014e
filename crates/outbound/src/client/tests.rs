//! Against real sockets: what is sent, what comes back, and what is said of every failure.

mod harness;
mod look;
mod strangers;
mod tls;

use bridgehead_core::Secret;
use harness::{Answers, Upstream, clock, configured, net};
use http::{HeaderName, StatusCode};

use super::*;
use crate::IllegalHeaderValue;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn not_sent(error: SendError) -> NotSentReason {
    match error {
        SendError::NotSent(error) => error.reason,
        SendError::MaybeSent(error) => panic!("maybe sent: {error}"),
    }
}

fn maybe_sent(error: SendError) -> MaybeSentReason {
    match error {
        SendError::MaybeSent(error) => error.reason,
        SendError::NotSent(error) => panic!("not sent: {error}"),
    }
}

#[tokio::test]
async fn a_request_has_what_its_maker_put_in_and_nothing_else() {
    let mut upstream = Upstream::start(Answers::each("200 OK", "content-type: Application/JSON; charset=utf-8", "{}"));
    let mut request = Request::new(Method::POST, url(&upstream.url("/orders?sku=A-1")));
    request.set_header(HeaderName::from_static("x-tenant"), "acme").unwrap();
    request.set_secret_header(HeaderName::from_static("x-api-key"), &Secret::new("s3cret".into())).unwrap();
    request.body = Bytes::from_static(b"{\"units\":3}");
    assert!(!format!("{request:?}").contains("s3cret"));
    let answer = configured().send(request).await.unwrap().read().await.unwrap();
    assert_eq!((answer.status, answer.media_type().as_deref()), (StatusCode::OK, Some("application/json")));
    assert_eq!(&answer.body[..], b"{}");
    let seen = upstream.seen().await;
    let mut lines: Vec<&str> = seen.split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /orders?sku=A-1 HTTP/1.1");
    assert_eq!(lines.pop(), Some("{\"units\":3}"));
    lines.retain(|line| !line.is_empty());
    lines.sort_unstable();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        lines,
        [
            "accept-encoding: gzip".to_owned(),
            "content-length: 11".to_owned(),
            format!("host: {}", upstream.host()),
            format!("user-agent: bridgehead/{version}"),
            "x-api-key: s3cret".to_owned(),
            "x-tenant: acme".to_owned(),
        ]
    );
}

#[test]
fn a_header_cannot_have_a_line_break() {
    let mut request = Request::get(url("http://erp.internal/"));
    for value in ["a\r\nx-admin: 1", "a\nb", "a\0b"] {
        let name = HeaderName::from_static("x-a");
        assert_eq!(request.set_header(name.clone(), value), Err(IllegalHeaderValue));
        assert_eq!(request.set_secret_header(name, &Secret::new(value.into())), Err(IllegalHeaderValue));
    }
}

#[tokio::test]
async fn nobody_there_means_nothing_was_sent() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let request = Request::get(url(&format!("http://127.0.0.1:{port}/a?key=s3cret")));
    let error = configured().send(request).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    assert_eq!(not_sent(error), NotSentReason::Connect);
}

#[tokio::test]
async fn a_name_that_is_not_there_means_nothing_was_sent() {
    let (net, _) = net(&[("erp.internal", &[])]);
    let client = Client::configured(net, Limits::CONFIGURED);
    for host in ["erp.internal", "unknown.internal"] {
        let error = client.send(Request::get(url(&format!("http://{host}/")))).await.unwrap_err();
        assert_eq!(not_sent(error), NotSentReason::Name, "{host}");
    }
    for illegal in ["ftp://erp.internal/", "http://user:pass@erp.internal/", "data:text/plain,x"] {
        assert_eq!(
            not_sent(client.send(Request::get(url(illegal))).await.unwrap_err()),
            NotSentReason::Url,
            "{illegal}"
        );
    }
}

/// Time is moved, not waited for.
#[tokio::test]
async fn connecting_that_takes_too_long_sent_nothing() {
    let clock = clock();
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let net = Net::system(clock.clone()).with_resolver(harness::NeverAnswers::new(asked));
    let client = Client::configured(net, Limits::CONFIGURED);
    let sending = tokio::spawn(async move { client.send(Request::get(url("http://erp.internal/"))).await });
    was_asked.recv().await.unwrap();
    clock.advance(Limits::CONFIGURED.connect_timeout);
    assert_eq!(not_sent(sending.await.unwrap().unwrap_err()), NotSentReason::ConnectTimedOut);
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_it_open() {
    let clock = clock();
    let mut upstream = Upstream::start(Answers::never());
    let client = Client::configured(Net::system(clock.clone()), Limits::CONFIGURED);
    let mut request = Request::get(url(&upstream.url("/")));
    request.timeout = Some(Duration::from_secs(7));
    let sending = tokio::spawn(async move { client.send(request).await });
    upstream.seen().await;
    clock.advance(Duration::from_secs(6));
    assert!(!sending.is_finished());
    clock.advance(Duration::from_secs(1));
    assert_eq!(maybe_sent(sending.await.unwrap().unwrap_err()), MaybeSentReason::TimedOut);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_timed_out_too() {
    let clock = clock();
    let upstream = Upstream::start(Answers::then_nothing("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"));
    let client = Client::configured(Net::system(clock.clone()), Limits::CONFIGURED);
    let mut answer = client.send(Request::get(url(&upstream.url("/")))).await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "half");
    let reading = tokio::spawn(async move { (answer.chunk().await, answer.chunk().await) });
    clock.advance(Limits::CONFIGURED.timeout);
    let (first, second) = reading.await.unwrap();
    assert_eq!(maybe_sent(first.unwrap_err()), MaybeSentReason::TimedOut);
    assert!(second.unwrap().is_none());
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_it_open() {
    for (raw, expected) in [
        ("", MaybeSentReason::ConnectionLost),
        ("HTTP/1.1 200", MaybeSentReason::ConnectionLost),
        ("nonsense\r\n\r\n", MaybeSentReason::ConnectionLost),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", MaybeSentReason::BodyBroken),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", MaybeSentReason::BodyBroken),
        ("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nhalf", MaybeSentReason::BodyBroken),
    ] {
        let upstream = Upstream::start(Answers::raw(raw));
        let mut request = Request::new(Method::POST, url(&upstream.url("/")));
        request.body = Bytes::from_static(b"x");
        let error = match configured().send(request).await {
            Ok(answer) => answer.read().await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(maybe_sent(error), expected, "{raw:?}");
    }
    let upstream = Upstream::start(Answers::reset());
    let mut request = Request::new(Method::POST, url(&upstream.url("/")));
    request.body = Bytes::from(vec![b'x'; 1 << 20]);
    assert_eq!(maybe_sent(configured().send(request).await.unwrap_err()), MaybeSentReason::ConnectionLost);
}

#[tokio::test]
async fn no_more_is_read_than_the_limit() {
    let upstream = Upstream::start(Answers::each("200 OK", "content-type: text/plain", &"x".repeat(300_000)));
    for (limit, cut) in [(300_001, false), (300_000, false), (299_999, true), (1, true), (0, true)] {
        let mut request = Request::get(url(&upstream.url("/")));
        request.max_body_bytes = Some(limit);
        let answer = configured().send(request).await.unwrap().read().await.unwrap();
        assert_eq!((answer.body.len(), answer.cut), (limit.min(300_000), cut), "{limit}");
    }
}

/// A bomb is small on the wire: what counts is what comes out of it.
#[tokio::test]
async fn the_limit_counts_what_was_decompressed() {
    const A_THOUSAND_TIMES_A: [u8; 29] =
        [31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 75, 76, 28, 5, 163, 96, 20, 12, 119, 0, 0, 3, 218, 56, 154, 232, 3, 0, 0];
    let upstream = Upstream::start(Answers::bytes("200 OK", "content-encoding: gzip", &A_THOUSAND_TIMES_A));
    for (limit, cut) in [(1000, false), (100, true)] {
        let mut request = Request::get(url(&upstream.url("/")));
        request.max_body_bytes = Some(limit);
        let answer = configured().send(request).await.unwrap().read().await.unwrap();
        assert_eq!((answer.body.len(), answer.cut), (limit, cut));
        assert!(!answer.headers.contains_key("content-encoding"));
    }
    let head = Request::new(Method::HEAD, url(&upstream.url("/")));
    assert!(configured().send(head).await.unwrap().read().await.unwrap().body.is_empty());
}

#[tokio::test]
async fn redirects_are_followed_within_the_origin_for_reads() {
    let elsewhere = Upstream::start(Answers::each("200 OK", "", "elsewhere"));
    let to_elsewhere = format!("location: {}", elsewhere.url("/secret"));
    for (method, status, location, expected) in [
        (Method::GET, "301 Moved Permanently", "location: /there", 200),
        (Method::HEAD, "307 Temporary Redirect", "location: there?a=b", 200),
        (Method::GET, "302 Found", to_elsewhere.as_str(), 302),
        (Method::POST, "307 Temporary Redirect", "location: /there", 307),
        (Method::POST, "303 See Other", "location: /there", 303),
        (Method::GET, "304 Not Modified", "location: /there", 304),
        (Method::GET, "302 Found", "", 302),
        (Method::GET, "302 Found", "location: http://", 302),
    ] {
        let answers = Answers::in_turn(&[(status, location, ""), ("200 OK", "", "there")]);
        let upstream = Upstream::start(answers);
        let request = Request::new(method.clone(), url(&upstream.url("/here")));
        let answer = configured().send(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{method} {status} {location}");
        assert_eq!(answer.url().path() != "/here", expected == 200);
    }
    let mut around = Upstream::start(Answers::each("302 Found", "location: /again", ""));
    let answer = configured().send(Request::get(url(&around.url("/")))).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    for _ in 0..=MAX_REDIRECTS {
        around.seen().await;
    }
    assert!(!around.saw_more());
}
