//! `GET /oauth/authorize` (RFC 6749 §3.1): a client sends a teammate here. Whoever is not signed in is
//! sent to do so and comes back; then the consent page asks. The request is checked from the start
//! each time, and nothing is remembered in between.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::{
    CsrfBinding, Session, TraceEvent,
    issuer::{AuthorizationRequest, AuthorizeError},
    trace::{Fact, Step},
};
use bridgehead_core::Secret;
use url::Url;

use super::{AuthorizationServer, client_view};
use crate::{
    account,
    browser::{self, Visit},
    http::body,
    pages::{Consent, Destination, Fault, LocalPath, OptionalScope, View},
};

/// The path of the endpoint.
pub(crate) const AUTHORIZE: &str = "/oauth/authorize";

/// What a form on the consent page is for; the request stands beside it.
pub(super) const CONSENT: &str = "consent";

pub(super) async fn authorize(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let visit = Visit::of(&request);
    let asked = match server.issuer.authorization_request(&body::pairs(query.as_bytes()), visit.from).await {
        Ok(asked) => asked,
        Err(error) => return refused(&server, &visit, &query, &error),
    };
    let event = TraceEvent::done(Step::Authorize).redirect(asked.redirect_uri()).query(&query);
    visit.traced(&server).record(about(event, &asked));
    match server.session(&visit).await {
        Ok(Some(session)) => consent_page(&server, &visit, &session, &asked, query).await,
        Ok(None) => browser::see_other(&sign_in_first(&query)),
        Err(response) => response,
    }
}

/// The page for a request that is not in order. It never leads to the redirect URI: nobody here has
/// decided anything yet.
pub(super) fn refused(server: &AuthorizationServer, visit: &Visit, query: &str, error: &AuthorizeError) -> Response {
    let pairs = body::pairs(query.as_bytes());
    let parameter = |name: &str| pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let event = TraceEvent::refused(Step::Authorize, error.code(), &error.to_string())
        .with(Fact::ClientId, parameter("client_id").unwrap_or_default())
        .query(query);
    visit.traced(server).record(event);
    let fault = match error {
        AuthorizeError::UnknownClient => Fault::UnknownClient { detail: None },
        AuthorizeError::ClientRevoked | AuthorizeError::Document(_) if error.status().is_client_error() => {
            match error.retry_after() {
                Some(wait) => Fault::TooMany { wait: server.wait(wait) },
                None => Fault::UnknownClient { detail: Some(error.to_string()) },
            }
        }
        AuthorizeError::RedirectUri => Fault::BadRedirect {
            destination: parameter("redirect_uri")
                .and_then(|uri| Url::parse(uri).ok())
                .map(|url| Destination::of(&url)),
        },
        AuthorizeError::Store(_) | AuthorizeError::Document(_) => {
            tracing::error!(%error, "a request for authorization could not be checked");
            Fault::Unavailable
        }
        _ => Fault::BadRequest { detail: error.to_string() },
    };
    server.fault(visit, fault)
}

async fn consent_page(
    server: &AuthorizationServer,
    visit: &Visit,
    session: &Session,
    asked: &AuthorizationRequest,
    query: String,
) -> Response {
    let offered = asked.offered(&session.user.scopes);
    if offered.is_empty() {
        let detail = format!(
            "It asks for {}, and that is more than you may give away. Ask whoever runs this server.",
            asked.scopes()
        );
        return server.fault(visit, Fault::BadRequest { detail });
    }
    let missing = account::missing(server, session, &again(&query)).await;
    let page = Consent {
        missing,
        site: server.site.clone(),
        client: client_view::client(asked.client()),
        destination: client_view::destination(asked),
        user: session.user.address.to_string(),
        other_user: sign_in_first(&query),
        optional: offered
            .iter()
            .filter(|scope| *scope != "tools:read")
            .map(|scope| OptionalScope { scope: scope.to_owned(), ticked: true })
            .collect(),
        csrf: Secret::new(server.csrf.issue(&CsrfBinding::session(session), &[CONSENT, &query])),
        query,
    };
    page.page().into_response()
}

/// The sign-in page, from which a teammate comes back to their request.
pub(super) fn sign_in_first(query: &str) -> LocalPath {
    browser::sign_in_first(&again(query))
}

/// The request itself, as a path here.
pub(super) fn again(query: &str) -> LocalPath {
    browser::local(&format!("{AUTHORIZE}?{query}"))
}

/// The request that somebody is on their way back to, if it is in order.
pub(crate) async fn asked_by(
    server: &AuthorizationServer,
    next: Option<&LocalPath>,
    visit: &Visit,
) -> Option<AuthorizationRequest> {
    let query = next?.as_str().strip_prefix(AUTHORIZE)?.strip_prefix('?')?;
    server.issuer.authorization_request(&body::pairs(query.as_bytes()), visit.from).await.ok()
}

/// A step with the client that it is about.
pub(crate) fn about(event: TraceEvent, asked: &AuthorizationRequest) -> TraceEvent {
    let client = asked.client();
    event.with(Fact::ClientId, client.id.as_str()).with(Fact::ClientName, client.name.as_deref().unwrap_or_default())
}
