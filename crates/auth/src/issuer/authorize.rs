//! The authorization request (RFC 6749 §4.1.1, OAuth 2.1 §4.1.1): everything about it is checked each
//! time, and nothing is remembered between the requests of one sign-in. Until a person has acted,
//! nothing is ever sent to the redirect URI: every error is for a page here.

use std::{fmt, net::IpAddr, time::Duration};

use bridgehead_core::ScopeSet;
use http::StatusCode;
use jiff::SignedDuration;

use super::{
    ClientId, ClientKind, ClientRecord, DocumentError, FormError, Issuer, ProtectedEndpoint, RedirectTarget,
    client_metadata::shown_name, form::Form, pkce, redirect,
};
use crate::StoreError;

/// How soon it is written down again that a client was seen.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// The longest `state` that is carried, in bytes.
const LONGEST_STATE: usize = 4096;

/// A client as a teammate may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    /// Its id.
    pub id: ClientId,
    /// How it came to be known.
    pub kind: ClientKind,
    /// What it calls itself, cleaned and cut. Hostile text all the same: anybody can call themselves
    /// anything.
    pub name: Option<String>,
    /// Its home page, as it says itself: `http` or `https`.
    pub client_uri: Option<String>,
    /// The host of its metadata document, which alone is proven.
    pub host: Option<String>,
    /// Whether the operator vouches for it.
    pub verified: bool,
    /// Whether all its redirect URIs are loopback: any program of the machine can say it is this one.
    pub loopback_only: bool,
}

impl ClientView {
    fn of(client: &ClientRecord) -> Self {
        let metadata = &client.metadata;
        let loopback = |uri: &String| redirect::check(uri) == Ok(RedirectTarget::Loopback);
        let document = client.id.is_document().then(|| url::Url::parse(client.id.as_str()).ok()).flatten();
        Self {
            id: client.id.clone(),
            kind: client.kind,
            name: metadata.client_name.as_deref().and_then(shown_name),
            client_uri: metadata.client_uri.clone(),
            host: document.and_then(|url| url.host_str().map(str::to_owned)),
            verified: client.kind == ClientKind::PreRegistered,
            loopback_only: metadata.redirect_uris.iter().all(loopback),
        }
    }
}

/// A request that is in order. Only [`Issuer::authorization_request`] makes one. `Debug` shows
/// neither `state` nor the challenge.
#[derive(Clone)]
pub struct AuthorizationRequest {
    pub(super) client: ClientView,
    pub(super) endpoint: ProtectedEndpoint,
    pub(super) resource: String,
    pub(super) redirect_uri: String,
    pub(super) target: RedirectTarget,
    pub(super) scopes: ScopeSet,
    pub(super) state: Option<String>,
    pub(super) code_challenge: String,
    login_hint: Option<String>,
}

impl fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("client", &self.client)
            .field("resource", &self.resource)
            .field("redirect_uri", &self.redirect_uri)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl AuthorizationRequest {
    /// Who asks.
    #[must_use]
    pub const fn client(&self) -> &ClientView {
        &self.client
    }

    /// Where the answer goes, as the client wrote it.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Where the answer goes, as a teammate should see it.
    #[must_use]
    pub const fn redirect_target(&self) -> &RedirectTarget {
        &self.target
    }

    /// What is asked for, without what is not known here.
    #[must_use]
    pub const fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// What a teammate who may grant `most` can be asked to allow.
    #[must_use]
    pub fn offered(&self, most: &ScopeSet) -> ScopeSet {
        self.scopes.common(most)
    }

    /// The endpoint that it is for.
    #[must_use]
    pub const fn endpoint(&self) -> &ProtectedEndpoint {
        &self.endpoint
    }

    /// The exact URL of that endpoint.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Whom the client expects to sign in (OpenID Connect Core §3.1.2.1): for the field of the login
    /// page, and nothing else.
    #[must_use]
    pub fn login_hint(&self) -> Option<&str> {
        self.login_hint.as_deref()
    }
}

