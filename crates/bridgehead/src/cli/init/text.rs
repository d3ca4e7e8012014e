//! Texts as TOML, names as tools have them.

use std::fmt::Write as _;

/// A text as a TOML basic string (TOML 1.0 §String): one line, whatever the text holds.
pub(in crate::cli) fn string(text: &str) -> String {
    let mut string = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                string.push('\\');
                string.push(character);
            }
            '\n' => string.push_str("\\n"),
            _ if character.is_control() => {
                let _ = write!(string, "\\u{:04X}", u32::from(character));
            }
            _ => string.push(character),
        }
    }
    string.push('"');
    string
}

/// As [`string`], with single spaces between the words: for descriptions.
pub(in crate::cli) fn quoted(text: &str) -> String {
    string(&remark(text))
}

/// Texts as a TOML array on one line.
pub(in crate::cli) fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    format!("[{}]", texts.into_iter().map(string).collect::<Vec<_>>().join(", "))
}

/// A key as it stands in a table's name or before `=`.
pub(in crate::cli) fn key(text: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !text.is_empty() && text.bytes().all(bare) { text.to_owned() } else { string(text) }
}

/// What stands behind a `#`: one line, whatever the text holds.
pub(in crate::cli) fn remark(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `AlbumId`, `unit price` and `albumId` as `album_id` and `unit_price`: lower case, with `_` between
/// words, ASCII alone.
pub(in crate::cli) fn snake(text: &str) -> String {
    let mut name = String::new();
    let mut before = ' ';
    for character in text.chars() {
        let begins_word = character.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if (begins_word || !character.is_ascii_alphanumeric()) && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        if character.is_ascii_alphanumeric() {
            name.push(character.to_ascii_lowercase());
        }
        before = character;
    }
    name.trim_end_matches('_').to_owned()
}

/// Texts with commas between them, in lines that can be read.
pub(in crate::cli) fn wrapped(texts: &[String]) -> String {
    const WIDTH: usize = 100;
    let mut wrapped = String::new();
    let mut width = 0;
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            wrapped.push(',');
            width += 2;
            if width + text.len() > WIDTH {
                wrapped.push_str("\n      ");
                width = 0;
            }
            wrapped.push(' ');
        }
        wrapped.push_str(text);
        width += text.len();
    }
    wrapped
}

/// `1 tool`, `3 tools`.
pub(in crate::cli) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_snake_case() {
        for (text, name) in [
            ("AlbumId", "album_id"),
            ("HTTPServer", "httpserver"),
            ("unit price", "unit_price"),
            ("__x__", "x"),
            ("a--b", "a_b"),
            ("Größe", "gr_e"),
        ] {
            assert_eq!(snake(text), name);
        }
    }

    #[test]
    fn texts_stay_on_their_line() {
        assert!(!quoted("a\nb").contains('\n'));
        assert_eq!(remark("a\n[server]\r b"), "a [server] b");
        let odd = ["a\"b", "c\\d", "e\nf", "\u{7f}\u{1}", "ä"];
        let parsed: toml::Table = format!("{} = {}", key("k \"\n"), list(odd)).parse().unwrap();
        let texts: Vec<_> = parsed["k \"\n"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
        assert_eq!(texts, odd);
    }
}
