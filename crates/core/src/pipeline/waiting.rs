//! How calls wait for their turn: counted, and not for longer than leaves them time for their work.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use jiff::Timestamp;

use crate::{Call, Clock, Policy};

/// One call among those that wait, also when its client goes away.
pub(super) struct Waiting<'a> {
    count: &'a AtomicUsize,
    before: usize,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        Self { before: count.fetch_add(1, Ordering::Relaxed), count }
    }

    /// How many others were waiting when it came.
    pub(super) const fn before(&self) -> usize {
        self.before
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a call may still wait for turns and places: up to half of its time-out, all together. So it
/// has the other half for its work, and what ran out of time was under way, not in a queue.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) clock: &'a dyn Clock,
    until: Option<Timestamp>,
}

impl<'a> Patience<'a> {
    pub(super) fn of(call: &Call, policy: &Policy, clock: &'a dyn Clock) -> Self {
        let until = call.deadline.and_then(|deadline| deadline.checked_sub(policy.timeout / 2).ok());
        Self { clock, until }
    }

    pub(super) fn left(&self) -> Duration {
        let left = self.until.map(|until| until.duration_since(self.clock.now()));
        left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default()
    }
}
