//! `cargo xtask image [--short]`: the container image without a container engine. Carries out
//! `deploy/container/Dockerfile`, runs what comes of it as an engine would, with nothing writable but the volume, serves
//! the warehouse from it, and says how large it is. It pushes nothing and makes no archive.

mod container;
mod dockerfile;
mod names;
mod root;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use self::container::Container;
use self::dockerfile::Dockerfile;
use crate::clients;
use crate::first_run::{Card, EXAMPLE, first_steps, fresh};
use crate::process;
use crate::serving::free_port;
use crate::workspace::Workspace;

const DOCKERFILE: &str = "deploy/container/Dockerfile";
/// An empty folder that the Dockerfile makes, below the root of the repository.
const EMPTY: &str = "target/image/data";

/// Beside the warehouse: what a root file system without a C library, a `/tmp` and a shell could break.
const TRIAL: &str = r#"
auth.mode = "api_key"
store.url = "memory:"
[sources.names]
type = "http"
[sources.names.tools.by_name_server]
description = "Asks a name server."
request = { url = "http://erp.image.test:PORT/" }
[sources.names.tools.by_hosts_file]
description = "Looks into /etc/hosts."
request = { url = "http://crm.image.test:PORT/" }
[sources.disk]
type = "sql"
url = "sqlite:/data/trial.db"
seed = "trial.sql"
[sources.disk.tools.sort]
description = "Sorts more than fits into memory."
sql = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
SELECT max(text) AS text FROM (SELECT hex(i) || hex(i * 7) AS text FROM n ORDER BY text DESC LIMIT 300000)"""
"#;

/// As it is shipped.
pub(crate) fn full(workspace: &Workspace) -> Result<()> {
    let file = read(workspace)?;
    for line in &file.build {
        let mut shell = Command::new("sh");
        process::run(shell.current_dir(&workspace.root).env_remove("CARGO_TARGET_DIR").args(["-e", "-c", line]))?;
    }
    prove(&file, workspace, None)
}

/// With the development binary.
pub(crate) fn short(workspace: &Workspace) -> Result<()> {
    process::run(&mut process::cargo(&workspace.root, &["build", "--quiet", "--locked", "--package", "bridgehead"]))?;
    with_program(workspace, &workspace.program("bridgehead"))
}

/// With a program that is built already, and the libraries that it is linked to.
pub(crate) fn with_program(workspace: &Workspace, program: &Path) -> Result<()> {
    std::fs::create_dir_all(workspace.root.join(EMPTY))?;
    prove(&read(workspace)?, workspace, Some(program))
}

/// Whether we may mount and change the root here.
pub(crate) fn can_run() -> bool {
    cfg!(target_os = "linux")
        && Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
        && Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "true"])
            .status()
            .is_ok_and(|status| status.success())
}

fn read(workspace: &Workspace) -> Result<Dockerfile> {
    Dockerfile::read(&workspace.read(Path::new(DOCKERFILE))?).context(DOCKERFILE)
}

fn prove(file: &Dockerfile, workspace: &Workspace, program: Option<&Path>) -> Result<()> {
    ensure!(can_run(), "this mounts and changes the root, so it needs Linux and has to be started as root");
    let folder = fresh(&workspace.target.join("image-run"))?;
    let root = folder.join("root");
    root::assemble(file, &workspace.root, program, &root)?;
    for entry in root::entries(&root)? {
        println!("{:>10}  /{}", entry.size, entry.path.strip_prefix(&root)?.display());
    }
    let size: u64 = root::entries(&root)?.iter().map(|entry| entry.size).sum();
    println!("{:.1} MiB in all", size as f64 / f64::from(1 << 20));

    let container = Container {
        file,
        root,
        data: folder.join("data"),
        configuration: configuration(workspace, &folder)?,
        script: folder.join("start.sh"),
    };
    container.prepare(&format!("nameserver {}\n", names::name_server()?), "127.0.0.1 localhost crm.image.test\n")?;
    let before = (root::entries(&container.root)?, root::entries(&container.configuration)?);
    serve(&container, &folder)?;
    try_surroundings(&container)?;
    let after = (root::entries(&container.root)?, root::entries(&container.configuration)?);
    ensure!(before == after, "something outside of the volume has changed in {}", folder.display());
    let written: Vec<_> = root::entries(&container.data)?.into_iter().map(|entry| entry.path).collect();
    println!("written, all of it in {}: {written:?}", file.volume);
    Ok(())
}

/// The example and the trial, as an operator would mount them.
fn configuration(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let configuration = folder.join("configuration");
    for file in workspace.files()?.iter().filter(|file| file.starts_with(EXAMPLE)) {
        clients::copy(&workspace.root.join(file), &configuration.join(file.strip_prefix(EXAMPLE)?))?;
    }
    let port = names::web_server()?.to_string();
    std::fs::write(configuration.join("trial.toml"), TRIAL.replace("PORT", &port))?;
    std::fs::write(configuration.join("trial.sql"), "CREATE TABLE trial (a);")?;
    Ok(configuration)
}

/// Serves the warehouse, makes a key in a second process, calls a tool with it, and ends on SIGTERM.
fn serve(container: &Container<'_>, folder: &Path) -> Result<()> {
    let port = free_port()?;
    let environment = [
        ("PORT", port.to_string()),
        ("BRIDGEHEAD_PUBLIC_URL", format!("http://127.0.0.1:{port}")),
        ("BRIDGEHEAD_STORE__URL", "sqlite:/data/bridgehead.db".to_owned()),
        ("BRIDGEHEAD_SOURCES__WAREHOUSE__URL", "sqlite:/data/warehouse.db".to_owned()),
        // A host that throws its disk away; the volume is to be recognised.
        ("FLY_APP_NAME", "image".to_owned()),
    ];
    let log = folder.join("stderr.log");
    let mut server = container.start(&environment, File::create(folder.join("stdout.log"))?, File::create(&log)?)?;
    server.until_ready(port).with_context(|| format!("what the server said is in {}", log.display()))?;
    container::ensure_confined(server.pid, container.file)?;
    let made =
        container.run(&environment, &["keys", "create", "--for", "alice@example.com", "--expires", "1d", "--json"])?;
    let made: Value = serde_json::from_str(&made)?;
    let key = made.get("key").and_then(Value::as_str).context("no key was made")?;
    first_steps(&Card { url: format!("http://127.0.0.1:{port}/mcp"), key: key.to_owned() })?;
    server.stop()?;
    println!("ended with 0 after SIGTERM");
    let said = std::fs::read_to_string(&log)?;
    ensure!(!said.contains("THROWN AWAY"), "the volume was not recognised: {said}");
    Ok(())
}

/// Names are found and a large sort has room.
fn try_surroundings(container: &Container<'_>) -> Result<()> {
    let environment = [("BRIDGEHEAD_PUBLIC_URL", "http://127.0.0.1".to_owned())];
    for (tool, wanted) in [("by_name_server", "3"), ("by_hosts_file", "3"), ("sort", "3939393939")] {
        let said = container.run(&environment, &["call", tool, "-c", "/etc/bridgehead/trial.toml"])?;
        ensure!(said.contains(wanted), "{tool} answered {said}");
    }
    Ok(())
}
