//! Refresh tokens as they are meant to be used. What uses a grant up is tried on another one, see
//! [`super::misuse`].

use bridgehead_core::Secret;

use super::{
    client::{self, AuthMethod, Tokens},
    endpoint,
    made::Grant,
    misuse,
};
use crate::{Area, Check, visit::Visit};

/// It works.
pub(super) const REFRESH_WORKS: Check = Check {
    id: "refresh-works",
    area: Area::Access,
    title: "A refresh token gives an access token that the endpoint takes",
    why: "When the first access token expires, clients refresh it without asking anybody. If that fails, the teammate \
          has to sign in again.",
    standard: "RFC 6749 §6",
    mend: "Let the token endpoint take grant_type=refresh_token without `scope`, with the same `resource`, from the \
           client that the token was issued to.",
};

/// Each is used once.
pub(super) const REFRESH_ROTATES: Check = Check {
    id: "refresh-rotates",
    area: Area::Access,
    title: "A client without a secret gets a new refresh token each time",
    why: "A refresh token that never changes can be used by whoever copied it for as long as it lives, and nobody \
          notices.",
    standard: "OAuth 2.1 (draft) §4.3.1, RFC 9700 §4.14.2, MCP 2025-11-25, Authorization, \"Token Theft\"",
    mend: "Issue a new refresh token with every refresh, and refuse the old one once the new one was used.",
};

/// For this server alone.
pub(super) const TOKEN_FOREIGN_RESOURCE: Check = Check {
    id: "token-foreign-resource",
    area: Area::Access,
    title: "A token for another server is refused",
    why: "An authorization server that gives a token for whatever resource is named, or does not look at the name, \
          lets what was allowed for one server be used at another.",
    standard: "RFC 8707 §2, §2.2",
    mend: "Refuse a `resource` that the authorization server does not know, or that was not allowed, with \
           invalid_target.",
};

pub(super) const CHECKS: [&Check; 3] = [&REFRESH_WORKS, &REFRESH_ROTATES, &TOKEN_FOREIGN_RESOURCE];

/// A server that nobody has.
const FOREIGN: &str = "https://stranger.invalid/mcp";

/// Refreshes; the grant goes on with the new tokens. Whether it works.
pub(super) async fn examine(visit: &mut Visit<'_>, grant: &mut Grant) -> bool {
    let Some(refresh) = grant.tokens.refresh.clone() else {
        for check in CHECKS {
            visit.skipped(check, "there is no refresh token");
        }
        return false;
    };
    let answer = visit.send(grant.client.refresh(&grant.server, &refresh, &grant.resource)).await;
    let exchange = client::exchange(&answer);
    let Some(tokens) = answer.as_ref().ok().and_then(|answer| Tokens::of(visit, answer)) else {
        let seen = format!("The token endpoint answered {}.", client::shown(&answer));
        visit.failed(&REFRESH_WORKS, seen, [exchange]);
        for check in &CHECKS[1..] {
            visit.skipped(check, "refreshing does not work");
        }
        return false;
    };
    let reply = endpoint::lets_in(visit, &grant.endpoint, &endpoint::bearer(&tokens.access)).await;
    if !reply.is_answered() {
        let seen = format!("A call with the access token that was just refreshed had {}.", reply.shown());
        visit.failed(&REFRESH_WORKS, seen, [exchange, reply.exchange()]);
        for check in &CHECKS[1..] {
            visit.skipped(check, "refreshing does not work");
        }
        return false;
    }
    visit.passed(&REFRESH_WORKS, None);
    let same = tokens.refresh.as_ref().is_none_or(|new| *new == refresh);
    if !same {
        visit.passed(&REFRESH_ROTATES, None);
    } else if grant.client.method == AuthMethod::None {
        let seen = "The refresh token is the same after it was used.";
        visit.warning(&REFRESH_ROTATES, seen, [exchange]);
    } else {
        visit.passed(&REFRESH_ROTATES, "the client has a secret".to_owned());
    }
    let latest = tokens.refresh.unwrap_or(refresh);
    grant.tokens = Tokens { access: tokens.access, refresh: Some(latest.clone()) };
    judge_foreign_resource(visit, grant, &latest).await;
    true
}

async fn judge_foreign_resource(visit: &mut Visit<'_>, grant: &mut Grant, refresh: &Secret) {
    let answer = visit.send(grant.client.refresh(&grant.server, refresh, FOREIGN)).await;
    match answer.as_ref().ok().and_then(|answer| Tokens::of(visit, answer)) {
        None => misuse::refused(visit, &TOKEN_FOREIGN_RESOURCE, &answer),
        Some(tokens) => {
            let seen = format!("A token was given for the resource {FOREIGN}.");
            visit.warning(&TOKEN_FOREIGN_RESOURCE, seen, [client::exchange(&answer)]);
            // The access token goes nowhere; its refresh token is the one that counts from now on. Some servers end
            // the earlier access token with each refresh, so the grant needs one of its own again.
            let latest = tokens.refresh.unwrap_or_else(|| refresh.clone());
            let again = visit.send(grant.client.refresh(&grant.server, &latest, &grant.resource)).await;
            match again.as_ref().ok().and_then(|answer| Tokens::of(visit, answer)) {
                Some(Tokens { access, refresh }) => {
                    grant.tokens = Tokens { access, refresh: refresh.or(Some(latest)) };
                }
                None => grant.tokens.refresh = Some(latest),
            }
        }
    }
}
