//! `bridgehead config check|schema`.

use std::path::PathBuf;

use super::{Exit, Outcome, load, output};
use crate::{
    compose::{self, Ambient},
    config::{reference, schema, settings::SourceKind},
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
    }
}

/// Checks without leaving anything behind: a database that does not exist yet is not made, so
/// its statements are checked only as far as they can be without it.
async fn check(config: Option<PathBuf>) -> Outcome {
    let (path, loaded) = match load(config.as_deref()) {
        Ok(loaded) => loaded,
        Err(failure) => return Err(super::Failure { exit: Exit::No, ..failure }),
    };
    let absent = loaded.settings.sources.iter().find_map(|source| match &source.kind {
        SourceKind::Sql(sql) => (!sql.database.exists()).then_some((&source.name, &sql.database)),
    });
    if let Some((source, database)) = absent {
        output::say(&format!(
            "note: {} does not exist yet, so the statements of `{source}` were not tried on it; `bridgehead serve` makes it",
            database.display()
        ));
        output::print(&format!("{}: no faults", path.display()));
        return Ok(Exit::Well);
    }
    match compose::catalog(&loaded.settings, &loaded.places, &Ambient::default(), Vec::new()).await {
        Ok(catalog) => {
            output::print(&format!("{}: no faults, {} tools", path.display(), catalog.entries().len()));
            Ok(Exit::Well)
        }
        Err(faults) => Err(super::Failure { exit: Exit::No, ..faults.into() }),
    }
}
