//! Access tokens at the endpoint: good ones are taken, in the header alone; wrong ones are refused in a way that
//! makes clients sign in again.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_core::Secret;
use http::{StatusCode, header};
use serde_json::Value;
use url::Url;

use super::{
    client::{self, Tokens},
    endpoint::{self, Credential, Question, Reply},
    header as challenge,
    made::Grant,
    misuse,
};
use crate::{Area, Check, visit::Visit};

/// Not just any.
pub(super) const TOKEN_WRONG: Check = Check {
    id: "token-wrong",
    area: Area::Access,
    title: "A made-up token is refused with 401",
    why: "If it is let in, everybody is. If it is refused in another way than by 401, a client whose token has expired \
          does not sign in again, and shows an error for ever.",
    standard: "RFC 6750 §3.1, MCP 2025-11-25, Authorization, \"Token Handling\"",
    mend: "Answer every token that is not good with 401, also one that is expired or has another form than yours.",
};

/// And with a reason.
pub(super) const TOKEN_WRONG_ERROR: Check = Check {
    id: "token-wrong-error",
    area: Area::Access,
    title: "The refusal says that the token is invalid, and where to get another",
    why: "By invalid_token a client tells a token that has ended from a call that it may not make, and refreshes it.",
    standard: "RFC 6750 §3.1, RFC 9728 §5.1",
    mend: "Add error=\"invalid_token\" and resource_metadata to the challenge of a 401 that a token was sent with.",
};

/// It is of use.
pub(super) const TOKEN_ACCEPTED: Check = Check {
    id: "token-accepted",
    area: Area::Access,
    title: "The endpoint takes the token",
    why: "Signing in went well, and every call is refused all the same: to a teammate the connection is broken.",
    standard: "RFC 6750 §2.1",
    mend: "Compare what the authorization server puts into tokens (issuer, audience, scope) with what the endpoint \
           expects, and look whether a proxy removes Authorization.",
};

/// The scheme, however written.
pub(super) const TOKEN_SCHEME_CASE: Check = Check {
    id: "token-scheme-case",
    area: Area::Access,
    title: "`bearer` is taken as well as `Bearer`",
    why: "The scheme is written without regard to case; clients that send token_type as it came may send it in small \
          letters.",
    standard: "RFC 9110 §11.1",
    mend: "Compare the scheme of Authorization without regard to case.",
};

/// Not in URLs.
pub(super) const TOKEN_QUERY: Check = Check {
    id: "token-query",
    area: Area::Access,
    title: "A token in the query is not taken",
    why: "URLs are kept in logs, histories and referrers, and the token with them.",
    standard: "RFC 6750 §2.3, §5.3, MCP 2025-11-25, Authorization, \"Token Requirements\"",
    mend: "Read tokens from Authorization alone.",
};

/// As it was made.
pub(super) const TOKEN_GARBLED: Check = Check {
    id: "token-garbled",
    area: Area::Access,
    title: "A token that was changed by one character is refused",
    why: "If it is taken, the endpoint does not check signature or hash, and tokens can be made up.",
    standard: "RFC 6750 §5.2, RFC 7519 §7.2",
    mend: "Verify the signature of the token, or look the whole of it up.",
};

/// For whom.
pub(super) const TOKEN_AUDIENCE: Check = Check {
    id: "token-audience",
    area: Area::Access,
    title: "A token that says whom it is for names this server",
    why: "An endpoint that takes tokens for others can be called with what another server was trusted with, and the \
          other way round.",
    standard: "RFC 8707 §2, RFC 9068 §3, MCP 2025-11-25, Authorization, \"Token Audience Binding and Validation\"",
    mend: "Let the authorization server put the `resource` of the request into `aud`, and the endpoint refuse every \
           other one.",
};

/// Looked at by whom.
pub(super) const INTROSPECTION_CLOSED: Check = Check {
    id: "introspection-closed",
    area: Area::Access,
    title: "Strangers cannot look tokens up",
    why: "An introspection endpoint that answers everybody tells whoever finds a token whose it is and what it opens.",
    standard: "RFC 7662 §2.1, §4",
    mend: "Ask for the authentication of a resource server at the introspection endpoint.",
};

