//! Callers who are cut off by name (requirement P2): those whose credential is not issued here,
//! so that there is no key of theirs to revoke.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bridgehead_core::Clock;
use jiff::Timestamp;

use crate::{
    Denied, StoreError,
    keys::{self, to_microsecond},
};

/// One caller who is cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeniedSubject {
    /// The caller, as the audit names them.
    pub subject: Arc<str>,
    /// Since when.
    pub denied_at: Timestamp,
}

/// What came of cutting a caller off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// From now on they are refused.
    Denied,
    /// They were already; the first time stands.
    AlreadyDenied,
}

/// What came of letting a caller in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readmission {
    /// From now on they are not refused for their name.
    Allowed,
    /// They were not cut off.
    NotDenied,
}

/// Keeps the names of callers who are cut off.
///
/// Every verb is atomic and, once it has returned `Ok`, durable as far as the store is durable at
/// all. Names are compared byte by byte. Times are kept as [`to_microsecond`] says.
/// Each implementation passes `bridgehead_stores::contract`.
#[async_trait]
pub trait SubjectStore: Send + Sync + 'static {
    /// Cuts a caller off, if they are not yet. Of several at once exactly one gets
    /// [`Denial::Denied`].
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn deny_subject(&self, subject: &str, at: Timestamp) -> Result<Denial, StoreError>;

    /// Takes a caller off the list.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn allow_subject(&self, subject: &str) -> Result<Readmission, StoreError>;

    /// Everybody who is cut off, longest first; of one time, by name in the order of its bytes.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn denied_subjects(&self) -> Result<Vec<DeniedSubject>, StoreError>;

    /// Since when a caller is cut off; `None` for one who is not.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    async fn denied_since(&self, subject: &str) -> Result<Option<Timestamp>, StoreError>;
}

/// Why a caller was not cut off.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlockError {
    /// Nobody can be called that.
    #[error("a caller's name is 1 to {} printable characters, as the audit shows it", keys::LONGEST_SUBJECT)]
    Subject,
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Cuts callers off by name and lets them in again. Looked at for everybody who presents a
/// credential of the system behind or an access token; the holders of issued keys are cut off by revoking those.
#[derive(Clone)]
pub struct SubjectBlocks {
    store: Arc<dyn SubjectStore>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for SubjectBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectBlocks").finish_non_exhaustive()
    }
}

impl SubjectBlocks {
    /// The list in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn SubjectStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Cuts a caller off; from now on no request of theirs passes.
    ///
    /// # Errors
    /// [`BlockError`].
    pub async fn block(&self, subject: &str) -> Result<Denial, BlockError> {
        let subject = keys::subject(subject).ok_or(BlockError::Subject)?;
        Ok(self.store.deny_subject(subject, to_microsecond(self.clock.now())).await?)
    }

    /// Lets a caller in again.
    ///
    /// # Errors
    /// [`BlockError`].
    pub async fn unblock(&self, subject: &str) -> Result<Readmission, BlockError> {
        let subject = keys::subject(subject).ok_or(BlockError::Subject)?;
        Ok(self.store.allow_subject(subject).await?)
    }

    /// Everybody who is cut off, longest first.
    ///
    /// # Errors
    /// As the store says.
    pub async fn list(&self) -> Result<Vec<DeniedSubject>, StoreError> {
        self.store.denied_subjects().await
    }

    /// Refuses whoever is cut off.
    ///
    /// # Errors
    /// [`Denied::Blocked`] or [`Denied::StoreUnavailable`].
    pub async fn check(&self, subject: &str) -> Result<(), Denied> {
        match self.store.denied_since(subject).await? {
            Some(at) => Err(Denied::Blocked { at }),
            None => Ok(()),
        }
    }
}
