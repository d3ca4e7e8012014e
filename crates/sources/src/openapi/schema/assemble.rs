//! Nodes as JSON: each where it is used, or under `$defs` where it is used more than once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Builder, Built, Edge, Node, Overlay, Root, Slot};

/// A schema of this size or less is repeated rather than referred to.
const MAX_REPEATED: usize = 160;

pub(super) fn assemble<'d>(builder: Builder<'_, 'd>, roots: &[Root<'d>], edges: Vec<(usize, Overlay)>) -> Built {
    let mut assembly = Assembly {
        nodes: builder.nodes,
        anything_cut: builder.cut > 0,
        names: BTreeMap::new(),
        taken: BTreeSet::new(),
        waiting: Vec::new(),
    };
    let mut schemas = Vec::new();
    for (root, (node, overlay)) in roots.iter().zip(edges) {
        let mut schema =
            if root.whole { laid_over(assembly.body(node), &overlay) } else { assembly.place(node, &overlay) };
        if let Some(note) = &root.note {
            let before = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let text = if before.is_empty() { note.clone() } else { format!("{before} {note}") };
            schema.insert("description".into(), text.into());
        }
        schemas.push(schema);
    }
    let mut definitions = Map::new();
    while let Some((name, node)) = assembly.waiting.pop() {
        let body = assembly.body(node);
        definitions.insert(name, Value::Object(body));
    }
    definitions.sort_keys();
    Built { schemas, definitions, cut: builder.cut, faults: builder.faults }
}

struct Assembly {
    nodes: Vec<Node>,
    /// What was cut admits anything, which makes alternatives overlap and negations refuse all.
    anything_cut: bool,
    names: BTreeMap<usize, String>,
    taken: BTreeSet<String>,
    waiting: Vec<(String, usize)>,
}

impl Assembly {
    /// A node where it is used.
    fn place(&mut self, node: usize, overlay: &Overlay) -> Map<String, Value> {
        if self.is_shared(node) {
            let mut schema = Map::new();
            schema.insert("$ref".into(), format!("#/$defs/{}", self.name(node)).into());
            return laid_over(schema, overlay);
        }
        laid_over(self.body(node), overlay)
    }

    fn is_shared(&self, node: usize) -> bool {
        let Some(node) = self.nodes.get(node) else { return false };
        node.uses > 1
            && (!node.edges.is_empty() || Value::Object(node.keywords.clone()).to_string().len() > MAX_REPEATED)
    }

    fn name(&mut self, node: usize) -> String {
        if let Some(name) = self.names.get(&node) {
            return name.clone();
        }
        let hint = self.nodes.get(node).map_or("", |node| node.name.as_str());
        let mut name: String = hint
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '_' })
            .collect();
        name.truncate(80);
        if name.is_empty() {
            name.push_str("Schema");
        }
        let (base, mut number) = (name.clone(), 1);
        while !self.taken.insert(name.clone()) {
            number += 1;
            name = format!("{base}_{number}");
        }
        self.names.insert(node, name.clone());
        self.waiting.push((name.clone(), node));
        name
    }

    /// A node itself. Nodes that are used once stand below the only one that uses them, so this
    /// goes no deeper than the builder did.
    fn body(&mut self, node: usize) -> Map<String, Value> {
        let Some(Node { keywords, edges, .. }) = self.nodes.get_mut(node) else { return Map::new() };
        let (mut schema, edges) = (keywords.clone(), std::mem::take(edges));
        let mut alternatives: BTreeMap<usize, (&'static str, Vec<Value>)> = BTreeMap::new();
        for Edge { slot, node, overlay } in &edges {
            if self.anything_cut && matches!(slot, Slot::Keyword("not" | "if" | "then" | "else" | "contains")) {
                continue;
            }
            let child = Value::Object(self.place(*node, overlay));
            match slot {
                Slot::Property(name) => insert(&mut schema, "properties", name, child),
                Slot::Pattern(pattern) => insert(&mut schema, "patternProperties", pattern, child),
                Slot::Dependent(name) => insert(&mut schema, "dependentSchemas", name, child),
                Slot::Prefix => {
                    if let Value::Array(list) = schema.entry("prefixItems").or_insert_with(|| json!([])) {
                        list.push(child);
                    }
                }
                Slot::Alternative(number, keyword) => {
                    let keyword = if self.anything_cut { "anyOf" } else { keyword };
                    alternatives.entry(*number).or_insert_with(|| (keyword, Vec::new())).1.push(child);
                }
                Slot::Keyword(keyword) => {
                    schema.insert((*keyword).to_owned(), child);
                }
            }
        }
        if !schema.contains_key("contains") {
            schema.shift_remove("minContains");
            schema.shift_remove("maxContains");
        }
        let mut several = Vec::new();
        for (keyword, children) in alternatives.into_values() {
            if schema.contains_key("oneOf") || schema.contains_key("anyOf") {
                several.push(json!({ keyword: children }));
            } else {
                schema.insert(keyword.to_owned(), Value::Array(children));
            }
        }
        if !several.is_empty() {
            schema.insert("allOf".into(), Value::Array(several));
        }
        // A shared node is asked for once more when it is also a root.
        if let Some(node) = self.nodes.get_mut(node) {
            node.edges = edges;
        }
        schema
    }
}

fn insert(schema: &mut Map<String, Value>, keyword: &str, name: &str, child: Value) {
    if let Value::Object(members) = schema.entry(keyword).or_insert_with(|| Value::Object(Map::new())) {
        members.insert(name.to_owned(), child);
    }
}

/// What the place of use says goes before what the schema says of itself.
fn laid_over(mut schema: Map<String, Value>, overlay: &Overlay) -> Map<String, Value> {
    if overlay.nullable {
        schema = or_null(schema);
    }
    if let Some(text) = overlay.description.as_ref().filter(|text| !text.is_empty()) {
        schema.insert("description".into(), text.as_str().into());
    }
    if let Some(default) = &overlay.default {
        schema.insert("default".into(), default.clone());
    }
    if overlay.deprecated {
        schema.insert("deprecated".into(), true.into());
    }
    schema
}

fn or_null(mut schema: Map<String, Value>) -> Map<String, Value> {
    let simple = !["$ref", "oneOf", "anyOf", "allOf", "not"].iter().any(|keyword| schema.contains_key(*keyword));
    if schema.is_empty() || (simple && !schema.contains_key("type") && !schema.contains_key("enum")) {
        return schema;
    }
    if !simple {
        let mut wrapped = Map::new();
        wrapped.insert("anyOf".into(), json!([schema, {"type": "null"}]));
        return wrapped;
    }
    let types = match schema.get("type") {
        Some(Value::Array(types)) => types.clone(),
        Some(ty) => vec![ty.clone()],
        None => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|ty| ty == "null") {
        schema.insert("type".into(), types.into_iter().chain([Value::from("null")]).collect());
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.iter().any(Value::is_null)
    {
        values.push(Value::Null);
    }
    schema
}
