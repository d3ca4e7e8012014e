//! `bridgehead init`: writes a commented bridgehead.toml for what is there. On a terminal it asks for
//! what no flag says. What is proposed is in [`database`] and [`openapi`].

mod database;
mod openapi;
mod proposal;
mod text;

use std::{
    io::{BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use bridgehead_core::Secret;
use bridgehead_sources::sql::{self, Database};
use url::Url;

use self::proposal::{Opening, ProposedSource, SignIn, source_name};
use super::{Exit, Failure, Outcome, output};
use crate::{
    compose::{self, Ambient},
    config::{self, SystemEnvironment, settings::Spec},
};

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("behind")))]
pub(super) struct Args {
    /// An HTTP API, by its OpenAPI description: a file or a URL.
    #[arg(long, value_name = "FILE|URL", group = "behind")]
    openapi: Option<String>,
    /// A SQLite database.
    #[arg(long, value_name = "FILE", group = "behind")]
    sqlite: Option<PathBuf>,
    /// A PostgreSQL database: `postgres://USER:PASSWORD@HOST/DATABASE`. A URL with a password is written to a file of
    /// its own, for nobody else to read.
    #[arg(long, value_name = "URL", group = "behind")]
    postgres: Option<String>,
    /// Not in this version.
    #[arg(long, value_name = "URL", group = "behind", hide = true)]
    mysql: Option<String>,
    /// Not in this version.
    #[arg(long, value_name = "COMMAND", group = "behind", hide = true)]
    command: Option<String>,
    /// Not in this version.
    #[arg(long, value_name = "URL", group = "behind", hide = true)]
    mcp: Option<String>,
    /// What teammates know the server by.
    #[arg(long)]
    name: Option<String>,
    /// How they sign in. Default: api-key.
    #[arg(long, value_enum)]
    auth: Option<AuthArg>,
    /// Where the server is reached from outside: `https://mcp.example.com`.
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
    /// With --openapi: where the API is, instead of what the description says.
    #[arg(long, value_name = "URL", requires = "openapi")]
    base_url: Option<Url>,
    /// With a database: only these tables.
    #[arg(long, value_name = "TABLE,…", value_delimiter = ',')]
    tables: Vec<String>,
    /// The file that is written; `-` for stdout.
    #[arg(short, long, value_name = "FILE", default_value = "bridgehead.toml")]
    output: PathBuf,
    /// Write it also where there is such a file.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AuthArg {
    ApiKey,
    Oauth,
    Open,
}

impl From<AuthArg> for SignIn {
    fn from(arg: AuthArg) -> Self {
        match arg {
            AuthArg::ApiKey => Self::ApiKey,
            AuthArg::Oauth => Self::OAuth,
            AuthArg::Open => Self::Open,
        }
    }
}

/// What is behind the server.
enum Behind {
    OpenApi(String),
    Sqlite(PathBuf),
    Postgres(String),
}

/// A file beside the configuration, with what must not stand in it.
struct SecretFile {
    path: PathBuf,
    content: Secret,
}

pub(super) async fn run(args: Args) -> Outcome {
    let to_stdout = args.output.as_os_str() == "-";
    if !to_stdout && !args.force && args.output.exists() {
        let file = args.output.display();
        return Err(Failure::usage(format!(
            "{file} is there already. Name another file with --output, or write over it with --force."
        )));
    }
    let mut person = Person::at_the_terminal();
    let behind = match named(&args)? {
        Some(behind) => behind,
        None => ask_what_is_behind(&mut person)?,
    };
    let (suggested, source, secret) = look(&args, &behind, to_stdout).await?;
    let name = match args.name.clone() {
        Some(name) => name,
        None => person.ask("What do teammates call it?", &suggested),
    };
    let auth = match args.auth {
        Some(auth) => auth.into(),
        None => ask_how_to_sign_in(&mut person)?,
    };
    let public_url = args.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let toml = proposal::configuration(&Opening { name, auth, public_url }, &source);
    if to_stdout {
        output::print(&toml);
        return Ok(Exit::Well);
    }
    if let Some(secret) = &secret {
        write_secret(secret, args.force)?;
    }
    std::fs::write(&args.output, toml).map_err(|error| cannot_write(&args.output, &error))?;
    check(&args.output).await?;
    report(&args, &source, secret.as_ref());
    Ok(Exit::Well)
}

