//! Dynamic client registration (RFC 7591): a platform introduces itself, without anybody's leave.

use std::{net::IpAddr, time::Duration};

use bridgehead_core::Secret;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::{
    Admission, AuthMethod, ClientId, ClientKind, ClientMetadata, ClientRecord, ErrorAnswer, Issuer, RegistrationPolicy,
    client_metadata, consent::ATTEMPTS, token::exposed_if_any,
};
use crate::{SecretKind, SecretText, StoreError, text};

pub use client_metadata::MetadataError;

/// The longest registration that is read, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// A registration as the client gets it (RFC 7591 §3.2.1, RFC 7592 §3). `Serialize` writes it all;
/// `Debug` does not show its secrets.
#[derive(Debug, Clone, Serialize)]
pub struct Registration {
    /// The client's id.
    pub client_id: String,
    /// When it was registered, in seconds since 1970.
    pub client_id_issued_at: i64,
    /// Its secret: shown once, and never together with `none`.
    #[serde(serialize_with = "exposed_if_any", skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// 0, since it does not expire; there with every secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<u64>,
    /// With what the registration is read and removed.
    #[serde(serialize_with = "exposed_if_any", skip_serializing_if = "Option::is_none")]
    pub registration_access_token: Option<Secret>,
    /// Where the registration is read and removed.
    pub registration_client_uri: String,
    /// What the client said of itself.
    #[serde(flatten)]
    pub metadata: ClientMetadata,
}

/// Why nobody was registered.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegisterError {
    /// Clients may not introduce themselves here.
    #[error("this server knows only clients that its operator registered. Ask them for a client id")]
    Closed,
    /// Too many registrations.
    #[error("too many registrations. Try again later")]
    TooMany {
        /// How long to wait.
        wait: Duration,
    },
    /// Not JSON, or no object.
    #[error("a registration is a JSON object of at most 64 KiB (RFC 7591 section 3.1)")]
    NotJson,
    /// What the client says of itself is refused.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// There is no room for another client.
    #[error("this server knows as many clients as it may, and all of them are in use. Ask its operator")]
    Full,
    /// Every id that was drawn is taken: the source of randomness repeats itself.
    #[error("no client can be registered at the moment")]
    NoFreeId,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RegisterError {
    /// What it is on the wire (RFC 7591 §3.2.2).
    #[must_use]
    pub fn answer(&self) -> ErrorAnswer {
        let text = self.to_string();
        match self {
            Self::Closed => ErrorAnswer::new(StatusCode::FORBIDDEN, "access_denied", &text),
            Self::TooMany { wait } => ErrorAnswer::too_many(*wait),
            Self::NotJson => ErrorAnswer::new(StatusCode::BAD_REQUEST, "invalid_client_metadata", &text),
            Self::Metadata(error) => ErrorAnswer::new(StatusCode::BAD_REQUEST, error.code(), &text),
            Self::Full => ErrorAnswer::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &text)
                .after(Duration::from_secs(3600)),
            Self::NoFreeId => ErrorAnswer::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", &text),
            Self::Store(_) => ErrorAnswer::unavailable(),
        }
    }
}

impl Issuer {
    /// Registers a client: the body of its request, as it came.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub async fn register(&self, body: &[u8], from: IpAddr) -> Result<Registration, RegisterError> {
        if self.settings.registration == RegistrationPolicy::Closed {
            return Err(RegisterError::Closed);
        }
        self.limits.registrations.take(from, self.clock.now()).map_err(|wait| RegisterError::TooMany { wait })?;
        if body.len() > MOST_BYTES {
            return Err(RegisterError::NotJson);
        }
        let value: Value = serde_json::from_slice(body).map_err(|_| RegisterError::NotJson)?;
        let object = value.as_object().ok_or(RegisterError::NotJson)?;
        let mut metadata = client_metadata::read(object, AuthMethod::ClientSecretBasic)?;
        // Some clients refuse an answer without it, though they did not ask for it.
        if !metadata.may_refresh() {
            metadata.grant_types.push("refresh_token".to_owned());
        }
        self.admit(metadata).await
    }

    async fn admit(&self, metadata: ClientMetadata) -> Result<Registration, RegisterError> {
        let now = self.now();
        for _ in 0..ATTEMPTS {
            let (client, secret) =
                self.new_client(ClientKind::Registered, metadata.clone()).ok_or(RegisterError::NoFreeId)?;
            let token = SecretText::generate(SecretKind::RegistrationToken, &*self.randomness);
            let client = ClientRecord { registration_token: Some(self.stored(&token)), ..client };
            match self.store.admit_client(client.clone(), self.room(now)).await? {
                Admission::Admitted => return Ok(self.described(client, secret, Some(token.secret().clone()))),
                Admission::Full => return Err(RegisterError::Full),
                Admission::IdTaken => {}
            }
        }
        Err(RegisterError::NoFreeId)
    }

    /// A client with a new id, and with a new secret where its way of proving itself has one.
    pub(super) fn new_client(
        &self,
        kind: ClientKind,
        metadata: ClientMetadata,
    ) -> Option<(ClientRecord, Option<Secret>)> {
        let id = ClientId::parse(&format!("{}{}", ClientId::PREFIX, text::random_id(&*self.randomness)))?;
        let has_secret = metadata.token_endpoint_auth_method.has_secret();
        let secret = has_secret.then(|| SecretText::generate(SecretKind::ClientSecret, &*self.randomness));
        let client = ClientRecord {
            id,
            kind,
            metadata,
            secret: secret.as_ref().map(|secret| self.stored(secret)),
            registration_token: None,
            created_at: self.now(),
            last_seen_at: None,
            document: None,
            revoked_at: None,
        };
        Some((client, secret.map(|secret| secret.secret().clone())))
    }

    pub(super) fn described(
        &self,
        client: ClientRecord,
        secret: Option<Secret>,
        token: Option<Secret>,
    ) -> Registration {
        Registration {
            registration_client_uri: self.settings.url(&format!("/oauth/register/{}", client.id)),
            client_id: client.id.to_string(),
            client_id_issued_at: client.created_at.as_second(),
            client_secret_expires_at: secret.is_some().then_some(0),
            client_secret: secret,
            registration_access_token: token,
            metadata: client.metadata,
        }
    }
}
