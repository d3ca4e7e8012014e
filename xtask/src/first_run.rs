//! `cargo xtask first-run [--short]`: what a stranger does first. A clone, the README's first command, and with nothing
//! but the card that it prints: initialize, tools/list, tools/call. Says how many minutes that took.

mod card;
mod client;
pub(crate) mod newcomer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub(crate) use self::card::Card;
pub(crate) use self::client::{call_many_times, first_steps};
use crate::clients;
use crate::process;
use crate::serving::{Server, free_port};
use crate::steps::minutes;
use crate::workspace::Workspace;

pub(crate) const EXAMPLE: &str = "examples/warehouse";
/// Compiling in release mode on two cores is most of it.
const LONGEST_BUILD: Duration = Duration::from_secs(60 * 60);
const LONGEST_START: Duration = Duration::from_secs(30);

/// From a clone of HEAD with a target directory of its own.
pub(crate) fn from_clone(workspace: &Workspace) -> Result<()> {
    let folder = fresh(&workspace.target.join("first-run/full"))?;
    let clone = folder.join("clone");
    let start = Instant::now();
    process::run(Command::new("git").args(["clone", "--quiet"]).arg(&workspace.root).arg(&clone))?;
    let readme = std::fs::read_to_string(clone.join("README.md")).context("the clone has no README.md")?;
    let line = first_command(&readme).context("the README shows no `cargo run` command")?;
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("cargo"));
    command.args(words).current_dir(&clone).env_remove("CARGO_TARGET_DIR").env_remove("RUSTUP_TOOLCHAIN");
    println!("$ {line}");
    prove(command, &folder, LONGEST_BUILD, start)
}

/// The development binary on a copy of the example.
pub(crate) fn short(workspace: &Workspace) -> Result<()> {
    let folder = fresh(&workspace.target.join("first-run/short"))?;
    process::run(&mut process::cargo(&workspace.root, &["build", "--quiet", "--locked", "--package", "bridgehead"]))?;
    for file in workspace.files()?.iter().filter(|file| file.starts_with(EXAMPLE)) {
        clients::copy(&workspace.root.join(file), &folder.join(file))?;
    }
    let mut command = Command::new(workspace.program("bridgehead"));
    command.arg("serve").arg(Path::new(EXAMPLE).join("bridgehead.toml")).current_dir(&folder);
    prove(command, &folder, LONGEST_START, Instant::now())
}

/// An empty folder.
pub(crate) fn fresh(folder: &Path) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

/// The first line in a fenced block that runs the server by cargo, without the remark behind it.
fn first_command(readme: &str) -> Option<&str> {
    let mut fenced = false;
    let line = readme.lines().map(str::trim).find(|line| {
        fenced ^= line.starts_with("```");
        fenced && line.starts_with("cargo run ")
    })?;
    Some(line.split_once(" #").map_or(line, |(command, _)| command).trim_end())
}

fn prove(mut command: Command, folder: &Path, longest: Duration, start: Instant) -> Result<()> {
    let log = folder.join("stderr.log");
    let listen = format!("127.0.0.1:{}", free_port()?);
    process::without_settings(&mut command)
        .env("BRIDGEHEAD_SERVER__LISTEN", listen)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&log)?);
    let mut server = Server::from(command.spawn().context("cannot start the server")?);
    let card = read_card(&mut server.child, longest)
        .with_context(|| format!("no card with a URL and a key; what the server said is in {}", log.display()))?;
    println!("{:.1} minutes until the card", minutes(start.elapsed()));
    first_steps(&card)?;
    println!("{:.1} minutes until the first tool call was answered", minutes(start.elapsed()));
    server.stop()
}

fn read_card(server: &mut Child, longest: Duration) -> Result<Card> {
    let lines = card::lines(server.stdout.take().context("the server has no stdout")?);
    let deadline = Instant::now() + longest;
    let mut text = String::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                text += &line;
                text.push('\n');
                if let Some(card) = Card::read(&text) {
                    return Ok(card);
                }
            }
            Err(RecvTimeoutError::Timeout) => bail!("waited {:.1} minutes; stdout was:\n{text}", minutes(longest)),
            Err(RecvTimeoutError::Disconnected) => bail!("the server ended; stdout was:\n{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_command;

    #[test]
    fn the_first_command_is_the_first_cargo_run_in_a_fence() {
        let readme =
            "Then cargo run it.\n```sh\ngit clone …\ncargo run --release -- serve a.toml   # a\ncargo run b\n```\n";
        assert_eq!(first_command(readme), Some("cargo run --release -- serve a.toml"));
        assert_eq!(first_command("cargo run --release"), None);
    }
}
