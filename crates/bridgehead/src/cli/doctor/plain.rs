//! Text of a server nobody knows, made safe to show: on a terminal a control character would be obeyed, and
//! some others hide text or turn it around.

/// The text with all such characters written out, as `\u{1b}`; line breaks and tabs are kept.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_plain(character) || matches!(character, '\n' | '\t') {
            shown.push(character);
        } else {
            shown.extend(character.escape_unicode());
        }
    }
    shown
}

/// The same on one line: what a server says must not look like a line of the report.
pub(super) fn plain_line(text: &str) -> String {
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Neither a control nor a character that hides text or turns it around (Unicode Standard Annex 9, §2).
pub(super) const fn is_plain(character: char) -> bool {
    !matches!(
        character,
        '\u{0}'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{ffff}'
        | '\u{e0000}'..='\u{e007f}'
    )
}
