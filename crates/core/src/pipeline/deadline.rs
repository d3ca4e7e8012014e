//! Step 6. Ends the waiting when the tool's time is up or the client went away. What that means
//! for a call with effects is decided by [`super::invoke`]: it goes on.

use std::{future::Future, time::Duration};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::{Call, CallError, Clock, Entry, Policy, UpstreamCode, UpstreamFailure};

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
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            result = work => result,
            () = self.cancelled.cancelled() => Err(CallError::Cancelled),
            () = self.passed => Err(timed_out(entry, self.timeout).into()),
        }
    }
}

fn timed_out(entry: &Entry, timeout: Duration) -> UpstreamFailure {
    let name = &entry.tool.wire_name;
    if entry.tool.effect.is_read() {
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
