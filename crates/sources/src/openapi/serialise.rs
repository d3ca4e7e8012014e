//! Values as text in a path, a query, a header or a cookie: OpenAPI's styles (3.1 §4.8.12.3, after
//! RFC 6570). Delimiters stay apart from values, so that whoever puts them into a place can encode
//! the one and keep the other.

use serde_json::Value;

use super::parameter::Location;

/// How deep an object in a query is taken apart; what lies deeper is written as JSON.
const MAX_DEPTH: usize = 8;

/// How arrays and objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Simple,
    Label,
    Matrix,
    Form,
    SpaceDelimited,
    PipeDelimited,
    DeepObject,
}

impl Style {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "simple" => Self::Simple,
            "label" => Self::Label,
            "matrix" => Self::Matrix,
            "form" => Self::Form,
            "spaceDelimited" => Self::SpaceDelimited,
            "pipeDelimited" => Self::PipeDelimited,
            "deepObject" => Self::DeepObject,
            _ => return None,
        })
    }

    pub(super) const fn may_stand(self, location: Location) -> bool {
        matches!(
            (location, self),
            (Location::Path, Self::Simple | Self::Label | Self::Matrix)
                | (Location::Query, Self::Form | Self::SpaceDelimited | Self::PipeDelimited | Self::DeepObject)
                | (Location::Header, Self::Simple)
                | (Location::Cookie, Self::Form)
        )
    }
}

/// A piece of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Stands for itself.
    Delimiter(&'static str),
    /// A value, or a name.
    Text(String),
}

/// A name and a value in a query, a form or a cookie.
pub(super) type Pair = (String, Vec<Token>);

/// A value as text: what is no text is written as JSON.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value in a path or a header.
pub(super) fn tokens(name: &str, value: &Value, style: Style, explode: bool) -> Vec<Token> {
    let lead = match style {
        Style::Label => Some("."),
        Style::Matrix => Some(";"),
        _ => None,
    };
    let between = if explode { lead.unwrap_or(",") } else { "," };
    let mut tokens: Vec<Token> = lead.into_iter().map(Token::Delimiter).collect();
    let named = style == Style::Matrix && (!explode || !value.is_object());
    if named {
        tokens.push(Token::Text(name.to_owned()));
        tokens.push(Token::Delimiter("="));
    }
    match value {
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                if index > 0 {
                    tokens.push(Token::Delimiter(between));
                    if style == Style::Matrix && explode {
                        tokens.push(Token::Text(name.to_owned()));
                        tokens.push(Token::Delimiter("="));
                    }
                }
                tokens.push(Token::Text(text(item)));
            }
        }
        Value::Object(members) => {
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    tokens.push(Token::Delimiter(between));
                }
                tokens.push(Token::Text(key.clone()));
                tokens.push(Token::Delimiter(if explode { "=" } else { "," }));
                tokens.push(Token::Text(text(member)));
            }
        }
        value => tokens.push(Token::Text(text(value))),
    }
    tokens
}

/// A value in a query, a form or a cookie.
pub(super) fn pairs(name: &str, value: &Value, style: Style, explode: bool) -> Vec<Pair> {
    let one = |name: &str, value: &Value| (name.to_owned(), vec![Token::Text(text(value))]);
    let between = match style {
        Style::SpaceDelimited => "%20",
        Style::PipeDelimited => "%7C",
        _ => ",",
    };
    match (value, style) {
        // RFC 6570 §2.3: an empty list is undefined, and nothing is written.
        (Value::Array(list), _) if list.is_empty() => Vec::new(),
        (Value::Object(members), _) if members.is_empty() => Vec::new(),
        (Value::Array(_) | Value::Object(_), Style::DeepObject) => {
            let mut pairs = Vec::new();
            deep(name, value, 0, &mut pairs);
            pairs
        }
        (Value::Array(list), _) if explode => list.iter().map(|item| one(name, item)).collect(),
        (Value::Array(list), _) => {
            let items: Vec<String> = list.iter().map(text).collect();
            vec![(name.to_owned(), joined(items, between))]
        }
        (Value::Object(members), _) if explode => members.iter().map(|(key, member)| one(key, member)).collect(),
        (Value::Object(members), _) => {
            let items = members.iter().flat_map(|(key, member)| [key.clone(), text(member)]).collect();
            vec![(name.to_owned(), joined(items, between))]
        }
        (value, _) => vec![one(name, value)],
    }
}

