//! `${NAME}` in any text of the file becomes the value of that environment variable; `$${` stands
//! for `${`. What a variable holds is not substituted again.

use serde_json::Value;

use super::{environment::Environment, fault::KeyPath, findings::Findings};

/// Puts the variables in, wherever the file itself gives the value.
pub(super) fn apply(tree: &mut Value, environment: &dyn Environment, findings: &mut Findings) {
    walk(tree, &KeyPath::root(), environment, findings);
}

fn walk(value: &mut Value, path: &KeyPath, environment: &dyn Environment, findings: &mut Findings) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                walk(value, &path.key(key), environment, findings);
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                walk(value, &path.index(index), environment, findings);
            }
        }
        Value::String(text) if text.contains("${") && !findings.places.is_from_variable(path) => {
            let (result, faults) = substitute(text, environment);
            for (message, mend) in faults {
                findings.fault(path, message, mend);
            }
            findings.places.set_as_written(path.clone(), std::mem::replace(text, result));
        }
        _ => {}
    }
}

/// The text with its variables put in, and what is wrong with those that could not.
fn substitute(text: &str, environment: &dyn Environment) -> (String, Vec<(String, String)>) {
    let mut result = String::new();
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            result.push_str(before);
            result.push_str("${");
            rest = after;
            continue;
        }
        result.push_str(before);
        let (name, behind, end) = after.split_once('}').map_or((after, "", ""), |(name, behind)| (name, behind, "}"));
        rest = behind;
        if !is_name(name) {
            let shown: String = name.chars().take(20).collect();
            faults.push((
                format!("`${{{shown}{end}` does not name an environment variable"),
                "write `${NAME}` with A-Z a-z 0-9 _ between the braces, or `$${` where the two characters themselves are meant".into(),
            ));
        } else if let Some(value) = environment.variables().get(name) {
            result.push_str(value);
        } else {
            faults.push((
                format!("the environment variable `{name}` is not set"),
                format!("set it (`export {name}=…`), or write `$${{{name}}}` where the text itself is meant"),
            ));
        }
    }
    result.push_str(rest);
    (result, faults)
}

/// The names of the variables in a text.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("${")
        .skip(1)
        .filter_map(|after| after.split_once('}'))
        .map(|(name, _)| name)
        .filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    name.bytes().all(legal) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FixedEnvironment;

    #[test]
    fn variables_are_put_in_once_and_escapes_are_kept() {
        let environment = FixedEnvironment::new([("A", "1"), ("B_2", "${A}"), ("EMPTY", "")]);
        for (text, expected) in [
            ("Bearer ${A}", "Bearer 1"),
            ("${A}${A}-${EMPTY}", "11-"),
            ("${B_2}", "${A}"),
            ("$${A} ${A}", "${A} 1"),
            ("$$${A}", "$${A}"),
            ("$A {A} 5$", "$A {A} 5$"),
        ] {
            assert_eq!(substitute(text, &environment), (expected.into(), vec![]), "{text}");
        }
    }

    #[test]
    fn each_variable_that_cannot_be_put_in_is_named() {
        let environment = FixedEnvironment::default();
        let faults =
            |text| substitute(text, &environment).1.into_iter().map(|(message, _)| message).collect::<Vec<_>>();
        assert_eq!(
            faults("${X} ${Y}"),
            ["the environment variable `X` is not set", "the environment variable `Y` is not set"]
        );
        assert_eq!(faults("${X:-1}"), ["`${X:-1}` does not name an environment variable"]);
        assert_eq!(faults("^[0-9]${"), ["`${` does not name an environment variable"]);
    }
}
