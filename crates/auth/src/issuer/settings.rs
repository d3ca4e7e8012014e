//! What the issuer is told by the configuration, in the form in which it cannot be wrong any more,
//! and the bounds that are not configured.

use std::time::Duration;

use bridgehead_core::{EndpointId, ScopeSet};
use url::Url;

/// How the authorization server is set up.
#[derive(Debug, Clone)]
pub struct IssuerSettings {
    issuer: String,
    endpoints: Vec<ProtectedEndpoint>,
    /// Whether clients may introduce themselves.
    pub registration: RegistrationPolicy,
    /// How long codes and tokens are good.
    pub lifetimes: Lifetimes,
    /// How much strangers may make the issuer keep and do.
    pub limits: IssuerLimits,
}

/// One endpoint that tokens are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedEndpoint {
    /// Its id in the store.
    pub id: EndpointId,
    /// Its path, from the `/` on: `/mcp`.
    pub path: String,
    /// What it is called towards people and in its metadata (`resource_name`, RFC 9728 §2).
    pub name: String,
    /// All scopes that its tools need.
    pub scopes: ScopeSet,
    /// What the first challenge names, and what a request without `scope` gets; all of `scopes`
    /// where `None`.
    pub initial_scopes: Option<ScopeSet>,
}

impl ProtectedEndpoint {
    /// What the first challenge names.
    #[must_use]
    pub fn initial(&self) -> &ScopeSet {
        self.initial_scopes.as_ref().unwrap_or(&self.scopes)
    }
}

/// Whether clients may introduce themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// By RFC 7591 and by metadata document.
    Open,
    /// Only clients that the operator made; those that introduced themselves before are not known any
    /// more.
    Closed,
}

/// How long things are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifetimes {
    /// An authorization code (RFC 6749 §4.1.2).
    pub code: Duration,
    /// An access token.
    pub access_token: Duration,
    /// A refresh token, counted anew from each use.
    pub refresh_token: Duration,
    /// A grant, counted from the sign-in: whatever is refreshed ends here.
    pub grant: Duration,
    /// How long a refresh token that was used is still good for whoever raced the one that used it.
    pub refresh_race: Duration,
    /// A registration that nobody signs in with.
    pub unused_client: Duration,
    /// How long somebody may take between the consent page and its button.
    pub open_flow: Duration,
}

impl Default for Lifetimes {
    /// 60 s, 15 min, 30 days, 180 days, 60 s, 30 days, 1 h.
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            code: Duration::from_secs(60),
            access_token: Duration::from_secs(15 * 60),
            refresh_token: 30 * DAY,
            grant: 180 * DAY,
            refresh_race: Duration::from_secs(60),
            unused_client: 30 * DAY,
            open_flow: Duration::from_secs(60 * 60),
        }
    }
}

/// How much strangers may make the issuer keep and do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerLimits {
    /// How many clients are kept that registered, and how many that have a document: so that documents,
    /// which are fetched anew where they are missing, put no registration out.
    pub clients: u64,
    /// Registrations from one address (of IPv6, one /64).
    pub registrations_per_address: Rate,
    /// Registrations from everybody.
    pub registrations: Rate,
    /// Metadata documents and key sets fetched because one address asked for it.
    pub fetches_per_address: Rate,
    /// Metadata documents and key sets fetched in all.
    pub fetches: Rate,
}

/// So many within so long; all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// Within how long.
    pub per: Duration,
}

impl Default for IssuerLimits {
    /// 20,000 clients of each kind; 100 registrations an hour from one address and 500 in all; 30 fetches
    /// a minute for one address and 300 in all. A platform registers from few addresses, some once for
    /// each teammate, and a whole company may connect in one morning.
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        let hour = 60 * minute;
        Self {
            clients: 20_000,
            registrations_per_address: Rate { count: 100, per: hour },
            registrations: Rate { count: 500, per: hour },
            fetches_per_address: Rate { count: 30, per: minute },
            fetches: Rate { count: 300, per: minute },
        }
    }
}

/// Why these are no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerSettingsError {
    /// The public URL is not one.
    #[error("the public URL `{0}` has to be an origin: http or https, a host, and no path, user or query")]
    NotAnOrigin(String),
    /// There is no endpoint to issue tokens for.
    #[error("there has to be an endpoint that tokens are for")]
    NoEndpoint,
}

