//! Text with placeholders: `{name}` stands for a parameter, `{{` and `}}` for braces. Values become
//! text or keep their type; where text goes and how it is encoded there is the plan's.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The values of one call, by parameter; null where there is none.
pub(super) type Values = BTreeMap<String, Value>;

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(pub(super) Vec<Piece>);

/// A piece of a text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text as it is.
    Literal(String),
    /// The parameter of this name.
    Slot(String),
}

impl Template {
    /// # Errors
    /// A brace that is not closed, or not opened, and how to mend it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                literal.extend(brace.chars().next());
                rest = after;
                continue;
            }
            let slot = brace.strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let Some((name, after)) = slot.filter(|(name, _)| !name.is_empty() && !name.contains('{')) else {
                return Err(format!(
                    "`{}` is no placeholder. Write {{name}} for a parameter, and {{{{ or }}}} for a brace.",
                    brace.chars().take(20).collect::<String>()
                ));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Slot(name.to_owned()));
            rest = after;
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// The names of its placeholders.
    pub(super) fn slots(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Slot(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    /// The placeholder, where there is nothing else.
    pub(super) fn only_slot(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Slot(name)] => Some(name),
            _ => None,
        }
    }

    /// With the values as text; `None` where one has no value.
    pub(super) fn text(&self, values: &Values) -> Option<String> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Slot(name) => text.push_str(&as_text(values.get(name)?)?),
            }
        }
        Some(text)
    }
}

/// A value as text: strings as they are, everything else as JSON; `None` for null.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// JSON in whose texts placeholders stand.
#[derive(Debug, Clone)]
pub(super) enum JsonTemplate {
    /// Without placeholders.
    Plain(Value),
    /// A text with placeholders.
    Text(Template),
    /// A list.
    List(Vec<JsonTemplate>),
    /// An object.
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    /// # Errors
    /// As [`Template::parse`].
    pub(super) fn parse(value: &Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(Template::parse(text)?),
            Value::Array(list) => Self::List(list.iter().map(Self::parse).collect::<Result<_, _>>()?),
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| Ok((name.clone(), Self::parse(value)?));
                Self::Object(members.iter().map(member).collect::<Result<_, String>>()?)
            }
            other => Self::Plain(other.clone()),
        })
    }

    /// The names of all placeholders in it.
    pub(super) fn slots(&self) -> Vec<&str> {
        match self {
            Self::Plain(_) => Vec::new(),
            Self::Text(template) => template.slots().collect(),
            Self::List(list) => list.iter().flat_map(Self::slots).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, value)| value.slots()).collect(),
        }
    }

    /// With the values in it. `None` where it is a text with a placeholder that has no value; in
    /// lists and objects such texts are left out.
    pub(super) fn fill(&self, values: &Values) -> Option<Value> {
        match self {
            Self::Plain(value) => Some(value.clone()),
            Self::Text(template) => match template.only_slot() {
                Some(name) => values.get(name).filter(|value| !value.is_null()).cloned(),
                None => template.text(values).map(Value::from),
            },
            Self::List(list) => Some(list.iter().filter_map(|element| element.fill(values)).collect()),
            Self::Object(members) => {
                let filled = members.iter().filter_map(|(name, value)| Some((name.clone(), value.fill(values)?)));
                Some(Value::Object(filled.collect::<Map<_, _>>()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values() -> Values {
        let values = json!({"sku": "A-1", "units": 3, "tags": ["a", "b"], "note": null});
        values.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn placeholders_become_text() {
        for (text, expected) in [
            ("{sku}", Some("A-1")),
            ("sku {sku}: {units}", Some("sku A-1: 3")),
            ("{{sku}} }}{{", Some("{sku} }{")),
            ("{{{sku}}}", Some("{A-1}")),
            ("plain", Some("plain")),
            ("a {note} b", None),
        ] {
            assert_eq!(Template::parse(text).unwrap().text(&values()).as_deref(), expected, "{text}");
        }
        for text in ["{", "}", "{}", "a {b", "a } b", "{a{b}}"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn json_keeps_types_and_leaves_out_what_has_no_value() {
        let json = json!({"sku": "{sku}", "units": "{units}", "text": "{units} units", "note": "{note}",
            "list": ["{tags}", "{note}", 1, null], "nested": {"note": "{note}"}});
        let filled = JsonTemplate::parse(&json).unwrap().fill(&values()).unwrap();
        assert_eq!(
            filled,
            json!({"sku": "A-1", "units": 3, "text": "3 units", "list": [["a", "b"], 1, null], "nested": {}})
        );
    }
}
