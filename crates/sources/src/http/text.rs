//! Text of a system behind on its way into a message: plain, on one line, short.

use bridgehead_outbound::Received;
use http::header;

/// How many characters of its words a message repeats.
pub(super) const LONGEST: usize = 500;

/// The body as text: by `charset` for ISO 8859-1 and its Windows form, else as UTF-8, in which what
/// is no text becomes `U+FFFD`.
pub(super) fn body(received: &Received) -> String {
    let content_type = received.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let charset = content_type
        .to_ascii_lowercase()
        .split_once("charset=")
        .map(|(_, rest)| rest.split(';').next().unwrap_or_default().trim().trim_matches('"').to_owned());
    match charset.as_deref() {
        Some("iso-8859-1" | "latin1" | "windows-1252") => received.body.iter().copied().map(char::from).collect(),
        _ => String::from_utf8_lossy(&received.body).into_owned(),
    }
}

/// Without tags and control characters, on one line, at most [`LONGEST`] characters.
pub(super) fn plain(text: &str) -> String {
    let text = without_tags(beginning(text));
    let words = text.split_whitespace().map(without_hidden).filter(|word| !word.is_empty());
    shorten(&words.collect::<Vec<_>>().join(" "), LONGEST)
}

/// How a text begins, as [`plain`].
pub(super) fn start(text: &str) -> String {
    shorten(&plain(text), 200)
}

/// More of a text is never looked at than this.
fn beginning(text: &str) -> &str {
    const BYTES: usize = 16 * 1024;
    let end = (0..=BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// At most `characters`, and a mark where there were more.
pub(super) fn shorten(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((index, _)) => format!("{}…", text.get(..index).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

/// Without characters that are not seen: control characters, and those that turn the direction of
/// text or have no width, in which an instruction for a model may hide.
pub(super) fn without_hidden(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !is_hidden(*c)).collect()
}

/// The title of an HTML page, or how its text begins.
pub(super) fn of_page(html: &str) -> String {
    let html = beginning(html);
    let lower = html.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|start| {
        let start = start + lower.get(start..)?.find('>')? + 1;
        let end = start + lower.get(start..)?.find("</title")?;
        html.get(start..end)
    });
    let title = title.map(plain).filter(|title| !title.is_empty());
    title.unwrap_or_else(|| start(html))
}

/// What stands between `<` and `>` goes, where it looks like a tag; scripts and styles go whole.
fn without_tags(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let (before, tag) = rest.split_at(start);
        kept.push_str(before);
        let name = tag.get(1..).unwrap_or_default();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            kept.push('<');
            rest = name;
            continue;
        }
        kept.push(' ');
        let lower = name.get(..8).unwrap_or(name).to_ascii_lowercase();
        let end = ["script", "style"].into_iter().find(|hidden| lower.starts_with(hidden)).map_or_else(
            || tag.find('>').map(|end| end + 1),
            |hidden| {
                let closing = format!("</{hidden}>");
                tag.to_ascii_lowercase().find(&closing).map(|end| end + closing.len())
            },
        );
        rest = end.and_then(|end| tag.get(end..)).unwrap_or_default();
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_text_is_left() {
        for (text, expected) in [
            ("a\r\n\tb\u{0}\u{1b}[31m", "a b[31m"),
            ("<b>no</b> <i>stock</i>", "no stock"),
            ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
            ("<script>alert('x')</script>ok<style>p{}</style>", "ok"),
            ("cut <a href='", "cut"),
            ("\u{202e}evil\u{200b}", "evil"),
            ("é<", "é<"),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
        assert_eq!(plain(&"ä".repeat(600)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_page_is_known_by_its_title() {
        assert_eq!(of_page("<html><head><TITLE lang=en> Sign\n in </TITLE></head><body>x"), "Sign in");
        assert_eq!(of_page("<html><body><h1>502</h1> Bad gateway"), "502 Bad gateway");
        assert_eq!(of_page("<title>"), "");
    }
}