/// Why a request is not in order. `Display` is for the teammate who was sent here, and for whoever
/// they ask.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthorizeError {
    /// The form of the parameters.
    #[error("The request of the application is not in order: {0}.")]
    Form(#[from] FormError),
    /// No client of this id.
    #[error("The application is not known here (any more). Remove the connection in it, and add it again.")]
    UnknownClient,
    /// The operator revoked it.
    #[error("Whoever runs this server has shut this application out. Ask them.")]
    ClientRevoked,
    /// Its metadata document cannot be used.
    #[error("The application cannot be checked: {0}.")]
    Document(DocumentError),
    /// The redirect URI is none of the client's.
    #[error(
        "The application wants its answer at an address that it did not register. Nothing was sent there. \
         If you did not start this yourself, close this page; else remove the connection in the application, and add it again."
    )]
    RedirectUri,
    /// The client has several redirect URIs and named none.
    #[error("The application did not say where it wants its answer: the parameter `redirect_uri` is missing.")]
    NoRedirectUri,
    /// Something else than `code`.
    #[error(
        "The application asks for another flow than the authorization code flow (response_type=code), which is the only one here."
    )]
    ResponseType,
    /// Something else than `query`.
    #[error(
        "The application wants its answer in another way than in the query (response_mode=query), which is the only one here."
    )]
    ResponseMode,
    /// A request object (RFC 9101).
    #[error("The application sent a request object, which is not read here.")]
    RequestObject,
    /// No PKCE, or not with S256 (RFC 7636 §4.4.1).
    #[error(
        "The application does not protect its sign-in by PKCE with code_challenge_method=S256, as every application has to here."
    )]
    Pkce,
    /// A `resource` that is not ours (RFC 8707 §2).
    #[error(
        "The application asks for access to another server than this one. Look whether its URL is entered as it should be: {resource}"
    )]
    Resource {
        /// The URL of the default endpoint.
        resource: String,
    },
    /// The store cannot be asked.
    #[error("The server cannot check the application at the moment. Try again in a minute.")]
    Store(#[from] StoreError),
}

impl AuthorizeError {
    /// The status of the page.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Store(_) | Self::Document(DocumentError::Store(_) | DocumentError::Full) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Document(DocumentError::TooMany { .. }) => StatusCode::TOO_MANY_REQUESTS,
            Self::Form(_)
            | Self::UnknownClient
            | Self::ClientRevoked
            | Self::Document(_)
            | Self::RedirectUri
            | Self::NoRedirectUri
            | Self::ResponseType
            | Self::ResponseMode
            | Self::RequestObject
            | Self::Pkce
            | Self::Resource { .. } => StatusCode::BAD_REQUEST,
        }
    }

    /// The error code of the standards (RFC 6749 §4.1.2.1, RFC 8707 §2, RFC 9101 §7), for logs, traces
    /// and the foot of the page.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Form(_) | Self::RedirectUri | Self::NoRedirectUri | Self::ResponseMode | Self::Pkce => {
                "invalid_request"
            }
            Self::UnknownClient | Self::ClientRevoked => "invalid_client",
            Self::Document(DocumentError::Store(_) | DocumentError::Full | DocumentError::TooMany { .. })
            | Self::Store(_) => "temporarily_unavailable",
            Self::Document(_) => "invalid_client",
            Self::ResponseType => "unsupported_response_type",
            Self::RequestObject => "request_not_supported",
            Self::Resource { .. } => "invalid_target",
        }
    }

    /// How long to wait before another attempt, where that helps.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Document(DocumentError::TooMany { wait }) => Some(*wait),
            _ => None,
        }
    }
}

impl From<DocumentError> for AuthorizeError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Store(error) => Self::Store(error),
            DocumentError::Closed => Self::UnknownClient,
            other => Self::Document(other),
        }
    }
}

impl Issuer {
    /// Checks a request: the decoded pairs of its query.
    ///
    /// # Errors
    /// [`AuthorizeError`]: always a page, never a redirect.
    pub async fn authorization_request(
        &self,
        query: &[(String, String)],
        from: IpAddr,
    ) -> Result<AuthorizationRequest, AuthorizeError> {
        let form = Form(query);
        let id = ClientId::parse(form.require("client_id")?).ok_or(AuthorizeError::UnknownClient)?;
        let client = self.client(&id, from).await?.ok_or(AuthorizeError::UnknownClient)?;
        if client.revoked_at.is_some() {
            return Err(AuthorizeError::ClientRevoked);
        }
        let redirect_uri = redirect_uri(&client, form)?;
        let target = redirect::check(&redirect_uri).map_err(|_| AuthorizeError::RedirectUri)?;
        check_flow(form)?;
        let code_challenge = form.get("code_challenge")?.filter(|text| pkce::is_challenge(text));
        let code_challenge = code_challenge.ok_or(AuthorizeError::Pkce)?.to_owned();
        let endpoint = self.settings.endpoint_of(form.get("resource")?).cloned();
        let endpoint = endpoint.ok_or_else(|| AuthorizeError::Resource { resource: self.default_resource() })?;
        let state = form.get("state")?.map(str::to_owned);
        if state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(FormError::TooLong("state").into());
        }
        let request = AuthorizationRequest {
            client: ClientView::of(&client),
            resource: self.settings.resource(&endpoint),
            scopes: asked_for(form.get("scope")?, &endpoint),
            endpoint,
            redirect_uri,
            target,
            state,
            code_challenge,
            login_hint: form.get("login_hint")?.map(str::to_owned),
        };
        self.see(&client).await?;
        Ok(request)
    }

    /// Somebody is at the consent page: whoever clears up leaves this client alone.
    async fn see(&self, client: &ClientRecord) -> Result<(), StoreError> {
        let now = self.now();
        if client.last_seen_at.is_some_and(|last| now.duration_since(last) < SEEN_EVERY) {
            return Ok(());
        }
        self.store.see_client(&client.id, now).await
    }

    fn default_resource(&self) -> String {
        self.settings.endpoints().first().map_or_else(String::new, |endpoint| self.settings.resource(endpoint))
    }

    /// All scopes of all endpoints.
    pub(super) fn supported_scopes(&self) -> ScopeSet {
        let mut all = ScopeSet::default();
        for scope in self.settings.endpoints().iter().flat_map(|endpoint| endpoint.scopes.iter()) {
            // It was one already.
            let _ = all.insert(scope);
        }
        all
    }
}

