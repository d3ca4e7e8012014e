//! How a teammate gets in: the challenge, the metadata, registration, sign-in, tokens; and, once everything
//! else was looked at, that what is revoked is refused. Removes what it registered.

mod address;
mod authorize;
mod bearer;
mod challenge;
mod client;
mod credential;
mod endpoint;
mod header;
mod made;
mod misuse;
mod refresh;
mod register;
mod resource;
mod server;
mod sign_in;
mod well_known;

use bridgehead_core::Secret;
use http::HeaderName;
use url::Url;

use self::{
    address::Addresses,
    challenge::Anonymous,
    made::{Grant, Made},
    sign_in::Flow,
};
use super::reach::Reached;
use crate::{Check, visit::Visit};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[
    &challenge::CHALLENGE_STATUS,
    &challenge::CHALLENGE_EVERYWHERE,
    &challenge::CHALLENGE_HEADER,
    &challenge::CHALLENGE_RESOURCE_METADATA,
    &challenge::CHALLENGE_METADATA_ORIGIN,
    &challenge::CHALLENGE_SCOPE,
    &credential::CREDENTIAL_ACCEPTED,
    &credential::CREDENTIAL_WRONG,
    &credential::CREDENTIAL_MISSING,
    &credential::CREDENTIAL_NAMED,
    &bearer::TOKEN_WRONG,
    &bearer::TOKEN_WRONG_ERROR,
    &well_known::WELL_KNOWN_JSON,
    &well_known::WELL_KNOWN_ERRORS,
    &well_known::WELL_KNOWN_CONTENT_TYPE,
    &well_known::WELL_KNOWN_CORS,
    &well_known::DISCOVERY_TIME,
    &address::METADATA_PUBLIC_URLS,
    &resource::PRM_FOUND,
    &resource::PRM_PLACES,
    &resource::PRM_RESOURCE,
    &resource::PRM_AUTHORIZATION_SERVERS,
    &resource::PRM_ONE_SERVER,
    &resource::PRM_BEARER_METHODS,
    &resource::SCOPES_OFFLINE_ACCESS,
    &server::AS_METADATA_FOUND,
    &server::AS_METADATA_PLACES,
    &server::AS_METADATA_SAME,
    &server::AS_METADATA_ISSUER,
    &server::AS_ENDPOINTS,
    &server::AS_RESPONSE_TYPES,
    &server::AS_PKCE,
    &server::AS_GRANT_TYPES,
    &server::AS_AUTH_METHODS,
    &server::AS_ISS_PARAMETER,
    &server::AS_CIMD,
    &server::AS_REGISTRATION,
    &register::REGISTRATION_WORKS,
    &register::REGISTRATION_ECHO,
    &register::REGISTRATION_UNIQUE,
    &register::REGISTRATION_SECRET,
    &register::REGISTRATION_REFRESH_TOKEN,
    &register::REGISTRATION_REDIRECT_URIS,
    &register::REGISTRATION_MANAGEMENT,
    &authorize::AUTHORIZE_BEGINS,
    &authorize::AUTHORIZE_PERSON,
    &authorize::AUTHORIZE_UNKNOWN_CLIENT,
    &authorize::AUTHORIZE_REDIRECT_URI,
    &authorize::AUTHORIZE_PKCE,
    &authorize::AUTHORIZE_PLAIN,
    &authorize::AUTHORIZE_FRAMING,
    &authorize::AUTHORIZE_COOKIES,
    &authorize::AUTHORIZE_METADATA_DOCUMENT,
    &misuse::TOKEN_ERRORS,
    &misuse::TOKEN_UNKNOWN_CLIENT,
    &sign_in::SIGN_IN_RETURNS,
    &sign_in::SIGN_IN_STATE,
    &sign_in::SIGN_IN_ISS,
    &sign_in::TOKEN_EXCHANGE,
    &sign_in::TOKEN_TYPE,
    &sign_in::TOKEN_NO_STORE,
    &sign_in::TOKEN_EXPIRES_IN,
    &sign_in::TOKEN_REFRESH_TOKEN,
    &bearer::TOKEN_ACCEPTED,
    &bearer::TOKEN_SCHEME_CASE,
    &bearer::TOKEN_QUERY,
    &bearer::TOKEN_GARBLED,
    &bearer::TOKEN_AUDIENCE,
    &bearer::INTROSPECTION_CLOSED,
    &refresh::REFRESH_WORKS,
    &refresh::REFRESH_ROTATES,
    &refresh::TOKEN_FOREIGN_RESOURCE,
    &misuse::CODE_VERIFIER,
    &misuse::CODE_REPLAY,
    &misuse::REFRESH_RACE,
    &misuse::REFRESH_REUSE,
    &made::REVOCATION_ACCESS,
    &made::REVOCATION_REFRESH,
    &made::REGISTRATION_REMOVED,
];

/// How the endpoint is called from here on.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Headers that every call carries; empty where the server asks for nothing.
    pub headers: Vec<(HeaderName, Secret)>,
    /// What is taken away again at the end.
    pub(crate) made: Made,
}

/// What a server asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing.
    Open,
    /// A key, or values in headers.
    Credential,
    /// A sign-in by OAuth.
    OAuth,
}

