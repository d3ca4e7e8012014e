//! The reference of rules, `docs/reference/lint.md`, written from the rules themselves.

use std::fmt::Write;

use serde_json::Value;

use crate::{
    Grade, Rule, grade,
    rules::{self, Example},
};

const INTRODUCTION: &str = "\
# Rules of the linter

<!-- Generated from the rules in crates/lint/src/rules. -->

`bridgehead lint` looks at every tool as an agent sees it: name, description, parameters, hints, size. Each finding says
what is wrong, where, and how to mend it in the configuration. `bridgehead tools` and the connect page show the grades.

A rule speaks up only where it is sure. What depends on taste (whether a name begins with a verb, how many sentences
are enough) is not judged. `docs/lint-over-real-descriptions.md` shows what the rules find in descriptions of well-known
APIs.

## Grades

";

const JSON: &str = "
## JSON

`bridgehead lint --json` prints one object.

| member | type | meaning |
|---|---|---|
| `tools` | list | the tools, the worst first |
| `tools[].name`, `address`, `effect` | text | its name on the wire, in the configuration, and what it does: `read`, `write`, `destructive` |
| `tools[].grade`, `points`, `tokens` | text, numbers | A to F, 0 to 100, and what it costs in a context |
| `tools[].findings` | list | what was found, the worst first |
| `catalog` | list | findings about all tools together; they touch no grade |
| `findings[].rule` | text | the id of a rule below |
| `findings[].severity` | text | `error`, `warning` or `note` |
| `findings[].at` | text | JSON Pointer into the tool as `tools/list` shows it; empty for the whole |
| `findings[].parameter` | text or null | the parameter it is about |
| `findings[].message`, `mend` | text | what is wrong, and how to mend it |
| `findings[].place` | object or null | `file`, `line` and `column` of the nearest setting, from 1 |
| `summary` | object | `tools`, `tokens`, `worst`, and how many tools have each of the `grades` |

`--sarif` prints SARIF 2.1.0, for code hosts that show findings beside the configuration.
";

/// The reference, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        text,
        "A tool begins with 100 points. A warning takes {}, a note {}; of one rule at most {} findings count. One error is\n\
         an F, whatever the points say: a model API refuses the tool, or it is not safe to offer.\n",
        grade::WARNING,
        grade::NOTE,
        grade::COUNTED
    );
    text.push_str("| grade | points |\n|---|---|\n");
    for grade in Grade::ALL {
        let points = match grade {
            Grade::F => "fewer, or an error".to_owned(),
            _ => format!("from {}", grade.from_points()),
        };
        let _ = writeln!(text, "| {grade} | {points} |");
    }
    text.push_str("\n## Rules\n\n| rule | at worst | asks |\n|---|---|---|\n");
    for rule in rules::ALL {
        let _ = writeln!(text, "| [`{0}`](#{0}) | {1} | {2} |", rule.id, rule.severity, rule.title);
    }
    for rule in rules::ALL {
        section(&mut text, rule);
    }
    text.push_str(JSON);
    text
}

fn section(text: &mut String, rule: &Rule) {
    let _ = write!(text, "\n### {}\n\n{}\n\n{}\n", rule.id, rule.title, rule.why);
    for (word, example) in [("Not", rule.bad), ("But", rule.good)] {
        match example {
            Example::Words(words) => {
                let _ = write!(text, "\n{word}: {words}.\n");
            }
            Example::Tools(json) => {
                let _ = write!(text, "\n{word}:\n\n```json\n{}\n```\n", shown(json));
            }
        }
    }
}

/// The example on one line. Characters outside of ASCII are escaped, as most that occur here are invisible.
fn shown(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let mut text = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() || c == '…' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}
