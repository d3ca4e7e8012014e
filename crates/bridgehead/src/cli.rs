//! The commands: what is typed, and one module for each command. Results go to stdout, all else
//! to stderr; the exit code says by whose fault (see `Exit`).

mod call;
mod clients;
mod completions;
mod config;
mod credentials;
mod doctor;
mod grants;
mod init;
mod keys;
mod lint;
mod log;
mod output;
mod serve;
mod tools;
mod users;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    compose::ComposeError,
    config::{self as configuration, Environment, Faults, Loaded, SystemEnvironment},
};

/// Puts a system you already have within reach of an agent platform, as a remote MCP server.
#[derive(Debug, Parser)]
#[command(name = "bridgehead", version, propagate_version = true, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// The form of log lines on stderr.
    #[arg(long, global = true, value_enum, env = "BRIDGEHEAD_LOG_FORMAT", default_value_t, hide_env = true)]
    log_format: log::Format,
    /// What is logged: error, warn, info, debug, or a filter such as `info,access=off`.
    #[arg(long, global = true, env = "BRIDGEHEAD_LOG", value_name = "FILTER", hide_env = true)]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented bridgehead.toml for a database or an API that is there.
    Init(Box<init::Args>),
    /// Run the server; prints a card: URL, how to sign in, the tools, what to enter in Duvo.
    Serve(serve::Args),
    /// What an agent will see: name, effect, grade, token cost. With a NAME, that tool in full.
    Tools(tools::Args),
    /// Grade every tool, and say what to mend in the configuration and how.
    Lint(lint::Args),
    /// Look at any MCP server as a platform would: what it would fail at, why, and how to mend it.
    Doctor(Box<doctor::Args>),
    /// Call one tool as a caller would, without a server.
    Call(call::Args),
    /// The configuration: check it, or print its JSON Schema.
    #[command(subcommand)]
    Config(config::Command),
    /// API keys of teammates.
    #[command(subcommand)]
    Keys(keys::Command),
    /// People who sign in here with a password.
    #[command(subcommand)]
    Users(users::Command),
    /// OAuth clients that are made here, for platforms that cannot register themselves.
    #[command(subcommand)]
    Clients(clients::Command),
    /// What teammates have connected by OAuth.
    #[command(subcommand)]
    Grants(grants::Command),
    /// What teammates entered or connected for systems behind.
    #[command(subcommand)]
    Credentials(credentials::Command),
    /// Completions for a shell, on stdout.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// The option that names the configuration, for every command but `serve` and `config check`.
#[derive(Debug, clap::Args)]
struct ConfigOption {
    /// The configuration file. Default: $BRIDGEHEAD_CONFIG, then ./bridgehead.toml.
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Why a command ended. The numbers are part of the interface: scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// All is well.
    Well = 0,
    /// The answer is no: a check found faults, the tool failed.
    No = 1,
    /// The command or the configuration is wrong.
    Usage = 2,
    /// Something outside failed: a store, a socket.
    Outside = 3,
}

/// What a command says when it did not succeed.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

type Outcome = Result<Exit, Failure>;

impl Failure {
    fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, message: message.into() }
    }

    fn outside(message: impl Into<String>) -> Self {
        Self { exit: Exit::Outside, message: message.into() }
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        let count = match faults.len() {
            1 => "1 fault".to_owned(),
            n => format!("{n} faults"),
        };
        Self::usage(format!("{faults}\n\n{count} in the configuration"))
    }
}

impl From<ComposeError> for Failure {
    fn from(error: ComposeError) -> Self {
        match error {
            ComposeError::Configuration(faults) => faults.into(),
            ComposeError::Secrets(_)
            | ComposeError::Store(_)
            | ComposeError::Shared(_)
            | ComposeError::FirstKey(_)
            | ComposeError::Issuer(_)
            | ComposeError::SelfSigned(_)
            | ComposeError::Tls(_)
            | ComposeError::Listen { .. } => Self::outside(with_causes(&error)),
        }
    }
}

/// An error and what lies behind it, where that says more.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str("\n  because: ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // clap prints help to stdout and complaints to stderr.
            let _ = error.print();
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Well };
            return ExitCode::from(exit as u8);
        }
    };
    log::start(args.log_format, args.log.as_deref());
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::outside(format!("the runtime could not be started: {error}")))
        .and_then(|runtime| runtime.block_on(run(args.command)));
    match outcome {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            output::complain(&failure.message);
            ExitCode::from(failure.exit as u8)
        }
    }
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Init(args) => init::run(*args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Tools(args) => tools::run(args).await,
        Command::Lint(args) => lint::run(args).await,
        Command::Doctor(args) => doctor::run(*args).await,
        Command::Call(args) => call::run(args).await,
        Command::Config(command) => config::run(command).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Users(command) => users::run(command).await,
        Command::Clients(command) => clients::run(command).await,
        Command::Grants(command) => grants::run(command).await,
        Command::Credentials(command) => credentials::run(command).await,
        Command::Completions { shell } => completions::run(shell),
    }
}

/// Finds and loads the configuration: the one that was named, else `$BRIDGEHEAD_CONFIG`, else
/// `./bridgehead.toml`. Says what is doubtful about it.
fn load(named: Option<&Path>) -> Result<(PathBuf, Loaded), Failure> {
    let environment = SystemEnvironment::new();
    let path = named
        .map(Path::to_owned)
        .or_else(|| environment.variable("BRIDGEHEAD_CONFIG").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("bridgehead.toml"));
    let loaded = configuration::load(&path, &environment)?;
    for warning in &loaded.warnings {
        output::say(&format!("warning: {warning}"));
    }
    Ok((path, loaded))
}
