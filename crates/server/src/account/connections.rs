//! The clients that act for a teammate: shown, and cut off.

use std::collections::HashMap;

use axum::{
    extract::{Request, State},
    response::Response,
};
use bridgehead_auth::{
    Session, StoreError,
    issuer::{ClientId, ClientKind, ClientRecord, GrantId, GrantRecord, GrantsOf},
};

use super::{posted, unavailable};
use crate::{
    browser::{self, Visit},
    oauth::{self, AuthorizationServer},
    pages::{AccountNotice, Connection, paths},
};

/// In the query of the account page: the grant that was just revoked.
const DISCONNECTED: &str = "disconnected";

/// A teammate's live connections, newest first, and what is to be said of one that they have just
/// cut off.
pub(super) async fn of(
    server: &AuthorizationServer,
    session: &Session,
    query: &[(String, String)],
) -> Result<(Vec<Connection>, Option<AccountNotice>), StoreError> {
    let mut grants = grants_of(server, session).await?;
    let gone = query.iter().find(|(name, _)| name == DISCONNECTED).map(|(_, id)| id);
    let gone =
        grants.iter().find(|grant| grant.revoked.is_some() && Some(grant.id.as_str()) == gone.map(String::as_str));
    let notice = gone.map(|grant| AccountNotice::Disconnected { client: described(grant, None).name });
    let now = server.clock.now();
    grants.retain(|grant| grant.is_live(now));
    let records = if grants.is_empty() { HashMap::new() } else { clients(server).await? };
    let connections = grants.iter().rev().map(|grant| connection(grant, records.get(&grant.client)));
    Ok((connections.collect(), notice))
}

fn connection(grant: &GrantRecord, record: Option<&ClientRecord>) -> Connection {
    let redirect = record.and_then(|record| record.metadata.redirect_uris.first());
    Connection {
        grant: grant.id.as_str().to_owned(),
        client: described(grant, record),
        destination: oauth::of_redirect(redirect.map_or("", String::as_str)),
        scopes: grant.scopes.iter().map(str::to_owned).collect(),
        connected_at: grant.created_at,
        last_used_at: (grant.refreshed_at > grant.created_at).then_some(grant.refreshed_at),
    }
}

fn described(grant: &GrantRecord, record: Option<&ClientRecord>) -> crate::pages::Client {
    oauth::of_grant(&grant.client, grant.client_name.as_deref(), record)
}

async fn grants_of(server: &AuthorizationServer, session: &Session) -> Result<Vec<GrantRecord>, StoreError> {
    server.issuer.grants(&GrantsOf::Subject(session.user.address.to_shared())).await
}

async fn clients(server: &AuthorizationServer) -> Result<HashMap<ClientId, ClientRecord>, StoreError> {
    let mut all = HashMap::new();
    for kind in [ClientKind::PreRegistered, ClientKind::Registered, ClientKind::Document] {
        let records = server.issuer.clients(kind).await?;
        all.extend(records.into_iter().map(|record| (record.id.clone(), record)));
    }
    Ok(all)
}

pub(super) async fn revoke(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let (session, form) = match posted(&server, &visit, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let id = form.one("grant").and_then(GrantId::parse);
    let grants = match grants_of(&server, &session).await {
        Ok(grants) => grants,
        Err(error) => return unavailable(&server, &visit, &error),
    };
    // Somebody else's is not known here.
    let Some(id) = id.filter(|id| grants.iter().any(|grant| grant.id == *id)) else {
        return browser::see_other(&browser::local(paths::ACCOUNT));
    };
    match server.issuer.revoke_grant(&id).await {
        Ok(_) => {
            let subject = &session.user.address;
            tracing::info!(
                target: "audit", event = "grant_revoked", %subject, grant = id.as_str(), "a teammate cut a client off"
            );
            let path = format!("{}?{DISCONNECTED}={}", paths::ACCOUNT, id.as_str());
            browser::see_other(&browser::local(&path))
        }
        Err(error) => unavailable(&server, &visit, &error),
    }
}
