//! The configuration file as text: TOML into a tree of values, and where each was written.
//! Knows nothing of what the settings mean.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use serde_json::{Map, Number, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::fault::{Fault, Faults, KeyPath, Place};

/// Where each setting was written. Kept beside the settings, so that what is found out later
/// (by a source, by the catalog) can still be reported with its line.
#[derive(Debug, Clone, Default)]
pub struct Places {
    file: Arc<str>,
    written: HashMap<KeyPath, Written>,
    variables: BTreeMap<KeyPath, Arc<str>>,
    as_written: HashMap<KeyPath, String>,
}

/// Where in the file a setting was written.
#[derive(Debug, Clone)]
struct Written {
    key: (usize, usize),
    /// Differs from `key` only for what is not a table: a table's place is its key or header.
    value: (usize, usize),
}

impl Places {
    /// Where a setting's value, or the nearest table around it, was written.
    #[must_use]
    pub fn locate(&self, path: &KeyPath) -> Place {
        self.find(path, |written| written.value)
    }

    /// Where a setting's key was written; as [`Places::locate`] otherwise.
    #[must_use]
    pub fn locate_key(&self, path: &KeyPath) -> Place {
        self.find(path, |written| written.key)
    }

    /// The place of the file as a whole.
    #[must_use]
    pub fn file(&self) -> Place {
        Place::File(self.file.clone())
    }

    /// A fault at a setting's value.
    #[must_use]
    pub fn fault(&self, path: &KeyPath, message: impl Into<String>, mend: impl Into<String>) -> Fault {
        Fault { place: self.locate(path), path: path.clone(), message: message.into(), mend: mend.into() }
    }

    /// A fault at a setting's value, from one text whose first sentence says what is wrong and
    /// whose others say how to mend it: what the sources and the catalog give.
    #[must_use]
    pub fn fault_in_words(&self, path: &KeyPath, text: &str) -> Fault {
        let (message, mend) = text.split_once(". ").unwrap_or((text, ""));
        self.fault(path, message, mend)
    }

    /// A text value in backquotes, fit for a message: where a value came from a variable, the
    /// file's own text (`${NAME}`) or the variable's name stands in its place.
    #[must_use]
    pub fn quote(&self, path: &KeyPath, value: &str) -> String {
        if let Some(text) = self.as_written.get(path) {
            format!("`{text}`")
        } else if self.is_from_variable(path) {
            "this value".to_owned()
        } else {
            format!("`{value}`")
        }
    }

    /// Whether a value should not be shown, as it came from a variable.
    pub(super) fn is_private(&self, path: &KeyPath) -> bool {
        self.as_written.contains_key(path) || self.is_from_variable(path)
    }

    /// Notes that a variable gives this setting, whatever the file says.
    pub(super) fn set_variable(&mut self, path: &KeyPath, name: &str) {
        self.as_written.retain(|other, _| !path.is_around(other));
        self.variables.insert(path.clone(), name.into());
    }

    /// The texts with variables in them that stand below a setting, as the file has them.
    pub(super) fn written_below(&self, path: &KeyPath) -> impl Iterator<Item = &str> {
        self.as_written.iter().filter(|(other, _)| path.is_around(other)).map(|(_, text)| text.as_str())
    }

    /// Notes what stood in the file before variables were put in.
    pub(super) fn set_as_written(&mut self, path: KeyPath, text: String) {
        self.as_written.insert(path, text);
    }

    /// Whether a variable gives this setting or one around it.
    pub(super) fn is_from_variable(&self, path: &KeyPath) -> bool {
        ancestors(path).any(|path| self.variables.contains_key(&path))
    }

    fn find(&self, path: &KeyPath, part: impl Fn(&Written) -> (usize, usize)) -> Place {
        for path in ancestors(path) {
            if let Some(name) = self.variables.get(&path) {
                return Place::Variable(name.clone());
            }
            if let Some(written) = self.written.get(&path) {
                let (line, column) = part(written);
                return Place::Line { file: self.file.clone(), line, column };
            }
        }
        self.file()
    }
}

/// The path, then what is around it, up to but without the root.
fn ancestors(path: &KeyPath) -> impl Iterator<Item = KeyPath> {
    std::iter::successors(Some(path.clone()), KeyPath::parent).filter(|path| !path.steps().is_empty())
}

