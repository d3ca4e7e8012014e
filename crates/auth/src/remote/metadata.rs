//! What an issuer says of itself (RFC 8414 §2, OpenID Connect Discovery §3), as far as it matters
//! here. What is not understood is left out; what is understood and wrong is refused, since whoever
//! runs the issuer should know.

use serde_json::{Map, Value};

use super::{IssuerUrl, RemoteUrl};

/// How many words of a list are taken.
const MOST_WORDS: usize = 200;

/// Metadata of a remote issuer. Lists hold what stands there, and are empty where nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// The issuer: the same as the operator named.
    pub issuer: IssuerUrl,
    /// Where browsers are sent.
    pub authorization_endpoint: Option<RemoteUrl>,
    /// Where codes are exchanged.
    pub token_endpoint: Option<RemoteUrl>,
    /// Its keys.
    pub jwks_uri: Option<RemoteUrl>,
    /// Claims about whoever an access token is of.
    pub userinfo_endpoint: Option<RemoteUrl>,
    /// Where tokens are looked at (RFC 7662).
    pub introspection_endpoint: Option<RemoteUrl>,
    /// Where tokens are revoked (RFC 7009).
    pub revocation_endpoint: Option<RemoteUrl>,
    /// Where browsers are sent to sign out there (OpenID Connect RP-Initiated Logout).
    pub end_session_endpoint: Option<RemoteUrl>,
    /// Where clients register (RFC 7591).
    pub registration_endpoint: Option<RemoteUrl>,
    /// Whether the URL of a metadata document is taken as a client's id.
    pub client_id_metadata_document_supported: bool,
    /// Whether answers of the authorization endpoint name the issuer (RFC 9207 §3).
    pub authorization_response_iss_parameter_supported: bool,
    /// The methods of PKCE (RFC 7636).
    pub code_challenge_methods_supported: Vec<String>,
    /// How clients may authenticate at the token endpoint; `client_secret_basic` where it says nothing.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// How they may at the introspection endpoint.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// With what ID tokens are signed.
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Scopes that may be asked for.
    pub scopes_supported: Vec<String>,
}

/// What is wrong with metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataFault {
    /// An address that is none, or one without TLS.
    #[error("`{member}` has to be an https URL without user and fragment")]
    Address {
        /// The member.
        member: &'static str,
    },
    /// A list that is none.
    #[error("`{member}` has to be a list of texts")]
    Words {
        /// The member.
        member: &'static str,
    },
}

impl ProviderMetadata {
    /// How clients get to be known there: by themselves, or by hand.
    #[must_use]
    pub const fn registers_clients(&self) -> bool {
        self.registration_endpoint.is_some() || self.client_id_metadata_document_supported
    }

    /// Reads the metadata of `issuer`, whose `issuer` was compared.
    pub(super) fn read(issuer: &IssuerUrl, document: &Map<String, Value>) -> Result<Self, MetadataFault> {
        let address = |member: &'static str| match document.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let url = value.as_str().and_then(|text| issuer.endpoint(text));
                url.map(Some).ok_or(MetadataFault::Address { member })
            }
        };
        let words = |member: &'static str| match document.get(member) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                let words = values.iter().take(MOST_WORDS).map(|value| value.as_str().map(str::to_owned));
                words.collect::<Option<_>>().ok_or(MetadataFault::Words { member })
            }
            Some(_) => Err(MetadataFault::Words { member }),
        };
        let flag = |member: &str| document.get(member) == Some(&Value::Bool(true));
        Ok(Self {
            issuer: issuer.clone(),
            authorization_endpoint: address("authorization_endpoint")?,
            token_endpoint: address("token_endpoint")?,
            jwks_uri: address("jwks_uri")?,
            userinfo_endpoint: address("userinfo_endpoint")?,
            introspection_endpoint: address("introspection_endpoint")?,
            revocation_endpoint: address("revocation_endpoint")?,
            end_session_endpoint: address("end_session_endpoint")?,
            registration_endpoint: address("registration_endpoint")?,
            client_id_metadata_document_supported: flag("client_id_metadata_document_supported"),
            authorization_response_iss_parameter_supported: flag("authorization_response_iss_parameter_supported"),
            code_challenge_methods_supported: words("code_challenge_methods_supported")?,
            token_endpoint_auth_methods_supported: words("token_endpoint_auth_methods_supported")?,
            introspection_endpoint_auth_methods_supported: words("introspection_endpoint_auth_methods_supported")?,
            id_token_signing_alg_values_supported: words("id_token_signing_alg_values_supported")?,
            scopes_supported: words("scopes_supported")?,
        })
    }
}
