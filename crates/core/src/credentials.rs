//! The seam at which a source asks for a caller's own credential of a system behind: what the
//! teammate entered or connected once. Where it is kept, sealed and renewed is the
//! implementation's; a source sees it for one call and forgets it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;

use crate::{CallError, Caller, Fault, Secret};

/// A caller's credential of one vault, good for one call. `Debug` shows the names of its fields
/// alone.
#[derive(Clone, PartialEq, Eq)]
pub struct CallerCredential {
    values: BTreeMap<String, Secret>,
    version: Arc<str>,
    is_refused: bool,
}

impl CallerCredential {
    /// Takes the values, by field, and what tells this state of them from every other.
    #[must_use]
    pub const fn new(values: BTreeMap<String, Secret>, version: Arc<str>) -> Self {
        Self { values, version, is_refused: false }
    }

    /// Says whether it is known that the system behind did not accept it, of some call.
    #[must_use]
    pub const fn refused(mut self, is_refused: bool) -> Self {
        self.is_refused = is_refused;
        self
    }

    /// The value of a field; of a connection by OAuth there is `access_token` alone.
    #[must_use]
    pub fn value(&self, field: &str) -> Option<&Secret> {
        self.values.get(field)
    }

    /// All values.
    pub fn values(&self) -> impl Iterator<Item = &Secret> {
        self.values.values()
    }

    /// Tells this state of the credential from every other one.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its version, and whether it was refused: what was answered with it before may not be answered any more.
    #[must_use]
    pub fn standing(&self) -> String {
        format!("{}{}", self.version, if self.is_refused { " refused" } else { "" })
    }
}

impl fmt::Debug for CallerCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallerCredential").field(&self.values.keys().collect::<Vec<_>>()).finish()
    }
}

/// Has what teammates entered or connected for systems behind, by the vault's name in the
/// configuration.
#[async_trait]
pub trait CallerCredentials: Send + Sync + 'static {
    /// What is presented in this caller's name, renewed where it was about to expire.
    ///
    /// # Errors
    /// [`Refusal::CredentialRequired`](crate::Refusal::CredentialRequired) where the teammate has to do
    /// something first, and [`CallError::Upstream`] where it could not be renewed just now. Nothing
    /// may be sent then.
    async fn credential(&self, vault: &str, caller: &Caller) -> Result<CallerCredential, CallError>;

    /// The system behind did not accept what [`CallerCredentials::credential`] gave: asks for another
    /// one, which has been renewed since.
    ///
    /// # Errors
    /// As [`CallerCredentials::credential`]; there is no other one, unless the teammate brings it.
    async fn not_accepted(
        &self,
        vault: &str,
        caller: &Caller,
        presented: &CallerCredential,
    ) -> Result<CallerCredential, CallError>;
}

/// For programs that open no vaults: listings, checks of a configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoVaults;

#[async_trait]
impl CallerCredentials for NoVaults {
    async fn credential(&self, vault: &str, _: &Caller) -> Result<CallerCredential, CallError> {
        Err(Fault::new(format!("looking into the vault {vault}, which was not opened")).into())
    }

    async fn not_accepted(
        &self,
        vault: &str,
        caller: &Caller,
        _: &CallerCredential,
    ) -> Result<CallerCredential, CallError> {
        self.credential(vault, caller).await
    }
}
