//! Rotation of the root keys: what was sealed under an older one is sealed anew under the first. The
//! content and its version stay, so that servers may run meanwhile, and doing it twice does nothing.

use super::{CredentialRecord, Replacement, UpstreamCredentials, owner_of, sealed::what};
use crate::{KeyVersion, StoreError};

/// How often a credential is tried that a running server changes at the same moment.
const ATTEMPTS: usize = 3;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// The name of the root key that all is sealed under now.
    pub root_key: KeyVersion,
    /// How many were sealed under it already.
    pub current: usize,
    /// How many are sealed anew.
    pub resealed: usize,
    /// Those that cannot be read: their root key is not loaded, or they are damaged.
    pub unreadable: Vec<CredentialRecord>,
}

enum Outcome {
    Current,
    Resealed,
    Unreadable(Box<CredentialRecord>),
    /// It was removed meanwhile.
    Gone,
}

impl UpstreamCredentials {
    /// Seals all credentials under the first root key, also those of vaults that the configuration has no
    /// more.
    ///
    /// # Errors
    /// What the store says; what was done until then stays done.
    pub async fn reseal(&self) -> Result<Resealed, StoreError> {
        let root_key = self.0.parts.vault.first_root_key().clone();
        let mut done = Resealed { root_key, current: 0, resealed: 0, unreadable: Vec::new() };
        for record in self.list().await? {
            match self.reseal_one(record).await? {
                Outcome::Current => done.current += 1,
                Outcome::Resealed => done.resealed += 1,
                Outcome::Unreadable(record) => done.unreadable.push(*record),
                Outcome::Gone => {}
            }
        }
        Ok(done)
    }

    async fn reseal_one(&self, mut record: CredentialRecord) -> Result<Outcome, StoreError> {
        let parts = &self.0.parts;
        for _ in 0..ATTEMPTS {
            if record.sealed.root_key().as_ref() == Some(parts.vault.first_root_key()) {
                return Ok(Outcome::Current);
            }
            let what = what(&owner_of(&record));
            let Ok(clear) = parts.vault.open(&what, &record.sealed) else {
                return Ok(Outcome::Unreadable(Box::new(record)));
            };
            record.sealed = parts.vault.seal(&what, &clear, &*parts.randomness);
            let version = record.version.clone();
            if parts.store.replace_credential(&record, &version).await? == Replacement::Replaced {
                return Ok(Outcome::Resealed);
            }
            match parts.store.credential(&record.vault, &record.subject).await? {
                Some(changed) => record = changed,
                None => return Ok(Outcome::Gone),
            }
        }
        // Whoever changes it that often seals it as well; the next run looks at it again.
        Ok(Outcome::Unreadable(Box::new(record)))
    }
}
