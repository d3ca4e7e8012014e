//! What is the same of every JWT whose signature is checked here, whoever sent it: which algorithms
//! there are, and which key fits which. What its claims have to say is for those who ask for it.

mod signature;

use jsonwebtoken::{
    Algorithm,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};

pub(crate) use signature::install;

/// What is checked; anything else, `none` and shared secrets among them, is not.
pub(crate) const ALGORITHMS: [(Algorithm, &str); 4] = [
    (Algorithm::RS256, "RS256"),
    (Algorithm::PS256, "PS256"),
    (Algorithm::ES256, "ES256"),
    (Algorithm::EdDSA, "EdDSA"),
];

/// An algorithm whose signatures are checked here: with public keys alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningAlgorithm(Algorithm, &'static str);

impl SigningAlgorithm {
    /// All of them: RS256, PS256, ES256 and EdDSA.
    #[must_use]
    pub fn all() -> Vec<Self> {
        ALGORITHMS.into_iter().map(|(algorithm, name)| Self(algorithm, name)).collect()
    }

    /// The one of that name (RFC 7518 §3.1, RFC 8037 §3.1); `None` for what is not checked here, `none`
    /// and the shared secrets of `HS256` among it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|algorithm| algorithm.1 == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.1
    }

    pub(crate) const fn algorithm(self) -> Algorithm {
        self.0
    }
}

/// The algorithms, as metadata names them.
pub(crate) fn algorithm_names() -> impl Iterator<Item = &'static str> {
    ALGORITHMS.into_iter().map(|(_, name)| name)
}

/// The algorithm of that name; `None` for one that is not taken.
pub(crate) fn algorithm_named(name: &str) -> Option<Algorithm> {
    ALGORITHMS.into_iter().find(|(_, other)| *other == name).map(|(algorithm, _)| algorithm)
}

/// Whether a key may have made a signature: for signatures, of the algorithm's own kind (RFC 8725
/// §3.1), and the one that is named.
pub(crate) fn fits(key: &Jwk, algorithm: Algorithm, kid: Option<&str>) -> bool {
    let named = kid.is_none_or(|kid| key.common.key_id.as_deref() == Some(kid));
    named && is_for(key, algorithm)
}

/// Whether a key is for signatures of this algorithm.
pub(crate) fn is_for(key: &Jwk, algorithm: Algorithm) -> bool {
    let kind = match (&key.algorithm, algorithm) {
        (AlgorithmParameters::RSA(_), Algorithm::RS256 | Algorithm::PS256) => true,
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES256) => curve.curve == EllipticCurve::P256,
        (AlgorithmParameters::OctetKeyPair(curve), Algorithm::EdDSA) => curve.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let common = &key.common;
    let own = common.key_algorithm.is_none_or(|own| Algorithm::try_from(own).is_ok_and(|own| own == algorithm));
    let signs = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    kind && own && signs && verifies
}