/// Reads TOML 1.1 into a tree in the order of the file.
///
/// # Errors
/// All syntax faults, and numbers that no setting could take.
pub(super) fn parse(file: &str, text: &str) -> Result<(Value, Places), Faults> {
    let lines = Lines::new(text);
    let file: Arc<str> = file.into();
    let at = |offset: usize| {
        let (line, column) = lines.position(offset);
        Place::Line { file: file.clone(), line, column }
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let fault = |error: toml::de::Error| Fault {
            place: error.span().map_or(Place::File(file.clone()), |span| at(span.start)),
            path: KeyPath::root(),
            message: format!("this is not TOML: {}", error.message().trim().replace('\n', ", ")),
            mend: syntax_hint(text, &error),
        };
        return Err(Faults::new(errors.into_iter().map(fault).collect()));
    }
    let mut reader = Reader { lines: &lines, written: HashMap::new(), faults: Vec::new() };
    let tree = reader.table(document.get_ref(), &KeyPath::root());
    let places =
        Places { file: file.clone(), written: reader.written, variables: BTreeMap::new(), as_written: HashMap::new() };
    let faults: Vec<_> =
        reader.faults.into_iter().map(|(path, message, mend)| places.fault(&path, message, mend)).collect();
    if faults.is_empty() { Ok((tree, places)) } else { Err(Faults::new(faults)) }
}

/// Reads one TOML value, as an environment variable may hold it.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    let lines = Lines::new(text);
    let mut reader = Reader { lines: &lines, written: HashMap::new(), faults: Vec::new() };
    let value = reader.value(value.get_ref(), &KeyPath::root());
    reader.faults.is_empty().then_some(value)
}

/// Line and column of byte offsets.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(offset, _)| offset + 1)).collect();
        Self { text, starts }
    }

    /// Both from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }
}

struct Reader<'t> {
    lines: &'t Lines<'t>,
    written: HashMap<KeyPath, Written>,
    faults: Vec<(KeyPath, String, &'static str)>,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &KeyPath) -> Value {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut map = Map::new();
        for (key, value) in entries {
            let path = path.key(key.get_ref());
            self.note(&path, key.span(), value);
            map.insert(key.get_ref().to_string(), self.value(value.get_ref(), &path));
        }
        Value::Object(map)
    }

    fn note(&mut self, path: &KeyPath, key: Range<usize>, value: &Spanned<DeValue<'_>>) {
        let key = self.lines.position(key.start);
        let value = match value.get_ref() {
            DeValue::Table(_) => key,
            _ => self.lines.position(value.span().start),
        };
        self.written.insert(path.clone(), Written { key, value });
    }

    fn value(&mut self, value: &DeValue<'_>, path: &KeyPath) -> Value {
        match value {
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(yes) => Value::Bool(*yes),
            DeValue::Datetime(datetime) => Value::String(datetime.to_string()),
            DeValue::Integer(integer) => {
                i64::from_str_radix(integer.as_str(), integer.radix()).map_or_else(|_| self.number(path), Value::from)
            }
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(Number::from_f64);
                number.map_or_else(|| self.number(path), Value::Number)
            }
            DeValue::Table(table) => self.table(table, path),
            DeValue::Array(array) => {
                let mut values = Vec::new();
                for (index, value) in array.iter().enumerate() {
                    let path = path.index(index);
                    self.note(&path, value.span(), value);
                    values.push(self.value(value.get_ref(), &path));
                }
                Value::Array(values)
            }
        }
    }

    fn number(&mut self, path: &KeyPath) -> Value {
        self.faults.push((path.clone(), "this number is out of range".into(), "write a finite number of 64 bits"));
        Value::Null
    }
}

/// What is most likely meant where the text is no TOML.
fn syntax_hint(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line_start = text.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default().trim();
    let hint = if error.message().contains("duplicate") {
        "each table and each key stands once in a file: join the two"
    } else if line.starts_with('[') && !line.contains(']') {
        "close the table's name: `[server]`"
    } else if line.contains(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}']) {
        "write straight quotes (\") in place of typographic ones"
    } else if let Some((key, value)) = line.split_once('=') {
        let value = value.trim();
        if value.is_empty() {
            "write a value behind the `=`; to leave a setting out, remove its line"
        } else if key.trim().contains(char::is_whitespace) && !key.contains(['"', '\'']) {
            "a key with other characters than A-Z a-z 0-9 _ - stands in quotes: `\"crm.*\" = …`"
        } else if !value.starts_with(['"', '\'', '[', '{']) {
            "text stands in quotes: `key = \"value\"`"
        } else {
            "see that quotes and brackets are closed, and that a backslash in \"…\" is doubled (or use '…')"
        }
    } else if line.contains(':') {
        "write `key = \"value\"`; TOML has no `key: value`"
    } else {
        "write `key = value`, one on a line; see https://toml.io"
    };
    hint.to_owned()
}

#[cfg(test)]
#[path = "source_text_tests.rs"]
mod tests;
