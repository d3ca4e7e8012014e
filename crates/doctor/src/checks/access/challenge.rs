//! What the endpoint says to somebody without a credential: whether it refuses them, and where it sends them.

use http::StatusCode;
use url::Url;

use super::{
    Kind,
    address::Addresses,
    endpoint::{self, Credential, Question, Reply},
    header::{self, Challenge},
};
use crate::{Area, Check, visit::Visit};

/// 401, and nothing else.
pub(super) const CHALLENGE_STATUS: Check = Check {
    id: "challenge-status",
    area: Area::Access,
    title: "A call without credentials is answered with 401",
    why: "401 is what makes a client sign in. After a 200 it never does; a 403, 404, 5xx, or a redirect to a login \
          page is an error to it, and the connection fails.",
    standard: "RFC 9110 §15.5.2, MCP 2025-11-25, Authorization, \"Error Handling\"",
    mend: "Answer 401 with WWW-Authenticate wherever no credential was sent, before anything else is looked at. In \
           front of the server, keep login pages of a proxy away from the endpoint's path.",
};

/// Not some of them.
pub(super) const CHALLENGE_EVERYWHERE: Check = Check {
    id: "challenge-everywhere",
    area: Area::Access,
    title: "Without credentials every method is refused alike",
    why: "Clients decide by their first message whether they have to sign in. If that is answered and a later one is \
          refused, some never sign in, and every call fails.",
    standard: "MCP 2025-11-25, Authorization, \"Access Token Usage\"",
    mend: "Check the credential for the endpoint as a whole, before the method is looked at: initialize, tools/list \
           and server/discover as well as tools/call.",
};

/// The header.
pub(super) const CHALLENGE_HEADER: Check = Check {
    id: "challenge-header",
    area: Area::Access,
    title: "The 401 has a WWW-Authenticate header with the scheme Bearer",
    why: "Clients read there how to sign in. Claude fails without it.",
    standard: "RFC 9110 §11.6.1, RFC 6750 §3",
    mend: "Add WWW-Authenticate: Bearer … to every 401 of the endpoint. Proxies and gateways like to remove it, or to \
           put a challenge of their own in its place.",
};

/// Where the metadata is.
pub(super) const CHALLENGE_RESOURCE_METADATA: Check = Check {
    id: "challenge-resource-metadata",
    area: Area::Access,
    title: "The challenge names the metadata of the endpoint",
    why: "A client that is not told has to guess where the metadata is; not all of them do.",
    standard: "RFC 9728 §5.1",
    mend: "Put resource_metadata=\"https://HOST/.well-known/oauth-protected-resource/PATH\" into the challenge, as an \
           absolute URL.",
};

/// Of the same origin.
pub(super) const CHALLENGE_METADATA_ORIGIN: Check = Check {
    id: "challenge-metadata-origin",
    area: Area::Access,
    title: "The metadata that the challenge names is on the endpoint's own origin",
    why: "Strict clients do not let another host speak for the endpoint, so that nobody can lead them to a foreign login.",
    standard: "RFC 9728 §3.3, §7.3",
    mend: "Name the metadata under the same scheme, host and port as the endpoint that teammates type in.",
};

/// What to ask for.
pub(super) const CHALLENGE_SCOPE: Check = Check {
    id: "challenge-scope",
    area: Area::Access,
    title: "The challenge or the metadata names the scopes to ask for",
    why: "Clients ask for what the first challenge names, else for what the metadata of the endpoint names, and few can \
          ask for more later. Where neither does, some ask for nothing, and Claude Code for all that the authorization \
          server knows, which not every one grants.",
    standard: "RFC 6750 §3, MCP 2025-11-25, Authorization, \"Scope Selection Strategy\"",
    mend: "Put scope=\"…\" into the challenge, or scopes_supported into the metadata of the endpoint, with all scopes \
           that the tools need.",
};

/// What the endpoint said to somebody without a credential.
#[derive(Debug)]
pub(super) struct Anonymous {
    replies: Vec<(Question, Reply)>,
    challenge: Option<Challenge>,
}

