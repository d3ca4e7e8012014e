//! `file:PATH` where a secret stands becomes what the file holds, without the line break at its end:
//! how container platforms hand secrets over. Root keys are files of their own kind and left alone.

use std::path::Path;

use serde_json::Value;

use super::{
    environment::Environment,
    fault::{KeyPath, Step},
    findings::Findings,
    schema,
};

/// Puts the contents in; a relative path starts at `base`.
pub(super) fn apply(tree: &mut Value, base: &Path, environment: &dyn Environment, findings: &mut Findings) {
    let mut found = Vec::new();
    collect(tree, &KeyPath::root(), &mut found);
    for path in found {
        let is_secret = schema::at(&path, tree).iter().any(|node| node.get("writeOnly") == Some(&Value::Bool(true)));
        if !is_secret || KeyPath::of(["secrets", "keys"]).is_around(&path) {
            continue;
        }
        let Some(Value::String(text)) = value_at(tree, &path) else { continue };
        let file = base.join(text.trim_start_matches(PREFIX));
        match environment.read(&file) {
            Ok(content) if !content.trim().is_empty() => {
                let content = content.trim_end_matches(['\r', '\n']).to_owned();
                findings.places.set_as_written(path, std::mem::replace(text, content));
            }
            Ok(_) => findings.fault(&path, format!("{} is empty", file.display()), "write the secret into it"),
            Err(error) => findings.fault(
                &path,
                format!("{} cannot be read: {error}", file.display()),
                "name a file with the secret, relative to this one, or write `${NAME}` for an environment variable",
            ),
        }
    }
}

const PREFIX: &str = "file:";

fn collect(value: &Value, path: &KeyPath, found: &mut Vec<KeyPath>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| collect(value, &path.key(key), found)),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| collect(value, &path.index(index), found));
        }
        Value::String(text) if text.starts_with(PREFIX) => found.push(path.clone()),
        _ => {}
    }
}

fn value_at<'v>(tree: &'v mut Value, path: &KeyPath) -> Option<&'v mut Value> {
    path.steps().iter().try_fold(tree, |value, step| match step {
        Step::Key(key) => value.get_mut(&**key),
        Step::Index(index) => value.get_mut(index),
    })
}
