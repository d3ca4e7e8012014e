//! API keys that are issued here: made, listed, revoked and checked (requirement A2). Stored is
//! a hash under a pepper that is not in the store, never the key; it is shown once, when made.

mod header;
mod own;
mod store;
mod text;

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use bridgehead_core::{Clock, EndpointId, Randomness, ScopeSet, Secret};
use jiff::Timestamp;

pub use header::{KeyHeader, KeyHeaderError};
pub use store::{Insertion, KeyRecord, KeyStore, Revocation, to_microsecond};
pub use text::{KeyId, KeyIdError, KeyText, KeyTextError};

pub(crate) use header::title;
pub(crate) use own::holds_own_secret;

use crate::{Denied, Peppers, StoreError, last_use::LastUse};

/// How often a new id is drawn when one is taken. Two of 62^12 do not meet by chance.
const ATTEMPTS: usize = 3;

/// How many characters the name of a caller may have.
pub(crate) const LONGEST_SUBJECT: usize = 255;
const LONGEST_LABEL: usize = 255;

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// The endpoint it opens.
    pub endpoint: EndpointId,
    /// The teammate it is for: usually a mail address. 1 to 255 characters, no control characters.
    pub subject: String,
    /// What it lets them do.
    pub scopes: ScopeSet,
    /// The first moment at which it is no longer good; `None` for a key without an end.
    pub expires_at: Option<Timestamp>,
    /// What the operator wants to remember about it. At most 255 characters, no control characters.
    pub label: Option<String>,
    /// The one header it may arrive in; `None` for whichever the mode reads.
    pub header: Option<String>,
}

/// Why no key was made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CreateError {
    /// The subject cannot be anybody.
    #[error("the one a key is for is named in 1 to {LONGEST_SUBJECT} printable characters, best a mail address")]
    Subject,
    /// The label cannot be stored as it is.
    #[error("a label has at most {LONGEST_LABEL} printable characters")]
    Label,
    /// The header cannot carry a key.
    #[error(transparent)]
    Header(#[from] KeyHeaderError),
    /// It would be expired from the start.
    #[error("the key would expire at {expires_at}, which is not in the future")]
    Expired {
        /// When it would have expired.
        expires_at: Timestamp,
    },
    /// Every id that was drawn is taken: the source of randomness repeats itself.
    #[error("every new id is taken already: the machine's random numbers are not random. No key was made")]
    NoFreeId,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Issues keys and checks them.
pub struct IssuedKeys {
    store: Arc<dyn KeyStore>,
    peppers: Peppers,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    uses: LastUse,
}

impl fmt::Debug for IssuedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedKeys").field("peppers", &self.peppers).finish_non_exhaustive()
    }
}

impl IssuedKeys {
    /// Keys in `store`, hashed under `peppers`.
    #[must_use]
    pub fn new(
        store: Arc<dyn KeyStore>,
        peppers: Peppers,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Self {
        Self { store, peppers, clock, randomness, uses: LastUse::default() }
    }

    /// Makes a key. Its text is in the answer and nowhere else, and cannot be had again.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create(&self, new: NewKey) -> Result<(KeyRecord, Secret), CreateError> {
        let now = to_microsecond(self.clock.now());
        let subject: Arc<str> = subject(&new.subject).ok_or(CreateError::Subject)?.into();
        let label = match new.label.as_deref() {
            Some(label) => Some(printable(label, LONGEST_LABEL).ok_or(CreateError::Label)?.to_owned()),
            None => None,
        };
        let header = match new.header.as_deref() {
            Some(header) => Some(KeyHeader::parse(header)?.name().as_str().to_owned()),
            None => None,
        };
        let expires_at = new.expires_at.map(to_microsecond);
        if let Some(expires_at) = expires_at.filter(|at| *at <= now) {
            return Err(CreateError::Expired { expires_at });
        }
        for _ in 0..ATTEMPTS {
            let key = KeyText::generate(&*self.randomness);
            let (pepper_version, hash) = self.peppers.hash(key.secret());
            let record = KeyRecord {
                id: key.id().clone(),
                endpoint: new.endpoint.clone(),
                subject: subject.clone(),
                scopes: new.scopes.clone(),
                hash,
                pepper_version,
                created_at: now,
                expires_at,
                revoked_at: None,
                last_used_at: None,
                label: label.clone(),
                header: header.clone(),
            };
            match self.store.insert(record.clone()).await? {
                Insertion::Inserted => return Ok((record, key.secret().clone())),
                Insertion::IdTaken => {}
            }
        }
        Err(CreateError::NoFreeId)
    }

