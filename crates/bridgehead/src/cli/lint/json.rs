//! The grades for scripts. The members are part of the interface: docs/reference/lint.md lists them.

use bridgehead_lint::Finding;
use serde_json::{Map, Value, json};

use super::Shown;
use crate::config::Place;

pub(super) fn document(shown: &Shown) -> Value {
    let tools: Vec<Value> = shown
        .tools
        .iter()
        .map(|tool| {
            let findings = tool.graded.findings.iter().zip(&tool.places);
            json!({
                "name": tool.graded.name,
                "address": tool.tool.address.to_string(),
                "effect": tool.tool.effect,
                "grade": tool.graded.grade,
                "points": tool.graded.points,
                "tokens": tool.graded.tokens,
                "findings": findings.map(|(finding, place)| with_place(finding, place)).collect::<Vec<_>>(),
            })
        })
        .collect();
    let catalog: Vec<Value> = shown.catalog.iter().map(|(finding, place)| with_place(finding, place)).collect();
    let grades: Map<String, Value> =
        shown.grades().into_iter().map(|(grade, count)| (grade.to_string(), count.into())).collect();
    json!({
        "tools": tools,
        "catalog": catalog,
        "summary": {
            "tools": shown.tools.len(),
            "tokens": shown.tokens(),
            "worst": shown.tools.first().map(|tool| tool.graded.grade),
            "grades": grades,
        },
    })
}

fn with_place(finding: &Finding, place: &Place) -> Value {
    let place = match place {
        Place::Line { file, line, column } => json!({"file": file, "line": line, "column": column}),
        Place::File(_) | Place::Variable(_) => Value::Null,
    };
    let mut object = finding.to_json();
    object.insert("place".to_owned(), place);
    Value::Object(object)
}
