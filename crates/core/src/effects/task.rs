//! A call that goes on, as the tasks extension of MCP (SEP-2663) sees it: another face of the record behind
//! its handle, made when it is asked for and kept nowhere.

use std::time::Duration;

use jiff::Timestamp;

use crate::{CallError, EffectId, Outcome};

/// How long a client is asked to wait before it asks again.
pub const POLL_EVERY: Duration = Duration::from_secs(2);

/// What is done with a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskVerb {
    /// It is looked at.
    Get,
    /// It is to stop, where that is safe: a read that is under way. A call with effects has been sent by
    /// the time there is a handle, and cannot be called back; it goes on.
    Stop,
}

/// What is known of a call that was answered with a handle.
#[derive(Debug)]
pub struct Task {
    /// Its handle.
    pub id: EffectId,
    /// Since when there is a record of it.
    pub created_at: Timestamp,
    /// When that was last changed.
    pub changed_at: Timestamp,
    /// From here on the handle is as unknown as one that never was.
    pub keep_until: Timestamp,
    /// Whether it stops when it is asked to: it is a read of a tool that is still served.
    pub can_stop: bool,
    /// What it came to.
    pub state: TaskState,
}

/// How far a task is.
#[derive(Debug)]
pub enum TaskState {
    /// The call goes on.
    Working,
    /// This came of it.
    Ended(Result<Outcome, CallError>),
    /// It was stopped as its caller asked.
    Stopped,
}