impl Anonymous {
    /// Whether `initialize`, or where the server is too new for that `server/discover`, had a result.
    pub(super) fn is_let_in(&self) -> bool {
        self.replies.iter().any(|(question, reply)| *question != Question::ListTools && reply.is_answered())
    }

    /// Whether it was let in with every message.
    fn is_let_in_throughout(&self) -> bool {
        let refused = |status| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        self.is_let_in() && !self.replies.iter().any(|(_, reply)| reply.status().is_some_and(refused))
    }

    /// The URL of the metadata, as the challenge has it.
    pub(super) fn resource_metadata(&self) -> Option<&str> {
        self.challenge.as_ref().and_then(|challenge| challenge.parameter("resource_metadata"))
    }

    pub(super) fn scope(&self) -> Option<&str> {
        self.challenge.as_ref().and_then(|challenge| challenge.parameter("scope"))
    }

    /// The reply that counts: to `initialize`.
    pub(super) fn first(&self) -> Option<&Reply> {
        self.replies.first().map(|(_, reply)| reply)
    }

    pub(super) fn exchange(&self) -> usize {
        self.first().map_or(0, Reply::exchange)
    }
}

/// Asks without a credential.
pub(super) async fn ask(visit: &mut Visit<'_>, endpoint: &Url) -> Anonymous {
    let mut replies = Vec::new();
    for question in Question::ALL {
        replies.push((question, endpoint::ask(visit, endpoint, question, &Credential::new()).await));
    }
    let challenge = replies.iter().find_map(|(_, reply)| match reply {
        Reply::Refused(answer) => header::bearer(&answer.received.headers),
        _ => None,
    });
    Anonymous { replies, challenge }
}

/// Judges it, now that it is known what the server asks for.
pub(super) fn judge(visit: &mut Visit<'_>, anonymous: &Anonymous, kind: Kind) {
    if kind == Kind::Open {
        for check in [&CHALLENGE_STATUS, &CHALLENGE_EVERYWHERE, &CHALLENGE_HEADER] {
            visit.skipped(check, "the server asks for no credential");
        }
        return;
    }
    judge_status(visit, anonymous);
    let refused = anonymous.replies.iter().find_map(|(_, reply)| match reply {
        Reply::Refused(answer) if answer.received.status == StatusCode::UNAUTHORIZED => Some(answer),
        _ => None,
    });
    let Some(refused) = refused else {
        visit.skipped(&CHALLENGE_HEADER, "there is no 401");
        return;
    };
    let schemes: Vec<_> =
        header::challenges(&refused.received.headers).into_iter().map(|challenge| challenge.scheme).collect();
    let has_bearer = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("bearer"));
    match (kind, schemes.is_empty(), has_bearer) {
        (_, false, true) | (Kind::Credential, false, false) => visit.passed(&CHALLENGE_HEADER, schemes.join(", ")),
        (Kind::Credential, true, _) => {
            visit.warning(&CHALLENGE_HEADER, "The 401 has no WWW-Authenticate header.", [refused.exchange]);
        }
        (_, true, _) => visit.failed(&CHALLENGE_HEADER, "The 401 has no WWW-Authenticate header.", [refused.exchange]),
        (_, false, false) => {
            let seen = format!("WWW-Authenticate names {} and not Bearer.", schemes.join(", "));
            visit.failed(&CHALLENGE_HEADER, seen, [refused.exchange]);
        }
    }
}

