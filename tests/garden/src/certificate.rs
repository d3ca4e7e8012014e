//! The certificates that a garden shows: of an authority that only its doctor trusts, by way of an
//! intermediate one, as public authorities do it.

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::NAME;

/// The certificate that is shown.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The names it is for.
    pub names: Vec<String>,
    /// From when it holds: year, month, day.
    pub not_before: (i32, u8, u8),
    /// Until when it holds: year, month, day. The garden's clock begins at 2026-01-01.
    pub not_after: (i32, u8, u8),
    /// Who signed it.
    pub signed_by: SignedBy,
    /// Whether the certificate of the intermediate authority is sent with it.
    pub with_intermediate: bool,
}

/// Who signed a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignedBy {
    /// An intermediate authority below the one that is trusted.
    Intermediate,
    /// An intermediate authority below one that nobody trusts.
    Strangers,
    /// Itself.
    Itself,
}

impl Default for Certificate {
    fn default() -> Self {
        Self {
            names: vec![NAME.to_owned()],
            not_before: (2025, 1, 1),
            not_after: (2040, 1, 1),
            signed_by: SignedBy::Intermediate,
            with_intermediate: true,
        }
    }
}

/// Certificates and the key of the first of them.
pub(crate) struct Chain {
    pub(crate) certificates: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    /// The authority that has to be trusted.
    pub(crate) root: CertificateDer<'static>,
}

impl Certificate {
    /// Makes it, with authorities of its own.
    pub(crate) fn issue(&self) -> Chain {
        let (root, trusted) = authority("Garden Root", None);
        let (_, strange) = authority("Strange Root", None);
        let above = if self.signed_by == SignedBy::Strangers { &strange } else { &trusted };
        let (intermediate, issuer) = authority("Garden Intermediate", Some(above));
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(self.names.clone()).expect("names");
        params.distinguished_name = named(self.names.first().map_or("nobody", String::as_str));
        let ((from_year, from_month, from_day), (year, month, day)) = (self.not_before, self.not_after);
        params.not_before = date_time_ymd(from_year, from_month, from_day);
        params.not_after = date_time_ymd(year, month, day);
        let leaf =
            if self.signed_by == SignedBy::Itself { params.self_signed(&key) } else { params.signed_by(&key, &issuer) };
        let mut certificates = vec![leaf.expect("a certificate").der().clone()];
        if self.with_intermediate && self.signed_by != SignedBy::Itself {
            certificates.push(intermediate);
        }
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        Chain { certificates, key, root }
    }
}

fn authority(
    name: &str,
    above: Option<&Issuer<'static, KeyPair>>,
) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name = named(name);
    let certificate = match above {
        Some(above) => params.signed_by(&key, above),
        None => params.self_signed(&key),
    };
    let certificate = certificate.expect("a certificate").der().clone();
    (certificate, Issuer::new(params, key))
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}
