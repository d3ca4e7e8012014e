//! `bridgehead config check|schema`, and four hidden ones that write pages of docs/reference.

use std::path::{Path, PathBuf};

use super::{Exit, Outcome, load, output};
use crate::{
    compose::{self, Ambient},
    config::{
        reference, schema,
        settings::{Database, SourceKind, SourceSettings},
    },
    errors,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Name every fault at once: file:line, what is wrong, how to mend it.
    Check {
        /// The configuration file. Default: $BRIDGEHEAD_CONFIG, then ./bridgehead.toml.
        config: Option<PathBuf>,
    },
    /// Print the JSON Schema of the configuration.
    Schema,
    /// Print the reference of the configuration, as it stands in docs/reference.
    #[command(hide = true)]
    Reference,
    /// Print the reference of errors, as it stands in docs/reference.
    #[command(hide = true)]
    Errors,
    /// Print the reference of the linter's rules, as it stands in docs/reference.
    #[command(hide = true)]
    Rules,
    /// Print the reference of the doctor's checks, as it stands in docs/reference.
    #[command(hide = true)]
    Checks,
}

pub(super) async fn run(command: Command) -> Outcome {
    match command {
        Command::Check { config } => check(config).await,
        Command::Schema => {
            output::print(&schema::text());
            Ok(Exit::Well)
        }
        Command::Reference => {
            output::print(&reference::markdown());
            Ok(Exit::Well)
        }
        Command::Rules => {
            output::print(&bridgehead_lint::reference::markdown());
            Ok(Exit::Well)
        }
        Command::Checks => {
            output::print(&bridgehead_doctor::reference::markdown());
            Ok(Exit::Well)
        }
        Command::Errors => match errors::markdown() {
            Ok(text) => {
                output::print(&text);
                Ok(Exit::Well)
            }
            Err(error) => Err(super::Failure { exit: Exit::Outside, message: error.to_string() }),
        },
    }
}

/// Checks without leaving anything behind: a database that does not exist yet is not made, so
/// its statements are checked only as far as they can be without it.
async fn check(config: Option<PathBuf>) -> Outcome {
    let (path, loaded) = match load(config.as_deref()) {
        Ok(loaded) => loaded,
        Err(failure) => return Err(super::Failure { exit: Exit::No, ..failure }),
    };
    let mut settings = loaded.settings;
    let (present, absent) = settings.sources.into_iter().partition(|source| absent_database(source).is_none());
    settings.sources = present;
    let absent: Vec<SourceSettings> = absent;
    for source in &absent {
        if let Some(database) = absent_database(source) {
            output::say(&format!(
                "note: {} does not exist yet, so the statements of `{}` were not tried on it; `bridgehead serve` makes it",
                database.display(),
                source.name
            ));
        }
    }
    let ambient = Ambient::default();
    let certificate = compose::certificate(&settings, &loaded.places, &ambient).await;
    let found = if absent.is_empty() {
        compose::catalog(&settings, &loaded.places, &ambient, Vec::new()).await
    } else {
        compose::tools(&settings, &loaded.places, &ambient, Vec::new()).await
    };
    let found = match (found, certificate) {
        (Err(faults), Err(more)) => Err(faults.and(more)),
        (Ok(_), Err(faults)) => Err(faults),
        (found, Ok(())) => found,
    };
    match found {
        Ok(catalog) => {
            let tools = catalog.entries().len();
            let tried = match tools {
                1 => "1 tool".to_owned(),
                n => format!("{n} tools"),
            };
            output::print(&format!("{}: no faults, {tried}", path.display()));
            Ok(Exit::Well)
        }
        Err(faults) => Err(super::Failure { exit: Exit::No, ..faults.into() }),
    }
}

/// The file of a source's database, where it does not exist yet.
fn absent_database(source: &SourceSettings) -> Option<&Path> {
    match &source.kind {
        SourceKind::Sql(sql) => match &sql.database {
            Database::Sqlite { path, .. } => (!path.exists()).then_some(path.as_path()),
            Database::Postgres { .. } => None,
        },
        SourceKind::Http(_) | SourceKind::OpenApi(_) => None,
    }
}
