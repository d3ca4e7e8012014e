//! `cargo xtask test`: every test there is, installing and starting what it needs. Only the first run from a fresh
//! clone (`cargo xtask first-run`) is left out, since it compiles everything once more; its short form is here.

use anyhow::Result;

use crate::clients::{self, Clients};
use crate::process;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{first_run, generate, layers, limits, paths, tools};

/// The tests that drive foreign clients are behind this feature, so that a plain `cargo test` needs only Rust.
const REAL_CLIENTS: &str = "bridgehead-end-to-end/real-clients";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let clients = Clients::of(workspace);
    let mut steps = Steps::new();
    steps.step("tools", tools::install_what_is_missing);
    steps.step("layers", || layers::run(workspace));
    steps.step("limits", || limits::run(workspace));
    steps.step("paths in the guides", || paths::run(workspace));
    steps.step("programs", || build_programs(workspace, &clients));
    steps.step("generated files", || generate::check(workspace));
    steps.step("clients", || clients.set_up(workspace));
    steps.step("tests: compile", || tests(workspace, &clients, &["--no-run"]));
    steps.step("tests: run", || tests(workspace, &clients, &["--no-fail-fast"]));
    steps.step("first run, short", || first_run::short(workspace));
    steps.finish()
}

const PROGRAMS: [&str; 2] = ["bridgehead", "bridgehead-conformance-server"];

/// As they are shipped, without the features that tests add to the crates below. Copied aside, because `cargo test`
/// lays its own build in the same place.
fn build_programs(workspace: &Workspace, clients: &Clients) -> Result<()> {
    for name in PROGRAMS {
        process::run(&mut process::cargo(&workspace.root, &["build", "--locked", "--package", name]))?;
        clients::copy(&workspace.program(name), &clients.program(name))?;
    }
    Ok(())
}

/// Unit, integration, documentation and end-to-end tests in one go: one choice of packages and features, so that no
/// dependency is compiled twice.
fn tests(workspace: &Workspace, clients: &Clients, arguments: &[&str]) -> Result<()> {
    let all = ["test", "--locked", "--workspace", "--features", REAL_CLIENTS];
    process::run(
        process::without_settings(&mut process::cargo(&workspace.root, &all))
            .args(arguments)
            .env("E2E_PROGRAMS_DIR", clients.programs())
            .env("E2E_CLIENTS_DIR", &clients.scripts)
            .env("E2E_PYTHON", clients.python()),
    )
}
