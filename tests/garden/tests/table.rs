//! The proof of the doctor (P1): each fault is found by its check and by no other, and a healthy server has
//! a clean report. The table is kept in `docs/doctor-fault-garden.md`; `UPDATE_GOLDEN=1` writes it down anew.
//! `FAULTS=reach` or `FAULTS=tools-same-name` tries those alone, whose name begins so or which are of that area.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{collections::BTreeSet, fmt::Write};

use bridgehead_doctor::{Area, Check, Profile, Report, Verdict, checks};
use bridgehead_garden::{Fault, Garden, Mode, Way, faults, harmless};
use futures_util::{StreamExt as _, stream};

/// How many gardens stand at a time.
const AT_A_TIME: usize = 4;
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/doctor-fault-garden.md");

/// What came of a visit: the findings as "failed tls-chain: The certificate …".
struct Row {
    fault: &'static Fault,
    findings: Vec<Found>,
}

struct Found {
    check: &'static Check,
    word: &'static str,
    seen: String,
}

fn findings(report: &Report) -> Vec<Found> {
    let found = report.examined.iter().filter_map(|examined| {
        let (word, finding) = match &examined.verdict {
            Verdict::Failed(finding) => ("failed", finding),
            Verdict::Warning(finding) => ("warning", finding),
            Verdict::Passed { .. } | Verdict::Skipped { .. } => return None,
        };
        Some(Found { check: examined.check, word, seen: finding.seen.clone() })
    });
    found.collect()
}

impl Row {
    fn is_found(&self) -> bool {
        self.findings.iter().any(|found| found.check.id == self.fault.found_by)
    }

    fn false_alarms(&self) -> impl Iterator<Item = &Found> {
        self.findings.iter().filter(|found| found.check.id != self.fault.found_by)
    }

    /// `failed` or `warning`, as it was found.
    fn word(&self) -> &'static str {
        self.findings.iter().find(|found| found.check.id == self.fault.found_by).map_or("missed", |found| found.word)
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the test says so in the environment")]
fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn area(fault: &Fault) -> Area {
    let check = checks::all().find(|check| check.id == fault.found_by);
    check.unwrap_or_else(|| panic!("{}: there is no check {}", fault.name, fault.found_by)).area
}

/// Runs all of them, some at a time; the results in the order of what was asked.
async fn each<T: Send + 'static, F>(all: impl Iterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    stream::iter(all.map(tokio::spawn)).buffered(AT_A_TIME).map(|result| result.expect("no panic")).collect().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_found_by_its_check_and_by_no_other() {
    let wanted = from_environment("FAULTS");
    let is_wanted = |fault: &&'static Fault| {
        let area = area(fault).title().to_lowercase();
        wanted.as_ref().is_none_or(|wanted| area == *wanted || fault.name.starts_with(wanted.as_str()))
    };
    let rows = each(faults::all().filter(is_wanted).map(|fault| async move {
        let report = Garden::with(fault).await.examine(fault.profile).await;
        Row { fault, findings: findings(&report) }
    }))
    .await;
    assert!(!rows.is_empty(), "no fault and no area is called {wanted:?}");
    let mut wrong = Vec::new();
    for row in &rows {
        println!("{:<9}{:<40}{}", row.word(), row.fault.name, row.fault.found_by);
        for alarm in row.false_alarms() {
            println!("         false alarm: {} {}: {}", alarm.check.id, alarm.word, alarm.seen);
        }
        if !row.is_found() || row.false_alarms().next().is_some() {
            wrong.push(row.fault.name);
        }
    }
    println!("{}", counted(&rows));
    assert!(wrong.is_empty(), "missed, or with false alarms: {}", wrong.join(", "));
    if wanted.is_none() {
        is_golden(&document(&rows));
    }
}

