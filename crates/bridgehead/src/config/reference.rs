//! The reference of the configuration, `docs/reference/configuration.md`, written from the schema.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{not_yet, overlay, schema};

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the doc comments in crates/bridgehead/src/config/raw.rs; a test says how to write it anew. -->

One TOML file: the one named on the command line, else `$BRIDGEHEAD_CONFIG`, else `./bridgehead.toml`. Relative paths are
relative to the file. `bridgehead config check` names every fault at once; `bridgehead config schema` prints the JSON
Schema, which editors read where the file begins with `#:schema ./bridgehead.schema.json`.

- `${NAME}` in any text becomes the value of that environment variable; `$${` stands for `${`.
- A secret may be `file:PATH`: what that file holds, without the line break at its end.
- Every setting has an environment name, which wins over the file: `BRIDGEHEAD_`, then the path with `__` between the
  keys. What stands in `[server]` may leave `SERVER__` out (`BRIDGEHEAD_PUBLIC_URL`). Letter case and `-` for `_` do not
  count. Lists are written with commas or as TOML (`[\"a\", \"b\"]`), tables as TOML (`{ queue = 3 }`). An empty variable
  counts as not set, but empties a list. A variable that begins with `BRIDGEHEAD_` and names no setting is a fault.
- `PORT` replaces `server.listen` by `0.0.0.0:$PORT`, unless `BRIDGEHEAD_LISTEN` is set.
- `BRIDGEHEAD_KEYS` holds the root keys where `secrets.keys` is not given.
- Times are written `500ms`, `30s`, `5m`, `1h30m`, `7d`; sizes `64KiB`, `1MB` or in bytes.
- What is marked *not in this version* is known, and refused with what to do meanwhile. It is never silently ignored.

Names in capitals (`NAME`, `TOOL`, `PATTERN`) are yours to choose.
";

/// The reference, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    let document = schema::document();
    let mut leaves = Vec::new();
    let mut tables = Vec::new();
    for (key, node) in properties(document) {
        let path = Path::default().key(key);
        if is_table(node) {
            tables.push((path, node));
        } else {
            leaves.push(Row { path, node, required: is_required(document, key) });
        }
    }
    section(&mut text, "Top level", "", &leaves);
    for (path, node) in tables {
        let described = description(node);
        let Some(member) = node.get("additionalProperties").filter(|member| member.is_object()) else {
            let mut rows = Vec::new();
            flatten(&path, node, &mut rows);
            section(&mut text, &format!("`[{}]`", path.shown()), described, &rows);
            continue;
        };
        let path = path.chosen();
        match member.get("oneOf").and_then(Value::as_array) {
            None => {
                let mut rows = Vec::new();
                flatten(&path, member, &mut rows);
                section(&mut text, &format!("`[{}]`", path.shown()), described, &rows);
            }
            Some(kinds) => {
                let _ = write!(text, "\n## `[{}]`\n\n{described}\n", path.shown());
                kinds.iter().for_each(|kind| source(&mut text, &path, kind));
            }
        }
    }
    text
}

/// One type of source.
fn source(text: &mut String, path: &Path, node: &Value) {
    let kind = schema::type_const(node).and_then(Value::as_str).unwrap_or_default();
    let served = !not_yet::is_type_of_source(kind);
    let mark = if served { "" } else { " *Not in this version.*" };
    let _ = write!(text, "\n### `type = \"{kind}\"`\n\n{}{mark}\n", description(node));
    let mut rows = Vec::new();
    flatten(path, node, &mut rows);
    rows.retain(|row| row.node.get("const").is_none());
    table(text, &rows, served);
}

fn section(text: &mut String, title: &str, described: &str, rows: &[Row<'_>]) {
    let _ = write!(text, "\n## {title}\n");
    if !described.is_empty() {
        let _ = write!(text, "\n{described}\n");
    }
    table(text, rows, true);
}

/// One setting.
struct Row<'s> {
    path: Path,
    node: &'s Value,
    required: bool,
}