/// What a flag names.
fn named(args: &Args) -> Result<Option<Behind>, Failure> {
    let later =
        [("--mysql", args.mysql.is_some()), ("--command", args.command.is_some()), ("--mcp", args.mcp.is_some())];
    if let Some((flag, _)) = later.iter().find(|(_, given)| *given) {
        return Err(Failure::usage(format!(
            "{flag} is part of Bridgehead's interface, but this version does not serve it yet. There are --openapi, --sqlite and --postgres."
        )));
    }
    Ok(match args {
        Args { openapi: Some(spec), .. } => Some(Behind::OpenApi(spec.clone())),
        Args { sqlite: Some(file), .. } => Some(Behind::Sqlite(file.clone())),
        Args { postgres: Some(url), .. } => Some(Behind::Postgres(url.clone())),
        _ => None,
    })
}

fn ask_what_is_behind(person: &mut Person) -> Result<Behind, Failure> {
    const KINDS: &str = "Say what is behind the server: --openapi FILE|URL, --sqlite FILE or --postgres URL.";
    if !person.is_there() {
        return Err(Failure::usage(KINDS));
    }
    output::say(
        "What is behind the server? A description of an HTTP API (OpenAPI; a file or a URL), a SQLite file, or a",
    );
    let answer = person.ask("PostgreSQL database (postgres://…)", "");
    if answer.is_empty() {
        return Err(Failure::usage(KINDS));
    }
    Ok(guess(&answer))
}

/// What kind of system somebody means.
fn guess(answer: &str) -> Behind {
    let answer = answer.strip_prefix("sqlite:").unwrap_or(answer);
    let is_database = [".db", ".sqlite", ".sqlite3"].iter().any(|end| answer.to_ascii_lowercase().ends_with(end));
    if answer.starts_with("postgres://") || answer.starts_with("postgresql://") {
        Behind::Postgres(answer.to_owned())
    } else if is_database {
        Behind::Sqlite(answer.into())
    } else {
        Behind::OpenApi(answer.to_owned())
    }
}

fn ask_how_to_sign_in(person: &mut Person) -> Result<SignIn, Failure> {
    if !person.is_there() {
        return Ok(SignIn::ApiKey);
    }
    let answer = person
        .ask("How do teammates sign in? api-key (each has a key), oauth (in a browser), open (not at all)", "api-key");
    match answer.as_str() {
        "api-key" | "api_key" => Ok(SignIn::ApiKey),
        "oauth" => Ok(SignIn::OAuth),
        "open" => Ok(SignIn::Open),
        other => Err(Failure::usage(format!("`{other}` is no way to sign in. There are api-key, oauth and open."))),
    }
}

/// Looks at what is behind: a name for it, the proposed source, and what belongs into a file of its own.
async fn look(
    args: &Args,
    behind: &Behind,
    to_stdout: bool,
) -> Result<(String, ProposedSource, Option<SecretFile>), Failure> {
    let folder = args.output.parent().filter(|_| !to_stdout).unwrap_or(Path::new(""));
    match behind {
        Behind::OpenApi(spec) => {
            let (place, written) = match Url::parse(spec).ok().filter(|url| matches!(url.scheme(), "http" | "https")) {
                Some(url) => (Spec::Url(url), spec.clone()),
                None => (Spec::File(spec.into()), from(folder, Path::new(spec))),
            };
            let (document, complaints) =
                compose::description(&place, &Ambient::default()).await.map_err(Failure::outside)?;
            for complaint in complaints {
                output::say(&format!("warning: {complaint}"));
            }
            let title = document.title().unwrap_or("API").to_owned();
            let at = openapi::At { source: source_name(&title), spec: written, base_url: args.base_url.clone() };
            Ok((title, openapi::propose(&at, &document).map_err(Failure::usage)?, None))
        }
        Behind::Sqlite(file) => {
            let tables = sql::introspect(&Database::Sqlite { path: file.clone(), seed: None })
                .await
                .map_err(Failure::outside)?;
            let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or("database").to_owned();
            let at = database::At {
                source: source_name(&stem),
                url: format!("sqlite:{}", from(folder, file)),
                remark: None,
            };
            Ok((stem, database::propose(&at, &tables, &args.tables).map_err(Failure::usage)?, None))
        }
        Behind::Postgres(url) => {
            let tables = sql::introspect(&Database::Postgres { url: Secret::new(url.clone()), session: Vec::new() })
                .await
                .map_err(Failure::outside)?;
            let parsed = Url::parse(url).ok();
            let named = parsed.as_ref().map(|url| url.path().trim_matches('/')).filter(|name| !name.is_empty());
            let name = named.unwrap_or("database").to_owned();
            let source = source_name(&name);
            let has_password = parsed.is_some_and(|url| url.password().is_some()) || url.contains("password=");
            let secret = has_password.then(|| format!("{source}.url"));
            let at = database::At {
                url: secret.as_ref().map_or_else(|| url.clone(), |file| format!("file:{file}")),
                remark: secret
                    .is_some()
                    .then(|| "the URL of the database, with its password; or \"${VARIABLE}\"".to_owned()),
                source,
            };
            let source = database::propose(&at, &tables, &args.tables).map_err(Failure::usage)?;
            let secret = secret.map(|file| SecretFile { path: folder.join(file), content: Secret::new(url.clone()) });
            Ok((name, source, secret))
        }
    }
}

