//! The built-in authorization server towards clients and browsers, one endpoint a file: each has its
//! way from a request to the issuer and the exact answer. What is allowed is
//! [`bridgehead_auth::issuer`]'s to say; who somebody is, is asked at the sign-in page.

mod answer;
mod authorize;
mod client_view;
mod consent;
mod introspect;
mod register;
mod revoke;
mod token;
mod trace;
mod well_known;

use std::{net::IpAddr, ops::Deref, sync::Arc, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use bridgehead_auth::{
    CsrfTokens, IssuedKeys, Issuer, ResourceServer, Sessions, Trace, UpstreamCredentials, Users, provider::Provider,
};
use bridgehead_core::{Clock, Endpoint};
use http::{HeaderMap, HeaderName, Method, header};
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

pub(crate) use authorize::{AUTHORIZE, about, asked_by};
pub(crate) use client_view::{client, destination, of_grant, of_redirect};
pub(crate) use trace::{Connecting, Traced};

use crate::{
    http::{body::Bodies, request_id, session_cookie::SessionCookie, sign_in_cookie::SignInCookie},
    pages::{Site, Wait, paths},
};

/// How large a form or a registration may be, in bytes.
pub(crate) const MAX_FORM_BYTES: usize = 64 * 1024;

/// What signing in by OAuth is built from.
#[derive(Clone)]
pub struct SignInParts {
    /// OAuth itself.
    pub issuer: Arc<Issuer>,
    /// Who signs in.
    pub users: Arc<Users>,
    /// Where they sign in, if it is not here with a password.
    pub provider: Option<Arc<Provider>>,
    /// Who is signed in.
    pub sessions: Arc<Sessions>,
    /// Protects forms against other sites.
    pub csrf: CsrfTokens,
    /// Where connection attempts are noted.
    pub trace: Trace,
    /// The API keys that teammates may make for themselves; `None` where none that are issued here get
    /// anybody in.
    pub keys: Option<OwnKeys>,
    /// What teammates enter or connect for systems behind.
    pub credentials: UpstreamCredentials,
}

/// API keys that teammates make for themselves.
#[derive(Clone)]
pub struct OwnKeys {
    /// Makes them.
    pub keys: Arc<IssuedKeys>,
    /// The header that they are sent in; `None` for `Authorization: Bearer`.
    pub header: Option<String>,
}

/// The authorization server, and what its pages need. Cheap to clone.
#[derive(Clone)]
pub(crate) struct AuthorizationServer(Arc<Inner>);

/// What [`AuthorizationServer`] shares.
pub(crate) struct Inner {
    pub(crate) parts: SignInParts,
    pub(crate) site: Site,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) endpoint_url: String,
    pub(crate) cookie: SessionCookie,
    pub(crate) sign_in_cookie: SignInCookie,
    pub(crate) bodies: Bodies,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Deref for AuthorizationServer {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Deref for Inner {
    type Target = SignInParts;

    fn deref(&self) -> &SignInParts {
        &self.parts
    }
}

impl AuthorizationServer {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// The trace, for one request.
    pub(crate) fn traced<'r>(&'r self, headers: &'r HeaderMap, from: IpAddr) -> Traced<'r> {
        Traced::new(&self.trace, headers, from)
    }

    /// From now on so long.
    pub(crate) fn wait(&self, wait: Duration) -> Wait {
        let now = self.clock.now();
        Wait::new(now, now.saturating_add(wait).unwrap_or(now))
    }
}

/// What clients call themselves, for an endpoint at `path`. Any page may call it as well, see [`cors`]:
/// no cookie counts here.
pub(crate) fn for_clients(path: &str) -> Router<AuthorizationServer> {
    well_known::routes(path)
        .route("/oauth/token", post(token::token))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/oauth/register", post(register::register))
        .route("/oauth/register/{client_id}", get(register::show).delete(register::remove).put(register::change))
}

/// What clients ask for where the authorization server is not ours.
pub(crate) fn for_clients_of_another(path: &str) -> Router<Arc<ResourceServer>> {
    well_known::resource_routes(path)
}

/// What only a client calls that can prove who it is, which no page can.
pub(crate) fn for_servers() -> Router<AuthorizationServer> {
    Router::new().route("/oauth/introspect", post(introspect::introspect))
}

/// What a teammate's browser is sent to.
pub(crate) fn for_browsers() -> Router<AuthorizationServer> {
    Router::new().route(authorize::AUTHORIZE, get(authorize::authorize)).route(paths::CONSENT, post(consent::consent))
}

/// Any origin, and never with cookies. Preflights are answered here, before anything is asked.
pub(crate) fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER, HeaderName::from_static(request_id::HEADER)])
}
