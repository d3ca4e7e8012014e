//! `/account`: what a teammate has connected, their API keys and their password. Everything here is
//! about whoever is signed in, and about nobody else.

mod connections;
mod credentials;
mod keys;
mod password;

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bridgehead_auth::{CsrfBinding, Session, StoreError};
use bridgehead_core::Secret;
use http::header;

use crate::{
    browser::{self, PostedForm, Visit},
    http::body,
    login::{self, SIGNED_OUT},
    oauth::AuthorizationServer,
    pages::{self, AccountNotice, ApiKeys, Fault, KeyFault, LocalPath, PasswordChange, View, paths},
};

/// What the forms of these pages are for.
const FORMS: &str = "account";

pub(crate) use credentials::missing;

pub(crate) fn routes() -> Router<AuthorizationServer> {
    Router::new()
        .route(paths::ACCOUNT, get(account))
        .route(paths::SIGN_OUT, post(sign_out))
        .route(paths::CHANGE_PASSWORD, post(password::change))
        .route(paths::REVOKE_CONNECTION, post(connections::revoke))
        .route(paths::MAKE_KEY, post(keys::make))
        .route(paths::REVOKE_KEY, post(keys::revoke))
        .merge(credentials::routes())
}

async fn account(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let session = match server.session(&visit).await {
        Ok(Some(session)) => session,
        Ok(None) => return browser::see_other(&browser::local(&format!("{}?next={}", paths::SIGN_IN, paths::ACCOUNT))),
        Err(response) => return response,
    };
    let query = body::pairs(request.uri().query().unwrap_or_default().as_bytes());
    match shown(&server, &session, Shown { query: &query, ..Shown::default() }).await {
        Ok(response) => response,
        Err(error) => unavailable(&server, &visit, &error),
    }
}

/// What the page shows beside what is stored.
#[derive(Default)]
struct Shown<'a> {
    /// What has just happened, as the query says it.
    query: &'a [(String, String)],
    /// The label that was typed, and why no key was made.
    key_fault: Option<(String, KeyFault)>,
    password: Option<PasswordChange>,
    notice: Option<AccountNotice>,
}

async fn shown(server: &AuthorizationServer, session: &Session, shown: Shown<'_>) -> Result<Response, StoreError> {
    let (connections, disconnected) = connections::of(server, session, shown.query).await?;
    let keys = match &server.keys {
        Some(own) => Some(keys::of(server, own, session).await?),
        None => None,
    };
    let (label, fault) = shown.key_fault.unzip();
    let key_revoked = || keys::revoked(keys.as_deref().unwrap_or_default(), shown.query);
    let password_changed =
        || shown.query.iter().any(|(name, _)| name == password::CHANGED).then_some(AccountNotice::PasswordChanged);
    let notice = shown.notice.or(disconnected).or_else(key_revoked).or_else(password_changed);
    let credentials = credentials::lines(server, session).await?;
    let page = pages::Account {
        credentials,
        site: server.site.clone(),
        user: session.user.address.to_string(),
        csrf: Secret::new(server.csrf.issue(&CsrfBinding::session(session), &[FORMS])),
        connections,
        keys: keys.map(|keys| ApiKeys { keys, label: label.unwrap_or_default(), fault }),
        password: server.provider.is_none().then(|| shown.password.unwrap_or_else(|| password::form(false, None))),
        notice,
    };
    Ok(page.page().into_response())
}

/// Whoever posted a form of these pages, and the form. It has to be theirs.
async fn posted(
    server: &AuthorizationServer,
    visit: &Visit,
    request: Request,
) -> Result<(Session, PostedForm), Response> {
    posted_to(server, visit, request, &[FORMS], LocalPath::account()).await
}

/// As [`posted`], for forms with another purpose, on the page at `again`.
async fn posted_to(
    server: &AuthorizationServer,
    visit: &Visit,
    request: Request,
    purpose: &[&str],
    again: LocalPath,
) -> Result<(Session, PostedForm), Response> {
    let form = PostedForm::read(server, visit, request).await?;
    let Some(session) = server.session(visit).await? else {
        return Err(server.fault(visit, Fault::SessionExpired { again: browser::sign_in_first(&again) }));
    };
    let token = form.one("csrf").unwrap_or_default();
    if let Err(error) = server.csrf.check(token, &CsrfBinding::session(&session), purpose) {
        tracing::warn!(%error, user = %session.user.address, "refused: a form of the account without its token");
        return Err(server.fault(visit, Fault::FormExpired { again }));
    }
    Ok((session, form))
}

async fn sign_out(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let (session, _) = match posted(&server, &visit, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    if let Err(error) = server.sessions.end(&session).await {
        return unavailable(&server, &visit, &error);
    }
    tracing::info!(
        target: "audit", event = "signed_out", subject = %session.user.address, session = %session.id,
        "a teammate signed out"
    );
    let there = match &server.provider {
        Some(provider) => login::sign_out(&server, provider, &session.user.address).await,
        None => None,
    };
    let here = || browser::see_other(&browser::local(&format!("{}?{SIGNED_OUT}", paths::SIGN_IN)));
    let mut response = there.unwrap_or_else(here);
    if let Some(cookie) = server.cookie.clear() {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn unavailable(server: &AuthorizationServer, visit: &Visit, error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "an account could not be shown or changed");
    server.fault(visit, Fault::Unavailable)
}
