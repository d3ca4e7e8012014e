//! HTTPS that ends here: opens what `[server.tls]` names, and keeps it fresh while the server runs.

use std::sync::Arc;

use bridgehead_auth::ChallengeKind;
use bridgehead_outbound::{Client, Limits};
use bridgehead_server::{
    Metrics, Tls,
    tls::{
        Certificates, CertifiedKey, Challenges,
        acme::{self, Acme, AcmeParts},
        doubts,
        files::{CertificateError, CertificateFiles, certificates_in},
        self_signed::self_signed,
    },
};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Ambient, ComposeError, Keyring};
use crate::config::{
    Faults, KeyPath, Places,
    settings::{AcmeChallenge, AcmeSettings, CertificateSettings, TlsSettings},
};

/// Renews or reloads the certificate until the server goes down.
type KeepFresh = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// TLS, ready for a listener.
pub(super) struct Opened {
    pub(super) tls: Tls,
    pub(super) keep_fresh: KeepFresh,
    /// The one that is shown, if there is one yet.
    pub(super) certificates: Arc<Certificates>,
}

/// What `open` needs beside the settings.
pub(super) struct Around<'a> {
    pub(super) places: &'a Places,
    pub(super) ambient: &'a Ambient,
    pub(super) metrics: &'a Metrics,
    pub(super) keyring: &'a Keyring,
    pub(super) public_url: &'a Url,
}

/// Reads or makes the certificate.
///
/// # Errors
/// A fault with its line where files hold no certificate that can be shown.
pub(super) async fn open(settings: &TlsSettings, around: &Around<'_>) -> Result<Opened, ComposeError> {
    let certificates = Arc::new(Certificates::new(around.metrics.clone()));
    let host = around.public_url.host_str().map(str::to_owned);
    let mut challenges: Option<Arc<dyn Challenges>> = None;
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
        CertificateSettings::Acme(settings) => {
            let mut acme = driver(settings, around, certificates.clone())?;
            challenges = Some(acme.challenges());
            acme.show_stored().await?;
            Box::new(move |shutdown| Box::pin(acme.keep_fresh(shutdown)))
        }
    };
    Ok(Opened { tls: Tls::new(certificates.clone(), challenges)?, keep_fresh, certificates })
}

/// What orders certificates; nothing is asked of the authority yet.
///
/// # Errors
/// A fault with its line where `directory_root` holds no certificate.
fn driver(settings: &AcmeSettings, around: &Around<'_>, certificates: Arc<Certificates>) -> Result<Acme, ComposeError> {
    let order = acme::AcmeSettings {
        directory: settings.directory.clone(),
        email: settings.email.clone(),
        names: settings.domains.clone(),
        challenge: match settings.challenge {
            AcmeChallenge::TlsAlpn01 => ChallengeKind::TlsAlpn01,
            AcmeChallenge::Http01 => ChallengeKind::Http01,
        },
        external_account: settings.external_account.clone(),
    };
    let net = around.ambient.net.clone();
    let net = match directory_root(settings, around.places)? {
        Some(roots) => net.with_roots(roots),
        None => net,
    };
    let parts = AcmeParts {
        store: around.keyring.store.certificates.clone(),
        vault: around.keyring.vault.clone(),
        client: Client::configured(net, Limits::CONFIGURED),
        clock: around.ambient.clock.clone(),
        randomness: around.ambient.randomness.clone(),
    };
    Ok(Acme::new(order, parts, certificates))
}

/// What `directory_root` holds, each in DER; `None` where the system's authorities suffice.
///
/// # Errors
/// A fault with its line where there is no certificate in it.
pub(super) fn directory_root(settings: &AcmeSettings, places: &Places) -> Result<Option<Vec<Vec<u8>>>, Faults> {
    let Some(path) = &settings.directory_root else { return Ok(None) };
    certificates_in(path).map(Some).map_err(|error| {
        let path = KeyPath::of(["server", "tls", "acme", "directory_root"]);
        Faults::from(places.fault_in_words(&path, &error.to_string()))
    })
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
