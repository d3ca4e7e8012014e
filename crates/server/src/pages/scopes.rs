//! Scopes in the words of people.

/// What a grant or key with these scopes may do: `Reads and changes`, for example. Scopes of the
/// server's own stand there as they are.
pub(super) fn in_words(scopes: &[String]) -> String {
    let has = |scope: &str| scopes.iter().any(|granted| granted == scope);
    // Writing implies reading.
    let mut words = match (has("tools:read"), has("tools:write")) {
        (_, true) => vec!["Reads and changes"],
        (true, false) => vec!["Only reads"],
        (false, false) => Vec::new(),
    };
    words.extend(scopes.iter().map(String::as_str).filter(|scope| !scope.starts_with("tools:")));
    if words.is_empty() { "May do nothing".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn scopes_read_as_words() {
        let rows: [(&[&str], &str); 5] = [
            (&["tools:read"], "Only reads"),
            (&["tools:write"], "Reads and changes"),
            (&["tools:read", "tools:write"], "Reads and changes"),
            (&["tools:read", "orders:approve"], "Only reads, orders:approve"),
            (&[], "May do nothing"),
        ];
        for (scopes, words) in rows {
            let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
            assert_eq!(in_words(&scopes), words);
        }
    }
}