impl IssuerSettings {
    /// Takes the public URL (an origin; a `/` at its end is cut off) and the endpoints, of which the
    /// first is the default.
    ///
    /// # Errors
    /// [`IssuerSettingsError`].
    pub fn new(public_url: &str, endpoints: Vec<ProtectedEndpoint>) -> Result<Self, IssuerSettingsError> {
        let refused = || IssuerSettingsError::NotAnOrigin(public_url.to_owned());
        let url = Url::parse(public_url).map_err(|_| refused())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !bare || !anonymous || !url.has_host() {
            return Err(refused());
        }
        if endpoints.is_empty() {
            return Err(IssuerSettingsError::NoEndpoint);
        }
        Ok(Self {
            issuer: url.origin().ascii_serialization(),
            endpoints,
            registration: RegistrationPolicy::Open,
            lifetimes: Lifetimes::default(),
            limits: IssuerLimits::default(),
        })
    }

    /// The issuer identifier (RFC 8414 §2): the bare origin, without a slash at its end.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The endpoints, the default one first.
    #[must_use]
    pub fn endpoints(&self) -> &[ProtectedEndpoint] {
        &self.endpoints
    }

    /// The endpoint with this id.
    #[must_use]
    pub fn endpoint(&self, id: &EndpointId) -> Option<&ProtectedEndpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == *id)
    }

    /// The exact URL that a teammate types for an endpoint: its resource identifier (RFC 8707 §2),
    /// and the audience of its tokens.
    #[must_use]
    pub fn resource(&self, endpoint: &ProtectedEndpoint) -> String {
        format!("{}{}", self.issuer, endpoint.path)
    }

    /// The URL of something under `/oauth/`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The endpoint that a `resource` parameter means (RFC 8707 §2): none and the bare origin, with
    /// or without its slash, mean the default one. `None` for what is not ours.
    pub(crate) fn endpoint_of(&self, resource: Option<&str>) -> Option<&ProtectedEndpoint> {
        let default = self.endpoints.first();
        let Some(resource) = resource else { return default };
        let url = Url::parse(resource).ok().filter(|url| url.fragment().is_none())?;
        let named = url.as_str().trim_end_matches('/');
        if named == self.issuer {
            return default;
        }
        // Both spellings of the path answer, so both may be what a teammate typed.
        self.endpoints.iter().find(|endpoint| named == self.resource(endpoint).trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> IssuerSettings {
        let endpoint = |id: &str, path: &str| ProtectedEndpoint {
            id: EndpointId::parse(id).unwrap(),
            path: path.into(),
            name: "Warehouse".into(),
            scopes: ScopeSet::read_and_write(),
            initial_scopes: None,
        };
        IssuerSettings::new("https://MCP.example.com:443/", vec![endpoint("main", "/mcp"), endpoint("hr", "/hr/mcp")])
            .unwrap()
    }

    /// oauth.md, Metadata: the issuer is the bare origin, no trailing slash.
    #[test]
    fn the_issuer_is_the_bare_origin() {
        assert_eq!(settings().issuer(), "https://mcp.example.com");
        for url in ["", "mcp.example.com", "ftp://a", "https://a/b", "https://u@a", "https://a?b", "https://a#b"] {
            let error = IssuerSettings::new(url, settings().endpoints).unwrap_err();
            assert_eq!(error, IssuerSettingsError::NotAnOrigin(url.into()));
        }
        assert_eq!(IssuerSettings::new("https://a", vec![]).unwrap_err(), IssuerSettingsError::NoEndpoint);
    }

    /// oauth.md, Authorize: absent, the origin with and without `/`, and exact URLs.
    #[test]
    fn a_resource_is_one_of_our_endpoints() {
        let settings = settings();
        let rows = [
            (None, Some("main")),
            (Some("https://mcp.example.com"), Some("main")),
            (Some("https://mcp.example.com/"), Some("main")),
            (Some("https://mcp.example.com:443/mcp"), Some("main")),
            (Some("HTTPS://MCP.EXAMPLE.COM/mcp"), Some("main")),
            (Some("https://mcp.example.com/mcp/"), Some("main")),
            (Some("https://mcp.example.com/hr/mcp"), Some("hr")),
            (Some("https://mcp.example.com/MCP"), None),
            (Some("https://mcp.example.com/mcp#x"), None),
            (Some("https://mcp.example.com/mcp?x"), None),
            (Some("https://mcp.example.com.evil.example/mcp"), None),
            (Some("https://user@mcp.example.com/mcp"), None),
            (Some("http://mcp.example.com/mcp"), None),
            (Some("https://mcp.example.com/hr"), None),
            (Some("/mcp"), None),
            (Some(""), None),
        ];
        for (resource, id) in rows {
            let found = settings.endpoint_of(resource).map(|endpoint| endpoint.id.as_str());
            assert_eq!(found, id, "{resource:?}");
        }
    }
}
