//! What a test reads of a page of the server's, as a browser would.

use url::Url;

/// The value of a hidden field.
#[must_use]
pub fn hidden(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split('"').next().map(unescape)
}

/// The link by which the page after Allow or Deny leads back, with the text before and behind it.
#[must_use]
pub fn way_back(page: &str) -> Option<(&str, &str, Url)> {
    const LINK: &str = "class=\"button\" href=\"";
    let start = page.find(LINK)? + LINK.len();
    let (before, rest) = page.split_at(start);
    let (link, _) = rest.split_once('"')?;
    let url = Url::parse(&unescape(link)).ok()?;
    Some((before, &rest[link.len()..], url))
}

/// Text of HTML, in an attribute or between tags.
#[must_use]
pub fn unescape(text: &str) -> String {
    // The ampersand last, or what it begins would be read twice.
    let named = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&"), ("&amp;", "&")];
    named.iter().fold(text.to_owned(), |text, (escape, character)| text.replace(escape, character))
}
