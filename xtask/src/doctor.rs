//! `cargo xtask doctor [NAME]`: lets the doctor look at servers that nobody here wrote, and prints what it finds. What is
//! true of it stands in docs/doctor-over-real-servers.md; reading it is a person's work.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::clients::{copy, once, read};
use crate::process;
use crate::serving::free_port;
use crate::workspace::Workspace;

const FILES: &str = "tests/garden/foreign";
const LONGEST_START: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

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
        let mut running = Running::start((server.command)(&installed, port)?.current_dir(&installed.folder))?;
        running.until_ready(port)?;
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
            ureq::get(link).call().with_context(|| format!("nobody could sign in at {link}"))?;
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
        let wanted = read(&folder.join("package-lock.json"))? + &read(&folder.join("package.json"))?;
        once(&folder.join("installed"), &wanted, "npm packages", || {
            let npm = ["ci", "--no-fund", "--no-audit", "--ignore-scripts"];
            process::run(Command::new("npm").current_dir(&folder).args(npm))
        })?;
        let (environment, requirements) = (folder.join("venv"), folder.join("requirements.txt"));
        once(&environment.join("installed"), &read(&requirements)?, "Python packages", || {
            process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
            process::run(Command::new(environment.join("bin/python")).args(pip).arg(&requirements))
        })?;
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

/// A server that does not outlive us.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(quiet.spawn().with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?))
    }

    /// Waits until it takes connections.
    fn until_ready(&mut self, port: u16) -> Result<()> {
        let deadline = Instant::now() + LONGEST_START;
        while Instant::now() < deadline {
            if TcpStream::connect(("localhost", port)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.0.try_wait()? {
                bail!("it ended with {status}");
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        bail!("it took no connection within {} seconds", LONGEST_START.as_secs())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that ended by itself is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
