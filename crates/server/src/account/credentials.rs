//! `/account/credentials/NAME`: what a teammate enters or connects for one system behind. The link that
//! leads here carries nothing: whoever opens it signs in, and what they do is theirs. So a link that was
//! sent to somebody else collects nothing of theirs for the sender.

use axum::{
    Router,
    extract::{Path, Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bridgehead_auth::{
    CsrfBinding, Session, StoreError,
    credentials::{
        BeginConnectionError, ConnectError, EnterError, FieldFault, MOST_FIELD_BYTES, Standing, StandingState,
        VaultDefinition, VaultKind,
    },
};
use bridgehead_core::Secret;
use http::{HeaderValue, StatusCode, header};
use url::form_urlencoded;

use super::{posted_to, unavailable};
use crate::{
    browser::{self, PostedForm, Visit},
    http::body,
    oauth::{self, AuthorizationServer},
    pages::{
        Credential, CredentialForm, CredentialLine, CredentialNotice, CredentialState, Fault, FormField, LocalPath,
        MissingCredential, NotConnected, StoredCredential, View, paths,
    },
};

/// What the forms of these pages are for, beside the vault.
const FORMS: &str = "credential";
/// In the query of the page: what has just happened.
const SAVED: &str = "saved";
const REMOVED: &str = "removed";
const NOT_CONNECTED: &str = "not-connected";

pub(super) fn routes() -> Router<AuthorizationServer> {
    let page = format!("{}{{name}}", paths::CREDENTIALS);
    Router::new()
        .route(&format!("{page}{}", paths::REMOVE_CREDENTIAL), post(remove))
        .route(&format!("{page}{}", paths::CONNECT_CREDENTIAL), post(connect))
        .route(&format!("{page}/callback"), get(callback))
        .route(&page, get(show).post(enter))
}

/// How a teammate's credentials stand, by vault.
pub(super) async fn lines(server: &AuthorizationServer, session: &Session) -> Result<Vec<CredentialLine>, StoreError> {
    let mut lines = Vec::new();
    for vault in server.credentials.vaults() {
        let standing = server.credentials.standing(vault, session.user.address.as_str()).await?;
        let state = match standing {
            None => CredentialState::Missing,
            Some(Standing { state: StandingState::Good, entered_at, .. }) => {
                CredentialState::Good { since: entered_at }
            }
            Some(_) => CredentialState::NotGood,
        };
        lines.push(CredentialLine { title: vault.title.clone(), page: page_of(vault), state });
    }
    Ok(lines)
}

/// What a teammate has not entered or connected yet, with ways there that come back to `next`. Consent
/// does not hang on it: where the store does not answer, there is nothing to offer.
pub(crate) async fn missing(
    server: &AuthorizationServer,
    session: &Session,
    next: &LocalPath,
) -> Vec<MissingCredential> {
    let mut missing = Vec::new();
    for vault in server.credentials.vaults() {
        match server.credentials.standing(vault, session.user.address.as_str()).await {
            Ok(Some(Standing { state: StandingState::Good, .. })) => {}
            Ok(_) => {
                let page = browser::local(&with_query(vault, None, Some(next)));
                missing.push(MissingCredential { title: vault.title.clone(), page });
            }
            Err(error) => tracing::warn!(%error, "what a teammate has entered could not be looked up"),
        }
    }
    missing
}

fn page_of(vault: &VaultDefinition) -> LocalPath {
    browser::local(&with_query(vault, None, None))
}

/// The page's path, with what has just happened and where they go on to.
fn with_query(vault: &VaultDefinition, happened: Option<(&str, &str)>, next: Option<&LocalPath>) -> String {
    let pairs = happened.into_iter().chain(next.map(|next| ("next", next.as_str())));
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let separator = if query.is_empty() { "" } else { "?" };
    format!("{}{}{separator}{query}", paths::CREDENTIALS, vault.name)
}

/// Where somebody goes on to: back to the consent that they came from, and nowhere else.
fn next_of(path: Option<&str>) -> Option<LocalPath> {
    path.filter(|path| path.strip_prefix(oauth::AUTHORIZE).is_some_and(|rest| rest.starts_with('?')))
        .and_then(LocalPath::parse)
}

/// What the page shows beside what is stored.
#[derive(Default)]
struct Shown {
    faults: Vec<(String, FieldFault)>,
    notice: Option<CredentialNotice>,
    next: Option<LocalPath>,
}

async fn show(State(server): State<AuthorizationServer>, Path(name): Path<String>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let Some(vault) = server.credentials.vault(&name) else { return server.fault(&visit, Fault::NotFound) };
    let session = match server.session(&visit).await {
        Ok(Some(session)) => session,
        Ok(None) => {
            let here = request.uri().path_and_query().map_or(request.uri().path(), |here| here.as_str());
            return browser::see_other(&browser::sign_in_first(&browser::local(here)));
        }
        Err(response) => return response,
    };
    let query = body::pairs(request.uri().query().unwrap_or_default().as_bytes());
    let value = |name: &str| query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let failed = value(NOT_CONNECTED);
    let failed = failed.and_then(|word| NotConnected::ALL.into_iter().find(|failed| failed.as_str() == word));
    let notice = match () {
        () if value(SAVED).is_some() => Some(CredentialNotice::Saved),
        () if value(REMOVED).is_some() => Some(CredentialNotice::Removed),
        () => failed.map(CredentialNotice::NotConnected),
    };
    let next = next_of(value("next"));
    page(&server, &visit, &session, vault, Shown { notice, next, ..Shown::default() }).await
}

async fn page(
    server: &AuthorizationServer,
    visit: &Visit,
    session: &Session,
    vault: &VaultDefinition,
    shown: Shown,
) -> Response {
    let standing = match server.credentials.standing(vault, session.user.address.as_str()).await {
        Ok(standing) => standing,
        Err(error) => return unavailable(server, visit, &error),
    };
    let stored = standing.map(|standing| StoredCredential {
        since: standing.entered_at,
        refused_at: match standing.state {
            StandingState::NotAccepted { at } => Some(at),
            StandingState::Good | StandingState::Unusable => None,
        },
        is_usable: standing.state != StandingState::Unusable,
    });
    // The query says what happened, and anybody can write one: it has to fit what is there.
    let notice = shown.notice.filter(|notice| match notice {
        CredentialNotice::Saved => standing.is_some_and(|standing| standing.state == StandingState::Good),
        CredentialNotice::Removed => standing.is_none(),
        CredentialNotice::NotConnected(_) => true,
    });
    let here = browser::local(&with_query(vault, None, shown.next.as_ref()));
    let page = Credential {
        site: server.site.clone(),
        user: session.user.address.to_string(),
        other_user: browser::sign_in_first(&here),
        title: vault.title.clone(),
        page: page_of(vault),
        form: form(vault, &shown.faults),
        stored,
        csrf: Secret::new(server.csrf.issue(&CsrfBinding::session(session), &[FORMS, &vault.name])),
        next: shown.next,
        notice,
    };
    page.page().into_response()
}

fn form(vault: &VaultDefinition, faults: &[(String, FieldFault)]) -> CredentialForm {
    match &vault.kind {
        VaultKind::OAuth(_) => CredentialForm::Connect,
        VaultKind::Fields(fields) => {
            let fault = |name: &str| faults.iter().find(|(field, _)| field == name).map(|(_, fault)| words(*fault));
            let field = |field: &bridgehead_auth::credentials::VaultField| FormField {
                name: field.name.clone(),
                label: field.label.clone(),
                fault: fault(&field.name),
            };
            CredentialForm::Fields(fields.iter().map(field).collect())
        }
    }
}

const fn words(fault: FieldFault) -> &'static str {
    // The words below say it.
    const { assert!(MOST_FIELD_BYTES == 4096) };
    match fault {
        FieldFault::Missing => "Fill this in.",
        FieldFault::TooLong => "That is too long: at most 4,096 characters.",
        FieldFault::Unprintable => "That has a line break or another invisible character in it. Copy it once more.",
        FieldFault::OwnSecret => "That is a key of this server itself. Enter the one of the other system.",
    }
}

/// The vault, and a form that was posted to one of its pages.
async fn posted<'s>(
    server: &'s AuthorizationServer,
    visit: &Visit,
    name: &str,
    request: Request,
) -> Result<(&'s VaultDefinition, Session, PostedForm), Response> {
    let Some(vault) = server.credentials.vault(name) else { return Err(server.fault(visit, Fault::NotFound)) };
    let (session, form) = posted_to(server, visit, request, &[FORMS, &vault.name], page_of(vault)).await?;
    Ok((vault, session, form))
}

