//! The first message to the endpoint: whether the server itself answers it, and not something in front of it.

use std::time::Duration;

use bridgehead_core::Secret;
use bridgehead_outbound::{IllegalHeaderValue, MaybeSentReason, Request, SendError};
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

use super::address::{self, URL_PATH};
use crate::{
    Area, Check, rpc,
    visit::{Answer, NoAnswer, Visit},
};

/// Slow enough to be noticed.
const SLOW: Duration = Duration::from_secs(5);

/// HTTP at all.
pub(super) const HTTP_ANSWERS: Check = Check {
    id: "http-answers",
    area: Area::Reach,
    title: "A message to the endpoint is answered",
    why: "Without an answer in time the platform shows that the server cannot be reached.",
    standard: "RFC 9110 §3.4, MCP 2025-11-25, Transports, \"Sending Messages to the Server\"",
    mend: "Look in the log of server and proxy what became of the request: a process that crashes, a proxy that passes \
           on to the wrong port, a handler that waits for ever.",
};

/// To its end.
pub(super) const HTTP_BODY: Check = Check {
    id: "http-body",
    area: Area::Reach,
    title: "The answer comes whole",
    why: "An answer that breaks off, is never finished, or is not compressed the way its head says cannot be read.",
    standard: "RFC 9112 §8, RFC 9110 §8.4",
    mend: "Look at what a proxy does to bodies: time limits, a Content-Length or Content-Encoding that it changes or \
           leaves on after it has unpacked the body.",
};

/// Not a proxy's own error.
pub(super) const HTTP_GATEWAY: Check = Check {
    id: "http-gateway",
    area: Area::Reach,
    title: "The proxy in front reaches the server",
    why: "With 502, 503 or 504 a proxy or load balancer says that it has no server behind it that answers. Nothing of \
          the request arrived.",
    standard: "RFC 9110 §15.6.3 to §15.6.5",
    mend: "Look whether the server runs, listens at the address that the proxy has, and passes the balancer's health \
           check; and whether it takes longer than the proxy waits.",
};

/// No web page.
pub(super) const HTTP_PAGE: Check = Check {
    id: "http-page",
    area: Area::Reach,
    title: "The endpoint answers with no web page",
    why: "A page in the place of an answer is a login page, a test for robots, or an application that shows itself at \
          every path. A platform is no browser and gives up.",
    standard: "MCP 2025-11-25, Transports, \"Sending Messages to the Server\"",
    mend: "Exempt the endpoint's path from single sign-on, bot protection and catch-all pages of the proxy or host. The \
           server checks who is calling by itself.",
};

/// No way round.
pub(super) const HTTP_REDIRECT: Check = Check {
    id: "http-redirect",
    area: Area::Reach,
    title: "The endpoint answers itself, without a redirect",
    why: "After 301, 302 and 303 a client sends GET in the place of POST, and to another origin it drops the \
          Authorization header. Many platforms follow no redirect at all.",
    standard: "RFC 9110 §15.4, Fetch §4.4 (HTTP-redirect fetch)",
    mend: "Enter the URL that the redirect leads to, or let the server answer at both. A redirect to http:// shows that \
           the server does not know it stands behind TLS: let it take X-Forwarded-Proto from its proxy.",
};

/// Soon.
pub(super) const HTTP_TIME: Check = Check {
    id: "http-time",
    area: Area::Reach,
    title: "The first answer comes soon",
    why: "Platforms give a server some ten to thirty seconds when a connection is made. What sleeps until it is called \
          fails the first teammate of each day.",
    standard: "none: what platforms wait",
    mend: "Keep at least one instance running, and do at the start what the first request waits for.",
};

/// Not from a store.
pub(super) const HTTP_CACHING: Check = Check {
    id: "http-caching",
    area: Area::Reach,
    title: "Answers of the endpoint are not kept by caches",
    why: "A shared cache that keeps answers gives what one caller may see to another one, or an old refusal to \
          everybody.",
    standard: "RFC 9111 §3, RFC 9111 §5.2",
    mend: "Send Cache-Control: no-store from the endpoint, and exempt its path from caching in the CDN.",
};

/// The endpoint, and what it says to a message.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) endpoint: Url,
    pub(super) status: StatusCode,
    redirected: bool,
}

impl Found {
    /// Whether it is where it was said to be.
    pub(super) const fn is_direct(&self) -> bool {
        !self.redirected
    }
}

/// A message that changes nothing and that every server knows (MCP 2025-11-25, "Ping").
pub(super) fn ping() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "ping"})
}

/// The message as a POST, with the credential that was given, to the origin that it was given for.
pub(super) fn asking(endpoint: &Url, credential: &[(HeaderName, Secret)]) -> Result<Request, IllegalHeaderValue> {
    rpc::post(endpoint, &ping(), credential)
}

/// Looks; `None` where there is no endpoint to go on with.
pub(super) async fn examine(visit: &mut Visit<'_>, url: &Url) -> Option<Found> {
    let answer = ask(visit, url).await?;
    if answer.received.status.is_redirection() && location(&answer, url).is_some() {
        return redirected(visit, url, &answer).await;
    }
    visit.passed(&HTTP_REDIRECT, None);
    judge(visit, url, answer).await
}

