//! A source proposed for an API that OpenAPI describes: which operations become tools, where the API is,
//! and what it wants presented.

use std::fmt::Write as _;

use bridgehead_sources::openapi::{ConvertSettings, Document, Filter, convert};
use serde_json::Value;
use url::Url;

use super::{
    proposal::ProposedSource,
    text::{count, key, list, quoted, remark, snake, string},
};

/// How many operations become tools before a selection is proposed: more than that choose badly.
const TOOLS: usize = 40;
/// How many tags are named in a comment.
const TAGS: usize = 30;

/// Where the description is.
#[derive(Debug, Clone)]
pub(in crate::cli) struct At {
    /// The name of the source.
    pub(in crate::cli) source: String,
    /// Its `spec` as it stands in the configuration: a path relative to it, or a URL.
    pub(in crate::cli) spec: String,
    /// Where the API is, instead of what the description says.
    pub(in crate::cli) base_url: Option<Url>,
}

/// An operation, as far as a selection looks at it.
struct Operation<'d> {
    method: String,
    tags: Vec<&'d str>,
}

/// Proposes a source.
///
/// # Errors
/// No operation can be called, and how to mend that.
pub(in crate::cli) fn propose(at: &At, document: &Document) -> Result<ProposedSource, String> {
    let operations = operations(document.root());
    let selection = Selection::of(&operations);
    let settings = ConvertSettings {
        base_url: at.base_url.clone(),
        include: selection.include.clone(),
        exclude: selection.exclude.clone(),
        ..ConvertSettings::default()
    };
    let conversion = convert(document, &settings);
    if conversion.operations.is_empty() {
        let why = conversion.reports.iter().find(|report| report.operation.is_some()).map(ToString::to_string);
        return Err(match why {
            Some(why) if why.contains("base_url") => {
                format!("The description does not say where the API is: {why}. Name it with --base-url URL.")
            }
            Some(why) => format!("No operation of the description can be used: {why}."),
            None => "The description has no operations.".to_owned(),
        });
    }
    let mut toml = format!("[sources.{}]\ntype = \"openapi\"\nspec = {}\n", key(&at.source), string(&at.spec));
    match &at.base_url {
        Some(url) => {
            let _ = writeln!(toml, "base_url = {}", string(url.as_str()));
        }
        None => toml.push_str("# base_url = \"https://api.internal\"        # in the place of what the description names under `servers`\n"),
    }
    selection.write(&mut toml, &operations);
    let mut notes = Vec::new();
    credential(document.root(), &at.source, &mut toml, &mut notes);
    if let Some(first) = conversion.operations.first() {
        let _ = write!(
            toml,
            "\n# What an agent sees of an operation can be shaped; the description's own words are written for programmers:\n\
             # [sources.{}.tools.{}]\n# description = \"What it does, when to use it, what it returns.\"\n",
            key(&at.source),
            key(first.operation_id.as_deref().unwrap_or(&first.spec.name))
        );
    }
    Ok(ProposedSource { toml, tools: conversion.operations.len(), notes })
}

/// Every operation of the description (OpenAPI 3.1 §4.8.9).
fn operations(root: &Value) -> Vec<Operation<'_>> {
    const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
    let paths = root.get("paths").and_then(Value::as_object);
    paths
        .into_iter()
        .flat_map(|paths| paths.values())
        .filter_map(Value::as_object)
        .flat_map(|item| METHODS.iter().filter_map(|method| Some((*method, item.get(*method)?))))
        .map(|(method, operation)| Operation {
            method: method.to_ascii_uppercase(),
            tags: operation
                .get("tags")
                .and_then(Value::as_array)
                .map(|tags| tags.iter().filter_map(Value::as_str).collect())
                .unwrap_or_default(),
        })
        .collect()
}

/// Which operations become tools.
#[derive(Default)]
struct Selection {
    include: Filter,
    exclude: Filter,
}