/// What is looked at with a token that is good.
pub(super) const WITH_TOKEN: [&Check; 6] =
    [&TOKEN_ACCEPTED, &TOKEN_SCHEME_CASE, &TOKEN_QUERY, &TOKEN_GARBLED, &TOKEN_AUDIENCE, &INTROSPECTION_CLOSED];

/// Tries a token that nobody gave.
pub(super) async fn examine_wrong(visit: &mut Visit<'_>, endpoint: &Url) {
    let token = Secret::new(client::random(&*visit.surroundings().randomness));
    let reply = endpoint::ask(visit, endpoint, Question::Initialize, &endpoint::bearer(&token)).await;
    match &reply {
        Reply::Refused(answer) if answer.received.status == StatusCode::UNAUTHORIZED => {
            visit.passed(&TOKEN_WRONG, None);
            let challenge = challenge::bearer(&answer.received.headers);
            let parameter = |name: &str| challenge.as_ref().and_then(|challenge| challenge.parameter(name));
            match (parameter("error"), parameter("resource_metadata")) {
                (Some("invalid_token"), Some(_)) => visit.passed(&TOKEN_WRONG_ERROR, None),
                (Some("invalid_token"), None) => {
                    let seen = "The challenge for a wrong token has no resource_metadata.";
                    visit.warning(&TOKEN_WRONG_ERROR, seen, [answer.exchange]);
                }
                (error, _) => {
                    let seen =
                        format!("The challenge for a wrong token has the error {}.", error.unwrap_or("left out"));
                    visit.warning(&TOKEN_WRONG_ERROR, seen, [answer.exchange]);
                }
            }
        }
        reply => {
            let seen = format!("A made-up token had {}; 401 is expected.", reply.shown());
            visit.failed(&TOKEN_WRONG, seen, [reply.exchange()]);
            visit.skipped(&TOKEN_WRONG_ERROR, "there is no 401");
        }
    }
}

/// Tries a token that is good; whether it is.
pub(super) async fn examine(visit: &mut Visit<'_>, grant: &Grant) -> bool {
    let Grant { endpoint, tokens: Tokens { access, .. }, .. } = grant;
    let reply = endpoint::lets_in(visit, endpoint, &endpoint::bearer(access)).await;
    if !reply.is_answered() {
        let seen = format!("A call with the token that was just issued had {}.", reply.shown());
        visit.failed(&TOKEN_ACCEPTED, seen, [reply.exchange()]);
        for check in &WITH_TOKEN[1..] {
            visit.skipped(check, "the endpoint does not take the token");
        }
        return false;
    }
    visit.passed(&TOKEN_ACCEPTED, None);
    judge_scheme_case(visit, endpoint, &endpoint::bearer(access)).await;
    judge_query(visit, endpoint, access).await;
    judge_garbled(visit, endpoint, access).await;
    judge_audience(visit, endpoint, access);
    judge_introspection(visit, grant).await;
    true
}

/// As it is written with small letters, where a credential has the scheme `Bearer`.
pub(super) async fn judge_scheme_case(visit: &mut Visit<'_>, endpoint: &Url, credential: &Credential) {
    let authorization = credential.iter().find(|(name, _)| name == header::AUTHORIZATION);
    let token = authorization.and_then(|(_, value)| value.expose().strip_prefix("Bearer "));
    let Some(token) = token else {
        visit.skipped(&TOKEN_SCHEME_CASE, "the credential does not travel in Authorization");
        return;
    };
    let small: Credential = credential
        .iter()
        .map(|(name, value)| match name {
            name if name == header::AUTHORIZATION => (name.clone(), Secret::new(format!("bearer {token}"))),
            name => (name.clone(), value.clone()),
        })
        .collect();
    let reply = endpoint::lets_in(visit, endpoint, &small).await;
    if reply.is_answered() {
        visit.passed(&TOKEN_SCHEME_CASE, None);
    } else {
        let seen = format!("The same token behind `bearer` had {}.", reply.shown());
        visit.warning(&TOKEN_SCHEME_CASE, seen, [reply.exchange()]);
    }
}

/// Without an answer nothing was refused.
fn refused(visit: &mut Visit<'_>, check: &'static Check, reply: &Reply) {
    match reply {
        Reply::Nothing { .. } => visit.skipped(check, reply.shown()),
        _ => visit.passed(check, None),
    }
}

