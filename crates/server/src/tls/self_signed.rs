//! A certificate that nobody trusts, made at the start and gone at the end: to try HTTPS on this
//! machine. Agent platforms refuse it.

use std::sync::Arc;

use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
use rustls::{pki_types::PrivateKeyDer, sign::CertifiedKey};

use super::provider;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SelfSignedError {
    /// A name that cannot stand in a certificate.
    #[error("a certificate cannot be made for these names: {0}")]
    Names(#[from] rcgen::Error),
    /// It cannot be used.
    #[error("the certificate that was made cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Makes one for `localhost`, the loopback addresses and `host`.
///
/// # Errors
/// [`SelfSignedError`].
pub fn self_signed(host: Option<&str>) -> Result<Arc<CertifiedKey>, SelfSignedError> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if let Some(host) = host.map(|host| host.trim_matches(['[', ']']).to_owned()).filter(|host| !names.contains(host)) {
        names.push(host);
    }
    let Made { cert, signing_key } = generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    Ok(Arc::new(CertifiedKey::from_der(vec![cert.der().clone()], key, &provider())?))
}