impl Selection {
    /// All that delete nothing, where these are few; else those that read, and of these the tags that
    /// have few.
    fn of(operations: &[Operation<'_>]) -> Self {
        let count =
            |keep: &dyn Fn(&Operation<'_>) -> bool| operations.iter().filter(|operation| keep(operation)).count();
        let methods = |name: &str| Filter { methods: Some(vec![name.to_owned()]), ..Filter::default() };
        if count(&|operation| operation.method != "DELETE") <= TOOLS {
            let deletes = count(&|operation| operation.method == "DELETE") > 0;
            // Where there is nothing else, it would leave nothing.
            let exclude = deletes && count(&|operation| operation.method != "DELETE") > 0;
            return Self { exclude: if exclude { methods("DELETE") } else { Filter::default() }, ..Self::default() };
        }
        let reads = |operation: &Operation<'_>| operation.method == "GET";
        if count(&reads) == 0 {
            return Self::default();
        }
        let mut include = methods("GET");
        if count(&reads) > TOOLS {
            let mut room = TOOLS;
            let tags: Vec<String> = tags(operations.iter().filter(|operation| reads(operation)))
                .into_iter()
                .filter(|(_, number)| {
                    let fits = *number <= room;
                    room -= if fits { *number } else { 0 };
                    fits
                })
                .map(|(tag, _)| tag.to_owned())
                .collect();
            include.tags = (!tags.is_empty()).then_some(tags);
        }
        Self { include, ..Self::default() }
    }

    fn write(&self, toml: &mut String, operations: &[Operation<'_>]) {
        let _ = write!(
            toml,
            "\n# Which of the {} become tools: few are chosen better than many. All criteria of `include` have to hold,\n\
             # one of `exclude` is enough. There are `tags`, `operations`, `methods` and `paths`.\n",
            count(operations.len(), "operation")
        );
        let tags = tags(operations.iter());
        if !tags.is_empty() {
            let mut shown: Vec<_> =
                tags.iter().take(TAGS).map(|(tag, number)| format!("{} ({number})", remark(tag))).collect();
            if tags.len() > TAGS {
                shown.push(format!("and {} more", tags.len() - TAGS));
            }
            let _ = writeln!(toml, "# Tags, with their operations: {}.", shown.join(", "));
        }
        if let Some(methods) = &self.exclude.methods {
            let _ = writeln!(
                toml,
                "exclude = {{ methods = {} }}             # nothing is deleted until you take this out",
                list(methods.iter().map(String::as_str))
            );
        }
        let methods = self
            .include
            .methods
            .as_ref()
            .map(|methods| format!("methods = {}", list(methods.iter().map(String::as_str))));
        let tags = self.include.tags.as_ref().map(|tags| format!("tags = {}", list(tags.iter().map(String::as_str))));
        let criteria: Vec<_> = methods.into_iter().chain(tags).collect();
        if !criteria.is_empty() {
            let _ = writeln!(toml, "include = {{ {} }}", criteria.join(", "));
        }
    }
}

/// The tags, in the order in which operations name them, with how many do.
fn tags<'o, 'd: 'o>(operations: impl Iterator<Item = &'o Operation<'d>>) -> Vec<(&'d str, usize)> {
    let mut tags: Vec<(&str, usize)> = Vec::new();
    for tag in operations.flat_map(|operation| operation.tags.iter().copied()) {
        match tags.iter_mut().find(|(known, _)| *known == tag) {
            Some((_, number)) => *number += 1,
            None => tags.push((tag, 1)),
        }
    }
    tags
}

/// What the API wants presented, as a comment: the secret is not there yet (OpenAPI 3.1 §4.8.27).
fn credential(root: &Value, source: &str, toml: &mut String, notes: &mut Vec<String>) {
    let schemes = root.pointer("/components/securitySchemes").and_then(Value::as_object);
    let Some(schemes) = schemes.filter(|schemes| !schemes.is_empty()) else {
        toml.push_str(
            "\n# The description asks for no credential. Where the API wants one all the same:\n\
             # credential = { header = \"Authorization\", value = \"Bearer ${TOKEN}\" }\n",
        );
        return;
    };
    let wanted = root.pointer("/security/0").and_then(Value::as_object).and_then(|first| first.keys().next());
    let scheme = wanted.and_then(|name| schemes.get(name)).or_else(|| schemes.values().next());
    let variable = format!("{}_TOKEN", snake(source).to_ascii_uppercase());
    let text = |name: &str| scheme.and_then(|scheme| scheme.get(name)).and_then(Value::as_str).unwrap_or_default();
    let basic = text("type") == "http" && text("scheme").eq_ignore_ascii_case("basic");
    let (header, value) = match (text("type"), text("in")) {
        ("apiKey", "header") => (text("name").to_owned(), format!("${{{variable}}}")),
        _ if basic => ("Authorization".to_owned(), format!("Basic ${{{variable}}}")),
        _ => ("Authorization".to_owned(), format!("Bearer ${{{variable}}}")),
    };
    let is_base64 = if basic { ", which holds base64 of USER:PASSWORD" } else { "" };
    let _ = write!(
        toml,
        "\n# What the API is shown with each request, the same for all teammates; it stands in no tool, no log and no error.\n\
         # Set the variable{is_base64}, and take the # away:\n\
         # credential = {{ header = {}, value = {} }}\n",
        quoted(&header),
        string(&value)
    );
    notes.push(format!("the API wants a credential: set {variable} and `credential` in [sources.{}]", key(source)));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn api(operations: usize, tag: impl Fn(usize) -> String, method: &str) -> Document {
        let paths: serde_json::Map<String, Value> = (0..operations)
            .map(|index| {
                let operation = json!({
                    "operationId": format!("operation{index}"), "tags": [tag(index)], "summary": "Does it.",
                    "responses": {"200": {"description": "Done."}}
                });
                (format!("/things/{index}"), json!({ method: operation }))
            })
            .collect();
        let root = json!({
            "openapi": "3.0.3", "info": {"title": "Things", "version": "1"},
            "servers": [{"url": "https://things.example"}], "paths": paths,
            "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}}
        });
        Document::of(root, None).unwrap()
    }

    fn at() -> At {
        At { source: "things".into(), spec: "things.json".into(), base_url: None }
    }

    #[test]
    fn few_operations_are_all_proposed_and_many_are_narrowed_to_what_a_model_can_choose_from() {
        let few = propose(&at(), &api(3, |_| "a".into(), "post")).unwrap();
        assert_eq!(few.tools, 3);
        let many = propose(&at(), &api(100, |index| format!("tag{}", index % 5), "get")).unwrap();
        assert_eq!(many.tools, 40, "{}", many.toml);
        assert!(many.toml.contains("include = { methods = [\"GET\"], tags = [\"tag0\", \"tag1\"] }"), "{}", many.toml);
        assert!(many.toml.contains("tag4 (20)"), "what is left out is named");
        toml::from_str::<toml::Table>(&many.toml).unwrap();
    }

    #[test]
    fn the_credential_is_proposed_and_never_made_up() {
        let proposed = propose(&at(), &api(1, |_| "a".into(), "get")).unwrap();
        assert!(proposed.toml.contains("# credential = { header = \"X-Key\", value = \"${THINGS_TOKEN}\" }"));
        assert_eq!(proposed.notes.len(), 1);
    }

    #[test]
    fn an_api_that_is_nowhere_asks_for_its_place() {
        let mut root = api(1, |_| "a".into(), "get").root().clone();
        root.as_object_mut().unwrap().remove("servers");
        let document = Document::of(root, None).unwrap();
        assert!(propose(&at(), &document).unwrap_err().contains("--base-url"));
        let with = At { base_url: Some("https://x.example/".parse().unwrap()), ..at() };
        assert!(propose(&with, &document).unwrap().toml.contains("base_url = \"https://x.example/\""));
    }
}
