//! Tools that an agent would confuse. Alike in meaning is not alike enough: only descriptions that are the
//! same and names that differ in nothing an agent weighs are told.

use std::collections::BTreeMap;

use super::{Check, Example, Placed, Rule};
use crate::{Severity, Subject, mend, words};

/// How many of the others are named.
const NAMED: usize = 3;

pub(super) const DESCRIPTION_SHARED: Rule = Rule {
    id: "description-shared",
    severity: Severity::Warning,
    title: "No two tools have the same description.",
    why: "An agent that has read both knows no more than before which one to take.",
    bad: Example::Tools(
        r#"[{"name": "list_open", "description": "Lists the orders of one customer.", "inputSchema": {"type": "object"}}, {"name": "list_sent", "description": "Lists the orders of one customer.", "inputSchema": {"type": "object"}}]"#,
    ),
    good: Example::Tools(
        r#"[{"name": "list_open", "description": "Lists the orders of one customer that are not sent yet.", "inputSchema": {"type": "object"}}, {"name": "list_sent", "description": "Lists the orders of one customer that are on their way.", "inputSchema": {"type": "object"}}]"#,
    ),
    check: Check::Among(description_shared),
};

fn description_shared(rule: &'static Rule, tools: &[Subject]) -> Vec<Placed> {
    let key = |tool: &Subject| {
        let words = words::of_text(&tool.description);
        (!words.is_empty()).then(|| words.join(" "))
    };
    let mut found = Vec::new();
    for group in groups(tools, key) {
        for (index, tool, others) in others(&group) {
            let message = format!("{} the same description.", has(&others));
            let mend = mend::description(tool, "say in what it differs, and when to use which");
            found.push((index, rule.finding("/description", message, mend)));
        }
    }
    found
}

pub(super) const NAMES_CONFUSABLE: Rule = Rule {
    id: "names-confusable",
    severity: Severity::Warning,
    title: "Names differ in more than case, number or signs between words.",
    why: "`getUser` and `get_user`, `search` and `search2`: in a list of many an agent takes the first that fits.",
    bad: Example::Tools(
        r#"[{"name": "find_orders", "description": "Finds the orders of one customer.", "inputSchema": {"type": "object"}}, {"name": "find_orders2", "description": "Finds the orders of one day.", "inputSchema": {"type": "object"}}]"#,
    ),
    good: Example::Tools(
        r#"[{"name": "find_orders_of_customer", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}, {"name": "find_orders_of_day", "description": "Finds the orders that were placed on one day.", "inputSchema": {"type": "object"}}]"#,
    ),
    check: Check::Among(names_confusable),
};

fn names_confusable(rule: &'static Rule, tools: &[Subject]) -> Vec<Placed> {
    let key = |tool: &Subject| {
        let mut words = words::of_name(&tool.name);
        let letters = |word: &String| !word.chars().all(char::is_numeric);
        // A number within a name counts things (`oauth2`, `top_10_orders`); at its end it counts names.
        while words.len() > 1 && words.last().is_some_and(|word| !letters(word)) {
            words.pop();
        }
        let name = words.concat();
        (!name.is_empty()).then_some(name)
    };
    let mut found = Vec::new();
    for group in groups(tools, key) {
        for (index, tool, others) in others(&group) {
            let message = format!("{} a name that differs in nothing but case, number or signs.", has(&others));
            let mend = mend::name(tool, "name what it differs in");
            found.push((index, rule.finding("/name", message, mend)));
        }
    }
    found
}

type Group<'a> = Vec<(usize, &'a Subject)>;

/// The tools that have a key in common with another one.
fn groups(tools: &[Subject], key: impl Fn(&Subject) -> Option<String>) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<String, Group<'_>> = BTreeMap::new();
    for (index, tool) in tools.iter().enumerate() {
        if let Some(key) = key(tool) {
            groups.entry(key).or_default().push((index, tool));
        }
    }
    groups.into_values().filter(|group| group.len() > 1).collect()
}

/// Each tool of a group, with the names of the others.
fn others<'a>(group: &Group<'a>) -> Vec<(usize, &'a Subject, Vec<&'a str>)> {
    let of = |index: usize| {
        group.iter().filter(|(other, _)| *other != index).map(|(_, tool)| tool.name.as_str()).take(NAMED + 1).collect()
    };
    group.iter().map(|(index, tool)| (*index, *tool, of(*index))).collect()
}

/// `` `a`, `b` and others have ``.
fn has(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match (shown.as_slice(), names.len() > NAMED) {
        ([one], _) => format!("{one} has"),
        (_, true) => format!("{} and others have", shown.join(", ")),
        ([first @ .., last], false) => format!("{} and {last} have", first.join(", ")),
        ([], false) => "Another tool has".to_owned(),
    }
}
