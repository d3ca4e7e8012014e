//! One place of a schema: which keywords it keeps, and which schemas stand below it.

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::{Additional, Builder, Detail, Direction, Edge, Flat, Node, Parts, Slot, Waiting};
use crate::openapi::description;

/// What a schema says about itself that costs more than it tells.
const MAX_VALUE: usize = 200;
/// What a list of values may cost when room is scarce.
const MAX_TERSE_VALUES: usize = 1000;

/// Whether a default or an example is worth its place.
pub(super) fn is_small(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= MAX_VALUE,
        Value::Array(list) => list.is_empty() || (list.len() <= 20 && value.to_string().len() <= MAX_VALUE),
        Value::Object(members) => members.is_empty() || (members.len() <= 10 && value.to_string().len() <= MAX_VALUE),
        _ => true,
    }
}

/// Whether a value may be a list: then a model API wants to know of what, and refuses every tool if it is
/// not told (`items`).
fn is_list(flat: &Flat<'_>) -> bool {
    flat.types.as_deref().is_some_and(|types| types.contains(&"array"))
}

impl<'d> Builder<'_, 'd> {
    /// Makes a node whole.
    pub(super) fn visit(&mut self, at: &Waiting<'d>) {
        let flat = self.context.flat(&at.parts, &mut self.faults);
        let mut keywords = Map::new();
        self.describe(&flat, at.depth, &mut keywords);
        if flat.never {
            keywords.insert("not".into(), json!({}));
        }
        self.values(&flat, &mut keywords);
        self.plain(&flat, at.depth, &mut keywords);
        let mut edges = Vec::new();
        let hidden = self.properties(&flat, at, &mut keywords, &mut edges);
        self.below(&flat, at, &mut keywords, &mut edges);
        self.alternatives(&flat, &hidden, at, &mut edges);
        self.spent += 12 + Value::Object(keywords.clone()).to_string().len();
        self.spent += edges.iter().map(|edge| 24 + slot_name(&edge.slot).len()).sum::<usize>();
        if let Some(node) = self.nodes.get_mut(at.node) {
            node.keywords = keywords;
            node.edges = edges;
        }
    }

    /// Makes a node that has no room for what lies below it.
    pub(super) fn cut(&mut self, at: &Waiting<'d>) {
        let flat = self.context.flat(&at.parts, &mut self.faults);
        let mut keywords = Map::new();
        self.values(&flat, &mut keywords);
        let has_more = !flat.properties.is_empty()
            || flat.items.is_some()
            || !flat.alternatives.is_empty()
            || matches!(flat.additional, Some(Additional::Of(_)));
        if has_more {
            self.cut += 1;
            keywords.insert("description".into(), "Left out for its size.".into());
        }
        if is_list(&flat) {
            keywords.insert("items".into(), json!({}));
        }
        if let Some(Node { keywords: empty, .. }) = self.nodes.get_mut(at.node) {
            *empty = keywords;
        }
    }

    fn describe(&self, flat: &Flat<'d>, depth: usize, keywords: &mut Map<String, Value>) {
        let limit = self.detail.description(depth);
        if limit == 0 {
            return;
        }
        // A title of one word is a name, and names nothing new.
        let words = flat.title.filter(|title| title.contains(' '));
        let mut text = description::plain(flat.description.or(words).unwrap_or_default(), limit);
        if let Some(name) = flat.discriminator.and_then(|d| d.get("propertyName")).and_then(Value::as_str) {
            let names: Vec<&str> = flat
                .discriminator
                .and_then(|d| d.get("mapping"))
                .and_then(Value::as_object)
                .map(|mapping| mapping.keys().take(20).map(String::as_str).collect())
                .unwrap_or_default();
            let which = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&format!("`{name}` says which kind it is{which}."));
        }
        if !text.is_empty() {
            keywords.insert("description".into(), text.into());
        }
    }

    /// `type` and `enum`, which have to fit each other.
    fn values(&self, flat: &Flat<'d>, keywords: &mut Map<String, Value>) {
        let mut types: Option<Vec<&'static str>> = flat.types.clone();
        let mut nullable = flat.nullable;
        let values = flat.values.as_ref().and_then(|values| {
            let mut fitting: Vec<Value> =
                values.iter().copied().filter(|v| fits(v, types.as_deref())).cloned().collect();
            if fitting.is_empty() && types.as_deref() == Some(&["string"]) {
                // `type: string, enum: [1, 2]`: YAML took the quotes away.
                fitting = values.iter().copied().filter(|v| !v.is_null()).map(|v| Value::from(text_of(v))).collect();
            }
            if fitting.is_empty() {
                types = None;
                fitting = values.iter().copied().cloned().collect();
            }
            nullable |= values.iter().any(|value| value.is_null());
            let terse = self.detail == Detail::Terse || self.spent >= self.room;
            (!terse || Value::Array(fitting.clone()).to_string().len() <= MAX_TERSE_VALUES).then_some(fitting)
        });
        if types.is_none()
            && let Some(values) = &values
        {
            types = common_type(values).map(|ty| vec![ty]);
        }
        if let Some(types) = &types {
            let mut types: Vec<Value> = types.iter().map(|ty| Value::from(*ty)).collect();
            if nullable && !types.iter().any(|ty| ty == "null") {
                types.push("null".into());
            }
            let ty = match <[Value; 1]>::try_from(types) {
                Ok([only]) => only,
                Err(types) => Value::Array(types),
            };
            keywords.insert("type".into(), ty);
        }
        if let Some(mut values) = values {
            if nullable && !values.iter().any(Value::is_null) {
                values.push(Value::Null);
            }
            keywords.insert("enum".into(), Value::Array(values));
        }
    }

    /// Keywords without schemas below them, as far as a validator takes them.
    fn plain(&self, flat: &Flat<'d>, depth: usize, keywords: &mut Map<String, Value>) {
        let input = self.direction == Direction::Input;
        for (keyword, value) in &flat.keywords {
            let keep = match (*keyword, *value) {
                ("format" | "contentEncoding" | "contentMediaType", Value::String(_)) => true,
                ("pattern", Value::String(pattern)) => self.context.is_pattern(pattern),
                (
                    "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"
                    | "minContains" | "maxContains",
                    Value::Number(_),
                ) => value.as_u64().is_some(),
                ("minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum", Value::Number(_))
                | ("uniqueItems" | "deprecated", Value::Bool(true)) => true,
                ("multipleOf", value) => value.as_f64().is_some_and(|step| step > 0.0),
                ("default", value) => input && is_small(value) && fits_or_null(value, flat),
                ("dependentRequired", Value::Object(members)) => members.values().all(is_names),
                ("example", value) => {
                    if input
                        && depth <= 2
                        && self.detail == Detail::Full
                        && !value.is_object()
                        && is_small(value)
                        && fits_or_null(value, flat)
                    {
                        keywords.entry("examples").or_insert_with(|| json!([value]));
                    }
                    false
                }
                ("examples", Value::Array(list)) => {
                    input
                        && depth <= 2
                        && self.detail == Detail::Full
                        && is_small(value)
                        && !list.is_empty()
                        && list.iter().all(|value| fits_or_null(value, flat))
                }
                _ => false,
            };
            if keep {
                keywords.insert((*keyword).to_owned(), (*value).clone());
            }
        }
    }

    /// `properties`, `required` and `additionalProperties`. Returns what is hidden from the
    /// alternatives that stand beside: what does not go in this direction.
    fn properties(
        &mut self,
        flat: &Flat<'d>,
        at: &Waiting<'d>,
        keywords: &mut Map<String, Value>,
        edges: &mut Vec<Edge>,
    ) -> Rc<[String]> {
        let mut hidden: Vec<String> = at.hidden.to_vec();
        for (name, parts) in &flat.properties {
            if self.context.goes(parts, self.direction) {
                self.edge(Slot::Property((*name).to_owned()), parts, at, name, edges);
            } else {
                hidden.push((*name).to_owned());
            }
        }
        let closed = flat.additional == Some(Additional::None) && flat.get("patternProperties").is_none();
        let known = |name: &str| flat.properties.iter().any(|(known, _)| *known == name);
        let required: Vec<Value> = flat
            .required
            .iter()
            .filter(|name| !hidden.iter().any(|gone| gone == *name))
            .filter(|name| !closed || known(name))
            .map(|name| Value::from(*name))
            .collect();
        if !required.is_empty() {
            keywords.insert("required".into(), required.into());
        }
        match &flat.additional {
            Some(Additional::None) => {
                keywords.insert("additionalProperties".into(), false.into());
            }
            Some(Additional::Of(parts)) => {
                self.edge(Slot::Keyword("additionalProperties"), parts, at, "Member", edges);
            }
            Some(Additional::Any) | None => {}
        }
        hidden.into()
    }

    /// Everything else that has schemas below it.
    fn below(&mut self, flat: &Flat<'d>, at: &Waiting<'d>, keywords: &mut Map<String, Value>, edges: &mut Vec<Edge>) {
        if let Some(parts) = &flat.items {
            self.edge(Slot::Keyword("items"), parts, at, "Item", edges);
        } else if is_list(flat) && flat.get("prefixItems").is_none() {
            keywords.insert("items".into(), json!({}));
        }
        for (keyword, value) in &flat.keywords {
            match (*keyword, *value) {
                ("prefixItems", Value::Array(schemas)) if !schemas.is_empty() => {
                    for schema in schemas {
                        self.edge(Slot::Prefix, &[schema], at, "Item", edges);
                    }
                }
                ("patternProperties", Value::Object(members)) => {
                    for (pattern, schema) in members.iter().filter(|(pattern, _)| self.context.is_pattern(pattern)) {
                        self.edge(Slot::Pattern(pattern.clone()), &[schema], at, "Member", edges);
                    }
                }
                ("dependentSchemas", Value::Object(members)) => {
                    for (name, schema) in members {
                        self.edge(Slot::Dependent(name.clone()), &[schema], at, "Member", edges);
                    }
                }
                ("not", value) if !flat.never => self.edge(Slot::Keyword("not"), &[value], at, "Not", edges),
                ("if", value) => self.edge(Slot::Keyword("if"), &[value], at, "If", edges),
                ("then", value) => self.edge(Slot::Keyword("then"), &[value], at, "Then", edges),
                ("else", value) => self.edge(Slot::Keyword("else"), &[value], at, "Else", edges),
                ("contains", value) => self.edge(Slot::Keyword("contains"), &[value], at, "Item", edges),
                ("propertyNames", value) => self.edge(Slot::Keyword("propertyNames"), &[value], at, "Name", edges),
                _ => {}
            }
        }
    }

    fn alternatives(&mut self, flat: &Flat<'d>, hidden: &Rc<[String]>, at: &Waiting<'d>, edges: &mut Vec<Edge>) {
        let resolver = self.context.resolver;
        let admits_null = |schema: &'d Value| {
            let flat = Flat::read(resolver, &[schema], &mut Vec::new());
            flat.nullable || flat.types.as_deref() == Some(&["null"])
        };
        for (number, alternatives) in flat.alternatives.iter().enumerate() {
            // Taking members away can make alternatives overlap, and "exactly one" fail.
            let keyword = if hidden.is_empty() { alternatives.keyword } else { "anyOf" };
            let slot = Slot::Alternative(number, keyword);
            for schema in alternatives.schemas {
                let (node, overlay) = self.node(&[schema], hidden, at.depth + 1, "Kind");
                edges.push(Edge { slot: slot.clone(), node, overlay });
            }
            if flat.nullable && !alternatives.schemas.iter().any(admits_null) {
                let node = self.nodes.len();
                let mut keywords = Map::new();
                keywords.insert("type".into(), "null".into());
                self.nodes.push(Node { keywords, uses: 1, ..Node::default() });
                edges.push(Edge { slot, node, overlay: super::Overlay::default() });
            }
        }
    }

    fn edge(&mut self, slot: Slot, parts: &[&'d Value], at: &Waiting<'d>, name: &str, edges: &mut Vec<Edge>) {
        let nothing = self.nothing_hidden.clone();
        let parts: Parts<'d> = parts.to_vec();
        let (node, overlay) = self.node(&parts, &nothing, at.depth + 1, name);
        edges.push(Edge { slot, node, overlay });
    }
}

fn slot_name(slot: &Slot) -> &str {
    match slot {
        Slot::Property(name) | Slot::Pattern(name) | Slot::Dependent(name) => name,
        Slot::Prefix | Slot::Alternative(..) => "",
        Slot::Keyword(keyword) => keyword,
    }
}

fn is_names(value: &Value) -> bool {
    value.as_array().is_some_and(|names| names.iter().all(Value::is_string))
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn fits(value: &Value, types: Option<&[&'static str]>) -> bool {
    let Some(types) = types else { return true };
    types.iter().any(|ty| match *ty {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        _ => value.is_null(),
    })
}

/// Descriptions are careless with defaults and examples; one that does not fit misleads.
fn fits_or_null(value: &Value, flat: &Flat<'_>) -> bool {
    fits(value, flat.types.as_deref()) || (value.is_null() && flat.nullable)
}

fn common_type(values: &[Value]) -> Option<&'static str> {
    let mut present = values.iter().filter(|value| !value.is_null()).peekable();
    present.peek()?;
    ["string", "integer", "number", "boolean"]
        .into_iter()
        .find(|ty| present.clone().all(|value| fits(value, Some(&[ty]))))
}
