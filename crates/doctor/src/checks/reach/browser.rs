//! Web pages: those of clients that run in a browser, and foreign ones that must not be let in.

use bridgehead_outbound::Request;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use url::Url;

use super::http::Found;
use crate::{
    Area, Check,
    rpc::{self, Dialect, Line, Reply, SESSION, initialize},
    visit::{Answer, Visit},
};

/// A page that is nobody's.
static FOREIGN_ORIGIN: HeaderValue = HeaderValue::from_static("https://client.example");
static FOREIGN_HOST: HeaderValue = HeaderValue::from_static("rebound.example");
/// The revision of the message.
const REVISION: &str = "2025-11-25";
/// What clients in a browser send, beyond what needs no asking.
const SENT: [&str; 3] = ["authorization", "content-type", "mcp-protocol-version"];

/// OPTIONS.
pub(super) const HTTP_PREFLIGHT: Check = Check {
    id: "http-preflight",
    area: Area::Reach,
    title: "A browser's pre-flight request is answered before anybody has to sign in, or no page is let in",
    why: "Browsers ask by OPTIONS, without a credential, before a page may call. A 401, or an answer that leaves a \
          header out, ends MCP Inspector (where it connects directly) and other clients in a browser with \"network \
          error\". Platforms that call from their servers do not ask, so a server that lets no page in is well.",
    standard: "Fetch §3.2.2 (CORS protocol), §4.8 (CORS-preflight fetch)",
    mend: "Answer OPTIONS on the endpoint before the credential is checked: 204 with Access-Control-Allow-Origin, \
           -Methods and -Headers (authorization, content-type, mcp-protocol-version, mcp-session-id). Where pages are \
           not wanted, send no Access-Control header at all.",
};

/// Pages of others.
pub(super) const HTTP_ORIGIN: Check = Check {
    id: "http-origin",
    area: Area::Reach,
    title: "A message of a foreign web page is refused",
    why: "By DNS rebinding a page that somebody opens calls a server on their own machine, or on the inside of a network, \
          as if it were the page's own; where answers let foreign origins read them (CORS), it needs no rebinding. Whoever \
          refuses foreign names in Host stops the first, and MCP wants Origin looked at all the same.",
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
    let lets_pages_read = origin(visit, &found.endpoint).await;
    preflight(visit, &found.endpoint, lets_pages_read).await;
    host(visit, &found.endpoint, is_public).await;
}

async fn preflight(visit: &mut Visit<'_>, endpoint: &Url, lets_pages_read: bool) {
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
    let shown = status.as_u16();
    if status.is_success() {
        judge_permission(visit, &answer);
    } else if status == StatusCode::UNAUTHORIZED || status.is_redirection() || status.is_server_error() {
        visit.warning(&HTTP_PREFLIGHT, format!("OPTIONS is answered with {shown}."), [answer.exchange]);
    } else if lets_pages_read || lets_read(&answer) {
        let seen = format!("Answers let pages of other origins read them, and OPTIONS is answered with {shown}.");
        visit.warning(&HTTP_PREFLIGHT, seen, [answer.exchange]);
    } else {
        // A browser ends there, as it does with a success that allows no origin.
        visit.passed(&HTTP_PREFLIGHT, format!("pages of other origins are not let in ({shown})"));
    }
}

/// Whether a page may read this answer (Fetch §3.2.3).
fn lets_read(answer: &Answer) -> bool {
    answer.received.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
}

/// Whether a page may send what clients send. An answer that allows no origin at all is a refusal.
fn judge_permission(visit: &mut Visit<'_>, answer: &Answer) {
    let headers = &answer.received.headers;
    if !lets_read(answer) {
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

/// Whether a foreign page may read the answer to its message.
async fn origin(visit: &mut Visit<'_>, endpoint: &Url) -> bool {
    let Some(reply) = stranger(visit, endpoint, header::ORIGIN, FOREIGN_ORIGIN.clone()).await else {
        visit.passed(&HTTP_ORIGIN, "no answer".to_owned());
        return false;
    };
    if begins(&reply) {
        let seen = format!("initialize of the page {} is answered with {}.", shown(&FOREIGN_ORIGIN), reply.words());
        visit.warning(&HTTP_ORIGIN, seen, [reply.exchange()]);
    } else {
        visit.passed(&HTTP_ORIGIN, reply.status().as_u16().to_string());
    }
    lets_read(&reply.answer)
}

async fn host(visit: &mut Visit<'_>, endpoint: &Url, is_public: bool) {
    match stranger(visit, endpoint, header::HOST, FOREIGN_HOST.clone()).await {
        Some(reply) if begins(&reply) && !is_public => {
            let seen = format!("initialize for {} is answered with {}.", shown(&FOREIGN_HOST), reply.words());
            visit.warning(&HTTP_HOST, seen, [reply.exchange()]);
        }
        Some(reply) => visit.passed(&HTTP_HOST, reply.status().as_u16().to_string()),
        None => visit.passed(&HTTP_HOST, "no answer".to_owned()),
    }
}

/// Whether MCP begins with it. What is no MCP server may answer everything with a success.
fn begins(reply: &Reply) -> bool {
    reply.result().and_then(|result| result.get("protocolVersion")).is_some_and(Value::is_string)
}

fn shown(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// `initialize` with this header and without a credential, also in the URL. A foreign page has none, and a foreign name
/// may lead a shared proxy to somebody else's server. Servers with sessions refuse everything else before a session has
/// begun, whoever asks.
async fn stranger(visit: &mut Visit<'_>, endpoint: &Url, name: HeaderName, value: HeaderValue) -> Option<Reply> {
    let mut endpoint = endpoint.clone();
    endpoint.set_query(None);
    let line = Line::new(&endpoint, &[])?;
    let mut request = line.bare(initialize(REVISION).to_string());
    request.headers.insert(name, value);
    let reply = rpc::hear(visit, request).await.ok()?;
    if let Some(session) = reply.answer.received.headers.get(SESSION) {
        // Where sessions are not ended by clients, they end by themselves.
        let _ = line.end(visit, &Dialect { revision: REVISION, session: Some(session.clone()) }).await;
    }
    Some(reply)
}
