//! The grades for people: tools from the worst to the best, each with what was found.

use std::fmt::Write;

use bridgehead_lint::{Finding, Grade, Severity};

use super::Shown;
use crate::config::Place;

/// Escape sequences of a terminal (ECMA-48, SGR).
struct Paint {
    on: bool,
}

impl Paint {
    fn grade(&self, grade: Grade) -> String {
        let colour = match grade {
            Grade::A | Grade::B => "1;32",
            Grade::C => "1;33",
            Grade::D | Grade::F => "1;31",
        };
        self.with(colour, grade.as_str())
    }

    /// Padded to the width of the longest.
    fn severity(&self, severity: Severity) -> String {
        let colour = match severity {
            Severity::Error => "31",
            Severity::Warning => "33",
            Severity::Note => "36",
        };
        self.with(colour, &format!("{severity:<7}"))
    }

    fn with(&self, colour: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

pub(super) fn listing(shown: &Shown, colours: bool) -> String {
    let paint = Paint { on: colours };
    let mut text = String::new();
    for tool in &shown.tools {
        let (graded, address) = (&tool.graded, &tool.tool.address);
        let (grade, name) = (paint.grade(graded.grade), paint.with("1", &graded.name));
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(text, "{grade}  {name}  ({address}, {} points, ~{} tokens)", graded.points, graded.tokens);
        for (finding, place) in graded.findings.iter().zip(&tool.places) {
            line(&mut text, &paint, finding, place);
        }
    }
    for (index, (finding, place)) in shown.catalog.iter().enumerate() {
        if index == 0 {
            text.push_str("All tools together\n");
        }
        line(&mut text, &paint, finding, place);
    }
    let grades: Vec<String> = shown.grades().iter().map(|(grade, count)| format!("{count} {grade}")).collect();
    let tools = match shown.tools.len() {
        1 => "1 tool".to_owned(),
        count => format!("{count} tools"),
    };
    let _ = writeln!(text, "\n{tools}: {}; about {} tokens in an agent's context", grades.join(", "), shown.tokens());
    text
}

fn line(text: &mut String, paint: &Paint, finding: &Finding, place: &Place) {
    let about = match &finding.parameter {
        Some(parameter) if !finding.message.contains(parameter.as_str()) => format!(" (`{parameter}`)"),
        _ => String::new(),
    };
    let severity = paint.severity(finding.severity);
    let _ = writeln!(text, "   {severity}  {}{about}  [{}]", finding.message, finding.rule.id);
    let _ = writeln!(text, "            {place}: {}", finding.mend.text);
}