/// Looks; `None` where there is no way in, so that the endpoint cannot be called.
pub async fn examine(visit: &mut Visit<'_>, reached: &Reached) -> Option<Access> {
    let endpoint = &reached.endpoint;
    let anonymous = challenge::ask(visit, endpoint).await;
    let places = resource::look(visit, endpoint, &anonymous).await;
    let given = !visit.target().headers.is_empty();
    let kind = if places.has_document() || anonymous.resource_metadata().is_some() {
        Kind::OAuth
    } else if anonymous.is_let_in() && !given {
        Kind::Open
    } else {
        Kind::Credential
    };
    // That a key is not needed is said where the key is judged.
    let judged = if given && anonymous.is_let_in() && kind == Kind::Credential { Kind::Open } else { kind };
    challenge::judge(visit, &anonymous, judged);
    let mut headers = Some(visit.target().headers.clone());
    if given && !credential::examine(visit, endpoint, &anonymous).await {
        headers = None;
    }
    let mut made = Made::default();
    if kind == Kind::OAuth {
        let token = oauth(visit, endpoint, &anonymous, &places, &mut made).await;
        if !given {
            headers = token.map(|token| endpoint::bearer(&token));
        }
    } else if !given && kind == Kind::Credential {
        visit.goes_no_further("the server asks for a key, and none was given (--key, --header)");
        headers = None;
    }
    skip_what_does_not_apply(visit, kind, given);
    match headers {
        Some(headers) => Some(Access { headers, made }),
        None => {
            made.take_away(visit).await;
            None
        }
    }
}

/// What ends the access: revokes the token and removes the registration, and looks whether they are gone.
pub async fn leave(visit: &mut Visit<'_>, _reached: &Reached, access: Access) {
    access.made.take_away(visit).await;
}

/// What has no verdict by now does not apply to such a server.
fn skip_what_does_not_apply(visit: &mut Visit<'_>, kind: Kind, given: bool) {
    let reason = match (kind, given) {
        (Kind::Open, _) => "the server asks for no credential",
        (Kind::Credential, _) => "the server asks for a key, and not for OAuth",
        (Kind::OAuth, true) => "a credential was given, so that nobody signs in",
        (Kind::OAuth, false) => "it cannot be looked at after what was found before",
    };
    let of_keys =
        if kind == Kind::OAuth { "the server asks for OAuth, and no key was given" } else { "no key was given" };
    let last = [&made::REVOCATION_ACCESS, &made::REVOCATION_REFRESH, &made::REGISTRATION_REMOVED];
    for check in CHECKS {
        if credential::CHECKS.contains(check) {
            visit.skipped(check, if kind == Kind::Open { reason } else { of_keys });
        } else if kind != Kind::OAuth || !last.contains(check) {
            visit.skipped(check, reason);
        }
    }
}

/// All of OAuth; the access token, where somebody signed in.
async fn oauth(
    visit: &mut Visit<'_>,
    endpoint: &Url,
    anonymous: &Anonymous,
    places: &resource::Places,
    made: &mut Made,
) -> Option<Secret> {
    let mut addresses = Addresses::seen_from(endpoint);
    challenge::judge_metadata(visit, endpoint, anonymous, &mut addresses);
    bearer::examine_wrong(visit, endpoint).await;
    let resource = resource::judge(visit, endpoint, places, anonymous.scope(), &mut addresses);
    let found = server::look(visit, endpoint, &resource.issuer).await;
    let server = server::judge(visit, &resource.issuer, &found, &mut addresses);
    let known = server.as_ref().map_or(&[][..], |server| &server.scopes);
    challenge::judge_scope(visit, anonymous, resource.scopes.as_deref(), known);
    addresses.judge(visit);
    let all: Vec<_> = places.all().chain(found.all()).collect();
    well_known::judge(visit, &all).await;
    let server = server?;
    let clients = register::examine(visit, &server, anonymous.scope(), made).await?;
    authorize::examine(visit, &server, &clients.platform, &resource.identifier).await;
    misuse::examine_errors(visit, &server, &clients.platform, &resource.identifier).await;
    if visit.surroundings().sign_in.is_none() {
        visit.goes_no_further("nobody signed in (--login)");
    }
    if visit.surroundings().sign_in.is_none() || !visit.target().headers.is_empty() {
        return None;
    }
    let flow = Flow { server: &server, client: &clients.own, resource: &resource, scope: anonymous.scope() };
    with_a_person(visit, endpoint, flow, made).await
}

/// What needs somebody who signs in.
async fn with_a_person(visit: &mut Visit<'_>, endpoint: &Url, flow: Flow<'_>, made: &mut Made) -> Option<Secret> {
    let tokens = sign_in::examine(visit, flow).await?;
    let mut grant = Grant {
        server: flow.server.clone(),
        client: flow.client.clone(),
        tokens,
        endpoint: endpoint.clone(),
        resource: flow.resource.identifier.clone(),
    };
    // Of a token that the endpoint refuses there is nothing more to see; it is revoked all the same.
    let is_good = bearer::examine(visit, &grant).await;
    if is_good {
        let refreshes = refresh::examine(visit, &mut grant).await;
        match sign_in::again(visit, flow).await {
            Some(code) => misuse::examine(visit, flow, &code, refreshes, made).await,
            None => {
                for check in misuse::WITH_CODE {
                    visit.skipped(check, "nobody signed in a second time");
                }
            }
        }
    }
    let access = grant.tokens.access.clone();
    made.grant(grant);
    is_good.then_some(access)
}
