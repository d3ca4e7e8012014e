//! A certificate and its key from two PEM files, read again when they change. What does not fit
//! together is never shown: the certificate before it stays until something better is there.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bridgehead_core::Clock;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    sign::CertifiedKey,
};
use tokio_util::sync::CancellationToken;

use super::{Certificates, doubts, provider};

/// How often the files are looked at. By content and not by events: mounted secrets are swapped
/// behind symbolic links, and network file systems tell nobody.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Why files hold no certificate that can be shown, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("{path} cannot be read: {cause}. See that it is there and that this user may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// There is no certificate in the file.
    #[error(
        "{path} holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`). Put the certificate there, then those between it and the root"
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no private key in the file.
    #[error(
        "{path} holds no private key in PEM form without a password (`-----BEGIN PRIVATE KEY-----`). `openssl pkey -in KEY -out PLAIN` takes a password off"
    )]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// They do not belong together, or rustls does not take them.
    #[error(
        "the key in {key} is not that of the certificate in {certificate}, or of a kind that cannot be used (RSA, ECDSA P-256 or P-384, Ed25519 can): {cause}"
    )]
    Mismatch {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What rustls said.
        #[source]
        cause: rustls::Error,
    },
}

/// Two files, which may be one.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate and its chain, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// What the files held at one time.
struct Read {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl CertificateFiles {
    /// Reads both and sees that they belong together.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub async fn load(&self) -> Result<Arc<CertifiedKey>, CertificateError> {
        self.parse(&self.read().await?)
    }

    /// Shows what the files hold whenever that changes, until `shutdown`. `host` is what the
    /// certificate should be for.
    pub async fn watch(
        self,
        certificates: Arc<Certificates>,
        host: Option<String>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) {
        // What was read last, good or not, so that one fault is told once.
        let mut last = self.read().await.ok();
        let mut unreadable = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = clock.sleep(LOOK_EVERY) => {}
            }
            let read = match self.read().await {
                Ok(read) => read,
                Err(error) => {
                    if !std::mem::replace(&mut unreadable, true) {
                        tracing::error!(%error, "the certificate is not renewed; the one before is shown");
                    }
                    continue;
                }
            };
            unreadable = false;
            if last.as_ref().is_some_and(|last| last.certificate == read.certificate && last.key == read.key) {
                continue;
            }
            match self.parse(&read) {
                Ok(key) => {
                    for doubt in doubts(&key, host.as_deref(), &*clock) {
                        tracing::warn!(file = %self.certificate.display(), "the certificate is doubtful: {doubt}");
                    }
                    certificates.show(key);
                    tracing::info!(file = %self.certificate.display(), "a new certificate is shown");
                }
                // Of two files one is written first: the next look may see both.
                Err(error) => tracing::warn!(%error, "the files changed, and the certificate before is still shown"),
            }
            last = Some(read);
        }
    }

    async fn read(&self) -> Result<Read, CertificateError> {
        Ok(Read { certificate: read(&self.certificate).await?, key: read(&self.key).await? })
    }

    fn parse(&self, read: &Read) -> Result<Arc<CertifiedKey>, CertificateError> {
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&read.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| CertificateError::NoCertificate { path: self.certificate.clone() })?;
        let key =
            PrivateKeyDer::from_pem_slice(&read.key).map_err(|_| CertificateError::NoKey { path: self.key.clone() })?;
        CertifiedKey::from_der(chain, key, &provider()).map(Arc::new).map_err(|cause| CertificateError::Mismatch {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            cause,
        })
    }
}

/// The certificates in a PEM file, each in DER; at least one.
///
/// # Errors
/// [`CertificateError::Unreadable`] or [`CertificateError::NoCertificate`].
pub fn certificates_in(path: &Path) -> Result<Vec<Vec<u8>>, CertificateError> {
    let text = std::fs::read(path).map_err(|cause| CertificateError::Unreadable { path: path.to_owned(), cause })?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found.into_iter().map(|certificate| certificate.to_vec()).collect()),
        _ => Err(CertificateError::NoCertificate { path: path.to_owned() }),
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    tokio::fs::read(path).await.map_err(|cause| CertificateError::Unreadable { path: path.to_owned(), cause })
}
