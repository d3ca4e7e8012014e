//! `WWW-Authenticate` taken apart (RFC 9110 §11.6.1). Lenient, as clients are: what it cannot read it leaves out.

use http::{HeaderMap, header};

/// One challenge: its scheme, and its parameters in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter; names are compared without regard to case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The challenges of an answer, of all its headers in order.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(header::WWW_AUTHENTICATE).iter();
    values.flat_map(|value| of_text(&String::from_utf8_lossy(value.as_bytes()))).collect()
}

/// The challenge of the scheme `Bearer`, if there is one; of several that which says where the metadata is.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Challenge> {
    let all = challenges(headers).into_iter();
    let mut all = all.filter(|challenge| challenge.scheme.eq_ignore_ascii_case("bearer"));
    let first = all.next()?;
    let names_metadata = |challenge: &Challenge| challenge.parameter("resource_metadata").is_some();
    if names_metadata(&first) { Some(first) } else { all.find(names_metadata).or(Some(first)) }
}

fn of_text(text: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        if word.is_empty() {
            // A stray quote or equals sign: the next word may make sense again.
            let mut characters = rest.chars();
            if characters.next().is_none() {
                return challenges;
            }
            rest = characters.as_str();
            continue;
        }
        let behind = behind.trim_start_matches([' ', '\t']);
        match (behind.strip_prefix('='), challenges.last_mut()) {
            (Some(value), Some(challenge)) => {
                let (value, behind) = value_of(value.trim_start_matches([' ', '\t']));
                challenge.parameters.push((word.to_owned(), value));
                rest = behind;
            }
            (Some(behind), None) => rest = behind,
            (None, _) => {
                challenges.push(Challenge { scheme: word.to_owned(), parameters: Vec::new() });
                rest = behind;
            }
        }
    }
}

/// A token or a quoted string, and what stands behind it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, behind) = text.split_at(text.find([' ', '\t', ',']).unwrap_or(text.len()));
        return (value.to_owned(), behind);
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let challenges = of_text(text);
        let shown = challenges.iter().map(|challenge| {
            let parameters = challenge.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            format!("{}{}", challenge.scheme, parameters.collect::<String>())
        });
        shown.collect()
    }

    #[test]
    fn what_servers_write_is_read() {
        let rows: [(&str, &[&str]); 8] = [
            ("Bearer", &["Bearer"]),
            (r#"Bearer realm="a, b", scope="x y""#, &["Bearer realm=a, b scope=x y"]),
            (r#"Bearer error=invalid_token,  scope = "x""#, &["Bearer error=invalid_token scope=x"]),
            (
                r#"Basic realm="r", Bearer resource_metadata="https://x/y""#,
                &["Basic realm=r", "Bearer resource_metadata=https://x/y"],
            ),
            (r#"Bearer realm="say \"x\"", error="e""#, &[r#"Bearer realm=say "x" error=e"#]),
            (r#"Bearer realm="unclosed"#, &["Bearer realm=unclosed"]),
            ("", &[]),
            ("= \" ,", &[]),
        ];
        for (text, expected) in rows {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn of_several_challenges_the_one_with_the_metadata_counts() {
        let header = |value| (header::WWW_AUTHENTICATE, http::HeaderValue::from_static(value));
        let several =
            [header("Bearer realm=\"old\""), header("basic realm=x, bearer resource_metadata=\"https://x/y\"")];
        let challenge = bearer(&several.into_iter().collect()).unwrap();
        assert_eq!(challenge.parameter("Resource_Metadata"), Some("https://x/y"));
        let alone = bearer(&HeaderMap::from_iter([header("Bearer")])).unwrap();
        assert_eq!(alone.parameter("resource_metadata"), None);
    }

    proptest! {
        /// Whatever a server writes, there is an end to reading it.
        #[test]
        fn anything_is_read_to_its_end(text in any::<String>()) {
            let challenges = of_text(&text);
            prop_assert!(challenges.len() <= text.len());
        }
    }
}
