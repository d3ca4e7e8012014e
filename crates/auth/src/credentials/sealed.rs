//! What is inside of a sealed credential, as JSON. It is sealed as belonging to one vault and one
//! teammate, so that a row put in the place of another cannot be opened.

use std::collections::BTreeMap;

use bridgehead_core::{CallerCredential, Randomness, Secret};
use serde::{Deserialize, Serialize};

use super::{CredentialKind, CredentialRecord, Owner, owner_of};
use crate::{Sealed, Unopenable, Vault};

/// The name under which a source finds the token of a connection.
const ACCESS_TOKEN: &str = "access_token";

/// What a teammate entered, or what they were given.
#[derive(Clone)]
pub(super) enum Content {
    Fields(BTreeMap<String, Secret>),
    OAuth(Tokens),
}

/// The tokens of a connection (RFC 6749 §5.1).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) access: Secret,
    /// None was given, or it was refused.
    pub(super) refresh: Option<Secret>,
}

impl Tokens {
    /// What a source is given.
    pub(super) fn credential(self, record: &CredentialRecord) -> CallerCredential {
        let values = BTreeMap::from([(ACCESS_TOKEN.to_owned(), self.access)]);
        CallerCredential::new(values, record.version.to_shared()).refused(record.refused_at.is_some())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Fields(BTreeMap<String, String>),
    Oauth { access_token: String, refresh_token: Option<String> },
}

impl Content {
    pub(super) const fn kind(&self) -> CredentialKind {
        match self {
            Self::Fields(_) => CredentialKind::Fields,
            Self::OAuth(_) => CredentialKind::OAuth,
        }
    }

    /// Opens what is in a record.
    ///
    /// # Errors
    /// [`Unopenable`].
    pub(super) fn open(vault: &Vault, record: &CredentialRecord) -> Result<Self, Unopenable> {
        let clear = vault.open(&what(&owner_of(record)), &record.sealed)?;
        let written = serde_json::from_slice(&clear).map_err(|_| Unopenable::Damaged)?;
        Ok(match written {
            Written::Fields(fields) => {
                Self::Fields(fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
            }
            Written::Oauth { access_token, refresh_token } => {
                Self::OAuth(Tokens { access: Secret::new(access_token), refresh: refresh_token.map(Secret::new) })
            }
        })
    }

    /// Seals it for its owner.
    pub(super) fn seal(&self, vault: &Vault, owner: &Owner, randomness: &dyn Randomness) -> Sealed {
        let written = match self {
            Self::Fields(fields) => {
                Written::Fields(fields.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())).collect())
            }
            Self::OAuth(tokens) => Written::Oauth {
                access_token: tokens.access.expose().to_owned(),
                refresh_token: tokens.refresh.as_ref().map(|token| token.expose().to_owned()),
            },
        };
        // Text and maps of text are JSON, whatever is in them.
        let clear = serde_json::to_vec(&written).unwrap_or_default();
        vault.seal(&what(owner), &clear, randomness)
    }
}

/// What it is sealed as. No vault's name has a `/`, so no two owners give the same.
pub(super) fn what(owner: &Owner) -> String {
    format!("upstream credential/{}/{}", owner.vault, owner.subject)
}
