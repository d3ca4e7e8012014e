//! Step 4. How often one caller may call, whichever of their keys or connections they use: calls count by
//! subject. Nobody waits here; who is too early is told when it will be their turn.

use super::limits::{Around, Limits};
use crate::{
    Call, Entry, Refusal,
    counters::{Terms, Turn},
};

pub(super) async fn check(limits: &Limits, call: &Call, entry: &Entry, around: Around<'_>) -> Result<(), Refusal> {
    let Some(limit) = &entry.tool.policy.caller_rate else { return Ok(()) };
    let key = format!("caller/{}/{}", limit.shared_by, call.caller.subject);
    // A caller who does not wait moves the times that they are told, so these stay within the period.
    let terms = Terms { wait: std::time::Duration::ZERO, ahead: limit.rate.per };
    match limits.take(&key, &limit.rate, terms, around).await? {
        Turn::Granted { .. } => Ok(()),
        Turn::Refused { retry_after } => Err(Refusal::RateLimited { retry_after }),
    }
}
