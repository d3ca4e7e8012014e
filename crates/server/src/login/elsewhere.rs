//! Signing in at an identity provider: browsers are sent there, and come back to `/oauth/callback`. What
//! they bring is [`bridgehead_auth::provider`]'s to judge; the cookie that binds both ends is set and
//! taken away here.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::{
    MailAddress, TraceEvent,
    issuer::AuthorizationRequest,
    provider::{NotAdmitted, Provider, ProviderSignInError, cookie_of},
    trace::{Fact, Step},
};
use http::{HeaderValue, StatusCode, header};

use super::note;
use crate::{
    browser::{PostedForm, Visit},
    http::body,
    oauth::{self, AuthorizationServer},
    pages::{Fault, LocalPath, NotSignedIn, NotSignedInBecause, SignInElsewhere, SignInNotice, SignedOut, View},
};

/// Where the provider sends browsers back to.
pub(crate) const CALLBACK: &str = "/oauth/callback";

/// The page from which somebody goes there.
pub(super) fn page(
    server: &AuthorizationServer,
    provider: &Provider,
    next: Option<LocalPath>,
    asked: Option<&AuthorizationRequest>,
    notice: Option<SignInNotice>,
) -> Response {
    let view = SignInElsewhere {
        site: server.site.clone(),
        host: provider.settings().host(),
        next: next.unwrap_or_else(LocalPath::account),
        connecting: asked.map(|asked| (oauth::client(asked.client()), oauth::destination(asked))),
        notice,
    };
    view.page().into_response()
}

/// Sends a browser to the provider, with the cookie that it has to bring back.
pub(super) async fn depart(
    server: &AuthorizationServer,
    provider: &Provider,
    visit: &Visit,
    form: &PostedForm,
) -> Response {
    let next = form.one("next").and_then(LocalPath::parse).unwrap_or_else(LocalPath::account);
    let asked = oauth::asked_by(server, Some(&next), visit).await;
    let hint = asked.as_ref().and_then(AuthorizationRequest::login_hint);
    let anew = form.one("as").is_some();
    match provider.depart(next.as_str(), hint, anew).await {
        Ok(departure) => {
            let mut response = there(departure.url.as_str());
            if let Some(cookie) = server.sign_in_cookie.set(&departure.cookie, &departure.value) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) => not_signed_in(server, provider, visit, &error, next).await,
    }
}

/// Somebody comes back.
pub(super) async fn arrive(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let Some(provider) = server.provider.clone() else { return server.fault(&visit, Fault::NotFound) };
    let query = body::pairs(request.uri().query().unwrap_or_default().as_bytes());
    let state = query.iter().find(|(name, _)| name == "state").map(|(_, state)| state.as_str());
    let name = state.and_then(cookie_of);
    let cookie = name.and_then(|name| server.sign_in_cookie.read(&visit.headers, name));
    let headed = cookie.zip(state).and_then(|(cookie, state)| provider.headed_for(cookie, state));
    let next = headed.as_deref().and_then(LocalPath::parse).unwrap_or_else(LocalPath::account);
    let mut response = match provider.arrive(&query, cookie).await {
        Ok(arrival) => {
            let asked = oauth::asked_by(&server, Some(&next), &visit).await;
            let event = TraceEvent::done(Step::SignIn).with(Fact::Subject, arrival.signed_in.user().address.as_str());
            note(&server, &visit, event, asked.as_ref());
            super::begin(&server, &visit, arrival.signed_in, &next).await
        }
        Err(error) => not_signed_in(&server, &provider, &visit, &error, next).await,
    };
    // It is used up, whatever came of it.
    if let Some(cookie) = name.and_then(|name| server.sign_in_cookie.clear(name)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// After signing out here: on to the provider, where it has a page for that.
pub(crate) async fn sign_out(
    server: &AuthorizationServer,
    provider: &Provider,
    address: &MailAddress,
) -> Option<Response> {
    match provider.sign_out(address).await {
        Ok(there) => {
            let host = provider.settings().host();
            there.map(|there| SignedOut { site: server.site.clone(), host, there }.page().into_response())
        }
        Err(error) => {
            tracing::warn!(%error, "somebody who signed out here is not sent on to the identity provider");
            None
        }
    }
}

/// 303 to another site, with nothing of ours in `Referer`.
fn there(url: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(url) else { return StatusCode::BAD_GATEWAY.into_response() };
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

async fn not_signed_in(
    server: &AuthorizationServer,
    provider: &Provider,
    visit: &Visit,
    error: &ProviderSignInError,
    next: LocalPath,
) -> Response {
    let (code, from) = (error.code(), visit.from);
    tracing::warn!(target: "audit", event = "sign_in_refused", code, %from, %error, "nobody was signed in");
    let asked = oauth::asked_by(server, Some(&next), visit).await;
    note(server, visit, TraceEvent::refused(Step::SignIn, code, &error.to_string()), asked.as_ref());
    let why = match error {
        ProviderSignInError::Store(error) => {
            tracing::error!(%error, "nobody can be signed in");
            return server.fault(visit, Fault::Unavailable);
        }
        ProviderSignInError::TooLong => {
            let detail = "It asks for so much at once that it cannot be kept while you sign in elsewhere.".to_owned();
            return server.fault(visit, Fault::BadRequest { detail });
        }
        ProviderSignInError::NotAdmitted(why) => not_admitted(why),
        ProviderSignInError::NotOfThisBrowser => NotSignedInBecause::NotOfThisBrowser,
        ProviderSignInError::Expired => NotSignedInBecause::Late,
        ProviderSignInError::Cancelled => NotSignedInBecause::Cancelled,
        ProviderSignInError::Provider(code) => NotSignedInBecause::Refused { code: code.clone() },
        ProviderSignInError::Down(_) => NotSignedInBecause::Down,
        ProviderSignInError::Answer(_) => NotSignedInBecause::Answer,
        ProviderSignInError::AddressTaken => NotSignedInBecause::AddressTaken,
        ProviderSignInError::Disabled => NotSignedInBecause::Disabled,
    };
    let (site, host) = (server.site.clone(), provider.settings().host());
    NotSignedIn { site, host, why, next, request_id: visit.request_id.clone() }.page().into_response()
}

fn not_admitted(why: &NotAdmitted) -> NotSignedInBecause {
    match why {
        NotAdmitted::NoMail => NotSignedInBecause::NoMail,
        NotAdmitted::MailNotVerified { address } => {
            NotSignedInBecause::MailNotVerified { address: address.to_string() }
        }
        NotAdmitted::Domain { address } => NotSignedInBecause::OtherDomain { address: address.to_string() },
        NotAdmitted::Group { address } => NotSignedInBecause::NoGroup { address: address.to_string() },
    }
}
