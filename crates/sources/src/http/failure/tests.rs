//! The exact result of each failure.

use bridgehead_core::Effect::{self, Read, Write};
use serde_json::json;

use super::*;
use crate::http::testing::{received, with_context};

type Row = (u16, Effect, UpstreamCode, bool, &'static str);

#[test]
fn each_status_has_its_code_and_says_what_to_do() {
    let rows: &[Row] = &[
        (
            400,
            Read,
            UpstreamCode::Rejected,
            false,
            "`erp` refused the call (HTTP 400 Bad Request). Change the arguments",
        ),
        (
            401,
            Read,
            UpstreamCode::Unauthorized,
            false,
            "does not accept the credential (HTTP 401 Unauthorized). Tell the",
        ),
        (402, Read, UpstreamCode::Rejected, false, "refused"),
        (403, Read, UpstreamCode::Forbidden, false, "does not allow this to the credential"),
        (404, Read, UpstreamCode::NotFound, false, "does not have what was asked for"),
        (405, Write, UpstreamCode::Rejected, false, "refused"),
        (406, Read, UpstreamCode::Rejected, false, "refused"),
        (408, Read, UpstreamCode::TimedOut, true, "Try again later."),
        (408, Write, UpstreamCode::TimedOut, false, "look at what it should have changed"),
        (409, Write, UpstreamCode::Conflict, false, "Read the present state"),
        (410, Read, UpstreamCode::NotFound, false, "Gone"),
        (412, Write, UpstreamCode::Conflict, false, "in the way"),
        (415, Write, UpstreamCode::Rejected, false, "refused"),
        (422, Write, UpstreamCode::Rejected, false, "refused"),
        (425, Write, UpstreamCode::Busy, true, "Try again later."),
        (429, Write, UpstreamCode::RateLimited, true, "wants fewer calls"),
        (451, Read, UpstreamCode::Rejected, false, "refused"),
        (500, Read, UpstreamCode::Failed, true, "Try again later."),
        (500, Write, UpstreamCode::Failed, false, "look at what it should have changed"),
        (501, Read, UpstreamCode::Failed, false, "cannot do this"),
        (502, Read, UpstreamCode::Busy, true, "Try again later."),
        (502, Write, UpstreamCode::ConnectionLost, false, "look at what it should have changed"),
        (503, Read, UpstreamCode::Busy, true, "Try again later."),
        (503, Write, UpstreamCode::Busy, false, "look at what it should have changed"),
        (504, Read, UpstreamCode::Busy, true, "Try again later."),
        (504, Write, UpstreamCode::ConnectionLost, false, "look at what it should have changed"),
        (599, Read, UpstreamCode::Failed, true, "(HTTP 599)"),
        (999, Read, UpstreamCode::Failed, true, "(HTTP 999)"),
        (304, Read, UpstreamCode::InvalidResponse, false, "leads nowhere"),
    ];
    for (status, effect, code, retryable, words) in rows {
        let failure = with_context(*effect, false, |context| of_answer(&received(*status, &[], ""), context));
        assert_eq!((failure.code, failure.retryable), (*code, *retryable), "{status} {effect}");
        assert!(failure.message.contains(words), "{status} {effect}: {}", failure.message);
        assert_eq!(failure.details.unwrap()["status"], *status);
    }
}

#[test]
fn retry_after_is_passed_on() {
    for (status, header, seconds, code) in [
        (429, ("retry-after", "7"), 7, UpstreamCode::RateLimited),
        (503, ("retry-after", "Fri, 20 Nov 2026 08:00:30 GMT"), 30, UpstreamCode::Busy),
        (403, ("retry-after", "60"), 60, UpstreamCode::RateLimited),
    ] {
        let failure = with_context(Write, false, |context| of_answer(&received(status, &[header], ""), context));
        assert_eq!((failure.code, failure.retry_after), (code, Some(Duration::from_secs(seconds))));
        assert!(failure.retryable && failure.message.ends_with(&format!("Try again in {seconds} s.")), "{failure}");
    }
}

/// D5: what an answer says of the effect. Only what was certainly not done frees the key.
#[test]
fn each_answer_says_what_became_of_the_effect() {
    use Verdict::{Definite, InDoubt, Undone};
    const LATER: (&str, &str) = ("retry-after", "7");
    const ELSEWHERE: (&str, &str) = ("location", "https://erp.internal/elsewhere");
    for (status, header, verdict) in [
        (301, Some(ELSEWHERE), InDoubt),
        (302, Some(ELSEWHERE), InDoubt),
        (303, Some(ELSEWHERE), Definite),
        (307, Some(ELSEWHERE), Undone),
        (308, Some(ELSEWHERE), Undone),
        (400, None, Definite),
        (401, None, Undone),
        (403, None, Undone),
        (403, Some(LATER), Undone),
        (404, None, Definite),
        (408, None, InDoubt),
        (409, None, Definite),
        (422, None, Definite),
        (425, None, Undone),
        (429, None, Undone),
        (500, None, InDoubt),
        (501, None, Definite),
        (502, None, InDoubt),
        (502, Some(LATER), InDoubt),
        (503, None, InDoubt),
        (503, Some(LATER), Undone),
        (503, Some(("retry-after", "soon")), Undone),
        (504, None, InDoubt),
        (599, None, InDoubt),
    ] {
        let headers: Vec<_> = header.into_iter().collect();
        let failure = with_context(Write, false, |context| of_answer(&received(status, &headers, ""), context));
        assert_eq!(failure.verdict, verdict, "{status} {header:?}");
        if verdict == InDoubt {
            assert!(!failure.retryable, "{status}");
        }
    }
    let unreadable = with_context(Write, false, |context| {
        context.unreadable(&received(200, &[], "<html>"), "answered with a web page", str::to_owned)
    });
    assert_eq!(unreadable.verdict, InDoubt);
}

#[test]
fn the_problem_is_told_and_carried_along() {
    let problem = json!({"type": "https://erp.internal/problems/stock", "title": "Out of stock", "detail": "Only <b>3</b>\nleft.",
        "sku": "A-1", "echo": "Bearer s3cr3t-token"});
    let headers = [("content-type", "application/problem+json"), ("x-request-id", "r-1")];
    let failure =
        with_context(Write, false, |context| of_answer(&received(409, &headers, problem.to_string()), context));
    assert_eq!(
        failure.message,
        "`erp` refused, because what is there is in the way (HTTP 409 Conflict): “Out of stock: Only 3 left”. Read the \
         present state before you decide whether to call again."
    );
    let details = failure.details.unwrap();
    assert_eq!((&details["status"], &details["upstream_request_id"]), (&json!(409), &json!("r-1")));
    assert_eq!((&details["problem"]["sku"], &details["problem"]["echo"]), (&json!("A-1"), &json!("[redacted]")));
}

#[test]
fn words_are_short_and_plain() {
    let page = format!("<html><title>Error</title><body>{}</body>", "x".repeat(100_000));
    for (media_type, body) in
        [("text/html", page.as_str()), ("text/plain", &"y\u{7} ".repeat(100_000)), ("image/png", "\u{1}\u{2}")]
    {
        let failure = with_context(Read, false, |context| {
            of_answer(&received(500, &[("content-type", media_type)], body), context)
        });
        assert!(failure.message.chars().count() < 700, "{}", failure.message.len());
        assert!(!failure.message.contains(char::is_control) && !failure.message.contains('<'));
        assert!(failure.details.unwrap().to_string().len() < 2_200);
    }
}

#[test]
fn whose_credential_it_is_decides_who_mends_it() {
    for (status, own, words) in [
        (401, true, "enter a valid one where you connected this server"),
        (401, false, "Tell the operator"),
        (403, true, "ask whoever runs that system"),
        (403, false, "Ask the operator"),
    ] {
        let failure = with_context(Read, own, |context| of_answer(&received(status, &[], ""), context));
        assert!(failure.message.contains(words), "{}", failure.message);
    }
}

#[test]
fn redirects_name_the_host_and_no_more() {
    for (status, effect, location, words) in [
        (
            302,
            Read,
            "https://login.example/?token=s3cret",
            "redirects to login.example, which was not followed (HTTP 302)",
        ),
        (307, Write, "/elsewhere", "redirects to erp.internal"),
        (303, Write, "/orders/7", "carried the call out and points to erp.internal"),
        (301, Read, "http://", "leads nowhere"),
    ] {
        let failure = with_context(effect, false, |context| {
            of_answer(&received(status, &[("location", location)], "<html>moved"), context)
        });
        assert_eq!((failure.code, failure.retryable), (UpstreamCode::InvalidResponse, false));
        assert!(failure.message.contains(words) && !failure.message.contains("s3cret"), "{}", failure.message);
    }
}

#[test]
fn what_was_not_sent_may_be_sent_again() {
    for (reason, retryable) in [
        (NotSentReason::Connect, true),
        (NotSentReason::Name, true),
        (NotSentReason::ConnectTimedOut, true),
        (NotSentReason::Tls, false),
        (NotSentReason::Url, false),
    ] {
        let error = NotSent { reason, host: "erp.internal".into(), cause: None };
        let failure = with_context(Write, false, |context| of_transport(error.into(), context));
        assert_eq!((failure.code, failure.retryable), (UpstreamCode::Unavailable, retryable), "{reason:?}");
        assert_eq!(failure.verdict, Verdict::Undone, "{reason:?}");
        assert!(failure.message.contains("Nothing was sent"));
    }
    for (reason, code) in [
        (MaybeSentReason::TimedOut, UpstreamCode::TimedOut),
        (MaybeSentReason::ConnectionLost, UpstreamCode::ConnectionLost),
        (MaybeSentReason::BodyBroken, UpstreamCode::ConnectionLost),
    ] {
        for effect in [Read, Write, Effect::Destructive] {
            let error = MaybeSent { reason, host: "erp.internal".into(), cause: None };
            let failure = with_context(effect, false, |context| of_transport(error.into(), context));
            assert_eq!((failure.code, failure.retryable), (code, effect.is_read()), "{reason:?} {effect}");
            assert_eq!(failure.verdict, Verdict::InDoubt, "{reason:?} {effect}");
            assert_eq!(failure.message.contains("may have taken effect"), !effect.is_read());
        }
    }
}
