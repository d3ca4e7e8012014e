//! `bridgehead completions SHELL`.

use clap::CommandFactory;

use super::{Args, Exit, Outcome, output};

pub(super) fn run(shell: clap_complete::Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "bridgehead", &mut script);
    output::print(&String::from_utf8_lossy(&script));
    Ok(Exit::Well)
}