/// Bridgehead itself, however it asks who is calling, for whomever it is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_has_a_clean_report() {
    let on_the_internet = Profile::ALL.map(|profile| (Way::Internet, profile));
    let gardens = on_the_internet.into_iter().chain([(Way::Loopback, Profile::Generic)]);
    let gardens = gardens.flat_map(|(way, profile)| Mode::ALL.map(|mode| (way, profile, mode)));
    let visits = each(gardens.map(|(way, profile, mode)| async move {
        let report = Garden::healthy(mode, way).await.examine(profile).await;
        let findings = findings(&report);
        let findings = findings.iter().map(|found| format!("{} {}: {}", found.check.id, found.word, found.seen));
        let passed = report.examined.iter().filter(|one| matches!(one.verdict, Verdict::Passed { .. })).count();
        (format!("{mode:?} {way:?} {profile}"), passed, findings.collect::<Vec<_>>())
    }))
    .await;
    let wrong: Vec<_> = visits.iter().filter(|(_, passed, findings)| *passed == 0 || !findings.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What others do differently, and nobody fails at.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fault_is_left_alone() {
    let visits = each(harmless::ALL.iter().map(|difference| async move {
        let report = Garden::with(difference).await.examine(difference.profile).await;
        let findings = findings(&report);
        let findings = findings.iter().map(|found| format!("{} {}: {}", found.check.id, found.word, found.seen));
        (difference.name, findings.collect::<Vec<_>>())
    }))
    .await;
    let wrong: Vec<_> = visits.iter().filter(|(_, findings)| !findings.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A healthy server leaves nothing out for want of a way to look: what is skipped does not apply to it.
#[tokio::test(flavor = "multi_thread")]
async fn between_them_healthy_servers_pass_every_check() {
    let visits = each(Mode::ALL.into_iter().map(|mode| async move {
        let report = Garden::healthy(mode, Way::Internet).await.examine(Profile::Duvo).await;
        let passed = report.examined.iter().filter(|one| matches!(one.verdict, Verdict::Passed { .. }));
        passed.map(|one| one.check.id).collect::<Vec<_>>()
    }))
    .await;
    let passed: BTreeSet<_> = visits.into_iter().flatten().collect();
    let never: Vec<_> = checks::all().map(|check| check.id).filter(|id| !passed.contains(id)).collect();
    assert!(never.is_empty(), "no healthy server passes {never:?}");
}

#[test]
fn faults_have_names_of_their_own_and_checks_have_faults() {
    let mut names: Vec<_> = faults::all().chain(harmless::ALL).map(|fault| fault.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "two faults have the same name");
    let count = faults::all().count();
    assert!(count >= 60, "the garden has {count} faults");
    let found: BTreeSet<_> = faults::all().map(|fault| fault.found_by).collect();
    let never: Vec<_> = checks::all().map(|check| check.id).filter(|id| !found.contains(id)).collect();
    assert!(never.is_empty(), "no fault is found by {never:?}");
}

fn counted(rows: &[Row]) -> String {
    let found = rows.iter().filter(|row| row.is_found()).count();
    let alarms: usize = rows.iter().map(|row| row.false_alarms().count()).sum();
    let (faults, missed) = (rows.len(), rows.len() - found);
    format!("{faults} faults: {found} found, {missed} missed, {alarms} false alarms.")
}

fn document(rows: &[Row]) -> String {
    let mut text = format!(
        "# The fault garden\n\n\
         <!-- Generated by `UPDATE_GOLDEN=1 cargo nextest run -p bridgehead-garden --test table`. -->\n\n\
         `tests/garden` is a healthy server with a proxy in front of it that commits one fault at a time. For each of them\n\
         `bridgehead doctor` has to fail, or warn by, the one check that names the fault, and no other; and a server without\n\
         a fault has to have a clean report in every mode and profile, as has one that is merely different, see the end.\n\
         `tests/garden/tests/table.rs` runs all of them.\n\n{}\n",
        counted(rows)
    );
    for area in Area::ALL {
        let _ = write!(text, "\n## {area}\n\n| fault | what is wrong | found by | as |\n|---|---|---|---|\n");
        for row in rows.iter().filter(|row| self::area(row.fault) == area) {
            let Fault { name, wrong, found_by, .. } = row.fault;
            let _ = writeln!(
                text,
                "| `{name}` | {wrong} | [`{found_by}`](reference/doctor.md#{found_by}) | {} |",
                row.word()
            );
        }
    }
    text.push_str("\n## No faults\n\n| | what is different |\n|---|---|\n");
    for Fault { name, wrong, .. } in harmless::ALL {
        let _ = writeln!(text, "| `{name}` | {wrong} |");
    }
    text
}

fn is_golden(text: &str) {
    if from_environment("UPDATE_GOLDEN").is_some() {
        std::fs::write(DOCUMENT, text).unwrap();
    }
    let expected = std::fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(
        expected == text,
        "docs/doctor-fault-garden.md is not what the garden shows. If that is meant:\n  \
         UPDATE_GOLDEN=1 cargo nextest run -p bridgehead-garden --test table",
    );
}
