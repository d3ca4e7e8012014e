//! The page of the guide for whoever has something that does not work is keyed by the ids of checks (P1): each check
//! has a row that leads to a section which is there, and nothing on the page is about a check that is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::collections::BTreeSet;

use bridgehead_doctor::checks;

/// The section whose table has a row for each check; tables of others say more about some.
const KEYED: &str = "Let the doctor look";

/// A row of a table of checks.
struct Row {
    section: String,
    /// Ids, and beginnings of ids that end in a hyphen.
    keys: Vec<String>,
    links: Vec<String>,
}

fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/troubleshooting.md");
    std::fs::read_to_string(path).unwrap()
}

/// What stands between two marks, each time.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    text.split(begin).skip(1).map(|rest| rest.split_once(end).unwrap_or((rest, "")).0).collect()
}

/// The rows of all tables whose first column is of checks.
fn rows(page: &str) -> Vec<Row> {
    let mut section = String::new();
    let mut of_checks = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        }
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        match (line.starts_with("| "), cells[0]) {
            (false, _) => of_checks &= line.starts_with("|-"),
            (true, "check") => of_checks = true,
            (true, first) if of_checks => found.push(Row {
                section: section.clone(),
                keys: first.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
                links: between(line, "](", ")").into_iter().map(str::to_owned).collect(),
            }),
            _ => {}
        }
    }
    found
}

fn fits(key: &str, id: &str) -> bool {
    if key.ends_with('-') { id.starts_with(key) } else { id == key }
}

#[test]
fn each_check_leads_to_a_section_that_is_there() {
    let page = page();
    let sections: BTreeSet<_> = between(&page, "\n## ", "\n")
        .iter()
        .map(|heading| format!("#{}", heading.to_lowercase().replace(' ', "-")))
        .collect();
    let rows: Vec<_> = rows(&page).into_iter().filter(|row| row.section == KEYED).collect();
    for row in &rows {
        assert!(row.links.iter().any(|link| sections.contains(link)), "{:?} lead to no section of the page", row.keys);
    }
    let lost: Vec<_> = checks::all()
        .map(|check| check.id)
        .filter(|id| !rows.iter().flat_map(|row| &row.keys).any(|key| fits(key, id)))
        .collect();
    assert!(lost.is_empty(), "docs/troubleshooting.md, \"{KEYED}\", has no row for {}", lost.join(", "));
}

#[test]
fn no_row_and_no_link_is_of_a_check_that_is_not() {
    let page = page();
    let rows = rows(&page);
    assert!(rows.iter().any(|row| row.section != KEYED), "the sections have tables of their own");
    let linked = between(&page, "reference/doctor.md#", ")");
    assert!(!linked.is_empty(), "the page links to the reference");
    for key in rows.iter().flat_map(|row| &row.keys).map(String::as_str).chain(linked) {
        assert!(checks::all().any(|check| fits(key, check.id)), "there is no check `{key}`");
    }
}
