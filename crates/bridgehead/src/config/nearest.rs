//! Which known name a misspelt one was most likely meant to be.

/// The nearest of `known`, if one is near enough to be what was meant.
pub(super) fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let name = plain(name);
    let known: Vec<_> = known.into_iter().collect();
    let slip = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), *known))
        .filter(|(distance, known)| *distance <= (known.len().max(name.len()) / 3).clamp(1, 6))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known);
    let abbreviation = || known.into_iter().find(|known| name.len() >= 3 && plain(known).starts_with(&name));
    slip.or_else(abbreviation)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["listen", "public_url", "path", "allowed_hosts"];
        for (name, expected) in [
            ("lisen", Some("listen")),
            ("publicUrl", Some("public_url")),
            ("public-url", Some("public_url")),
            ("LISTEN", Some("listen")),
            ("allow_hosts", Some("allowed_hosts")),
            ("allowed", Some("allowed_hosts")),
            ("certificate", None),
            ("port", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
