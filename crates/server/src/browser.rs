//! What all pages have in common: whose browser is asking, forms that it posts, and where it is sent
//! next. What the pages say is in [`crate::pages`].

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bridgehead_auth::{
    Session, StoreError,
    issuer::{Standing, Standings},
    provider::Provider,
};
use bridgehead_core::{RequestId, Secret};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use url::form_urlencoded;

use crate::{
    http::{ClientAddress, body, origin::AllowedOrigins},
    oauth::{AuthorizationServer, Traced},
    pages::{Fault, FaultPage, LocalPath, View, paths},
};

/// As the browser says where a request began (Fetch Metadata).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A request of somebody's browser, without its body.
pub(crate) struct Visit {
    pub(crate) headers: HeaderMap,
    pub(crate) from: IpAddr,
    pub(crate) request_id: Option<String>,
}

impl Visit {
    pub(crate) fn of(request: &Request) -> Self {
        Self {
            headers: request.headers().clone(),
            from: ClientAddress::of(request.extensions()),
            request_id: request.extensions().get::<RequestId>().map(ToString::to_string),
        }
    }

    /// The trace, for this request.
    pub(crate) fn traced<'v>(&'v self, server: &'v AuthorizationServer) -> Traced<'v> {
        server.traced(&self.headers, self.from)
    }
}

impl AuthorizationServer {
    /// Who is signed in.
    ///
    /// # Errors
    /// The page for when that cannot be said.
    pub(crate) async fn session(&self, visit: &Visit) -> Result<Option<Session>, Response> {
        let Some(cookie) = self.cookie.read(&visit.headers) else { return Ok(None) };
        let found = async {
            match (self.sessions.find(cookie).await?, &self.provider) {
                (Some(session), Some(provider)) => Ok(vouched_for(provider, &session).await?.then_some(session)),
                (found, _) => Ok(found),
            }
        };
        found.await.map_err(|error: StoreError| {
            tracing::error!(%error, "a browser's session could not be looked up");
            self.fault(visit, Fault::Unavailable)
        })
    }

    /// The page about something that went wrong.
    pub(crate) fn fault(&self, visit: &Visit, fault: Fault) -> Response {
        let request_id = visit.request_id.clone();
        FaultPage { site: self.site.clone(), fault, request_id }.page().into_response()
    }
}

/// Whether a session is good by what the identity provider says of its user now. Where that cannot be said,
/// it is not: they are on their way there, and see what is the matter.
async fn vouched_for(provider: &Provider, session: &Session) -> Result<bool, StoreError> {
    Ok(matches!(provider.standing(session.user.address.as_str()).await?, Standing::Good { .. }))
}

/// A form that a browser posted.
pub(crate) struct PostedForm(Vec<(String, String)>);

impl PostedForm {
    /// Reads it within its limits.
    ///
    /// # Errors
    /// The page that says why not.
    pub(crate) async fn read(server: &AuthorizationServer, visit: &Visit, request: Request) -> Result<Self, Response> {
        let refused = |status: Option<StatusCode>, detail: String| {
            let mut response = server.fault(visit, Fault::BadRequest { detail });
            if let Some(status) = status {
                *response.status_mut() = status;
            }
            response
        };
        if !body::is_form(request.headers()) {
            return Err(refused(None, "It did not come as a form.".to_owned()));
        }
        match server.bodies.receive(request.into_body()).await {
            Ok(bytes) => Ok(Self(body::pairs(&bytes))),
            Err(fault) => Err(refused(Some(fault.refusal().status()), fault.to_string())),
        }
    }

    /// The value of a field; `None` also where it stands twice.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        values.next().filter(|_| values.next().is_none())
    }

    /// As [`PostedForm::one`], of a password; empty where there is none.
    pub(crate) fn password(&self, name: &str) -> Secret {
        Secret::new(self.one(name).unwrap_or_default().to_owned())
    }

    /// All values of a field.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// 303 (RFC 9110 §15.4.4): the browser goes there by GET, whatever it did before.
pub(crate) fn see_other(to: &LocalPath) -> Response {
    let location = HeaderValue::from_str(to.as_str());
    let location = location.unwrap_or_else(|_not_ascii| HeaderValue::from_static(crate::pages::paths::ACCOUNT));
    let headers = [
        (header::LOCATION, location),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Not `no-referrer`: Chromium would then post `Origin: null`, and the check below refuses it.
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// A path that was put together here. Where a stranger's text has made something else of it, the
/// account.
pub(crate) fn local(path: &str) -> LocalPath {
    LocalPath::parse(path).unwrap_or_else(LocalPath::account)
}

/// The sign-in page, from which a teammate comes back to `next`.
pub(crate) fn sign_in_first(next: &LocalPath) -> LocalPath {
    let next: String = form_urlencoded::byte_serialize(next.as_str().as_bytes()).collect();
    local(&format!("{}?next={next}", paths::SIGN_IN))
}

/// What a check of forms works with.
#[derive(Clone)]
pub(crate) struct OwnOrigin {
    pub(crate) origins: AllowedOrigins,
    pub(crate) server: AuthorizationServer,
}

/// Takes forms from our own pages alone. Browsers say where a form was posted from; what says nothing
/// at all is no browser, and has nobody's cookie by accident.
pub(crate) async fn check_origin(State(own): State<OwnOrigin>, request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    let headers = request.headers();
    let foreign = headers.get_all(header::ORIGIN).iter().any(|origin| !own.origins.allows(origin));
    let site = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    if foreign || site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        tracing::warn!(origin = ?headers.get(header::ORIGIN), "refused: a form that was posted from another site");
        return own.server.fault(&Visit::of(&request), Fault::FromElsewhere);
    }
    next.run(request).await
}
