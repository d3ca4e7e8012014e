//! What the endpoint does with other spellings, other methods and larger messages than the first one.

use bridgehead_core::Secret;
use bridgehead_outbound::{MaybeSentReason, Request, SendError};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use url::Url;

use super::http::{Found, asking, is_page, location, ping};
use crate::{
    Area, Check, rpc,
    visit::{Answer, NoAnswer, Visit},
};

/// A message that is not small, in bytes: a page of text among the arguments of a tool.
const LARGE: usize = 256 << 10;

/// With and without.
pub(super) const HTTP_TRAILING_SLASH: Check = Check {
    id: "http-trailing-slash",
    area: Area::Reach,
    title: "A slash at the end of the path leads to no redirect",
    why: "Teammates type both, and some clients add or drop a slash. Many follow no redirect of a POST; behind a proxy \
          that ends TLS it often leads to http, and the Authorization header is lost on the way. The error names \
          neither.",
    standard: "RFC 9110 §15.4, RFC 3986 §6.2.4",
    mend: "Let the server answer at both, and switch the framework's redirect of slashes off for the endpoint.",
};

/// Not in the clear.
pub(super) const HTTP_PLAIN: Check = Check {
    id: "http-plain",
    area: Area::Reach,
    title: "Without TLS nothing is served",
    why: "Where the same server also answers by plain http, a URL typed without the s works, and sends key or token \
          through the network for everybody to read.",
    standard: "RFC 6750 §5.3, RFC 9110 §4.2.2",
    mend: "Close port 80, or let it redirect to https and answer nothing else.",
};

/// GET.
pub(super) const HTTP_GET: Check = Check {
    id: "http-get",
    area: Area::Reach,
    title: "GET on the endpoint is answered by 405 or a stream",
    why: "Clients open a GET to listen for messages. Claude takes 404 for \"cannot be reached\"; a page or silence is \
          an error to most of them, while 405 tells them that there is no such stream.",
    standard: "MCP 2025-11-25, Transports, \"Listening for Messages from the Server\", RFC 9110 §15.5.6",
    mend: "Answer GET on the endpoint with 405 and Allow: POST, or with text/event-stream and its head at once. Look \
           whether the proxy passes GET on for this path.",
};

/// Not small.
pub(super) const HTTP_LARGE_BODY: Check = Check {
    id: "http-large-body",
    area: Area::Reach,
    title: "A message of 256 KiB is taken",
    why: "Arguments of tools are texts and tables. A proxy or framework with a small limit (100 KB is Express's own) \
          refuses them, and the model sees an error that it cannot mend.",
    standard: "RFC 9110 §15.5.14",
    mend: "Raise the limit on request bodies in the server and the proxy (1 MiB or more), and say in the tool's schema \
           how long an argument may be.",
};

/// Looks.
pub(super) async fn examine(visit: &mut Visit<'_>, found: &Found) {
    trailing_slash(visit, found).await;
    plain(visit, &found.endpoint).await;
    let credential = visit.target().headers.clone();
    get(visit, &found.endpoint, &credential).await;
    if found.status == StatusCode::UNAUTHORIZED {
        visit.skipped(&HTTP_LARGE_BODY, "without a credential nothing large is sent");
    } else {
        large_body(visit, &found.endpoint, &credential).await;
    }
}

/// Looks again, with what was given for signing in: until then the answer was the same to everything.
pub(super) async fn examine_signed_in(visit: &mut Visit<'_>, endpoint: &Url, credential: &[(HeaderName, Secret)]) {
    get(visit, endpoint, credential).await;
    large_body(visit, endpoint, credential).await;
}

async fn trailing_slash(visit: &mut Visit<'_>, found: &Found) {
    if !found.is_direct() || found.endpoint.path() == "/" {
        let reason = if found.is_direct() { "the path is / alone" } else { "the URL is not that of the endpoint" };
        visit.skipped(&HTTP_TRAILING_SLASH, reason);
        return;
    }
    let path = found.endpoint.path();
    let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
    let mut url = found.endpoint.clone();
    url.set_path(&other);
    // Without the credential: where a redirect leads is seen all the same.
    let Ok(request) = asking(&url, &[]) else { return };
    let Ok(answer) = visit.send(request).await else {
        visit.passed(&HTTP_TRAILING_SLASH, format!("nothing answers at {other}"));
        return;
    };
    match location(&answer, &url) {
        Some(to) if answer.received.status.is_redirection() => {
            let status = answer.received.status.as_u16();
            let seen = format!("{other} is answered with a redirect ({status}) to {to}.");
            visit.warning(&HTTP_TRAILING_SLASH, seen, [answer.exchange]);
        }
        _ => visit.passed(&HTTP_TRAILING_SLASH, format!("{other}: {}", answer.received.status.as_u16())),
    }
}

