//! One page as a reader works through it: its files are written, its configurations checked and its commands run, in the
//! order of the page, in a folder of its own.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Output, Stdio},
};

use bridgehead_harness::{
    postgres::Database,
    process::{Served, binary},
};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    api::Api,
    blocks::{Block, Placed, Shown, blocks},
    files::{merged, stands_in},
    output::fits,
};

/// Where the pages have the server, unless they say otherwise.
const ADDRESS: &str = "127.0.0.1:8080";
/// And where its metrics.
const METRICS: &str = "127.0.0.1:9090";
/// Where the pages have an API, which is a stand-in here.
const API: &str = "http://parcels.internal";
/// By this a page has the database that the reader brings.
const DATABASE: &str = "DATABASE_URL";
/// Where a server listens, which no command after it has to be told.
const LISTEN: &str = "BRIDGEHEAD_SERVER__LISTEN";
/// What every shell that runs a command begins and ends with: it knows what the one before it was told.
const BEGIN: &str = "[ ! -f \"$GUIDE_STATE\" ] || . \"$GUIDE_STATE\"\n";
const END: &str = "\nGUIDE_CODE=$?; unset BRIDGEHEAD_SERVER__LISTEN
{ export -p; declare -f; } > \"$GUIDE_STATE\"; exit $GUIDE_CODE";

/// What a page had to try.
#[derive(Default)]
pub(crate) struct Tried {
    pub(crate) files: usize,
    pub(crate) commands: usize,
    pub(crate) excerpts: usize,
    /// Commands that cannot be run here.
    pub(crate) untried: Vec<String>,
}

/// The server that a page has started last.
struct Running {
    served: Served,
    address: String,
    metrics: Option<String>,
}

/// A reader in the middle of a page.
struct Reader {
    folder: TempDir,
    state: TempDir,
    api: Api,
    database: Option<Database>,
    server: Option<Running>,
    /// Whether a configuration of the page wants an address for metrics, which is another one here.
    has_metrics: bool,
    /// Configurations that were written since the last command, and whether they hold.
    unchecked: BTreeMap<String, bool>,
    tried: Tried,
}

/// Works through a page; what it had to try, or what did not hold, with its line.
pub(crate) async fn read(name: &str, text: &str) -> Result<Tried, String> {
    let blocks = blocks(text).map_err(|fault| format!("{name}: {fault}"))?;
    let database = match text.contains(&format!("${DATABASE}")) {
        true => Some(Database::empty().await),
        false => None,
    };
    let place = || tempfile::tempdir().map_err(|error| error.to_string());
    let (folder, state, api) = (place()?, place()?, Api::start().await);
    let (unchecked, tried) = (BTreeMap::new(), Tried::default());
    let mut reader = Reader { folder, state, api, database, server: None, has_metrics: false, unchecked, tried };
    for Placed { line, block } in &blocks {
        reader.block(block).await.map_err(|fault| format!("{name}:{line}: {fault}"))?;
    }
    reader.check().await.map_err(|fault| format!("{name}: {fault}"))?;
    reader.end_server().await?;
    Ok(reader.tried)
}

impl Reader {
    async fn block(&mut self, block: &Block) -> Result<(), String> {
        match block {
            Block::File { path, text, holds } => self.write(path, text, *holds),
            Block::Settings { path, text } => {
                let merged = merged(&self.folder.path().join(path), text)?;
                self.write(path, &merged, true)
            }
            Block::Excerpt { path, text } => {
                self.tried.excerpts += 1;
                stands_in(path, text)
            }
            Block::Untried { commands } => {
                self.tried.untried.extend(commands.iter().map(|shown| shown.command.clone()));
                Ok(())
            }
            Block::Commands { commands, fails } => {
                for (index, shown) in commands.iter().enumerate() {
                    if !shown.command.starts_with("export ") {
                        self.check().await?;
                    }
                    self.tried.commands += 1;
                    let succeeds = !(*fails && index + 1 == commands.len());
                    match shown.command.starts_with("bridgehead serve") {
                        true => self.serve(shown).await?,
                        false => self.run(shown, succeeds).await?,
                    }
                }
                Ok(())
            }
        }
    }

