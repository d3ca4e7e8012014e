//! What is known of a client: an application that acts for teammates (RFC 6749 §1.1). How one is
//! registered, fetched or made is in files of their own.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Serialize};

use crate::{KeyHash, KeyVersion};

/// Names a client: `bhi_` and 12 letters and digits where it was registered or made here, else the
/// URL of its metadata document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    /// What ids begin with that were given out here.
    pub const PREFIX: &'static str = "bhi_";

    /// The longest URL of a metadata document, in bytes.
    pub const LONGEST: usize = 1024;

    /// Reads an id; `None` for what no client of ours can be called.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let issued = text
            .strip_prefix(Self::PREFIX)
            .is_some_and(|rest| rest.len() == 12 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let document = text.starts_with("https://")
            && text.len() <= Self::LONGEST
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        (issued || document).then(|| Self(Arc::from(text)))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as shared text.
    #[must_use]
    pub fn to_shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// Whether it is the URL of a metadata document.
    #[must_use]
    pub fn is_document(&self) -> bool {
        !self.0.starts_with(Self::PREFIX)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a client came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientKind {
    /// It registered by itself (RFC 7591).
    Registered,
    /// It is named by the URL of its metadata document (CIMD).
    Document,
    /// The operator made it.
    PreRegistered,
}

impl ClientKind {
    /// The word used in the store, in listings and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Document => "document",
            Self::PreRegistered => "pre_registered",
        }
    }

    /// Reads the word, as a store gives it back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Registered, Self::Document, Self::PreRegistered].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How a client proves who it is at the token endpoint (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// It does not: a public client.
    None,
    /// A secret in `Authorization: Basic`. The form is taken as well: some clients send it there
    /// whatever is said.
    ClientSecretBasic,
    /// A secret in the form. `Authorization: Basic` is taken as well.
    ClientSecretPost,
    /// A signed assertion (RFC 7523 §2.2).
    PrivateKeyJwt,
}

impl AuthMethod {
    /// All of them, in the order in which the metadata names them.
    pub const ALL: [Self; 4] = [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
        }
    }

    /// Reads the name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// Whether it goes with a secret that both sides know.
    #[must_use]
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// What a client says of itself (RFC 7591 §2), checked. What is not understood is left out. Its
/// JSON is what is stored and what is echoed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetadata {
    /// Where it takes answers, as raw strings; at least one.
    pub redirect_uris: Vec<String>,
    /// How it proves who it is.
    pub token_endpoint_auth_method: AuthMethod,
    /// What it may do at the token endpoint: `authorization_code`, `refresh_token`.
    pub grant_types: Vec<String>,
    /// Always `code`.
    pub response_types: Vec<String>,
    /// What it calls itself: hostile text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo, which is never loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// What it means to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Whom to ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contacts: Option<Vec<String>>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// Its privacy policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Where its public keys are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Its public keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwkSet>,
    /// Names the software, whichever instance it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// The software's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// `web` or `native` (OpenID Connect Registration §2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<String>,
    /// With which algorithm it signs assertions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_endpoint_auth_signing_alg: Option<String>,
}

impl ClientMetadata {
    /// Whether it is given refresh tokens.
    #[must_use]
    pub fn may_refresh(&self) -> bool {
        self.grant_types.iter().any(|grant| grant == "refresh_token")
    }
}

/// The hash of something secret, and the name of the root key whose pepper it is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHash {
    /// Under which pepper.
    pub version: KeyVersion,
    /// The hash.
    pub hash: KeyHash,
}

/// When a metadata document was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentCopy {
    /// When.
    pub fetched_at: Timestamp,
    /// Until when it is used without asking again.
    pub fresh_until: Timestamp,
}

/// One client as it is stored: everything but its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRecord {
    /// Its id.
    pub id: ClientId,
    /// How it came to be known.
    pub kind: ClientKind,
    /// What it says of itself.
    pub metadata: ClientMetadata,
    /// Its secret, where its method has one.
    pub secret: Option<StoredHash>,
    /// What it manages its registration with (RFC 7592 §3); only of [`ClientKind::Registered`].
    pub registration_token: Option<StoredHash>,
    /// When it came to be known.
    pub created_at: Timestamp,
    /// When somebody was last sent here to sign in with it.
    pub last_seen_at: Option<Timestamp>,
    /// When its document was fetched; only of [`ClientKind::Document`].
    pub document: Option<DocumentCopy>,
    /// When the operator revoked it; nobody signs in with it from then on.
    pub revoked_at: Option<Timestamp>,
}
