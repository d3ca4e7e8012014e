//! The findings as SARIF 2.1.0 (OASIS, errata 01), for code hosts that show them beside the configuration.

use std::path::Path;

use bridgehead_core::ToolAddress;
use bridgehead_lint::{Finding, Rule, rules};
use serde_json::{Value, json};

use super::Shown;
use crate::config::Place;

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn log(shown: &Shown) -> Value {
    let of_tools = shown.tools.iter().flat_map(|tool| {
        let findings = tool.graded.findings.iter().zip(&tool.places);
        findings.map(|(finding, place)| result(shown, finding, place, Some(&tool.tool.address)))
    });
    let of_all = shown.catalog.iter().map(|(finding, place)| result(shown, finding, place, None));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "bridgehead lint",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules::ALL.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": of_tools.chain(of_all).collect::<Vec<_>>(),
        }],
    })
}

/// `reportingDescriptor` (§3.49).
fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": format!("{} {}", rule.title, rule.why)},
        "defaultConfiguration": {"level": rule.severity},
    })
}

/// `result` (§3.27).
fn result(shown: &Shown, finding: &Finding, place: &Place, address: Option<&ToolAddress>) -> Value {
    let index = rules::ALL.iter().position(|rule| rule.id == finding.rule.id);
    let whom = address.map_or_else(|| "All tools".to_owned(), ToString::to_string);
    let logical: Vec<Value> = address
        .map(|address| json!({"fullyQualifiedName": format!("{address}{}", finding.at), "kind": "member"}))
        .into_iter()
        .collect();
    let location = json!({"physicalLocation": physical(&shown.configuration, place), "logicalLocations": logical});
    json!({
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": finding.severity,
        "message": {"text": format!("{whom}: {} To mend it: {}.", finding.message, finding.mend.text)},
        "locations": [location],
        // What stays the same when lines move (§3.27.17).
        "partialFingerprints": {"tool/v1": format!("{whom}#{}", finding.at)},
    })
}

/// `physicalLocation` (§3.29): the line, or the configuration as a whole.
fn physical(configuration: &Path, place: &Place) -> Value {
    match place {
        Place::Line { file, line, column } => json!({
            "artifactLocation": {"uri": uri(file)},
            "region": {"startLine": line, "startColumn": column},
        }),
        Place::File(_) | Place::Variable(_) => {
            json!({"artifactLocation": {"uri": uri(&configuration.display().to_string())}})
        }
    }
}

/// A path as a URI reference (RFC 3986 §4.2): relative ones stay so, to be read from where the command ran.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut uri = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
