//! Bridgehead's own secrets, known by how they begin: they are never handed to the system behind.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{secrets, text::SecretKind};

/// What secrets of our own begin with: those that are issued here, and root keys.
fn prefixes() -> impl Iterator<Item = &'static str> {
    SecretKind::ALL.into_iter().map(SecretKind::prefix).chain([secrets::PREFIX])
}

/// With or without the padding, and whatever its last bits are: what an upstream may accept.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Whether a header's value has a secret of our own in it, good or not: alone, as one word of
/// several, or as user name or password of `Basic` (RFC 7617). It may stand wherever a teammate
/// could have put it by mistake.
pub(crate) fn holds_own_secret(value: &str) -> bool {
    if has_one(value.as_bytes()) {
        return true;
    }
    let Some((scheme, rest)) = value.split_once([' ', '\t']) else { return false };
    scheme.eq_ignore_ascii_case("basic") && LENIENT.decode(rest.trim()).is_ok_and(|pair| has_one(&pair))
}

/// Whether one of the prefixes stands at the beginning of a word.
fn has_one(text: &[u8]) -> bool {
    prefixes().any(|prefix| {
        let mut windows = text.windows(prefix.len()).enumerate();
        windows.any(|(at, window)| {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            window == prefix.as_bytes() && before.is_none_or(|byte| !byte.is_ascii_alphanumeric())
        })
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn our_own_are_found_wherever_they_stand() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        for value in [
            "bhk_0123456789AB_x",
            "bhk_",
            "Bearer bhk_damaged",
            "Token token=\"bhk_x\"",
            "a,bhk_x",
            "Bearer bha_x",
            "bhw_x",
            "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            &basic("alice:bhk_x"),
            &basic("bhk_x:"),
            basic("alice:bhk_xy").trim_end_matches('='),
            &basic("alice:bhk_x").replace("Basic", "bASIC "),
        ] {
            assert!(holds_own_secret(value), "{value}");
        }
        for value in ["", "crm-key", "Bearer abhk_x", "0bhs_", &basic("alice:hunter2"), "Basic ???", "BHK_x"] {
            assert!(!holds_own_secret(value), "{value}");
        }
    }
}
