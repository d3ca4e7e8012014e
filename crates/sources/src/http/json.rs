//! JSON of a system behind, read without losing digits: integers beyond ±2^53 become strings before
//! anything can round them. Also mends JSON that was cut at the size limit.

use serde_json::Value;

/// Beyond this, JavaScript and most clients round.
const LARGEST: i128 = 1 << 53;

/// Reads one JSON value.
///
/// # Errors
/// It is not JSON.
pub(super) fn parse(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&Scan::new(text).run().text)
}

/// Reads as much of a cut JSON text as is whole: elements and members up to the last complete one;
/// `None` where nothing is.
pub(super) fn parse_cut(text: &str) -> Option<Value> {
    serde_json::from_str(&Scan::new(text).run().closed()).ok()
}

/// Reads JSON values line by line. Of a cut text the last line is left out.
///
/// # Errors
/// A line is not JSON.
pub(super) fn parse_lines(text: &str, cut: bool) -> Result<Vec<Value>, serde_json::Error> {
    let text = if cut { text.rsplit_once('\n').map_or("", |(whole, _)| whole) } else { text };
    // RFC 7464 puts a record separator before each.
    text.split(['\n', '\u{1e}']).map(str::trim).filter(|line| !line.is_empty()).map(parse).collect()
}

/// One pass over a text: quotes large numbers, and remembers where it could end.
struct Scan<'a> {
    rest: &'a str,
    text: String,
    /// What closes the containers that are open.
    open: Vec<char>,
    /// The last place where all elements and members so far are complete, and how many containers
    /// were open there. What was opened before that place is still open, or there is a later one.
    complete: Option<(usize, usize)>,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        Self { rest: text, text: String::with_capacity(text.len()), open: Vec::new(), complete: None }
    }

    fn run(mut self) -> Self {
        while let Some(first) = self.rest.chars().next() {
            match first {
                '"' => self.take(string_length(self.rest)),
                '-' | '0'..='9' => self.number(),
                '[' | '{' => {
                    self.open.push(if first == '[' { ']' } else { '}' });
                    self.take(1);
                    self.complete = Some((self.text.len(), self.open.len()));
                }
                ']' | '}' => {
                    self.open.pop();
                    self.take(1);
                    self.complete = Some((self.text.len(), self.open.len()));
                }
                ',' => {
                    self.complete = Some((self.text.len(), self.open.len()));
                    self.take(1);
                }
                _ => self.take(first.len_utf8()),
            }
        }
        self
    }

    fn take(&mut self, bytes: usize) {
        let (token, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.text.push_str(token);
        self.rest = rest;
    }

    fn number(&mut self) {
        let is_part = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
        let length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        if is_too_large(token) {
            self.text.extend(["\"", token, "\""]);
        } else {
            self.text.push_str(token);
        }
        self.rest = rest;
    }

    fn closed(mut self) -> String {
        let (length, depth) = self.complete.unwrap_or_default();
        self.text.truncate(length);
        self.open.truncate(depth);
        self.text.extend(self.open.iter().rev());
        self.text
    }
}

/// How many bytes a string has, with its quotes; all there is where it does not end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// An integer beyond ±2^53, or a number that no double can hold.
fn is_too_large(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // 2^53 has 16 digits. What JSON does not allow (a leading zero) stays as it is, to be refused.
        return digits.len() >= 16
            && !digits.starts_with('0')
            && token.parse::<i128>().map_or(true, |number| !(-LARGEST..=LARGEST).contains(&number));
    }
    token.parse::<f64>().is_ok_and(f64::is_infinite)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn large_integers_keep_their_digits() {
        for (text, expected) in [
            ("9007199254740992", json!(9_007_199_254_740_992_u64)),
            ("9007199254740993", json!("9007199254740993")),
            ("-9007199254740993", json!("-9007199254740993")),
            ("[123456789012345678901234567890, 1]", json!(["123456789012345678901234567890", 1])),
            ("{\"id\":18446744073709551616,\"x\":1.5}", json!({"id": "18446744073709551616", "x": 1.5})),
            ("1e400", json!("1e400")),
            ("1.25e3", json!(1250.0)),
            (r#"["\"12345678901234567890", "\\"]"#, json!(["\"12345678901234567890", "\\"])),
            ("\u{feff}{}", json!({})),
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        for text in ["01234567890123456789", "{", "<html>", "", "[1,]", "nul", "1 2"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn cut_text_is_mended_to_what_is_whole() {
        for (text, expected) in [
            (r#"[{"a":1},{"a":2},{"a":"#, json!([{"a": 1}, {"a": 2}, {}])),
            (r#"[{"a":1},{"a":"tex"#, json!([{"a": 1}, {}])),
            (r#"{"items":[1,2,3"#, json!({"items": [1, 2]})),
            (r#"{"items":[1,2],"more":tr"#, json!({"items": [1, 2]})),
            (r#"["a,]","b"#, json!(["a,]"])),
        ] {
            assert_eq!(parse_cut(text).unwrap(), expected, "{text}");
        }
        assert_eq!(parse_cut("123"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived_and_any_cut_json_is_mended(text in r#"[\[\]{},:" 0-9a-z\\ü\n-]{0,80}"#, at in 0_usize..200) {
            let _ = parse(&text);
            let _ = parse_cut(&text);
            let whole = json!({"ä": [1, {"b\"": "c,]}"}, [], null, 12_345_678_901_234_567_890_u64], "d": {"e": -1.5}}).to_string();
            let at = (1..=at.min(whole.len()).max(1)).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
            prop_assert!(parse_cut(&whole[..at]).is_some(), "{}", &whole[..at]);
        }

        #[test]
        fn small_numbers_are_read_as_serde_reads_them(number in -9_007_199_254_740_992_i64..=9_007_199_254_740_992, real in any::<f64>()) {
            prop_assume!(real.is_finite());
            let text = json!([number, real]).to_string();
            prop_assert_eq!(parse(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
        }
    }
}
