//! Automatic certificates over ACME (RFC 8555): shows what the store has, orders a new one when it
//! is time, and answers the authority. Of several replicas of one store one orders, any of them
//! answers, and all show what was obtained.
//!
//! A certificate is renewed at two thirds of its life. An attempt that fails is followed by the next
//! one after minutes at first and hours at last, whichever replica makes it. A restart in the midst
//! of an order begins a new one; the account, and names that were proven, are kept.

mod challenges;
mod failure;
mod http;
mod order;
mod schedule;

use std::{sync::Arc, time::Duration};

use bridgehead_auth::{
    Attempt, CertificateId, CertificateRecord, CertificateStore, ChallengeKind, LeaseOutcome, StoreError, Vault,
};
use bridgehead_core::{Clock, Randomness, Secret};
use bridgehead_outbound::{Client, Configured};
use jiff::{SignedDuration, Timestamp};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use tokio_util::sync::CancellationToken;
use url::Url;

use self::{challenges::StoredChallenges, failure::Failure};
use super::{Certificates, Challenges, provider};

/// How long a replica that died holds the others up.
const LEASE: Duration = Duration::from_secs(60);
const RENEW_LEASE: Duration = Duration::from_secs(20);
/// How often the store is looked at for what another replica obtained: where there is nothing to
/// show, or it is time for something new.
const LOOK_SOON: Duration = Duration::from_secs(10);
/// And otherwise.
const LOOK: Duration = Duration::from_secs(300);
/// After the store failed.
const STORE_FAILED: Duration = Duration::from_secs(30);

/// What is asked of which authority.
#[derive(Debug, Clone)]
pub struct AcmeSettings {
    /// Where the authority's directory is.
    pub directory: Url,
    /// Whom the authority writes to.
    pub email: String,
    /// What the certificate is for: DNS names in lower case, at least one.
    pub names: Vec<String>,
    /// How the authority is shown that the names are ours.
    pub challenge: ChallengeKind,
    /// What new accounts are bound to (RFC 8555 §7.3.4): the key's id, and the key in base64url.
    pub external_account: Option<(String, Secret)>,
}

/// What the driver works with.
#[derive(Clone)]
pub struct AcmeParts {
    /// What replicas share.
    pub store: Arc<dyn CertificateStore>,
    /// Seals what is kept there.
    pub vault: Vault,
    /// How the authority is reached.
    pub client: Client<Configured>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes tokens and jitter.
    pub randomness: Arc<dyn Randomness>,
}

/// Gets certificates and shows them.
pub struct Acme {
    settings: AcmeSettings,
    parts: AcmeParts,
    certificates: Arc<Certificates>,
    id: CertificateId,
    /// Tells this process from the others.
    owner: String,
    /// What is shown now.
    shown: Option<Shown>,
    /// When the record was obtained that could not be shown, so that this is told once.
    unusable: Option<Timestamp>,
    /// What is known of attempts that failed.
    attempt: Option<Attempt>,
    /// Whether this process has tried yet.
    has_tried: bool,
    /// Before when this process does not try again, even if it could not tell the others.
    rests_until: Timestamp,
    /// What was obtained and is not in the store yet.
    obtained: Option<CertificateRecord>,
}

struct Shown {
    obtained_at: Timestamp,
    renew_at: Timestamp,
}

