//! The tools as the connect page shows them (D1): each with what an agent sees of it, what it may do, and
//! how well it is described.

use std::{borrow::Borrow, sync::Arc};

use bridgehead_core::{Catalog, Effect, ScopeSet};
use bridgehead_lint::{Finding, Grade, Severity, Subject, lint};

/// With more tools than this the page opens with the sources closed.
const OPEN_AT_MOST: usize = 20;
/// With fewer tools than this nobody needs a filter.
const FILTER_FROM: usize = 9;

/// The tools that the reader may see, by source.
#[derive(Debug, Clone, Default)]
pub struct ToolList {
    /// Those that the filter lets through; no group is empty.
    pub groups: Vec<ToolGroup>,
    /// How many there are without the filter.
    pub total: usize,
    /// About how many tokens these take of an agent's context.
    pub tokens: usize,
    /// What was asked for; empty where everything was.
    pub filter: String,
}

/// The tools of one source.
#[derive(Debug, Clone)]
pub struct ToolGroup {
    /// The source's name in the configuration.
    pub source: Arc<str>,
    /// What it is: `sql`, `openapi` …
    pub kind: &'static str,
    /// Its tools.
    pub tools: Vec<Arc<ToolLine>>,
}

/// One tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolLine {
    /// Its wire name.
    pub name: String,
    /// A short name for people.
    pub title: Option<String>,
    /// All that an agent sees of it.
    pub description: String,
    /// What it does to the world.
    pub effect: Effect,
    /// Whether a repeat changes nothing more.
    pub idempotent: bool,
    /// Whether it reaches beyond one known system.
    pub open_world: bool,
    /// The scope that a caller needs.
    pub scope: String,
    /// About how many tokens it takes of an agent's context.
    pub tokens: usize,
    /// How well it is described for an agent.
    pub grade: Grade,
    /// What took points off, the worst first.
    pub findings: Vec<FindingLine>,
}

/// One thing that could be better with a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingLine {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
}

/// All tools of a catalog, graded: for a grade, each is looked at beside all others.
#[must_use]
pub fn graded(catalog: &Catalog) -> Vec<ToolGroup> {
    let entries = catalog.entries();
    let report = lint(&entries.iter().map(|entry| Subject::of(&entry.tool)).collect::<Vec<_>>());
    let mut groups: Vec<ToolGroup> = Vec::new();
    for (entry, graded) in entries.iter().zip(report.tools) {
        let tool = &entry.tool;
        let line = Arc::new(ToolLine {
            name: tool.wire_name.to_string(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            effect: tool.effect,
            idempotent: tool.idempotent,
            open_world: tool.open_world,
            scope: tool.scope.clone(),
            tokens: graded.tokens,
            grade: graded.grade,
            findings: graded.findings.iter().map(FindingLine::of).collect(),
        });
        match groups.iter_mut().find(|group| group.source == tool.address.source) {
            Some(group) => group.tools.push(line),
            None => groups.push(ToolGroup {
                source: tool.address.source.clone(),
                kind: entry.source.kind(),
                tools: vec![line],
            }),
        }
    }
    groups
}

impl ToolList {
    /// Of `all`, those that `scopes` let somebody call (`None` for all of them) and in whose texts each word
    /// of `filter` stands.
    #[must_use]
    pub fn of(all: &[ToolGroup], scopes: Option<&ScopeSet>, filter: &str) -> Self {
        let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
        let (mut groups, mut total, mut tokens) = (Vec::new(), 0, 0);
        for group in all {
            let visible = group.tools.iter().filter(|tool| scopes.is_none_or(|scopes| scopes.grants(&tool.scope)));
            let visible: Vec<_> = visible.cloned().collect();
            total += visible.len();
            tokens += visible.iter().map(|tool| tool.tokens).sum::<usize>();
            let tools: Vec<_> = visible.into_iter().filter(|tool| tool.has_all(&words, &group.source)).collect();
            if !tools.is_empty() {
                groups.push(ToolGroup { tools, ..group.clone() });
            }
        }
        Self { groups, total, tokens, filter: words.join(" ") }
    }

    pub(super) fn shown(&self) -> usize {
        self.groups.iter().map(|group| group.tools.len()).sum()
    }

    pub(super) fn is_short(&self) -> bool {
        self.shown() <= OPEN_AT_MOST
    }

    pub(super) const fn needs_filter(&self) -> bool {
        self.total >= FILTER_FROM
    }
}

impl ToolGroup {
    /// About how many tokens its tools take of an agent's context.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.tools.iter().map(|tool| tool.tokens).sum()
    }

    /// How many of its tools have each grade, the best first; no grade that none has.
    #[must_use]
    pub fn grades(&self) -> Vec<(Grade, usize)> {
        let count = |grade: Grade| self.tools.iter().filter(|tool| tool.grade == grade).count();
        Grade::ALL.into_iter().map(|grade| (grade, count(grade))).filter(|(_, count)| *count > 0).collect()
    }
}

impl ToolLine {
    fn has_all(&self, words: &[String], source: &str) -> bool {
        let texts = [&self.name, self.title.as_deref().unwrap_or_default(), &self.description, source];
        let texts = texts.join("\n").to_lowercase();
        words.iter().all(|word| texts.contains(word.as_str()))
    }

