//! The card that `serve` prints, read as a person reads it: a URL to enter and a key. It relies on no wording.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver};

#[derive(Debug, PartialEq)]
pub(crate) struct Card {
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Card {
    /// Nothing until both stand there.
    pub(super) fn read(text: &str) -> Option<Self> {
        let words = || text.split(|c: char| c.is_whitespace() || "\"'`│|()<>,".contains(c));
        let url = words().find(|word| is_endpoint(word))?;
        let key = words().find(|word| is_key(word))?;
        Some(Self { url: url.to_owned(), key: key.to_owned() })
    }
}

/// A URL with a path; the one without is the page for people.
fn is_endpoint(word: &str) -> bool {
    let rest = word.strip_prefix("http://").or_else(|| word.strip_prefix("https://"));
    rest.and_then(|rest| rest.split_once('/')).is_some_and(|(_, path)| !path.is_empty())
}

/// Long, of a token's characters alone, and with a digit: no word of a language.
fn is_key(word: &str) -> bool {
    word.len() >= 24
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && word.chars().any(|c| c.is_ascii_digit())
}

/// The lines of a stream as they come, read on a thread of their own to the end, so that the writer never blocks.
pub(super) fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody listens any more once the card is there.
            _ = sender.send(line);
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::Card;

    const CARD: &str = "
  Warehouse is up, for this machine only

  Page   http://127.0.0.1:8080/
  URL    http://127.0.0.1:8080/mcp
  Key    bh_key_0123456789abcdefghijklmnopqrstuv   (you@localhost, good for 24 hours)
  Next   bridgehead keys create --for alice@example.com --expires 90d
";

    #[test]
    fn url_and_key_are_taken_from_the_text() {
        let card =
            Card { url: "http://127.0.0.1:8080/mcp".into(), key: "bh_key_0123456789abcdefghijklmnopqrstuv".into() };
        assert_eq!(Card::read(CARD), Some(card));
    }

    #[test]
    fn half_a_card_is_none() {
        let above_the_key: String = CARD.lines().take(5).collect::<Vec<_>>().join("\n");
        assert_eq!(Card::read(&above_the_key), None);
    }
}
