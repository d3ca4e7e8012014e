//! The checked set of tools: an immutable snapshot, shared, and swapped whole.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};

use crate::{
    Policies, Policy, Source, Tool, ToolAddress, ToolSpec, WireName, cache,
    effects::{handle, parameter},
    policy::matches,
    schema::{Schema, omitted_property},
};

/// A source under the name the configuration gives it.
#[derive(Clone)]
pub struct NamedSource {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Stands before each wire name as `PREFIX_`, where not empty.
    pub prefix: String,
    /// The source itself.
    pub source: Arc<dyn Source>,
}

/// One tool, ready to be called.
pub struct Entry {
    /// What it is.
    pub tool: Tool,
    /// The input schema of its source, compiled: without the parameter for an idempotency key.
    pub input: Schema,
    /// Its compiled output schema, where it has one.
    pub output: Option<Schema>,
    /// Who runs it.
    pub source: Arc<dyn Source>,
    /// Tells it from a tool of the same name that is described otherwise, or has another policy.
    pub digest: [u8; 32],
    /// The tools of whose answers nothing may be remembered after a call of this one.
    pub invalidates: Vec<ToolAddress>,
}

/// Something that keeps a tool from being served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFault {
    /// Which tool.
    pub address: ToolAddress,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// The tools of an endpoint, in a stable order.
#[derive(Default)]
pub struct Catalog {
    entries: Vec<Arc<Entry>>,
    by_name: HashMap<Arc<str>, usize>,
    sources: Vec<NamedSource>,
}

impl Catalog {
    /// Asks every source for its tools and checks them all.
    ///
    /// # Errors
    /// Every fault at once: a name no model API accepts, two tools of one name, a missing
    /// description, a schema that does not compile or is not an object.
    pub fn build(sources: Vec<NamedSource>, policies: &Policies) -> Result<Self, Vec<CatalogFault>> {
        let mut catalog = Self::default();
        let mut faults = Vec::new();
        for named in &sources {
            for spec in named.source.tools() {
                let address = ToolAddress { source: named.name.clone(), tool: spec.name.as_str().into() };
                match entry(named, &address, spec, policies) {
                    Ok(entry) => catalog.add(entry, &mut faults),
                    Err(messages) => faults
                        .extend(messages.into_iter().map(|message| CatalogFault { address: address.clone(), message })),
                }
            }
        }
        catalog.sources = sources;
        catalog.add_result_tool(policies, &mut faults);
        catalog.connect();
        if faults.is_empty() { Ok(catalog) } else { Err(faults) }
    }

    /// The tool that fetches results, where a call may be answered without one.
    fn add_result_tool(&mut self, policies: &Policies, faults: &mut Vec<CatalogFault>) {
        for entry in self.entries.iter().filter(|entry| entry.tool.wire_name.as_str() == handle::RESULT) {
            let message =
                format!("`{}` is a name of Bridgehead's own. Rename the tool, or set `prefix`.", handle::RESULT);
            faults.push(CatalogFault { address: entry.tool.address.clone(), message });
        }
        if !faults.is_empty() || !self.entries.iter().any(|entry| entry.tool.outlasts) {
            return;
        }
        let (named, spec) = handle::result_tool();
        let address = ToolAddress { source: named.name.clone(), tool: spec.name.as_str().into() };
        match entry(&named, &address, spec, policies) {
            Ok(mut entry) => {
                // Its own waiting is shorter, whatever holds for others.
                entry.tool.policy.timeout = handle::PATIENCE + Duration::from_secs(10);
                entry.tool.outlasts = false;
                self.add(entry, faults);
            }
            Err(messages) => {
                faults.extend(messages.into_iter().map(|message| CatalogFault { address: address.clone(), message }));
            }
        }
    }

    fn add(&mut self, entry: Entry, faults: &mut Vec<CatalogFault>) {
        let name: Arc<str> = entry.tool.wire_name.as_str().into();
        if let Some(first) = self.by_name.get(&name).and_then(|index| self.entries.get(*index)) {
            faults.push(CatalogFault {
                address: entry.tool.address.clone(),
                message: format!(
                    "{} and {} would both be called `{name}`. Set `prefix` on one of the two sources, or rename one tool.",
                    first.tool.address, entry.tool.address,
                ),
            });
            return;
        }
        self.by_name.insert(name, self.entries.len());
        self.entries.push(Arc::new(entry));
    }

