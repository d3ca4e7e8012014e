//! The ID token (OpenID Connect Core §2): checked as any token of the provider's is, and that it belongs
//! to this sign-in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_core::Secret;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha512};

use super::{Provider, ProviderSignInError, tokens::AskError};
use crate::{
    SigningAlgorithm,
    remote::{Expected, RemoteError, TokenError, TokenFault, TokenKind},
};

/// Why an ID token says nothing.
#[derive(Debug)]
pub(super) enum IdTokenError {
    /// It is not good.
    NotGood(TokenFault),
    /// It came with another access token than it was made for (§3.1.3.8).
    OtherAccessToken,
    /// It cannot be checked.
    Down(RemoteError),
}

impl Provider {
    /// The claims of an ID token. With a refresh token comes one that need not repeat the nonce (§12.2).
    pub(super) async fn id_claims(
        &self,
        id_token: &Secret,
        nonce: Option<&str>,
        access_token: Option<&Secret>,
    ) -> Result<Map<String, Value>, IdTokenError> {
        let metadata = self.remote.metadata().await.map_err(IdTokenError::Down)?;
        let kind = TokenKind::Id { client_id: self.settings.client.id.clone(), nonce: nonce.map(str::to_owned) };
        let algorithms = algorithms(&metadata.id_token_signing_alg_values_supported);
        let verified = self.remote.verify(id_token.expose(), &Expected { algorithms, kind }).await;
        let claims = match verified {
            Ok(verified) => verified.claims,
            Err(TokenError::Refused(fault)) => return Err(IdTokenError::NotGood(fault)),
            Err(TokenError::Unavailable(error)) => return Err(IdTokenError::Down(error)),
        };
        let named = claims.get("at_hash").zip(access_token);
        if named.is_some_and(|(hash, access)| hash.as_str() != Some(&*at_hash(id_token, access))) {
            return Err(IdTokenError::OtherAccessToken);
        }
        Ok(claims)
    }
}

/// What is taken: of what is checked here, what the provider says that it signs with.
fn algorithms(named: &[String]) -> Vec<SigningAlgorithm> {
    if named.is_empty() {
        return SigningAlgorithm::all();
    }
    named.iter().filter_map(|name| SigningAlgorithm::named(name)).collect()
}

/// The left half of the access token's hash, with the hash of the signature's algorithm.
fn at_hash(id_token: &Secret, access_token: &Secret) -> String {
    let header = jsonwebtoken::decode_header(id_token.expose());
    let text = access_token.expose().as_bytes();
    let hash = match header.map(|header| header.alg) {
        Ok(jsonwebtoken::Algorithm::EdDSA) => Sha512::digest(text).to_vec(),
        _ => Sha256::digest(text).to_vec(),
    };
    URL_SAFE_NO_PAD.encode(hash.split_at(hash.len() / 2).0)
}

impl From<IdTokenError> for ProviderSignInError {
    fn from(error: IdTokenError) -> Self {
        match error {
            IdTokenError::NotGood(fault) => Self::Answer(format!("the ID token: {}: {fault}", fault.code())),
            IdTokenError::OtherAccessToken => {
                Self::Answer("the ID token: at_hash: it is of another access token".to_owned())
            }
            IdTokenError::Down(error) => Self::Down(error.to_string()),
        }
    }
}

impl From<IdTokenError> for AskError {
    fn from(error: IdTokenError) -> Self {
        match error {
            IdTokenError::NotGood(fault) => Self::Ours(format!("the ID token: {}: {fault}", fault.code())),
            IdTokenError::OtherAccessToken => Self::Ours("the ID token is of another access token".to_owned()),
            IdTokenError::Down(error) => Self::Down(error),
        }
    }
}
