//! The second listener, for HTTP: sends browsers on to HTTPS and answers `http-01` challenges.
//! Nothing is served here: what came in the clear is refused, so that a client that is set up wrong
//! is noticed and does not go on sending its key like that.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, Method, StatusCode, header};
use url::Url;

use crate::{
    Tls,
    http::{RequestRefusal, refuse},
    ops,
};

/// The router of the second listener. `public_url` is where HTTPS is.
pub fn router(public_url: &Url, tls: &Tls) -> Router {
    let mut router = Router::new().route("/healthz", get(ops::health::healthz));
    if let Some(challenges) = tls.challenges() {
        let answer = async |State(challenges): State<Arc<dyn crate::tls::Challenges>>, Path(token): Path<String>| {
            // RFC 8555 §8.3: the key authorization, as octets.
            match challenges.http(&token).await {
                Some(answer) => ([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response(),
                None => refuse(RequestRefusal::NotFound, "No challenge of this token is open."),
            }
        };
        router = router.route("/.well-known/acme-challenge/{token}", get(answer).with_state(challenges));
    }
    router.fallback(send_on).with_state(Arc::from(public_url.as_str().trim_end_matches('/')))
}

/// The host is that of the configuration and never the one that was asked for: else this would
/// send people wherever somebody likes.
async fn send_on(State(public_url): State<Arc<str>>, request: Request) -> Response {
    let rest = request.uri().path_and_query().map_or("/", |rest| rest.as_str());
    let target = HeaderValue::from_str(&format!("{public_url}{rest}"));
    match (request.method(), target) {
        (&Method::GET | &Method::HEAD, Ok(target)) => {
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, target)]).into_response()
        }
        _ => refuse(
            RequestRefusal::HttpsRequired,
            &format!(
                "This address speaks HTTPS alone: use {public_url}. What was just sent crossed the network in the clear; \
                 if there was a key or token in it, have it revoked."
            ),
        ),
    }
}
