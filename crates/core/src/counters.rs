//! How often something may happen: turns that are given out evenly, at a rate.
//!
//! What counts is behind [`Counters`]: [`LocalCounters`] here, for one process, and in
//! `bridgehead-stores` what replicas share. Which limits there are is decided by policies
//! ([`crate::policy`]), and what a refusal says by the pipeline.

mod gcra;
mod local;

use std::time::Duration;

use async_trait::async_trait;

use crate::policy::Rate;

pub use gcra::{Bucket, Pace, micros};
pub use local::LocalCounters;

/// Up to when a turn is worth having, and how far ahead those are told to come back who get none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long the one who asks would wait for the turn; zero for now or never.
    pub wait: Duration,
    /// How far ahead turns are promised to those who are refused: each is told a time of their own,
    /// so that they do not all come back at once.
    pub ahead: Duration,
}

/// What came of asking for a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is theirs, after this wait. It is used up, also if nobody comes.
    Granted {
        /// How long until then; at most what they would wait.
        wait: Duration,
    },
    /// There is none in time, and nothing was used up.
    Refused {
        /// When there will be one, as far as is known now.
        retry_after: Duration,
    },
}

/// What counts cannot be reached, so nobody knows whether there is a turn.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the counters that replicas share cannot be reached: {0}")]
pub struct CountersLost(pub String);

/// Gives out turns, by key and rate. Those who share a key share its turns.
#[async_trait]
pub trait Counters: Send + Sync + 'static {
    /// Takes the next turn of `key`, if it comes in time.
    ///
    /// # Errors
    /// The counters cannot be reached. Answers within a moment in any case.
    async fn take(&self, key: &str, rate: &Rate, terms: Terms) -> Result<Turn, CountersLost>;

    /// Gives out no turn of `key` that would come within `pause` from now. Turns that were given out
    /// before stay good.
    ///
    /// # Errors
    /// As [`Counters::take`].
    async fn pause(&self, key: &str, rate: &Rate, pause: Duration) -> Result<(), CountersLost>;
}
