//! `cargo xtask deny`: licences, banned crates and where crates come from, after `deny.toml`. Needs no list of
//! advisories and so nothing but the crates themselves; known faults are `cargo xtask advisories`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

const VERSION: &str = "0.20.2";

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    process::run(cargo_deny(workspace)?.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))
}

/// The tool in exactly our version, built into the target directory when it is not there yet.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<Command> {
    let tools = workspace.target.join("tools");
    let program = tools.join("bin/cargo-deny");
    if !is_right_version(&program) {
        process::run(
            process::cargo(
                &workspace.root,
                &["install", "--quiet", "--locked", "cargo-deny", "--version", VERSION, "--root"],
            )
            .arg(&tools)
            // A minute instead of five: it runs for a second.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
        )?;
    }
    let mut command = Command::new(program);
    command.current_dir(&workspace.root).args(["--all-features", "--locked"]);
    Ok(command)
}

fn is_right_version(program: &Path) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == format!("cargo-deny {VERSION}"))
}