/// What is wrong with this answer; `None` where it is no answer of an endpoint.
async fn judge(visit: &mut Visit<'_>, url: &Url, answer: Answer) -> Option<Found> {
    let status = answer.received.status;
    if is_gateway(status) {
        let seen = format!("{} comes back{}.", status.as_u16(), by(&answer.received.headers));
        visit.failed(&HTTP_GATEWAY, seen, [answer.exchange]);
        return None;
    }
    visit.passed(&HTTP_GATEWAY, None);
    let found = if is_nothing(status) || is_page(&answer) {
        elsewhere(visit, url, &answer).await?
    } else {
        visit.passed(&URL_PATH, None);
        Found { endpoint: url.clone(), status, redirected: false }
    };
    visit.passed(&HTTP_PAGE, None);
    judge_time(visit, &answer);
    judge_caching(visit, &answer);
    Some(found)
}

/// Sends the message; `None`, with a verdict, where nothing comes back.
async fn ask(visit: &mut Visit<'_>, url: &Url) -> Option<Answer> {
    let credential = visit.target().headers.clone();
    let Ok(request) = asking(url, &credential) else {
        visit.goes_no_further("the credential that was given cannot stand in a header");
        return None;
    };
    match visit.send(request).await {
        Ok(answer) => {
            visit.passed(&HTTP_ANSWERS, answer.received.status.to_string());
            visit.passed(&HTTP_BODY, None);
            Some(answer)
        }
        Err(NoAnswer { error, exchange }) => {
            let broken = matches!(&error, SendError::MaybeSent(error) if error.reason == MaybeSentReason::BodyBroken);
            let check = if broken { &HTTP_BODY } else { &HTTP_ANSWERS };
            if broken {
                visit.passed(&HTTP_ANSWERS, None);
            }
            visit.failed(check, format!("No whole answer: {error}."), [exchange]);
            None
        }
    }
}

async fn redirected(visit: &mut Visit<'_>, url: &Url, answer: &Answer) -> Option<Found> {
    let to = location(answer, url)?;
    let status = answer.received.status.as_u16();
    let seen = format!("A POST is answered with a redirect ({status}) to {to}.");
    // Where the method and the credential survive, clients that follow at all arrive.
    let survives = matches!(status, 307 | 308) && to.origin() == url.origin();
    if survives {
        visit.warning(&HTTP_REDIRECT, seen, [answer.exchange]);
    } else {
        visit.failed(&HTTP_REDIRECT, seen, [answer.exchange]);
    }
    // What was given for one origin is sent to no other one.
    if to.origin() != url.origin() {
        return None;
    }
    // A login page, say: the redirect is what is wrong, and that was said.
    let credential = visit.target().headers.clone();
    let next = visit.send(asking(&to, &credential).ok()?).await.ok().filter(is_endpoint)?;
    let found = judge(visit, &to, next).await?;
    Some(Found { redirected: true, ..found })
}

/// Where a redirect leads, without what no client sends.
pub(super) fn location(answer: &Answer, url: &Url) -> Option<Url> {
    let mut to = url.join(answer.received.headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
    to.set_fragment(None);
    (matches!(to.scheme(), "http" | "https") && to.username().is_empty() && to.password().is_none()).then_some(to)
}

/// The endpoint at another path of the same origin, where there is one.
async fn elsewhere(visit: &mut Visit<'_>, url: &Url, answer: &Answer) -> Option<Found> {
    let credential = visit.target().headers.clone();
    let what = if is_page(answer) { "a web page" } else { "nothing that takes messages" };
    let status = answer.received.status.as_u16();
    for guess in address::guesses(url) {
        let Ok(request) = asking(&guess, &credential) else { continue };
        let Ok(other) = visit.send(request).await else { continue };
        if is_endpoint(&other) {
            let seen = format!(
                "At {} there is {what} ({status}). The endpoint is at {guess}, it seems, and the doctor goes on there.",
                url.path()
            );
            visit.failed(&URL_PATH, seen, [answer.exchange, other.exchange]);
            return Some(Found { endpoint: guess, status: other.received.status, redirected: true });
        }
    }
    if is_nothing(answer.received.status) && is_named_in_metadata(visit, url).await {
        // Then it is there, and hides from whoever has not signed in: what is wrong with that is said later.
        visit.passed(&URL_PATH, "the metadata for signing in names it".to_owned());
        return Some(Found { endpoint: url.clone(), status: answer.received.status, redirected: false });
    }
    let cause = by(&answer.received.headers);
    if is_page(answer) && !is_nothing(answer.received.status) {
        visit.passed(&URL_PATH, None);
        visit.failed(&HTTP_PAGE, format!("A POST is answered with {what} ({status}{cause})."), [answer.exchange]);
    } else {
        visit.failed(&URL_PATH, format!("At {} there is {what} ({status}{cause}).", url.path()), [answer.exchange]);
    }
    None
}

/// Whether there is metadata of a protected resource for this very URL (RFC 9728 §3.1).
async fn is_named_in_metadata(visit: &mut Visit<'_>, url: &Url) -> bool {
    let mut at = url.clone();
    at.set_query(None);
    at.set_path(&format!("/.well-known/oauth-protected-resource{}", url.path()));
    let Ok(answer) = visit.send(Request::get(at)).await else { return false };
    let document: Value = serde_json::from_slice(&answer.received.body).unwrap_or_default();
    let resource = document.get("resource").and_then(Value::as_str).and_then(|resource| resource.parse::<Url>().ok());
    answer.received.status.is_success() && resource.as_ref() == Some(url)
}

fn is_gateway(status: StatusCode) -> bool {
    // 520 to 530 are Cloudflare's words for the same.
    matches!(status.as_u16(), 502..=504 | 520..=530)
}

const fn is_nothing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 405 | 410 | 501)
}

