//! From a description to tools. Pure: the same description and settings give the same tools, in the
//! description's order, and nothing is read or asked. An operation that cannot be converted is
//! reported and keeps no other one back.

use std::{collections::BTreeMap, fmt};

use bridgehead_core::{ScopeSet, ToolSpec, WireName};
use http::Method;
use serde_json::Value;

use super::{
    binding::Binding,
    body,
    description::{self, Said},
    document::Document,
    effect,
    filter::Looked,
    input,
    key::KeyHeader,
    names, output,
    parameter::{self, Location, Parameter},
    path,
    schema::Context,
    security::Unmet,
    serialise::Style,
    servers,
    settings::{ConvertSettings, Shaping, hint},
};
use crate::fault::SourceFault;

/// The methods that a path item may have (OpenAPI 3.1 §4.8.9).
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// What becomes of a description.
#[derive(Debug, Clone, Default)]
pub struct Conversion {
    /// The tools, in the order of the description.
    pub operations: Vec<Operation>,
    /// What was left out or could not be kept whole, with the reason.
    pub reports: Vec<Report>,
    /// What is wrong with the settings.
    pub faults: Vec<SourceFault>,
    /// How many operations `include` and `exclude` left out.
    pub filtered: usize,
}

/// One operation as a tool.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `METHOD /path`, as in reports.
    pub operation: String,
    /// Its `operationId`, where it has one.
    pub operation_id: Option<String>,
    /// What an agent sees.
    pub spec: ToolSpec,
    /// How it is called.
    pub binding: Binding,
    /// Whether its description says anything beyond method and path.
    pub is_described: bool,
}

/// One thing that could not be kept, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `METHOD /path`; `None` where it is about the whole description.
    pub operation: Option<String>,
    /// What and why, in words for the operator.
    pub reason: String,
    /// How bad it is.
    pub severity: Severity,
}

/// How bad a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The operation did not become a tool.
    Skipped,
    /// The operation became a tool that says or accepts less than the API.
    Degraded,
    /// The tools are whole, and something else wants attention.
    Warning,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Skipped => "left out",
            Severity::Degraded => "not kept whole",
            Severity::Warning => "note",
        };
        match &self.operation {
            Some(operation) => write!(f, "{operation} ({word}): {}", self.reason),
            None => write!(f, "{word}: {}", self.reason),
        }
    }
}

/// An operation where it stands in the description.
#[derive(Clone, Copy)]
struct Found<'d> {
    /// Upper case.
    method: &'static str,
    path: &'d str,
    item: &'d Value,
    operation: &'d Value,
}

impl Found<'_> {
    fn title(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn id(&self) -> Option<&str> {
        self.operation.get("operationId").and_then(Value::as_str).filter(|id| !id.trim().is_empty())
    }
}

/// Converts a description.
#[must_use]
pub fn convert(document: &Document, settings: &ConvertSettings) -> Conversion {
    let context = Context::new(document.root());
    let mut conversion = Conversion::default();
    let found = find(&context, document, &mut conversion.reports);
    let named: Vec<_> =
        found.iter().map(|one| names::Named { method: one.method, path: one.path, operation_id: one.id() }).collect();
    let names = names::of_tools(&named, settings.max_name);
    let tags: Vec<Vec<&str>> = found.iter().map(|one| tags(one.operation)).collect();
    let looked: Vec<Looked<'_>> = found
        .iter()
        .zip(&names)
        .zip(&tags)
        .map(|((one, name), tags)| Looked { tags, operation_id: one.id(), name, method: one.method, path: one.path })
        .collect();
    conversion.faults.extend(unused_filters(settings, &looked));
    let shapings = shapings(settings, &looked, &mut conversion.faults);
    let mut unmet = Unmet::default();
    for ((one, name), looked) in found.iter().zip(&names).zip(&looked) {
        if !settings.include.admits(*looked) || settings.exclude.names(*looked) {
            conversion.filtered += 1;
            continue;
        }
        let mut notes = Vec::new();
        let shaping = shapings.get(name.as_str()).copied();
        match operation(&context, document, settings, *one, (name, shaping), (&mut notes, &mut conversion.faults)) {
            Ok(made) => {
                unmet.look(context.resolver, document.root(), one.operation, &settings.presents);
                conversion.operations.push(made);
            }
            Err(reason) => {
                conversion.reports.push(Report { operation: Some(one.title()), reason, severity: Severity::Skipped })
            }
        }
        notes.dedup();
        conversion.reports.extend(notes.into_iter().map(|reason| Report {
            operation: Some(one.title()),
            reason,
            severity: Severity::Degraded,
        }));
    }
    conversion.reports.extend(unmet.lines().into_iter().map(|reason| Report {
        operation: None,
        reason,
        severity: Severity::Warning,
    }));
    conversion
}

