//! The judgement of a set of tools: what each rule found, and the grades that come of it.

use serde_json::{Map, Value};

use crate::{
    Finding, Grade, Severity, Subject,
    rules::{self, Check},
};

/// The judgement of a set of tools.
#[derive(Debug, Clone)]
pub struct Report {
    /// The tools, in the order they were given.
    pub tools: Vec<Graded>,
    /// What is wrong with the set as a whole. It does not touch the grades.
    pub catalog: Vec<Finding>,
}

/// The judgement of one tool.
#[derive(Debug, Clone)]
pub struct Graded {
    /// Its name.
    pub name: String,
    /// Its grade.
    pub grade: Grade,
    /// Its points, from 0 to 100.
    pub points: u32,
    /// About how many tokens it has.
    pub tokens: usize,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// About how many tokens all tools have together.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tools.iter().map(|tool| tool.tokens).sum()
    }

    /// How many tools have this grade.
    #[must_use]
    pub fn count(&self, grade: Grade) -> usize {
        self.tools.iter().filter(|tool| tool.grade == grade).count()
    }

    /// The grade of the worst tool; `None` where there is none.
    #[must_use]
    pub fn worst(&self) -> Option<Grade> {
        self.tools.iter().map(|tool| tool.grade).min()
    }
}

/// Judges tools: each by itself, and beside the others.
#[must_use]
pub fn lint(tools: &[Subject]) -> Report {
    let mut found: Vec<Vec<Finding>> = vec![Vec::new(); tools.len()];
    let mut catalog = Vec::new();
    for rule in rules::ALL {
        match rule.check {
            Check::Tool(check) => {
                for (tool, list) in tools.iter().zip(&mut found) {
                    let mut findings = rules::Found { rule, list };
                    check(tool, &mut findings);
                }
            }
            Check::Among(check) => {
                for (index, finding) in check(rule, tools) {
                    if let Some(list) = found.get_mut(index) {
                        list.push(finding);
                    }
                }
            }
            Check::Catalog(check) => catalog.extend(check(rule, tools)),
        }
    }
    let tools = tools.iter().zip(found).map(|(tool, findings)| graded(tool, findings)).collect();
    Report { tools, catalog }
}

fn graded(tool: &Subject, mut findings: Vec<Finding>) -> Graded {
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let (grade, points) = Grade::of(&findings);
    Graded { name: tool.name.clone(), grade, points, tokens: crate::tokens(tool), findings }
}

impl Graded {
    /// How many findings are as bad as this.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// The findings as JSON, as `bridgehead lint --json` has them, without their places.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::json!({
            "name": self.name,
            "grade": self.grade,
            "points": self.points,
            "tokens": self.tokens,
            "findings": self.findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
        })
    }
}

impl Finding {
    /// The finding as JSON: `rule`, `severity`, `at`, `parameter`, `message`, `mend`.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let members: [(&str, Value); 6] = [
            ("rule", self.rule.id.into()),
            ("severity", self.severity.as_str().into()),
            ("at", self.at.clone().into()),
            ("parameter", self.parameter.clone().into()),
            ("message", self.message.clone().into()),
            ("mend", self.mend.text.clone().into()),
        ];
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
