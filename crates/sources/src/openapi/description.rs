//! Descriptions for a model: Markdown and HTML lightly cleaned, no longer than they earn, and made
//! from method and path where the API gives none. Does not judge how good they are: a linter does.

/// How many characters the description of a tool has at most.
const MAX_TOOL: usize = 1000;
/// How many characters a title has at most.
const MAX_TITLE: usize = 80;

/// HTML elements that occur in descriptions; anything else in `<…>` may be meant as it stands.
const ELEMENTS: [&str; 56] = [
    "a",
    "abbr",
    "b",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "del",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "fieldset",
    "font",
    "fullname",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "html",
    "i",
    "img",
    "important",
    "kbd",
    "li",
    "note",
    "ol",
    "p",
    "para",
    "pre",
    "s",
    "samp",
    "section",
    "small",
    "span",
    "strong",
    "sub",
    "summary",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tip",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

/// What a tool's description is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) summary: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) deprecated: bool,
}

/// The description of a tool, and whether the API said anything that went into it.
pub(super) fn of_tool(said: Said<'_>) -> (String, bool) {
    let summary = said.summary.map(one_line).unwrap_or_default();
    let description = said.description.map(clean).unwrap_or_default();
    let mut text =
        if said.deprecated { "Deprecated: the API advises against its use. ".to_owned() } else { String::new() };
    let plain = |text: &str| text.trim_end_matches(['.', '!', ' ']).to_lowercase();
    let (given, lead) = (!summary.is_empty() || !description.is_empty(), text.len());
    if !summary.is_empty() && !plain(&description).starts_with(&plain(&summary)) {
        text.push_str(&summary);
        if !summary.ends_with(['.', '!', '?', ':']) {
            text.push('.');
        }
        if !description.is_empty() {
            text.push('\n');
        }
    }
    text.push_str(&description);
    if text.len() == lead {
        text.push_str(&format!(
            "{} {}. (Made from method and path: the API's description says nothing.)",
            said.method, said.path
        ));
    }
    (cut(&text, MAX_TOOL), given)
}

/// A short name for people, where the summary is one.
pub(super) fn title(summary: Option<&str>) -> Option<String> {
    let title = one_line(summary?);
    let title = title.trim_end_matches('.');
    (!title.is_empty() && title.chars().count() <= MAX_TITLE).then(|| title.to_owned())
}

/// Text on one line, cleaned, with at most `limit` characters.
pub(super) fn plain(text: &str, limit: usize) -> String {
    if limit == 0 {
        return String::new();
    }
    cut(&one_line(text), limit)
}

fn one_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text of at most `limit` characters, ended after a sentence where there is one in the second
/// half, else after a word.
fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let Some((end, _)) = text.char_indices().nth(limit) else { return text.to_owned() };
    let head = text.get(..end).unwrap_or(text);
    let sentence =
        [". ", ".\n", "! ", "? ", "。"].iter().filter_map(|stop| Some(head.rfind(stop)? + stop.trim_end().len())).max();
    match sentence {
        Some(at) if at * 2 >= head.len() => head.get(..at).unwrap_or(head).to_owned(),
        _ => {
            let at = head.rfind(char::is_whitespace).filter(|at| at * 2 >= head.len()).unwrap_or(head.len());
            format!("{} …", head.get(..at).unwrap_or(head).trim_end())
        }
    }
}

