//! The seam at which tools come in.

use async_trait::async_trait;

use crate::{Call, CallError, Caller, Outcome, ToolSpec, call::ClaimedEffect};

/// What a source knows of an effect of which nobody heard the end.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// It took effect, and this is what came of it.
    Done(Outcome),
    /// It did not take effect and will not: it is safe to call again.
    NotDone,
    /// The system behind cannot tell.
    Unknown,
}

/// What a source can do about an effect whose call ended without a definite answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovery {
    /// It sends [`ClaimedEffect::id`] in the header that [`ClaimedEffect::upstream_header`] names, so that
    /// the system behind knows a repeat for one.
    pub sends_key: bool,
    /// [`Source::resolve`] finds out what became of effects.
    pub resolves: bool,
}

/// Where tools come from: a database, functions, an API.
///
/// A source is asked for its tools when a catalog is built, and is called only with arguments
/// that satisfy the input schema it gave for the tool.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// What the source is: `native`, `sql` …, for listings and logs.
    fn kind(&self) -> &'static str;

    /// The tools it offers, in a stable order.
    fn tools(&self) -> Vec<ToolSpec>;

    /// Runs `tool`, one of the names in [`Source::tools`].
    ///
    /// The future may be dropped when the call is a read and nobody waits any longer; a call with
    /// effects is always driven to its end.
    ///
    /// # Errors
    /// What went wrong, by blame. A source never answers a failure with `Ok`.
    async fn call(&self, tool: &str, call: &Call) -> Result<Outcome, CallError>;

    /// What the system behind would be shown of this caller beyond what they handed over and what is
    /// known of them: the version of a credential that is kept for them, for example. An answer that is
    /// remembered is given only where this is the same. Asked before each look into the cache.
    ///
    /// # Errors
    /// Why a call of this caller would not get as far as to the system behind.
    async fn shows(&self, _tool: &str, _caller: &Caller) -> Result<Option<String>, CallError> {
        Ok(None)
    }

    /// Tells how `tool` is called from how it was called before, where it may look the same and the difference
    /// does not stand in the source's configuration: another address in a description, for example. Of what
    /// was remembered when this was another one, nothing is found.
    fn revision(&self, _tool: &str) -> String {
        String::new()
    }

    /// What the source can do when a call of `tool` ends without a definite answer.
    fn recovery(&self, _tool: &str) -> Recovery {
        Recovery::default()
    }

    /// What became of an effect whose call ended without a definite answer (a crash, a lost
    /// connection). Asked before a caller is told that nobody knows.
    ///
    /// Never repeats the call. What cannot be found out is [`Resolution::Unknown`].
    async fn resolve(&self, _tool: &str, _effect: &ClaimedEffect) -> Resolution {
        Resolution::Unknown
    }

    /// Whether the system behind can be reached. Asked by `/readyz`; must answer quickly.
    ///
    /// # Errors
    /// What is wrong, in words for the operator.
    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// Gives back what the source holds (connections, child processes). Called once, at the end.
    async fn close(&self) {}
}
