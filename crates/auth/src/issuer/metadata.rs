//! The documents that clients find everything by: of the authorization server (RFC 8414 §2, with
//! RFC 9207 and the draft on client metadata documents) and of each endpoint (RFC 9728 §2). Their
//! places under `/.well-known/` are the server's to know.

use bridgehead_core::EndpointId;
use serde::Serialize;

use super::{AuthMethod, Issuer, RegistrationPolicy};
use crate::jwt;

/// Metadata of the authorization server. The same document at every place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthorizationServerMetadata {
    /// The issuer identifier.
    pub issuer: String,
    /// Where teammates are sent.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: String,
    /// Where clients register; left out where they may not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration_endpoint: Option<String>,
    /// Where tokens are revoked.
    pub revocation_endpoint: String,
    /// Where tokens are looked at.
    pub introspection_endpoint: String,
    /// All scopes, and `offline_access`, which some clients ask for before they use refresh tokens.
    pub scopes_supported: Vec<String>,
    /// `code`.
    pub response_types_supported: [&'static str; 1],
    /// `query`.
    pub response_modes_supported: [&'static str; 1],
    /// Codes and refresh tokens.
    pub grant_types_supported: [&'static str; 2],
    /// How clients may prove who they are.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// With what they may sign assertions.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// As at the token endpoint.
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// As at the token endpoint.
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// As at the token endpoint, without `none`.
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// As at the token endpoint.
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// `S256`.
    pub code_challenge_methods_supported: [&'static str; 1],
    /// Every answer of the authorization endpoint names the issuer (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether the URL of a metadata document is taken as a client's id.
    pub client_id_metadata_document_supported: bool,
}

/// Metadata of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectedResourceMetadata {
    /// The exact URL that a teammate types.
    pub resource: String,
    /// The issuer.
    pub authorization_servers: Vec<String>,
    /// All scopes that the served tools need; never `offline_access`.
    pub scopes_supported: Vec<String>,
    /// `header`.
    pub bearer_methods_supported: [&'static str; 1],
    /// What the server is called.
    pub resource_name: String,
}

impl Issuer {
    /// Metadata of this authorization server.
    #[must_use]
    pub fn authorization_server_metadata(&self) -> AuthorizationServerMetadata {
        let settings = self.settings();
        let open = settings.registration == RegistrationPolicy::Open;
        let mut scopes: Vec<_> = self.supported_scopes().iter().map(str::to_owned).collect();
        scopes.push("offline_access".to_owned());
        let methods: Vec<_> = AuthMethod::ALL.into_iter().map(AuthMethod::as_str).collect();
        let authenticated = methods.iter().copied().filter(|method| *method != AuthMethod::None.as_str()).collect();
        let algorithms = || jwt::algorithm_names().collect::<Vec<_>>();
        AuthorizationServerMetadata {
            issuer: settings.issuer().to_owned(),
            authorization_endpoint: settings.url("/oauth/authorize"),
            token_endpoint: settings.url("/oauth/token"),
            registration_endpoint: open.then(|| settings.url("/oauth/register")),
            revocation_endpoint: settings.url("/oauth/revoke"),
            introspection_endpoint: settings.url("/oauth/introspect"),
            scopes_supported: scopes,
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: ["authorization_code", "refresh_token"],
            revocation_endpoint_auth_methods_supported: methods.clone(),
            token_endpoint_auth_methods_supported: methods,
            token_endpoint_auth_signing_alg_values_supported: algorithms(),
            revocation_endpoint_auth_signing_alg_values_supported: algorithms(),
            introspection_endpoint_auth_methods_supported: authenticated,
            introspection_endpoint_auth_signing_alg_values_supported: algorithms(),
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: true,
            client_id_metadata_document_supported: open,
        }
    }

    /// Metadata of one endpoint; `None` where there is no such.
    #[must_use]
    pub fn protected_resource_metadata(&self, endpoint: &EndpointId) -> Option<ProtectedResourceMetadata> {
        let settings = self.settings();
        settings.endpoint(endpoint).map(|endpoint| ProtectedResourceMetadata {
            resource: settings.resource(endpoint),
            authorization_servers: vec![settings.issuer().to_owned()],
            scopes_supported: endpoint.scopes.iter().map(str::to_owned).collect(),
            bearer_methods_supported: ["header"],
            resource_name: endpoint.name.clone(),
        })
    }

    /// Where the metadata of an endpoint is (RFC 9728 §3.1): what the challenge names.
    #[must_use]
    pub fn protected_resource_metadata_url(&self, endpoint: &EndpointId) -> Option<String> {
        let settings = self.settings();
        let endpoint = settings.endpoint(endpoint)?;
        let path = endpoint.path.trim_end_matches('/');
        Some(settings.url(&format!("/.well-known/oauth-protected-resource{path}")))
    }
}
