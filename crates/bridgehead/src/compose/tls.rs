//! HTTPS that ends here: opens what `[server.tls]` names, and keeps it fresh while the server runs.

use std::sync::Arc;

use bridgehead_server::{
    Metrics, Tls,
    tls::{
        Certificates, CertifiedKey, doubts,
        files::{CertificateError, CertificateFiles},
        self_signed::self_signed,
    },
};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Ambient, ComposeError};
use crate::config::{
    Faults, KeyPath, Places,
    settings::{CertificateSettings, TlsSettings},
};

/// Renews or reloads the certificate until the server goes down.
type KeepFresh = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// TLS, ready for a listener.
pub(super) struct Opened {
    pub(super) tls: Tls,
    pub(super) keep_fresh: KeepFresh,
}

/// What `open` needs beside the settings.
pub(super) struct Around<'a> {
    pub(super) places: &'a Places,
    pub(super) ambient: &'a Ambient,
    pub(super) metrics: &'a Metrics,
    pub(super) public_url: &'a Url,
}

/// Reads or makes the certificate.
///
/// # Errors
/// A fault with its line where files hold no certificate that can be shown.
pub(super) async fn open(settings: &TlsSettings, around: &Around<'_>) -> Result<Opened, ComposeError> {
    let certificates = Arc::new(Certificates::new(around.metrics.clone()));
    let host = around.public_url.host_str().map(str::to_owned);
    let keep_fresh: KeepFresh = match &settings.certificate {
        CertificateSettings::Files { certificate, key } => {
            let files = CertificateFiles { certificate: certificate.clone(), key: key.clone() };
            certificates.show(from_files(&files, host.as_deref(), around.places, around.ambient).await?);
            let (certificates, clock) = (certificates.clone(), around.ambient.clock.clone());
            Box::new(move |shutdown| Box::pin(files.watch(certificates, host, clock, shutdown)))
        }
        CertificateSettings::SelfSigned => {
            certificates.show(self_signed(host.as_deref())?);
            tracing::warn!(
                "HTTPS with a certificate that was made just now and that nobody trusts: for trying on this machine alone. \
                 Agent platforms refuse it"
            );
            Box::new(|_| Box::pin(async {}))
        }
        CertificateSettings::Acme(_) => {
            let path = KeyPath::of(["server", "tls", "acme"]);
            let fault = around.places.fault(&path, "is not served yet", "use `certificate` and `key`");
            return Err(Faults::from(fault).into());
        }
    };
    Ok(Opened { tls: Tls::new(certificates, None)?, keep_fresh })
}

/// The certificate in the files; what is doubtful about it goes to the log.
///
/// # Errors
/// A fault with its line where there is none that can be shown.
pub(super) async fn from_files(
    files: &CertificateFiles,
    host: Option<&str>,
    places: &Places,
    ambient: &Ambient,
) -> Result<Arc<CertifiedKey>, Faults> {
    let certificate = files.load().await.map_err(|error| {
        let setting = match &error {
            CertificateError::Unreadable { path, .. } if *path == files.key => "key",
            CertificateError::NoKey { .. } => "key",
            _ => "certificate",
        };
        Faults::from(places.fault_in_words(&KeyPath::of(["server", "tls", setting]), &error.to_string()))
    })?;
    for doubt in doubts(&certificate, host, &*ambient.clock) {
        tracing::warn!(file = %files.certificate.display(), "the certificate is doubtful: {doubt}");
    }
    Ok(certificate)
}
