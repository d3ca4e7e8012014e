//! What the doctor made on its way and takes away again: tokens and registrations. Looks whether they are gone.

use bridgehead_core::Secret;
use http::{Method, StatusCode};
use url::Url;

use super::{
    client::{self, Client, Tokens},
    endpoint::{self, Credential},
    register::with_token,
    server::Server,
};
use crate::{Area, Check, visit::Visit};

/// Access tokens end.
pub(super) const REVOCATION_ACCESS: Check = Check {
    id: "revocation-access",
    area: Area::Access,
    title: "A revoked access token is refused at once",
    why: "Somebody who cuts a connection off expects it to be cut off. A token that goes on working until it expires is \
          in whoever's hands it is.",
    standard: "RFC 7009 §2.1, RFC 6750 §3.1",
    mend: "Look tokens up for each call, or keep the list of those that were revoked where the endpoint sees it; else \
           let access tokens live for minutes.",
};

/// Refresh tokens end.
pub(super) const REVOCATION_REFRESH: Check = Check {
    id: "revocation-refresh",
    area: Area::Access,
    title: "A revoked refresh token gives no tokens any more",
    why: "A platform revokes it when a connection is removed. If it goes on working, access never ends.",
    standard: "RFC 7009 §2.1",
    mend: "Let the revocation endpoint take refresh tokens, and end the whole grant with them.",
};

/// Registrations end.
pub(super) const REGISTRATION_REMOVED: Check = Check {
    id: "registration-removed",
    area: Area::Access,
    title: "A registration can be removed, and is gone then",
    why: "Registrations that cannot be removed pile up, and each can be used by whoever has its secret.",
    standard: "RFC 7592 §2.3",
    mend: "Answer DELETE on registration_client_uri with 204 and forget the client, its tokens included.",
};

/// What was made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    clients: Vec<Client>,
    grant: Option<Grant>,
    /// Of grants that were made only to be misused.
    others: Vec<(Client, Tokens)>,
}

/// The grant that calls are made with.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(super) server: Server,
    pub(super) client: Client,
    pub(super) tokens: Tokens,
    pub(super) endpoint: Url,
    pub(super) resource: String,
}

impl Made {
    /// A client was registered.
    pub(super) fn client(&mut self, client: Client) {
        self.clients.push(client);
    }

    /// This is the grant that calls are made with.
    pub(super) fn grant(&mut self, grant: Grant) {
        self.grant = Some(grant);
    }

    /// Tokens that are of no further use.
    pub(super) fn other(&mut self, client: &Client, tokens: Tokens) {
        self.others.push((client.clone(), tokens));
    }

    /// Takes everything away.
    pub(super) async fn take_away(self, visit: &mut Visit<'_>) {
        if let Some(grant) = &self.grant {
            for (client, tokens) in &self.others {
                let token = tokens.refresh.as_ref().unwrap_or(&tokens.access);
                revoke(visit, &grant.server, client, token).await;
            }
            judge_revocation(visit, grant).await;
        }
        judge_removal(visit, &self.clients).await;
    }
}

/// Whether there was something to ask, and it took it.
async fn revoke(
    visit: &mut Visit<'_>,
    server: &Server,
    client: &Client,
    token: &Secret,
) -> Option<(bool, String, usize)> {
    let url = server.revocation.as_ref()?;
    let answer = visit.send(client.post(url, &[("token", token.expose())])).await;
    let good = answer.as_ref().is_ok_and(|answer| answer.received.status.is_success());
    Some((good, client::shown(&answer), client::exchange(&answer)))
}

async fn judge_revocation(visit: &mut Visit<'_>, grant: &Grant) {
    let Grant { server, client, tokens, endpoint, resource } = grant;
    let Some((good, shown, exchange)) = revoke(visit, server, client, &tokens.access).await else {
        for check in [&REVOCATION_ACCESS, &REVOCATION_REFRESH] {
            visit.skipped(check, "the authorization server offers no revocation");
        }
        return;
    };
    let credential: Credential = endpoint::bearer(&tokens.access);
    let reply = endpoint::lets_in(visit, endpoint, &credential).await;
    if !good {
        visit.warning(&REVOCATION_ACCESS, format!("Revoking an access token was answered {shown}."), [exchange]);
    } else if reply.is_answered() {
        let seen = "The endpoint takes an access token that was revoked.";
        visit.warning(&REVOCATION_ACCESS, seen, [exchange, reply.exchange()]);
    } else {
        visit.passed(&REVOCATION_ACCESS, None);
    }
    let Some(refresh) = &tokens.refresh else {
        visit.skipped(&REVOCATION_REFRESH, "there is no refresh token");
        return;
    };
    let Some((good, shown, exchange)) = revoke(visit, server, client, refresh).await else { return };
    let used = visit.send(client.refresh(server, refresh, resource)).await;
    let again = used.as_ref().ok().and_then(|answer| Tokens::of(visit, answer));
    if !good {
        visit.warning(&REVOCATION_REFRESH, format!("Revoking a refresh token was answered {shown}."), [exchange]);
    } else if again.is_some() {
        let seen = "A refresh token that was revoked gave new tokens.";
        visit.failed(&REVOCATION_REFRESH, seen, [exchange, client::exchange(&used)]);
    } else {
        visit.passed(&REVOCATION_REFRESH, None);
    }
}

async fn judge_removal(visit: &mut Visit<'_>, clients: &[Client]) {
    let mut stay = Vec::new();
    let mut removed = Vec::new();
    let mut refused = false;
    for client in clients {
        let Some((uri, token)) = &client.management else {
            stay.push(client.id.as_str());
            continue;
        };
        // Registrations that share an id go together.
        if removed.contains(&client.id.as_str()) {
            continue;
        }
        let answer = visit.send(with_token(Method::DELETE, uri, token)).await;
        let gone = answer.as_ref().is_ok_and(|answer| answer.received.status.is_success());
        let again = visit.send(with_token(Method::GET, uri, token)).await;
        let still = again.as_ref().is_ok_and(|answer| answer.received.status == StatusCode::OK);
        if gone && !still {
            removed.push(client.id.as_str());
        } else {
            let what = if gone {
                "is still there afterwards".to_owned()
            } else {
                format!("was answered {}", client::shown(&answer))
            };
            refused = true;
            visit.left_behind(format!("the client `{}`: it could not be removed", client.id));
            let seen = format!("Removing a registration {what}. The client {} stays at the server.", client.id);
            visit.warning(&REGISTRATION_REMOVED, seen, [client::exchange(&answer), client::exchange(&again)]);
        }
    }
    stay.dedup();
    for id in &stay {
        visit.left_behind(format!("the client `{id}`: the server offers no way to remove it"));
    }
    if clients.is_empty() {
        visit.skipped(&REGISTRATION_REMOVED, "nothing was registered");
    } else if !stay.is_empty() {
        visit.skipped(&REGISTRATION_REMOVED, "the server offers no way to remove a registration");
    } else if !refused {
        visit.passed(&REGISTRATION_REMOVED, format!("{} removed", removed.len()));
    }
}
