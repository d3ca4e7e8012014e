//! Several schemas that hold together (`allOf`, a reference and what stands beside it) as one, and
//! what OpenAPI 3.0 writes differently read as 2020-12. Shallow: what lies below stays as it is in
//! the description. Knows no direction and no size.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::openapi::reference::{Resolver, reference_of};

/// Schemas of the description that hold together.
pub(in crate::openapi) type Parts<'d> = Vec<&'d Value>;

/// How many schemas may hold together in one place.
const MAX_PARTS: usize = 400;

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "integer", "string"];

/// One schema, made of all that hold in a place.
#[derive(Debug, Default)]
pub(in crate::openapi) struct Flat<'d> {
    pub(in crate::openapi) title: Option<&'d str>,
    pub(in crate::openapi) description: Option<&'d str>,
    /// The types it admits; any where `None`. Does not hold `null`, see `nullable`.
    pub(in crate::openapi) types: Option<Vec<&'static str>>,
    pub(in crate::openapi) nullable: bool,
    pub(in crate::openapi) values: Option<Vec<&'d Value>>,
    pub(in crate::openapi) properties: Vec<(&'d str, Parts<'d>)>,
    pub(in crate::openapi) required: Vec<&'d str>,
    pub(in crate::openapi) additional: Option<Additional<'d>>,
    pub(in crate::openapi) items: Option<Parts<'d>>,
    pub(in crate::openapi) alternatives: Vec<Alternatives<'d>>,
    pub(in crate::openapi) discriminator: Option<&'d Value>,
    /// Further keywords, the first of each name: bounds, `pattern`, `default`, `not` …
    pub(in crate::openapi) keywords: Vec<(&'d str, &'d Value)>,
    /// Nothing satisfies it.
    pub(in crate::openapi) never: bool,
}

/// What further members an object may have.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::openapi) enum Additional<'d> {
    None,
    Any,
    Of(Parts<'d>),
}

/// `oneOf` or `anyOf`.
#[derive(Debug)]
pub(in crate::openapi) struct Alternatives<'d> {
    pub(in crate::openapi) keyword: &'static str,
    pub(in crate::openapi) schemas: &'d [Value],
}

