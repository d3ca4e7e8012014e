//! The official conformance suite against `tests/conformance-server` (T2): both sets of
//! requirements, without keys and behind them. `cargo xtask test` installs the suite.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_end_to_end::{
    conformance::{SETS, baseline, run_set, suite},
    proxy,
};
use bridgehead_harness::process::{Served, binary};
use tokio::process::Command;

/// Scenarios that the suite runs without scoring them; here they count. Each with the set that
/// has it.
const UNSCORED: [(&str, &str); 5] = [
    ("json-schema-2020-12", "2025-11-25"),
    ("json-schema-2020-12", "2026-07-28"),
    ("server-session-lifecycle", "2025-11-25"),
    ("http-header-validation", "2026-07-28"),
    ("http-custom-header-server-validation", "2026-07-28"),
];

/// The scenarios for the tasks extension. Left out: those in which a task asks for input
/// (`tasks-mrtr-input`, `tasks-mrtr-composition`), which none here does; `tasks-required-task-error`, since no
/// tool here needs a client that has tasks; and `tasks-status-notifications`, of which the suite skips every
/// check.
const TASKS: [&str; 6] = [
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-request-headers",
    "tasks-dispatch-and-envelope",
];

async fn server(arguments: &[&str]) -> Served {
    let mut command = Command::new(binary("bridgehead-conformance-server"));
    command.args(arguments);
    Served::from(command).await
}

#[tokio::test]
async fn both_sets_of_requirements_hold() {
    let served = server(&["open"]).await;
    for set in SETS {
        run_set(&served.url, set).await;
    }
    served.terminate().await;
}

#[tokio::test]
async fn what_the_suite_does_not_score_holds_as_well() {
    let served = server(&["open"]).await;
    for (scenario, set) in UNSCORED {
        let (code, said) =
            suite(&["server", "--url", &served.url, "--scenario", scenario, "--spec-version", set]).await;
        assert_eq!(code, Some(0), "{scenario} {set}:\n{said}");
        has_checked(scenario, &said);
    }
    served.terminate().await;
}

/// D5: calls that take long are tasks for clients that have them.
#[tokio::test]
async fn the_tasks_extension_holds() {
    let served = server(&["tasks"]).await;
    for scenario in TASKS {
        // The scenarios of extensions belong to no revision, so the suite has to be made to run them.
        let arguments =
            ["server", "--url", &served.url, "--scenario", scenario, "--spec-version", "2026-07-28", "--force"];
        let (code, said) = suite(&arguments).await;
        assert_eq!(code, Some(0), "{scenario}:\n{said}");
        has_checked(scenario, &said);
    }
    served.terminate().await;
}

/// Where it skips each check of a scenario, the suite calls that a success as well.
fn has_checked(scenario: &str, said: &str) {
    let counts = said.lines().filter_map(|line| line.trim().strip_prefix("Passed: "));
    let checked = counts.filter(|count| !count.starts_with("0/")).count();
    assert!(checked > 0, "{scenario} checked nothing:\n{said}");
}

/// The suite cannot send credentials, so a proxy adds the header.
#[tokio::test]
async fn both_sets_hold_behind_keys() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("keys.db");
    let served = server(&["keys", store.to_str().unwrap()]).await;
    let proxy = proxy::start(&served.url, served.key.as_ref().unwrap()).await;
    for set in SETS {
        run_set(&proxy, set).await;
    }
    let (code, said) =
        suite(&["server", "--url", &served.url, "--scenario", "tools-list", "--spec-version", "2025-11-25"]).await;
    assert_ne!(code, Some(0), "without the proxy the key is missing, so the suite must fail:\n{said}");
    served.terminate().await;
}

/// The baseline may leave out what is not served yet, each with its reason, and nothing else.
#[test]
fn the_baselines_name_only_what_may_be_missing() {
    let may = ["prompts", "resources", "resource-", "completion", "sampling", "elicitation", "input-required"];
    for set in SETS {
        let text = std::fs::read_to_string(baseline(set)).unwrap();
        let mut entries = 0;
        for line in text.lines().filter(|line| line.trim_start().starts_with("- ")) {
            let (entry, reason) = line
                .trim_start()
                .trim_start_matches("- ")
                .split_once('#')
                .unwrap_or_else(|| panic!("no reason: {line}"));
            assert!(may.iter().any(|part| entry.contains(part)), "{set}: {entry} may not be missing");
            assert!(reason.trim().len() > 5, "{set}: {line}");
            entries += 1;
        }
        assert!(entries > 5, "{set} was not read");
    }
}
