//! What can go wrong with a store, in words for the operator. A teammate never sees these.

use std::{error::Error, sync::Arc};

/// What lies behind an error; shared, so that the error can be cloned.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a store did not do what it was asked. `store` names it as the configuration does
/// (`sqlite:bridgehead.db`), `what` says what is wrong and how to mend it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is locked, full or gone. The same call may succeed later.
    #[error("the store {store} is not available: {what}")]
    Unavailable {
        /// Which store.
        store: String,
        /// What is wrong and how to mend it.
        what: String,
        /// What lies behind.
        #[source]
        cause: Option<Cause>,
    },
    /// It holds something that was never written like this. No retry will help.
    #[error("the store {store} is damaged: {what}")]
    Corrupt {
        /// Which store.
        store: String,
        /// What is wrong and how to mend it.
        what: String,
        /// What lies behind.
        #[source]
        cause: Option<Cause>,
    },
    /// It is in order, but not for this program: made by a newer version, or somebody else's.
    #[error("the store {store} cannot be used: {what}")]
    Unsuitable {
        /// Which store.
        store: String,
        /// What is wrong and how to mend it.
        what: String,
    },
}

impl From<StoreError> for bridgehead_core::EffectStoreError {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}