    /// All keys, oldest first; revoked and expired ones as well.
    ///
    /// # Errors
    /// As the store says.
    pub async fn list(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.store.list().await
    }

    /// Whether no key was ever made here.
    ///
    /// # Errors
    /// As the store says.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.store.count().await? == 0)
    }

    /// Revokes a key; from now on no call with it passes.
    ///
    /// # Errors
    /// As the store says.
    pub async fn revoke(&self, id: &KeyId) -> Result<Revocation, StoreError> {
        self.store.revoke(id, to_microsecond(self.clock.now())).await
    }

    /// The keys that would be good but for their pepper: their root key is not loaded. Something
    /// to warn of at the start, since those teammates are locked out.
    ///
    /// # Errors
    /// As the store says.
    pub async fn without_pepper(&self) -> Result<Vec<KeyRecord>, StoreError> {
        let now = self.clock.now();
        let mut records = self.store.list().await?;
        records.retain(|record| check_times(record, now).is_ok() && !self.peppers.knows(&record.pepper_version));
        Ok(records)
    }

    /// Checks a key: one look into the store and one hash. Takes note of the use at most once a
    /// minute for each key, in a task of its own that no call waits for.
    ///
    /// An unknown id and a wrong secret are the same refusal, after the same work; that a key is
    /// expired or revoked is told only to the one who has all of it.
    ///
    /// # Errors
    /// [`Denied::Unrecognised`], [`Denied::Damaged`], [`Denied::Unknown`], [`Denied::Expired`],
    /// [`Denied::Revoked`] or [`Denied::StoreUnavailable`].
    pub async fn verify(&self, text: &str) -> Result<KeyRecord, Denied> {
        let key = KeyText::parse(text).map_err(|error| match error {
            KeyTextError::NotAKey => Denied::Unrecognised,
            KeyTextError::Damaged => Denied::Damaged,
        })?;
        let Some(record) = self.store.find(key.id()).await? else {
            std::hint::black_box(self.peppers.hash(key.secret()));
            return Err(Denied::Unknown);
        };
        let Some(hash) = self.peppers.hash_under(&record.pepper_version, key.secret()) else {
            tracing::warn!(
                key = %record.id, root_key = %record.pepper_version,
                "a key cannot be checked: the root key it was made under is not in [secrets] keys"
            );
            return Err(Denied::Unknown);
        };
        if hash != record.hash {
            return Err(Denied::Unknown);
        }
        let now = self.clock.now();
        check_times(&record, now)?;
        self.record_use(&record, now);
        Ok(record)
    }

    /// Waits until every use that was noted is recorded: for an orderly end, before the store is
    /// closed.
    pub async fn settle(&self) {
        self.uses.settle().await;
    }

    fn record_use(&self, record: &KeyRecord, now: Timestamp) {
        self.uses.record(&record.id.to_shared(), record.last_used_at, now, || {
            let (store, id) = (self.store.clone(), record.id.clone());
            async move { store.touch(&id, to_microsecond(now)).await }
        });
    }
}

/// What a key's own dates say, to someone who has shown the whole of it.
fn check_times(record: &KeyRecord, now: Timestamp) -> Result<(), Denied> {
    if let Some(at) = record.revoked_at {
        return Err(Denied::Revoked { at });
    }
    match record.expires_at {
        Some(at) if at <= now => Err(Denied::Expired { at }),
        _ => Ok(()),
    }
}

/// The name of a caller as it is kept; `None` for what cannot be anybody.
pub(crate) fn subject(text: &str) -> Option<&str> {
    printable(text, LONGEST_SUBJECT).filter(|subject| !subject.is_empty())
}

pub(crate) fn printable(text: &str, longest: usize) -> Option<&str> {
    let text = text.trim();
    (text.chars().count() <= longest && !text.chars().any(char::is_control)).then_some(text)
}