impl<'d> Flat<'d> {
    /// Reads `parts`; what is wrong with them goes to `faults` and admits anything.
    pub(in crate::openapi) fn read(resolver: Resolver<'d>, parts: &[&'d Value], faults: &mut Vec<String>) -> Self {
        let mut flat = Self::default();
        let mut index = HashMap::new();
        let mut nullable = None;
        for schema in expand(resolver, parts, faults) {
            match schema {
                Value::Object(schema) => flat.take(schema, &mut index, &mut nullable),
                Value::Bool(false) => flat.never = true,
                Value::Bool(true) => {}
                _ => faults.push("a schema is no object, and was taken for one that admits anything".into()),
            }
        }
        flat.nullable |= nullable.unwrap_or(false);
        flat.imply_type();
        flat
    }

    /// Whether it can be nothing but an object.
    pub(in crate::openapi) fn is_object(&self) -> bool {
        self.types.as_deref() == Some(&["object"])
    }

    fn take(
        &mut self,
        schema: &'d Map<String, Value>,
        index: &mut HashMap<&'d str, usize>,
        nullable: &mut Option<bool>,
    ) {
        let exclusive = |bound: &str| schema.get(bound).and_then(Value::as_bool).unwrap_or(false);
        for (keyword, value) in schema {
            match (keyword.as_str(), value) {
                ("title", Value::String(text)) => self.title = self.title.or(non_empty(text)),
                ("description", Value::String(text)) => self.description = self.description.or(non_empty(text)),
                ("type", value) => self.take_type(value),
                ("nullable" | "x-nullable", Value::Bool(flag)) => *nullable = nullable.or(Some(*flag)),
                ("enum", Value::Array(values)) if !values.is_empty() => self.take_values(values),
                ("const", value) => self.take_values(std::slice::from_ref(value)),
                ("properties", Value::Object(properties)) => {
                    for (name, schema) in properties {
                        let at = *index.entry(name.as_str()).or_insert(self.properties.len());
                        match self.properties.get_mut(at) {
                            Some((_, parts)) => parts.push(schema),
                            None => self.properties.push((name.as_str(), vec![schema])),
                        }
                    }
                }
                ("required", Value::Array(names)) => {
                    for name in names.iter().filter_map(Value::as_str) {
                        if !self.required.contains(&name) {
                            self.required.push(name);
                        }
                    }
                }
                ("additionalProperties", value) => self.take_additional(value),
                ("items", Value::Array(tuple)) if tuple.is_empty() => {}
                ("items", Value::Array(_)) => self.keyword("prefixItems", value),
                ("items", value) => self.items.get_or_insert_default().push(value),
                ("oneOf", Value::Array(schemas)) if schemas.len() > 1 => {
                    self.alternatives.push(Alternatives { keyword: "oneOf", schemas });
                }
                ("anyOf", Value::Array(schemas)) if schemas.len() > 1 => {
                    self.alternatives.push(Alternatives { keyword: "anyOf", schemas });
                }
                // One alternative is none, and was opened; references and `allOf` were as well.
                ("oneOf" | "anyOf" | "allOf" | "$ref", _) => {}
                ("discriminator", value @ Value::Object(_)) => {
                    self.discriminator = self.discriminator.or(Some(value));
                }
                // Before draft 6 these are flags.
                ("minimum", Value::Number(_)) if exclusive("exclusiveMinimum") => {
                    self.keyword("exclusiveMinimum", value);
                }
                ("maximum", Value::Number(_)) if exclusive("exclusiveMaximum") => {
                    self.keyword("exclusiveMaximum", value);
                }
                ("exclusiveMinimum" | "exclusiveMaximum", Value::Bool(_)) => {}
                (keyword, value) => self.keyword(keyword, value),
            }
        }
    }

    fn keyword(&mut self, keyword: &'d str, value: &'d Value) {
        if !self.keywords.iter().any(|(known, _)| *known == keyword) {
            self.keywords.push((keyword, value));
        }
    }

    pub(in crate::openapi) fn get(&self, keyword: &str) -> Option<&'d Value> {
        self.keywords.iter().find(|(known, _)| *known == keyword).map(|(_, value)| *value)
    }

    fn take_type(&mut self, value: &'d Value) {
        let words: Vec<&str> = match value {
            Value::String(word) => vec![word.as_str()],
            Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        let mut types: Vec<&'static str> = Vec::new();
        for word in words {
            // A word that nobody knows may mean anything.
            let Some(ty) = type_word(word) else { return };
            if !types.contains(&ty) {
                types.push(ty);
            }
        }
        let with_null = types.len();
        types.retain(|ty| *ty != "null");
        if types.len() < with_null {
            self.nullable = true;
            if types.is_empty() {
                types.push("null");
            }
        }
        if types.is_empty() {
            return;
        }
        self.types = Some(match self.types.take() {
            None => types,
            Some(known) => {
                let both = intersect(&known, &types);
                // Nothing could satisfy it: one of the two is a slip.
                if both.is_empty() { known } else { both }
            }
        });
    }

    fn take_values(&mut self, values: &'d [Value]) {
        let mut distinct: Vec<&Value> = Vec::new();
        let mut seen = HashSet::new();
        for value in values {
            if seen.insert(value.to_string()) {
                distinct.push(value);
            }
        }
        if let Some(known) = &self.values {
            let both: Vec<_> = known.iter().copied().filter(|value| distinct.contains(value)).collect();
            if !both.is_empty() {
                distinct = both;
            }
        }
        self.values = Some(distinct);
    }

    fn take_additional(&mut self, value: &'d Value) {
        let more = match value {
            Value::Bool(false) => Additional::None,
            Value::Object(schema) if !schema.is_empty() => Additional::Of(vec![value]),
            _ => Additional::Any,
        };
        self.additional = Some(match (self.additional.take(), more) {
            (Some(Additional::None), _) | (_, Additional::None) => Additional::None,
            (Some(Additional::Of(mut parts)), Additional::Of(more)) => {
                parts.extend(more);
                Additional::Of(parts)
            }
            (Some(Additional::Of(parts)), Additional::Any) => Additional::Of(parts),
            (_, more) => more,
        });
    }

    /// Many descriptions leave the type out where `properties` or `items` says it.
    fn imply_type(&mut self) {
        if self.types.is_none() && self.values.is_none() && self.alternatives.is_empty() {
            if !self.properties.is_empty() {
                self.types = Some(vec!["object"]);
            } else if self.items.is_some() {
                self.types = Some(vec!["array"]);
            }
        }
    }
}

