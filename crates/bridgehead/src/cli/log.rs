//! Log lines on stderr.

use std::io::stderr;

use tracing_subscriber::{EnvFilter, fmt};

use super::output;
use crate::config::{Environment, SystemEnvironment};

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What is logged where nothing else is asked for. rmcp has two lines at `info` for each request,
/// which say nothing that the access log does not.
const DEFAULT_FILTER: &str = "info,rmcp=warn";

pub(super) fn start(format: Format, filter: Option<&str>) {
    let wanted = filter.unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        output::say(&format!(
            "warning: the log filter `{wanted}` cannot be read ({error}); logging `{DEFAULT_FILTER}`"
        ));
        EnvFilter::new(DEFAULT_FILTER)
    });
    let no_color = SystemEnvironment::new().variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    match format {
        Format::Text => lines.with_ansi(output::colours(no_color)).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
}
