//! Web pages: those of clients that run in a browser, and foreign ones that must not be let in.

use bridgehead_outbound::Request;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::http::{Found, asking};
use crate::{
    Area, Check,
    visit::{Answer, Visit},
};

/// A page that is nobody's.
static FOREIGN_ORIGIN: HeaderValue = HeaderValue::from_static("https://client.example");
static FOREIGN_HOST: HeaderValue = HeaderValue::from_static("rebound.example");
/// What clients in a browser send, beyond what needs no asking.
const SENT: [&str; 3] = ["authorization", "content-type", "mcp-protocol-version"];

/// OPTIONS.
pub(super) const HTTP_PREFLIGHT: Check = Check {
    id: "http-preflight",
    area: Area::Reach,
    title: "A browser's pre-flight request is answered before anybody has to sign in",
    why: "Browsers ask by OPTIONS, without a credential, before a page may call. A 401, or an answer that leaves a \
          header out, ends MCP Inspector and other clients in a browser with \"network error\". Platforms that call \
          from their servers do not ask.",
    standard: "Fetch, \"CORS protocol\", \"CORS-preflight fetch\"",
    mend: "Answer OPTIONS on the endpoint before the credential is checked: 204 with Access-Control-Allow-Origin, \
           -Methods and -Headers (authorization, content-type, mcp-protocol-version, mcp-session-id); or 403 where \
           pages are not wanted.",
};

/// Pages of others.
pub(super) const HTTP_ORIGIN: Check = Check {
    id: "http-origin",
    area: Area::Reach,
    title: "A message of a foreign web page is refused",
    why: "A page that somebody opens can send messages to every server that the browser reaches. Whoever does not look \
          at Origin lets it call tools, by DNS rebinding also on the inside of a network.",
    standard: "MCP 2025-11-25, Transports, \"Security Warning\"",
    mend: "Answer 403 where the Origin header names a page that is not on a list; requests without the header pass. \
           Most SDKs have a setting for it.",
};

/// Names of others.
pub(super) const HTTP_HOST: Check = Check {
    id: "http-host",
    area: Area::Reach,
    title: "A foreign name in Host is refused where the address is not public",
    why: "By DNS rebinding a page makes the browser call a server on the inside under the page's own name. The name in \
          Host is what gives it away.",
    standard: "MCP 2025-11-25, Transports, \"Security Warning\", RFC 9110 §7.4",
    mend: "Answer only to the names that the server is known by, and 403 or 421 to every other Host.",
};

/// Looks.
pub(super) async fn examine(visit: &mut Visit<'_>, found: &Found, is_public: bool) {
    preflight(visit, &found.endpoint).await;
    origin(visit, &found.endpoint).await;
    host(visit, &found.endpoint, is_public).await;
}

async fn preflight(visit: &mut Visit<'_>, endpoint: &Url) {
    let mut request = Request::new(Method::OPTIONS, endpoint.clone());
    request.headers.insert(header::ORIGIN, FOREIGN_ORIGIN.clone());
    request.headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("POST"));
    let asked = HeaderValue::from_static("authorization,content-type,mcp-protocol-version");
    request.headers.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, asked);
    let answer = match visit.send(request).await {
        Ok(answer) => answer,
        Err(none) => {
            visit.warning(&HTTP_PREFLIGHT, format!("OPTIONS has no answer: {}.", none.error), [none.exchange]);
            return;
        }
    };
    let status = answer.received.status;
    if status == StatusCode::FORBIDDEN {
        visit.passed(&HTTP_PREFLIGHT, "pages of other origins are refused".to_owned());
    } else if !status.is_success() {
        visit.warning(&HTTP_PREFLIGHT, format!("OPTIONS is answered with {}.", status.as_u16()), [answer.exchange]);
    } else {
        judge_permission(visit, &answer);
    }
}

/// Whether a page may send what clients send. An answer that allows no origin at all is a refusal.
fn judge_permission(visit: &mut Visit<'_>, answer: &Answer) {
    let headers = &answer.received.headers;
    if !headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        visit.passed(&HTTP_PREFLIGHT, "pages of other origins are not allowed".to_owned());
        return;
    }
    let allowed = words(headers, &header::ACCESS_CONTROL_ALLOW_HEADERS);
    // The wildcard covers every header but this one.
    let covered = |name: &str| {
        let by_wildcard = name != "authorization" && allowed.iter().any(|word| word == "*");
        by_wildcard || allowed.iter().any(|word| word == name)
    };
    let missing: Vec<_> = SENT.into_iter().filter(|name| !covered(name)).collect();
    if missing.is_empty() {
        visit.passed(&HTTP_PREFLIGHT, None);
    } else {
        let seen = format!("Pages are let in, without what they have to send: {}.", missing.join(", "));
        visit.warning(&HTTP_PREFLIGHT, seen, [answer.exchange]);
    }
}

fn words(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect()
}

async fn origin(visit: &mut Visit<'_>, endpoint: &Url) {
    match stranger(visit, endpoint, header::ORIGIN, FOREIGN_ORIGIN.clone()).await {
        Some(answer) if answer.received.status.is_success() => {
            let status = answer.received.status.as_u16();
            let seen = format!("A message of the page {} is answered with {status}.", shown(&FOREIGN_ORIGIN));
            visit.warning(&HTTP_ORIGIN, seen, [answer.exchange]);
        }
        Some(answer) => visit.passed(&HTTP_ORIGIN, answer.received.status.as_u16().to_string()),
        None => visit.passed(&HTTP_ORIGIN, "no answer".to_owned()),
    }
}

async fn host(visit: &mut Visit<'_>, endpoint: &Url, is_public: bool) {
    match stranger(visit, endpoint, header::HOST, FOREIGN_HOST.clone()).await {
        Some(answer) if answer.received.status.is_success() && !is_public => {
            let status = answer.received.status.as_u16();
            let seen = format!("A message for {} is answered with {status}.", shown(&FOREIGN_HOST));
            visit.warning(&HTTP_HOST, seen, [answer.exchange]);
        }
        Some(answer) => visit.passed(&HTTP_HOST, answer.received.status.as_u16().to_string()),
        None => visit.passed(&HTTP_HOST, "no answer".to_owned()),
    }
}

fn shown(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// A message with this header and without a credential. A foreign page has none, and a foreign name may lead a
/// shared proxy to somebody else's server.
async fn stranger(visit: &mut Visit<'_>, endpoint: &Url, name: HeaderName, value: HeaderValue) -> Option<Answer> {
    let mut request = asking(endpoint, &[]).ok()?;
    request.headers.insert(name, value);
    visit.send(request).await.ok()
}
