//! Answers an authority that looks at a challenge, from what the replica with the order put into
//! the store.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use bridgehead_auth::{CertificateStore, ChallengeKind};
use bridgehead_core::Clock;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{pki_types::PrivateKeyDer, sign::CertifiedKey};
use sha2::{Digest, Sha256};

use crate::tls::{Challenges, provider};

/// Tokens are base64url of 128 bits or more (RFC 8555 §8); no authority makes longer ones.
const MAX_TOKEN: usize = 256;

/// The challenges in the store.
pub(super) struct StoredChallenges {
    store: Arc<dyn CertificateStore>,
    clock: Arc<dyn Clock>,
    names: BTreeSet<String>,
}

impl StoredChallenges {
    pub(super) fn new(store: Arc<dyn CertificateStore>, clock: Arc<dyn Clock>, names: BTreeSet<String>) -> Self {
        Self { store, clock, names }
    }

    async fn answer(&self, kind: ChallengeKind, key: &str) -> Option<String> {
        match self.store.challenge_answer(kind, key, self.clock.now()).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(%error, challenge = kind.as_str(), "a certificate authority cannot be answered");
                None
            }
        }
    }
}

#[async_trait]
impl Challenges for StoredChallenges {
    async fn tls_alpn(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        // Strangers must not make the store work with names of their own.
        if !self.names.contains(&name) {
            return None;
        }
        let answer = self.answer(ChallengeKind::TlsAlpn01, &name).await?;
        match certificate(&name, &answer) {
            Ok(certificate) => Some(certificate),
            Err(error) => {
                tracing::error!(error, name, "the certificate for a challenge cannot be made");
                None
            }
        }
    }

    async fn http(&self, token: &str) -> Option<String> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if token.len() > MAX_TOKEN || !token.bytes().all(legal) {
            return None;
        }
        self.answer(ChallengeKind::Http01, token).await
    }
}

/// The certificate for a challenge: for the name alone, with the digest of the key authorization in
/// a critical extension (RFC 8737 §3).
fn certificate(name: &str, key_authorization: &str) -> Result<Arc<CertifiedKey>, Box<dyn std::error::Error>> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    let digest = Sha256::digest(key_authorization.as_bytes());
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(&digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = provider().key_provider.load_private_key(PrivateKeyDer::Pkcs8(key.serialize_der().into()))?;
    // Not `from_der`, which reads the certificate and refuses the extension that it does not know.
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_for_the_name_alone_with_the_digest_in_a_critical_extension() {
        let made = certificate("mcp.example.com", "token.thumbprint").unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&made.cert[0]).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [x509_parser::extensions::GeneralName::DNSName("mcp.example.com")]);
        let acme = parsed.extensions().iter().find(|found| found.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        assert!(acme.critical);
        let digest = Sha256::digest(b"token.thumbprint");
        assert_eq!(acme.value, [&[0x04, 32][..], &digest].concat(), "an octet string of the digest");
    }
}