/// A path as it stands in a configuration in `folder`: relative to it where both are relative and it
/// lies below, else absolute.
fn from(folder: &Path, path: &Path) -> String {
    let below = path.strip_prefix(folder).map(Path::to_owned);
    let path = match below {
        Ok(below) if path.is_relative() && !folder.starts_with("..") => below,
        _ => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    };
    path.to_string_lossy().into_owned()
}

/// Writes it for the owner alone.
fn write_secret(secret: &SecretFile, force: bool) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&secret.path).and_then(|mut file| writeln!(file, "{}", secret.content.expose()));
    written.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::usage(format!(
            "{} is there already. Take it away, or write over it with --force.",
            secret.path.display()
        )),
        _ => cannot_write(&secret.path, &error),
    })
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::outside(format!("{} cannot be written: {error}. Name another place with --output.", path.display()))
}

/// What was written has to hold: the same check as `bridgehead config check`.
async fn check(path: &Path) -> Result<(), Failure> {
    let loaded = config::load(path, &SystemEnvironment::new())?;
    let catalog = compose::catalog(&loaded.settings, &loaded.places, &Ambient::default(), Vec::new()).await?;
    for named in catalog.sources() {
        named.source.close().await;
    }
    Ok(())
}

fn report(args: &Args, source: &ProposedSource, secret: Option<&SecretFile>) {
    let file = args.output.display();
    output::say(&format!("wrote {file}: {}", text::count(source.tools, "tool")));
    if let Some(secret) = secret {
        output::say(&format!("wrote {}: the URL with its password; keep it secret", secret.path.display()));
    }
    for note in &source.notes {
        output::say(&format!("note: {note}"));
    }
    output::say("Read it through: what an agent knows of a tool is its description alone.");
    let config = if args.output == Path::new("bridgehead.toml") { String::new() } else { format!(" -c {file}") };
    output::say(&format!(
        "Then `bridgehead tools{config}` shows what an agent will see, and `bridgehead serve {file}` starts it."
    ));
}

/// Whoever is asked, on stderr and stdin. Nobody, where these are no terminal.
struct Person {
    there: bool,
}

impl Person {
    fn at_the_terminal() -> Self {
        Self { there: std::io::stdin().is_terminal() && std::io::stderr().is_terminal() }
    }

    const fn is_there(&self) -> bool {
        self.there
    }

    /// The answer; what is suggested where there is none, or nobody to ask.
    fn ask(&mut self, question: &str, suggested: &str) -> String {
        if !self.there {
            return suggested.to_owned();
        }
        let suggestion = if suggested.is_empty() { String::new() } else { format!(" [{suggested}]") };
        let _ = write!(std::io::stderr(), "{question}{suggestion}: ");
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(1..) if !line.trim().is_empty() => line.trim().to_owned(),
            _ => suggested.to_owned(),
        }
    }
}
