//! What a command said against what a page shows: `…` stands for anything in a line, and a line `…` for any lines. How wide a
//! gap is does not count, since the columns of a table are as wide as what varies.

/// Stands for what is different each time, or is not worth showing.
const ANYTHING: &str = "…";

/// Whether the lines that were said are those that are shown, from the first to the last.
pub(crate) fn fits(shown: &[String], said: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else { return said.is_empty() };
    if first.trim() == ANYTHING {
        return (0..=said.len()).any(|left_out| fits(rest, &said[left_out..]));
    }
    said.split_first().is_some_and(|(line, more)| line_fits(&narrow(first), &narrow(line)) && fits(rest, more))
}

fn narrow(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn line_fits(shown: &str, said: &str) -> bool {
    match shown.split_once(ANYTHING) {
        None => shown == said,
        Some((before, after)) => said.strip_prefix(before).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(index, _)| index).chain([rest.len()]);
            ends.into_iter().any(|end| line_fits(after, &rest[end..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn what_varies_is_left_open_and_nothing_else() {
        for (shown, said, expected) in [
            ("Key bhk_… for you", "Key bhk_123 for you", true),
            ("Key bhk_… for you", "Key bhk_123 for me", false),
            ("a\n…\nc", "a\nb\nb\nc", true),
            ("a\n…\nc", "a\nc", true),
            ("a\n…", "b\na", false),
            ("… a", "1234     a ", true),
            ("a", "a\nb", false),
            ("a", "", false),
        ] {
            let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
            let said: Vec<&str> = said.lines().collect();
            assert_eq!(fits(&shown, &said), expected, "{shown:?} {said:?}");
        }
    }
}
