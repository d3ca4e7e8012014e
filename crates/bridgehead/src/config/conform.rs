//! Checks the tree against the schema and puts each finding into the words of the one who has to
//! mend it. Values that came from a variable are not shown.

use jsonschema::{Draft, ValidationError, error::ValidationErrorKind};
use serde_json::Value;

use super::{
    fault::{KeyPath, Step},
    findings::Findings,
    nearest::nearest,
    schema,
};

/// Required members whose absence the cross-checks explain better.
const EXPLAINED_LATER: [&str; 3] = ["auth", "auth.mode", "sources"];

/// Reports everything in `tree` that the schema does not admit.
pub(super) fn check(tree: &Value, findings: &mut Findings) {
    let validator = jsonschema::options().with_draft(Draft::Draft202012).build(schema::document());
    match validator {
        Ok(validator) => {
            let mut report = Report { tree, findings };
            report.errors(&validator.iter_errors(tree).collect::<Vec<_>>());
            report.floats(tree, &KeyPath::root());
        }
        Err(error) => findings.fault(
            &KeyPath::root(),
            format!("the configuration's own schema is broken: {error}"),
            "please report this as a bug of Bridgehead",
        ),
    }
}

struct Report<'a> {
    tree: &'a Value,
    findings: &'a mut Findings,
}

impl Report<'_> {
    /// Unknown keys come first: one may be the slip behind a missing one.
    fn errors(&mut self, errors: &[ValidationError<'_>]) {
        let is_unknown =
            |error: &&ValidationError<'_>| matches!(error.kind(), ValidationErrorKind::AdditionalProperties { .. });
        let (unknown, others): (Vec<_>, Vec<_>) = errors.iter().partition(is_unknown);
        unknown.into_iter().chain(others).for_each(|error| self.error(error));
    }

    fn error(&mut self, error: &ValidationError<'_>) {
        let path = key_path(error.instance_path().as_str(), self.tree);
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                for key in unexpected {
                    self.unknown(&path, key);
                }
            }
            ValidationErrorKind::Required { property } => {
                self.required(&path, property.as_str().unwrap_or_default());
            }
            ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
                self.alternatives(&path, error.instance(), context);
            }
            ValidationErrorKind::Type { .. } => self.wrong_type(&path),
            ValidationErrorKind::Enum { options } => {
                self.not_one_of(&path, options.as_array().map(Vec::as_slice).unwrap_or_default());
            }
            ValidationErrorKind::Minimum { limit } => {
                self.findings.fault(&path, format!("must be at least {limit}"), format!("write {limit} or more"));
            }
            ValidationErrorKind::Maximum { limit } => {
                self.findings.fault(&path, format!("must be at most {limit}"), format!("write {limit} or less"));
            }
            ValidationErrorKind::MinItems { .. } => {
                self.findings.fault(&path, "must not be an empty list", "name at least one, or leave the setting out");
            }
            other => {
                self.findings.fault(&path, format!("does not satisfy `{}`", other.keyword()), "see `config schema`");
            }
        }
    }

    fn unknown(&mut self, table: &KeyPath, key: &str) {
        let path = table.key(key);
        let nodes = schema::at(table, self.tree);
        let known: Vec<_> = nodes.iter().flat_map(|node| schema::known_keys(node)).collect();
        let mend = if let Some(near) = nearest(key, known.iter().copied()) {
            self.findings.excuse(table.key(near));
            format!("did you mean `{near}`?")
        } else if let Some(elsewhere) = schema::paths_ending_in(key).first() {
            self.findings.excuse(KeyPath::root().dotted(elsewhere));
            format!("did you mean `{elsewhere}`?")
        } else {
            format!("known here: {}", known.join(", "))
        };
        self.findings.fault_at_key(&path, "there is no such setting", mend);
    }

    fn required(&mut self, table: &KeyPath, key: &str) {
        let path = table.key(key);
        if EXPLAINED_LATER.contains(&path.to_string().as_str()) {
            return;
        }
        let description = schema::at(&path, self.tree)
            .first()
            .and_then(|node| node.get("description"))
            .and_then(Value::as_str)
            .and_then(|text| text.split_inclusive(". ").next())
            .map(|sentence| sentence.trim_end_matches(". ").to_owned())
            .unwrap_or_default();
        self.findings.missing(&path, "is required and missing", format!("add `{key} = …`: {description}"));
    }

    /// Follows the alternative that was most likely meant.
    fn alternatives(&mut self, path: &KeyPath, value: &Value, context: &[Vec<ValidationError<'static>>]) {
        let kinds = self.source_types(path);
        if !kinds.is_empty() && value.is_object() {
            let kind = value.get("type");
            let Some(position) = kinds.iter().position(|known| Some(known) == kind) else {
                return self.source_type(path, kind, &kinds);
            };
            return context.get(position).into_iter().for_each(|errors| self.errors(errors));
        }
        let here = |error: &ValidationError<'_>| key_path(error.instance_path().as_str(), self.tree) == *path;
        let of_wrong_type = |errors: &&Vec<ValidationError<'_>>| {
            errors.iter().any(|error| here(error) && matches!(error.kind(), ValidationErrorKind::Type { .. }))
        };
        let candidates: Vec<_> = context.iter().filter(|errors| !of_wrong_type(errors)).collect();
        match candidates.as_slice() {
            [only] => self.errors(only),
            _ => self.wrong_type(path),
        }
    }

    /// The types of source that may stand at `path`; none if it is no source.
    fn source_types(&self, path: &KeyPath) -> Vec<Value> {
        schema::at(path, &Value::Null).into_iter().filter_map(schema::type_const).cloned().collect()
    }

    fn source_type(&mut self, source: &KeyPath, kind: Option<&Value>, known: &[Value]) {
        let path = source.key("type");
        match kind {
            Some(Value::String(_)) => self.not_one_of(&path, known),
            Some(_) => self.findings.fault(&path, "must be text", format!("write one of {}", list(known))),
            None => self.findings.missing(
                &path,
                "is required and missing",
                format!("say what is behind this source: `type = …`, one of {}", list(known)),
            ),
        }
        // What else it says cannot be judged.
        self.findings.excuse_with_all_inside(source.clone());
    }

    fn not_one_of(&mut self, path: &KeyPath, options: &[Value]) {
        let value = get(self.tree, path).and_then(Value::as_str).unwrap_or_default();
        let near = nearest(value, options.iter().filter_map(Value::as_str));
        let mend = match near {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write one of {}", list(options)),
        };
        let shown = self.findings.places.quote(path, value);
        self.findings.fault(path, format!("{shown} is none of {}", list(options)), mend);
    }

    fn wrong_type(&mut self, path: &KeyPath) {
        let nodes = schema::at(path, self.tree);
        let mut wanted: Vec<_> = nodes.iter().filter_map(|node| node.get("type")).filter_map(Value::as_str).collect();
        wanted.dedup();
        let key = match path.steps().last() {
            Some(Step::Key(key)) => format!("{key} = "),
            _ => String::new(),
        };
        let (names, forms): (Vec<_>, Vec<_>) = wanted.iter().map(|kind| kind_in_words(kind)).unzip();
        let is = get(self.tree, path).map_or("nothing", |value| kind_in_words(kind_of(value)).0);
        let mend = match wanted.as_slice() {
            ["object"] => format!("write a table: `[{path}]`, or `{key}{{ … }}`"),
            _ => format!("write `{key}{}`", forms.join(&format!("` or `{key}"))),
        };
        self.findings.fault(path, format!("must be {}, and is {is}", names.join(" or ")), mend);
    }

    /// JSON Schema takes 1.0 for a whole number; the settings do not.
    fn floats(&mut self, value: &Value, path: &KeyPath) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| self.floats(value, &path.key(key))),
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(index, value)| self.floats(value, &path.index(index)));
            }
            Value::Number(number) if number.is_f64() && number.as_f64().is_some_and(|n| n.fract() == 0.0) => {
                let kinds: Vec<_> = schema::at(path, self.tree).iter().map(|node| node.get("type")).collect();
                if kinds.iter().any(|kind| kind.is_some_and(|kind| *kind == "integer")) {
                    self.findings.fault(path, "must be a whole number", "write it without a decimal point");
                }
            }
            _ => {}
        }
    }
}

