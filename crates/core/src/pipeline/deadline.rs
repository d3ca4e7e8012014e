//! Step 6. Ends the waiting when the tool's time is up or the client went away. What that means
//! for a call with effects is decided by [`super::gate`]: what was sent goes on.

use std::{future::Future, time::Duration};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use crate::{Call, CallError, Clock, Entry, Policy, Refusal, UpstreamCode, UpstreamFailure};

/// When to look again what became of a call. A guess: how long it takes is not known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Deadline {
    timeout: Duration,
    passed: BoxFuture<'static, ()>,
    cancelled: CancellationToken,
}

impl Deadline {
    pub(super) fn start(clock: &dyn Clock, policy: &Policy, call: &mut Call) -> Self {
        call.deadline = clock.now().checked_add(policy.timeout).ok();
        Self { timeout: policy.timeout, passed: clock.sleep(policy.timeout), cancelled: call.cancelled.clone() }
    }

    pub(super) async fn bound<T>(
        self,
        entry: &Entry,
        gate: &Gate,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            result = work => result,
            () = self.cancelled.cancelled() => Err(CallError::Cancelled),
            () = self.passed => Err(out_of_time(entry, gate, self.timeout)),
        }
    }
}

fn out_of_time(entry: &Entry, gate: &Gate, timeout: Duration) -> CallError {
    gate.close();
    if gate.may_take_effect() {
        timed_out(entry, gate, timeout).into()
    } else {
        Refusal::Busy { retry_after: RETRY_AFTER }.into()
    }
}

fn timed_out(entry: &Entry, gate: &Gate, timeout: Duration) -> UpstreamFailure {
    let name = &entry.tool.wire_name;
    if gate.has_claim() {
        UpstreamFailure::new(
            UpstreamCode::TimedOut,
            format!(
                "`{name}` took longer than {timeout:?}. It was not stopped and may still take effect. Call it again with \
                 the same idempotency key and the same arguments: that waits for its answer, and does not do it twice."
            ),
        )
        .with_retry_after(RETRY_AFTER)
    } else if entry.tool.effect.is_read() {
        UpstreamFailure::new(
            UpstreamCode::TimedOut,
            format!("`{name}` took longer than {timeout:?} and was stopped. Ask for less, or try again later."),
        )
    } else {
        UpstreamFailure::new(
            UpstreamCode::TimedOut,
            format!(
                "`{name}` took longer than {timeout:?}. It was not stopped and may still take effect: \
                 look at what it should have changed before you call it again."
            ),
        )
        .not_retryable()
    }
}
