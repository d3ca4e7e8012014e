//! The configuration: one TOML file, the environment laid over it, and the settings that come of
//! both. Every fault is found at once, each with its line and how to mend it.
//!
//! The way of a configuration: text → tree with places → environment laid over it → `${NAME}`
//! substituted, files of secrets read → what this version does not serve → schema → `raw` structs → cross-checks →
//! [`Settings`]. Nothing is opened or bound here; files and variables come through
//! an [`Environment`].

mod check;
mod conform;
pub mod environment;
pub mod fault;
mod findings;
mod nearest;
mod not_yet;
pub mod overlay;
pub mod raw;
pub mod reference;
pub mod schema;
mod secret_files;
pub mod settings;
mod source_text;
mod substitute;
mod units;

use std::path::Path;

use serde::Deserialize;

pub use environment::{Environment, FixedEnvironment, SystemEnvironment};
pub use fault::{Fault, Faults, KeyPath, Place, Warning};
pub use settings::Settings;
pub use source_text::Places;

use check::{Check, Tools};
use findings::Findings;
use raw::RawConfig;

/// A configuration that holds.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What is doubtful about it, sorted by place.
    pub warnings: Vec<Warning>,
    /// Where it says it.
    pub places: Places,
}

/// Loads the configuration file at `path`, which is taken relative to the current directory.
///
/// # Errors
/// Everything that is wrong with it at once; only a file that is no TOML hides other faults.
pub fn load(path: &Path, environment: &dyn Environment) -> Result<Loaded, Faults> {
    let file = path.display().to_string();
    let text = environment.read(&environment.directory().join(path)).map_err(|error| {
        Faults::from(Fault {
            place: Place::File(file.as_str().into()),
            path: KeyPath::root(),
            message: format!("the configuration cannot be read: {error}"),
            mend: "write one (README.md shows a small one), or name another file with -c FILE or $BRIDGEHEAD_CONFIG"
                .into(),
        })
    })?;
    load_text(path, &text, environment)
}

/// As [`load`], with the text of the file already at hand.
///
/// # Errors
/// As [`load`].
pub fn load_text(path: &Path, text: &str, environment: &dyn Environment) -> Result<Loaded, Faults> {
    stages(path, text, environment, Tools::Configured)
}

/// As [`load_text`], for a program that brings tools of its own: there may be no source.
///
/// # Errors
/// As [`load`].
pub fn load_beside_code(path: &Path, text: &str, environment: &dyn Environment) -> Result<Loaded, Faults> {
    stages(path, text, environment, Tools::AlsoFromCode)
}

fn stages(path: &Path, text: &str, environment: &dyn Environment, tools: Tools) -> Result<Loaded, Faults> {
    let file = environment.directory().join(path);
    let base = file.parent().unwrap_or(Path::new("/"));
    let (mut tree, places) = source_text::parse(&path.display().to_string(), text)?;
    let mut findings = Findings::new(places);
    overlay::apply(&mut tree, environment, &mut findings);
    substitute::apply(&mut tree, environment, &mut findings);
    secret_files::apply(&mut tree, base, environment, &mut findings);
    not_yet::find(&tree, &mut findings);
    // Each stage takes what it found fault with out of the way of the next.
    findings.prune(&mut tree);
    conform::check(&tree, &mut findings);
    findings.prune(&mut tree);
    let raw = RawConfig::deserialize(&tree).unwrap_or_else(|error| {
        findings.fault(
            &KeyPath::root(),
            format!("cannot be read: {error}"),
            "compare it with `bridgehead config schema`",
        );
        RawConfig::default()
    });
    match (Check { findings: &mut findings, environment, tree: &tree, base }).settings(raw, tools) {
        Some(settings) => {
            let (warnings, places) = findings.into_parts();
            Ok(Loaded { settings, warnings, places })
        }
        None => Err(findings.into_faults()),
    }
}

#[cfg(test)]
mod tests;