/// Whether a page comes in the place of an answer. That of a 401 is never read: its head says what to do. A line
/// of text that a framework calls `text/html` is none.
pub(super) fn is_page(answer: &Answer) -> bool {
    let is_html = answer.received.media_type().is_some_and(|media_type| is_html(&media_type));
    let begins = answer.received.body.trim_ascii_start().starts_with(b"<");
    answer.received.status != StatusCode::UNAUTHORIZED && is_html && begins
}

fn is_html(media_type: &str) -> bool {
    matches!(media_type, "text/html" | "application/xhtml+xml")
}

fn is_endpoint(answer: &Answer) -> bool {
    let status = answer.received.status;
    !is_page(answer) && !is_nothing(status) && !status.is_server_error() && !status.is_redirection()
}

/// Who says it, where the answer tells.
fn by(headers: &HeaderMap) -> String {
    let server = headers.get(header::SERVER).and_then(|value| value.to_str().ok());
    server.map(|server| format!(", from {}", rpc::short(server))).unwrap_or_default()
}

fn judge_time(visit: &mut Visit<'_>, answer: &Answer) {
    let (took, patience) = (answer.took, visit.target().profile.patience());
    let seen = format!("{} s until the answer was there.", took.as_secs());
    if took > patience {
        visit.failed(&HTTP_TIME, format!("{seen} {} s is what is waited.", patience.as_secs()), [answer.exchange]);
    } else if took > SLOW {
        visit.warning(&HTTP_TIME, seen, [answer.exchange]);
    } else {
        visit.passed(&HTTP_TIME, format!("{} ms", took.as_millis()));
    }
}

fn judge_caching(visit: &mut Visit<'_>, answer: &Answer) {
    let headers = &answer.received.headers;
    let kept = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let kept: Vec<_> = kept.flat_map(|value| value.split(',')).map(str::trim).filter(|word| lets_keep(word)).collect();
    if headers.contains_key(header::AGE) {
        let seen = "The answer has an Age header: it comes from a cache in front of the server.";
        visit.warning(&HTTP_CACHING, seen, [answer.exchange]);
    } else if let Some(word) = kept.first() {
        let seen = format!("The answer says Cache-Control: {word}, which lets shared caches keep it.");
        visit.warning(&HTTP_CACHING, seen, [answer.exchange]);
    } else {
        visit.passed(&HTTP_CACHING, None);
    }
}

/// Whether this directive lets a shared cache keep an answer.
fn lets_keep(directive: &str) -> bool {
    let directive = directive.to_ascii_lowercase();
    let lasts = |name: &str| {
        let seconds = directive.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        seconds.is_some_and(|seconds| seconds.trim_matches('"') != "0")
    };
    directive == "public" || lasts("s-maxage")
}

#[cfg(test)]
mod tests {
    use bridgehead_outbound::{Bytes, Received};
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_lets_caches_keep_an_answer() {
        for directive in ["public", "Public", "s-maxage=60", "S-MaxAge=\"60\""] {
            assert!(lets_keep(directive), "{directive}");
        }
        for directive in ["no-store", "private", "max-age=60", "s-maxage=0", "s-maxage", ""] {
            assert!(!lets_keep(directive), "{directive}");
        }
    }

    #[test]
    fn a_page_is_told_from_a_line_of_text() {
        let answer = |status, media_type: &'static str, body: &'static str| {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
            let url = "https://mcp.example/mcp".parse().unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            let received = Received { status, headers, url, body: Bytes::from_static(body.as_bytes()), cut: false };
            Answer { received, took: Duration::ZERO, exchange: 0 }
        };
        assert!(is_page(&answer(200, "text/html; charset=utf-8", "\n<!doctype html>")));
        assert!(is_page(&answer(403, "text/html", "<html>Just a moment</html>")));
        assert!(!is_page(&answer(401, "text/html", "<html>Unauthorized</html>")), "its head says what to do");
        assert!(!is_page(&answer(400, "text/html", "Invalid or missing session ID")));
        assert!(!is_page(&answer(400, "application/xml", "<error/>")));
    }
}