/// Markdown and HTML less what only a browser can use. Lines stay; empty ones go.
fn clean(text: &str) -> String {
    let text = if text.contains('<') { without_elements(text) } else { text.to_owned() };
    let text = if text.contains('&') { without_entities(&text) } else { text };
    let text = if text.contains("](") { without_links(&text) } else { text };
    let mut lines = Vec::new();
    for line in text.lines() {
        let heading = line.trim_start().trim_start_matches('#');
        let line = if heading.len() < line.trim_start().len() && heading.starts_with(' ') { heading } else { line };
        let line = line.replace("**", "");
        let line = line.trim();
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

fn without_elements(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        match element(tag) {
            Some((name, length)) => {
                match name.as_str() {
                    "li" => out.push_str(if tag.starts_with("</") { "\n" } else { "\n- " }),
                    "br" | "p" | "div" | "tr" | "ul" | "ol" | "table" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                        out.push('\n');
                    }
                    "td" | "th" => out.push(' '),
                    _ => {}
                }
                rest = tag.get(length..).unwrap_or_default();
            }
            None => {
                out.push('<');
                rest = tag.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// The name of the element that `tag` begins with, and how many bytes its tag has.
fn element(tag: &str) -> Option<(String, usize)> {
    if tag.starts_with("<!--") {
        return Some((String::new(), tag.find("-->")? + 3));
    }
    let end = tag.char_indices().take(2000).find(|(_, c)| *c == '>')?.0;
    let inside = tag.get(1..end)?.trim_start_matches('/');
    let name: String = inside.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ELEMENTS.contains(&name.as_str()).then_some((name, end + 1))
}

fn without_entities(text: &str) -> String {
    let mut text = text.to_owned();
    // `&amp;` last: `&amp;lt;` is `&lt;`.
    for (entity, plain) in [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&amp;", "&"),
    ] {
        if text.contains(entity) {
            text = text.replace(entity, plain);
        }
    }
    text
}

/// `[text](url)` as `text`; pictures go.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(middle) = rest.find("](") {
        let (before, after) = rest.split_at(middle);
        let close = after.char_indices().take(1000).find(|(_, c)| *c == ')').map(|(at, _)| at);
        match (before.rfind('['), close) {
            (Some(open), Some(close)) => {
                let (head, label) = before.split_at(open);
                let label = label.get(1..).unwrap_or_default();
                match head.strip_suffix('!') {
                    Some(head) => out.push_str(head),
                    None => {
                        out.push_str(head);
                        out.push_str(label);
                    }
                }
                rest = after.get(close + 1..).unwrap_or_default();
            }
            _ => {
                out.push_str(before);
                out.push_str("](");
                rest = after.get(2..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_goes_and_words_stay() {
        for (text, expected) in [
            ("<p>Gets a <b>pet</b>.</p><ul><li>one</li><li>two</li></ul>", "Gets a pet.\n- one\n- two"),
            ("## Head\n\nSee [the docs](https://x.example/a) ![pic](y.png).", "Head\nSee the docs ."),
            ("a List<String> where x < 5 &amp;&amp; y &gt; 3", "a List<String> where x < 5 && y > 3"),
            ("#tag stays, **bold** goes, `code` stays", "#tag stays, bold goes, `code` stays"),
            ("broken ](link and [open", "broken ](link and [open"),
            ("<unclosed", "<unclosed"),
        ] {
            assert_eq!(clean(text), expected, "{text}");
        }
    }

    #[test]
    fn long_texts_end_after_a_sentence_or_a_word() {
        assert_eq!(plain("One sentence. Another one that is long.", 20), "One sentence.");
        assert_eq!(plain("Wörter ohne irgendeinen Punkt darin", 16), "Wörter ohne …");
        assert_eq!(plain("ääääääääää", 4), "ääää …");
    }

    #[test]
    fn what_is_missing_is_made_and_marked() {
        let said = Said { method: "GET", path: "/pets", ..Said::default() };
        let (text, given) = of_tool(said);
        assert!(text.starts_with("GET /pets.") && text.contains("says nothing") && !given, "{text}");
        let twice = Said { summary: Some("List pets."), description: Some("List pets. All of them."), ..said };
        assert_eq!(of_tool(twice), ("List pets. All of them.".to_owned(), true));
        let both = Said { summary: Some("List pets"), description: Some("In order of age."), deprecated: true, ..said };
        assert!(of_tool(both).0.ends_with("use. List pets.\nIn order of age."), "{:?}", of_tool(both));
    }
}