/// Every operation of the description, those that will be left out included.
fn find<'d>(context: &Context<'d>, document: &'d Document, reports: &mut Vec<Report>) -> Vec<Found<'d>> {
    let mut found = Vec::new();
    let mut skip = |operation: String, reason: String| {
        reports.push(Report { operation: Some(operation), reason, severity: Severity::Skipped });
    };
    for (path, item) in document.root().get("paths").and_then(Value::as_object).into_iter().flatten() {
        if path.starts_with("x-") {
            continue;
        }
        let own = item;
        let item = match context.resolver.resolve(item) {
            Ok(item) => item,
            Err(error) => {
                skip(format!("* {path}"), format!("of its path {error}"));
                continue;
            }
        };
        // Operations may stand beside a path item's reference as well.
        let beside = (!std::ptr::eq(own, item)).then_some(own);
        for (item, (key, operation)) in [Some(item), beside]
            .into_iter()
            .flatten()
            .flat_map(|item| item.as_object().into_iter().flatten().map(move |member| (item, member)))
        {
            let Some(method) = METHODS.iter().find(|method| **method == key.as_str()) else { continue };
            let method = upper(method);
            match context.resolver.resolve(operation) {
                Ok(operation) if operation.is_object() => found.push(Found { method, path, item, operation }),
                Ok(_) => skip(format!("{method} {path}"), "it is no object".to_owned()),
                Err(error) => skip(format!("{method} {path}"), error.to_string()),
            }
        }
    }
    found
}

fn upper(method: &str) -> &'static str {
    match method {
        "get" => "GET",
        "put" => "PUT",
        "post" => "POST",
        "delete" => "DELETE",
        "options" => "OPTIONS",
        "head" => "HEAD",
        "patch" => "PATCH",
        _ => "TRACE",
    }
}

