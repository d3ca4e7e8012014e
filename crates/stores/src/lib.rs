//! Where state lives: [`memory`] and [`sqlite`], behind the traits of `bridgehead-auth`.
//!
//! [`Store`] is what a composed app holds; which kind it is, only [`Store::open`] knows. Each
//! kind passes the same suite (`contract`, with the feature of that name).

#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod memory;
pub mod sqlite;
pub mod url;

use std::sync::Arc;

use bridgehead_auth::{KeyStore, StoreError};

pub use memory::Memory;
pub use sqlite::Sqlite;
pub use url::{StoreUrl, StoreUrlError};

/// An opened store: everything that the app remembers.
pub struct Store {
    /// The records of issued keys.
    pub keys: Arc<dyn KeyStore>,
    backend: Backend,
}

enum Backend {
    Memory,
    Sqlite(Sqlite),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("kind", &self.kind()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store that `url` names, makes it where there is none, and brings an older one up
    /// to date.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::Corrupt`] when it is
    /// no store or damaged, [`StoreError::Unsuitable`] when a newer version or another program
    /// made it.
    pub async fn open(url: &StoreUrl) -> Result<Self, StoreError> {
        match url {
            StoreUrl::Memory => Ok(Self::memory()),
            StoreUrl::Sqlite(path) => Ok(Self::sqlite(Sqlite::open(path).await?)),
        }
    }

    /// A store that forgets everything when the process ends.
    #[must_use]
    pub fn memory() -> Self {
        Self { keys: Arc::new(Memory::default()), backend: Backend::Memory }
    }

    fn sqlite(sqlite: Sqlite) -> Self {
        Self { keys: Arc::new(sqlite.clone()), backend: Backend::Sqlite(sqlite) }
    }

    /// What kind of store it is, for logs: `memory` or `sqlite`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.backend {
            Backend::Memory => "memory",
            Backend::Sqlite(_) => "sqlite",
        }
    }

    /// Whether it can be reached, for `/readyz`.
    ///
    /// # Errors
    /// As the store says.
    pub async fn ready(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Memory => Ok(()),
            Backend::Sqlite(sqlite) => sqlite.ready().await,
        }
    }

    /// Gives back files and connections, once what is under way has ended. Whatever is asked of
    /// the store afterwards is [`StoreError::Unavailable`]; memory has nothing to give back.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Memory => {}
            Backend::Sqlite(sqlite) => sqlite.close().await,
        }
    }
}
