//! A step of a connection attempt as a table holds it: the same columns in every SQL database.

use bridgehead_auth::trace::{Facts, Step, StepOutcome, TraceEvent};
use jiff::Timestamp;

/// Time in microseconds since 1970, step, outcome and facts.
pub(crate) type TraceRow = (i64, String, String, String);

/// The step.
///
/// # Errors
/// Which column was never written like this, in words.
pub(crate) fn event((at, step, outcome, facts): TraceRow) -> Result<TraceEvent, String> {
    let unreadable = |column: &str| format!("the column `{column}` of a traced step cannot be read. Restore a backup");
    Ok(TraceEvent {
        at: Timestamp::from_microsecond(at).map_err(|_range| unreadable("at"))?,
        step: Step::parse(&step).ok_or_else(|| unreadable("step"))?,
        outcome: StepOutcome::parse(&outcome).ok_or_else(|| unreadable("outcome"))?,
        facts: Facts::parse(&facts),
    })
}