/// The rows; `marked` with what this version does not serve.
fn table(text: &mut String, rows: &[Row<'_>], marked: bool) {
    text.push_str("\n| key | environment name | type | default | meaning |\n|---|---|---|---|---|\n");
    for Row { path, node, required } in rows {
        let default = match node.get("default") {
            Some(value) => format!("`{}`", toml(value)),
            None if *required => "required".to_owned(),
            None => String::new(),
        };
        let mark = not_yet::mark(&path.pattern()).filter(|_| marked).map(|mark| format!(" *({mark})*"));
        let mark = mark.unwrap_or_default();
        let examples = node.get("examples").and_then(Value::as_array).into_iter().flatten();
        let examples: Vec<_> = examples.map(|example| format!("`{}`", toml(example))).collect();
        let example = if examples.is_empty() { String::new() } else { format!(" E.g. {}.", examples.join(", ")) };
        // A row is a line.
        let meaning = format!("{}{example}{mark}", description(node)).replace('|', "\\|").replace('\n', " ");
        let shown = path.shown();
        let name = overlay::name_of(&shown);
        let _ = writeln!(text, "| `{shown}` | `{name}` | {} | {default} | {meaning} |", kind(node));
    }
}

/// The settings of a table and of the tables in it, except where a member may be anything.
fn flatten<'s>(path: &Path, table: &'s Value, rows: &mut Vec<Row<'s>>) {
    for (key, node) in properties(table) {
        let required = is_required(table, key);
        let path = path.key(key);
        match node.get("additionalProperties").filter(|member| member.is_object()) {
            Some(member) if properties(member).next().is_some() => flatten(&path.chosen(), member, rows),
            Some(_) => rows.push(Row { path: path.chosen(), node, required }),
            None if is_table(node) && properties(node).next().is_some() => flatten(&path, node, rows),
            None => rows.push(Row { path, node, required }),
        }
    }
}

fn is_required(table: &Value, key: &str) -> bool {
    table.get("required").and_then(Value::as_array).is_some_and(|keys| keys.iter().any(|required| required == key))
}

fn is_table(node: &Value) -> bool {
    node.get("type").is_some_and(|kind| kind == "object")
}

fn properties(node: &Value) -> impl Iterator<Item = (&String, &Value)> {
    node.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn description(node: &Value) -> &str {
    node.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// The type of a setting in words.
fn kind(node: &Value) -> String {
    if let Some(branches) = node.get("anyOf").and_then(Value::as_array) {
        return branches.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = node.get("enum").and_then(Value::as_array) {
        return values.iter().map(|value| format!("`{}`", toml(value))).collect::<Vec<_>>().join(", ");
    }
    let members = |keyword: &str| node.get(keyword).map_or_else(String::new, |member| format!(" of {}", kind(member)));
    match node.get("type").and_then(Value::as_str) {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("array") => format!("list{}", members("items")),
        Some("object") if node.get("additionalProperties").is_some_and(Value::is_object) => {
            members("additionalProperties").trim_start_matches(" of ").to_owned()
        }
        Some("object") => "table".to_owned(),
        _ => "any value".to_owned(),
    }
}

/// A value as TOML writes it; for the plain ones of defaults and examples, as JSON does.
fn toml(value: &Value) -> String {
    value.to_string().replace("\",\"", "\", \"")
}

/// The way to a setting: as it is shown, and as [`not_yet`] knows it.
#[derive(Debug, Clone, Default)]
struct Path {
    shown: Vec<String>,
    pattern: Vec<String>,
}

impl Path {
    fn key(&self, key: &str) -> Self {
        self.with(key, key)
    }

    /// A key that the operator chooses.
    fn chosen(&self) -> Self {
        let placeholder = match self.shown.last().map(String::as_str) {
            Some("tools") => "TOOL",
            Some("policy") => "PATTERN",
            Some("parameters") => "PARAMETER",
            Some("columns") => "COLUMN",
            Some("fields") => "FIELD",
            Some("groups") => "GROUP",
            _ => "NAME",
        };
        self.with(placeholder, "*")
    }

    fn with(&self, shown: &str, pattern: &str) -> Self {
        let mut path = self.clone();
        path.shown.push(shown.to_owned());
        path.pattern.push(pattern.to_owned());
        path
    }

    fn shown(&self) -> String {
        self.shown.join(".")
    }

    fn pattern(&self) -> String {
        self.pattern.join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/configuration.md");

    #[test]
    fn the_published_reference_is_up_to_date() {
        let published = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(
            published == markdown(),
            "docs/reference/configuration.md is not what the code says; write it anew with\n  cargo xtask generate",
        );
    }
}
