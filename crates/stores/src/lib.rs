//! Where state lives: [`memory`], [`sqlite`] and [`postgres`], behind the traits of
//! `bridgehead-auth` and `bridgehead-core`; and [`valkey`], for what replicas share in passing.
//!
//! [`Store`] is what a composed app holds; which kind it is, only [`Store::open`] knows. Each
//! kind passes the same suite (`contract`, with the feature of that name).

mod certificate_row;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod credential_row;
mod effect_row;
mod identity_row;
mod issuer_row;
mod key_row;
pub mod memory;
mod migrate;
mod people_row;
pub mod postgres;
pub mod sqlite;
mod trace_row;
pub mod url;
pub mod valkey;

use std::sync::Arc;

use bridgehead_auth::{
    CertificateStore, CredentialStore, IssuerStore, KeyStore, SessionStore, StoreError, SubjectStore, TraceStore,
    UserStore, provider::IdentityStore,
};

use bridgehead_core::EffectStore;

pub use memory::Memory;
pub use postgres::Postgres;
pub use sqlite::Sqlite;
pub use url::{StoreUrl, StoreUrlError};
pub use valkey::{Valkey, ValkeyCache, ValkeyError, ValkeyUrl, ValkeyUrlError};

/// An opened store: everything that the app remembers.
pub struct Store {
    /// The records of issued keys.
    pub keys: Arc<dyn KeyStore>,
    /// The callers who are cut off by name.
    pub subjects: Arc<dyn SubjectStore>,
    /// Users and their one-time links.
    pub users: Arc<dyn UserStore>,
    /// Browser sessions.
    pub sessions: Arc<dyn SessionStore>,
    /// Who of an identity provider is which user.
    pub identities: Arc<dyn IdentityStore>,
    /// Steps of connection attempts.
    pub trace: Arc<dyn TraceStore>,
    /// What the authorization server remembers.
    pub issuer: Arc<dyn IssuerStore>,
    /// What replicas share to get a certificate.
    pub certificates: Arc<dyn CertificateStore>,
    /// What became of calls with an idempotency key. Answers are kept as they are given: whoever does
    /// not want them in clear seals them before.
    pub effects: Arc<dyn EffectStore>,
    /// What teammates entered or connected for systems behind.
    pub credentials: Arc<dyn CredentialStore>,
    backend: Backend,
}

enum Backend {
    Memory,
    Sqlite(Sqlite),
    Postgres(Postgres),
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
            StoreUrl::Postgres(url) => Ok(Self::postgres(Postgres::open(url).await?)),
        }
    }

    /// A store that forgets everything when the process ends.
    #[must_use]
    pub fn memory() -> Self {
        let memory = Arc::new(Memory::default());
        Self::of(memory, Backend::Memory)
    }

    fn sqlite(sqlite: Sqlite) -> Self {
        Self::of(Arc::new(sqlite.clone()), Backend::Sqlite(sqlite))
    }

    fn postgres(postgres: Postgres) -> Self {
        Self::of(Arc::new(postgres.clone()), Backend::Postgres(postgres))
    }

    fn of<S>(shared: Arc<S>, backend: Backend) -> Self
    where
        S: KeyStore
            + SubjectStore
            + UserStore
            + SessionStore
            + IdentityStore
            + TraceStore
            + IssuerStore
            + CertificateStore
            + EffectStore
            + CredentialStore,
    {
        Self {
            keys: shared.clone(),
            subjects: shared.clone(),
            users: shared.clone(),
            sessions: shared.clone(),
            identities: shared.clone(),
            trace: shared.clone(),
            issuer: shared.clone(),
            certificates: shared.clone(),
            effects: shared.clone(),
            credentials: shared,
            backend,
        }
    }

    /// What kind of store it is, for logs: `memory`, `sqlite` or `postgres`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.backend {
            Backend::Memory => "memory",
            Backend::Sqlite(_) => "sqlite",
            Backend::Postgres(_) => "postgres",
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
            Backend::Postgres(postgres) => postgres.ready().await,
        }
    }

    /// Gives back files and connections, once what is under way has ended. Whatever is asked of
    /// the store afterwards is [`StoreError::Unavailable`]; memory has nothing to give back.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Memory => {}
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
        }
    }
}
