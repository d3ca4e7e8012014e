//! `[vaults.NAME]` of the configuration, checked: what teammates enter or connect.

use std::sync::Arc;

use bridgehead_core::Secret;
use url::Url;

/// One vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultDefinition {
    /// Its name: `^[a-z][a-z0-9_-]*$`, since it stands in URLs.
    pub name: Arc<str>,
    /// What people call the system behind.
    pub title: String,
    /// What each teammate does once.
    pub kind: VaultKind,
}

/// What each teammate does once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultKind {
    /// Fill in these fields; at least one.
    Fields(Vec<VaultField>),
    /// Connect by OAuth (RFC 6749 §4.1).
    OAuth(Box<OAuthVault>),
}

/// A field that a teammate fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultField {
    /// By which name a request refers to it: `^[a-z][a-z0-9_]*$`.
    pub name: String,
    /// The words it is asked for in.
    pub label: String,
}

/// The authorization server of a system behind, and who Bridgehead is to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthVault {
    /// Where a teammate is sent; its query is kept.
    pub authorization_url: Url,
    /// Where codes and refresh tokens are exchanged.
    pub token_url: Url,
    /// Who Bridgehead is there.
    pub client_id: String,
    /// Its secret; none for a public client.
    pub client_secret: Option<Secret>,
    /// How the secret is sent.
    pub token_endpoint_auth: TokenEndpointAuth,
    /// What is asked for; nothing is said of scopes where it is empty.
    pub scopes: Vec<String>,
}

/// How a client proves itself at the token endpoint (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenEndpointAuth {
    /// `client_secret_basic`.
    #[default]
    Basic,
    /// `client_secret_post`.
    Post,
}
