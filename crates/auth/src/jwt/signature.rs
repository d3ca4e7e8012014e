//! Checks the signatures of JWTs with ring, which is here for TLS anyway. `jsonwebtoken` reads
//! them and leaves the cryptography to a provider; this one has public keys alone and signs nothing.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature,
};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Lets `jsonwebtoken` check signatures. The first provider of a process stays, whoever installed it.
pub(crate) fn install() {
    let _ = PROVIDER.install_default();
}

struct Verifier {
    algorithm: Algorithm,
    key: Key,
}

enum Key {
    Bytes(&'static dyn VerificationAlgorithm, Vec<u8>),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    let key = match (algorithm, key.family(), key.kind()) {
        (Algorithm::RS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Key::Rsa(&RSA_PKCS1_2048_8192_SHA256, components(n, e))
        }
        (Algorithm::PS256, AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Key::Rsa(&RSA_PSS_2048_8192_SHA256, components(n, e))
        }
        (Algorithm::ES256, AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            Key::Bytes(&ECDSA_P256_SHA256_FIXED, point.clone())
        }
        (Algorithm::EdDSA, AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point)) => {
            Key::Bytes(&ED25519, point.clone())
        }
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    Ok(Box::new(Verifier { algorithm: *algorithm, key }))
}

/// ring takes numbers without leading zeros alone, and some write them.
fn components(n: &[u8], e: &[u8]) -> RsaPublicKeyComponents<Vec<u8>> {
    let bare = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect();
    RsaPublicKeyComponents { n: bare(n), e: bare(e) }
}

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let verified = match &self.key {
            Key::Bytes(algorithm, bytes) => UnparsedPublicKey::new(*algorithm, bytes).verify(message, signature),
            Key::Rsa(parameters, components) => components.verify(parameters, message, signature),
        };
        verified.map_err(|_unspecified| signature::Error::new())
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{crypto, jwk::Jwk};
    use serde_json::{Value, json};

    use super::*;

    const RSA_N: &str = "orA4iDw70Ls6MWxpXEsiiNsG_EK8u7K-qHIQ78DsN1jOvqO8URlcRMvTHCVwy4O8u05zLeZrJ_T1wBFerI5d3aqV8vm5E65P5kgSmk6eNa3DE349yXnMZYXooMU5yA9zZUhKUwW7XhSw5nqh-7QaECSSTaHkEDrLEc5uQTnt0upvcRk7isvmXfx35-4OL8EFo_ul_kP8ESAQ7V-PWNwDlh-yv0ce-fcrWR-t6-Ov_eAoyQybM14J7q3mvvPm168CbMtjuT53fA8CepbdUAoacN6WS7Ekov3al90XPUC9Fvdt8jYid6UTTtPrTReetYPng5pf3iiF6E_HbAF4CW1_Fw";

    /// Signed by openssl, but for the two that stand in RFC 7515 §A.3 and RFC 8037 §A.4.
    fn vectors() -> [(Algorithm, Value, &'static str); 4] {
        [
            (
                Algorithm::RS256,
                json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"}),
                "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.UTE8MSYX5uknfaQNYSCyieZv4r7Xk10GvcuJ7WLogblFp6dTaewqQSERccFp911R6FD0ktWAH0CVl8OCOKKRNywPVYfWXgvpmN0mrhpOPBj7NIHor0_XU1ycfBXrOiEYsX5lTRxY03QxfpLI_qehwNCAdw6cwb-vZ7aYkHSDeWypVaOaUVi7V1pohksMlob_PAM7rf7MX1rJFo0xgJpR9BgZioOWhJR1uOOJEQTl_hg2KGiDFvDDReImrjtEKLJkFA5uQFNYsvu5UZvzca8tDRpuKn1T4kQfkdkXlYhgkQnzjlIPZQQDGW8Xgv483pYik3SPwueukzZDdjcRzI_i2A",
            ),
            (
                Algorithm::PS256,
                // With a zero before it, as some write numbers.
                json!({"kty": "RSA", "n": RSA_N, "e": "AAEAAQ"}),
                "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJhIn0.ADuof_8ruXceFsM2EMO88PoA9ZFKT5T61eQ_DEDcv9OclYnkPIZWWCkCF7_aSw80y5yYNx8oSV2nPj3dh4PiPT8RSvmcQdootzGFC1jMETnrrvPxznqJ-D4LaLz9sYQQ-4X5KWu0y7vlfrwlDDZ-PjxfI1CI46I5YfaWTCZuVAt6_C4WRnJqNFUrNj0F2iKkP4iDf39QtIBVU1TtIbb9KTdHcpz2tIJ54eUC707w8lgytGxw-7MBk6OURg_KRXuHBtFM6htF4IQpKAPh81hRNBxncSlsgGID9Ad4O-RHAwZtmGcAy_kxp9jBxclQn2rYF-5HvSu-DNpTq04OdM9Zsg",
            ),
            (
                Algorithm::ES256,
                json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
                "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                Algorithm::EdDSA,
                json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ]
    }

    fn verify(token: &str, key: &Value, algorithm: Algorithm) -> Result<bool> {
        install();
        let jwk: Jwk = serde_json::from_value(key.clone()).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        crypto::verify(signature, message.as_bytes(), &DecodingKey::from_jwk(&jwk)?, algorithm)
    }

    #[test]
    fn a_good_signature_is_good_for_its_text_and_key_alone() {
        for (algorithm, key, token) in vectors() {
            assert!(verify(token, &key, algorithm).unwrap(), "{algorithm:?}");
            let other_text = token.replacen('.', ".x", 1);
            assert!(!verify(&other_text, &key, algorithm).unwrap(), "{algorithm:?}");
            let (message, _) = token.rsplit_once('.').unwrap();
            assert!(!verify(&format!("{message}."), &key, algorithm).unwrap(), "{algorithm:?}");
        }
    }

    /// RFC 8725 §3.1: a key is for algorithms of its own kind.
    #[test]
    fn no_algorithm_takes_the_key_of_another_kind() {
        for (algorithm, key, token) in vectors() {
            for (other, ..) in vectors() {
                let good = verify(token, &key, other).unwrap_or(false);
                assert_eq!(good, other == algorithm, "{algorithm:?} as {other:?}");
            }
            for other in [Algorithm::HS256, Algorithm::HS512, Algorithm::ES384, Algorithm::RS512, Algorithm::PS384] {
                assert!(verify(token, &key, other).is_err(), "{algorithm:?} as {other:?}");
            }
        }
    }
}
