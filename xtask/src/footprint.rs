//! `cargo xtask footprint [PROGRAM]`: what the shipped program takes of a machine, serving the warehouse: size, time from
//! exec to the first good `/readyz`, resident memory. Figures of this machine at this moment, so nothing is judged.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::clients;
use crate::first_run::{Card, EXAMPLE, call_many_times, fresh};
use crate::process;
use crate::serving::{Server, free_port};
use crate::workspace::Workspace;

/// What `cargo xtask image` has built, below the root of the repository.
const SHIPPED: &str = "target/image/bridgehead";
const STARTS: usize = 20;
const CALLS: usize = 2000;

pub(crate) fn run(workspace: &Workspace, program: Option<&str>) -> Result<()> {
    let program = program.map_or_else(|| workspace.root.join(SHIPPED), PathBuf::from);
    let program = program.canonicalize().with_context(|| {
        format!("there is no {}: build it with `cargo xtask image`, or name another program", program.display())
    })?;
    let folder = fresh(&workspace.target.join("footprint"))?;
    for file in workspace.files()?.iter().filter(|file| file.starts_with(EXAMPLE)) {
        clients::copy(&workspace.root.join(file), &folder.join(file.strip_prefix(EXAMPLE)?))?;
    }
    println!("{:>10.1} MiB     the program", mebibytes(program.metadata()?.len() as f64));

    let (server, first, _) = start(&program, &folder)?;
    server.stop()?;
    println!("{:>10.1} ms      first start until ready; the databases are made", milliseconds(first));
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let (server, took, _) = start(&program, &folder)?;
        starts.push(took);
        server.stop()?;
    }
    starts.sort();
    let at = |index: usize| starts.get(index).copied().map(milliseconds).unwrap_or_default();
    println!(
        "{:>10.1} ms      start until ready, median of {STARTS}; the slowest {:.1} ms",
        at(STARTS / 2),
        at(STARTS - 1)
    );

    let (server, _, port) = start(&program, &folder)?;
    println!("{:>10.1} MiB     resident after the start", memory(&server, "VmRSS")?);
    let key = key(&program, &folder)?;
    let card = Card { url: format!("http://127.0.0.1:{port}/mcp"), key };
    call_many_times(&card, CALLS)?;
    println!("{:>10.1} MiB     resident after {CALLS} calls, one after the other", memory(&server, "VmRSS")?);
    println!("{:>10.1} MiB     resident at most", memory(&server, "VmHWM")?);
    server.stop()
}

fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    process::without_settings(&mut command).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// The server, how long it took until it was ready, and its port.
fn start(program: &Path, folder: &Path) -> Result<(Server, Duration, u16)> {
    let port = free_port()?;
    let mut command = command(program, folder);
    command.arg("serve").env("BRIDGEHEAD_LISTEN", format!("127.0.0.1:{port}")).stdout(Stdio::null());
    let from = Instant::now();
    let mut server = Server::from(command.spawn().context("cannot start the program")?);
    server.until_ready(port)?;
    Ok((server, from.elapsed(), port))
}

fn key(program: &Path, folder: &Path) -> Result<String> {
    let arguments = ["keys", "create", "--for", "alice@example.com", "--expires", "1d", "--json"];
    let made: Value = serde_json::from_str(&process::output(command(program, folder).args(arguments))?)?;
    Ok(made.get("key").and_then(Value::as_str).context("no key was made")?.to_owned())
}

/// In MiB, as the kernel tells it in KiB: proc_pid_status(5).
fn memory(server: &Server, line: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid))?;
    let told = status.lines().find_map(|told| told.strip_prefix(line)?.strip_prefix(':'));
    let kibibytes: f64 = told.and_then(|told| told.split_whitespace().next()).context("no such line")?.parse()?;
    Ok(mebibytes(kibibytes * 1024.0))
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