fn redirect_uri(client: &ClientRecord, form: Form<'_>) -> Result<String, AuthorizeError> {
    let registered = &client.metadata.redirect_uris;
    match (form.get("redirect_uri")?, registered.as_slice()) {
        (Some(asked), _) if redirect::is_registered(registered, asked) => Ok(asked.to_owned()),
        (Some(_), _) => Err(AuthorizeError::RedirectUri),
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(AuthorizeError::NoRedirectUri),
    }
}

fn check_flow(form: Form<'_>) -> Result<(), AuthorizeError> {
    if form.get("request")?.is_some() || form.get("request_uri")?.is_some() {
        return Err(AuthorizeError::RequestObject);
    }
    if form.require("response_type")? != "code" {
        return Err(AuthorizeError::ResponseType);
    }
    if form.get("response_mode")?.is_some_and(|mode| mode != "query") {
        return Err(AuthorizeError::ResponseMode);
    }
    if form.get("code_challenge_method")? != Some("S256") {
        return Err(AuthorizeError::Pkce);
    }
    Ok(())
}

/// What a request asks for: without what is not known here, and the initial set where nothing is
/// left of it, since some clients ask for scopes that no server named.
fn asked_for(scope: Option<&str>, endpoint: &ProtectedEndpoint) -> ScopeSet {
    let mut asked = ScopeSet::default();
    let known = scope.unwrap_or_default().split_ascii_whitespace().filter(|scope| endpoint.scopes.grants(scope));
    for scope in known {
        // One that is no scope is not known either.
        let _ = asked.insert(scope);
    }
    with_implied(if asked.is_empty() { endpoint.initial().common(&endpoint.scopes) } else { asked })
}

/// With what is implied said aloud: whoever may write may read.
pub(super) fn with_implied(mut scopes: ScopeSet) -> ScopeSet {
    if scopes.grants("tools:read") {
        let _ = scopes.insert("tools:read");
    }
    scopes
}

#[cfg(test)]
mod tests {
    use bridgehead_core::EndpointId;

    use super::*;

    #[test]
    fn unknown_scopes_are_dropped() {
        let endpoint = |scopes: &str, initial: Option<&str>| ProtectedEndpoint {
            id: EndpointId::main(),
            path: "/mcp".into(),
            name: "Warehouse".into(),
            scopes: ScopeSet::parse(scopes).unwrap(),
            initial_scopes: initial.map(|scopes| ScopeSet::parse(scopes).unwrap()),
        };
        let all = endpoint("tools:read tools:write", None);
        let narrow = endpoint("tools:read tools:write", Some("tools:read"));
        let rows = [
            (&all, None, "tools:read tools:write"),
            (&all, Some(""), "tools:read tools:write"),
            (&all, Some("tools:read"), "tools:read"),
            (&all, Some("tools:write"), "tools:read tools:write"),
            (&all, Some("tools:read openid offline_access"), "tools:read"),
            // mcp-remote
            (&all, Some("openid email profile"), "tools:read tools:write"),
            (&all, Some("tools:read \"; <script>"), "tools:read"),
            (&narrow, None, "tools:read"),
            (&narrow, Some("openid"), "tools:read"),
            (&narrow, Some("tools:write"), "tools:read tools:write"),
            (&endpoint("tools:read", None), Some("tools:write"), "tools:read"),
            (&endpoint("tools:read", Some("tools:write")), None, "tools:read"),
            (&endpoint("crm:admin", None), Some("crm:admin tools:read"), "crm:admin"),
        ];
        for (endpoint, scope, expected) in rows {
            assert_eq!(asked_for(scope, endpoint).to_string(), expected, "{scope:?}");
        }
    }
}