    /// Lets each tool with effects know whose remembered answers it makes worthless.
    fn connect(&mut self) {
        let remembered: Vec<(ToolAddress, Vec<String>)> = self
            .entries
            .iter()
            .filter(|entry| entry.tool.effect.is_read())
            .filter_map(|entry| {
                let cache = entry.tool.policy.cache.as_ref()?;
                Some((entry.tool.address.clone(), cache.invalidated_by.clone()))
            })
            .collect();
        let mut changing = self.entries.iter_mut().filter_map(Arc::get_mut).filter(|e| !e.tool.effect.is_read());
        changing.by_ref().for_each(|entry| {
            let address = entry.tool.address.to_string();
            let touched = remembered.iter().filter(|(_, by)| by.iter().any(|pattern| matches(pattern, &address)));
            entry.invalidates = touched.map(|(address, _)| address.clone()).collect();
        });
    }

    /// The tool with this wire name.
    #[must_use]
    pub fn find(&self, wire_name: &str) -> Option<&Arc<Entry>> {
        self.by_name.get(wire_name).and_then(|index| self.entries.get(*index))
    }

    /// All tools, source by source, in the order the sources gave.
    #[must_use]
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// The sources behind the tools.
    #[must_use]
    pub fn sources(&self) -> &[NamedSource] {
        &self.sources
    }
}

fn entry(
    named: &NamedSource,
    address: &ToolAddress,
    spec: ToolSpec,
    policies: &Policies,
) -> Result<Entry, Vec<String>> {
    let mut faults = Vec::new();
    let wire = if named.prefix.is_empty() { spec.name.clone() } else { format!("{}_{}", named.prefix, spec.name) };
    let wire_name = WireName::parse(&wire).map_err(|error| faults.push(error.to_string())).ok();
    if spec.description.trim().is_empty() {
        faults.push("has no description, and a description is all that an agent sees. Say what it does, when to use it and what it returns.".into());
    }
    check_input(&spec.input_schema, &mut faults);
    let policy = policies.resolve(address);
    if spec.effect.is_read() && spec.per_caller && policy.cache.as_ref().is_some_and(|cache| cache.shared) {
        faults.push(
            "its answers depend on who calls: a credential or a name of their own, or code that may ask. `cache.shared` \
             would give them to others. Leave `shared` out of the tool's policy, so that each caller has answers of \
             their own; code whose answers are the same for all says so with `same_for_all_callers`."
                .into(),
        );
    }
    let digest = digest(&spec, &policy, &named.source.revision(&spec.name));
    let input = Schema::compile_input(&spec.input_schema).map_err(|e| faults.push(format!("input schema: {e}"))).ok();
    let key = parameter::of(&spec, &policy).unwrap_or_else(|message| {
        faults.push(message);
        None
    });
    let output_schema = spec.output_schema.map(with_omitted);
    if output_schema.as_ref().is_some_and(|schema| schema.get("type").and_then(Value::as_str) != Some("object")) {
        faults.push("the output schema's root must be `type: object`. Wrap the result in an object.".into());
    }
    let output = output_schema
        .as_ref()
        .and_then(|schema| Schema::compile(schema).map_err(|e| faults.push(format!("output schema: {e}"))).ok());
    // What is checked is the strict schema: a handle takes another way.
    let may_outlast = policy.timeout > handle::PATIENCE;
    let (outlasts, output_schema) = match output_schema {
        Some(schema) if may_outlast => match handle::publish(schema.clone()) {
            Some(published) => (true, Some(published)),
            None => (false, Some(schema)),
        },
        schema => (may_outlast, schema),
    };
    match (wire_name, input) {
        (Some(wire_name), Some(input)) if faults.is_empty() => Ok(Entry {
            tool: Tool {
                address: address.clone(),
                wire_name,
                title: spec.title,
                description: spec.description,
                input_schema: Arc::new(match key {
                    Some(key) => parameter::publish(spec.input_schema, key, &policy),
                    None => spec.input_schema,
                }),
                output_schema: output_schema.map(Arc::new),
                outlasts,
                effect: spec.effect,
                idempotent: spec.idempotent,
                open_world: spec.open_world,
                per_caller: spec.per_caller,
                scope: spec.scope.unwrap_or_else(|| spec.effect.default_scope().to_owned()),
                key,
                upstream_idempotency_header: policy
                    .upstream_idempotency_header
                    .clone()
                    .or(spec.upstream_idempotency_header)
                    .filter(|_| named.source.recovery(&address.tool).sends_key),
                policy,
            },
            input,
            output,
            source: named.source.clone(),
            digest,
            invalidates: Vec::new(),
        }),
        _ => Err(faults),
    }
}

