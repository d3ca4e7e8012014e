//! What the replicas of one store share to get a certificate over ACME (RFC 8555): the account,
//! the certificate, open challenges, and whose turn it is to order. How one is ordered is not said
//! here.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Sealed, StoreError};

/// Which certificate: the directory of the authority and the names, so that other names, or another
/// authority, are another certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateId(String);

impl CertificateId {
    /// The certificate for these names, in whichever order, from the authority with this directory.
    #[must_use]
    pub fn new(directory: &str, names: &[String]) -> Self {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        // Neither a URL nor a DNS name has a blank in it.
        Self(format!("{directory} {}", names.join(" ")))
    }

    /// The text of an id, as a store keeps it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A certificate that was obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Which one.
    pub id: CertificateId,
    /// The certificate, then those between it and the root, in PEM.
    pub chain: String,
    /// The private key, sealed.
    pub key: Sealed,
    /// From when it is valid.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// When it was obtained.
    pub obtained_at: Timestamp,
}

/// How an authority looks whether a name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ChallengeKind {
    /// RFC 8737, looked for by name.
    TlsAlpn01,
    /// RFC 8555 §8.3, looked for by token.
    Http01,
}

impl ChallengeKind {
    /// What RFC 8555 and RFC 8737 call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Http01 => "http-01",
        }
    }
}

/// A challenge that an authority may come to look at. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeRecord {
    /// How it is looked for.
    pub kind: ChallengeKind,
    /// By what: the name for `tls-alpn-01`, the token for `http-01`.
    pub key: String,
    /// The key authorization (RFC 8555 §8.1).
    pub answer: String,
    /// From when nobody need answer it any more.
    pub expires_at: Timestamp,
}

/// What became of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// It is the asker's, until the time that was asked for.
    Taken,
    /// Somebody else has it.
    Held,
}

/// Attempts that came to nothing, since the last one that did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// How many, at least one.
    pub failures: u32,
    /// When the last one ended.
    pub failed_at: Timestamp,
    /// Before when nobody should try again.
    pub retry_at: Timestamp,
}

/// Where all of this lives. Every verb is atomic, and seen by all replicas at once. Times are kept
/// to the microsecond.
///
/// # Errors
/// All of them: what the store says.
#[async_trait]
pub trait CertificateStore: Send + Sync + 'static {
    /// The credentials of the account of that name.
    async fn acme_account(&self, name: &str) -> Result<Option<Sealed>, StoreError>;

    /// Keeps an account, in the place of an earlier one of that name.
    async fn keep_acme_account(&self, name: &str, credentials: &Sealed) -> Result<(), StoreError>;

    /// The certificate.
    async fn certificate(&self, id: &CertificateId) -> Result<Option<CertificateRecord>, StoreError>;

    /// Keeps a certificate, in the place of one that was obtained no later; of one that is newer
    /// nothing is changed.
    async fn keep_certificate(&self, record: &CertificateRecord) -> Result<(), StoreError>;

    /// Opens a challenge, in the place of an earlier one of that kind and key, and forgets those
    /// that had expired by `now`.
    async fn open_challenge(&self, challenge: &ChallengeRecord, now: Timestamp) -> Result<(), StoreError>;

    /// The answer to a challenge that is open and has not expired by `now`.
    async fn challenge_answer(
        &self,
        kind: ChallengeKind,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError>;

    /// Closes a challenge; one that is not open stays so.
    async fn close_challenge(&self, kind: ChallengeKind, key: &str) -> Result<(), StoreError>;

    /// Takes the lease, or renews it, until `until`: where nobody has it, where it ended by `now`,
    /// or where `owner` has it already. What is known of attempts stays.
    async fn take_lease(
        &self,
        id: &CertificateId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LeaseOutcome, StoreError>;

    /// Gives the lease back if `owner` has it, and says what came of it: an attempt that failed, or
    /// `None`, after which nothing is known of failed attempts any more. Where somebody else has it
    /// by now, nothing is changed.
    async fn give_lease_back(&self, id: &CertificateId, owner: &str, failed: Option<Attempt>)
    -> Result<(), StoreError>;

    /// What is known of attempts that failed.
    async fn failed_attempt(&self, id: &CertificateId) -> Result<Option<Attempt>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_names_makes_no_other_certificate_and_other_names_do() {
        let id = |directory: &str, names: &[&str]| {
            CertificateId::new(directory, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let both = id("https://a.example/dir", &["b.example", "a.example"]);
        assert_eq!(both.as_str(), "https://a.example/dir a.example b.example");
        assert_eq!(both, id("https://a.example/dir", &["a.example", "b.example", "a.example"]));
        assert_ne!(both, id("https://a.example/dir", &["a.example"]));
        assert_ne!(both, id("https://b.example/dir", &["a.example", "b.example"]));
    }
}
