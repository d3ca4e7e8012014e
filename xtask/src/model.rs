//! `cargo xtask model [FAULTS]`: every order of events of two callers with one idempotency key, with this many faults
//! anywhere in between (D5). The form with one fault is a test of every run (`crates/core/tests/effects/model.rs`).

use anyhow::{Result, ensure};

use crate::process;
use crate::workspace::Workspace;

/// Builds the model for speed and tries it.
pub(crate) fn run(workspace: &Workspace, faults: &str) -> Result<()> {
    ensure!(faults.parse::<u8>().is_ok(), "`{faults}` is no number of faults: write `cargo xtask model 2`");
    let test = ["test", "--release", "--locked", "--package", "bridgehead-core", "--test", "effects"];
    let mut command = process::cargo(&workspace.root, &test);
    process::run(command.args(["model::", "--", "--nocapture"]).env("MODEL_FAULTS", faults))
}
