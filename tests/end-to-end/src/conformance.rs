//! The official conformance suite, run with what `cargo xtask test` installed.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::sdk::installed;

/// The sets of requirements, each by its revision.
pub const SETS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// What may fail of a set, each with its reason.
#[must_use]
pub fn baseline(set: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/conformance-baseline-{set}.yaml"))
}

/// The suite, with the Node that it needs.
#[must_use]
pub fn command(arguments: &[&str]) -> Command {
    let clients = installed("E2E_CLIENTS_DIR").join("node_modules");
    let mut command = Command::new(clients.join("node/bin/node"));
    command.arg(clients.join("@modelcontextprotocol/conformance/dist/index.js")).args(arguments);
    command
}

/// Runs it to its end: its exit code, and all that it said.
pub async fn suite(arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(arguments).output().await.expect("the suite runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

/// A set against the baseline: nothing fails that the baseline does not name, and nothing that
/// it names passes.
pub async fn run_set(url: &str, set: &str) {
    let baseline = baseline(set);
    let baseline = baseline.to_str().expect("UTF-8");
    let (code, said) = suite(&["server", "--url", url, "--requirements", set, "--expected-failures", baseline]).await;
    assert_eq!(code, Some(0), "{set}:\n{said}");
    assert!(said.contains("tools-call-simple-text"), "the suite ran no scenario that is known:\n{said}");
}
