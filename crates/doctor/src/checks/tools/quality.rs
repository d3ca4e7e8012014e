//! The tools as data: what a model API refuses, and what an agent misunderstands. Judged by the rules of
//! `bridgehead lint`; here is only which of them belong to which check.

use std::collections::BTreeSet;

use bridgehead_lint::{Finding, Grade, Severity, Subject, lint};
use serde_json::Value;

use super::list::{Listed, name};
use crate::{Area, Check, checks::protocol::Spoken, rpc, visit::Visit};

/// How many findings are told in a report; the rest is counted.
const TOLD: usize = 5;

/// Once each.
pub(super) const TOOLS_UNIQUE: Check = Check {
    id: "tools-unique",
    area: Area::Tools,
    title: "No two tools have the same name",
    why: "Model APIs refuse a list that has a name twice, and with it the whole conversation.",
    standard: "MCP 2025-11-25, Tools, \"Tool Names\"",
    mend: "Rename one, or put a prefix before the tools of one source.",
};

/// Names that model APIs take.
pub(super) const TOOLS_NAMES: Check = Check {
    id: "tools-names",
    area: Area::Tools,
    title: "Names of tools are such that model APIs take them",
    why: "A name with a dot or a space is refused by model APIs, one of more than 64 characters by some of them and by \
          claude.ai, often with the whole list.",
    standard: "MCP 2025-11-25, Tools, \"Tool Names\"; narrower: what model APIs take",
    mend: "Use 1 to 64 of the characters A-Z, a-z, 0-9, _ and -.",
};

/// The root of arguments.
pub(super) const TOOLS_INPUT_SCHEMA: Check = Check {
    id: "tools-input-schema",
    area: Area::Tools,
    title: "Each input schema is an object at its root",
    why: "MCP and all model APIs want \"type\": \"object\" there; a combination (oneOf, anyOf, allOf) is refused by some \
          with the whole list.",
    standard: "MCP 2025-11-25, Schema, \"Tool\"",
    mend: "Give inputSchema \"type\": \"object\" and properties, and move alternatives into the properties.",
};

/// Names of parameters.
pub(super) const TOOLS_PROPERTIES: Check = Check {
    id: "tools-properties",
    area: Area::Tools,
    title: "Names of parameters are such that model APIs take them",
    why: "A parameter such as filter[name] or $top is refused by the model API, often with the whole list.",
    standard: "none: what model APIs take",
    mend: "Use 1 to 64 of the characters A-Z, a-z, 0-9, _, . and -, and map them to the real names in the server.",
};

/// Schemas as such.
pub(super) const TOOLS_SCHEMAS_VALID: Check = Check {
    id: "tools-schemas-valid",
    area: Area::Tools,
    title: "Schemas are valid and stand alone",
    why: "Nobody fetches what a $ref elsewhere points to. A schema that cannot be compiled fails the tool, and in some \
          clients the list.",
    standard: "JSON Schema 2020-12; MCP 2025-11-25, Overview, \"JSON Schema Usage\"",
    mend: "Put what is referred to below $defs of the same schema, and say of each list what its elements are.",
};

/// The root of results.
pub(super) const TOOLS_OUTPUT_SCHEMA: Check = Check {
    id: "tools-output-schema",
    area: Area::Tools,
    title: "Each output schema is an object at its root",
    why: "SDKs of the revisions up to 2025-11-25 check the list against their own schema and refuse all of it for one \
          outputSchema of another type.",
    standard: "MCP 2025-11-25, Schema, \"Tool\"; MCP 2026-07-28 admits any type",
    mend: "Wrap a list or a plain value in an object, in the schema and in structuredContent.",
};

/// What a tool does.
pub(super) const TOOLS_DESCRIPTIONS: Check = Check {
    id: "tools-descriptions",
    area: Area::Tools,
    title: "Each tool has a description",
    why: "The description is all that an agent has to choose by.",
    standard: "MCP 2025-11-25, Tools, \"Tool\"",
    mend: "Say in a sentence or two what the tool does, when to use it and what comes back.",
};

/// Texts that harm.
pub(super) const TOOLS_TEXTS: Check = Check {
    id: "tools-texts",
    area: Area::Tools,
    title: "No text gives orders, hides something or holds a secret",
    why: "Texts of tools are read by the model. Orders and hidden characters in them are how tools are poisoned; \
          platforms that look for them refuse the server.",
    standard: "MCP 2025-11-25, Specification, \"Key Principles\" (Tool Safety)",
    mend: "Describe the tool and nothing else; take out secrets, and characters that nobody sees.",
};