fn joined(items: Vec<String>, between: &'static str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for item in items {
        if !tokens.is_empty() {
            tokens.push(Token::Delimiter(between));
        }
        tokens.push(Token::Text(item));
    }
    tokens
}

/// `name[key]=value`. Deeper objects and lists are not defined by OpenAPI; they are written as
/// most servers read them: `name[a][b]=1`, `name[list][]=1`, `name[list][0][a]=1`.
fn deep(name: &str, value: &Value, depth: usize, pairs: &mut Vec<Pair>) {
    match value {
        Value::Object(members) if depth < MAX_DEPTH => {
            for (key, member) in members {
                deep(&format!("{name}[{key}]"), member, depth + 1, pairs);
            }
        }
        Value::Array(list) if depth < MAX_DEPTH => {
            for (index, item) in list.iter().enumerate() {
                let plain = !item.is_object() && !item.is_array();
                let name = if plain { format!("{name}[]") } else { format!("{name}[{index}]") };
                deep(&name, item, depth + 1, pairs);
            }
        }
        value => pairs.push((name.to_owned(), vec![Token::Text(text(value))])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flat(tokens: &[Token]) -> String {
        tokens
            .iter()
            .map(|token| match token {
                Token::Delimiter(text) => text,
                Token::Text(text) => text.as_str(),
            })
            .collect()
    }

    /// The table of OpenAPI 3.1 §4.8.12.4.
    #[test]
    fn styles_write_as_the_standard_shows() {
        let (text, list, object) = (json!("blue"), json!(["blue", "black"]), json!({"R": 100, "G": 200}));
        for (style, explode, of_text, of_list, of_object) in [
            (Style::Matrix, false, ";color=blue", ";color=blue,black", ";color=R,100,G,200"),
            (Style::Matrix, true, ";color=blue", ";color=blue;color=black", ";R=100;G=200"),
            (Style::Label, false, ".blue", ".blue,black", ".R,100,G,200"),
            (Style::Label, true, ".blue", ".blue.black", ".R=100.G=200"),
            (Style::Simple, false, "blue", "blue,black", "R,100,G,200"),
            (Style::Simple, true, "blue", "blue,black", "R=100,G=200"),
        ] {
            for (value, expected) in [(&text, of_text), (&list, of_list), (&object, of_object)] {
                assert_eq!(flat(&tokens("color", value, style, explode)), expected, "{style:?} {explode}");
            }
        }
        for (style, explode, of_text, of_list, of_object) in [
            (Style::Form, true, "color=blue", "color=blue&color=black", "R=100&G=200"),
            (Style::Form, false, "color=blue", "color=blue,black", "color=R,100,G,200"),
            (Style::SpaceDelimited, false, "color=blue", "color=blue%20black", "color=R%20100%20G%20200"),
            (Style::PipeDelimited, false, "color=blue", "color=blue%7Cblack", "color=R%7C100%7CG%7C200"),
            (Style::DeepObject, true, "color=blue", "color[]=blue&color[]=black", "color[R]=100&color[G]=200"),
        ] {
            for (value, expected) in [(&text, of_text), (&list, of_list), (&object, of_object)] {
                let pairs = pairs("color", value, style, explode);
                let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", flat(value))).collect();
                assert_eq!(pairs.join("&"), expected, "{style:?} {explode}");
            }
        }
    }
}
