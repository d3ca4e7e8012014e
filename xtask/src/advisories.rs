//! `cargo xtask advisories`: known faults in the crates we use. Apart from the tests, because its answer changes
//! without any change of ours, and because it needs the list of advisories from outside.

use std::process::ExitCode;

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// What the commands of the product answer, too, when something outside fails.
const OUT_OF_REACH: u8 = 3;

pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    if let Err(error) = process::run(crate::deny::cargo_deny(workspace)?.args(["fetch", "db"])) {
        eprintln!("the advisory database is out of reach, so nothing was checked: {error:#}");
        return Ok(ExitCode::from(OUT_OF_REACH));
    }
    process::run(crate::deny::cargo_deny(workspace)?.args(["check", "--disable-fetch", "advisories"]))?;
    Ok(ExitCode::SUCCESS)
}
