//! What the doctor made on its way and takes away again: tokens and registrations. Looks whether they are gone.

use bridgehead_core::Secret;
use http::{Method, StatusCode};
use url::Url;

use super::{
    client::{self, Client, Tokens},
    endpoint::{self, Reply},
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
    standard: "RFC 7009 §2, RFC 6750 §3.1",
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
    /// Where somebody may have been registered.
    unknown: Vec<String>,
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

    /// Somebody may have been registered here, and it is not known whom: the answer could not be read.
    pub(super) fn unknown_client(&mut self, at: &Url) {
        self.unknown.push(at.to_string());
    }

    /// Takes everything away, and says what stays.
    pub(super) async fn take_away(self, visit: &mut Visit<'_>) {
        let mut stays = Vec::new();
        if let Some(grant) = &self.grant {
            for (client, tokens) in &self.others {
                let token = tokens.refresh.as_ref().unwrap_or(&tokens.access);
                if !revoke(visit, &grant.server, client, token).await.is_some_and(|revoked| revoked.good) {
                    stays.push(client.id.as_str());
                }
            }
            if !judge_revocation(visit, grant).await {
                stays.push(grant.client.id.as_str());
            }
        }
        let removed = judge_removal(visit, &self.clients).await;
        stays.dedup();
        // With its client a grant has ended (RFC 7592 §2.3).
        for id in stays.into_iter().filter(|id| !removed.contains(id)) {
            visit.left_behind(format!("what was allowed to the client `{id}`: it could not be revoked"));
        }
        for at in &self.unknown {
            visit.left_behind(format!("perhaps a client at {at}: the answer to its registration could not be read"));
        }
    }
}

/// What came of a revocation.
struct Revoked {
    good: bool,
    shown: String,
    exchange: usize,
}

/// `None` where there is nobody to ask.
async fn revoke(visit: &mut Visit<'_>, server: &Server, client: &Client, token: &Secret) -> Option<Revoked> {
    let url = server.revocation.as_ref()?;
    let answer = visit.send(client.post(url, &[("token", token.expose())])).await;
    let good = answer.as_ref().is_ok_and(|answer| answer.received.status.is_success());
    Some(Revoked { good, shown: client::shown(&answer), exchange: client::exchange(&answer) })
}

/// Revokes the grant, and looks; whether it has ended.
async fn judge_revocation(visit: &mut Visit<'_>, grant: &Grant) -> bool {
    let Grant { server, client, tokens, endpoint, resource } = grant;
    let Some(access) = revoke(visit, server, client, &tokens.access).await else {
        for check in [&REVOCATION_ACCESS, &REVOCATION_REFRESH] {
            visit.skipped(check, "the authorization server offers no revocation where its tokens come from");
        }
        return false;
    };
    let reply = endpoint::lets_in(visit, endpoint, &endpoint::bearer(&tokens.access)).await;
    if !access.good {
        let seen = format!("Revoking an access token was answered {}.", access.shown);
        visit.warning(&REVOCATION_ACCESS, seen, [access.exchange]);
    } else if reply.is_answered() {
        let seen = "The endpoint takes an access token that was revoked.";
        visit.warning(&REVOCATION_ACCESS, seen, [access.exchange, reply.exchange()]);
    } else if let Reply::Nothing { why, .. } = &reply {
        visit.skipped(&REVOCATION_ACCESS, format!("the endpoint gave no answer to the revoked token ({why})"));
    } else {
        visit.passed(&REVOCATION_ACCESS, None);
    }
    let Some(refresh) = &tokens.refresh else {
        visit.skipped(&REVOCATION_REFRESH, "there is no refresh token");
        return access.good;
    };
    let Some(revoked) = revoke(visit, server, client, refresh).await else { return false };
    let used = visit.send(client.refresh(server, refresh, resource)).await;
    let again = used.as_ref().ok().and_then(|answer| Tokens::of(visit, answer));
    if !revoked.good {
        let seen = format!("Revoking a refresh token was answered {}.", revoked.shown);
        visit.warning(&REVOCATION_REFRESH, seen, [revoked.exchange]);
    } else if again.is_some() {
        let seen = "A refresh token that was revoked gave new tokens.";
        visit.failed(&REVOCATION_REFRESH, seen, [revoked.exchange, client::exchange(&used)]);
    } else if let Err(none) = &used {
        visit.skipped(&REVOCATION_REFRESH, format!("the revoked token was not answered ({})", none.error));
    } else {
        visit.passed(&REVOCATION_REFRESH, None);
    }
    revoked.good && again.is_none()
}

/// Removes what was registered; the ids of those that are gone.
async fn judge_removal<'c>(visit: &mut Visit<'_>, clients: &'c [Client]) -> Vec<&'c str> {
    let (mut stay, mut shared, mut removed) = (Vec::new(), Vec::new(), Vec::new());
    let mut refused = false;
    for client in clients {
        let id = client.id.as_str();
        // An id that was given twice is given to everybody: it is not the doctor's to remove.
        if clients.iter().filter(|other| other.id == id).count() > 1 {
            shared.push(id);
            continue;
        }
        let Some((uri, token)) = &client.management else {
            stay.push(id);
            continue;
        };
        let answer = visit.send(with_token(Method::DELETE, uri, token)).await;
        let gone = answer.as_ref().is_ok_and(|answer| answer.received.status.is_success());
        let again = visit.send(with_token(Method::GET, uri, token)).await;
        let still = again.as_ref().is_ok_and(|answer| answer.received.status == StatusCode::OK);
        if gone && !still {
            removed.push(id);
        } else {
            let what = if gone {
                "is still there afterwards".to_owned()
            } else {
                format!("was answered {}", client::shown(&answer))
            };
            refused = true;
            visit.left_behind(format!("the client `{id}`: it could not be removed"));
            let seen = format!("Removing a registration {what}. The client {id} stays at the server.");
            visit.warning(&REGISTRATION_REMOVED, seen, [client::exchange(&answer), client::exchange(&again)]);
        }
    }
    stay.dedup();
    for id in &stay {
        visit.left_behind(format!("the client `{id}`: the server offers no way to remove it"));
    }
    shared.sort_unstable();
    shared.dedup();
    for id in &shared {
        visit.left_behind(format!(
            "the client `{id}`: it is given to more than one, and removing it would cut them off"
        ));
    }
    if clients.is_empty() {
        visit.skipped(&REGISTRATION_REMOVED, "nothing was registered");
    } else if !stay.is_empty() {
        visit.skipped(&REGISTRATION_REMOVED, "the server offers no way to remove a registration");
    } else if removed.is_empty() && !refused {
        visit.skipped(&REGISTRATION_REMOVED, "the server gives one client id to more than one");
    } else if !refused {
        visit.passed(&REGISTRATION_REMOVED, format!("{} removed", removed.len()));
    }
    removed
}