    /// The first sentence or line, for the list.
    pub(super) fn summary(&self) -> &str {
        let line = self.description.lines().next().unwrap_or_default();
        line.split_inclusive(". ").next().unwrap_or(line).trim_end()
    }

    /// What its hints tell an agent (MCP `ToolAnnotations`), in words.
    pub(super) fn hints(&self) -> Vec<&'static str> {
        let does = match self.effect {
            Effect::Read => "only reads",
            Effect::Write => "adds something, and leaves what is there",
            Effect::Destructive => "changes or removes what is there",
        };
        let repeat = match (self.effect.is_read(), self.idempotent) {
            (true, _) => None,
            (false, true) => Some("a repeat changes nothing more"),
            (false, false) => Some("a repeat does it again"),
        };
        let outside = self.open_world.then_some("reaches beyond one known system");
        [Some(does), repeat, outside].into_iter().flatten().collect()
    }
}

/// A number for readers: 107,000. Templates hand over fields by reference, and what methods return by value.
pub(super) fn thousands(number: impl Borrow<usize>) -> String {
    let digits = number.borrow().to_string();
    let leads = |index: usize| index > 0 && (digits.len() - index).is_multiple_of(3);
    digits.char_indices().flat_map(|(index, digit)| leads(index).then_some(',').into_iter().chain([digit])).collect()
}

impl FindingLine {
    fn of(finding: &Finding) -> Self {
        let message = match &finding.parameter {
            Some(parameter) if !finding.message.contains(parameter.as_str()) => {
                format!("{parameter}: {}", finding.message)
            }
            Some(_) | None => finding.message.clone(),
        };
        Self { severity: finding.severity, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str, scope: &str) -> Arc<ToolLine> {
        Arc::new(ToolLine {
            name: name.to_owned(),
            title: None,
            description: format!("Does what {name} says. And more."),
            effect: Effect::Read,
            idempotent: true,
            open_world: false,
            scope: scope.to_owned(),
            tokens: 100,
            grade: Grade::A,
            findings: Vec::new(),
        })
    }

    fn all() -> Vec<ToolGroup> {
        let group = |source: &str, tools: Vec<Arc<ToolLine>>| ToolGroup { source: source.into(), kind: "sql", tools };
        vec![
            group("stock", vec![tool("find_stock", "tools:read"), tool("adjust_stock", "tools:write")]),
            group("orders", vec![tool("approve_order", "orders:approve")]),
        ]
    }

    fn names(list: &ToolList) -> Vec<&str> {
        list.groups.iter().flat_map(|group| &group.tools).map(|tool| tool.name.as_str()).collect()
    }

    #[test]
    fn a_teammate_sees_what_their_scopes_let_them_call() {
        let all = all();
        let rows: [(Option<&str>, &[&str]); 5] = [
            (None, &["find_stock", "adjust_stock", "approve_order"]),
            (Some("tools:read"), &["find_stock"]),
            (Some("tools:write"), &["find_stock", "adjust_stock"]),
            (Some("orders:approve"), &["approve_order"]),
            (Some(""), &[]),
        ];
        for (scopes, expected) in rows {
            let scopes = scopes.map(|scopes| ScopeSet::parse(scopes).unwrap());
            let list = ToolList::of(&all, scopes.as_ref(), "");
            assert_eq!((names(&list).as_slice(), list.total), (expected, expected.len()), "{scopes:?}");
        }
    }

    /// A filter narrows what may be seen, and widens it never.
    #[test]
    fn a_filter_wants_every_word_in_any_text() {
        let all = all();
        let rows: [(&str, &[&str]); 6] = [
            ("STOCK", &["find_stock", "adjust_stock"]),
            ("  stock   find ", &["find_stock"]),
            ("orders", &["approve_order"]),
            ("what approve", &["approve_order"]),
            ("nothing of the kind", &[]),
            ("", &["find_stock", "adjust_stock", "approve_order"]),
        ];
        for (filter, expected) in rows {
            assert_eq!(names(&ToolList::of(&all, None, filter)), expected, "{filter}");
        }
        let reads = ScopeSet::parse("tools:read").unwrap();
        let list = ToolList::of(&all, Some(&reads), "adjust");
        assert_eq!((list.groups.len(), list.total, list.tokens), (0, 1, 100));
    }

    #[test]
    fn numbers_have_commas_between_thousands() {
        let rows = [(0, "0"), (999, "999"), (1_000, "1,000"), (107_000, "107,000"), (1_234_567, "1,234,567")];
        for (number, shown) in rows {
            assert_eq!(thousands(number), shown);
        }
    }

    #[test]
    fn a_summary_is_the_first_sentence() {
        let with = |description: &str| ToolLine { description: description.to_owned(), ..(*tool("a", "b")).clone() };
        let rows = [
            ("Finds it. Returns it.", "Finds it."),
            ("Finds e.g.this one.", "Finds e.g.this one."),
            ("Finds it\nReturns it.", "Finds it"),
            ("", ""),
        ];
        for (description, summary) in rows {
            assert_eq!(with(description).summary(), summary);
        }
    }
}
