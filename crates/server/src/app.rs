//! The built app: the router with its layers in order, and what has to be stopped at the end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::header,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{any, get},
};
use bridgehead_auth::{Modes, ResourceServer};
use bridgehead_core::{Clock, Endpoint, Randomness};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    ConnectParts, ServerSettings, SignInParts, account,
    browser::{self, OwnOrigin},
    connect::{self, ConnectPage},
    gate::Gate,
    http::{
        RequestRefusal, access_log, body::Bodies, client_address, client_address::Proxies, client_hosts, cors,
        going_down, origin, refuse, request_id, session_cookie::SessionCookie, sign_in_cookie::SignInCookie,
    },
    login,
    mcp::McpService,
    oauth::{self, AuthorizationServer, Connecting, Inner, MAX_FORM_BYTES},
    ops::{self, health::Readiness, metrics::Metrics},
    pages::{Reach, Site, paths},
};

/// Everything a running server shares between requests. Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub(crate) router: Router,
    admin: Router,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) receive_timeout: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) stop: CancellationToken,
    pub(crate) going_down: CancellationToken,
    pub(crate) proxies: Proxies,
    pub(crate) proxy_protocol: bool,
    public_url: Url,
    path: String,
}

/// What an app is built from, beside its settings.
pub struct Parts {
    /// The tools and the pipeline in front of them.
    pub endpoint: Arc<Endpoint>,
    /// The ways to sign in.
    pub modes: Arc<Modes>,
    /// Signing in by OAuth; `None` without that mode.
    pub sign_in: Option<SignInParts>,
    /// The endpoint towards an authorization server that is not ours; `None` without one.
    pub resource: Option<Arc<ResourceServer>>,
    /// What the connect page says.
    pub connect: ConnectParts,
    /// What `/readyz` asks.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes request ids.
    pub randomness: Arc<dyn Randomness>,
}

impl App {
    /// Puts the router together for a socket that is bound to `address`.
    #[must_use]
    pub fn new(settings: &ServerSettings, address: SocketAddr, parts: Parts) -> Self {
        let public_url = settings.public_url.clone();
        let stop = CancellationToken::new();
        let going_down = CancellationToken::new();
        let proxies = Proxies::new(&settings.trusted_proxies, settings.forwarded);
        let mcp = McpService::new(
            parts.endpoint.clone(),
            parts.clock.clone(),
            parts.randomness.clone(),
            settings,
            stop.clone(),
        );
        let bodies = Bodies {
            clock: parts.clock.clone(),
            max_bytes: settings.max_body_bytes,
            timeout: settings.receive_timeout,
        };
        let connecting = parts.sign_in.as_ref().map(|sign_in| Connecting::new(sign_in.trace.clone()));
        let gate = Gate::new(parts.endpoint.clone(), parts.modes, bodies.clone(), mcp, connecting);
        let origins = origin::AllowedOrigins::new(&public_url, address, &settings.allowed_origins);
        let hosts = client_hosts::AllowedHosts::new(&public_url, address, &settings.allowed_hosts);

        // Both spellings answer directly: a redirect would drop the Authorization header.
        let slashed = format!("{}/", settings.path.trim_end_matches('/'));
        let endpoint = any(crate::gate::handle).with_state(gate);
        let endpoint = Router::new()
            .route(&settings.path, endpoint.clone())
            .route(&slashed, endpoint)
            // Preflights are answered here, before the gate asks who is calling.
            .layer(cors::layer(&origins))
            // Before CORS, so that a foreign page learns nothing, not even from a preflight.
            .layer(from_fn_with_state(origins, origin::check));

        let own_origin = origin::AllowedOrigins::new(&public_url, address, &[]);
        let beside = Beside { endpoint: parts.endpoint.clone(), bodies, own_origin, resource: parts.resource };

        let guarded = Router::new()
            .merge(endpoint)
            .merge(beside.router(settings, parts.sign_in, parts.connect))
            .fallback(not_found)
            // Everywhere but on health: a load balancer asks for that by address.
            .layer(from_fn_with_state(hosts, client_hosts::check))
            // What has not begun does not begin any more. Health goes on, and says so itself.
            .layer(from_fn_with_state(going_down.clone(), going_down::check));

        let observed = access_log::Observed { clock: parts.clock.clone(), metrics: parts.metrics.clone() };
        let router = Router::new()
            .route("/healthz", get(ops::health::healthz))
            .route("/readyz", get(ops::health::readyz).with_state((parts.readiness, going_down.clone())))
            .merge(guarded)
            .method_not_allowed_fallback(method_not_allowed)
            // Outside of all that can refuse, so that refusals are logged and counted as well.
            .layer(from_fn_with_state(observed, access_log::observe))
            // Before the log, which names the client; takes the forwarding headers off.
            .layer(from_fn_with_state(proxies.clone(), client_address::find))
            // Outermost: everything below names the request by this id.
            .layer(from_fn_with_state(parts.randomness, request_id::assign))
            .layer(from_fn(security_headers));

        let admin = Router::new().route("/metrics", get(ops::metrics::show)).with_state(parts.metrics);
        Self {
            router,
            admin,
            endpoint: parts.endpoint,
            clock: parts.clock,
            receive_timeout: settings.receive_timeout,
            drain_timeout: settings.drain_timeout,
            stop,
            going_down,
            proxies,
            proxy_protocol: settings.proxy_protocol,
            public_url,
            path: settings.path.clone(),
        }
    }