fn digest(spec: &ToolSpec, policy: &Policy, revision: &str) -> [u8; 32] {
    let described = json!([spec.description, spec.input_schema, spec.output_schema, spec.per_caller, revision]);
    cache::digest("bridgehead tool/1", json!([described, format!("{policy:?}")]))
}

/// What every model API asks of an input schema (D2): an object at the root, and property names
/// of `^[A-Za-z0-9_.-]{1,64}$`.
fn check_input(schema: &Map<String, Value>, faults: &mut Vec<String>) {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        faults.push("the input schema's root must be `type: object`.".into());
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    for name in schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
        if !(1..=64).contains(&name.len()) || !name.bytes().all(legal) {
            faults.push(format!("parameter `{name}`: model APIs accept 1 to 64 of the characters A-Z a-z 0-9 _ . -"));
        }
    }
}

/// A result may be cut, so every output schema must allow the note that says so.
fn with_omitted(mut schema: Map<String, Value>) -> Map<String, Value> {
    if let Value::Object(properties) = schema.entry("properties").or_insert_with(|| Value::Object(Map::new())) {
        properties.entry("_omitted").or_insert_with(omitted_property);
    }
    schema
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{Call, CallError, Outcome};

    struct Offers(Vec<ToolSpec>);

    #[async_trait]
    impl Source for Offers {
        fn kind(&self) -> &'static str {
            "test"
        }
        fn tools(&self) -> Vec<ToolSpec> {
            self.0.clone()
        }
        async fn call(&self, _: &str, _: &Call) -> Result<Outcome, CallError> {
            Ok(Outcome::default())
        }
    }

    fn named(name: &str, prefix: &str, tools: Vec<ToolSpec>) -> NamedSource {
        NamedSource { name: name.into(), prefix: prefix.into(), source: Arc::new(Offers(tools)) }
    }

    #[test]
    fn a_collision_names_both_tools_and_a_prefix_mends_it() {
        let tool = || vec![ToolSpec::new("find", "Finds.")];
        let faults =
            Catalog::build(vec![named("a", "", tool()), named("b", "", tool())], &Policies::default()).err().unwrap();
        assert!(faults[0].message.contains("a.find") && faults[0].message.contains("b.find"), "{faults:?}");
        let catalog =
            Catalog::build(vec![named("a", "", tool()), named("b", "b", tool())], &Policies::default()).ok().unwrap();
        assert_eq!(catalog.entries().iter().map(|e| e.tool.wire_name.as_str()).collect::<Vec<_>>(), ["find", "b_find"]);
    }

    /// D1, D2: nothing is served that an agent could not see or a model API would refuse.
    #[test]
    fn every_fault_of_every_tool_is_named_at_once() {
        let mut odd = ToolSpec::new("has space", "");
        odd.input_schema.insert("properties".into(), serde_json::json!({"$top": {"type": "integer"}}));
        let faults = Catalog::build(vec![named("a", "", vec![odd])], &Policies::default()).err().unwrap();
        let all = faults.iter().map(|f| f.message.clone()).collect::<Vec<_>>().join("\n");
        assert!(all.contains("has space") && all.contains("no description") && all.contains("$top"), "{all}");
    }
}
