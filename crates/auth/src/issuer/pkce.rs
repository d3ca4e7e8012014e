//! PKCE (RFC 7636) with the method S256 alone: `plain` protects nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether a text can be a challenge of S256 (§4.2): 32 bytes in base64url.
pub(crate) fn is_challenge(text: &str) -> bool {
    text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Whether a text can be a verifier (§4.1).
pub(crate) fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// Whether the challenge was made of the verifier (§4.6).
pub(crate) fn fits(verifier: &str, challenge: &str) -> bool {
    let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    is_verifier(verifier) && made.as_bytes().ct_eq(challenge.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    #[test]
    fn the_example_of_the_standard_fits() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_challenge(challenge) && fits(verifier, challenge));
        assert!(!fits(challenge, challenge), "plain is not taken");
        assert!(!fits("", challenge) && !fits(&verifier[1..], challenge) && !fits(verifier, ""));
    }

    #[test]
    fn what_cannot_be_one_is_refused() {
        for text in
            ["", "a", &"a".repeat(42), &"a".repeat(44), &"+".repeat(43), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c="]
        {
            assert!(!is_challenge(text), "{text}");
        }
        for text in ["", &"a".repeat(42), &"a".repeat(129), &"ä".repeat(30), &"+".repeat(43)] {
            assert!(!is_verifier(text), "{text}");
        }
        assert!(is_verifier(&"~".repeat(128)));
    }
}