/// Names and hints.
pub(super) const TOOLS_EFFECTS: Check = Check {
    id: "tools-effects",
    area: Area::Tools,
    title: "Names and hints tell the same story",
    why: "Platforms let an agent call what is marked as read-only without asking. A tool that deletes and says that it \
          reads is called that way.",
    standard: "MCP 2025-11-25, Schema, \"ToolAnnotations\"",
    mend: "Set readOnlyHint only for tools that change nothing.",
};

/// Whether it reads.
pub(super) const TOOLS_HINTS: Check = Check {
    id: "tools-hints",
    area: Area::Tools,
    title: "Each tool says whether it only reads",
    why: "Without readOnlyHint a platform takes a tool for one that destroys, and asks a person before each call.",
    standard: "MCP 2025-11-25, Schema, \"ToolAnnotations\"",
    mend: "Set annotations.readOnlyHint, and destructiveHint where it is false.",
};

/// What the list costs.
pub(super) const TOOLS_SIZE: Check = Check {
    id: "tools-size",
    area: Area::Tools,
    title: "The list is small enough for a model",
    why: "All tools are in the model's context with every request: a long list costs money, and the agent chooses worse. \
          Some platforms cut it, at 128 tools say.",
    standard: "none: what platforms and models take",
    mend: "Offer fewer tools (filters, several endpoints) with shorter descriptions.",
};

/// How good they are.
pub(super) const TOOLS_GRADES: Check = Check {
    id: "tools-grades",
    area: Area::Tools,
    title: "No tool has a grade below C",
    why: "An agent will choose such a tool, or fill in its parameters, wrongly now and then.",
    standard: "none: the rules of bridgehead lint",
    mend: "Look at what bridgehead lint says of the tool.",
};

/// Which rules, where they find an error, fail which check.
const RULES: [(&Check, &[&str]); 7] = [
    (&TOOLS_NAMES, &["name-characters", "name-length"]),
    (&TOOLS_INPUT_SCHEMA, &["schema-root"]),
    (&TOOLS_PROPERTIES, &["property-name"]),
    (&TOOLS_SCHEMAS_VALID, &["schema-invalid", "array-items"]),
    (&TOOLS_DESCRIPTIONS, &["description-missing"]),
    (&TOOLS_TEXTS, &["text-instructs", "text-secret", "characters-hidden"]),
    (&TOOLS_EFFECTS, &[CONTRADICTED]),
];
const CONTRADICTED: &str = "effect-contradicted";
const SIZES: [&str; 3] = ["catalog-tokens", "catalog-tools", "tool-tokens"];

/// A finding, and the name of the tool it is about; none where it is about all.
type Named<'a> = (&'a str, &'a Finding);

/// Looks; the names of tools that do not do what they say.
pub(super) fn examine(visit: &mut Visit<'_>, spoken: &Spoken, listed: &Listed) -> Vec<String> {
    unique(visit, listed);
    roots(visit, spoken, listed);
    hints(visit, listed);
    let subjects: Vec<_> = listed.tools.iter().filter_map(|tool| Subject::from_wire(tool).ok()).collect();
    let report = lint(&subjects);
    let of_tools = report.tools.iter().flat_map(|tool| tool.findings.iter().map(|found| (tool.name.as_str(), found)));
    let findings: Vec<Named<'_>> = of_tools.chain(report.catalog.iter().map(|found| ("", found))).collect();
    let is_error = |found: &Finding| found.severity == Severity::Error && !SIZES.contains(&found.rule.id);
    for (check, rules) in RULES {
        let wrong: Vec<_> =
            findings.iter().copied().filter(|(_, found)| is_error(found) && rules.contains(&found.rule.id)).collect();
        if wrong.is_empty() {
            visit.passed(check, None);
        } else {
            visit.failed(check, told(&wrong), listed.exchanges.clone());
        }
    }
    size(visit, listed, &findings, report.tokens());
    grades(visit, listed, &report);
    let contradicted = findings.iter().filter(|(_, found)| found.rule.id == CONTRADICTED);
    contradicted.map(|(name, _)| (*name).to_owned()).collect()
}