async fn enter(State(server): State<AuthorizationServer>, Path(name): Path<String>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let (vault, session, form) = match posted(&server, &visit, &name, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let subject = &session.user.address;
    let next = next_of(form.one("next"));
    match server.credentials.enter(vault, subject.as_str(), |field| form.password(field)).await {
        Ok(()) => {
            tracing::info!(target: "audit", event = "credential_entered", %subject, vault = %vault.name, "a teammate entered a credential");
            browser::see_other(&browser::local(&with_query(vault, Some((SAVED, "")), next.as_ref())))
        }
        Err(EnterError::Fields(faults)) => {
            page(&server, &visit, &session, vault, Shown { faults, next, ..Shown::default() }).await
        }
        Err(EnterError::NoFields) => browser::see_other(&page_of(vault)),
        Err(EnterError::Store(error)) => unavailable(&server, &visit, &error),
    }
}

async fn remove(State(server): State<AuthorizationServer>, Path(name): Path<String>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let (vault, session, form) = match posted(&server, &visit, &name, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let subject = &session.user.address;
    if let Err(error) = server.credentials.remove(&vault.name, subject.as_str()).await {
        return unavailable(&server, &visit, &error);
    }
    tracing::info!(target: "audit", event = "credential_removed", %subject, vault = %vault.name, "a teammate removed a credential");
    let next = next_of(form.one("next"));
    browser::see_other(&browser::local(&with_query(vault, Some((REMOVED, "")), next.as_ref())))
}

async fn connect(State(server): State<AuthorizationServer>, Path(name): Path<String>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let (vault, session, form) = match posted(&server, &visit, &name, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let next = next_of(form.one("next"));
    match server.credentials.begin(vault, &session, next.as_ref().map(LocalPath::as_str)).await {
        Ok(url) => match HeaderValue::from_str(url.as_str()) {
            Ok(location) => {
                let no_store = HeaderValue::from_static("no-store");
                let no_referrer = HeaderValue::from_static("no-referrer");
                let headers = [
                    (header::LOCATION, location),
                    (header::CACHE_CONTROL, no_store),
                    (header::REFERRER_POLICY, no_referrer),
                ];
                (StatusCode::SEE_OTHER, headers).into_response()
            }
            // A URL is ASCII.
            Err(_) => server.fault(&visit, Fault::Internal),
        },
        Err(BeginConnectionError::NoOAuth) => browser::see_other(&page_of(vault)),
        Err(BeginConnectionError::Store(error)) => unavailable(&server, &visit, &error),
    }
}

/// Back from the other site. The code does not stay in the address of a page.
async fn callback(State(server): State<AuthorizationServer>, Path(name): Path<String>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let Some(vault) = server.credentials.vault(&name) else { return server.fault(&visit, Fault::NotFound) };
    let session = match server.session(&visit).await {
        Ok(Some(session)) => session,
        Ok(None) => {
            let again = browser::sign_in_first(&page_of(vault));
            return server.fault(&visit, Fault::SessionExpired { again });
        }
        Err(response) => return response,
    };
    let query = body::pairs(request.uri().query().unwrap_or_default().as_bytes());
    let subject = &session.user.address;
    let (happened, next) = match server.credentials.finish(vault, &session, &query).await {
        Ok(next) => {
            tracing::info!(target: "audit", event = "credential_connected", %subject, vault = %vault.name, "a teammate connected a system behind");
            ((SAVED, ""), next)
        }
        Err(ConnectError::Store(error)) => return unavailable(&server, &visit, &error),
        Err(error) => {
            tracing::warn!(target: "audit", event = "credential_not_connected", %subject, vault = %vault.name, %error, "a teammate did not connect a system behind");
            ((NOT_CONNECTED, why(&error).as_str()), None)
        }
    };
    let next = next_of(next.as_deref());
    browser::see_other(&browser::local(&with_query(vault, Some(happened), next.as_ref())))
}

const fn why(error: &ConnectError) -> NotConnected {
    match error {
        ConnectError::Unknown => NotConnected::NotBegunHere,
        ConnectError::Denied { .. } => NotConnected::Denied,
        ConnectError::Expired => NotConnected::Expired,
        ConnectError::Client { .. } => NotConnected::Misconfigured,
        ConnectError::Down { .. } | ConnectError::Store(_) => NotConnected::Down,
    }
}