fn list(options: &[Value]) -> String {
    options.iter().map(Value::to_string).collect::<Vec<_>>().join(", ")
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A JSON type as people call it, and how it is written.
fn kind_in_words(kind: &str) -> (&'static str, &'static str) {
    match kind {
        "boolean" => ("true or false", "true"),
        "integer" => ("a whole number", "1"),
        "number" => ("a number", "1.5"),
        "string" => ("text", "\"…\""),
        "array" => ("a list", "[…]"),
        "object" => ("a table", "{ … }"),
        _ => ("something else", "…"),
    }
}

/// The path of a JSON Pointer into `tree`.
fn key_path(pointer: &str, tree: &Value) -> KeyPath {
    let mut path = KeyPath::root();
    let mut value = Some(tree);
    for segment in pointer.split('/').skip(1) {
        let key = segment.replace("~1", "/").replace("~0", "~");
        let step = match (value, key.parse()) {
            (Some(Value::Array(_)), Ok(index)) => Step::Index(index),
            _ => Step::Key(key.as_str().into()),
        };
        value = value.and_then(|value| child(value, &step));
        path = path.step(step);
    }
    path
}

fn get<'v>(tree: &'v Value, path: &KeyPath) -> Option<&'v Value> {
    path.steps().iter().try_fold(tree, child)
}

fn child<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match step {
        Step::Key(key) => value.get(&**key),
        Step::Index(index) => value.get(index),
    }
}