async fn judge_query(visit: &mut Visit<'_>, endpoint: &Url, access: &Secret) {
    let mut url = endpoint.clone();
    url.query_pairs_mut().append_pair("access_token", access.expose());
    let reply = endpoint::lets_in(visit, &url, &Credential::new()).await;
    if reply.is_answered() {
        visit.failed(&TOKEN_QUERY, "A token in the query of the URL was taken.", [reply.exchange()]);
    } else {
        refused(visit, &TOKEN_QUERY, &reply);
    }
}

/// Where a token is changed: near its end, which in a JWT is the signature, and not at its very end, where
/// base64 has bits that do not count.
const FROM_THE_END: usize = 8;

fn garbled(token: &str) -> String {
    let at = token.chars().count().saturating_sub(FROM_THE_END);
    let other = |character| if character == 'A' { 'B' } else { 'A' };
    token.chars().enumerate().map(|(index, one)| if index == at { other(one) } else { one }).collect()
}

async fn judge_garbled(visit: &mut Visit<'_>, endpoint: &Url, access: &Secret) {
    let wrong = Secret::new(garbled(access.expose()));
    visit.keep_secret(&wrong);
    let reply = endpoint::lets_in(visit, endpoint, &endpoint::bearer(&wrong)).await;
    if reply.is_answered() {
        let seen = "A token with one character changed was taken.";
        visit.failed(&TOKEN_GARBLED, seen, [reply.exchange()]);
    } else {
        refused(visit, &TOKEN_GARBLED, &reply);
    }
}

/// The claims of a JWT (RFC 7519 §3), unverified: they are only looked at.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

fn audiences(claims: &Value) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn judge_audience(visit: &mut Visit<'_>, endpoint: &Url, access: &Secret) {
    let Some(claims) = claims(access.expose()) else {
        visit.passed(&TOKEN_AUDIENCE, "it is opaque, and says nothing".to_owned());
        return;
    };
    let audiences = audiences(&claims);
    let names = |audience: &str| {
        audience == endpoint.as_str() || Url::parse(audience).is_ok_and(|url| url.origin() == endpoint.origin())
    };
    if audiences.iter().any(|audience| names(audience)) {
        visit.passed(&TOKEN_AUDIENCE, audiences.join(", "));
    } else {
        let shown = if audiences.is_empty() { "missing".to_owned() } else { audiences.join(", ") };
        visit.warning(&TOKEN_AUDIENCE, format!("`aud` of the token is {shown}, and not {endpoint}."), []);
    }
}

async fn judge_introspection(visit: &mut Visit<'_>, grant: &Grant) {
    let Some(url) = &grant.server.introspection else {
        visit.skipped(&INTROSPECTION_CLOSED, "there is no introspection endpoint where the tokens come from");
        return;
    };
    let mut request = grant.client.post(url, &[]);
    request.headers.remove(header::AUTHORIZATION);
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("token", grant.tokens.access.expose())
        .finish();
    request.body = form.into_bytes().into();
    let answer = visit.send(request).await;
    let active = answer.as_ref().ok().and_then(client::document).and_then(|document| document.get("active")?.as_bool());
    if active == Some(true) {
        let seen = "A token was looked up by somebody who did not say who they are.";
        visit.failed(&INTROSPECTION_CLOSED, seen, [client::exchange(&answer)]);
    } else {
        misuse::refused(visit, &INTROSPECTION_CLOSED, &answer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_character_is_changed() {
        for token in ["abcdefghijkl", "AAAAAAAAAAAA", "short", "ä"] {
            let wrong = garbled(token);
            let differ = token.chars().zip(wrong.chars()).filter(|(one, other)| one != other).count();
            assert_eq!((wrong.chars().count(), differ), (token.chars().count(), 1), "{token}");
        }
    }

    #[test]
    fn audiences_of_a_token() {
        let token = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        let read = |token: &str| claims(token).map(|claims| audiences(&claims).join(" "));
        assert_eq!(read(&token(r#"{"aud":"a"}"#)).as_deref(), Some("a"));
        assert_eq!(read(&token(r#"{"aud":["a","b",3]}"#)).as_deref(), Some("a b"));
        assert_eq!(read(&token("{}")).as_deref(), Some(""));
        for opaque in ["bht_abc", "a.b.c", "..", ""] {
            assert_eq!(read(opaque), None, "{opaque}");
        }
    }
}
