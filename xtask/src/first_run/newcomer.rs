//! `cargo xtask first-run --openapi [--short]`: what somebody does who has an API and nothing else. A clone, the program,
//! `bridgehead init` over a description, the first administrator's link, and a client of other people's that finds out for
//! itself how to sign in. Says how long each step took; a person at a keyboard adds their reading and typing.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{card, fresh};
use crate::clients::Clients;
use crate::process;
use crate::serving::{Server, free_port};
use crate::workspace::Workspace;

/// The description that the newcomer has.
const DESCRIPTION: &str = "examples/openapi/parcels.yaml";
/// What the API answers to every request.
const PARCELS: &str = r#"[{"number": "P20260001", "status": "on_its_way"}]"#;
const MAIL: &str = "you@example.com";
const PASSWORD: &str = "a quiet evening by the harbour";
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A clone of HEAD, and the program compiled in it as it is installed.
pub(crate) fn from_clone(workspace: &Workspace) -> Result<()> {
    let folder = fresh(&workspace.target.join("first-run/openapi"))?;
    let clients = Clients::of(workspace);
    clients.set_up(workspace)?;
    let mut steps = Steps::begin();
    let clone = folder.join("clone");
    process::run(Command::new("git").args(["clone", "--quiet"]).arg(&workspace.root).arg(&clone))?;
    steps.done("git clone");
    let mut install = Command::new("cargo");
    install.args(["install", "--quiet", "--locked", "--path", "crates/bridgehead", "--root"]).arg(&folder);
    process::run(install.current_dir(&clone).env_remove("CARGO_TARGET_DIR").env_remove("RUSTUP_TOOLCHAIN"))?;
    steps.done("cargo install");
    let newcomer = Newcomer { program: folder.join("bin/bridgehead"), description: clone.join(DESCRIPTION), folder };
    newcomer.connect(&clients, steps)
}

/// The development binary, in an empty folder.
pub(crate) fn short(workspace: &Workspace) -> Result<()> {
    let folder = fresh(&workspace.target.join("first-run/openapi-short"))?;
    let clients = Clients::of(workspace);
    clients.set_up(workspace)?;
    process::run(&mut process::cargo(&workspace.root, &["build", "--quiet", "--locked", "--package", "bridgehead"]))?;
    let (program, description) = (workspace.program("bridgehead"), workspace.root.join(DESCRIPTION));
    Newcomer { program, description, folder }.connect(&clients, Steps::begin())
}

struct Newcomer {
    program: PathBuf,
    description: PathBuf,
    /// Where they put their configuration.
    folder: PathBuf,
}

impl Newcomer {
    /// From the description to the first call.
    fn connect(&self, clients: &Clients, mut steps: Steps) -> Result<()> {
        let api = api()?;
        let mut init = self.bridgehead(&["init", "--auth", "oauth", "--base-url", &api, "--openapi"]);
        process::run(init.arg(&self.description))?;
        steps.done("bridgehead init");

        let log = self.folder.join("stderr.log");
        let mut serve = self.bridgehead(&["serve"]);
        serve.env("BRIDGEHEAD_SERVER__LISTEN", format!("127.0.0.1:{}", free_port()?));
        let child = serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?).spawn();
        let mut server = Server::from(child.context("cannot start the server")?);
        let lines = card::lines(server.child.stdout.take().context("the server has no stdout")?);
        let read = OAuthCard::read(&lines);
        let card = read.with_context(|| format!("what the server said is in {}", log.display()))?;
        steps.done("bridgehead serve, up to the card");

        let browser = Driver::start(clients, "browser.mjs", &[])?;
        let origin = browser.line()?;
        let person = json!({"profile": MAIL, "mail": MAIL, "password": PASSWORD});
        let chosen = order(&format!("{origin}/choose"), &json!({"url": card.link, "person": person}))?;
        ensure!(chosen.get("text").is_some(), "the password was not set: {chosen}");
        steps.done("the first administrator's password, in a browser");

