//! `cargo xtask test`: every test there is, installing and starting what it needs. Only the first run from a fresh
//! clone (`cargo xtask first-run`) and the image as it is shipped (`cargo xtask image`) are left out, since they compile
//! everything once more, the long crash test (`cargo xtask crash`) and the model with two faults (`cargo xtask model`); their
//! short forms are here.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::clients::{self, Clients};
use crate::process;
use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{first_run, generate, guide, image, layers, limits, paths, tools};

/// The tests that drive foreign clients and servers are behind these features, so that a plain `cargo test` needs only
/// Rust.
const REAL_ONES: &str = "bridgehead-end-to-end/real-clients,bridgehead-end-to-end/servers,bridgehead-crash/servers";
/// Those on the Chinook sample database need a file that is not part of the repository.
const CHINOOK: &str = "bridgehead-end-to-end/chinook";
/// Names that file; the tests read it, too.
const CHINOOK_VARIABLE: &str = "E2E_CHINOOK";
/// Where it is looked for otherwise, beside the repository.
const CHINOOK_BESIDE: &str = "../shared/data/chinook.sqlite";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let clients = Clients::of(workspace);
    let chinook = chinook(workspace)?;
    let mut steps = Steps::new();
    steps.step("tools", tools::install_what_is_missing);
    steps.step("layers", || layers::run(workspace));
    steps.step("limits", || limits::run(workspace));
    steps.step("paths in the guides", || paths::run(workspace));
    steps.step("guide: build", || guide::run(workspace));
    steps.step("programs", || build_programs(workspace, &clients));
    steps.step("generated files", || generate::check(workspace));
    steps.step("clients", || clients.set_up(workspace));
    steps.step("tests: compile", || tests(workspace, &clients, chinook.as_ref(), &["--no-run"]));
    steps.step("tests: run", || tests(workspace, &clients, chinook.as_ref(), &["--no-fail-fast"]));
    if chinook.is_none() {
        steps.left_out("Chinook: not run, no database (set E2E_CHINOOK)");
    }
    steps.step("first run, short", || first_run::short(workspace));
    steps.step("first run with an API, short", || first_run::newcomer::short(workspace));
    match image::can_run() {
        true => steps.step("image, short", || image::with_program(workspace, &clients.program("bridgehead"))),
        false => steps.left_out("image: not run, it needs Linux and to be started as root"),
    }
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

/// The Chinook database as an absolute path, where there is one. A file that is named and is not there is a mistake.
fn chinook(workspace: &Workspace) -> Result<Option<PathBuf>> {
    match std::env::var_os(CHINOOK_VARIABLE).filter(|named| !named.is_empty()) {
        Some(named) => match PathBuf::from(&named).canonicalize() {
            Ok(file) if file.is_file() => Ok(Some(file)),
            Ok(other) => bail!("${CHINOOK_VARIABLE} names {}, which is no file", other.display()),
            Err(error) => {
                Err(error).with_context(|| format!("${CHINOOK_VARIABLE} names {}", PathBuf::from(named).display()))
            }
        },
        None => Ok(workspace.root.join(CHINOOK_BESIDE).canonicalize().ok().filter(|file| file.is_file())),
    }
}

/// Unit, integration, documentation and end-to-end tests in one go: one choice of packages and features, so that no
/// dependency is compiled twice.
fn tests(workspace: &Workspace, clients: &Clients, chinook: Option<&PathBuf>, arguments: &[&str]) -> Result<()> {
    let all = ["test", "--locked", "--workspace", "--features", REAL_ONES];
    let mut command = process::cargo(&workspace.root, &all);
    if let Some(file) = chinook {
        command.args(["--features", CHINOOK]).env(CHINOOK_VARIABLE, file);
    }
    process::run(
        process::without_settings(&mut command)
            .args(arguments)
            .env("E2E_PROGRAMS_DIR", clients.programs())
            .env("E2E_CLIENTS_DIR", &clients.scripts)
            .env("E2E_PYTHON", clients.python()),
    )
}