    fn write(&mut self, path: &str, text: &str, holds: bool) -> Result<(), String> {
        self.tried.files += 1;
        let file = self.folder.path().join(path);
        let folder = file.parent().ok_or("a file stands in a folder")?;
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, self.here(text)));
        written.map_err(|error| format!("{path}: {error}"))?;
        self.has_metrics |= text.contains("\nadmin_listen = ");
        if path.ends_with(".toml") {
            self.unchecked.insert(path.to_owned(), holds);
        }
        Ok(())
    }

    /// Every configuration that was written since holds, and nothing is doubtful about it, unless the page says that it
    /// does not.
    async fn check(&mut self) -> Result<(), String> {
        for (path, holds) in std::mem::take(&mut self.unchecked) {
            let output = self.shell(&format!("bridgehead config check {path}")).await?;
            let said = said(&output);
            match (output.status.success(), holds) {
                (true, true) if !said.contains("warning") => {}
                (false, false) => {}
                (_, false) => return Err(format!("{path} holds, and the page says that it is wrong")),
                _ => return Err(format!("{path} does not hold:\n{said}")),
            }
        }
        Ok(())
    }

    async fn run(&self, shown: &Shown, succeeds: bool) -> Result<(), String> {
        let output = self.shell(&shown.command).await?;
        let said = self.there(&said(&output));
        if output.status.success() != succeeds {
            return Err(format!("`{}` ended with {}:\n{said}", shown.command, output.status));
        }
        compare(shown, &said)
    }

    /// Starts a server, which runs until the next one or the end of the page.
    async fn serve(&mut self, shown: &Shown) -> Result<(), String> {
        self.end_server().await?;
        let mut command = self.command(&format!("exec {}", shown.command));
        if self.has_metrics {
            command.env("BRIDGEHEAD_SERVER__ADMIN_LISTEN", "127.0.0.1:0");
        }
        let served = Served::from(command).await;
        let line = served.logged(|line| line.contains("listening address=")).await;
        let address = between(&line, "address=", " ").unwrap_or_default().to_owned();
        let card = served.card.clone();
        let metrics = between(&card, "Metrics   http://", "/metrics").map(str::to_owned);
        self.server = Some(Running { served, address, metrics });
        compare(shown, &self.there(&card))
    }

    async fn end_server(&mut self) -> Result<(), String> {
        match self.server.take() {
            Some(Running { served, .. }) => match served.terminate().await {
                Some(0) => Ok(()),
                code => Err(format!("the server ended with {code:?}")),
            },
            None => Ok(()),
        }
    }

    async fn shell(&self, command: &str) -> Result<Output, String> {
        let mut shell = self.command(&format!("{command}{END}"));
        if let Some(Running { address, .. }) = &self.server {
            shell.env(LISTEN, address);
        }
        shell.stdin(Stdio::null()).output().await.map_err(|error| format!("`{command}`: {error}"))
    }

    /// A shell in the page's folder that finds `bridgehead`, and has nothing of our own environment.
    fn command(&self, script: &str) -> Command {
        let program = binary("bridgehead");
        let programs = program.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command
            .args(["-c", &format!("{BEGIN}{}", self.here(script))])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{programs}:{path}"))
            .env("HOME", self.folder.path())
            .env("GUIDE_STATE", self.state.path().join("state"))
            .env("NO_COLOR", "1");
        if let Some(database) = &self.database {
            command.env(DATABASE, database.url());
        }
        command
    }

    /// Text of the page for this machine.
    fn here(&self, text: &str) -> String {
        self.places().iter().fold(text.to_owned(), |text, (page, here)| text.replace(page, here))
    }

    /// What was said here, as the page has it.
    fn there(&self, said: &str) -> String {
        self.places().iter().fold(said.to_owned(), |said, (page, here)| said.replace(here, page))
    }

    /// Addresses as the page has them, and what they are here.
    fn places(&self) -> Vec<(&'static str, &str)> {
        let server = self.server.iter();
        let of_server = server.flat_map(|server| {
            let metrics = server.metrics.as_deref().map(|metrics| (METRICS, metrics));
            [(ADDRESS, &*server.address)].into_iter().chain(metrics)
        });
        of_server.chain([(API, &*self.api.origin)]).collect()
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split(after).next()
}

/// Both outputs, without the lines of the log, which begin with the time.
fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let is_logged =
        |line: &str| line.get(..20).is_some_and(|start| start.starts_with("20") && start.as_bytes()[10] == b'T');
    text.lines().filter(|line| !is_logged(line)).map(|line| format!("{line}\n")).collect()
}

fn compare(shown: &Shown, said: &str) -> Result<(), String> {
    let lines: Vec<&str> = said.lines().collect();
    if shown.says.is_empty() || fits(&shown.says, &lines) {
        return Ok(());
    }
    Err(format!("`{}` says\n{said}\nand not\n{}", shown.command, shown.says.join("\n")))
}