/// Whether any of the schemas that hold here has a flag.
pub(super) fn is_flagged<'d>(resolver: Resolver<'d>, parts: &[&'d Value], keyword: &str) -> bool {
    let flagged = |schema: &&Value| schema.get(keyword) == Some(&Value::Bool(true));
    expand(resolver, parts, &mut Vec::new()).iter().any(flagged)
}

/// The schemas that hold together: references followed, `allOf` opened, outermost first, each once.
fn expand<'d>(resolver: Resolver<'d>, parts: &[&'d Value], faults: &mut Vec<String>) -> Parts<'d> {
    let mut waiting: Vec<&'d Value> = parts.iter().rev().copied().collect();
    let mut seen: HashSet<*const Value> = HashSet::new();
    let mut found = Vec::new();
    while let Some(schema) = waiting.pop() {
        if !seen.insert(std::ptr::from_ref(schema)) {
            continue;
        }
        if found.len() >= MAX_PARTS {
            faults.push(format!("more than {MAX_PARTS} schemas hold together in one place; the rest was left out"));
            break;
        }
        found.push(schema);
        for keyword in ["anyOf", "oneOf", "allOf"] {
            if let Some(Value::Array(all)) = schema.get(keyword)
                && (keyword == "allOf" || all.len() == 1)
            {
                waiting.extend(all.iter().rev());
            }
        }
        if let Some(reference) = reference_of(schema) {
            match resolver.find(reference) {
                Ok(target) => waiting.push(target),
                Err(error) => faults.push(error.to_string()),
            }
        }
    }
    found
}

/// The type a word means. Descriptions in the wild know more words than the standard.
fn type_word(word: &str) -> Option<&'static str> {
    if let Some(ty) = TYPES.iter().find(|ty| **ty == word) {
        return Some(ty);
    }
    match word.to_ascii_lowercase().as_str() {
        "string" | "str" | "text" | "date" | "datetime" | "date-time" | "uuid" | "uri" | "url" | "file" | "binary"
        | "enum" => Some("string"),
        "integer" | "int" | "int32" | "int64" | "long" => Some("integer"),
        "number" | "float" | "double" | "decimal" => Some("number"),
        "boolean" | "bool" => Some("boolean"),
        "object" | "dict" | "map" | "hash" | "json" => Some("object"),
        "array" | "list" => Some("array"),
        _ => None,
    }
}

fn intersect(known: &[&'static str], more: &[&'static str]) -> Vec<&'static str> {
    let narrow = |a: &'static str, b: &'static str| match (a, b) {
        _ if a == b => Some(a),
        ("integer", "number") | ("number", "integer") => Some("integer"),
        _ => None,
    };
    let mut both = Vec::new();
    for ty in known.iter().flat_map(|a| more.iter().filter_map(|b| narrow(a, b))) {
        if !both.contains(&ty) {
            both.push(ty);
        }
    }
    both
}

fn non_empty(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}
