//! Every rule speaks up at its own bad example and is silent at its good one (D1); what stands in the
//! reference is thereby true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::collections::BTreeSet;

use bridgehead_lint::{
    Subject, lint,
    rules::{self, Example},
};
use serde_json::Value;

fn subjects(json: &str) -> Vec<Subject> {
    let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let tools = match value {
        Value::Array(tools) => tools,
        tool => vec![tool],
    };
    tools.iter().map(|tool| Subject::from_wire(tool).unwrap()).collect()
}

/// The ids of all that is found.
fn found(tools: &[Subject]) -> BTreeSet<&'static str> {
    let report = lint(tools);
    report.tools.iter().flat_map(|tool| &tool.findings).chain(&report.catalog).map(|finding| finding.rule.id).collect()
}

#[test]
fn each_rule_finds_its_bad_example_and_lets_its_good_one_pass() {
    for rule in rules::ALL {
        let (Example::Tools(bad), Example::Tools(good)) = (rule.bad, rule.good) else { continue };
        assert!(found(&subjects(bad)).contains(rule.id), "{} lets its bad example pass", rule.id);
        assert!(!found(&subjects(good)).contains(rule.id), "{} finds fault with its good example", rule.id);
    }
}

/// A good example that another rule finds fault with teaches a bad habit. Hints, output schemas and keys are
/// left out of most examples, to keep them short.
#[test]
fn good_examples_are_good() {
    const LEFT_OUT: [&str; 4] = ["hints-missing", "output-schema", "idempotency-key", "result-unsaid"];
    for rule in rules::ALL {
        let Example::Tools(good) = rule.good else { continue };
        let mut others = found(&subjects(good));
        others.retain(|id| !LEFT_OUT.contains(id));
        assert!(others.is_empty(), "the good example of {}: {others:?}", rule.id);
    }
}

#[test]
fn ids_are_unique_and_fit_into_links() {
    let ids: BTreeSet<_> = rules::ALL.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), rules::ALL.len());
    assert!(ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{ids:?}");
    assert!(rules::ALL.iter().all(|rule| rule.title.ends_with('.') && rule.why.ends_with('.')));
}

#[test]
fn the_published_reference_is_up_to_date() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/lint.md");
    assert!(
        std::fs::read_to_string(published).unwrap_or_default() == bridgehead_lint::reference::markdown(),
        "docs/reference/lint.md is not what the code says; write it anew with\n  cargo xtask generate",
    );
}