impl std::fmt::Debug for Acme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acme").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Acme {
    /// Shows nothing yet.
    #[must_use]
    pub fn new(settings: AcmeSettings, parts: AcmeParts, certificates: Arc<Certificates>) -> Self {
        let mut token = [0_u8; 16];
        parts.randomness.fill(&mut token);
        Self {
            id: CertificateId::new(settings.directory.as_str(), &settings.names),
            owner: token.iter().map(|byte| format!("{byte:02x}")).collect(),
            settings,
            parts,
            certificates,
            shown: None,
            unusable: None,
            attempt: None,
            has_tried: false,
            rests_until: Timestamp::MIN,
            obtained: None,
        }
    }

    /// Answers the authority from the store, whichever replica has the order.
    #[must_use]
    pub fn challenges(&self) -> Arc<dyn Challenges> {
        let names = self.settings.names.iter().cloned().collect();
        Arc::new(StoredChallenges::new(self.parts.store.clone(), self.parts.clock.clone(), names))
    }

    /// Shows the certificate that the store has, if there is one that is not shown yet.
    ///
    /// # Errors
    /// What the store says.
    pub async fn show_stored(&mut self) -> Result<(), StoreError> {
        if let Some(record) = self.parts.store.certificate(&self.id).await? {
            self.show(&record);
        }
        Ok(())
    }

    /// Shows a certificate, unless it is shown already.
    fn show(&mut self, record: &CertificateRecord) {
        let known = self.shown.as_ref().map(|shown| shown.obtained_at);
        if known == Some(record.obtained_at) || self.unusable == Some(record.obtained_at) {
            return;
        }
        match self.certified(record) {
            Ok(certificate) => {
                self.certificates.show(certificate);
                let renew_at = schedule::renewal(record, &*self.parts.randomness);
                tracing::info!(
                    names = self.names(), not_after = %record.not_after, %renew_at,
                    "a certificate from {} is shown", self.authority()
                );
                self.shown = Some(Shown { obtained_at: record.obtained_at, renew_at });
            }
            Err(why) => {
                self.unusable = Some(record.obtained_at);
                tracing::warn!(
                    names = self.names(),
                    "the certificate in the store cannot be used: {why}. A new one is asked for"
                );
            }
        }
    }

    /// Renews the certificate, and shows what other replicas obtained, until `shutdown`.
    pub async fn keep_fresh(mut self, shutdown: CancellationToken) {
        if self.shown.is_none() {
            tracing::warn!(
                names = self.names(),
                "there is no certificate yet: {} is asked for one, and until it is there no client can connect by HTTPS",
                self.authority()
            );
        }
        loop {
            let turn = async {
                let wait = match self.turn().await {
                    Ok(wait) => wait,
                    Err(error) => {
                        tracing::error!(%error, "the certificate cannot be looked after");
                        STORE_FAILED
                    }
                };
                self.parts.clock.sleep(wait).await;
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = turn => {}
            }
        }
        // Another replica need not wait for a lease that nobody uses.
        if let Err(error) = self.parts.store.give_lease_back(&self.id, &self.owner, self.attempt).await {
            tracing::debug!(%error, "the lease for the certificate could not be given back");
        }
    }

    /// Does what there is to do now; returns how long there is nothing more.
    async fn turn(&mut self) -> Result<Duration, StoreError> {
        self.keep_obtained().await?;
        self.show_stored().await?;
        if let Some(wait) = self.until_renewal() {
            return Ok(wait.min(LOOK));
        }
        self.attempt = self.parts.store.failed_attempt(&self.id).await?;
        if let Some(attempt) = &self.attempt {
            self.rests_until = self.rests_until.max(schedule::next_attempt(attempt, self.has_tried));
        }
        if let Some(wait) = self.until(self.rests_until) {
            return Ok(wait.min(LOOK_SOON));
        }
        if self.take_lease().await? == LeaseOutcome::Held {
            return Ok(LOOK_SOON);
        }
        // Another replica may have been done between the look and the lease.
        self.show_stored().await?;
        if let Some(wait) = self.until_renewal() {
            self.parts.store.give_lease_back(&self.id, &self.owner, None).await?;
            return Ok(wait.min(LOOK));
        }
        self.has_tried = true;
        let failed = match self.order_under_lease().await {
            Ok(record) => {
                self.show(&record);
                self.obtained = Some(record);
                self.keep_obtained().await?;
                None
            }
            Err(failure) => Some(self.failed(&failure)),
        };
        self.attempt = failed;
        self.rests_until = failed.map_or(Timestamp::MIN, |attempt| attempt.retry_at);
        self.parts.store.give_lease_back(&self.id, &self.owner, failed).await?;
        Ok(Duration::ZERO)
    }

    /// Puts what was obtained into the store; it is shown meanwhile, and not ordered again.
    async fn keep_obtained(&mut self) -> Result<(), StoreError> {
        if let Some(record) = &self.obtained {
            self.parts.store.keep_certificate(record).await?;
            self.obtained = None;
        }
        Ok(())
    }

    /// Orders a certificate while the lease is renewed.
    async fn order_under_lease(&self) -> Result<CertificateRecord, Failure> {
        let lost = async {
            let mut missed = 0;
            loop {
                self.parts.clock.sleep(RENEW_LEASE).await;
                match self.take_lease().await {
                    Ok(LeaseOutcome::Taken) => missed = 0,
                    Ok(LeaseOutcome::Held) => return Failure::LeaseLost,
                    // It has not ended yet.
                    Err(_) if missed < 1 => missed += 1,
                    Err(error) => return Failure::Store(error),
                }
            }
        };
        tokio::select! {
            obtained = self.obtain() => obtained,
            failure = lost => Err(failure),
        }
    }

    async fn take_lease(&self) -> Result<LeaseOutcome, StoreError> {
        let now = self.parts.clock.now();
        let until = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
        self.parts.store.take_lease(&self.id, &self.owner, now, until).await
    }

    /// Says what went wrong and when it is tried again.
    fn failed(&self, failure: &Failure) -> Attempt {
        let failed_at = self.parts.clock.now();
        let failures = self.attempt.map_or(0, |attempt| attempt.failures).saturating_add(1);
        let wait = schedule::backoff(failures, failure, &*self.parts.randomness);
        let retry_at = failed_at.checked_add(wait).unwrap_or(Timestamp::MAX);
        tracing::error!(
            names = self.names(), failures, %retry_at,
            "{} issued no certificate: {failure}", self.authority()
        );
        Attempt { failures, failed_at, retry_at }
    }

    /// How long until the certificate that is shown is renewed; `None` where it is time, or where
    /// there is none.
    fn until_renewal(&self) -> Option<Duration> {
        self.until(self.shown.as_ref()?.renew_at)
    }

    fn until(&self, at: Timestamp) -> Option<Duration> {
        let left: SignedDuration = at.duration_since(self.parts.clock.now());
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// What a record holds, ready to be shown.
    ///
    /// # Errors
    /// Why it cannot be, in words for the operator.
    fn certified(&self, record: &CertificateRecord) -> Result<Arc<CertifiedKey>, String> {
        let key = self.parts.vault.open(&key_purpose(&self.id), &record.key).map_err(|why| why.to_string())?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(record.chain.as_bytes()).collect();
        let chain = chain.map_err(|why| why.to_string())?;
        let key = PrivateKeyDer::Pkcs8(key.into());
        CertifiedKey::from_der(chain, key, &provider()).map(Arc::new).map_err(|why| why.to_string())
    }

    fn names(&self) -> String {
        self.settings.names.join(", ")
    }

    fn authority(&self) -> &str {
        self.settings.directory.host_str().unwrap_or_default()
    }
}

/// What the private key of a certificate is sealed as.
fn key_purpose(id: &CertificateId) -> String {
    format!("certificate key/{id}")
}
