//! The built app: the router with its layers in order, and what has to be stopped at the end.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::header,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::{any, get},
};
use bridgehead_auth::Modes;
use bridgehead_core::{Clock, Endpoint, Randomness};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    ServerSettings,
    gate::Gate,
    http::{
        RequestRefusal, access_log, client_address, client_address::Proxies, client_hosts, cors, going_down, origin,
        refuse, request_id,
    },
    mcp::McpService,
    ops::{self, health::Readiness, metrics::Metrics},
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
        let gate = Gate::new(parts.endpoint.clone(), parts.modes, parts.clock.clone(), settings, mcp);
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

        let guarded = Router::new()
            .merge(endpoint)
            .route("/", get(ops::front::page))
            .with_state(ops::front::Front::new(&public_url, &settings.path, &parts.endpoint.name))
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
        format!("{}{}", self.public_url.as_str().trim_end_matches('/'), self.path)
    }
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

async fn method_not_allowed(State(()): State<()>) -> Response {
    refuse(RequestRefusal::MethodNotAllowed, "This path answers GET alone.")
}
