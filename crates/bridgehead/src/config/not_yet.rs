//! What belongs to Bridgehead's configuration but is not served by this version: one list, from
//! which the faults and the marks in the reference come. Nothing of it is ever silently ignored.

use serde_json::Value;

use super::{
    fault::{KeyPath, Step},
    findings::Findings,
};

/// One setting, or some values of it, that this version does not serve.
struct NotYet {
    /// Keys with dots between them; `*` stands for any key.
    path: &'static str,
    /// Which values are meant.
    values: Values,
    /// What to do meanwhile.
    meanwhile: &'static str,
}

/// Which values of a setting are meant.
enum Values {
    /// All: the setting as a whole.
    All,
    /// These words.
    Words(&'static [&'static str]),
    /// URLs of these schemes.
    Schemes(&'static [&'static str]),
}

const fn all(path: &'static str, meanwhile: &'static str) -> NotYet {
    NotYet { path, values: Values::All, meanwhile }
}

const fn words(path: &'static str, words: &'static [&'static str], meanwhile: &'static str) -> NotYet {
    NotYet { path, values: Values::Words(words), meanwhile }
}

/// The list.
const LIST: &[NotYet] = &[
    words("sources.*.type", &["mcp"], "leave the source out"),
    words("sources.*.expose", &["search"], "leave it out, and choose operations with `include` and `exclude`"),
    all("sources.*.tools.*.select", "leave it out"),
    NotYet {
        path: "sources.*.url",
        values: Values::Schemes(&["mysql", "mariadb"]),
        meanwhile: "use a SQLite file (\"sqlite:FILE\"), for example an export of the tables that are asked for",
    },
];

/// Reports each setting of the list that the tree has.
pub(super) fn find(tree: &Value, findings: &mut Findings) {
    for entry in LIST {
        let keys: Vec<_> = entry.path.split('.').collect();
        let mut found = Vec::new();
        expand(tree, &keys, KeyPath::root(), &mut found);
        for (path, value) in found {
            entry.report(&path, value, findings);
        }
    }
    let whole: Vec<_> = tree.get("sources").and_then(Value::as_object).into_iter().flatten().collect();
    for (name, _) in whole {
        // A source of a type that is not served is not looked at any further.
        let source = KeyPath::of(["sources", name]);
        if findings.is_spoken_of(&source.key("type")) {
            findings.excuse_with_all_inside(source);
        }
    }
}

/// What the reference says of a setting that is not served, or not in all its values; `path` has
/// `*` for the keys that the operator chooses.
pub(super) fn mark(path: &str) -> Option<String> {
    let inside =
        |entry: &NotYet| path.strip_prefix(entry.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if LIST.iter().any(|entry| matches!(entry.values, Values::All) && inside(entry)) {
        return Some("not in this version".to_owned());
    }
    let mut parts = Vec::new();
    for entry in LIST.iter().filter(|entry| entry.path == path) {
        match &entry.values {
            Values::All => {}
            Values::Words(values) | Values::Schemes(values) => {
                parts.extend(values.iter().map(|value| format!("`{value}`")))
            }
        }
    }
    (!parts.is_empty()).then(|| format!("{}: not in this version", parts.join(", ")))
}

/// Whether sources of this type are not served.
pub(super) fn is_type_of_source(kind: &str) -> bool {
    LIST.iter().any(|entry| {
        entry.path == "sources.*.type" && matches!(entry.values, Values::Words(words) if words.contains(&kind))
    })
}

impl NotYet {
    fn report(&self, path: &KeyPath, value: &Value, findings: &mut Findings) {
        const SUFFIX: &str = "part of Bridgehead's configuration, but this version";
        match &self.values {
            Values::All => findings.fault_at_key(path, format!("is {SUFFIX} does not serve it yet"), self.meanwhile),
            Values::Words(words) => {
                for (path, word) in texts(path, value).filter(|(_, text)| words.contains(text)) {
                    findings.fault(&path, format!("\"{word}\" is {SUFFIX} does not serve it yet"), self.meanwhile);
                }
            }
            Values::Schemes(schemes) => {
                for (path, text) in texts(path, value) {
                    let scheme = text.split(':').next().unwrap_or_default();
                    if schemes.contains(&scheme) {
                        findings.fault(&path, format!("{scheme} is {SUFFIX} does not serve it yet"), self.meanwhile);
                    }
                }
            }
        }
    }
}

/// The text, or the texts of a list.
fn texts<'v>(path: &KeyPath, value: &'v Value) -> Box<dyn Iterator<Item = (KeyPath, &'v str)> + 'v> {
    let path = path.clone();
    match value {
        Value::String(text) => Box::new(std::iter::once((path, text.as_str()))),
        Value::Array(values) => Box::new(
            values.iter().enumerate().filter_map(move |(index, value)| Some((path.index(index), value.as_str()?))),
        ),
        _ => Box::new(std::iter::empty()),
    }
}

fn expand<'v>(value: &'v Value, keys: &[&str], path: KeyPath, found: &mut Vec<(KeyPath, &'v Value)>) {
    match (keys, value) {
        ([], value) => found.push((path, value)),
        (["*", rest @ ..], Value::Object(map)) => {
            for (key, value) in map {
                expand(value, rest, path.key(key), found);
            }
        }
        ([key, rest @ ..], Value::Object(map)) => {
            if let Some(value) = map.get(*key) {
                expand(value, rest, path.step(Step::Key((*key).into())), found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema;

    /// A setting that is renamed in the schema must not fall out of the list.
    #[test]
    fn every_path_of_the_list_is_in_the_schema() {
        for entry in LIST {
            let path = KeyPath::root().dotted(&entry.path.replace('*', "x"));
            assert!(!schema::at(&path, &Value::Null).is_empty(), "{}", entry.path);
        }
    }
}
