//! What a teammate does on their own page: enters a credential, looks whether it is good, removes it.
//! What is kept is never shown again.

use std::collections::BTreeMap;

use bridgehead_core::Secret;
use jiff::Timestamp;

use super::{
    CredentialKind, CredentialRecord, Owner, Removal, UpstreamCredentials, VaultDefinition, VaultKind, sealed::Content,
};
use crate::{StoreError, keys::holds_own_secret};

/// How many bytes a field's value may have.
pub const MOST_FIELD_BYTES: usize = 4096;

/// What is wrong with a value that was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldFault {
    /// There is none.
    Missing,
    /// It is longer than [`MOST_FIELD_BYTES`].
    TooLong,
    /// It has a character that no header may have, such as a line break.
    Unprintable,
    /// It is a key or a token of Bridgehead's own, which never leaves.
    OwnSecret,
}

/// Why nothing was kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EnterError {
    /// These fields are not right; by name.
    #[error("what was entered is not right")]
    Fields(Vec<(String, FieldFault)>),
    /// There is nothing to fill in: the vault is connected by OAuth.
    #[error("this is connected, not entered")]
    NoFields,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a teammate's credential stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// When it was entered or connected.
    pub entered_at: Timestamp,
    /// When it was last renewed, if it was.
    pub renewed_at: Option<Timestamp>,
    /// Whether it is good, as far as is known.
    pub state: StandingState,
}

/// Whether a credential is good, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandingState {
    /// It is.
    Good,
    /// The system behind did not accept it.
    NotAccepted {
        /// When that was.
        at: Timestamp,
    },
    /// It cannot be read any more, or the configuration asks for something else by now.
    Unusable,
}

impl UpstreamCredentials {
    /// How a teammate's credential of a vault stands; `None` where they have none.
    ///
    /// # Errors
    /// What the store says.
    pub async fn standing(&self, vault: &VaultDefinition, subject: &str) -> Result<Option<Standing>, StoreError> {
        let record = self.0.parts.store.credential(&vault.name, subject).await?;
        Ok(record.map(|record| self.stands(vault, &record)))
    }

    fn stands(&self, vault: &VaultDefinition, record: &CredentialRecord) -> Standing {
        let is_usable = match (&vault.kind, Content::open(&self.0.parts.vault, record)) {
            (VaultKind::Fields(fields), Ok(Content::Fields(values))) => {
                fields.iter().all(|field| values.contains_key(&field.name))
            }
            (VaultKind::OAuth(_), Ok(Content::OAuth(_))) => true,
            _ => false,
        };
        let state = match record.refused_at {
            _ if !is_usable => StandingState::Unusable,
            Some(at) => StandingState::NotAccepted { at },
            None => StandingState::Good,
        };
        let renewed_at = (record.renewed_at > record.entered_at).then_some(record.renewed_at);
        Standing { entered_at: record.entered_at, renewed_at, state }
    }

    /// Keeps what a teammate filled in, in the place of whatever they had. Blanks around a value are
    /// left away.
    ///
    /// # Errors
    /// [`EnterError`].
    pub async fn enter(
        &self,
        vault: &VaultDefinition,
        subject: &str,
        value_of: impl Fn(&str) -> Secret,
    ) -> Result<(), EnterError> {
        let VaultKind::Fields(fields) = &vault.kind else { return Err(EnterError::NoFields) };
        let (mut values, mut faults) = (BTreeMap::new(), Vec::new());
        for field in fields {
            match sound(&value_of(&field.name)) {
                Ok(value) => drop(values.insert(field.name.clone(), value)),
                Err(fault) => faults.push((field.name.clone(), fault)),
            }
        }
        if !faults.is_empty() {
            return Err(EnterError::Fields(faults));
        }
        let owner = Owner { vault: vault.name.clone(), subject: subject.into() };
        self.keep(&owner, &Content::Fields(values), None).await.map_err(EnterError::Store)
    }

    /// Forgets a teammate's credential. What the system behind knows of it stays there.
    ///
    /// # Errors
    /// What the store says.
    pub async fn remove(&self, vault: &str, subject: &str) -> Result<Removal, StoreError> {
        self.0.parts.store.remove_credential(vault, subject).await
    }

    /// Every teammate's credential of every vault, also of those that the configuration has no more.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<CredentialRecord>, StoreError> {
        self.0.parts.store.credentials().await
    }

    pub(super) async fn keep(
        &self,
        owner: &Owner,
        content: &Content,
        expires_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let parts = &self.0.parts;
        let now = self.0.now();
        let record = CredentialRecord {
            vault: owner.vault.clone(),
            subject: owner.subject.clone(),
            kind: content.kind(),
            sealed: content.seal(&parts.vault, owner, &*parts.randomness),
            version: self.0.version(),
            entered_at: now,
            renewed_at: now,
            expires_at,
            refused_at: None,
        };
        parts.store.keep_credential(&record).await
    }
}

fn sound(typed: &Secret) -> Result<Secret, FieldFault> {
    let value = typed.expose().trim();
    match value {
        "" => Err(FieldFault::Missing),
        value if value.len() > MOST_FIELD_BYTES => Err(FieldFault::TooLong),
        value if value.chars().any(char::is_control) => Err(FieldFault::Unprintable),
        value if holds_own_secret(value) => Err(FieldFault::OwnSecret),
        value => Ok(Secret::new(value.to_owned())),
    }
}

impl CredentialRecord {
    /// Whether it came by OAuth.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.kind == CredentialKind::OAuth
    }
}
