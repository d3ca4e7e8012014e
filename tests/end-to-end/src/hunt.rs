//! Looks for secrets where they must not be: whole, in part, and in the forms in which they travel.

use std::collections::{BTreeSet, HashMap};

use base64::{Engine as _, engine::general_purpose};

/// A shorter part of a secret may stand anywhere by chance.
const PART: usize = 10;

/// Something secret, by a name that a failed test may show.
pub struct Hunted {
    name: String,
    forms: BTreeSet<Vec<u8>>,
}

impl Hunted {
    /// What to look for. `secret` is all of it that is secret: no scheme, no public id.
    #[must_use]
    pub fn new(name: &str, secret: &str) -> Self {
        assert!(secret.len() >= PART, "{name} is too short to be told from other text");
        let mut forms = BTreeSet::new();
        let bytes = secret.as_bytes();
        forms.extend(bytes.windows(PART).map(<[u8]>::to_vec));
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = bytes.iter().map(|byte| percent(*byte)).collect();
        for whole in
            [hex.clone(), hex.to_uppercase(), percent.clone(), percent.to_lowercase(), secret.replace('/', "\\/")]
        {
            forms.insert(whole.into_bytes());
        }
        // In base64 it looks different by what stands before it: the user of `Basic`, `Bearer `.
        for (engine, before) in [&general_purpose::STANDARD_NO_PAD, &general_purpose::URL_SAFE_NO_PAD]
            .into_iter()
            .flat_map(|engine| (0..3).map(move |before| (engine, before)))
        {
            let padded = [vec![0; before], bytes.to_vec()].concat();
            let encoded = engine.encode(&padded).into_bytes();
            let (start, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
            forms.insert(encoded[start..end].to_vec());
        }
        Self { name: name.to_owned(), forms }
    }

    /// Whether it stands in there.
    #[must_use]
    pub fn is_in(&self, text: &[u8]) -> bool {
        self.forms.iter().any(|form| text.windows(form.len()).any(|window| window == form))
    }
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        return char::from(byte).to_string();
    }
    format!("%{byte:02X}")
}

/// All texts in which nothing secret may stand, each by what it is.
#[derive(Default)]
pub struct Haystack(Vec<(String, Vec<u8>)>);

impl Haystack {
    /// Adds one.
    pub fn add(&mut self, what: &str, text: impl AsRef<[u8]>) {
        self.0.push((what.to_owned(), text.as_ref().to_vec()));
    }

    /// How many bytes there are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(_, text)| text.len()).sum()
    }

    /// The text of that name, so that a test can say that something was there at all.
    #[must_use]
    pub fn text(&self, what: &str) -> String {
        let texts = self.0.iter().filter(|(name, _)| name == what);
        texts.map(|(_, text)| String::from_utf8_lossy(text)).collect()
    }

    /// Every place where something secret stands, with what is around it: the first of each secret in
    /// each text.
    #[must_use]
    pub fn finds(&self, hunted: &[Hunted]) -> Vec<String> {
        // One pass over each text for all forms of all secrets: logs are long.
        let mut starts: HashMap<&[u8], Vec<(&str, &[u8])>> = HashMap::new();
        for one in hunted {
            for form in &one.forms {
                starts.entry(&form[..PART]).or_default().push((&one.name, form));
            }
        }
        let mut found = Vec::new();
        for (what, text) in &self.0 {
            let mut seen = BTreeSet::new();
            for (at, window) in text.windows(PART).enumerate() {
                for (name, form) in starts.get(window).into_iter().flatten() {
                    if text[at..].starts_with(form) && seen.insert(*name) {
                        let around = &text[at.saturating_sub(160)..(at + 60).min(text.len())];
                        found.push(format!("{name} in {what}: …{}…", String::from_utf8_lossy(around)));
                    }
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let secret = "s3cr3t/9fQ+zLw7~vT2=Ke";
        let hunted = Hunted::new("a secret", secret);
        let basic = general_purpose::STANDARD.encode(format!("alice:{secret}"));
        let bearer = general_purpose::URL_SAFE_NO_PAD.encode(format!("Bearer {secret} "));
        for text in [
            format!("Bearer {secret}"),
            "cut off: s3cr3t/9fQ+…".to_owned(),
            "…zLw7~vT2=Ke".to_owned(),
            format!("Basic {basic}"),
            bearer,
            "key=s3cr3t%2F9fQ%2BzLw7~vT2%3DKe&x".to_owned(),
            "7333637233742f3966512b7a4c77377e7654323d4b65".to_owned(),
        ] {
            assert!(hunted.is_in(text.as_bytes()), "{text}");
        }
        assert!(!hunted.is_in(b"s3cr3t/9f and zLw7~vT2"));
        let mut haystack = Haystack::default();
        haystack.add("log", "nothing");
        haystack.add("answer", format!("it says {basic}"));
        assert_eq!(haystack.finds(&[hunted]).len(), 1);
    }
}
