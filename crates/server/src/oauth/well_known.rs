//! The documents under `/.well-known/` by which clients find everything: of the authorization server
//! (RFC 8414, and under the name that OpenID Connect has for it) and of the endpoint (RFC 9728), each
//! at its root, with the endpoint's path inserted (§3.1 of both) and appended, as older clients ask.
//!
//! Where the authorization server is not ours, only the endpoint has a document: a copy of the issuer's
//! under our name would not be the issuer's (RFC 8414 §3.3), and its absence sends clients to the
//! endpoint's, which names the issuer.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::get,
};
use bridgehead_auth::{ResourceServer, TraceEvent, trace::Step};
use http::StatusCode;

use super::{AuthorizationServer, answer};
use crate::http::{ClientAddress, RequestRefusal, refuse};

const AUTHORIZATION_SERVER: [&str; 2] =
    ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// All places of the documents for an endpoint at `path`, which does not end with `/`.
pub(super) fn routes(path: &str) -> Router<AuthorizationServer> {
    let mut router = Router::new();
    for name in AUTHORIZATION_SERVER {
        for place in places(name, path) {
            router = router.route(&place, get(authorization_server));
        }
    }
    for place in places(PROTECTED_RESOURCE, path) {
        router = router.route(&place, get(protected_resource));
    }
    router
}

/// All places of the endpoint's document, where the authorization server is not ours.
pub(super) fn resource_routes(path: &str) -> Router<Arc<ResourceServer>> {
    let places = places(PROTECTED_RESOURCE, path);
    places.iter().fold(Router::new(), |router, place| router.route(place, get(foreign_resource)))
}

/// At the root, inserted before the path in both its spellings, and behind the path.
fn places(name: &str, path: &str) -> [String; 4] {
    [name.to_owned(), format!("{name}{path}"), format!("{name}{path}/"), format!("{path}{name}")]
}

async fn authorization_server(State(server): State<AuthorizationServer>, request: Request) -> Response {
    note(&server, &request);
    answer::good(StatusCode::OK, &server.issuer.authorization_server_metadata())
}

async fn protected_resource(State(server): State<AuthorizationServer>, request: Request) -> Response {
    note(&server, &request);
    match server.issuer.protected_resource_metadata(&server.endpoint.id) {
        Some(metadata) => answer::good(StatusCode::OK, &metadata),
        None => refuse(RequestRefusal::NotFound, "There is no such endpoint."),
    }
}

async fn foreign_resource(State(resource): State<Arc<ResourceServer>>) -> Response {
    answer::good(StatusCode::OK, &resource.protected_resource_metadata())
}

fn note(server: &AuthorizationServer, request: &Request) {
    let from = ClientAddress::of(request.extensions());
    server.traced(request.headers(), from).record(TraceEvent::done(Step::Metadata));
}