async fn plain(visit: &mut Visit<'_>, endpoint: &Url) {
    let mut url = endpoint.clone();
    if endpoint.scheme() != "https" || endpoint.port().is_some() || url.set_scheme("http").is_err() {
        visit.skipped(&HTTP_PLAIN, "only a server at the usual port of https has one for http beside it");
        return;
    }
    // A key in the query is not for everybody on the way.
    url.set_query(None);
    let Ok(request) = asking(&url, &[]) else { return };
    match visit.send(request).await {
        Ok(answer) if serves(&answer) => {
            let seen = format!("{url} is answered with {}.", answer.received.status.as_u16());
            visit.warning(&HTTP_PLAIN, seen, [answer.exchange]);
        }
        Ok(answer) => visit.passed(&HTTP_PLAIN, format!("port 80 answers {}", answer.received.status.as_u16())),
        Err(_) => visit.passed(&HTTP_PLAIN, "nothing answers at port 80".to_owned()),
    }
}

/// Whether this is the endpoint's own answer, that to a missing credential included.
fn serves(answer: &Answer) -> bool {
    let status = answer.received.status;
    !is_page(answer) && (status.is_success() || status == StatusCode::UNAUTHORIZED)
}

async fn get(visit: &mut Visit<'_>, endpoint: &Url, credential: &[(HeaderName, Secret)]) {
    let mut request = Request::get(endpoint.clone());
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    for (name, value) in credential {
        if request.set_secret_header(name.clone(), value).is_err() {
            return;
        }
    }
    let answer = match visit.head_of(request).await {
        Ok(answer) => answer,
        Err(NoAnswer { error, exchange }) => {
            visit.failed(&HTTP_GET, format!("GET has no answer: {error}."), [exchange]);
            return;
        }
    };
    let status = answer.received.status;
    let shown = status.as_u16();
    let media_type = answer.received.media_type();
    let is_stream = media_type.as_deref() == Some("text/event-stream");
    if status == StatusCode::METHOD_NOT_ALLOWED && !answer.received.headers.contains_key(header::ALLOW) {
        // RFC 9110 §15.5.6 wants the header, and no client reads it.
        visit.passed(&HTTP_GET, "405, without the Allow header that belongs to it".to_owned());
    } else if status == StatusCode::NOT_FOUND || status.is_server_error() || status.is_redirection() {
        visit.failed(&HTTP_GET, format!("GET is answered with {shown}."), [answer.exchange]);
    } else if status.is_success() && !is_stream {
        let media_type = media_type.unwrap_or_else(|| "no media type".to_owned());
        visit.failed(&HTTP_GET, format!("GET is answered with {shown} and {media_type}."), [answer.exchange]);
    } else {
        visit.passed(&HTTP_GET, if is_stream { "a stream".to_owned() } else { shown.to_string() });
    }
}

/// Whether a small one is taken where a large one had this answer, which may have other reasons than its size.
async fn is_for_its_size(
    visit: &mut Visit<'_>,
    endpoint: &Url,
    credential: &[(HeaderName, Secret)],
    answer: &Answer,
) -> bool {
    let status = answer.received.status;
    if status == StatusCode::PAYLOAD_TOO_LARGE || is_page(answer) {
        return true;
    }
    if !status.is_server_error() && status != StatusCode::BAD_REQUEST {
        return false;
    }
    let Ok(request) = rpc::post(endpoint, &ping(), credential) else { return false };
    visit.send(request).await.is_ok_and(|small| small.received.status.is_success())
}

async fn large_body(visit: &mut Visit<'_>, endpoint: &Url, credential: &[(HeaderName, Secret)]) {
    let mut message = ping();
    if let Some(message) = message.as_object_mut() {
        message.insert("params".to_owned(), json!({"_meta": {"padding": "x".repeat(LARGE)}}));
    }
    let Ok(request) = rpc::post(endpoint, &message, credential) else { return };
    match visit.send(request).await {
        Ok(answer) => {
            let status = answer.received.status.as_u16();
            if is_for_its_size(visit, endpoint, credential, &answer).await {
                visit.warning(&HTTP_LARGE_BODY, format!("It is answered with {status}."), [answer.exchange]);
            } else {
                visit.passed(&HTTP_LARGE_BODY, status.to_string());
            }
        }
        Err(NoAnswer { error: SendError::MaybeSent(error), exchange })
            if error.reason == MaybeSentReason::ConnectionLost =>
        {
            visit.warning(&HTTP_LARGE_BODY, "The connection is closed while it is sent.", [exchange]);
        }
        Err(NoAnswer { error, exchange }) => {
            visit.warning(&HTTP_LARGE_BODY, format!("It has no answer: {error}."), [exchange]);
        }
    }
}
