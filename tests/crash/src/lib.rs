//! D5: one effect for each idempotency key, while the servers are killed (SIGKILL) in the middle of calls and the
//! system behind fails in every way that leaves doubt.
//!
//! Callers pursue what they intend until they know what became of it: they repeat under the same key, on any replica,
//! twice at once, and some go away in the middle. The system behind counts what really happened, and
//! [`ledger`] holds what the callers were told against that. All that is decided (arguments, faults, who is killed at
//! which call) comes from a seed; how the processes meet is the machine's, so a seed repeats the decisions and not every
//! microsecond.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a proof that cannot be set up has failed"
)]

mod caller;
mod config;
mod dice;
mod fate;
pub mod ledger;
mod orders;
mod replicas;
mod run;
mod shop;

pub use run::{Report, Scenario, run};

/// A table of reports, as it is printed.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let columns = Report::COLUMNS.map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(columns).chain(reports.iter().map(Report::cells)).collect();
    let widths: Vec<usize> = (0..Report::COLUMNS.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default())
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
