//! `cargo xtask doctor [NAME]`: lets the doctor look at servers that nobody here wrote, and prints what it finds. What is
//! true of it stands in docs/doctor-over-real-servers.md; reading it is a person's work.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::clients::{copy, npm_packages, python_packages};
use crate::process;
use crate::serving::{Server, free_port};
use crate::workspace::Workspace;

const FILES: &str = "tests/garden/foreign";

/// A server, and how it is started.
struct Foreign {
    name: &'static str,
    /// The endpoint below its port.
    endpoint: &'static str,
    /// Whether somebody has to sign in; these let everybody in without a page.
    login: bool,
    command: fn(&Installed, u16) -> Result<Command>,
}

/// Where everything is installed.
struct Installed {
    folder: PathBuf,
}

const SERVERS: [Foreign; 7] = [
    Foreign {
        name: "fastmcp",
        endpoint: "http://127.0.0.1:PORT/mcp",
        login: true,
        command: |installed, port| {
            let mut command = Command::new(installed.python("python"));
            command.arg("fastmcp_oauth.py").arg(port.to_string());
            Ok(command)
        },
    },
    Foreign {
        name: "typescript-sdk",
        endpoint: "http://localhost:PORT/mcp",
        login: true,
        command: |_, port| typescript(port, &["--oauth"]),
    },
    Foreign {
        name: "typescript-sdk-strict",
        endpoint: "http://localhost:PORT/mcp",
        login: true,
        command: |_, port| typescript(port, &["--oauth", "--oauth-strict"]),
    },
    Foreign {
        name: "server-everything",
        endpoint: "http://localhost:PORT/mcp",
        login: false,
        command: |_, port| {
            let mut command = node("@modelcontextprotocol/server-everything/dist/index.js");
            command.arg("streamableHttp").env("PORT", port.to_string());
            Ok(command)
        },
    },
    Foreign {
        name: "openapi-mcp-gateway",
        endpoint: "http://127.0.0.1:PORT/api/mcp",
        login: false,
        command: |installed, port| {
            let mut command = Command::new(installed.python("openapi-mcp-gateway"));
            command.args(["--spec", "depots.json", "--host", "127.0.0.1", "--port"]).arg(port.to_string());
            Ok(command)
        },
    },
    Foreign {
        name: "supergateway",
        endpoint: "http://localhost:PORT/mcp",
        login: false,
        command: |_, port| Ok(supergateway(port)),
    },
    Foreign {
        name: "supergateway-stateful",
        endpoint: "http://localhost:PORT/mcp",
        login: false,
        command: |_, port| {
            let mut command = supergateway(port);
            command.arg("--stateful");
            Ok(command)
        },
    },
];

pub(crate) fn run(workspace: &Workspace, wanted: Option<&str>) -> Result<()> {
    let wanted: Vec<&Foreign> = SERVERS.iter().filter(|one| wanted.is_none_or(|name| one.name == name)).collect();
    if wanted.is_empty() {
        bail!("there are {}", SERVERS.map(|server| server.name).join(", "));
    }
    process::run(&mut process::cargo(&workspace.root, &["build", "--quiet", "--locked", "--package", "bridgehead"]))?;
    let installed = Installed::set_up(workspace)?;
    for server in wanted {
        let port = free_port()?;
        println!("\n=== {}\n", server.name);
        let mut command = (server.command)(&installed, port)?;
        command.current_dir(&installed.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("cannot start {}", server.name))?;
        let mut running = Server::from(child);
        running.until_it_listens(port)?;
        visit(workspace, server, port)?;
    }
    Ok(())
}

/// Looks at it, signs in where it is asked for, and prints the report. Findings are no failure of ours.
fn visit(workspace: &Workspace, server: &Foreign, port: u16) -> Result<()> {
    let mut command = Command::new(workspace.program("bridgehead"));
    process::without_settings(&mut command)
        .args(["doctor", "--profile", "generic"])
        .arg(server.endpoint.replace("PORT", &port.to_string()))
        .args(server.login.then_some("--login"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // Whatever proxy the environment names: the server is on this machine.
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let mut doctor = command.spawn().context("cannot start the doctor")?;
    let said = doctor.stderr.take().context("stderr is piped")?;
    let mut report = doctor.stdout.take().context("stdout is piped")?;
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        report.read_to_string(&mut text).map(|_| text)
    });
    for line in BufReader::new(said).lines() {
        let line = line?;
        println!("{line}");
        let link = line.trim();
        if link.starts_with("http") {
            agent.get(link).call().with_context(|| format!("nobody could sign in at {link}"))?;
        }
    }
    let status = doctor.wait()?;
    let Ok(report) = reading.join() else { bail!("the report could not be read") };
    println!("{}\nexit code: {status}", report?);
    if !matches!(status.code(), Some(0 | 1)) {
        bail!("the doctor ended with {status}");
    }
    Ok(())
}

impl Installed {
    fn set_up(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.target.join("doctor");
        for file in workspace.files()? {
            if let Ok(name) = file.strip_prefix(FILES) {
                copy(&workspace.root.join(&file), &folder.join(name))?;
            }
        }
        npm_packages(&folder, &["--ignore-scripts"])?;
        python_packages(&folder.join("venv"), &folder.join("requirements.txt"))?;
        Ok(Self { folder })
    }

    fn python(&self, program: &str) -> PathBuf {
        self.folder.join("venv/bin").join(program)
    }
}

fn typescript(port: u16, flags: &[&str]) -> Result<Command> {
    let mut command = node("@modelcontextprotocol/sdk/dist/esm/examples/server/simpleStreamableHttp.js");
    command.args(flags).env("MCP_PORT", port.to_string()).env("MCP_AUTH_PORT", free_port()?.to_string());
    Ok(command)
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(Path::new("node_modules").join(script));
    command
}

fn supergateway(port: u16) -> Command {
    let mut command = node("supergateway/dist/index.js");
    let everything = "node node_modules/@modelcontextprotocol/server-everything/dist/index.js stdio";
    command.args(["--stdio", everything, "--outputTransport", "streamableHttp", "--port"]).arg(port.to_string());
    command
}
