//! `cargo xtask crash [--seed NUMBER] [--calls NUMBER]`: servers are killed in the middle of 10,000 calls with effects,
//! one alone on SQLite and two on PostgreSQL, and what callers were told is held against what really happened (D5). The
//! short form is one of the tests (`tests/crash/tests/short.rs`).

use anyhow::Result;

use crate::process;
use crate::tools;
use crate::workspace::Workspace;

const PROOF: &str = "bridgehead-crash";

/// Builds the server and the proof, and runs it with these arguments.
pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    tools::install_what_is_missing()?;
    for package in ["bridgehead", PROOF] {
        process::run(&mut process::cargo(&workspace.root, &["build", "--locked", "--package", package]))?;
    }
    let program = workspace.program(PROOF);
    let mut command = std::process::Command::new(&program);
    let folder = program.parent().unwrap_or(&workspace.target);
    process::run(process::without_settings(&mut command).args(arguments).env("E2E_PROGRAMS_DIR", folder))
}
