//! Characters that people do not see and a model reads.

use super::{Check, Example, Found, Rule, text};
use crate::{
    Severity, Subject,
    subject::{Text, TextKind},
};

pub(super) const HIDDEN: Rule = Rule {
    id: "characters-hidden",
    severity: Severity::Error,
    title: "No characters hide text or turn it around.",
    why: "Characters of the block Tags (U+E0000) and variation selectors in a row carry whole sentences that nobody \
          sees; bidirectional overrides (U+202A to U+202E, U+2066 to U+2069) show text in another order than it is read \
          (Unicode UTS #39 and UTR #36; CVE-2021-42574). There is no honest use of them in a tool.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer.\uDB40\uDC49\uDB40\uDC67\uDB40\uDC6E", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(hidden),
};

fn hidden(tool: &Subject, found: &mut Found<'_>) {
    each_odd(tool, &mut |text, character, kind| {
        if let Kind::Hides(what) = kind {
            let message = format!("The text has {what} in it ({}).", code(character));
            report(tool, found, text, message);
        }
    });
}

pub(super) const INVISIBLE: Rule = Rule {
    id: "characters-invisible",
    severity: Severity::Warning,
    title: "No characters are invisible.",
    why: "Zero-width spaces, soft hyphens, byte order marks and control characters come in by copying. A model reads \
          them, a search for the word does not find it, and a value with one is another value. Joiners between letters \
          of scripts that need them, and within emoji, are not meant.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the or\u200bders of one customer.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(invisible),
};

fn invisible(tool: &Subject, found: &mut Found<'_>) {
    each_odd(tool, &mut |text, character, kind| {
        if let Kind::Invisible(what) = kind {
            let message = format!("The text has {what} in it ({}).", code(character));
            report(tool, found, text, message);
        }
    });
}

/// What is odd about a character.
enum Kind {
    Hides(&'static str),
    Invisible(&'static str),
}

fn code(character: char) -> String {
    format!("U+{:04X}", u32::from(character))
}

fn report(tool: &Subject, found: &mut Found<'_>, at: &Text<'_>, message: String) {
    let how = if at.kind == TextKind::Value { "write the value without it" } else { "the same words without it" };
    text::report(found, at, message, text::mend_text(tool, at, how));
}

/// The first odd character of each kind in each text.
fn each_odd(tool: &Subject, look: &mut dyn FnMut(&Text<'_>, char, Kind)) {
    tool.each_text(&mut |text| {
        if text.text.is_ascii() && !text.text.bytes().any(|b| b.is_ascii_control()) {
            return;
        }
        // A pattern may name any character.
        if text.at.ends_with("/pattern") {
            return;
        }
        let characters: Vec<char> = text.text.chars().collect();
        let (mut hides, mut invisible) = (false, false);
        for (index, &character) in characters.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|at| characters.get(at)).copied();
            let after = characters.get(index + 1).copied();
            match odd(before, character, after) {
                Some(kind @ Kind::Hides(_)) if !hides => {
                    hides = true;
                    look(&text, character, kind);
                }
                Some(kind @ Kind::Invisible(_)) if !invisible => {
                    invisible = true;
                    look(&text, character, kind);
                }
                _ => {}
            }
        }
    });
}

fn odd(before: Option<char>, character: char, after: Option<char>) -> Option<Kind> {
    let next_to_ascii = before.is_none_or(|c| c.is_ascii()) || after.is_none_or(|c| c.is_ascii());
    Some(match u32::from(character) {
        // Flags of regions (England, Scotland, Wales) are a black flag and tags.
        0xE0000..=0xE007F => match before.map(u32::from) {
            Some(0x1F3F4 | 0xE0061..=0xE007A)
                if !matches!(after.map(u32::from), None | Some(0..=0x7F)) || character == '\u{E007F}' =>
            {
                return None;
            }
            _ => Kind::Hides("characters of the block Tags"),
        },
        0xE0100..=0xE01EF => Kind::Hides("variation selectors that belong to no character"),
        0xFE00..=0xFE0F if before.is_none_or(|c| c.is_ascii_alphabetic() || matches!(c, '\u{FE00}'..='\u{FE0F}')) => {
            Kind::Hides("variation selectors that belong to no character")
        }
        0x202A..=0x202E | 0x2066..=0x2069 => Kind::Hides("a bidirectional control character"),
        0x200C | 0x200D if next_to_ascii => Kind::Invisible("a zero-width joiner"),
        0x200B | 0x2060..=0x2064 => Kind::Invisible("a zero-width character"),
        0xFEFF => Kind::Invisible("a byte order mark"),
        0x00AD => Kind::Invisible("a soft hyphen"),
        0x200E | 0x200F
            if next_to_ascii && before.is_none_or(|c| c.is_ascii()) && after.is_none_or(|c| c.is_ascii()) =>
        {
            Kind::Invisible("a directional mark")
        }
        0xE000..=0xF8FF | 0xF0000..=0x10FFFF => Kind::Invisible("a character of private use"),
        0..=8 | 0x0B | 0x0C | 0x0E..=0x1F | 0x7F..=0x9F => Kind::Invisible("a control character"),
        _ => return None,
    })
}
