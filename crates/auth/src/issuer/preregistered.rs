//! Clients that the operator makes (requirement A5): for platforms that cannot introduce themselves,
//! or where they may not.

use bridgehead_core::Secret;

use super::{
    AuthMethod, ClientId, ClientKind, ClientMetadata, ClientRecord, Issuer, MetadataError, client_metadata,
    consent::ATTEMPTS,
};
use crate::{Insertion, Revocation, StoreError};

const LONGEST_NAME: usize = 80;

/// A platform whose redirect URIs are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Duvo.
    Duvo,
    /// Claude, on the web and on the desktop.
    Claude,
    /// ChatGPT. It has a redirect URI for each connection, which has to be given as well.
    ChatGpt,
}

/// What every redirect URI of ChatGPT begins with.
const CHATGPT: &str = "https://chatgpt.com/connector/oauth/";

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Duvo, Self::Claude, Self::ChatGpt];

    /// The word on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duvo => "duvo",
            Self::Claude => "claude",
            Self::ChatGpt => "chatgpt",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.as_str() == text)
    }

    /// What teammates are told it is called.
    #[must_use]
    pub const fn client_name(self) -> &'static str {
        match self {
            Self::Duvo => "Duvo",
            Self::Claude => "Claude",
            Self::ChatGpt => "ChatGPT",
        }
    }

    /// The redirect URIs that it always has.
    #[must_use]
    pub const fn redirect_uris(self) -> &'static [&'static str] {
        match self {
            Self::Duvo => &["https://platform.duvo.ai/v1/oauth/mcp/callback"],
            Self::Claude => &["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"],
            Self::ChatGpt => &[],
        }
    }
}

/// What a new client is to be.
#[derive(Debug, Clone, Default)]
pub struct NewClient {
    /// The platform it is for.
    pub preset: Option<Preset>,
    /// What teammates are told it is called; the preset's name where `None`.
    pub name: Option<String>,
    /// Its redirect URIs, beside those of the preset.
    pub redirect_uris: Vec<String>,
    /// Whether it is to have no secret.
    pub public: bool,
}

/// Why no client was made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddClientError {
    /// It has no name.
    #[error("a client has a name of 1 to {LONGEST_NAME} printable characters")]
    Name,
    /// ChatGPT's redirect URI is another for each connection.
    #[error(
        "ChatGPT shows the redirect URI when the connection is made there: give it as well. It begins with {CHATGPT}"
    )]
    ChatGptRedirect,
    /// A redirect URI is refused, or there is none.
    #[error(transparent)]
    RedirectUris(#[from] MetadataError),
    /// Every id that was drawn is taken: the source of randomness repeats itself.
    #[error("every new id is taken already: the machine's random numbers are not random. No client was made")]
    NoFreeId,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Issuer {
    /// Makes a client. Its secret is in the answer and nowhere else, and cannot be had again.
    ///
    /// # Errors
    /// [`AddClientError`].
    pub async fn add_client(&self, new: NewClient) -> Result<(ClientRecord, Option<Secret>), AddClientError> {
        let metadata = metadata(new)?;
        for _ in 0..ATTEMPTS {
            let made = self.new_client(ClientKind::PreRegistered, metadata.clone());
            let (client, secret) = made.ok_or(AddClientError::NoFreeId)?;
            if self.store.insert_client(client.clone()).await? == Insertion::Inserted {
                return Ok((client, secret));
            }
        }
        Err(AddClientError::NoFreeId)
    }

    /// All clients of a kind, oldest first; revoked ones as well.
    ///
    /// # Errors
    /// As the store says.
    pub async fn clients(&self, kind: ClientKind) -> Result<Vec<ClientRecord>, StoreError> {
        self.store.clients(kind).await
    }

    /// Revokes a client, whatever its kind, and all that teammates allowed it.
    ///
    /// # Errors
    /// As the store says.
    pub async fn revoke_client(&self, id: &ClientId) -> Result<Revocation, StoreError> {
        self.store.revoke_client(id, self.now()).await
    }
}

fn metadata(new: NewClient) -> Result<ClientMetadata, AddClientError> {
    let given = new.name.as_deref().or(new.preset.map(Preset::client_name)).unwrap_or_default();
    let name = client_metadata::shown_name(given).filter(|name| name == given.trim()).ok_or(AddClientError::Name)?;
    if new.preset == Some(Preset::ChatGpt) && !new.redirect_uris.iter().any(|uri| uri.starts_with(CHATGPT)) {
        return Err(AddClientError::ChatGptRedirect);
    }
    let preset = new.preset.map_or(&[][..], Preset::redirect_uris).iter().map(|uri| (*uri).to_owned());
    let redirect_uris: Vec<String> = preset.chain(new.redirect_uris).collect();
    if redirect_uris.is_empty() {
        return Err(MetadataError::NoRedirectUri.into());
    }
    client_metadata::check_redirect_uris(&redirect_uris.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(ClientMetadata {
        redirect_uris,
        token_endpoint_auth_method: if new.public { AuthMethod::None } else { AuthMethod::ClientSecretBasic },
        grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
        response_types: vec!["code".to_owned()],
        client_name: Some(name),
        client_uri: None,
        logo_uri: None,
        scope: None,
        contacts: None,
        tos_uri: None,
        policy_uri: None,
        jwks_uri: None,
        jwks: None,
        software_id: None,
        software_version: None,
        application_type: None,
        token_endpoint_auth_signing_alg: None,
    })
}
