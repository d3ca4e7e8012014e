//! The API keys that a teammate makes for themselves: made, shown, and revoked. They can do what the
//! teammate may, and no more.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::{CreateError, KeyId, KeyRecord, NewKey, Session, StoreError};
use jiff::{SignedDuration, Timestamp};

use super::{Shown, posted, shown, unavailable};
use crate::{
    browser::{self, PostedForm, Visit},
    oauth::{AuthorizationServer, OwnKeys},
    pages::{AccountNotice, ApiKey, Fault, KeyFault, KeyState, NewApiKey, View, paths},
};

/// How many good keys a teammate may have.
const MOST_KEYS: usize = 50;
const MOST_CHARACTERS: usize = 255;
/// How many days a key may be good, beside no end.
const DAYS: [&str; 4] = ["7", "30", "90", "365"];
/// In the query of the account page: the key that was just revoked.
const KEY_REVOKED: &str = "key-revoked";

/// A teammate's keys, newest first.
pub(super) async fn of(
    server: &AuthorizationServer,
    own: &OwnKeys,
    session: &Session,
) -> Result<Vec<ApiKey>, StoreError> {
    let now = server.clock.now();
    Ok(records(own, session).await?.into_iter().rev().map(|record| described(record, now)).collect())
}

async fn records(own: &OwnKeys, session: &Session) -> Result<Vec<KeyRecord>, StoreError> {
    let mut records = own.keys.list().await?;
    records.retain(|record| *record.subject == *session.user.address.as_str());
    Ok(records)
}

fn described(record: KeyRecord, now: Timestamp) -> ApiKey {
    let state = state(&record, now);
    ApiKey {
        id: record.id.to_string(),
        label: record.label,
        scopes: record.scopes.iter().map(str::to_owned).collect(),
        created_at: record.created_at,
        expires_at: record.expires_at,
        last_used_at: record.last_used_at,
        state,
    }
}

fn state(record: &KeyRecord, now: Timestamp) -> KeyState {
    match (record.revoked_at, record.expires_at) {
        (Some(_), _) => KeyState::Revoked,
        (None, Some(at)) if at <= now => KeyState::Expired,
        (None, _) => KeyState::Good,
    }
}

/// What is to be said of a key that was just revoked.
pub(super) fn revoked(keys: &[ApiKey], query: &[(String, String)]) -> Option<AccountNotice> {
    let (_, id) = query.iter().find(|(name, _)| name == KEY_REVOKED)?;
    let key = keys.iter().find(|key| key.id == *id && key.state == KeyState::Revoked)?;
    Some(AccountNotice::KeyRevoked { id: key.id.clone() })
}

pub(super) async fn make(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let (session, form) = match posted(&server, &visit, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let Some(own) = &server.keys else { return server.fault(&visit, Fault::NotFound) };
    match made(&server, own, &session, &form).await {
        Ok(page) => page.page().into_response(),
        Err(NotMade::Fault(fault)) => {
            let label = form.one("label").unwrap_or_default().to_owned();
            match shown(&server, &session, Shown { key_fault: Some((label, fault)), ..Shown::default() }).await {
                Ok(response) => response,
                Err(error) => unavailable(&server, &visit, &error),
            }
        }
        Err(NotMade::Create(error)) => unavailable(&server, &visit, &error),
    }
}

/// Why no key was made.
enum NotMade {
    Fault(KeyFault),
    Create(CreateError),
}

async fn made(
    server: &AuthorizationServer,
    own: &OwnKeys,
    session: &Session,
    form: &PostedForm,
) -> Result<NewApiKey, NotMade> {
    let now = server.clock.now();
    let expires_at = match form.one("days") {
        Some("") => None,
        Some(days) if DAYS.contains(&days) => {
            let days = days.parse::<i64>().map_err(|_| NotMade::Fault(KeyFault::Days))?;
            now.checked_add(SignedDuration::from_hours(24 * days)).ok()
        }
        _ => return Err(NotMade::Fault(KeyFault::Days)),
    };
    let mine = records(own, session).await.map_err(|error| NotMade::Create(error.into()))?;
    if mine.iter().filter(|record| state(record, now) == KeyState::Good).count() >= MOST_KEYS {
        return Err(NotMade::Fault(KeyFault::TooMany));
    }
    let label = form.one("label").map(str::trim).filter(|label| !label.is_empty());
    let new = NewKey {
        endpoint: server.endpoint.id.clone(),
        subject: session.user.address.to_string(),
        scopes: session.user.scopes.clone(),
        expires_at,
        label: label.map(str::to_owned),
        header: None,
    };
    let (record, key) = own.keys.create(new).await.map_err(|error| match error {
        CreateError::Label => NotMade::Fault(KeyFault::Label { most_characters: MOST_CHARACTERS }),
        error => NotMade::Create(error),
    })?;
    tracing::info!(
        target: "audit", event = "key_made", subject = %record.subject, key = %record.id,
        "a teammate made an API key"
    );
    Ok(NewApiKey {
        site: server.site.clone(),
        user: session.user.address.to_string(),
        key,
        header: own.header.clone(),
        label: record.label,
        expires_at: record.expires_at,
        endpoint_url: server.endpoint_url.clone(),
    })
}

pub(super) async fn revoke(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let (session, form) = match posted(&server, &visit, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let Some(own) = &server.keys else { return server.fault(&visit, Fault::NotFound) };
    let id = form.one("key").and_then(|id| KeyId::parse(id).ok());
    let mine = match records(own, &session).await {
        Ok(mine) => mine,
        Err(error) => return unavailable(&server, &visit, &error),
    };
    // Somebody else's is not known here.
    let Some(id) = id.filter(|id| mine.iter().any(|record| record.id == *id)) else {
        return browser::see_other(&browser::local(paths::ACCOUNT));
    };
    match own.keys.revoke(&id).await {
        Ok(_) => {
            let subject = &session.user.address;
            tracing::info!(target: "audit", event = "key_revoked", %subject, key = %id, "a teammate revoked an API key");
            browser::see_other(&browser::local(&format!("{}?{KEY_REVOKED}={id}", paths::ACCOUNT)))
        }
        Err(error) => unavailable(&server, &visit, &error),
    }
}