fn tags(operation: &Value) -> Vec<&str> {
    operation.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn unused_filters(settings: &ConvertSettings, looked: &[Looked<'_>]) -> Vec<SourceFault> {
    let mut faults = Vec::new();
    for (table, filter) in [("include", &settings.include), ("exclude", &settings.exclude)] {
        for (key, text) in filter.unused(looked) {
            let hint = match key {
                "tags" => hint(text, looked.iter().flat_map(|one| one.tags.iter().copied())),
                "paths" => hint(text, looked.iter().map(|one| one.path)),
                _ => hint(text, looked.iter().map(|one| one.operation_id.unwrap_or(one.name))),
            };
            let message = format!("No operation fits `{text}`.{hint} Correct it, or remove it.");
            faults.push(SourceFault::new(&[table, key], message));
        }
    }
    faults
}

/// The shaping of each tool, by the tool's name without shaping.
fn shapings<'s>(
    settings: &'s ConvertSettings,
    looked: &[Looked<'_>],
    faults: &mut Vec<SourceFault>,
) -> BTreeMap<String, (&'s str, &'s Shaping)> {
    let mut found = BTreeMap::new();
    for (key, shaping) in &settings.tools {
        let title = |one: &Looked<'_>| format!("{} {}", one.method, one.path);
        let mut fitting: Vec<_> = looked.iter().filter(|one| one.name == key || title(one) == *key).collect();
        if fitting.is_empty() {
            fitting = looked.iter().filter(|one| one.operation_id == Some(key)).collect();
        }
        match fitting.as_slice() {
            [] => {
                let known = looked.iter().flat_map(|one| [one.operation_id.unwrap_or(one.name), one.name]);
                let message = format!("The description has no operation `{key}`.{} ", hint(key, known));
                faults.push(SourceFault::new(
                    &["tools", key],
                    format!("{message}Name it by its operation id, by the name of its tool, or as `GET /path`."),
                ));
            }
            [one] => {
                if found.insert(one.name.to_owned(), (key.as_str(), shaping)).is_some() {
                    faults.push(SourceFault::new(
                        &["tools", key],
                        "This operation is shaped twice. Remove one of the two.",
                    ));
                }
            }
            several => {
                let names: Vec<&str> = several.iter().map(|one| one.name).collect();
                let message = format!("Several operations have this id. Name one of them: {}.", names.join(", "));
                faults.push(SourceFault::new(&["tools", key], message));
            }
        }
        check_shaping(key, shaping, faults);
    }
    found
}

fn check_shaping(key: &str, shaping: &Shaping, faults: &mut Vec<SourceFault>) {
    if let Some(Err(error)) = shaping.name.as_deref().map(WireName::parse) {
        faults.push(SourceFault::new(&["tools", key, "name"], error.to_string()));
    }
    if let Some(Err(error)) = shaping.scope.as_deref().map(|scope| ScopeSet::default().insert(scope)) {
        faults.push(SourceFault::new(&["tools", key, "scope"], error.to_string()));
    }
    if shaping.description.as_deref().is_some_and(|text| text.trim().is_empty()) {
        let message = "A description is all that an agent sees. Write one, or leave it out to have the API's own.";
        faults.push(SourceFault::new(&["tools", key, "description"], message));
    }
}

/// One operation. The error is the reason why it becomes no tool.
fn operation<'d>(
    context: &Context<'d>,
    document: &'d Document,
    settings: &ConvertSettings,
    found: Found<'d>,
    (name, shaping): (&str, Option<(&str, &Shaping)>),
    (notes, faults): (&mut Vec<String>, &mut Vec<SourceFault>),
) -> Result<Operation, String> {
    let Found { method, path, item, operation } = found;
    let text =
        |place: &'d Value, key: &str| place.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let base = servers::base(settings.base_url.as_ref(), document, item, operation)?;
    let (segments, query) = path::parse(path);
    let parameters = parameter::read(context, item, operation, notes)?;
    let (mut parameters, query) = fit_to_path(parameters, &path::names(path), query, notes);
    let body = body::read(context, operation, notes)?;
    let shape = shaping.map(|(_, shaping)| shaping);
    let (effect, idempotent) = effect::of(method, operation, shape.and_then(|shape| shape.effect));
    let is_asked_for = |parameter: &Parameter<'_>| !input::is_presented(parameter, &settings.presents);
    parameters.retain(is_asked_for);
    let key = (!effect.is_read()).then(|| KeyHeader::take(context, &mut parameters, notes)).flatten();
    let without_key = key.as_ref().zip(shaping).map(|(key, (at, shaping))| (at, key.left_out(at, shaping, faults)));
    let shaping = without_key.as_ref().map(|(at, shaping)| (*at, shaping)).or(shaping);
    let inputs = input::make(context, settings, (parameters, body), effect.is_read(), shaping, faults);
    let output = output::of(context, operation, settings.max_output_bytes);
    notes.extend(inputs.notes);
    notes.extend(output.notes);
    let summary = text(operation, "summary").or_else(|| text(item, "summary"));
    let said = Said {
        method,
        path,
        summary,
        description: text(operation, "description").or_else(|| text(item, "description")),
        deprecated: operation.get("deprecated") == Some(&Value::Bool(true)),
    };
    let (mut description, is_described) = description::of_tool(said);
    if let Some(rule) = inputs.rule {
        description = format!("{description}\n{rule}");
    }
    let mut spec = ToolSpec::new(name, description);
    spec.title = description::title(summary);
    spec.input_schema = inputs.schema;
    spec.output_schema = Some(output.schema);
    (spec.effect, spec.idempotent) = (effect, idempotent);
    // An API answers for one known system, whatever it does behind.
    spec.open_world = true;
    spec.upstream_idempotency_header = key.as_ref().map(|key| key.name.as_str().into());
    if let Some(shape) = shape {
        spec.name = shape.name.clone().unwrap_or(spec.name);
        spec.title = shape.title.clone().or(spec.title);
        spec.description = shape.description.clone().unwrap_or(spec.description);
        spec.scope.clone_from(&shape.scope);
    }
    let binding = Binding {
        method: Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?,
        base,
        path: segments,
        query,
        parameters: inputs.parameters,
        body: inputs.body,
        key,
        accept: output.accept,
        answer: output.shape,
    };
    let operation_id = found.id().map(str::to_owned);
    Ok(Operation { operation: found.title(), operation_id, spec, binding, is_described })
}

/// Path parameters that the path does not have go, unless they stand in the query that is written
/// into the path (`/export?file={file}`); those that only the path has are texts.
fn fit_to_path<'d>(
    mut parameters: Vec<Parameter<'d>>,
    names: &[&'d str],
    query: Option<&'d str>,
    notes: &mut Vec<String>,
) -> (Vec<Parameter<'d>>, Option<String>) {
    let mut literal = Vec::new();
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(name) = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            literal.push(pair);
            continue;
        };
        if let Some(known) = parameters.iter_mut().find(|one| one.location == Location::Path && one.name == name) {
            (known.location, known.name, known.style) = (Location::Query, key, Style::Form);
        }
    }
    parameters.retain(|parameter| {
        let has_place = parameter.location != Location::Path || names.contains(&parameter.name);
        if !has_place {
            notes.push(format!("the path has no place for its parameter `{}`; it was left out", parameter.name));
        }
        has_place
    });
    for name in names {
        if !parameters.iter().any(|parameter| parameter.location == Location::Path && parameter.name == *name) {
            notes.push(format!("the parameter `{name}` of the path is not described; it is taken as text"));
            parameters.push(Parameter {
                name,
                location: Location::Path,
                required: true,
                description: None,
                schema: Vec::new(),
                style: Style::Simple,
                explode: false,
                allow_reserved: false,
                json: false,
            });
        }
    }
    (parameters, (!literal.is_empty()).then(|| literal.join("&")))
}

#[cfg(test)]
mod tests;
