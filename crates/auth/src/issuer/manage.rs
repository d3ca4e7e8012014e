//! A client and its own registration (RFC 7592): it may read and remove it, by the token that it got
//! for that. Changing it is refused: whoever wants to be somebody else registers anew, and the
//! teammates see it.

use bridgehead_core::Secret;
use http::StatusCode;

use super::{ClientId, ClientKind, ClientRecord, ErrorAnswer, Issuer, Registration};
use crate::{SecretKind, SecretText, StoreError};

/// Why a registration is not shown, or not removed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ManageError {
    /// No token.
    #[error("the registration access token is missing: send it as Authorization: Bearer")]
    NoToken,
    /// Not the token of this registration; whether there is one is not told.
    #[error("the registration access token is not that of this registration")]
    NotYours,
    /// Registrations are not changed.
    #[error("a registration cannot be changed here. Remove it and register again")]
    Fixed,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ManageError {
    /// What it is on the wire (RFC 7592 §2).
    #[must_use]
    pub fn answer(&self) -> ErrorAnswer {
        let text = self.to_string();
        let unauthorized = |challenge: &str| {
            ErrorAnswer::new(StatusCode::UNAUTHORIZED, "invalid_token", &text)
                .with_challenge(Some(challenge.to_owned()))
        };
        match self {
            Self::NoToken => unauthorized("Bearer realm=\"registration\""),
            Self::NotYours => unauthorized("Bearer realm=\"registration\", error=\"invalid_token\""),
            Self::Fixed => ErrorAnswer::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", &text),
            Self::Store(_) => ErrorAnswer::unavailable(),
        }
    }
}

impl Issuer {
    /// GET: the registration, without its secret, which is not known here.
    ///
    /// # Errors
    /// [`ManageError`].
    pub async fn registration(
        &self,
        client_id: &str,
        authorization: Option<&str>,
    ) -> Result<Registration, ManageError> {
        let (client, token) = self.managed(client_id, authorization).await?;
        Ok(self.described(client, None, Some(token)))
    }

    /// DELETE: removes the registration, and revokes what teammates allowed it.
    ///
    /// # Errors
    /// [`ManageError`].
    pub async fn unregister(&self, client_id: &str, authorization: Option<&str>) -> Result<(), ManageError> {
        let (client, _) = self.managed(client_id, authorization).await?;
        self.store.remove_client(&client.id, self.now()).await?;
        tracing::info!(target: "audit", event = "client_removed", client = %client.id, "a client removed its registration");
        Ok(())
    }

    /// PUT: refused, to the one whose registration it is with the reason.
    pub async fn update_registration(&self, client_id: &str, authorization: Option<&str>) -> ManageError {
        match self.managed(client_id, authorization).await {
            Ok(_) => ManageError::Fixed,
            Err(error) => error,
        }
    }

    /// The client whose token this is, and the token.
    async fn managed(
        &self,
        client_id: &str,
        authorization: Option<&str>,
    ) -> Result<(ClientRecord, Secret), ManageError> {
        let authorization = authorization.ok_or(ManageError::NoToken)?;
        let (scheme, token) = authorization.split_once([' ', '\t']).ok_or(ManageError::NotYours)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ManageError::NoToken);
        }
        let token =
            SecretText::parse(SecretKind::RegistrationToken, token.trim()).map_err(|_| ManageError::NotYours)?;
        let id = ClientId::parse(client_id).filter(|id| !id.is_document()).ok_or(ManageError::NotYours)?;
        let client = self.store.find_client(&id).await?;
        let own = |client: &ClientRecord| {
            let stored = client.registration_token.as_ref();
            client.kind == ClientKind::Registered && stored.is_some_and(|stored| self.is_stored(&token, stored))
        };
        let client = client.filter(own).ok_or(ManageError::NotYours)?;
        Ok((client, token.secret().clone()))
    }
}
