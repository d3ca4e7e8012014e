//! How the outside is reached: the clock, the names, the certificates that are trusted. The
//! shipped binary has [`Net::system`]; a test bends names, adds its own authority, and takes a
//! detour to a port of its own.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use bridgehead_core::Clock;
use futures_util::future::BoxFuture;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    time_provider::TimeProvider,
};

use crate::Trust;

/// Looks names up.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a name; never asked for what is an address already.
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The system's own resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let name = name.to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

type Detour = dyn Fn(IpAddr) -> Option<SocketAddr> + Send + Sync;

/// How the outside is reached. Cheap to clone; clones share the trusted certificates.
#[derive(Clone)]
pub struct Net {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) detour: Option<Arc<Detour>>,
    roots: Arc<[CertificateDer<'static>]>,
    tls: Arc<OnceLock<Result<Arc<ClientConfig>, rustls::Error>>>,
}

impl Net {
    /// The system's resolver and the system's certificates.
    #[must_use]
    pub fn system(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            resolver: Arc::new(SystemResolver),
            detour: None,
            roots: Arc::default(),
            tls: Arc::new(OnceLock::new()),
        }
    }

    /// Looks names up elsewhere.
    #[must_use]
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// Trusts these authorities as well, each a certificate in DER.
    #[must_use]
    pub fn with_roots(mut self, roots: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.roots = roots.into_iter().map(CertificateDer::from).collect();
        self.tls = Arc::new(OnceLock::new());
        self
    }

    /// For tests: the address that a name was found to have, and that passed the policy's check,
    /// is connected to at another place. Holds for URLs that name a host and no port.
    #[must_use]
    pub fn with_detour(mut self, detour: impl Fn(IpAddr) -> Option<SocketAddr> + Send + Sync + 'static) -> Self {
        self.detour = Some(Arc::new(detour));
        self
    }

    /// Certificates are read once, when they are first needed.
    pub(crate) fn tls(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        self.tls.get_or_init(|| self.configuration()).clone()
    }

    fn configuration(&self) -> Result<Arc<ClientConfig>, rustls::Error> {
        let mut config = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), self.time())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots(Trust::System)?)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// The authorities that are trusted, and those that were added.
    pub(crate) fn roots(&self, trust: Trust) -> Result<RootCertStore, rustls::Error> {
        let mut roots = match trust {
            Trust::Public => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
            Trust::System => of_system(),
        };
        for root in &*self.roots {
            roots.add(root.clone())?;
        }
        if roots.is_empty() {
            return Err(rustls::Error::General(
                "no certificate authority is known: install the system's (ca-certificates), or set SSL_CERT_FILE"
                    .into(),
            ));
        }
        Ok(roots)
    }

    /// Certificates begin and expire by the same clock as everything else.
    pub(crate) fn time(&self) -> Arc<dyn TimeProvider> {
        Arc::new(Time(self.clock.clone()))
    }
}

fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate authority of the system cannot be read");
    }
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "certificate authorities of the system");
    roots
}

struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let since_1970 = self.0.now().as_duration();
        since_1970.try_into().ok().map(UnixTime::since_unix_epoch)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Time").finish_non_exhaustive()
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").finish_non_exhaustive()
    }
}