    /// What teammates type, less the path.
    #[must_use]
    pub const fn public_url(&self) -> &Url {
        &self.public_url
    }

    /// The routes of the admin listener.
    pub fn admin(&self) -> Router {
        self.admin.clone()
    }

    /// The endpoint's address as teammates type it.
    #[must_use]
    pub fn endpoint_url(&self) -> String {
        endpoint_url(&self.public_url, &self.path)
    }
}

fn endpoint_url(public_url: &Url, path: &str) -> String {
    format!("{}{path}", public_url.as_str().trim_end_matches('/'))
}

/// What stands beside the endpoint: signing in by OAuth, where there is that, and the connect page.
struct Beside {
    endpoint: Arc<Endpoint>,
    bodies: Bodies,
    own_origin: origin::AllowedOrigins,
    resource: Option<Arc<ResourceServer>>,
}

impl Beside {
    fn router(self, settings: &ServerSettings, sign_in: Option<SignInParts>, connect: ConnectParts) -> Router {
        let site = Site { name: self.endpoint.name.clone() };
        let endpoint_url = endpoint_url(&settings.public_url, &settings.path);
        let server = sign_in.map(|sign_in| {
            AuthorizationServer::new(Inner {
                parts: sign_in,
                site: site.clone(),
                endpoint: self.endpoint.clone(),
                endpoint_url: endpoint_url.clone(),
                cookie: SessionCookie::new(&settings.public_url),
                sign_in_cookie: SignInCookie::new(&settings.public_url),
                bodies: self.bodies.at_most(MAX_FORM_BYTES),
                clock: self.bodies.clock.clone(),
            })
        });
        // Without OAuth there is nothing at its paths, and clients do not look any further.
        let own_origin = self.own_origin;
        let sign_in =
            server.clone().map_or_else(Router::new, |server| sign_in_routes(server, own_origin, &settings.path));
        let foreign =
            self.resource.clone().map_or_else(Router::new, |resource| foreign_routes(resource, &settings.path));
        let connect = ConnectPage {
            parts: Arc::new(connect),
            site,
            endpoint: self.endpoint,
            endpoint_url,
            reach: Reach::of(&settings.public_url),
            server,
            graded: Arc::default(),
            resource: self.resource,
        };
        sign_in
            .merge(foreign)
            .route(paths::CONNECT, get(connect::page).with_state(connect))
            .route(paths::COPY_SCRIPT, get(connect::copy_script))
    }
}

/// Everything that belongs to signing in by OAuth, for an endpoint at `path`.
fn sign_in_routes(server: AuthorizationServer, own_origin: origin::AllowedOrigins, path: &str) -> Router {
    let own_origin = OwnOrigin { origins: own_origin, server: server.clone() };
    let for_clients = oauth::for_clients(path)
        // Below CORS: what is set further out would stand before it, and refuse preflights.
        .method_not_allowed_fallback(method_not_allowed)
        .layer(oauth::cors());
    oauth::for_browsers()
        .merge(login::routes())
        .merge(account::routes())
        // Forms are taken from our own pages alone.
        .layer(from_fn_with_state(own_origin, browser::check_origin))
        .merge(for_clients)
        .merge(oauth::for_servers())
        .with_state(server)
}

/// What there is of OAuth where the authorization server is not ours.
fn foreign_routes(resource: Arc<ResourceServer>, path: &str) -> Router {
    oauth::for_clients_of_another(path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(oauth::cors())
        .with_state(resource)
}

async fn security_headers(request: Request, next: axum::middleware::Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(header::HeaderValue::from_static("no-store"));
    response
}

async fn not_found(request: Request) -> Response {
    let message = format!(
        "There is nothing at {}. The endpoint's path is in the card that `bridgehead serve` prints.",
        request.uri().path()
    );
    refuse(RequestRefusal::NotFound, &message)
}

async fn method_not_allowed() -> Response {
    let message = "This path does not answer this method. The header `Allow` names those that it answers.";
    refuse(RequestRefusal::MethodNotAllowed, message)
}