/// "find_stock: The name has …", for the first few.
fn told(findings: &[Named<'_>]) -> String {
    let words = findings.iter().take(TOLD).map(|(name, found)| match *name {
        "" => found.message.clone(),
        name => format!("{}: {}", rpc::short(name), found.message),
    });
    counted(words.collect(), findings.len())
}

fn counted(mut words: Vec<String>, all: usize) -> String {
    if all > words.len() {
        words.push(format!("And {} more.", all - words.len()));
    }
    words.join(" ")
}

fn unique(visit: &mut Visit<'_>, listed: &Listed) {
    let mut seen = BTreeSet::new();
    let twice = listed.tools.iter().map(name).filter(|name| !seen.insert(*name));
    let twice: Vec<_> = twice.take(TOLD).map(rpc::short).collect();
    if twice.is_empty() {
        visit.passed(&TOOLS_UNIQUE, None);
    } else {
        visit.failed(&TOOLS_UNIQUE, format!("More than once: {}.", twice.join(", ")), listed.exchanges.clone());
    }
}

/// What the rules take as not there, since they judge what is.
fn roots(visit: &mut Visit<'_>, spoken: &Spoken, listed: &Listed) {
    let no_input = listed.tools.iter().filter(|tool| !tool.get("inputSchema").is_some_and(Value::is_object));
    let no_input: Vec<_> = no_input.take(TOLD).map(|tool| rpc::short(name(tool))).collect();
    if !no_input.is_empty() {
        let seen = format!("Without an inputSchema that is an object: {}.", no_input.join(", "));
        visit.failed(&TOOLS_INPUT_SCHEMA, seen, listed.exchanges.clone());
    }
    let is_object = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "object");
    let odd = listed.tools.iter().filter(|tool| tool.get("outputSchema").is_some_and(|schema| !is_object(schema)));
    let odd: Vec<_> = odd.take(TOLD).map(|tool| rpc::short(name(tool))).collect();
    if odd.is_empty() {
        visit.passed(&TOOLS_OUTPUT_SCHEMA, None);
    } else if !spoken.serves_older {
        visit.passed(&TOOLS_OUTPUT_SCHEMA, format!("another type, as {} admits: {}", spoken.revision, odd.join(", ")));
    } else {
        let seen = format!("The root of outputSchema is not of the type object: {}.", odd.join(", "));
        visit.failed(&TOOLS_OUTPUT_SCHEMA, seen, listed.exchanges.clone());
    }
}

fn hints(visit: &mut Visit<'_>, listed: &Listed) {
    let says = |tool: &&Value| tool.pointer("/annotations/readOnlyHint").is_some_and(Value::is_boolean);
    let silent: Vec<_> = listed.tools.iter().filter(|tool| !says(tool)).collect();
    if silent.is_empty() {
        visit.passed(&TOOLS_HINTS, None);
        return;
    }
    let names = silent.iter().take(TOLD).map(|tool| rpc::short(name(tool)));
    let seen = format!("Without readOnlyHint, {} of {}: ", silent.len(), listed.tools.len());
    let seen = format!("{seen}{}.", names.collect::<Vec<_>>().join(", "));
    visit.warning(&TOOLS_HINTS, seen, listed.exchanges.clone());
}

fn size(visit: &mut Visit<'_>, listed: &Listed, findings: &[Named<'_>], tokens: usize) {
    let large: Vec<_> = findings.iter().copied().filter(|(_, found)| SIZES.contains(&found.rule.id)).collect();
    if large.is_empty() {
        let seen = format!("{} tools, about {tokens} tokens, {} bytes", listed.tools.len(), listed.bytes);
        visit.passed(&TOOLS_SIZE, seen);
    } else {
        visit.warning(&TOOLS_SIZE, told(&large), listed.exchanges.clone());
    }
}

/// By warnings alone: what is an error has a check of its own.
fn grades(visit: &mut Visit<'_>, listed: &Listed, report: &bridgehead_lint::Report) {
    let by_warnings =
        |tool: &&bridgehead_lint::Graded| Grade::of(&tool.findings).1 < Grade::C.from_points() && !is_large(tool);
    let poor: Vec<_> = report.tools.iter().filter(by_warnings).collect();
    if poor.is_empty() {
        let counts = Grade::ALL.map(|grade| (grade, report.count(grade)));
        let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(grade, count)| format!("{count} {grade}"));
        let remarks: usize = report.tools.iter().map(|tool| tool.findings.len()).sum();
        visit.passed(&TOOLS_GRADES, format!("{}; {remarks} remarks", counts.collect::<Vec<_>>().join(", ")));
        return;
    }
    let words = poor.iter().take(TOLD).map(|tool| {
        let worst = tool.findings.first().map_or("", |found| found.message.as_str());
        format!("{} has {} points of 100: {worst}", rpc::short(&tool.name), tool.points)
    });
    visit.warning(&TOOLS_GRADES, counted(words.collect(), poor.len()), listed.exchanges.clone());
}

fn is_large(tool: &bridgehead_lint::Graded) -> bool {
    tool.findings.iter().any(|found| SIZES.contains(&found.rule.id))
}