        let settings =
            [("MCP_URL", card.url), ("CLIENT", "{}".into()), ("BROWSER_URL", origin), ("PERSON", person.to_string())];
        let mut client = Driver::start(clients, "oauth_typescript_v2.mjs", &settings)?;
        client.tell(&json!({"do": "call", "tool": "listParcels", "arguments": {}, "may_sign_in": true, "moved": 0}))?;
        let called: Value = serde_json::from_str(&client.line()?)?;
        ensure!(called.pointer("/result/result/0/number") == Some(&json!("P20260001")), "no parcel: {called}");
        steps.done("registration, sign-in, consent, tokens and the first call");
        steps.tell();
        server.stop()
    }

    fn bridgehead(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        process::without_settings(&mut command).args(arguments).current_dir(&self.folder).env("NO_COLOR", "1");
        command
    }
}

/// What a newcomer takes from the card.
struct OAuthCard {
    url: String,
    /// By which the first administrator chooses a password.
    link: String,
}

impl OAuthCard {
    fn read(lines: &Receiver<String>) -> Result<Self> {
        let (mut url, mut link) = (None, None);
        loop {
            let line = match lines.recv_timeout(LONGEST_WAIT) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => bail!("the card has no URL with a link for the first administrator"),
                Err(RecvTimeoutError::Disconnected) => bail!("the server ended"),
            };
            for word in line.split_whitespace().filter(|word| word.starts_with("http://")) {
                let place = if word.contains("token=") { &mut link } else { &mut url };
                place.get_or_insert_with(|| word.to_owned());
            }
            if let (Some(url), Some(link)) = (&url, &link) {
                return Ok(Self { url: url.clone(), link: link.clone() });
            }
        }
    }
}

/// A script of `tests/end-to-end/clients`, which ends with its input.
struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Driver {
    fn start(clients: &Clients, script: &str, settings: &[(&str, String)]) -> Result<Self> {
        let mut command = Command::new("node");
        command.arg(clients.scripts.join(script)).envs(settings.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start Node")?;
        let lines = card::lines(child.stdout.take().context("the script has no stdout")?);
        Ok(Self { input: child.stdin.take(), child, lines })
    }

    fn tell(&mut self, step: &Value) -> Result<()> {
        let input = self.input.as_mut().context("the script has no stdin")?;
        writeln!(input, "{step}").context("the script does not listen")
    }

    fn line(&self) -> Result<String> {
        self.lines.recv_timeout(LONGEST_WAIT).context("the script says nothing")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.input.take());
        // Fails only where it has ended already, and then there is nothing to do.
        _ = self.child.wait();
    }
}

fn order(url: &str, order: &Value) -> Result<Value> {
    let config = ureq::Agent::config_builder().proxy(None).timeout_global(Some(LONGEST_WAIT));
    let agent: ureq::Agent = config.build().into();
    let mut answer = agent.post(url).send_json(order).with_context(|| format!("no answer from {url}"))?;
    Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
}

/// Something in the place of the API, as long as this process runs; its base URL.
fn api() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // Who goes away before the answer needs none.
            _ = answer(stream);
        }
    });
    Ok(format!("http://{address}/v1"))
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(Read::by_ref(&mut stream)).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let length = PARCELS.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{PARCELS}"
    )
}

/// What was done, and how long it took.
struct Steps {
    done: Vec<(&'static str, Duration)>,
    last: Instant,
}

impl Steps {
    fn begin() -> Self {
        Self { done: Vec::new(), last: Instant::now() }
    }

    fn done(&mut self, what: &'static str) {
        let now = Instant::now();
        self.done.push((what, now - self.last));
        self.last = now;
    }

    fn tell(&self) {
        println!("\nseconds  step");
        for (what, time) in &self.done {
            println!("{:7.1}  {what}", time.as_secs_f64());
        }
        let total: Duration = self.done.iter().map(|(_, time)| *time).sum();
        println!("{:7.1}  in all", total.as_secs_f64());
    }
}