fn judge_status(visit: &mut Visit<'_>, anonymous: &Anonymous) {
    if anonymous.is_let_in_throughout() {
        let seen = "It was answered as if nobody had to sign in, and yet the server has metadata for signing in.";
        visit.failed(&CHALLENGE_STATUS, seen, [anonymous.exchange()]);
        visit.skipped(&CHALLENGE_EVERYWHERE, "none is refused");
        return;
    }
    let answered: Vec<_> = anonymous.replies.iter().filter(|(_, reply)| reply.is_answered()).collect();
    if answered.is_empty() {
        visit.passed(&CHALLENGE_EVERYWHERE, None);
    } else {
        let methods: Vec<_> = answered.iter().map(|(question, _)| question.method()).collect();
        let exchanges: Vec<_> = answered.iter().map(|(_, reply)| reply.exchange()).collect();
        let seen = format!("{} is answered without credentials, and other messages are refused.", methods.join(", "));
        visit.failed(&CHALLENGE_EVERYWHERE, seen, exchanges);
    }
    // A server that does not know a method, or a revision, may say so before it asks who is calling.
    match anonymous.first() {
        Some(reply) if reply.is_answered() || reply.status() == Some(StatusCode::UNAUTHORIZED) => {
            visit.passed(&CHALLENGE_STATUS, "401".to_owned());
        }
        Some(reply) => {
            let seen = format!("initialize without credentials has {}; 401 is expected.", reply.shown());
            visit.failed(&CHALLENGE_STATUS, seen, [reply.exchange()]);
        }
        None => {}
    }
}

/// Judges what the challenge says for OAuth; the URL of the metadata, where it is of use.
pub(super) fn judge_metadata(
    visit: &mut Visit<'_>,
    endpoint: &Url,
    anonymous: &Anonymous,
    addresses: &mut Addresses,
) -> Option<Url> {
    let exchange = anonymous.exchange();
    if anonymous.challenge.is_none() {
        for check in [&CHALLENGE_RESOURCE_METADATA, &CHALLENGE_METADATA_ORIGIN, &CHALLENGE_SCOPE] {
            visit.skipped(check, "there is no challenge");
        }
        return None;
    }
    let Some(raw) = anonymous.resource_metadata() else {
        visit.warning(&CHALLENGE_RESOURCE_METADATA, "The challenge has no resource_metadata.", [exchange]);
        visit.skipped(&CHALLENGE_METADATA_ORIGIN, "the challenge names no metadata");
        return None;
    };
    let Ok(url) = Url::parse(raw) else {
        let seen = format!("resource_metadata is {raw}, which is no absolute URL.");
        visit.failed(&CHALLENGE_RESOURCE_METADATA, seen, [exchange]);
        visit.skipped(&CHALLENGE_METADATA_ORIGIN, "the challenge names no absolute URL");
        return None;
    };
    visit.passed(&CHALLENGE_RESOURCE_METADATA, raw.to_owned());
    if addresses.is_inside("resource_metadata of the challenge", raw, exchange) {
        visit.skipped(&CHALLENGE_METADATA_ORIGIN, "its address is one of the inside");
        return None;
    }
    if url.origin() != endpoint.origin() {
        let seen =
            format!("The endpoint is on {}, and its metadata at {raw}.", endpoint.origin().ascii_serialization());
        visit.failed(&CHALLENGE_METADATA_ORIGIN, seen, [exchange]);
        return None;
    }
    visit.passed(&CHALLENGE_METADATA_ORIGIN, None);
    Some(url)
}

/// Judges whether a client learns what to ask for (MCP 2025-11-25, Authorization, "Scope Selection Strategy"), now
/// that it is known what the metadata names: that of the endpoint, and that of the authorization server.
pub(super) fn judge_scope(
    visit: &mut Visit<'_>,
    anonymous: &Anonymous,
    of_endpoint: Option<&str>,
    of_server: &[String],
) {
    match (anonymous.scope().filter(|scope| !scope.trim().is_empty()), of_endpoint) {
        (Some(scope), _) => visit.passed(&CHALLENGE_SCOPE, scope.to_owned()),
        (None, Some(scopes)) => visit.passed(&CHALLENGE_SCOPE, format!("by the metadata of the endpoint: {scopes}")),
        (None, None) if of_server.is_empty() => visit.passed(&CHALLENGE_SCOPE, "no scope is named anywhere".to_owned()),
        (None, None) => {
            let seen = format!(
                "Neither the challenge nor the metadata of the endpoint names a scope, and the authorization server knows {}.",
                of_server.join(", ")
            );
            visit.warning(&CHALLENGE_SCOPE, seen, [anonymous.exchange()]);
        }
    }
}
